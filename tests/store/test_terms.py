"""Facts are read again when they were read on other terms."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.base import DAY, Cursor, Event, EventName, Page, Stream, StreamKind
from sync.store import streams
from sync.store.facts import write_events
from sync.store.naming import Naming
from sync.store.people import write_profiles
from sync.store.store import Store
from sync.store.terms import agree, terms_of
from tests.store.ground import NOW, profile

PLAIN = Naming("shop", {"Bought": EventName("order_placed")})
EVENTS = Stream("events", StreamKind.EVENTS)
END = NOW - DAY
OTHER = Naming("shop", {"Paid": EventName("order_placed")})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.writer(tmp_path / "store.db") as opened:
        number = opened.connection("shop", "testing")
        assert agree(opened, {number: terms_of(PLAIN, 60 * DAY, ["events"])}) == []
        with opened.transaction() as db:
            write_profiles(db, number, "shop", [profile("p1")], NOW, 1)
            write_events(db, number, [Event("e1", "Bought", NOW, {}, profile=profile("p1").id)], PLAIN)
            db.execute("insert into streams (connection, stream, cursor, started, first, finished) values (?, 'events', 'c', 1, ?, ?)",
                       (number, END, END + 1))
        yield opened


def facts(store: Store) -> int:
    (count,) = store.rows("select count(*) from events")[0]
    return int(count)


def never_pulled(store: Store) -> bool:
    return [s.first for s in streams.states(store)] == [None]


def test_the_same_terms_change_nothing(store: Store) -> None:
    assert agree(store, {1: terms_of(PLAIN, 60 * DAY, ["events"])}) == []
    assert (facts(store), never_pulled(store)) == (1, False)


def test_another_naming_takes_the_facts_away_and_starts_the_streams_anew(store: Store) -> None:
    assert agree(store, {1: terms_of(OTHER, 60 * DAY, ["events"])}) == [1]
    assert (facts(store), never_pulled(store)) == (0, True)
    assert agree(store, {1: terms_of(OTHER, 60 * DAY, ["events"])}) == []


def test_a_longer_history_keeps_the_facts_and_starts_the_streams_anew(store: Store) -> None:
    assert agree(store, {1: terms_of(PLAIN, 90 * DAY, ["events"])}) == [1]
    (state,) = streams.states(store)
    assert (facts(store), state.first, state.started) == (1, END, None)
    assert state.reached == END - 60 * DAY, "all that came since is in"


def test_a_longer_history_is_in_once_a_pull_from_nothing_has_ended(store: Store) -> None:
    agree(store, {1: terms_of(PLAIN, 90 * DAY, ["events"])})
    with store.transaction() as db:
        assert streams.begin(db, 1, EVENTS, NOW) is None
        streams.advance(db, 1, EVENTS, Page(Cursor("half")), NOW + 1)
    (state,) = streams.states(store)
    assert (state.first, state.reached) == (END, END - 60 * DAY)
    with store.transaction() as db:
        streams.advance(db, 1, EVENTS, Page(Cursor("end"), last=True), NOW + 2)
        streams.begin(db, 1, EVENTS, NOW + 3)
        streams.advance(db, 1, EVENTS, Page(Cursor("more"), last=True), NOW + 4)
    (state,) = streams.states(store)
    assert (state.first, state.finished, state.reached) == (NOW + 2, NOW + 4, None)


def test_what_was_never_read_to_its_end_reaches_nowhere(store: Store) -> None:
    with store.transaction() as db:
        db.execute("update streams set first = null")
    agree(store, {1: terms_of(PLAIN, 90 * DAY, ["events"])})
    assert [(s.first, s.reached) for s in streams.states(store)] == [(None, None)]
    agree(store, {1: terms_of(OTHER, 90 * DAY, ["events"])})
    assert [(s.first, s.reached) for s in streams.states(store)] == [(None, None)]


def test_a_shorter_history_reads_nothing_again(store: Store) -> None:
    assert agree(store, {1: terms_of(PLAIN, 30 * DAY, ["events"])}) == []
    assert agree(store, {1: terms_of(PLAIN, 60 * DAY, ["events"])}) == []


def test_a_connection_that_was_out_of_the_config_meanwhile_tells_its_facts_again_when_it_comes_back(store: Store) -> None:
    other = store.connection("site", "testing")
    mine, theirs = terms_of(PLAIN, 60 * DAY, ["events"]), terms_of(Naming("site", {}), 60 * DAY, ["events"])
    assert agree(store, {1: mine, other: theirs}) == []
    with store.transaction() as db:
        db.execute(
            "insert into streams (connection, stream, cursor, started, first, finished) values (?, 'events', 'c', 1, 2, 3)", (other,),
        )
    assert agree(store, {1: terms_of(OTHER, 60 * DAY, ["events"])}) == [1]
    assert agree(store, {1: terms_of(OTHER, 60 * DAY, ["events"]), other: theirs}) == [other]
    assert [s.first for s in streams.states(store) if s.connection == "site"] == [None]
    assert agree(store, {1: terms_of(OTHER, 60 * DAY, ["events"]), other: theirs}) == []


def test_records_are_told_again_under_other_names_but_not_for_a_longer_history(store: Store) -> None:
    with store.transaction() as db:
        db.execute("insert into streams (connection, stream, cursor, started, first, finished) values (1, 'deals', 'c', 1, 2, 3)")
    assert agree(store, {1: terms_of(PLAIN, 90 * DAY, ["events"], ["deals"])}) == [1]
    assert {s.stream: (s.started, s.first, s.reached) for s in streams.states(store)} == {
        "deals": (1, 2, None), "events": (None, END, END - 60 * DAY),
    }
    assert agree(store, {1: terms_of(OTHER, 90 * DAY, ["events"], ["deals"])}) == [1]
    assert {s.stream: (s.started, s.first) for s in streams.states(store)} == {"deals": (None, None), "events": (None, None)}
