"""The full pass over the store answers as the oracle does about the same people."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.base import Consent, ConsentState, Event, EventName, Profile, ProfileId
from sync.evaluate.from_store import StoreSnapshot, consents_of
from sync.evaluate.full_pass import full_pass
from sync.evaluate.snapshot import CONSENTS
from sync.language.needs import needs
from sync.language.nodes import Node
from sync.language.person import Past, Person
from sync.language.rank import Population
from sync.language.values import Path, RuleFailure, canonical, decode, look
from sync.store import history, memberships
from sync.store.columns import TEXTS, together
from sync.store.fields import FieldSource
from sync.store.naming import Naming
from sync.store.store import Store
from tests.evaluate import worlds
from tests.language.support import NOW
from tests.store.ground import NAMES, WITHDRAWN, new_store, profile, tell, write
from tests.store.ground import NOW as SEEN

QUIET = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)


# --- random people, written into a store and asked of both ------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """*value* as a platform would send it: amounts as texts, which read the same."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        return {key: plain(held) for key, held in value.items()}
    return [plain(held) for held in value] if isinstance(value, list) else value


def settled(who: Person, number: int) -> Person:
    """*who* as a store can hold it: consents one per channel and scope, events with ids of their own."""
    dated = [replace(fact, at=SEEN if fact.at is None else fact.at) for fact in who.consents]
    consents = {(fact.connection, fact.channel, fact.scope): fact for fact in dated}
    there = {(fact.connection, fact.audience, fact.kind, fact.name): fact for fact in who.memberships if fact.name == "VIP"}
    events = [replace(each, properties=plain(each.properties), id=f"{number}-{place}") for place, each in enumerate(who.events)]
    return replace(
        who, fields=plain(who.fields), events=tuple(events), consents=tuple(consents.values()),
        memberships=tuple(there.values()), pasts={("plan",): plain_pasts(who) or (Past(NOW, None, changed=False),)},
        known_since=NOW, sample_key=f"klaviyo:p{number}",
        addresses=(f"person{number + 2}@example.com",) if who.addresses else (),
    )


def plain_pasts(who: Person) -> tuple[Past, ...]:
    return tuple(replace(past, value=plain(past.value)) for past in who.pasts[("plan",)])


def put_pasts(store: Store, people: list[Person]) -> None:
    """Whose plan never held anything has no row."""
    with store.transaction() as db:
        db.execute("insert into kept_fields values (1, 'plan', '[]', 0, null)")
        db.executemany("insert into pasts values (1, ?, ?, ?, ?)", [
            (number, past.at, None if past.value is None else canonical(past.value), past.changed)
            for number, who in enumerate(people) for past in who.pasts[("plan",)]
            if len(who.pasts[("plan",)]) > 1 or past.value is not None
        ])


def put(store: Store, people: list[Person]) -> dict[int, tuple[str, str, str, str]]:
    """Write *people* down: fields on Klaviyo, consents on all three; the memberships to watch."""
    with store.transaction() as db:
        db.execute("delete from contacts")
    for number, who in enumerate(people):
        own = {**{k: v for k, v in who.fields.items() if k != "klaviyo"}, **who.fields.get("klaviyo", {})}
        write(store, 3, told(number, who, "klaviyo", own))
        with store.transaction() as db:
            db.execute("update contacts set known_since = ? where id = ?", (NOW, number))
            db.executemany("insert into addresses values (?, ?, 'alias')", [(address, number) for address in who.addresses])
            for connection in (1, 2):
                put_profile(db, connection, number, told(number, who, NAMES[connection - 1], {}))
        tell_events(store, number, who)
    return put_memberships(store, people)


def told(number: int, who: Person, connection: str, fields: dict[str, Any]) -> Profile:
    consent = tuple(
        Consent(fact.channel, ConsentState(fact.state), fact.scope, fact.suppressed, fact.at)
        for fact in who.consents if fact.connection == connection
    )
    return profile(f"p{number}", None, fields, consent=consent)


