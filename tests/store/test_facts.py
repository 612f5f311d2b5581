"""Events become facts: counted once, joined to their person, replaced or taken back where the source does."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import Event, EventName
from sync.config.load import load
from sync.source import naming_of
from sync.store import changes
from sync.store.facts import join_known_strays
from sync.store.naming import Naming, at_path
from sync.store.store import Store
from tests.store.ground import NOW, event, everything, facts_of, naming, new_store, profile, settle, split, tell, write

SAME = {"same": {"order_placed": "order_id"}}


def order(source: str, number: Any, at: int = NOW, /, **more: Any) -> Event:
    return event(source, "Placed Order", at, properties={"OrderId": number, "$value": more.pop("value", 10)}, **more)


def times(store: Store) -> list[int]:
    return sorted(at for _, at, _, _ in facts_of(store))


def three_profiles_of_one(store: Store) -> None:
    for connection in (1, 2, 3):
        write(store, connection, profile("p1", "one@example.com"))


# --- once -------------------------------------------------------------------------------------------------------------


def test_an_event_told_twice_is_counted_once(store: Store) -> None:
    write(store, 1, profile("p1"))
    first, second = event("e1", "Viewed", NOW), event("e2", "Viewed", NOW)
    told = tell(store, 1, first, second, first)
    assert (told.new, told.repeated) == (2, 1)
    told = tell(store, 1, second, first)
    assert (told.new, told.repeated) == (0, 2)
    assert times(store) == [NOW, NOW]


def test_an_event_counts_once_as_new_also_while_a_tick_listens(store: Store) -> None:
    write(store, 1, profile("p1"))
    changes.listen(store)
    page = [event(f"e{number}", "Clicked", NOW + number) for number in range(60)]
    first, again = tell(store, 1, *page), tell(store, 1, *page)
    assert (first.new, first.repeated, again.new, again.repeated) == (60, 0, 0, 60)


def test_one_source_id_on_two_connections_is_two_events(store: Store) -> None:
    three_profiles_of_one(store)
    tell(store, 1, event("e1", "Viewed"))
    tell(store, 2, event("e1", "Viewed"), names={"Viewed": EventName("mailchimp.Viewed")})
    assert len(facts_of(store)) == 2


@settings(max_examples=30, deadline=None, derandomize=True, database=None)
@given(seed=st.integers(0, 10**6))
def test_pages_in_any_order_told_any_number_of_times_give_one_store(seed: int) -> None:
    """Promise: every record that a platform shows is ingested at least once and counted once."""
    rng = Random(seed)
    people = [profile(f"p{n}", f"a{n % 4}@example.com", {"n": n}, updated=n) for n in range(6)]
    told = {connection: random_events(rng, connection) for connection in (1, 2, 3)}
    results = []
    for _ in range(2):
        pages: list[tuple[int, Any]] = [(c, page) for c in (1, 2, 3) for page in split(rng.sample(people, 6), [rng.randint(1, 5)])]
        pages += [(c, page) for c, events in told.items() for page in split(rng.sample(events, len(events)), [rng.randint(1, 9)])]
        pages += rng.sample(pages, rng.randint(0, len(pages)))
        rng.shuffle(pages)
        with new_store() as store:
            for connection, page in pages:
                if isinstance(page[0], Event):
                    tell(store, connection, *page, **SAME)
                else:
                    write(store, connection, *page, **SAME)
            for connection in (1, 2, 3):
                settle(store, connection)
            results.append(everything(store))
    assert results[0] == results[1]


def random_events(rng: Random, connection: int) -> list[Event]:
    found = []
    for number in range(rng.randint(2, 12)):
        who: dict[str, Any] = {"profile": f"p{rng.randint(0, 7)}"} if rng.random() < 0.6 else {"email": f"a{rng.randint(0, 5)}@example.com"}
        made = order(f"o{number}", rng.choice([1, 2, "3", None]), NOW + rng.randint(0, 3), value=connection, **who)
        found.append(made if rng.random() < 0.7 else made._replace(native="Viewed", mutable=rng.random() < 0.5))
    return found


# --- records that change ----------------------------------------------------------------------------------------------


def test_a_changed_record_replaces_its_event(store: Store) -> None:
    write(store, 1, profile("p1"), profile("p2"))
    tell(store, 1, order("o1", 1, NOW, mutable=True, value=5))
    tell(store, 1, order("o1", 1, NOW + 9, mutable=True, value=7, profile="p2"))
    assert [(at, who, found["value"]) for _, at, who, found in facts_of(store)] == [(NOW + 9, "1:p2", 7)]


def test_a_removed_record_is_no_event_and_may_come_back(store: Store) -> None:
    write(store, 1, profile("p1"))
    first = order("o1", 1, mutable=True)
    for told, count in ((first, 1), (first._replace(removed=True), 0), (first._replace(removed=True), 0), (first, 1)):
        tell(store, 1, told)
        assert len(facts_of(store)) == count


def test_a_record_that_is_void_needs_no_owner_to_be_taken_back(store: Store) -> None:
    write(store, 1, profile("p1"))
    tell(store, 1, order("o1", 1, mutable=True))
    tell(store, 1, order("o1", 1, mutable=True, removed=True)._replace(profile=None))
    assert facts_of(store) == []
    assert store.rows("select count(*) from strays") == [(0,)]


@pytest.mark.parametrize("one_page", [True, False])
def test_a_plain_event_that_was_superseded_is_taken_back(store: Store, one_page: bool) -> None:
    write(store, 1, profile("p1"))
    told, void = event("e1", "Viewed"), event("e1", "Viewed", mutable=True, removed=True)
    for page in [(told, void)] if one_page else [(told,), (void,)]:
        tell(store, 1, *page)
    assert facts_of(store) == []


@pytest.mark.parametrize("one_page", [True, False])
def test_a_plain_event_that_turns_out_to_be_a_record_is_one_fact(store: Store, one_page: bool) -> None:
    write(store, 1, profile("p1"))
    told, again = event("e1", "Viewed"), event("e1", "Viewed", mutable=True)
    for page in [(told, again)] if one_page else [(told,), (again,)]:
        tell(store, 1, *page)
    assert times(store) == [NOW]


def test_a_record_that_now_belongs_to_a_stranger_waits_for_that_stranger(store: Store) -> None:
    write(store, 1, profile("p1"))
    tell(store, 1, order("o1", 1, mutable=True))
    assert tell(store, 1, order("o1", 1, mutable=True, profile="p2")).strays == 1
    assert facts_of(store) == []
    write(store, 1, profile("p2"))
    assert [who for _, _, who, _ in facts_of(store)] == ["1:p2"]


def test_an_old_stray_never_overwrites_a_newer_record(store: Store) -> None:
    write(store, 1, profile("p1"))
    tell(store, 1, order("o1", 1, NOW, mutable=True, profile="p2"))
    tell(store, 1, order("o1", 1, NOW + 9, mutable=True))
    write(store, 1, profile("p2"))
    assert times(store) == [NOW + 9]


# --- same: order_id ---------------------------------------------------------------------------------------------------


def test_the_earliest_report_of_one_order_is_the_event_and_all_are_kept(store: Store) -> None:
    three_profiles_of_one(store)
    for connection, at in ((2, NOW + 5), (3, NOW + 2), (1, NOW + 7)):
        tell(store, connection, order(f"o{connection}", 1, at, value=connection), **SAME)
    assert [(at, found["value"]) for _, at, _, found in facts_of(store)] == [(NOW + 2, 3)]
    assert store.rows("select count(*) from records") == [(3,)]


def test_removing_or_changing_the_earliest_report_moves_the_event(store: Store) -> None:
    three_profiles_of_one(store)
    first, second = order("o1", 1, NOW, mutable=True), order("o2", 1, NOW + 5, mutable=True)
    tell(store, 1, first, **SAME)
    tell(store, 2, second, **SAME)
    tell(store, 1, first._replace(at=NOW + 9), **SAME)
    assert times(store) == [NOW + 5]
    tell(store, 2, second._replace(removed=True), **SAME)
    assert times(store) == [NOW + 9]
    tell(store, 1, first._replace(properties={"OrderId": 2}), **SAME)
    tell(store, 2, second, **SAME)
    assert times(store) == [NOW, NOW + 5], "another id is another order"


def test_each_event_says_who_told_it_and_under_which_id(store: Store) -> None:
    """Of several records of one fact it is the earliest's, also after that one moved away."""
    three_profiles_of_one(store)
    tell(store, 3, event("e1", "Opened"))
    first, second = order("o1", 1, NOW, mutable=True), order("o2", 1, NOW + 5, mutable=True)
    tell(store, 1, first, **SAME)
    tell(store, 2, second, **SAME)
    told = "select connection, source from events order by 1, 2"
    assert store.rows(told) == [(1, "o1"), (3, "e1")]
    tell(store, 1, first._replace(at=NOW + 9), **SAME)
    assert store.rows(told) == [(2, "o2"), (3, "e1")]


