"""Predicates on what comes round every year: a birthday soon, an anniversary next week. Asked of whole local days.

A date's year says nothing: its month and day come round in every year. 29 February falls on 28 February where there is none.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import TypeAlias
from zoneinfo import ZoneInfo

from connectors.base import Millis
from sync.language.calendars import Calendar
from sync.language.values import Json, elements, is_missing, read_span
from sync.language.window import During, first_after

MonthDay: TypeAlias = tuple[int, int]

LEAP = 2000                                                             # a year that has every day
_WRITTEN = re.compile(r"(?:([0-9]{4})-)?([0-9]{2})-([0-9]{2})")


def read_month_day(value: Json, zone: ZoneInfo) -> MonthDay | None:
    """Month and day of a date, of an instant in *zone*, of MM-DD and of MM/DD; None for all else."""
    if not isinstance(value, str):
        return None
    written = _WRITTEN.fullmatch(value.replace("/", "-") if len(value) == 5 else value)  # Mailchimp writes birthdays as MM/DD
    if written is not None:
        return _day_of_year(int(written[1] or LEAP), int(written[2]), int(written[3]))
    span = read_span(value, zone)
    if span is None:
        return None
    local = today(span[0], zone)
    return local.month, local.day


def _day_of_year(year: int, month: int, day: int) -> MonthDay | None:
    try:
        date(year, month, day)
    except ValueError:                                                  # 30 February
        return None
    return month, day


def today(now: Millis, zone: ZoneInfo) -> date:
    """The local day that holds *now*."""
    return date.fromordinal(Calendar("day", zone).number(now))


def anniversary(of: MonthDay, year: int) -> date:
    """When *of* comes round in *year*."""
    month, day = of
    return date(year, month, min(day, monthrange(year, month)[1]))


class YearlyTest(ABC):
    """What both share: a value, or any element of a list, that has a month and a day is asked about those."""

    __slots__ = ()

    def lacks(self, value: Json, record: Mapping[str, Json]) -> bool:
        return is_missing(value)

    def holds(self, value: Json, record: Mapping[str, Json], now: Millis, zone: ZoneInfo) -> bool:
        days = (read_month_day(each, zone) for each in elements(value))
        return any(_comes(self, day, now, zone) for day in days if day is not None)

    def turn(self, value: Json, record: Mapping[str, Json], now: Millis, zone: ZoneInfo) -> Millis | None:
        days = (read_month_day(each, zone) for each in elements(value))
        return first_after(now, *(_next_turn(self, day, now, zone) for day in days if day is not None))

    @abstractmethod
    def comes(self, of: MonthDay, now: Millis, zone: ZoneInfo) -> bool:
        """Whether that day of the year comes round when it is asked for."""

    @abstractmethod
    def next_turn(self, of: MonthDay, now: Millis, zone: ZoneInfo) -> Millis | None:
        """The first local midnight after *now* at which `comes` may answer otherwise."""


@lru_cache(maxsize=4096)                                                # a year has few days, and people were born on all of them
def _comes(test: YearlyTest, of: MonthDay, now: Millis, zone: ZoneInfo) -> bool:
    return test.comes(of, now, zone)


@lru_cache(maxsize=4096)
def _next_turn(test: YearlyTest, of: MonthDay, now: Millis, zone: ZoneInfo) -> Millis | None:
    return test.next_turn(of, now, zone)


@dataclass(frozen=True, slots=True)
class AnniversaryWithin(YearlyTest):
    """It is today or one of the next *days* local days."""

    days: int

    def comes(self, of: MonthDay, now: Millis, zone: ZoneInfo) -> bool:
        day = today(now, zone)
        this = anniversary(of, day.year)
        soonest = this if this >= day else anniversary(of, day.year + 1)
        return (soonest - day).days <= self.days

    def next_turn(self, of: MonthDay, now: Millis, zone: ZoneInfo) -> Millis | None:
        days, year = Calendar("day", zone), today(now, zone).year
        coming = [anniversary(of, year + ahead) for ahead in range(3)]
        edges = [edge for day in coming for edge in (day - timedelta(days=self.days), day + timedelta(days=1))]
        return first_after(now, *(days.start(edge.toordinal()) for edge in edges))

    def __str__(self) -> str:
        return f"anniversary within {self.days}d"


@dataclass(frozen=True, slots=True)
class AnniversaryDuring(YearlyTest):
    """It falls in a calendar period, seen from now."""

    period: During

    def comes(self, of: MonthDay, now: Millis, zone: ZoneInfo) -> bool:
        calendar = self.period.calendar
        number = calendar.number(now) + self.period.shift
        first, end = calendar.first_day(number), calendar.first_day(number + 1)
        return any(first <= anniversary(of, year) < end for year in (first.year, end.year))

    def next_turn(self, of: MonthDay, now: Millis, zone: ZoneInfo) -> Millis | None:
        calendar, year = self.period.calendar, today(now, zone).year
        coming = [calendar.number_of(anniversary(of, year + ahead)) - self.period.shift for ahead in range(-1, 4)]
        return first_after(now, *(calendar.start(number + past) for number in coming for past in (0, 1)))

    def __str__(self) -> str:
        return f"anniversary {self.period}"