def put_profile(db: Any, connection: int, contact: int, made: Profile) -> None:
    """A profile of a contact that shares no address with it: as after a merge."""
    db.execute(
        "insert into profiles values (?, ?, ?, '', null, null, 'live', 1, null, 0, '{}')", (connection, made.id, contact),
    )
    db.executemany(
        "insert into consents values (?, ?, ?, ?, ?, ?, ?, ?)",
        [(connection, made.id, c.channel, c.scope, c.state.value, c.suppressed, c.at, SEEN) for c in made.consent],
    )


def tell_events(store: Store, number: int, who: Person) -> None:
    rows = [Event(e.id, e.type, e.at, e.properties, profile=ProfileId(f"p{number}"), mutable=n % 2 == 0) for n, e in enumerate(who.events)]
    tell(store, 3, *rows, names={each.type: EventName(each.type) for each in who.events})


def put_memberships(store: Store, people: list[Person]) -> dict[int, tuple[str, str, str, str]]:
    watched = {}
    facts = sorted({(m.connection, m.audience, m.kind, m.name) for who in people for m in who.memberships})
    for fact in facts:
        connection, audience, kind, name = fact
        state = memberships.target(store, "@" + "/".join(fact), kind, NAMES.index(connection) + 1, audience, name)
        on = {ProfileId(f"p{n}"): m.at for n, who in enumerate(people) for m in who.memberships
              if (m.connection, m.audience, m.kind, m.name) == fact}
        with store.transaction() as db:
            memberships.write_view(db, state.id, on, NOW, NOW, 0, on)
        watched[state.id] = fact
    return watched


def sources_of(path: Path) -> list[FieldSource]:
    return [FieldSource(3, path[1:], neutral=False)] if path[0] == "klaviyo" else [FieldSource(3, path, neutral=False)]


def oracle(rules: dict[str, Node], people: list[Person]) -> dict[str, list[bool] | None]:
    answers: dict[str, list[bool] | None] = {}
    for name, node in rules.items():
        try:
            answers[name] = [node.matches(who, NOW) for who in Population([replace(who, rules=rules) for who in people]).people]
        except RuleFailure:
            answers[name] = None
    return answers


@settings(max_examples=40, deadline=None, derandomize=True, database=None, suppress_health_check=QUIET)
@given(seed=st.integers(0, 10**9))
def test_the_full_pass_over_a_store_agrees_with_the_oracle(seed: int) -> None:
    rng = Random(seed)
    people = [settled(worlds.person(rng, number), number) for number in range(rng.choice([1, 3, 8]))]
    rules = {f"r{number}": worlds.node_of(worlds.tree(rng)) for number in range(8)}
    with new_store() as store:
        watched = put(store, people)
        put_pasts(store, people)
        paths = {path for rule in rules.values() for path in needs(rule).fields if path != ("known_since",)}
        snapshot = StoreSnapshot(store, {path: sources_of(path) for path in paths}, watched)
        result = full_pass(snapshot, rules, NOW)
        fast = {name: None if name in result.failures else result.members[name].tolist() for name in rules}
    assert fast == oracle(rules, people)


@settings(max_examples=40, deadline=None, derandomize=True, database=None, suppress_health_check=QUIET)
@given(seed=st.integers(0, 10**9))
def test_consents_of_everybody_are_those_of_each(seed: int) -> None:
    rng = Random(seed)
    people = [settled(worlds.person(rng, number), number) for number in range(rng.choice([1, 3, 8]))]
    with new_store() as store:
        put(store, people)
        snapshot = StoreSnapshot(store, {}, {})
        with store.transaction() as db:
            db.execute("update profiles set state = 'gone' where contact = 0 and connection = 2")
            for key in db.execute("select connection, profile, channel, scope from consents").fetchall():
                odd = rng.choice(["", "2", "a b", 'say "hi"', "it's", "ö\n", "null"])
                db.execute(
                    "update consents set at = iif(?, null, at), seen = ?, scope = scope || ?, suppressed = ? "
                    "where connection = ? and profile = ? and channel = ? and scope = ?",
                    (rng.random() < 0.5, rng.randrange(-9, 9), odd, rng.random() < 0.5, *key),
                )
        all_of_them = snapshot.consents().cast(CONSENTS).to_pylist()
        assert snapshot.consents() is snapshot.consents(), "read once, however many conditions ask"
        each = [row for number in range(len(people)) for row in consents_of(store, f"[{number}]").to_pylist()]
    assert sorted(map(repr, all_of_them)) == sorted(map(repr, each))


