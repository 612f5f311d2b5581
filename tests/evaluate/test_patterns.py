"""Patterns over events to the millisecond: what holds is written down by hand, and oracle and full pass must both say so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sync.evaluate.from_people import snapshot_of
from sync.evaluate.full_pass import full_pass
from sync.evaluate.turns import NEVER
from sync.evaluate.world import World
from sync.language.patterns import FirstOrLast, MostFrequent, Resumed
from sync.language.periods import Regularly, Streak
from sync.language.person import Event, Person
from sync.language.window import Ever
from tests.evaluate.test_full_pass import forgetful
from tests.language.support import DAY, NOW, SCOPE, at, rule

HOUR = DAY // 24

PATTERNS = (Resumed, Regularly, Streak, MostFrequent, FirstOrLast)


def events(*seen: tuple[Any, ...]) -> Person:
    """Somebody with events: (name, time, properties if any)."""
    return Person(events=tuple(Event(name, when, *rest, id=f"e{place}") for place, (name, when, *rest) in enumerate(seen)))


def seen(*times: int) -> Person:
    """Somebody with a `seen` at each of *times*."""
    return events(*(("seen", when) for when in times))


def check(text: str, who: Person, expected: bool, now: int = NOW) -> None:
    """That *expected* is what the oracle and the full pass say, nobody in the neighbourhood is taken for another, and turns agree."""
    node, people = rule(text), [Person(), who, Person()]
    answers = [node.matches(each, now) for each in people]
    assert answers[1] is expected, f"oracle: {text}"
    for made in (snapshot_of, forgetful):
        assert full_pass(made(people, [node]), {"a": node}, now).members["a"].tolist() == answers, f"full pass: {text}"
        beside = FirstOrLast("first", node.filter, Ever()) if isinstance(node, PATTERNS) else node
        both = full_pass(made(people, [node, beside]), {"a": node, "b": beside}, now)
        assert both.members["a"].tolist() == answers, f"beside one that looks at everything: {text}"
        if not node.children:
            turns = [NEVER if (turn := node.turn(each, now)) is None else turn for each in people]
            assert World(made(people, [node]), now, {}).turns(node).tolist() == turns, f"turns: {text}"


# --- first and last -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "times", "expected"), [
    ("{event: seen, first: true, within: 1d}", (NOW - DAY + 1, NOW), True),
    ("{event: seen, first: true, within: 1d}", (NOW - DAY, NOW), False),
    ("{event: seen, first: true, within: 1d}", (NOW + 1,), False),
    ("{event: seen, first: true}", (NOW,), True),
    ("{event: seen, last: true, ago: [2d, 1d]}", (NOW - 2 * DAY + 1,), True),
    ("{event: seen, last: true, ago: [2d, 1d]}", (NOW - 2 * DAY,), False),
    ("{event: seen, last: true, ago: [2d, 1d]}", (NOW - 3 * DAY, NOW - DAY), True),
    ("{event: seen, last: true, ago: [2d, 1d]}", (NOW - 2 * DAY + 1, NOW - DAY + 1), False),
    ("{event: seen, last: true, ago: [2d, 1d]}", (NOW - DAY, NOW + 1), True),
    ("{event: seen, last: true, older_than: 1d}", (NOW - 9 * DAY, NOW - DAY), True),
    ("{event: seen, last: true, within: 1d}", (NOW,), True),
    ("{event: seen, last: true}", (), False),
    ("stopped: {event: seen, active: 2d, silent: 1d}", (NOW - 2 * DAY,), False),
    ("stopped: {event: seen, active: 2d, silent: 1d}", (NOW - 2 * DAY + 1,), True),
    ("stopped: {event: seen, active: 2d, silent: 1d}", (NOW - DAY,), True),
    ("stopped: {event: seen, active: 2d, silent: 1d}", (NOW - DAY, NOW - DAY + 1), False),
    ("stopped: {event: seen, active: 2d, silent: 1d}", (NOW - DAY, NOW + 1), True),
    ("resumed: {event: seen, silent: 1d, within: 1h}", (NOW - DAY, NOW), True),
    ("resumed: {event: seen, silent: 1d, within: 1h}", (NOW - DAY + 1, NOW), False),
    ("resumed: {event: seen, silent: 1d, within: 1h}", (NOW - 2 * DAY, NOW - HOUR + 1), True),
    ("resumed: {event: seen, silent: 1d, within: 1h}", (NOW - 2 * DAY, NOW - HOUR), False),
    ("resumed: {event: seen, silent: 1d, within: 1h}", (NOW - 2 * DAY, NOW - HOUR, NOW), False),
    ("resumed: {event: seen, silent: 1d, within: 1h}", (NOW - 2 * DAY, NOW - 1, NOW), True),
    ("resumed: {event: seen, silent: 1d, within: 1h}", (NOW - 2 * DAY, NOW, NOW), True),
    ("resumed: {event: seen, silent: 1d, within: 1h}", (NOW - 2 * DAY, NOW + 1), False),
    ("resumed: {event: seen, silent: 1d, within: 1h}", (NOW,), False),
])
def test_the_edges_of_first_last_stopped_and_resumed(text: str, times: tuple[int, ...], expected: bool) -> None:
    check(text, seen(*times), expected)


def test_where_is_asked_before_first_and_last_and_their_own_properties_after() -> None:
    who = events(("seen", NOW - 3, {"x": 1}), ("seen", NOW - 2, {"x": 2}), ("seen", NOW - 1, {"x": 1}))
    check("{event: seen, where: {x: 2}, last: true, until: 2026-06-14}", who, False)
    check("{event: seen, where: {x: 2}, first: {x: 2}}", who, True)
    check("{event: seen, first: {x: 2}}", who, False)
    check("{event: seen, last: {x: {is_not: 2}}}", who, True)
    check("{event: seen, last: {x: {is_not: 2}}}", seen(), False)


def test_an_event_ahead_that_no_filter_will_ever_take_is_not_waited_for() -> None:
    text = "{event: seen, where: {day: {within_last: 1d}}, first: true}"
    long_ago, soon = ("seen", NOW + 5, {"day": "2020-01-01"}), ("seen", NOW + 9, {"day": "2026-06-15"})
    check(text, events(long_ago), False)
    assert rule(text).turn(events(long_ago), NOW) is None
    check(text, events(long_ago, soon), False)
    assert rule(text).turn(events(long_ago, soon), NOW) == NOW + 9


@pytest.mark.parametrize("which", ["first", "last"])
@pytest.mark.parametrize("window", ["", ", within: 1d", ", within: 30d", ", older_than: 1d"])
def test_what_is_asked_of_the_first_or_last_one_turns_with_the_clock_too(which: str, window: str) -> None:
    for seen_at, told in ((-1, "2026-06-15"), (-2 * DAY, "2026-06-15"), (-2 * DAY, "2026-06-14"), (0, "2026-06-13"), (-DAY, "2026-06-16")):
        who = events(("seen", NOW + seen_at, {"day": told}))
        node = rule(f"{{event: seen, {which}: {{day: {{within_last: 1d}}}}{window}}}")
        check(f"{{event: seen, {which}: {{day: {{within_last: 1d}}}}{window}}}", who, node.matches(who, NOW))


def test_an_event_that_its_filter_takes_for_good_or_only_later_is_kept() -> None:
    text = "{event: seen, where: {day: {older_than: 1d}}, first: true}"
    check(text, events(("seen", NOW - 5, {"day": "2020-01-01"})), True)
    later = events(("seen", NOW - 5, {"day": "2026-06-15"}))
    check(text, later, False)
    assert rule(text).turn(later, NOW) == at("2026-06-16")
    leaving = events(("seen", NOW - 30 * DAY + 5, {"day": "2020-01-01"}), ("seen", NOW - 5, {"day": "2026-06-15"}))
    last = text.replace("first: true", "last: true, within: 30d")
    check(last, leaving, True)
    assert rule(last).turn(leaving, NOW) == NOW + 5


def test_an_event_turns_when_the_first_of_several_answers_about_it_does() -> None:
    who = events(("seen", NOW - DAY, {"day": "2026-06-15", "other": "2026-06-15"}))
    for asked in ("first: true", "within: 30d", "count: 1", "within: 2d"):
        text = f"{{event: seen, where: {{day: {{within_last: 2d}}, other: {{within_last: 5d}}}}, {asked}}}"
        check(text, who, True)
        assert rule(text).turn(who, NOW) == (NOW + DAY if asked == "within: 2d" else at("2026-06-17"))
        check(text, events(("seen", NOW - DAY, {"day": "2026-06-15", "other": "2026-06-11"})), True)


def test_a_machines_doing_is_left_out_where_a_human_is_asked_for() -> None:
    who = events(("seen", NOW - 3), ("seen", NOW - 2, {"machine": False}), ("seen", NOW - 1, {"machine": True}))
    check("{event: seen, human: true, last: {machine: false}}", who, True)
    check("{event: seen, human: false, last: {machine: false}}", who, False)
    check("sequence: [{event: seen}, {not: {event: seen, human: true}}]", who, True)
    check("sequence: [{event: seen}, {event: seen}, {event: seen, human: true}]", who, False)


def test_of_several_events_at_the_latest_instant_any_may_pass() -> None:
    who = events(("seen", NOW, {"x": 1}), ("seen", NOW, {"x": 2}), ("seen", NOW - 1, {"x": 3}))
    for value, expected in ((1, True), (2, True), (3, False)):
        check(f"{{event: seen, last: {{x: {value}}}}}", who, expected)


# --- the most frequent ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("values", "most"), [
    (["a", "b", "b"], "b"),
    (["a", "b"], "b"),                                              # the most recent
    (["b", "a", "a", "b"], "b"),
    ([["b", "a"]], "a"),                                            # the same instant: by the alphabet
    ([12, "12", "a", "a", 12.0], "12"),
    ([None, "", [], "a"], "a"),
    ([["a", "b"], "b"], "b"),
    ([["a", "a"], "b", "b"], "b"),                                  # of one event each value counts once
])
def test_ties_of_the_most_frequent_go_to_the_most_recent_then_by_the_alphabet(values: list[Any], most: str) -> None:
    who = events(*(("seen", NOW - 100 + place, {"x": value}) for place, value in enumerate(values)))
    check(f"{{event: seen, most_frequent: {{of: x, is: {most}}}}}", who, True)


def test_the_most_frequent_of_nothing_is_missing() -> None:
    for who in (seen(), seen(NOW), events(("seen", NOW + 1, {"x": "a"}))):
        check("{event: seen, most_frequent: {of: x, is: a}}", who, False)
        check("{event: seen, most_frequent: {of: x, is_not: a}}", who, True)
        check("{event: seen, most_frequent: {of: x, is_not: a, missing: fail}}", who, False)
        check("{event: seen, most_frequent: {of: x, is_set: false}}", who, True)


def test_the_most_frequent_speaks_of_the_same_events_as_the_count_beside_it() -> None:
    who = events(("seen", NOW - DAY, {"x": "a"}), ("seen", NOW - 1, {"x": "b"}), ("seen", NOW, {"x": "b"}), ("seen", NOW - DAY, {"x": "a"}),
                 ("seen", NOW - 2 * DAY, {"x": "a"}))
    check("{event: seen, most_frequent: {of: x, is: b}, count: 2, within: 1d}", who, True)
    check("{event: seen, most_frequent: {of: x, is: b}, count: 3, within: 1d}", who, False)
    check("{event: seen, most_frequent: {of: x, is: a}, count: 5}", who, True)


# --- periods --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [
    "{event: seen, in_at_least: 2, of_last: 2, period: 1d}", "{event: seen, streak: {at_least: 2, period: 1d}}",
    "{event: seen, in_at_least: 1, of_last: 1, period: day}",
])
def test_an_event_that_has_left_the_last_period_is_not_waited_for_where_another_condition_reads_it(text: str) -> None:
    node, everything = rule(text), rule("{event: seen, first: true}")
    for when in (NOW - 2 * DAY - 1, NOW - 2 * DAY, NOW - 2 * DAY + 1, at("2026-06-15") - 1, at("2026-06-15")):
        world = World(snapshot_of([seen(when)], [node, everything]), NOW, {})
        world.scan([node, everything], ahead=True)
        turn = node.turn(seen(when), NOW)
        assert world.turns(node).tolist() == [NEVER if turn is None else turn]


def test_rolling_periods_take_in_their_end_and_not_their_beginning() -> None:
    text = "{event: seen, in_at_least: 2, of_last: 2, period: 1d}"
    check(text, seen(NOW, NOW - DAY), True)
    check(text, seen(NOW - DAY + 1, NOW - DAY), True)
    check(text, seen(NOW - DAY + 1, NOW), False)
    check(text, seen(NOW, NOW - 2 * DAY + 1), True)
    check(text, seen(NOW, NOW - 2 * DAY), False)
    check(text, seen(NOW + 1, NOW - DAY), False)


@pytest.mark.parametrize(("period", "starts"), [
    ("day", ["2026-06-15T00:00", "2026-06-14T00:00", "2026-06-13T00:00"]),
    ("week", ["2026-06-15T00:00", "2026-06-08T00:00", "2026-06-01T00:00"]),
    ("month", ["2026-06-01T00:00", "2026-05-01T00:00", "2026-04-01T00:00"]),
])
def test_calendar_periods_begin_at_midnight_in_the_segments_zone_and_take_in_the_running_one(period: str, starts: list[str]) -> None:
    first, second, third = map(at, starts)
    text = f"{{event: seen, in_at_least: 2, of_last: 2, period: {period}}}"
    check(text, seen(first, second), True)
    check(text, seen(first, first - 1), True)
    check(text, seen(first - 1, second), False)
    check(text, seen(first, second - 1), False)
    check(f"{{event: seen, in_at_least: 1, of_last: 2, period: {period}}}", seen(second - 1, third), False)
    check(f"{{event: seen, streak: {{is: 3, period: {period}}}}}", seen(first, second, third), True)
    check(f"{{event: seen, streak: {{is: 2, period: {period}}}}}", seen(first, second, third - 1), True)


def test_a_day_of_23_hours_is_a_day() -> None:
    now = at("2026-03-30T00:00")                                    # the clocks went forward on the 29th
    text = "{event: seen, in_at_least: 3, of_last: 3, period: day}"
    check(text, seen(now, at("2026-03-29T00:00"), at("2026-03-28T00:00")), True, now)
    check(text, seen(now, now - DAY, at("2026-03-28T00:00")), False, now)


def test_a_day_of_25_hours_is_a_day() -> None:
    now = at("2026-10-25T23:59:59")                                 # the clocks went back on that day
    check("{event: seen, in_at_least: 1, of_last: 1, period: day}", seen(at("2026-10-25T00:00")), True, now)
    check("{event: seen, streak: {is: 1, period: day}}", seen(at("2026-10-25T00:00")), True, now)


@pytest.mark.parametrize(("times", "turn", "rests_on"), [
    ((NOW,), NOW + DAY, 1), ((NOW - 1,), NOW + DAY - 1, 1), ((NOW - DAY,), NOW + DAY, 1), ((NOW - 2 * DAY + 1,), NOW + 1, 1),
    ((NOW - 2 * DAY,), None, 0), ((NOW + 1,), NOW + 1, 0),
])
def test_a_rolling_period_turns_when_an_event_leaves_it(times: tuple[int, ...], turn: int | None, rests_on: int) -> None:
    for text in ("{event: seen, in_at_least: 2, of_last: 2, period: 1d}", "{event: seen, streak: {is: 1, period: 1d}}"):
        node, who = rule(text), seen(*times)
        check(text, who, node.matches(who, NOW))
        assert node.turn(who, NOW) == turn
        assert len(node.evidence(who, NOW)) == rests_on


@pytest.mark.parametrize(("when", "turn"), [
    (NOW, "2026-06-16T00:00"), (at("2026-06-14T00:00"), "2026-06-16T00:00"), (at("2026-06-14T00:00") - 1, None),
])
def test_a_calendar_period_turns_at_midnight(when: int, turn: str | None) -> None:
    text = "{event: seen, in_at_least: 2, of_last: 2, period: day}"
    node = rule(text)
    check(text, seen(when), False)
    assert node.turn(seen(when), NOW) == (None if turn is None else at(turn))


def test_the_count_is_asked_of_each_period() -> None:
    who = seen(NOW, NOW - 1, NOW - DAY, NOW - 3 * DAY, NOW - 3 * DAY - 1)
    for count, least, expected in (("2", 2, True), ("2", 3, False), ("0", 1, True), ("0", 2, False), ("{at_most: 1}", 2, True)):
        check(f"{{event: seen, in_at_least: {least}, of_last: 4, period: 1d, count: {count}}}", who, expected)
    check("{event: seen, in_at_least: 4, of_last: 4, period: 1d, count: 0}", seen(), True)


@pytest.mark.parametrize(("period", "times", "length"), [
    ("day", (0, 1, 2), 3), ("day", (1, 2), 2), ("day", (2, 3), 0), ("day", (0, 2), 1), ("day", (), 0), ("day", (0,), 1),
    ("1d", (0, 1, 2), 3), ("1d", (1, 2), 0), ("1d", (0, 2), 1),
])
def test_a_streak_ends_in_the_running_or_the_last_full_period(period: str, times: tuple[int, ...], length: int) -> None:
    who = seen(*(NOW - days * DAY for days in times))
    for test, expected in ((f"is: {length}", True), (f"at_least: {length + 1}", False), (f"more_than: {length}", False),
                           (f"at_least: {length}", True), (f"at_most: {length}", True), (f"less_than: {length + 1}", True)):
        check(f"{{event: seen, streak: {{{test}, period: {period}}}}}", who, expected)


def test_a_streak_of_periods_with_enough_events() -> None:
    who = seen(NOW, NOW - 1, NOW - DAY, NOW - DAY - 1, NOW - 2 * DAY)
    check("{event: seen, streak: {is: 2, period: 1d}, count: {at_least: 2}}", who, True)
    check("{event: seen, streak: {is: 3, period: 1d}}", who, True)


def test_a_streak_may_be_longer_than_what_is_asked() -> None:
    who = seen(*(NOW - days * DAY for days in range(40)))
    for test, expected in (("at_least: 5", True), ("is: 5", False), ("is_not: 5", True), ("between: [3, 39]", False), ("is: 40", True)):
        check(f"{{event: seen, streak: {{{test}, period: day}}}}", who, expected)


def test_a_day_that_a_zone_left_out_does_not_break_a_streak() -> None:
    node = rule("{event: seen, streak: {is: 3, period: day}}", replace(SCOPE, zone=ZoneInfo("Pacific/Apia")))   # no 30 December 2011
    who = seen(*map(at, ("2011-12-29T08:00Z", "2011-12-30T08:00Z", "2011-12-30T20:00Z")))
    now = at("2011-12-31T09:00Z")
    assert node.matches(who, now)
    assert full_pass(forgetful([who], [node]), {"a": node}, now).members["a"].tolist() == [True]