def test_orders_of_two_people_with_one_id_at_one_moment_both_stay(store: Store) -> None:
    write(store, 1, profile("p1"), profile("p2"))
    tell(store, 1, order("o1", 1), order("o2", 1, profile="p2"), **SAME)
    assert len(facts_of(store)) == 2


def test_orders_without_an_id_are_each_their_own(store: Store) -> None:
    three_profiles_of_one(store)
    for connection in (1, 2):
        for number, said in enumerate([None, "", " ", True, ["1"], 10**5000]):
            tell(store, connection, order(f"o{number}", said), **SAME)
    assert len(facts_of(store)) == 12


def test_one_id_spelled_as_number_and_as_text_is_one(store: Store) -> None:
    three_profiles_of_one(store)
    for connection, said in ((1, 1001), (2, "1001 "), (3, 1001.0)):
        tell(store, connection, order("o1", said), **SAME)
    assert len(facts_of(store)) == 1


def test_orders_told_before_the_config_said_same_are_not_counted_twice_when_told_again(store: Store) -> None:
    three_profiles_of_one(store)
    tell(store, 1, order("o1", 1))
    tell(store, 2, order("o2", 1, NOW + 1), **SAME)
    tell(store, 1, order("o1", 1), **SAME)
    assert times(store) == [NOW]
    tell(store, 1, order("o1", 1))
    assert times(store) == [NOW, NOW + 1], "without `same:` each is its own again, and still counted once"