# --- fields ---------------------------------------------------------------------------------------------------------------------


def field(store: Store, *sources: FieldSource, path: Path = ("x",)) -> list[Any]:
    snapshot = StoreSnapshot(store, {path: sources}, {})
    return [None if text is None else decode(text) for text in snapshot.fields(path).to_pylist()]


def test_a_neutral_field_takes_the_first_connection_that_has_a_value(store: Store) -> None:
    for connection, fields in ((1, {"c": ""}), (2, {"at": {"c": "DE"}}), (3, {"c": "AT"})):
        write(store, connection, profile("p1", "one@example.com", fields))
    write(store, 3, profile("p2", "two@example.com", {"c": None}))
    write(store, 1, profile("p3", "three@example.com", {"c": 0}))
    order = [FieldSource(1, ("c",), neutral=True), FieldSource(2, ("at", "c"), neutral=True), FieldSource(3, ("c",), neutral=True)]
    assert field(store, *order) == ["DE", None, 0]
    assert field(store, *reversed(order)) == ["AT", None, 0]
    assert field(store, FieldSource(1, ("c",), neutral=False)) == ["", None, 0], "a platform's own empty text is a value"
    assert field(store) == [None, None, None]


def test_of_several_profiles_of_a_contact_the_newest_mailable_live_one_speaks(store: Store) -> None:
    def one(name: str, updated: int | None, **more: Any) -> Profile:
        return profile(name, "one@example.com", {"x": name}, updated=updated, **more)

    asked = FieldSource(1, ("x",), neutral=False)
    for made, speaks in (
        (one("p5", None), "p5"), (one("p4", 5), "p4"), (one("p3", 9, consent=WITHDRAWN), "p4"), (one("p2", 99, live=False), "p4"),
        (one("p1", 7), "p1"), (replace(one("p0", 50), fields={"y": 1}), "p1"),
    ):
        write(store, 1, made)
        assert field(store, asked) == [speaks]
    with store.transaction() as db:
        db.execute("update profiles set state = 'gone' where id = 'p1'")
    assert field(store, asked) == ["p4"]


ODD_NAMES = ("a.b", 'say "hi"', "back\\slash", "tab\t", "", "ä", "$", "[0]", "0", "'")


def test_fields_and_properties_of_any_name_are_found(store: Store) -> None:
    record = {name: {"in": place, name: [place]} for place, name in enumerate(ODD_NAMES)}
    write(store, 1, profile("p1", None, record))
    tell(store, 1, Event("e1", "seen", NOW, record, profile=ProfileId("p1")))
    for name in ODD_NAMES:
        for path in ((name,), (name, "in"), (name, name), (name, "gone"), ("gone", name)):
            snapshot = StoreSnapshot(store, {path: [FieldSource(1, path, neutral=True)]}, {})
            expected = look(record, path)
            (text,) = snapshot.fields(path).to_pylist()
            assert (None if text is None else decode(text)) == expected, path
            (text,) = snapshot.events(["mailchimp.seen"], [path]).column(3).to_pylist()
            assert (None if text is None else decode(text)) == expected, path


def test_texts_of_equal_values_are_equal(store: Store) -> None:
    values = ["ö", "a\nb", "\u2028", "x\x7f", 1.5, 10**15, True, [1, "a"], {"b": 1, "a": [None]}]
    write(store, 1, *(profile(f"p{n}", None, {"x": value}) for n, value in enumerate(values)))
    snapshot = StoreSnapshot(store, {("x",): [FieldSource(1, ("x",), neutral=False)]}, {})
    texts = snapshot.fields(("x",)).to_pylist()
    assert [canonical(decode(text)) for text in texts] == [canonical(value) for value in values]
    assert texts[:-1] == [canonical(value) for value in values[:-1]]


