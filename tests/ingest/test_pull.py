"""The pull: pages and cursors in one transaction, streams that end, fail, resume, and what a complete look may say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.base import Account, Connector, Cursor, FaultKind, Page, Profile, ProfileId, Stream, VirtualClock
from sync.ingest.pull import MOST_PAGES, AnotherAccount, Pulled, check_account, gathered, pull
from sync.store import streams
from sync.store.store import Store
from tests.ingest.platform import ALIKE, EVENTS, PEOPLE, SWEEP, Platform, source, stops_after
from tests.store.dying import dies_at
from tests.store.ground import NOW, WITHDRAWN, connected, event, everything, facts_of, naming, partition, profile


@pytest.fixture(params=[1, 1000], ids=["page by page", "pages gathered"])
def enough(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many rows make a transaction."""
    monkeypatch.setattr("sync.ingest.pull.ENOUGH", request.param)
    return int(request.param)


def pulled(store: Store, platform: Platform, *wanted: Stream, name: str = "mailchimp", stop_after: int = 0) -> list[Pulled]:
    namings = {number: naming(number) for number in (1, 2, 3)}
    stopping = stops_after(stop_after) if stop_after else lambda: False
    return pull(store, source(store, platform, name), wanted, namings, VirtualClock(NOW), stopping=stopping)


def person(number: int) -> Profile:
    return profile(f"p{number}", f"a{number}@example.com")


def states(store: Store) -> dict[str, str]:
    return dict(store.rows("select id, state from profiles"))


def stream_of(store: Store, stream: Stream) -> streams.StreamState:
    return next(state for state in streams.states(store) if state.stream == stream.name)


def test_the_platform_of_these_tests_is_a_connector() -> None:
    assert isinstance(Platform(), Connector)


# --- pages, cursors, ends ---------------------------------------------------------------------------------------------


def test_events_find_people_who_came_in_the_same_pull(store: Store) -> None:
    platform = Platform()
    platform.show(EVENTS, [event("e1", profile="p1")])
    platform.show(PEOPLE, [person(1)], [person(2)])
    outcome = pulled(store, platform, EVENTS, PEOPLE)
    assert outcome == [Pulled("mailchimp", "profiles", 2, 2), Pulled("mailchimp", "events", 1, 1)]
    assert len(facts_of(store)) == 1
    assert store.rows("select count(*) from strays") == [(0,)]


def test_the_next_pull_goes_on_after_the_last_cursor(store: Store) -> None:
    platform = Platform()
    platform.show(PEOPLE, [person(1)], [person(2)])
    pulled(store, platform, PEOPLE)
    platform.show(PEOPLE, [person(3)])
    assert pulled(store, platform, PEOPLE)[0].rows == 1
    assert platform.asked == [("profiles", None), ("profiles", "2")]
    state = stream_of(store, PEOPLE)
    assert (state.rows, state.error) == (1, None)
    assert state.first is not None
    assert state.finished is not None
    assert state.finished > state.first


@pytest.mark.parametrize("broken", [1, 2, 3, 4])
def test_a_pull_that_one_page_failed_goes_on_from_that_page(store: Store, enough: int, broken: int) -> None:
    platform = Platform()
    platform.show(PEOPLE, *([person(number)] for number in range(4)))
    platform.fault(PEOPLE, broken)
    platform.show(EVENTS, [event("e1", profile="p0")])
    outcome = pulled(store, platform, PEOPLE, EVENTS)
    assert (outcome[0].error, outcome[1].error) == ("memory: GET /rows: 500", ""), "one failing stream stops no other"
    assert stream_of(store, PEOPLE).error == "memory: GET /rows: 500"
    assert (stream_of(store, PEOPLE).first, len(partition(store))) == (None, broken - 1)
    assert pulled(store, platform, PEOPLE)[0].rows == 5 - broken
    assert platform.asked[-1] == ("profiles", str(broken - 1) if broken > 1 else None)
    assert stream_of(store, PEOPLE).error is None
    assert len(partition(store)) == 4


def test_a_pull_that_ends_without_a_last_page_was_cut_off(store: Store) -> None:
    platform = Platform()
    platform.show(PEOPLE, [person(1)], [person(2)], last=False)
    assert "cut off" in pulled(store, platform, PEOPLE)[0].error
    assert stream_of(store, PEOPLE).finished is None
    platform.show(PEOPLE, [person(3)])
    assert pulled(store, platform, PEOPLE)[0].error == ""


