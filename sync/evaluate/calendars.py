"""Steps of months and calendar periods of whole columns of instants: the fast twin of `sync.language.calendars`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from connectors.base import Millis, instant, millis
from sync.evaluate.snapshot import Ints
from sync.language.calendars import EARLIEST, FIRST, LAST, LATEST, Calendar, Months
from sync.language.occasions import MonthDay

DAY = 86_400_000
FAR = 2**62
STEP = 4 * DAY                                                          # no zone changes its offset more often than that
_LOCAL_BOUNDS = millis(EARLIEST.replace(tzinfo=UTC)), millis(LATEST.replace(tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Clocks:
    """The clocks of one zone over some years; local times are milliseconds as if they were UTC.

    From *starts*[i] on they are *offsets*[i] ahead of UTC. *peaks*[i] is the end of the hours shown before that, *ends*[i] the
    latest local time shown up to the next change.
    """

    starts: Ints
    offsets: Ints
    peaks: Ints
    ends: Ints

    def shown(self, at: Ints) -> Ints:
        """Local times; through an hour that is repeated its end."""
        found: Ints = np.maximum(self._local(at), self.peaks[self._places(at)])
        return found

    def reached(self, at: Ints) -> Ints:
        """The latest local time that was shown so far."""
        found: Ints = np.maximum(self._local(at), self.peaks[self._places(at)] - 1)
        return found

    def instants(self, local: Ints) -> Ints:
        """The first instant at which the clocks have reached a local time."""
        places = np.searchsorted(self.ends, local)
        found: Ints = np.maximum(self.starts[places], local - self.offsets[places])
        return found

    def _places(self, at: Ints) -> npt.NDArray[np.intp]:
        found: npt.NDArray[np.intp] = np.searchsorted(self.starts, at, side="right") - 1
        return found

    def _local(self, at: Ints) -> Ints:
        local: Ints = at + self.offsets[self._places(at)]
        return local


def clocks(zone: ZoneInfo, earliest: Millis, latest: Millis) -> Clocks:
    """The clocks of *zone*, right for all instants from a year before *earliest* to a year after *latest*."""
    return _clocks(zone, instant(max(earliest, FIRST)).year - 1, min(instant(min(latest, LAST)).year + 1, LATEST.year))


@lru_cache(maxsize=64)
def _clocks(zone: ZoneInfo, first: int, last: int) -> Clocks:
    changes = [change for year in range(first, last + 1) for change in _changes(zone, year)]
    starts = np.array([-FAR, *(at for at, _ in changes)], np.int64)
    offsets = np.array([_offset(_new_year(first), zone), *(offset for _, offset in changes)], np.int64)
    peaks = np.maximum.accumulate(np.append(-FAR, starts[1:] + offsets[:-1]))
    ends = np.maximum.accumulate(np.append(starts[1:] + offsets[:-1] - 1, FAR))
    return Clocks(starts, offsets, peaks, ends)


@lru_cache(maxsize=20_000)
def _changes(zone: ZoneInfo, year: int) -> tuple[tuple[Millis, Millis], ...]:
    """When the clocks change in a year (UTC), and how far ahead of UTC they are from then on."""
    edges = [*range(_new_year(year), _new_year(year + 1), STEP), _new_year(year + 1)]
    offsets = [_offset(at, zone) for at in edges]
    return tuple(_found(zone, edges, offsets))


def _found(zone: ZoneInfo, edges: list[Millis], offsets: list[Millis]) -> Iterator[tuple[Millis, Millis]]:
    for place, offset in enumerate(offsets[1:]):
        if offset != offsets[place]:
            low, high = edges[place], edges[place + 1]
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (low, middle) if _offset(middle, zone) == offset else (middle, high)
            yield high, offset


def _new_year(year: int) -> Millis:
    return millis(datetime(year, 1, 1, tzinfo=UTC))


def _offset(at: Millis, zone: ZoneInfo) -> Millis:
    offset = instant(at).astimezone(zone).utcoffset() or timedelta(0)
    return offset // timedelta(milliseconds=1)


# --- months ----------------------------------------------------------------------------------------------------------------------


def until_before(at: Ints, months: Months) -> Ints:
    """`Months.until_before` of each instant."""
    return _first(at, months, -months.count)


def until_after(at: Ints, months: Months) -> Ints:
    """`Months.until_after` of each instant."""
    return _first(at, months, months.count)


def _first(at: Ints, months: Months, count: int) -> Ints:
    if not len(at):
        return at
    at = np.clip(at, FIRST, LAST)
    far = abs(count) * 31 * DAY
    wall = clocks(months.zone, int(at.min()) - far, int(at.max()) + far)
    shown = np.minimum(wall.shown(at), wall.shown(at - 1) + 1)
    begun = np.clip(_first_stepped(shown, count), *_LOCAL_BOUNDS)
    return np.minimum(wall.instants(begun), wall.instants(begun - 1) + 1)


def _first_stepped(local: Ints, count: int) -> Ints:
    """The first local time from which a step of *count* months gets to *local* or beyond."""
    number = months_of(local // DAY)
    start = month_starts(number) * DAY
    target = month_starts(number - count) * DAY
    stepped = np.minimum(target + (local - start), month_starts(number - count + 1) * DAY)
    before, lengthy = month_starts(number - 1 - count) * DAY, month_starts(number) - month_starts(number - 1)
    lacking = np.minimum(before + lengthy * DAY, target)                # from the first day that the month before has not
    return np.where(local == start, lacking, stepped)


def months_of(days: Ints) -> Ints:
    """The month of each day, both counted from January 1970."""
    found: Ints = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return found


def month_starts(months: Ints) -> Ints:
    """The first day of each month, both counted from January 1970."""
    found: Ints = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    return found


# --- periods ---------------------------------------------------------------------------------------------------------------------

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC).toordinal()
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


def numbers(at: Ints, calendar: Calendar) -> Ints:
    """`Calendar.number` of each instant."""
    days = local_days(at, calendar.zone)
    if calendar.unit == "day":
        return days + _EPOCH
    if calendar.unit == "week":
        return (days + _EPOCH - 1 - calendar.week_starts) // 7
    return (months_of(days) + 1970 * 12) // _MONTHS[calendar.unit]


def local_days(at: Ints, zone: ZoneInfo) -> Ints:
    """The local day that holds each instant, counted from 1 January 1970."""
    if not len(at):
        return at
    at = np.clip(at, FIRST, LAST)
    return clocks(zone, int(at.min()), int(at.max())).reached(at) // DAY


def per_month_day(at: Ints, zone: ZoneInfo, question: Callable[[MonthDay], object], kind: type) -> npt.NDArray[Any]:
    """The answer to *question* for the local month and day of each instant, asked once for each there is."""
    days = local_days(at, zone)
    months = months_of(days)
    keys, places = np.unique(months % 12 * 32 + days - month_starts(months), return_inverse=True)
    answers = [question((key // 32 + 1, key % 32 + 1)) for key in keys.tolist()]
    return np.array(answers, kind)[places]


def starts(number: Ints, calendar: Calendar) -> Ints:
    """`Calendar.start` of each period."""
    if not len(number):
        return number
    if calendar.unit == "day":
        days = number - _EPOCH
    elif calendar.unit == "week":
        days = number * 7 + 1 + calendar.week_starts - _EPOCH
    else:
        days = month_starts(number * _MONTHS[calendar.unit] - 1970 * 12)
    local = np.clip(days * DAY, *_LOCAL_BOUNDS)
    return clocks(calendar.zone, int(local.min()), int(local.max())).instants(local)
