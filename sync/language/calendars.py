"""Local calendars as exact instants: periods (day, week, month, quarter, year), and steps of whole months.

    Calendar    number(at): which period holds an instant; start(number): when a period begins
    Months      before(now), after(now): an edge some months away; until_before(at), until_after(at): when it gets there
    Length      milliseconds, or Months

Nothing here ever moves back as time goes on, whatever the clocks do. A period begins when the local clock first shows its first
midnight (or has leapt over it) and ends when the next one begins. Steps of months take a day that a month lacks as that month's
end, a local time that does not exist as the end of the gap and one that exists twice as the earlier; while the clock runs through
an hour for the second time they start from that hour's end.

What lies before the year 3 or after 9996 counts as if it stood at that end, so that no sum of two instants overflows. Rules are asked
of moments from ASKED_FROM on and before ASKED_UNTIL only: from there the longest series of periods stays within a calendar.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import ClassVar, TypeAlias
from zoneinfo import ZoneInfo

from connectors.base import Millis, instant, millis
from sync.language.values import local_millis

EARLIEST, LATEST = datetime(2, 1, 1), datetime(9998, 1, 1)              # noqa: DTZ001 - local by intent
FIRST, LAST = millis(datetime(3, 1, 1, tzinfo=UTC)), millis(datetime(9997, 1, 1, tzinfo=UTC))

ASKED_FROM, ASKED_UNTIL = millis(datetime(1000, 1, 1, tzinfo=UTC)), millis(datetime(9000, 1, 1, tzinfo=UTC))
BEYOND = "lies outside the years 1000 to 8999"

_TICK = timedelta(milliseconds=1)
_NONE = timedelta(0)


def clock(at: Millis, zone: ZoneInfo) -> datetime:
    """What the clock on the wall shows, naive; while it runs through an hour for the second time it waits at that hour's end."""
    local = _local(at, zone)
    if not local.fold:
        return local.replace(tzinfo=None)
    again = (local.replace(fold=0).utcoffset() or _NONE) - (local.utcoffset() or _NONE)
    low, high = at - again // _TICK, at                                 # the clock was put back after low, at high at the latest
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _local(middle, zone).fold else (middle, high)
    return _local(high, zone).replace(tzinfo=None, fold=0) + again


def _local(at: Millis, zone: ZoneInfo) -> datetime:
    return instant(min(max(at, FIRST), LAST)).astimezone(zone)


def askable(at: Millis) -> bool:
    """Whether a rule can be asked of *at*; else it is BEYOND."""
    return ASKED_FROM <= at < ASKED_UNTIL


# --- months ----------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Months:
    """*count* months (a year is twelve) in the calendar of *zone*."""

    count: int
    zone: ZoneInfo

    def before(self, now: Millis) -> Millis:
        """The instant so long before *now*."""
        return local_millis(_stepped(clock(now, self.zone), -self.count), self.zone)

    def after(self, now: Millis) -> Millis:
        """The instant so long after *now*."""
        return local_millis(_stepped(clock(now, self.zone), self.count), self.zone)

    def until_before(self, at: Millis) -> Millis:
        """The first now for which `before(now)` has reached *at*."""
        return self._first(at, -self.count)

    def until_after(self, at: Millis) -> Millis:
        """The first now for which `after(now)` has reached *at*."""
        return self._first(at, self.count)

    def _first(self, at: Millis, months: int) -> Millis:
        """Backwards through what a step does: clock → step → instant, each undone to the first that leads there."""
        shown = min(clock(at, self.zone), clock(at - 1, self.zone) + _TICK)
        begun = _first_stepped(shown, months)
        return min(local_millis(begun, self.zone), local_millis(begun - _TICK, self.zone) + 1)

    def __str__(self) -> str:
        return f"{self.count}mo" if self.count % 12 else f"{self.count // 12}y"


def _stepped(local: datetime, months: int) -> datetime:
    """*local* some *months* later (earlier if negative); a day that the month lacks is the month's end."""
    number = _month(local) + months
    return _at_day(local, number) if local.day <= _days(number) else _month_start(number + 1)


def _first_stepped(local: datetime, months: int) -> datetime:
    """The first local time from which a step of *months* gets to *local* or beyond."""
    number = _month(local)
    if local == _month_start(number):
        day = _days(number - 1) + 1                                     # the first one that the month before lacks, if any
        lacking = day <= _days(number - 1 - months)
        return _month_start(number - 1 - months) + timedelta(days=day - 1) if lacking else _month_start(number - months)
    number -= months
    return _at_day(local, number) if local.day <= _days(number) else _month_start(number + 1)