@pytest.mark.parametrize("cursors", [["1", "1"], ["1", "2", "1"]])
def test_a_cursor_that_comes_again_is_no_progress(store: Store, cursors: list[str]) -> None:
    platform = Platform(pages={"profiles": [Page(Cursor(cursor), [person(n)]) for n, cursor in enumerate(cursors)]})
    assert "no progress" in pulled(store, platform, PEOPLE)[0].error
    assert len(partition(store)) == len(cursors) - 1


def test_a_refused_cursor_is_forgotten(store: Store) -> None:
    platform = Platform()
    platform.show(PEOPLE, [person(1)], [person(2)])
    platform.fault(PEOPLE, 2, FaultKind.CURSOR)
    assert pulled(store, platform, PEOPLE)[0].error
    assert pulled(store, platform, PEOPLE)[0].error == ""
    assert platform.asked == [("profiles", None), ("profiles", None)]


@pytest.mark.parametrize(("kind", "asked"), [
    (FaultKind.KEY, ["profiles"]), (FaultKind.ACCOUNT, ["profiles"]), (FaultKind.SCOPE, ["profiles", "events"]),
])
def test_a_refused_key_or_another_account_stops_the_connection(store: Store, kind: FaultKind, asked: list[str]) -> None:
    platform = Platform()
    platform.show(PEOPLE, [person(1)])
    platform.show(EVENTS, [])
    platform.fault(PEOPLE, 1, kind)
    outcome = pulled(store, platform, PEOPLE, EVENTS)
    assert [stream for stream, _ in platform.asked] == asked
    assert outcome[0].off == (kind is FaultKind.SCOPE)


def test_small_pages_are_taken_in_together_and_none_is_lost(store: Store) -> None:
    pages = [Page(Cursor(str(n)), [person(n)], last=n == 60) for n in range(1, 61)]
    assert [len(page.profiles) for page in gathered(pages)] == [MOST_PAGES, MOST_PAGES, 60 - 2 * MOST_PAGES]
    platform = Platform(pages={"profiles": pages})
    assert pulled(store, platform, PEOPLE)[0].new == 60


def test_who_is_gone_and_shown_again_in_the_next_page_is_there(store: Store) -> None:
    platform = Platform(pages={"profiles": [
        Page(Cursor("1"), [person(1), person(2)], gone=[ProfileId("p1"), ProfileId("p2")]), Page(Cursor("2"), [person(1)], last=True),
    ]})
    pulled(store, platform, PEOPLE)
    assert states(store) == {"p1": "live", "p2": "gone"}


def test_stopping_ends_after_the_page_at_hand_and_asks_for_nothing_more(store: Store) -> None:
    platform = Platform()
    platform.show(PEOPLE, *([person(number)] for number in range(4)))
    platform.show(EVENTS, [event("e1")])
    outcome = pulled(store, platform, PEOPLE, EVENTS, stop_after=2)
    assert len(outcome) == 1
    assert "goes on from here" in outcome[0].error
    assert (len(partition(store)), [stream for stream, _ in platform.asked]) == (2, ["profiles"])
    assert stream_of(store, PEOPLE).error is None, "stopped is not failed"
    pulled(store, platform, PEOPLE, EVENTS)
    assert platform.asked[1] == ("profiles", "2")


def test_the_watermark_never_goes_back_and_rows_are_counted(store: Store) -> None:
    pages = [Page(Cursor("1"), [person(1)], watermark=50), Page(Cursor("2"), [profile("", None), person(2)], watermark=40),
             Page(Cursor("3"), last=True)]
    outcome = pulled(store, Platform(pages={"profiles": pages}), PEOPLE)
    assert outcome == [Pulled("mailchimp", "profiles", 3, 2, refused=1)]
    assert stream_of(store, PEOPLE).watermark == 50


# --- complete looks ---------------------------------------------------------------------------------------------------


def swept_once(store: Store, people: Sequence[Profile]) -> Platform:
    platform = Platform()
    platform.show(SWEEP, people)
    pulled(store, platform, SWEEP)
    return platform


def test_whom_a_complete_look_does_not_see_is_gone(store: Store) -> None:
    platform = swept_once(store, [person(1), person(2)])
    platform.anew(SWEEP, [person(1)], [person(3)])
    pulled(store, platform, SWEEP)
    assert states(store) == {"p1": "live", "p2": "gone", "p3": "live"}
    platform.anew(SWEEP, [person(1), person(2)])
    pulled(store, platform, SWEEP)
    assert states(store) == {"p1": "live", "p2": "live", "p3": "gone"}
    assert [cursor for _, cursor in platform.asked] == [None, None, None], "each look starts from nothing"


