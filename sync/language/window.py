"""Windows of time, as their reader sees them: each says which instants it holds. Millisecond-exact, half open.

This is the meaning; the fast evaluator has its own arithmetic (`sync.evaluate.edges`) and must agree with it.

`window.turn(at, now)` is the first instant after *now* at which `holds(at, ·)` may differ from its answer now; None: never.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from connectors.base import Millis, instant


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
    span: Millis

    def holds(self, at: Millis, now: Millis) -> bool:
        return now - self.span < at <= now

    def turn(self, at: Millis, now: Millis) -> Millis | None:
        return first_after(now, at, at + self.span)

    def __str__(self) -> str:
        return f"within {duration_text(self.span)}"


@dataclass(frozen=True, slots=True)
class Ago:
    """Between *far* and *near* ago, far > near."""

    far: Millis
    near: Millis

    def holds(self, at: Millis, now: Millis) -> bool:
        return now - self.far < at <= now - self.near

    def turn(self, at: Millis, now: Millis) -> Millis | None:
        return first_after(now, at + self.near, at + self.far)

    def __str__(self) -> str:
        return f"{duration_text(self.far)} to {duration_text(self.near)} ago"


@dataclass(frozen=True, slots=True)
class OlderThan:
    span: Millis

    def holds(self, at: Millis, now: Millis) -> bool:
        return at <= now - self.span

    def turn(self, at: Millis, now: Millis) -> Millis | None:
        return first_after(now, at + self.span)

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

    span: Millis

    def holds(self, at: Millis, now: Millis) -> bool:
        return now < at <= now + self.span

    def turn(self, at: Millis, now: Millis) -> Millis | None:
        return first_after(now, at - self.span, at)

    def __str__(self) -> str:
        return f"within the next {duration_text(self.span)}"


Window: TypeAlias = Ever | Within | Ago | OlderThan | Dates
Relative: TypeAlias = Within | OlderThan | Ahead


def first_after(now: Millis, *instants: Millis | None) -> Millis | None:
    """The earliest of *instants* that is still to come; None when none is."""
    return min((each for each in instants if each is not None and each > now), default=None)


UNITS: dict[str, Millis] = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}


def reach(window: Window, now: Millis) -> Millis | None:
    """How long before *now* the window begins, None when it has no beginning; tells how much history it needs."""
    match window:
        case Within(span) | Ago(span, _):
            return span
        case Dates(since, _) if since is not None:
            return max(0, now - since)
        case _:
            return None


def duration_text(span: Millis) -> str:
    """*span* in the largest unit that divides it: 1209600000 is `14d` (days read better than weeks)."""
    unit = next((unit for unit in ("d", "h", "m", "s") if span % UNITS[unit] == 0), None)
    return f"{span // UNITS[unit]}{unit}" if unit else f"{span}ms"


def _moment(at: Millis) -> str:
    moment = instant(at)
    return moment.isoformat(timespec="minutes" if at % 60_000 == 0 else "milliseconds").replace("+00:00", "Z")