def _month(local: datetime | date) -> int:
    return local.year * 12 + local.month - 1


def _month_start(number: int) -> datetime:
    number = min(max(number, _month(EARLIEST)), _month(LATEST))
    return datetime(number // 12, number % 12 + 1, 1)                   # noqa: DTZ001 - local by intent


def _days(number: int) -> int:
    year, month = divmod(number, 12)
    return monthrange(2000 + year % 400, month + 1)[1]                  # for any year: the calendar repeats itself


def _at_day(local: datetime, number: int) -> datetime:
    beyond = not _month(EARLIEST) <= number < _month(LATEST)
    return _month_start(number) + (local - _month_start(_month(local)) if not beyond else _NONE)


# --- periods ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Calendar:
    """Local periods of one *unit*, numbered without a gap. *week_starts*: 0 is Monday, 6 Sunday."""

    UNITS: ClassVar[tuple[str, ...]] = ("day", "week", "month", "quarter", "year")
    unit: str
    zone: ZoneInfo
    week_starts: int = 0

    def number(self, at: Millis) -> int:
        """The period that holds *at*."""
        number = self.number_of(_local(at, self.zone).date())
        return number + 1 if self.start(number + 1) <= min(at, LAST) else number  # put back over the beginning of the next one

    def start(self, number: int) -> Millis:
        """The first instant of a period, which is the end of the one before."""
        return local_millis(_midnight(self.first_day(number)), self.zone)

    def number_of(self, day: date) -> int:
        """The period that holds a local day."""
        match self.unit:
            case "day":
                return day.toordinal()
            case "week":
                return (day.toordinal() - 1 - self.week_starts) // 7
            case "month":
                return _month(day)
            case "quarter":
                return _month(day) // 3
            case _:
                return day.year

    def first_day(self, number: int) -> date:
        """The local day that a period begins with."""
        match self.unit:
            case "day":
                return _day(number)
            case "week":
                return _day(number * 7 + 1 + self.week_starts)
            case "month":
                return _month_start(number).date()
            case "quarter":
                return _month_start(number * 3).date()
            case _:
                return _month_start(number * 12).date()


def _day(ordinal: int) -> date:
    return date.fromordinal(min(max(ordinal, EARLIEST.toordinal()), LATEST.toordinal()))


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)                       # noqa: DTZ001 - local by intent


# --- lengths of time -------------------------------------------------------------------------------------------------------------

Length: TypeAlias = Millis | Months


def before(now: Millis, length: Length) -> Millis:
    """The instant so long before *now*; never moves back."""
    return length.before(now) if isinstance(length, Months) else now - length


def after(now: Millis, length: Length) -> Millis:
    """The instant so long after *now*; never moves back."""
    return length.after(now) if isinstance(length, Months) else now + length


def until_before(at: Millis, length: Length) -> Millis:
    """The first now for which `before(now, length)` has reached *at*."""
    return length.until_before(at) if isinstance(length, Months) else at + length


def until_after(at: Millis, length: Length) -> Millis:
    """The first now for which `after(now, length)` has reached *at*."""
    return length.until_after(at) if isinstance(length, Months) else at - length


def nominal(length: Length) -> Millis:
    """About how long it is: exact in milliseconds, a month is 30 days and a year 365, as `settings.history` counts them."""
    if not isinstance(length, Months):
        return length
    years, months = divmod(length.count, 12)
    return (years * 365 + months * 30) * 86_400_000


def never_longer(one: Length, other: Length) -> bool:
    """Whether *one* surely takes no longer than *other*, from whatever now on."""
    if isinstance(one, Months) and isinstance(other, Months) and one.zone == other.zone:
        return one.count <= other.count
    return extremes(one)[1] <= extremes(other)[0]


def extremes(length: Length) -> tuple[Millis, Millis]:
    """Two lengths of which one is never longer and one never shorter than *length*, whatever the calendar and the clocks do."""
    if not isinstance(length, Months):
        return length, length
    days = length.count * 146_097 // 4800                               # 400 years have so many days
    return (days - 4) * 86_400_000, (days + 5) * 86_400_000