def test_a_look_that_is_not_complete_makes_nobody_gone(store: Store) -> None:
    platform = swept_once(store, [person(1), person(2)])
    platform.anew(SWEEP, [person(1)], complete=False)
    pulled(store, platform, SWEEP)
    platform.anew(SWEEP, [person(1)], [person(3)])
    platform.fault(SWEEP, 2)
    pulled(store, platform, SWEEP)
    assert states(store) == {"p1": "live", "p2": "live"}
    pulled(store, platform, SWEEP)
    assert states(store) == {"p1": "live", "p2": "gone", "p3": "live"}, "cut off, it goes on and still knows whom it saw"


def test_an_ordinary_stream_that_says_complete_makes_nobody_gone(store: Store) -> None:
    platform = swept_once(store, [person(1), person(2)])
    platform.show(PEOPLE, [person(1)], complete=True)
    pulled(store, platform, PEOPLE)
    assert set(states(store).values()) == {"live"}


def test_an_empty_look_where_people_were_is_a_broken_read(store: Store) -> None:
    platform = swept_once(store, [person(1), person(2)])
    platform.anew(SWEEP, *([] for _ in range(2 * MOST_PAGES)))
    outcome = pulled(store, platform, SWEEP)
    assert "empty where 2 profiles were" in outcome[0].error
    assert set(states(store).values()) == {"live"}
    platform.anew(SWEEP, [person(1)], *([] for _ in range(2 * MOST_PAGES)), [person(2)])
    assert pulled(store, platform, SWEEP)[0].error == ""
    assert set(states(store).values()) == {"live"}, "what was broken is read again from its beginning"


def test_an_empty_look_where_nobody_was_is_the_truth(store: Store) -> None:
    assert pulled(store, swept_once(store, []), SWEEP)[0].error == ""


def test_who_changes_while_a_look_is_under_way_has_been_seen(store: Store) -> None:
    platform = swept_once(store, [person(1), person(2)])
    platform.anew(SWEEP, [person(1)], [])
    platform.fault(SWEEP, 2)
    pulled(store, platform, SWEEP)
    platform.show(PEOPLE, [person(2), person(4)])
    pulled(store, platform, PEOPLE, SWEEP)
    assert set(states(store).values()) == {"live"}


def test_two_looks_of_one_connection_do_not_take_each_other_for_themselves(store: Store) -> None:
    platform = Platform()
    everybody = [person(1), person(2)]
    for stream in (SWEEP, SWEEP, ALIKE):
        platform.anew(stream, everybody)
        pulled(store, platform, stream)
    platform.anew(SWEEP, everybody[:1], everybody[1:])
    platform.fault(SWEEP, 2)
    pulled(store, platform, SWEEP)
    platform.anew(ALIKE, everybody[1:])
    pulled(store, platform, ALIKE)
    assert states(store) == {"p1": "gone", "p2": "live"}
    pulled(store, platform, SWEEP)
    assert states(store) == {"p1": "gone", "p2": "live"}


def test_profiles_that_the_platform_calls_gone_are(store: Store) -> None:
    platform = Platform(pages={"profiles": [
        Page(Cursor("1"), [person(1), person(2)]), Page(Cursor("2"), gone=[ProfileId("p1"), ProfileId("p9")], last=True),
    ]})
    pulled(store, platform, PEOPLE)
    assert states(store) == {"p1": "gone", "p2": "live"}


# --- merges wait for the end ------------------------------------------------------------------------------------------


def test_people_are_merged_when_the_pull_of_profiles_has_ended(store: Store) -> None:
    platform = Platform()
    platform.show(PEOPLE, [person(1), person(2)])
    pulled(store, platform, PEOPLE)
    platform.show(PEOPLE, [profile("p1", "a2@example.com")], [person(4)], [profile("p2", "a3@example.com")])
    platform.fault(PEOPLE, 4)
    pulled(store, platform, PEOPLE)
    assert len(partition(store)) == 3, "half a pull knows only half of who has which address"
    pulled(store, platform, PEOPLE)
    assert store.rows("select count(*) from contacts where merged_into is not null") == [(0,)], "one handed it to the other"
    platform.show(PEOPLE, [profile("p4", "a3@example.com")])
    pulled(store, platform, PEOPLE)
    assert store.rows("select id, merged_into from contacts where merged_into is not null") == [(2, 1)]