# --- people and events ------------------------------------------------------------------------------------------------------------


def test_merged_contacts_are_not_alive_and_their_facts_are_the_survivors(store: Store) -> None:
    write(store, 1, profile("p1", "one@example.com"), profile("p2", "two@example.com"))
    tell(store, 1, Event("e1", "seen", NOW, {}, profile=ProfileId("p2")))
    write(store, 1, profile("p1", "one@example.com", absorbed=["p2"]))
    with store.transaction() as db:
        from sync.store.people import settle
        settle(db, 1, NOW)
    snapshot = StoreSnapshot(store, {}, {})
    assert snapshot.alive.tolist() == [True, False]
    assert list(snapshot.sample_keys) == ["one@example.com", "two@example.com"]
    assert snapshot.events(["mailchimp.seen"], []).to_pylist() == [{"contact": 0, "at": NOW, "type": "mailchimp.seen"}]
    assert snapshot.consents().num_rows == 1, "a gone profile's permission is gone with it"


def test_events_come_sorted_by_type_and_time_and_only_types_that_have_any(store: Store) -> None:
    write(store, 1, profile("p1"))
    tell(store, 1, *(Event(f"e{n}", "ba"[n % 2], NOW - n, {"n": n}, profile=ProfileId("p1")) for n in range(6)))
    tell(store, 1, Event("e9", "c", NOW, {}, profile=ProfileId("p1"), mutable=True))
    tell(store, 1, Event("e9", "c", NOW, {}, profile=ProfileId("p1"), mutable=True, removed=True))
    snapshot = StoreSnapshot(store, {}, {})
    assert snapshot.event_types() == ["mailchimp.a", "mailchimp.b"]
    rows = snapshot.events(["mailchimp.b", "mailchimp.a", "mailchimp.c", "none"], [("n",)]).to_pylist()
    assert [(row["type"], row["at"]) for row in rows] == sorted((row["type"], row["at"]) for row in rows)
    assert [orjson.loads(row["n"]) for row in rows] == [5, 3, 1, 4, 2, 0]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("chunk", [1, 2, 7, 1000])
def test_events_read_in_blocks_are_those_that_stand_there(store: Store, seed: int, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "CHUNK", chunk)
    rng, paths = Random(seed), [("value",), ("x",), ("a.b", "c"), ("say \"hi\"",), ("currency",)]
    odd = [None, "", "a b", "1\n2", "ö\u2028", 7, 1.5, True, {"c": "\t"}, [1, "\n"], "null"]
    write(store, 1, profile("p1"), profile("p2"))
    tell(store, 1, *(
        Event(f"e{n}", "seen", NOW - rng.randrange(4), {path[0]: rng.choice(odd) for path in rng.sample(paths, 3)},
              profile=ProfileId(f"p{rng.randint(1, 2)}")) for n in range(20)
    ))
    (kind,) = history.types(store).values()
    there = [
        (contact, at, *(look(together(texts), path) for path in paths)) for contact, at, *texts in
        store.db.execute(f"select contact, at, {', '.join(TEXTS)} from events where type = ? order by at, hash", (kind,))
    ]
    for after, upto in ((NOW - 9, None), (NOW - 2, None), (NOW, None), (NOW - 3, NOW - 1), (NOW - 2, NOW), (NOW, NOW + 9)):
        read = [
            (row["contact"], row["at"], *(None if text is None else decode(text) for text in list(row.values())[2:]))
            for row in history.table(store, kind, paths, after, upto).to_pylist()
        ]
        assert read == [row for row in there if after < row[1] <= (NOW if upto is None else upto)]


def test_an_empty_store_has_nobody(store: Store) -> None:
    snapshot = StoreSnapshot(store, {}, {})
    assert (len(snapshot.alive), snapshot.event_types(), snapshot.events(["x"], [("y",)]).num_rows) == (0, [], 0)
    assert snapshot.fields(("x",)).to_pylist() == []
    assert Naming("x", {}).name("y") == "x.y"
