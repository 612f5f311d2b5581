"""Conditions on periods of time: in how many of the last ones something happened, and for how many in a row.

    Rolling     periods of one length that roll back from now
    Calendar    days, weeks or months of a zone, the running one first (`sync.language.calendars`)

Periods are numbered back from now: 0 is the one that holds now.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, repeat, takewhile
from typing import TypeAlias

from connectors.base import Millis
from sync.language.calendars import EARLIEST, Calendar
from sync.language.happened import Filter
from sync.language.nodes import Leaf
from sync.language.patterns import beginnings, concerned, present
from sync.language.person import Event, Person
from sync.language.predicates import NumberTest
from sync.language.values import MILLION
from sync.language.window import duration_text, first_after

MOST_PERIODS = 1000


@dataclass(frozen=True, slots=True)
class Rolling:
    """Periods of *span*, the newest of which ends now."""

    span: Millis

    def __str__(self) -> str:
        return duration_text(self.span)


Period: TypeAlias = Rolling | Calendar


def edges(period: Period, now: Millis) -> Iterator[Millis]:
    """now, and the last instant before each period from the running one on: period n holds t when edge n+1 < t ≤ edge n.

    A day that a zone left out (it has no instant) is no period. Before the calendar's start there are only empty ones.
    """
    yield now
    if isinstance(period, Rolling):
        yield from count(now - period.span, -period.span)
        return
    latest = now
    for number in range(period.number(now), period.number_of(EARLIEST.date()) - 1, -1):
        start = period.start(number)
        if start <= latest:
            yield start - 1
        latest = min(latest, start - 1)
    yield from repeat(latest)


def last_edges(period: Period, now: Millis, periods: int) -> list[Millis]:
    """The edges of the last *periods*, ascending."""
    return [edge for _, edge in zip(range(periods + 1), edges(period, now), strict=False)][::-1]


def next_edge(period: Calendar, now: Millis) -> Millis:
    """When the running period ends."""
    return period.start(period.number(now) + 1)


def counts_by_period(period: Period, events: list[Event], now: Millis, periods: int) -> Counter[int]:
    """How many of *events* (none from the future) each of the last *periods* holds."""
    found: Counter[int] = Counter()
    borders = last_edges(period, now, periods)[::-1]
    for event in events:
        found.update(number for number in range(periods) if borders[number + 1] < event.at <= borders[number])
    return found


def period_turn(period: Period, which: Filter, periods: int, person: Person, now: Millis) -> Millis | None:
    """When the first event begins, changes its period or leaves the last one."""
    events = concerned(which, person, now)
    begun = last_edges(period, now, periods)[0]
    inside = [event.at for event in events if begun < event.at <= now]
    if isinstance(period, Rolling):
        moves = [at + ((now - at) // period.span + 1) * period.span for at in inside]
    else:
        moves = [next_edge(period, now)] if inside else []
    return first_after(now, *moves, beginnings(which, events, now))


@dataclass(frozen=True, slots=True)
class Regularly(Leaf):
    """In at least *least* of the last *periods* the number of such events passes *count*."""

    filter: Filter
    period: Period
    least: int
    periods: int
    count: NumberTest

    def matches(self, person: Person, now: Millis) -> bool:
        return self.reached(person, now) >= self.least

    def reached(self, person: Person, now: Millis) -> int:
        """In how many of the last *periods* it did."""
        found = counts_by_period(self.period, present(self.filter, person, now), now, self.periods)
        return sum(self.count.holds(found[number]) for number in range(self.periods))

    def turn(self, person: Person, now: Millis) -> Millis | None:
        return period_turn(self.period, self.filter, self.periods, person, now)

    def evidence(self, person: Person, now: Millis) -> tuple[Event, ...]:
        begun = last_edges(self.period, now, self.periods)[0]
        return tuple(event for event in present(self.filter, person, now) if event.at > begun)


@dataclass(frozen=True, slots=True)
class Streak(Leaf):
    """For how many periods in a row, up to the running or the last full one, the number of such events passes *count*.

    A rolling period is full as it ends now. *length* tests that number, which is counted no further than it needs to know (`most`).
    """

    filter: Filter
    period: Period
    length: NumberTest
    count: NumberTest

    @property
    def most(self) -> int:
        """A longer streak passes *length* exactly if this one does."""
        return max(number for limit in self.length.limits for number in limit.numbers) // int(MILLION) + 1

    @property
    def periods(self) -> int:
        """How many periods it may look at."""
        return self.most + isinstance(self.period, Calendar)

    def matches(self, person: Person, now: Millis) -> bool:
        return self.length.holds(self.reached(person, now))

    def reached(self, person: Person, now: Millis) -> int:
        """How long the streak is, up to `most`."""
        found = counts_by_period(self.period, present(self.filter, person, now), now, self.periods)
        passed = [self.count.holds(found[number]) for number in range(self.periods)]
        running = 0 if passed[0] or isinstance(self.period, Rolling) else 1
        return min(self.most, sum(1 for _ in takewhile(bool, passed[running:])))

    def turn(self, person: Person, now: Millis) -> Millis | None:
        return period_turn(self.period, self.filter, self.periods, person, now)

    def evidence(self, person: Person, now: Millis) -> tuple[Event, ...]:
        """The events of the periods that it looks at."""
        begun = last_edges(self.period, now, self.periods)[0]
        return tuple(event for event in present(self.filter, person, now) if event.at > begun)
