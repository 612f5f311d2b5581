"""Memberships in the store follow what is taken in and the clock, and are what a full pass says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.base import DAY, SECOND, ProfileId
from sync.config.model import Config
from sync.evaluate.families import refreshed
from sync.evaluate.live import Live
from sync.evaluate.run import evaluate
from sync.insight.verifying import verify
from sync.source import origins
from sync.store import changes, entries, segments
from sync.store.sealing import seal
from sync.store.store import Store
from tests.configured import config_in, pulled
from tests.store.ground import NOW, connected, event, profile, tell, write

CONFIG = """
version: 1
settings: {timezone: UTC, store: store.db}
connections:
  mailchimp: {key: {env: K}}
segments:
  clicked:
    event: order_placed
    within: 20s
  largest:
    event: order_placed
    max: {of: value, at_least: 10}
    within: 20s
  came:
    entered: {segment: clicked, within: 1m}
  neither:
    none: [{segment: clicked}, {segment: largest}]
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.writer(tmp_path / "store.db") as made:
        connected(made)
        write(made, 1, profile("p1", "one@example.com"), profile("p2", "two@example.com"))
        yield made


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return config_in(tmp_path, CONFIG)


@pytest.fixture
def live(store: Store, config: Config) -> Live:
    made = Live(store, config, origins(config, store))
    made.evaluation(config, NOW)
    return made


def members(store: Store) -> dict[str, list[int]]:
    return {name: held.members.tolist() for name, held in segments.standing(store).items()}


def tell_order(store: Store, source: str, at: int, value: int, profile_id: str = "p1") -> None:
    tell(store, 1, event(source, "Placed Order", at, properties={"OrderId": source, "$value": value}, profile=ProfileId(profile_id)))


def test_what_is_committed_is_known_at_the_next_tick_and_time_takes_it_back_to_the_millisecond(store: Store, live: Live) -> None:
    assert members(store) == {"clicked": [], "largest": [], "came": [], "neither": [0, 1]}
    tell_order(store, "o1", NOW + SECOND, 12)
    diff = live.tick(NOW + SECOND)
    assert diff is not None
    assert {name: who.tolist() for name, who in diff.entered.items()} == {"clicked": [0], "largest": [0]}
    assert members(store) == {"clicked": [0], "largest": [0], "came": [], "neither": [1]}
    assert live.tick(NOW + 21 * SECOND - 1) is None
    live.tick(NOW + 21 * SECOND)
    assert members(store) == {"clicked": [], "largest": [], "came": [], "neither": [0, 1]}


def test_an_idle_tick_touches_nothing_and_says_when_to_come_back(store: Store, live: Live) -> None:
    tell_order(store, "o1", NOW, 12)
    live.tick(NOW)
    before = store.rows("select * from meta")
    assert live.next_due == NOW + 20 * SECOND
    assert live.tick(NOW + 19 * SECOND) is None
    assert store.rows("select * from meta") == before


def test_a_clock_that_steps_back_takes_nothing_back(store: Store, live: Live) -> None:
    tell_order(store, "o1", NOW, 12)
    live.tick(NOW)
    live.tick(NOW + 20 * SECOND)
    tell_order(store, "o2", NOW, 12, "p2")
    live.tick(NOW - DAY)
    assert members(store)["clicked"] == []


def test_what_an_evaluation_said_of_a_moment_still_holds_when_the_clock_steps_back(
    store: Store, config: Config, live: Live,
) -> None:
    live.evaluation(config, NOW)
    live.evaluation(config, NOW + SECOND)                   # nothing was told, nor falls due, between these two
    tell_order(store, "o1", NOW + SECOND, 12)
    live.tick(NOW + SECOND - 1)
    assert members(store)["clicked"] == [0]


def test_a_clock_that_steps_back_takes_nothing_back_where_all_is_read_anew(store: Store, live: Live) -> None:
    tell_order(store, "o1", NOW - 10 * SECOND, 12)
    tell_order(store, "old", NOW - 100 * DAY, 12)
    seal(store, lambda _: set(), {}, NOW)
    live.tick(NOW)
    seal(store, lambda _: set(), {"order_placed": DAY}, NOW)    # what is let go of from a file is not followed one by one
    assert changes.waiting(store)
    live.tick(NOW - DAY)
    assert members(store)["clicked"] == [0]


def test_a_sealed_event_that_is_void_goes_also_when_its_file_is_written_anew_before_the_tick(store: Store, tmp_path: Path) -> None:
    config = config_in(tmp_path, CONFIG.partition("segments:")[0] + "segments: {bought: {event: order_placed}}")
    live = Live(store, config, origins(config, store))
    order = event("o1", "Placed Order", NOW - 100 * DAY, properties={"OrderId": "o1"}, profile=ProfileId("p1"), mutable=True)
    tell(store, 1, order)
    seal(store, lambda _: set(), {}, NOW)
    live.evaluation(config, NOW)
    assert members(store)["bought"] == [0]
    tell(store, 1, order._replace(removed=True))
    assert seal(store, lambda _: set(), {}, NOW).written == [], "nothing is left of the period"
    live.tick(NOW)
    assert members(store)["bought"] == []


