"""Calendar edges by brute force: they never move back, and each is reached at the very millisecond that is foretold."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from random import Random
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from sync.evaluate import calendars as fast
from sync.language.calendars import EARLIEST, FIRST, LAST, LATEST, Calendar, Months, clock, extremes, never_longer, nominal
from sync.language.periods import last_edges
from sync.language.values import read_span

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
ZONES = tuple(map(ZoneInfo, (
    "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "America/Santiago",
    "America/St_Johns", "Africa/Casablanca",
)))
DAYS = [date(2010, 10, 1) + timedelta(days=number) for number in range(560)]  # a missing day, 29 February, an hour after 00:01


def at(text: str, zone: ZoneInfo = ZONES[1]) -> int:
    span = read_span(text, zone)
    assert span is not None
    return span[0]


def changes(zone: ZoneInfo) -> list[int]:
    """When the clocks change."""
    first, last = at(DAYS[0].isoformat(), zone), at(DAYS[-1].isoformat(), zone)
    return [when for when in fast.clocks(zone, first, last).starts.tolist() if when >= first]


def delicate(zone: ZoneInfo) -> list[int]:
    """When the clocks change, and each month after they did; when a month begins or a day that some months lack."""
    changed = [when + month * 2_629_746_000 for when in changes(zone) for month in (0, 1, 12)]
    return sorted({*changed, *(at(day.isoformat(), zone) for day in DAYS if day.day in (1, 28, 29, 30, 31))})


def instants(zone: ZoneInfo) -> list[int]:
    """Minutes where the clocks change, quarters of an hour and the milliseconds beside them at all that is delicate."""
    minutes = {edge + minute * MINUTE for edge in changes(zone) for minute in range(-130, 131)}
    quarters = {edge + quarter * 15 * MINUTE + off for edge in delicate(zone) for quarter in range(-9, 10) for off in (-1, 0, 1)}
    return sorted(minutes | quarters)


def edges_of(zone: ZoneInfo) -> list[Callable[[int], int]]:
    calendars = [Calendar(unit, zone, 6) for unit in Calendar.UNITS]
    months = [Months(count, zone) for count in (1, 12)]
    return [*(each.before for each in months), *(each.after for each in months), *(each.number for each in calendars)]


@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_no_edge_ever_moves_back(zone: ZoneInfo) -> None:
    asked = instants(zone)
    for edge in edges_of(zone):
        edges = [edge(now) for now in asked]
        assert edges == sorted(edges)


@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_an_edge_reaches_an_instant_when_it_was_foretold(zone: ZoneInfo) -> None:
    rng = Random(zone.key)
    nows = [edge + off for edge in delicate(zone) for off in (-1, 0, 1, rng.randint(-3 * HOUR, 3 * HOUR), 90 * MINUTE)]
    for count in (1, 2, 12, 13):
        months = Months(count, zone)
        for edge, until, array in ((months.before, months.until_before, fast.until_before),
                                   (months.after, months.until_after, fast.until_after)):
            when = [edge(now) + off for now in rng.sample(nows, 150) for off in (-1, 0, 1)] + nows[:200]
            reached = [until(instant) for instant in when]
            assert all(edge(now - 1) < instant <= edge(now) for instant, now in zip(when, reached, strict=True))
            assert array(np.array(when), months).tolist() == reached


@pytest.mark.parametrize("zone", ZONES, ids=str)
@pytest.mark.parametrize("unit", Calendar.UNITS)
def test_every_instant_lies_in_its_period(zone: ZoneInfo, unit: str) -> None:
    calendar = Calendar(unit, zone, 6)
    asked = [edge + off for edge in delicate(zone) for off in (-HOUR, -1, 0, 1, 59 * MINUTE, HOUR)]
    numbers = [calendar.number(instant) for instant in asked]
    assert all(calendar.start(number) <= instant < calendar.start(number + 1)
               for instant, number in zip(asked, numbers, strict=True))
    assert fast.numbers(np.array(asked), calendar).tolist() == numbers
    ahead = sorted({number + off for number in numbers for off in range(-3, 4)})
    assert fast.starts(np.array(ahead), calendar).tolist() == [calendar.start(number) for number in ahead]


MONTHS = [                                                              # now, months, the edge before it
    ("2026-06-15T14:30", 1, "2026-05-15T14:30"), ("2026-06-15T14:30", 12, "2025-06-15T14:30"),
    ("2026-03-28T23:59:59.999", 1, "2026-02-28T23:59:59.999"),
    *((f"2026-03-{day}T{time}", 1, "2026-03-01T00:00") for day in (29, 30, 31) for time in ("00:00", "12:00", "23:59:59.999")),
    ("2026-04-01T00:00", 1, "2026-03-01T00:00"), ("2026-04-01T00:00:00.001", 1, "2026-03-01T00:00:00.001"),
    ("2028-03-29T12:00", 1, "2028-02-29T12:00"), ("2028-03-30T00:00", 1, "2028-03-01T00:00"),
    ("2028-02-29T08:00", 12, "2027-03-01T00:00"), ("2028-02-29T08:00", 48, "2024-02-29T08:00"),
    ("2026-05-31T01:00", 3, "2026-03-01T00:00"), ("2026-01-31T01:00", 2, "2025-12-01T00:00"),
    ("2026-04-29T02:30", 1, "2026-03-29T03:00"), ("2026-04-29T01:59", 1, "2026-03-29T01:59"),     # 02:00 to 03:00 did not exist
    ("2026-04-29T03:00", 1, "2026-03-29T03:00"), ("2026-04-29T03:00:00.001", 1, "2026-03-29T03:00:00.001"),
    ("2026-11-25T02:30", 1, "2026-10-25T02:30+02:00"), ("2026-11-25T03:00", 1, "2026-10-25T03:00"),   # 02:30 existed twice
    ("2026-10-25T02:30+02:00", 1, "2026-09-25T02:30"), ("2026-10-25T02:59:59.999+02:00", 1, "2026-09-25T02:59:59.999"),
    *((f"2026-10-25T{time}+01:00", 1, "2026-09-25T03:00") for time in ("02:00", "02:30", "02:59:59.999", "03:00")),
    ("2026-10-25T03:00:00.001", 1, "2026-09-25T03:00:00.001"),
]


@pytest.mark.parametrize(("now", "months", "edge"), MONTHS)
def test_months_before_now_are_as_written_down(now: str, months: int, edge: str) -> None:
    assert Months(months, ZONES[1]).before(at(now)) == at(edge)


@pytest.mark.parametrize(("now", "months", "edge"), [
    ("2026-01-31T10:00", 1, "2026-03-01T00:00"), ("2026-01-28T10:00", 1, "2026-02-28T10:00"),
    ("2028-02-29T10:00", 12, "2029-03-01T00:00"), ("2026-02-28T02:30", 1, "2026-03-28T02:30"),
    ("2026-02-28T00:00", 13, "2027-03-28T00:00"), ("2025-09-25T02:30", 13, "2026-10-25T02:30+02:00"),
])
def test_months_after_now_are_as_written_down(now: str, months: int, edge: str) -> None:
    assert Months(months, ZONES[1]).after(at(now)) == at(edge)


@pytest.mark.parametrize(("unit", "week_starts", "start", "end"), [
    ("day", 0, "2026-03-29", "2026-03-30"), ("week", 0, "2026-03-23", "2026-03-30"), ("week", 6, "2026-03-29", "2026-04-05"),
    ("week", 5, "2026-03-28", "2026-04-04"), ("month", 0, "2026-03-01", "2026-04-01"), ("quarter", 0, "2026-01-01", "2026-04-01"),
    ("year", 0, "2026-01-01", "2027-01-01"),
])
def test_periods_begin_and_end_at_local_midnight(unit: str, week_starts: int, start: str, end: str) -> None:
    calendar = Calendar(unit, ZONES[1], week_starts)
    number = calendar.number(at("2026-03-29T12:00"))
    assert (calendar.start(number), calendar.start(number + 1)) == (at(start), at(end))
    assert [calendar.number(at(text) + off) - number for text in (start, end) for off in (-1, 0)] == [-1, 0, 0, 1]


def test_a_day_that_has_begun_goes_on_when_the_clock_is_put_back_over_midnight() -> None:
    zone = ZoneInfo("America/St_Johns")
    change = at("2010-11-07T02:31Z")                                    # 00:01 became 23:01
    days = Calendar("day", zone)
    assert [days.number(change + off) - days.number(change) for off in (-2 * MINUTE, -MINUTE, -1, 0, HOUR)] == [-1, 0, 0, 0, 0]
    assert days.start(days.number(change)) == change - MINUTE
    assert clock(change + 5, zone) == clock(change + HOUR - 1, zone) == clock(change + HOUR, zone)


def test_a_day_that_was_left_out_takes_no_time() -> None:
    zone = ZoneInfo("Pacific/Apia")
    days = Calendar("day", zone)
    missing = days.number_of(date(2011, 12, 30))
    assert days.start(missing) == days.start(missing + 1) == at("2011-12-30T10:00Z")
    assert days.number(days.start(missing)) == missing + 1


@pytest.mark.parametrize("instant", [at("0001-01-01T00:00Z"), FIRST - 1, FIRST, FIRST + 1, LAST - 1, LAST, LAST + 1, at("9999-12-31")])
def test_the_ends_of_time_are_read_without_overflow(instant: int) -> None:
    for zone in ZONES[:2]:
        months = Months(12_000, zone)
        array = np.array([instant])
        assert fast.until_before(array, months).tolist() == [months.until_before(instant)]
        assert fast.until_after(array, months).tolist() == [months.until_after(instant)]
        for calendar in (Calendar(unit, zone) for unit in Calendar.UNITS):
            assert fast.numbers(array, calendar).tolist() == [calendar.number(instant)]
            number = calendar.number(instant)
            assert fast.starts(array * 0 + number + 1, calendar).tolist() == [calendar.start(number + 1)]


@pytest.mark.parametrize("unit", Calendar.UNITS)
def test_periods_before_the_calendars_start_are_empty_and_their_walk_ends(unit: str) -> None:
    for zone in ZONES[:2]:
        for now in (at("0001-01-01T00:00Z"), FIRST, at("0050-01-01")):
            periods = last_edges(Calendar(unit, zone), now, 1000)
            assert len(periods) == 1001
            assert periods == sorted(periods)
            assert periods[-1] == now


def test_how_long_months_can_be_is_told_with_room() -> None:
    for count in range(1, 60, 3):
        lengths = [now - Months(count, ZONES[0]).before(now) for now in range(at("2026-01-01"), at("2030-01-01"), 2 * DAY)]
        least, most = extremes(Months(count, ZONES[0]))
        assert least < min(lengths)
        assert max(lengths) < most


BERLIN, NEW_YORK = ZONES[1], ZONES[2]


@pytest.mark.parametrize(("one", "other", "surely"), [
    (5, 5, True), (5, 6, True), (6, 5, False),
    (Months(1, BERLIN), Months(1, BERLIN), True), (Months(1, BERLIN), Months(2, BERLIN), True),
    (Months(2, BERLIN), Months(1, BERLIN), False),
    (Months(1, BERLIN), Months(1, NEW_YORK), False), (Months(1, BERLIN), Months(2, NEW_YORK), True),
    (26 * DAY, Months(1, BERLIN), True), (26 * DAY + 1, Months(1, BERLIN), False),
    (Months(1, BERLIN), 35 * DAY, True), (Months(1, BERLIN), 35 * DAY - 1, False),
    (361 * DAY, Months(12, BERLIN), True), (Months(12, BERLIN), 370 * DAY, True), (Months(12, BERLIN), 369 * DAY, False),
])
def test_of_two_lengths_one_is_never_longer_only_if_that_is_sure(one: int | Months, other: int | Months, surely: bool) -> None:
    assert never_longer(one, other) == surely


@pytest.mark.parametrize(("length", "days"), [(5 * DAY, 5), (Months(1, BERLIN), 30), (Months(11, BERLIN), 330), (Months(12, BERLIN), 365),
                                              (Months(14, BERLIN), 425), (Months(24, BERLIN), 730)])
def test_about_how_long_a_length_is_counts_months_of_30_and_years_of_365_days(length: int | Months, days: int) -> None:
    assert nominal(length) == days * DAY


@pytest.mark.parametrize("zone", ZONES[:3], ids=str)
def test_steps_of_months_stop_at_the_ends_of_time(zone: ZoneInfo) -> None:
    earliest, latest = at(EARLIEST.isoformat(), zone), at(LATEST.isoformat(), zone)
    assert Months(13, zone).before(at("0003-02-15T10:00", zone)) == at("0002-01-15T10:00", zone)
    assert Months(12, zone).after(at("9996-12-15T10:00", zone)) == at("9997-12-15T10:00", zone)
    assert Months(14, zone).before(at("0003-02-15T10:00", zone)) == earliest
    assert Months(13, zone).after(at("9996-12-15T10:00", zone)) == latest
    assert Months(14, zone).after(at("9996-12-15T10:00", zone)) == latest