# --- strays -----------------------------------------------------------------------------------------------------------


def test_events_wait_for_their_profile(store: Store) -> None:
    assert tell(store, 1, event("e1"), event("e1")).strays == 2
    assert store.rows("select count(*) from strays") == [(1,)]
    write(store, 2, profile("p1"))
    assert facts_of(store) == [], "another connection's profile of that id is somebody else"
    write(store, 1, profile("p1"))
    assert len(facts_of(store)) == 1
    assert store.rows("select count(*) from strays") == [(0,)]


def test_events_wait_for_their_address_on_any_connection(store: Store) -> None:
    tell(store, 1, event("e1", email="One@Example.com", properties={"deep": {"x": [1, 2.5, None, "ö"]}}))
    write(store, 3, profile("k1", "one@example.com"))
    assert [(who, found) for _, _, who, found in facts_of(store)] == [("3:k1", {"deep": {"x": [1, 2.5, None, "ö"]}})]


def test_events_wait_for_an_alias_and_for_a_changed_address(store: Store) -> None:
    tell(store, 1, event("e1", email="alias@example.com"), event("e2", "Viewed", NOW + 1, email="later@example.com"))
    write(store, 2, profile("h1", "main@example.com", aliases=("alias@example.com",)))
    write(store, 2, profile("h1", "later@example.com"))
    assert times(store) == [NOW, NOW + 1]