def test_conditions_on_who_entered_see_the_very_tick(store: Store, config: Config) -> None:
    pulled(store, config, NOW)
    live = Live(store, config, origins(config, store))
    live.evaluation(config, NOW)
    live.evaluation(config, NOW + SECOND)                   # a segment's history begins with its second answer on whole data
    tell_order(store, "o1", NOW + 2 * SECOND, 1)
    live.tick(NOW + 2 * SECOND)
    assert entries.changes(store, "clicked").at.tolist() == [NOW + 2 * SECOND]
    assert members(store)["came"] == [0]
    live.tick(NOW + 62 * SECOND)
    assert members(store)["came"] == []


def test_a_tick_whose_transaction_fails_begins_anew(store: Store, live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    tell_order(store, "o1", NOW, 12)

    def breaks(*_: object) -> None:
        raise RuntimeError("no room")

    monkeypatch.setattr(segments, "stamp", breaks)
    with pytest.raises(RuntimeError):
        live.tick(NOW)
    monkeypatch.undo()
    assert members(store)["clicked"] == []
    assert live.next_due == 0
    live.tick(NOW + SECOND)
    assert members(store)["clicked"] == [0]


def test_verify_finds_no_difference_and_finds_one_that_is_there(store: Store, config: Config, live: Live) -> None:
    tell_order(store, "o1", NOW, 12)
    live.tick(NOW)
    found = verify(store, config, origins(config, store))
    assert found is not None
    assert (found.at, found.segments, found.differences) == (NOW, 4, {})
    with store.transaction() as db:
        held = segments.standing(store)
        segments.write(db, "clicked", held["clicked"].rule, held["neither"].members, NOW)
    wrong = verify(store, config, origins(config, store))
    assert wrong is not None
    assert {name: (each.missing, each.surplus) for name, each in wrong.differences.items()} == {"clicked": (1, 1)}


def test_after_a_full_pass_verify_agrees_too_and_not_once_more_was_taken_in(store: Store, config: Config) -> None:
    sources = origins(config, store)
    assert verify(store, config, sources) is None
    evaluate(store, config, sources, NOW)
    found = verify(store, config, sources)
    assert found is not None
    assert found.differences == {}
    write(store, 1, profile("p3", "three@example.com"))
    assert verify(store, config, sources) is None


def test_who_moved_before_a_rule_was_edited_has_a_time_and_who_moves_by_the_edit_has_none(
    store: Store, config: Config, tmp_path: Path,
) -> None:
    pulled(store, config, NOW)
    live = Live(store, config, origins(config, store))
    live.evaluation(config, NOW)
    live.evaluation(config, NOW + SECOND)
    tell_order(store, "o1", NOW - 30 * SECOND, 12, "p1")
    live.tick(NOW + 2 * SECOND)
    tell_order(store, "o2", NOW + 3 * SECOND, 12, "p2")
    live.evaluation(config_in(tmp_path, CONFIG.replace("within: 20s", "within: 1m", 1)), NOW + 3 * SECOND)
    assert members(store)["clicked"] == [0, 1]
    assert entries.changes(store, "clicked").contacts.tolist() == [1]


FAMILY = """
  at_<value>:
    for_each: {event: order_placed, property: shop, at_least: 1}
"""


def test_a_family_gets_its_segments_at_an_evaluation_and_they_follow_from_there(store: Store, config: Config, tmp_path: Path) -> None:
    loaded = config_in(tmp_path, CONFIG + FAMILY.lstrip("\n"))
    sources = origins(loaded, store)
    live = Live(store, loaded, sources)
    live.evaluation(refreshed(store, loaded, sources, NOW), NOW)
    tell(store, 1, event("o1", "Placed Order", NOW, properties={"OrderId": "o1", "shop": "north"}, profile=ProfileId("p1")))
    live.tick(NOW)
    assert "at_north" not in members(store)
    live.evaluation(refreshed(store, loaded, sources, NOW + 1), NOW + 1)
    assert members(store)["at_north"] == [0]
    assert members(store)["clicked"] == [0]
    tell(store, 1, event("o2", "Placed Order", NOW, properties={"OrderId": "o2", "shop": "north"}, profile=ProfileId("p2")))
    live.tick(NOW + 2)
    assert members(store)["at_north"] == [0, 1]
    live.evaluation(config, NOW + 3)                # the family is out of the config
    found = verify(store, config, sources)
    assert found is not None
    assert (found.segments, found.differences) == (4, {})
