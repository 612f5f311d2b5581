"""Who is who: by platform id first, then by primary address, never by an alias."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import Profile
from sync.store.store import Store
from tests.store.ground import (
    NOW,
    WITHDRAWN,
    contact_of,
    event,
    everything,
    facts_of,
    new_store,
    owner_of,
    partition,
    profile,
    settle,
    split,
    tell,
    write,
)

# --- any order gives the same people ----------------------------------------------------------------------------------


def random_profiles(rng: Random) -> list[tuple[int, Profile]]:
    """Profiles of three connections that share addresses, have aliases, and some of which were merged on their platform."""
    addresses = [f"a{number}@example.com" for number in range(6)]
    found = []
    for connection in (1, 2, 3):
        for number in range(rng.randint(1, 5)):
            email = rng.choice([*addresses, " " + rng.choice(addresses).upper(), None])
            absorbed = [f"p{other}" for other in range(6) if other != number and connection == 2 and rng.random() < 0.1]
            found.append((connection, profile(
                f"p{number}", email, aliases=tuple(rng.sample(addresses, rng.choice([0, 0, 1, 2]))), absorbed=absorbed,
            )))
    return found


def expected(profiles: list[tuple[int, Profile]]) -> frozenset[frozenset[tuple[int, str]]]:
    """One person: whoever is connected by primary addresses and by what HubSpot merged."""
    groups: list[set[tuple[int, str]]] = []
    gone = {(connection, other) for connection, each in profiles for other in each.absorbed}
    for connection, each in profiles:
        links = {(connection, each.id)} | {(connection, other) for other in each.absorbed}
        if each.email and (connection, each.id) not in gone:
            links |= {(0, each.email.strip().lower())}
        touching = [group for group in groups if group & links]
        groups = [group for group in groups if not group & links] + [links.union(*touching)]
    return frozenset(frozenset(link for link in group if link[0]) for group in groups)


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(seed=st.integers(0, 10**6))
def test_the_same_profiles_give_the_same_people_whatever_the_order_and_the_pages(seed: int) -> None:
    rng = Random(seed)
    profiles = random_profiles(rng)
    absorbed = {(connection, other) for connection, each in profiles for other in each.absorbed}
    # A merged profile's own address may have been met before it was merged away: history, which differs by order.
    profiles = [(c, each if (c, each.id) not in absorbed else profile(each.id, absorbed=each.absorbed)) for c, each in profiles]
    pulls = {number: [each for connection, each in profiles if connection == number] for number in (1, 2, 3)}
    for _ in range(2):
        with new_store() as store:
            for connection in rng.sample([1, 2, 3], 3):
                rows = rng.sample(pulls[connection], len(pulls[connection]))
                for page in split(rows, [rng.randint(0, len(rows)) for _ in range(2)]):
                    write(store, connection, *page)
                settle(store, connection)
            assert partition(store) == expected(profiles)
            assert [row[0] for row in store.rows("select id from contacts order by id")] == list(
                range(len(store.rows("select 1 from contacts"))))


# --- platform id and address ------------------------------------------------------------------------------------------


def test_a_changed_address_keeps_the_contact(store: Store) -> None:
    write(store, 1, profile("p1", "old@example.com"))
    write(store, 1, profile("p1", "new@example.com"))
    assert contact_of(store, 1, "p1") == 0
    assert owner_of(store, "new@example.com") == (0, "primary")
    assert owner_of(store, "old@example.com") == (0, "former")


def test_late_events_by_an_old_address_find_their_person(store: Store) -> None:
    write(store, 1, profile("p1", "old@example.com"))
    write(store, 1, profile("p1", "new@example.com"))
    tell(store, 1, event("e1", email="Old@example.com"))
    assert [who for _, _, who, _ in facts_of(store)] == ["1:p1"]


def test_an_old_address_goes_to_whoever_has_it_now(store: Store) -> None:
    write(store, 1, profile("p1", "shared@example.com"))
    write(store, 1, profile("p1", "new@example.com"))
    write(store, 2, profile("h1", "shared@example.com"))
    assert contact_of(store, 2, "h1") == 1
    assert owner_of(store, "shared@example.com") == (1, "primary")
    assert settle(store, 2) == (0, 0)


def test_an_address_that_another_profile_of_the_contact_still_has_stays_primary(store: Store) -> None:
    write(store, 1, profile("p1", "old@example.com"))
    write(store, 2, profile("h1", "old@example.com"))
    write(store, 1, profile("p1", "new@example.com"))
    assert owner_of(store, "old@example.com") == (0, "primary")
    write(store, 3, profile("k1", "old@example.com"))
    assert contact_of(store, 3, "k1") == 0


def test_an_event_goes_by_platform_id_before_address(store: Store) -> None:
    write(store, 1, profile("p1", "one@example.com"), profile("p2", "two@example.com"))
    tell(store, 1, event("e1", profile="p2", email="one@example.com"))
    assert [who for _, _, who, _ in facts_of(store)] == ["1:p2"]


@pytest.mark.parametrize("email", [None, "", "no address", "two words@example.com", "x@", "a\0b@example.com", "\ud800@example.com"])
def test_a_profile_without_a_usable_address_is_a_contact_of_its_own(store: Store, email: str | None) -> None:
    write(store, 1, profile("p1", email), profile("p2", email))
    write(store, 1, profile("p1", email), profile("p2", email))
    assert len(partition(store)) == 2
    assert store.rows("select sample_key from contacts order by id") == [("mailchimp:p1",), ("mailchimp:p2",)]


# --- aliases ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alias_first", [True, False])
def test_an_alias_never_merges_and_never_beats_a_primary(store: Store, alias_first: bool) -> None:
    pages = [(2, profile("h1", "main@example.com", aliases=("other@example.com",))), (1, profile("p1", "other@example.com"))]
    for connection, each in pages if alias_first else reversed(pages):
        write(store, connection, each)
        settle(store, connection)
    assert len(partition(store)) == 2
    assert owner_of(store, "other@example.com") == (contact_of(store, 1, "p1"), "primary")


def test_an_event_by_an_alias_finds_its_person(store: Store) -> None:
    write(store, 2, profile("h1", "main@example.com", aliases=("other@example.com",)))
    tell(store, 3, event("e1", email="other@example.com"))
    assert [who for _, _, who, _ in facts_of(store)] == ["2:h1"]


def test_an_alias_takes_an_address_that_nobody_has_any_more(store: Store) -> None:
    write(store, 1, profile("p1", "old@example.com"))
    write(store, 1, profile("p1", "new@example.com"))
    write(store, 2, profile("h1", "main@example.com", aliases=("old@example.com",)))
    assert owner_of(store, "old@example.com") == (1, "alias")


# --- merges -----------------------------------------------------------------------------------------------------------


def two_people(store: Store) -> None:
    write(store, 1, profile("p1", "one@example.com"))
    write(store, 2, profile("h1", "two@example.com"))


def test_a_shared_primary_address_merges_at_the_end_of_the_pull(store: Store) -> None:
    two_people(store)
    tell(store, 2, event("e1", email="two@example.com"))
    write(store, 2, profile("h1", "one@example.com"))
    assert contact_of(store, 2, "h1") == 1, "nothing moves before the end"
    assert settle(store, 1) == (0, 0), "nor at the end of another connection's pull"
    assert settle(store, 2) == (1, 0)
    assert partition(store) == {frozenset({(1, "p1"), (2, "h1")})}
    assert [who for _, _, who, _ in facts_of(store)] == ["1:p1"]
    assert owner_of(store, "two@example.com") == (0, "former")
    assert store.rows("select id, merged_into from contacts order by id") == [(0, None), (1, 0)]
    assert settle(store, 2) == (0, 0)


def test_a_merge_on_the_platform_merges_at_the_end_of_the_pull(store: Store) -> None:
    write(store, 2, profile("h1", "one@example.com"), profile("h2", "two@example.com"))
    write(store, 3, profile("k2", "two@example.com"))
    write(store, 2, profile("h1", "one@example.com", aliases=("two@example.com",), absorbed=["h2"]))
    assert settle(store, 2) == (1, 0)
    assert partition(store) == {frozenset({(2, "h1"), (2, "h2"), (3, "k2")})}
    assert store.rows("select state from profiles where id = 'h2'") == [("gone",)]
    write(store, 2, profile("h1", "one@example.com", aliases=("two@example.com",), absorbed=["h2"]))
    assert settle(store, 2) == (0, 0), "told again, it is nothing new"


def test_a_platforms_merge_counts_also_where_the_survivor_took_the_others_address(store: Store) -> None:
    write(store, 2, profile("h1", "one@example.com"), profile("h2", "two@example.com"))
    write(store, 2, profile("h1", "two@example.com", absorbed=["h2"]))
    assert settle(store, 2) == (1, 0)
    assert len(partition(store)) == 1


def test_what_names_a_merged_profile_that_we_never_saw_finds_its_survivor(store: Store) -> None:
    tell(store, 2, event("e1", profile="h9"))
    write(store, 2, profile("h1", "one@example.com", absorbed=["h9"]))
    tell(store, 2, event("e2", profile="h9"))
    assert [(at, who) for _, at, who, _ in facts_of(store)] == [(NOW, "2:h1")] * 2
    assert store.rows("select count(*) from strays") == [(0,)]


def test_two_people_who_swap_addresses_stay_two(store: Store) -> None:
    write(store, 1, profile("p1", "one@example.com"), profile("p2", "two@example.com"))
    write(store, 1, profile("p1", "two@example.com"))
    write(store, 1, profile("p2", "one@example.com"))
    assert settle(store, 1) == (0, 0)
    assert len(partition(store)) == 2
    assert owner_of(store, "two@example.com") == (contact_of(store, 1, "p1"), "primary")
    assert owner_of(store, "one@example.com") == (contact_of(store, 1, "p2"), "primary")


def test_an_address_handed_on_between_two_pages_merges_nobody(store: Store) -> None:
    write(store, 1, profile("p1", "one@example.com"), profile("p2", "two@example.com"))
    write(store, 1, profile("p1", "two@example.com"))
    write(store, 1, profile("p2", "three@example.com"))
    write(store, 3, profile("k1", "two@example.com"))
    assert settle(store, 1) == (1, 0), "klaviyo's profile met the address before it was known whose it is"
    assert partition(store) == {frozenset({(1, "p1"), (3, "k1")}), frozenset({(1, "p2")})}


def test_chains_of_merges_end_in_the_longest_known_contact(store: Store) -> None:
    write(store, 2, *(profile(f"h{number}") for number in range(5)))
    write(store, 2, profile("h3", absorbed=["h4"]), profile("h2", absorbed=["h3"]), profile("h0", absorbed=["h2"]))
    assert settle(store, 2) == (3, 0)
    write(store, 2, profile("h1", absorbed=["h0"]))
    assert settle(store, 2) == (1, 0)
    assert store.rows("select id, merged_into from contacts order by id") == [(0, None), (1, 0), (2, 0), (3, 0), (4, 0)]


@pytest.mark.parametrize(("count", "done", "held"), [(20, 20, 0), (21, 0, 21)])
def test_more_than_twenty_merges_in_a_pull_are_held_and_nothing_moves(store: Store, count: int, done: int, held: int) -> None:
    everybody = range(count)
    write(store, 1, *(profile(f"p{n}", f"one{n}@example.com") for n in everybody))
    write(store, 2, *(profile(f"h{n}", f"two{n}@example.com") for n in everybody))
    write(store, 2, *(profile(f"h{n}", f"one{n}@example.com") for n in everybody))
    before = everything(store)
    assert settle(store, 2) == (done, held)
    assert (everything(store) == before) == (done == 0)
    assert store.rows("select count(*) from merges where held") == [(held,)]
    write(store, 2, *(profile(f"h{n}", f"one{n}@example.com") for n in everybody))
    assert settle(store, 2) == (0, 0), "told again, they stay where they are"
    assert len(partition(store)) == 2 * count - done


def test_held_merges_whose_reason_is_gone_are_forgotten(store: Store) -> None:
    write(store, 1, *(profile(f"p{n}", f"one{n}@example.com") for n in range(21)))
    write(store, 2, *(profile(f"h{n}", f"two{n}@example.com") for n in range(21)))
    write(store, 2, *(profile(f"h{n}", f"one{n}@example.com") for n in range(21)))
    settle(store, 2)
    write(store, 2, *(profile(f"h{n}", f"two{n}@example.com") for n in range(21)))
    settle(store, 2)
    assert store.rows("select count(*) from merges") == [(0,)]
    assert owner_of(store, "one5@example.com") == (5, "primary")


def test_a_merge_moves_everything_and_derives_shared_facts_again(store: Store) -> None:
    two_people(store)
    same = {"same": {"order_placed": "order_id"}}
    tell(store, 1, event("m1", "Placed Order", NOW + 5, properties={"OrderId": "1"}, email="one@example.com"), **same)
    tell(store, 2, event("h1", "Placed Order", NOW + 3, properties={"OrderId": "1"}, email="two@example.com"), **same)
    assert len(facts_of(store)) == 2, "two people, two orders"
    with store.transaction() as db:
        db.execute("insert into targets (key, connection, audience, kind, name) values ('s/hubspot/list', 2, '', 'list', 'S')")
        db.execute("insert into outbox (target, op, profile, contact, state, due, made) values (1, 'add', 'h1', 1, 'waiting', 0, 0)")
    write(store, 2, profile("h1", "one@example.com"))
    settle(store, 2)
    assert [(at, who) for _, at, who, _ in facts_of(store)] == [(NOW + 3, "1:p1")], "one person, one order, the earliest"
    assert store.rows("select count(*) from records") == [(2,)]
    for table in ("profiles", "addresses", "records", "events", "outbox"):
        assert store.rows(f"select count(*) from {table} where contact = 1") == [(0,)], table
    tell(store, 2, event("h1", removed=True, email="two@example.com"), **same)
    assert [(at, who) for _, at, who, _ in facts_of(store)] == [(NOW + 5, "1:p1")]


# --- what stays -------------------------------------------------------------------------------------------------------


def test_the_sample_key_is_the_first_address_and_never_changes(store: Store) -> None:
    write(store, 1, profile("p1", " First@Example.com "))
    write(store, 2, profile("h1", "second@example.com"))
    write(store, 1, profile("p1", "second@example.com"))
    settle(store, 1)
    assert store.rows("select sample_key from contacts where merged_into is null") == [("first@example.com",)]


def test_ids_of_contacts_are_dense_and_never_given_twice(store: Store) -> None:
    two_people(store)
    write(store, 2, profile("h1", "one@example.com"))
    settle(store, 2)
    write(store, 3, profile("k1", "three@example.com"))
    assert store.rows("select id from contacts order by id") == [(0,), (1,), (2,)]


def test_a_profile_is_replaced_whole_with_its_consents(store: Store) -> None:
    write(store, 1, profile("p1", "one@example.com", {"a": 1}, consent=WITHDRAWN, live=False, updated=5))
    write(store, 1, profile("p1", "one@example.com", {"b": 2}, updated=6))
    assert store.rows("select state, mailable, updated, fields from profiles") == [("live", 1, 6, '{"b":2}')]
    assert store.rows("select state from consents") == [("granted",)]