def test_one_connections_pull_does_not_settle_what_another_is_in_the_middle_of(store: Store) -> None:
    mailchimp, hubspot = Platform(), Platform()
    mailchimp.show(PEOPLE, [person(1)])
    hubspot.show(PEOPLE, [profile("h1", "other@example.com")])
    pulled(store, mailchimp, PEOPLE)
    pulled(store, hubspot, PEOPLE, name="hubspot")
    hubspot.show(PEOPLE, [profile("h1", "a1@example.com")], [person(5)])
    hubspot.fault(PEOPLE, 3)
    pulled(store, hubspot, PEOPLE, name="hubspot")
    mailchimp.show(PEOPLE, [person(1)])
    pulled(store, mailchimp, PEOPLE)
    assert len(partition(store)) == 2
    pulled(store, hubspot, PEOPLE, name="hubspot")
    assert frozenset({(1, "p1"), (2, "h1")}) in partition(store)


# --- accounts ---------------------------------------------------------------------------------------------------------


def test_the_account_first_met_is_remembered_for_ever(store: Store) -> None:
    platform = Platform()
    assert check_account(store, source(store, platform)).id == "acc-1"
    platform.owner = Account("acc-2", "Somebody else")
    for _ in range(2):
        with pytest.raises(AnotherAccount, match=r"belongs to account Nordlicht \(acc-1\), .* Somebody else \(acc-2\)"):
            check_account(store, source(store, platform))
    assert store.account("mailchimp") == ("acc-1", "Nordlicht")


def test_the_account_that_the_config_names_must_answer(store: Store) -> None:
    platform = Platform()
    with pytest.raises(AnotherAccount):
        check_account(store, source(store, platform, account="acc-7"))
    assert store.account("mailchimp") is None, "a stranger is not remembered"
    assert check_account(store, source(store, platform, account="acc-1")).name == "Nordlicht"
    with pytest.raises(AnotherAccount):
        check_account(store, source(store, replace_owner(platform, "acc-2"), account="acc-2"))


def replace_owner(platform: Platform, account: str) -> Platform:
    return replace(platform, owner=Account(account, "Other"))


# --- death ------------------------------------------------------------------------------------------------------------


def told() -> Platform:
    platform = Platform()
    platform.show(PEOPLE, [person(1), profile("p2", "b@example.com", consent=WITHDRAWN)], [profile("p1", "b@example.com")])
    platform.show(SWEEP, [person(1)], [person(2), profile("p3", absorbed=["p2"])])
    platform.show(EVENTS, [event("e1"), event("o1", mutable=True), event("e3", profile="p9")],
                  [event("o1", mutable=True, properties={"$value": 2}), event("e5", email="b@example.com")])
    return platform


def pull_everything(path: Path) -> None:
    with Store.writer(path) as opened:
        pulled(connected(opened), told(), PEOPLE, SWEEP, EVENTS)


def test_killed_at_any_statement_the_next_pull_comes_to_the_same_end(place: Path, enough: int) -> None:
    pull_everything(place / "calm.db")
    with Store.reader(place / "calm.db") as calm:
        expected = everything(calm) | {"streams": ends(calm)}
    statement, alive = 1, True
    while alive:
        path = place / f"killed-{statement}.db"
        alive = dies_at(statement, lambda arm, path=path: dying_pull(path, arm))  # type: ignore[misc]
        check_cursors(path)
        pull_everything(path)
        with Store.reader(path) as store:
            assert everything(store) | {"streams": ends(store)} == expected, statement
        statement += 5
    assert statement > 100


def dying_pull(path: Path, arm: object) -> None:
    with Store.writer(path) as opened:
        connected(opened)
        arm(opened.db)  # type: ignore[operator]
        pulled(opened, told(), PEOPLE, SWEEP, EVENTS)


def check_cursors(path: Path) -> None:
    """Rows of a page are there exactly when its cursor is."""
    with Store.writer(path) as store:
        for stream, cursor, rows in store.rows("select stream, coalesce(cursor, '0'), rows from streams"):
            shown = told().pages[stream][: int(cursor)]
            assert rows == sum(len(page.profiles) + len(page.events) for page in shown)
            for page in shown:
                known = {name for (name,) in store.rows("select id from profiles")}
                assert {each.id for each in page.profiles} <= known


def ends(store: Store) -> list[object]:
    return [(s.stream, s.error, s.finished is not None, s.first is not None) for s in streams.states(store)]
