"""Windows of time, as their reader sees them: each says which instants it holds. Millisecond-exact, half open.

This is the meaning; the fast evaluator has its own arithmetic (`sync.evaluate.edges`) and must agree with it.

`window.turn(at, now)` is the first instant after *now* at which `holds(at, ·)` may differ from its answer now; None: never.
No edge of any window moves back as now goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from connectors.base import Millis, instant
from sync.language.calendars import Calendar, Length, Months, after, before, until_after, until_before


@dataclass(frozen=True, slots=True)
class Ever:
    """Up to now: an event from the future waits until its time comes."""

    def holds(self, at: Millis, now: Millis) -> bool:
        return at <= now

    def turn(self, at: Millis, now: Millis) -> Millis | None:
        return first_after(now, at)

    def __str__(self) -> str:
        return "ever"


@dataclass(frozen=True, slots=True)
class Within:
    span: Length

    def holds(self, at: Millis, now: Millis) -> bool:
        return before(now, self.span) < at <= now

    def turn(self, at: Millis, now: Millis) -> Millis | None:
        return first_after(now, at, until_before(at, self.span))

    def __str__(self) -> str:
        return f"within {duration_text(self.span)}"


@dataclass(frozen=True, slots=True)
class Ago:
    """Between *far* and *near* ago; far is the longer one, at any time."""

    far: Length
    near: Length

    def holds(self, at: Millis, now: Millis) -> bool:
        return before(now, self.far) < at <= before(now, self.near)

    def turn(self, at: Millis, now: Millis) -> Millis | None:
        return first_after(now, until_before(at, self.near), until_before(at, self.far))

    def __str__(self) -> str:
        return f"{duration_text(self.far)} to {duration_text(self.near)} ago"


@dataclass(frozen=True, slots=True)
class OlderThan:
    span: Length

    def holds(self, at: Millis, now: Millis) -> bool:
        return at <= before(now, self.span)

    def turn(self, at: Millis, now: Millis) -> Millis | None:
        return first_after(now, until_before(at, self.span))

    def __str__(self) -> str:
        return f"longer than {duration_text(self.span)} ago"


@dataclass(frozen=True, slots=True)
class Dates:
    """From *since* (taken in) to *until* (not taken in), and never beyond now."""

    since: Millis | None
    until: Millis | None

    def holds(self, at: Millis, now: Millis) -> bool:
        begun = self.since is None or self.since <= at
        ended = self.until is not None and at >= self.until
        return begun and not ended and at <= now

    def turn(self, at: Millis, now: Millis) -> Millis | None:
        return first_after(now, at)

    def __str__(self) -> str:
        since = "" if self.since is None else f"since {_moment(self.since)}"
        until = "" if self.until is None else f"before {_moment(self.until)}"
        return f"{since} {until}".strip()


@dataclass(frozen=True, slots=True)
class Ahead:
    """The time that comes: only for date fields (`within_next`)."""

    span: Length

    def holds(self, at: Millis, now: Millis) -> bool:
        return now < at <= after(now, self.span)

    def turn(self, at: Millis, now: Millis) -> Millis | None:
        return first_after(now, until_after(at, self.span), at)

    def __str__(self) -> str:
        return f"within the next {duration_text(self.span)}"


@dataclass(frozen=True, slots=True)
class During:
    """One period of a calendar: the one that holds now (*shift* 0), the one before (-1) or after it (1).

    *past*: never beyond now, as for events; a date field has the rest of the running period, too.
    """

    calendar: Calendar
    shift: int
    past: bool

    def holds(self, at: Millis, now: Millis) -> bool:
        start, end = self.span(now)
        return start <= at < end and (at <= now or not self.past)

    def span(self, now: Millis) -> tuple[Millis, Millis]:
        """From the first instant of the period to the first one after it."""
        number = self.calendar.number(now) + self.shift
        return self.calendar.start(number), self.calendar.start(number + 1)

    def turn(self, at: Millis, now: Millis) -> Millis | None:
        number = self.calendar.number(at) - self.shift
        begins, ends = self.calendar.start(number), self.calendar.start(number + 1)
        return first_after(now, max(begins, at) if self.past else begins, ends)

    def __str__(self) -> str:
        return f"during {self.word}"

    @property
    def reach(self) -> Millis:
        """How far back it looks at most, about: from the end of the running period."""
        return (1 - self.shift) * LONGEST_PERIODS[self.calendar.unit] * UNITS["d"]

    @property
    def word(self) -> str:
        return period_word(self.calendar.unit, self.shift)


Window: TypeAlias = Ever | Within | Ago | OlderThan | Dates | During
Relative: TypeAlias = Within | OlderThan | Ahead | During


def first_after(now: Millis, *instants: Millis | None) -> Millis | None:
    """The earliest of *instants* that is still to come; None when none is."""
    return min((each for each in instants if each is not None and each > now), default=None)


UNITS: dict[str, Millis] = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}


def reach(window: Window, now: Millis) -> Millis | None:
    """How long before *now* the window begins, None when it has no beginning; tells how much history it needs."""
    match window:
        case Within(span) | Ago(span, _):
            return now - before(now, span)
        case Dates(since, _) if since is not None:
            return max(0, now - since)
        case During():
            return max(0, now - window.span(now)[0])
        case _:
            return None


def duration_text(span: Length) -> str:
    """*span* in the largest unit that divides it: 1209600000 is `14d` (days read better than weeks)."""
    if isinstance(span, Months):
        return str(span)
    unit = next((unit for unit in ("d", "h", "m", "s") if span % UNITS[unit] == 0), None)
    return f"{span // UNITS[unit]}{unit}" if unit else f"{span}ms"


LONGEST_PERIODS = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 365}   # days; a leap day moves no warning

_DAYS = {-1: "yesterday", 0: "today", 1: "tomorrow"}
_SHIFTS = {-1: "last", 0: "this", 1: "next"}
PERIODS: dict[str, tuple[str, int]] = {
    **{word: ("day", shift) for shift, word in _DAYS.items()},
    **{f"{word}_{unit}": (unit, shift) for unit in Calendar.UNITS if unit != "day" for shift, word in _SHIFTS.items()},
}


def period_word(unit: str, shift: int) -> str:
    """What `during:` calls a period: `yesterday`, `this_week`."""
    return _DAYS[shift] if unit == "day" else f"{_SHIFTS[shift]}_{unit}"


def _moment(at: Millis) -> str:
    moment = instant(at)
    return moment.isoformat(timespec="minutes" if at % 60_000 == 0 else "milliseconds").replace("+00:00", "Z")
