"""What comes round every year, counted day by day, and how far places are, measured by hand."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random
from typing import Any

import pytest

from sync.evaluate.columns import Columns
from sync.evaluate.from_people import snapshot_of, texts
from sync.evaluate.full_pass import full_pass
from sync.evaluate.turns import NEVER
from sync.language.calendars import Calendar
from sync.language.describe import describe
from sync.language.nodes import Node
from sync.language.occasions import AnniversaryDuring, AnniversaryWithin, MonthDay, YearlyTest, read_month_day
from sync.language.person import Person
from sync.language.predicates import Predicate
from sync.language.values import instant_text
from sync.language.window import PERIODS, During
from tests.language.support import NOW, holds, rule
from tests.language.test_calendars import DAY, ZONES, at

BERLIN = ZONES[1]
NOTED: tuple[MonthDay, ...] = ((2, 28), (2, 29), (3, 1), (1, 1), (12, 31), (6, 15), (10, 25))
ALL_DAYS = [date(2026, 12, 20) + timedelta(days=number) for number in range(2 * 366 + 90)]   # over February 2028


def celebrates(day: date, of: MonthDay) -> bool:
    """Whether somebody born on *of* has their day on *day*."""
    leap = (day + timedelta(days=1)).day == 29
    return (day.month, day.day) == of or (of == (2, 29) and (day.month, day.day) == (2, 28) and not leap)


def noon(day: date) -> int:
    return at(f"{day.isoformat()}T12:00", BERLIN)


def period_days(word: str, day: date) -> list[date]:
    """The days of a calendar period seen from *day*, found by asking each."""
    unit, shift = PERIODS[word]
    calendar = Calendar(unit, BERLIN)
    near = [day + timedelta(days=number) for number in range(-800, 801)]
    return [each for each in near if calendar.number_of(each) == calendar.number_of(day) + shift]


@pytest.mark.parametrize("of", NOTED, ids=str)
@pytest.mark.parametrize("days", [1, 7, 31, 364, 365])
def test_an_anniversary_is_near_when_one_of_the_next_days_is_it(of: MonthDay, days: int) -> None:
    test = AnniversaryWithin(days)
    day = {day: celebrates(day, of) for day in [*ALL_DAYS, *(ALL_DAYS[-1] + timedelta(days=ahead) for ahead in range(1, 367))]}
    for today in ALL_DAYS[:: 1 if days < 300 else 11]:
        coming = any(day[today + timedelta(days=ahead)] for ahead in range(days + 1))
        assert test.comes(of, noon(today), BERLIN) is coming, today


@pytest.mark.parametrize("word", PERIODS)
def test_an_anniversary_falls_in_a_period_when_one_of_its_days_is_it(word: str) -> None:
    unit, shift = PERIODS[word]
    test = AnniversaryDuring(During(Calendar(unit, BERLIN), shift, past=False))
    for today in ALL_DAYS[::17]:
        days = period_days(word, today)
        for of in NOTED:
            assert test.comes(of, noon(today), BERLIN) is any(celebrates(day, of) for day in days), (today, of)


def yearly() -> list[YearlyTest]:
    periods = [During(Calendar(unit, BERLIN), shift, past=False) for unit, shift in PERIODS.values()]
    return [*(AnniversaryWithin(days) for days in (1, 7, 300, 365)), *map(AnniversaryDuring, periods)]


@pytest.mark.parametrize("test", yearly(), ids=str)
def test_an_anniversary_turns_at_local_midnight_and_never_late(test: YearlyTest) -> None:
    rng = Random(str(test))
    for of in NOTED:
        now = noon(rng.choice(ALL_DAYS)) + rng.randint(-DAY, DAY)
        for _ in range(6):
            turn = test.next_turn(of, now, BERLIN)
            assert turn is not None
            assert now < turn
            days = range(now, turn, 3 * DAY)
            assert {test.comes(of, then, BERLIN) for then in (now, turn - 1, *days)} == {test.comes(of, now, BERLIN)}
            now = turn


def test_an_anniversary_changes_at_the_very_midnight() -> None:
    edges = {"2026-06-07T23:59:59.999": False, "2026-06-08T00:00": True, "2026-06-15T23:59:59.999": True, "2026-06-16T00:00": False}
    for now, expected in edges.items():
        assert holds("contact: {created: {anniversary_within: 7d}}", {"created": "1990-06-15"}, at(now)) is expected
    edges = {"2026-06-07T23:59:59.999": False, "2026-06-08T00:00": True, "2026-06-14T23:59:59.999": True, "2026-06-15T00:00": False}
    for now, expected in edges.items():
        assert holds("contact: {created: {anniversary: {during: next_week}}}", {"created": "1990-06-15"}, at(now)) is expected


@pytest.mark.parametrize(("value", "expected"), [
    ("06-15", (6, 15)), ("06/15", (6, 15)), ("02/29", (2, 29)), ("1990-06-15", (6, 15)), ("1984-02-29", (2, 29)),
    ("1990-06-15T23:30:00Z", (6, 16)), ("1990-06-15T23:30", (6, 15)), ("9999-12-31", (12, 31)), ("2011-12-30", (12, 30)),
    ("13/01", None), ("04/31", None), ("02/30", None), ("00-10", None), ("1990-06/15", None), ("0000-06-15", None),
    ("6/15", None), ("15.06.", None), ("1990-02-29", None),
    ("soon", None), ("", None), (None, None), (615, None), ({"month": 6}, None),
])
def test_month_and_day_are_read_from_dates_and_birthdays(value: Any, expected: MonthDay | None) -> None:
    assert read_month_day(value, BERLIN) == expected


def test_any_date_of_a_list_may_come_round_and_a_missing_one_does_not() -> None:
    soon = "contact: {created: {anniversary_within: 7d}}"
    assert holds(soon, {"created": ["1990-01-01", "06/16"]})
    assert not holds(soon, {"created": []})
    assert not holds(soon, {})
    assert holds("not: {contact: {created: {anniversary_within: 7d}}}", {})
    assert holds("contact: {created: {anniversary_within: 7d, missing: match}}", {})


def test_a_column_of_dates_is_asked_as_each_of_them_is() -> None:
    rng = Random(5)
    instants = [instant_text(at("1990-01-01") + rng.randint(0, 12_000 * DAY)) for _ in range(150)]
    values: list[Any] = [*instants, "06/15", "1990-06-15", "06-16", "1984-02-29", 12, "soon", None, [instants[0]], "2026-10-25T00:30:00Z"]
    dictionary = Columns().read(texts(values)).dictionary
    for test in yearly():
        predicate = Predicate((test,), BERLIN)
        for now in (NOW, at("2028-02-28T23:59:59.999"), at("2026-10-25T02:30+01:00")):
            fresh = Columns().read(texts(values))
            assert fresh.passes(predicate, now).tolist() == [predicate.holds(value, {}, now) for value in values]
            turns = [predicate.turn(value, {}, now) for value in values]
            assert dictionary.turns(predicate, now)[fresh.codes].tolist() == [NEVER if turn is None else turn for turn in turns]


# --- places ----------------------------------------------------------------------------------------------------------------------


def near(km: float, *values: Any) -> list[bool]:
    """Whether each value is near the Brandenburg Gate; oracle and full pass must agree."""
    node: Node = rule(f"contact: {{location: {{near: {{of: [52.5163, 13.3777], km: {km}}}}}}}")
    people = [Person({"location": value}) for value in values]
    slow = [node.matches(person, NOW) for person in people]
    assert full_pass(snapshot_of(people, [node]), {"first": node}, NOW).members["first"].tolist() == slow
    return slow


def test_a_place_is_near_up_to_its_distance_over_the_ground() -> None:
    munich = {"latitude": 48.1374, "longitude": 11.5755}
    assert near(503, munich) == [False]
    assert near(504, munich) == [True]
    assert near(0.000001, {"latitude": "52.5163", "longitude": "13.3777"}) == [True]


def test_one_degree_of_a_great_circle_is_its_part_of_the_round() -> None:
    node = rule("contact: {location: {near: {of: [0, 0], km: 111.195}}}")
    for place in ({"latitude": 1, "longitude": 0}, {"latitude": 0, "longitude": -1}):
        assert not node.matches(Person({"location": place}), NOW)        # 111.19508 km
    across = rule("contact: {location: {near: {of: [0, 179.5], km: 111.196}}}")
    assert across.matches(Person({"location": {"latitude": 0, "longitude": -179.5}}), NOW)


def test_what_is_no_place_is_not_near() -> None:
    values = [None, "", "Berlin", 52.5, [], {}, {"latitude": 52.5}, {"latitude": "north", "longitude": 13},
              {"latitude": 95, "longitude": 13}, {"latitude": 52, "longitude": 181}, {"latitude": None, "longitude": None}]
    assert near(20_000, *values) == [False] * len(values)
    assert near(20_000, {"latitude": 0, "longitude": 0}, {"latitude": 0, "longitude": 0.1}) == [False, True]
    assert near(10, [{"latitude": 0, "longitude": 9}, {"latitude": 52.51, "longitude": 13.38}]) == [True]
    assert holds("contact: {location: {near: {of: [52, 13], km: 5}, missing: match}}", {"location": {"city": "Berlin"}})
    assert holds("not: {contact: {location: {near: {of: [52, 13], km: 5}}}}", {})


def test_they_are_told_in_words() -> None:
    for text, words in (
        ("{created: {anniversary_within: 1w}}", "created anniversary within 7d"),
        ("{created: {anniversary: {during: next_month}}}", "created anniversary during next_month"),
        ("{location: {near: {of: [52.52, 13.40], km: 2.5}}}", "location within 2.5 km of 52.52, 13.4"),
        ("{created: {during: tomorrow}}", "created during tomorrow"),
    ):
        assert describe(rule(f"contact: {text}")) == words