def test_a_stray_that_was_voided_never_counts(store: Store) -> None:
    tell(store, 1, order("o1", 1, mutable=True))
    tell(store, 1, order("o1", 1, mutable=True, removed=True))
    write(store, 1, profile("p1"))
    assert facts_of(store) == []
    assert store.rows("select count(*) from strays") == [(0,)]


def test_strays_of_a_connection_that_was_away_join_when_it_is_back(store: Store) -> None:
    tell(store, 1, event("e1", email="one@example.com"))
    with store.transaction() as db:
        db.execute("insert into contacts values (0, 'x', 0, null)")
        db.execute("insert into addresses values ('one@example.com', 0, 'primary')")
        assert join_known_strays(db, {2: naming(2)}) == 0
        assert join_known_strays(db, {1: naming(1)}) == 1
    assert len(facts_of(store)) == 1


# --- names ------------------------------------------------------------------------------------------------------------


def test_names_the_config_does_not_know_keep_their_connection_before_them(store: Store) -> None:
    write(store, 3, profile("p1"))
    tell(store, 3, event("e1", "Started Trial", properties={"Plan Name": "gold"}))
    assert facts_of(store) == [("klaviyo.Started Trial", NOW, "3:p1", {"Plan Name": "gold"})]


def test_facts_that_another_connection_tells_are_left_out(store: Store) -> None:
    write(store, 1, profile("p1"))
    told = tell(store, 1, order("o1", 1), event("e1", "Viewed"), ignored=frozenset({"order_placed"}))
    assert told.new == 1
    assert [name for name, *_ in facts_of(store)] == ["mailchimp.Viewed"]


def test_neutral_properties_come_from_dotted_paths_and_stay_absent_where_there_is_nothing() -> None:
    told = Naming("k", {"n": EventName("e", {"a": "x.y", "b": "dotted.key", "c": "gone", "d": "null", "value": "$value"})})
    raw = {"x": {"y": 1}, "dotted.key": 2, "dotted": {"key": 3}, "null": None, "value": 99, "other": float("nan"), "z": 5}
    found = told.properties("n", raw)
    assert (found["a"], found["b"], found["x"], found["z"]) == (1, 2, {"y": 1}, 5)
    assert not {"c", "d", "null", "value", "dotted.key"} & found.keys()
    assert told.properties("unknown", raw) == raw
    assert at_path({"a": [1]}, "a.b") is None


CONFIG = """
version: 1
connections: {{mailchimp: {{}}, hubspot: {{}}, klaviyo: {{}}}}
events:
{events}
segments: {{all: {{contact: {{country: {{is_set: true}}}}}}}}
"""


def named(tmp_path: Path, connection: str, events: str) -> Naming:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.format(events=events))
    config, problems = load(path)
    assert config is not None, problems
    return naming_of(config, connection)


def test_the_config_renames_an_event_and_its_properties(tmp_path: Path) -> None:
    told = named(tmp_path, "klaviyo", "  trial_started: {from: {klaviyo: Started Trial}, properties: {plan: Plan Name}}\n"
                                      "  order_placed: {same: order_id}")
    assert told.name("Started Trial") == "trial_started"
    assert told.properties("Started Trial", {"Plan Name": "gold"}) == {"plan": "gold"}
    assert told.name("Placed Order") == "order_placed"
    assert told.same == {"order_placed": "order_id"}


def test_a_chosen_witness_is_the_only_one(tmp_path: Path) -> None:
    events = "  order_placed: {from: {klaviyo: Shop Order}, properties: {order_id: number}}"
    told = named(tmp_path, "klaviyo", events)
    assert told.name("Shop Order") == "order_placed"
    assert told.name("Placed Order") == "klaviyo.Placed Order", "two natives would count each order twice"
    assert "order_placed" in named(tmp_path, "mailchimp", events).ignored

