"""What a trait makes of a set of events: one value, and until when it stands while no event comes or goes.

    Counted         how many
    Measured        sum, average, min, max, distinct of a property
    Edge            a property of the first or the last event that has one, or the time of that event
    Frequent        the property's most frequent value, or the first few of them as a list
    Different       all different values, a list
    Decaying        a score that halves once per half-life
    DaysSince       whole days (24 hours) since the first or the last event

Ties: most frequent goes to the most recent, then alphabetically; of several events at one instant counts what is alphabetically
first. None of it depends on the order in which events are met.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, Protocol, TypeAlias

import numpy as np

from connectors.base import DAY, Millis
from sync.language.decay import first_at, left, stays_above
from sync.language.happened import Measure, held
from sync.language.person import Event
from sync.language.values import (
    INT64_MAX,
    MILLION,
    Json,
    Path,
    RuleFailure,
    canonical,
    distinct_keys,
    instant_text,
    is_missing,
    look,
    number_text,
)
from sync.language.window import first_after

Which: TypeAlias = Literal["first", "last"]
Sort: TypeAlias = Literal["number", "time", "value", "list"]


class Figure(Protocol):
    """One way to make a value out of events."""

    @property
    def sort(self) -> Sort:
        """What kind of value it gives: a *value* is whatever the property holds."""

    @property
    def of(self) -> Path | None:
        """The property it reads, as it is."""

    @property
    def measure(self) -> Measure | None:
        """The amounts it reads, where it reads any."""

    def value(self, events: list[Event], now: Millis) -> Json:
        """The value, None where it is missing."""

    def turn(self, events: list[Event], now: Millis, levels: tuple[int, ...] | None) -> Millis | None:
        """The first instant after *now* at which the value may be another (beyond one of *levels*) although *events* stay."""


class Still:
    """What most figures share: time alone does not change them, and they read no amounts."""

    __slots__ = ()

    @property
    def measure(self) -> Measure | None:
        return None

    def turn(self, events: list[Event], now: Millis, levels: tuple[int, ...] | None) -> Millis | None:
        return None


@dataclass(frozen=True, slots=True)
class Counted(Still):
    @property
    def sort(self) -> Sort:
        return "number"

    @property
    def of(self) -> Path | None:
        return None

    def value(self, events: list[Event], now: Millis) -> Json:
        return len(events)


@dataclass(frozen=True, slots=True)
class Measured:
    """*measure* asks nothing of what it gives."""

    measure: Measure

    @property
    def sort(self) -> Sort:
        return "number"

    @property
    def of(self) -> Path | None:
        return None

    def value(self, events: list[Event], now: Millis) -> Json:
        found = self.measure.value(events)
        return None if found is None else number_value(rounded(found.numerator, found.denominator))

    def turn(self, events: list[Event], now: Millis, levels: tuple[int, ...] | None) -> Millis | None:
        return None


@dataclass(frozen=True, slots=True)
class Edge(Still):
    """Of the first or the last event: its time, or where *of* is said that property of the first or last one that has it."""

    which: Which
    of: Path | None

    @property
    def sort(self) -> Sort:
        return "time" if self.of is None else "value"

    def value(self, events: list[Event], now: Millis) -> Json:
        if self.of is None:
            at = edge(self.which, [event.at for event in events])
            return None if at is None else instant_text(at)
        told = [(event.at, look(event.properties, self.of)) for event in events]
        at = edge(self.which, [at for at, value in told if not is_missing(value)])
        return min((value for when, value in told if when == at and not is_missing(value)), key=canonical, default=None)


@dataclass(frozen=True, slots=True)
class Frequent(Still):
    """The most frequent of the values that `distinct` tells apart, as a text; with *most* a list of up to so many, first first."""

    of: Path
    most: int | None

    @property
    def sort(self) -> Sort:
        return "value" if self.most is None else "list"

    def value(self, events: list[Event], now: Millis) -> Json:
        seen: dict[str, list[Millis]] = {}
        for key, at in keys_of(events, self.of):
            seen.setdefault(key, []).append(at)
        ordered = sorted(seen, key=lambda key: (-len(seen[key]), -max(seen[key]), key))
        if self.most is None:
            return ordered[0] if ordered else None
        return ordered[: self.most] or None


@dataclass(frozen=True, slots=True)
class Different(Still):
    """All values that `distinct` tells apart, as texts in alphabetical order."""

    of: Path

    @property
    def sort(self) -> Sort:
        return "list"

    def value(self, events: list[Event], now: Millis) -> Json:
        return sorted({key for key, _ in keys_of(events, self.of)}) or None


@dataclass(frozen=True, slots=True)
class Decaying:
    """What is left of each event's amount (1 where *measure* is None; below 0 counts as 0), summed: it halves once per *half_life*."""

    measure: Measure | None
    half_life: Millis

    @property
    def sort(self) -> Sort:
        return "number"

    @property
    def of(self) -> Path | None:
        return None

    def value(self, events: list[Event], now: Millis) -> Json:
        return number_value(self.score(self.amounts(events), now))

    def amounts(self, events: list[Event]) -> list[tuple[Millis, int]]:
        """The time of each event that has an amount above 0, and that amount."""
        amounts = [(event, MILLION) for event in events] if self.measure is None else self.measure.amounts(events)
        return [(event.at, amount) for event, amount in amounts if amount > 0]

    def score(self, amounts: Sequence[tuple[Millis, int]], now: Millis) -> int:
        """Millionths; `RuleFailure` when they do not fit int64."""
        return held(self.total(amounts, now), () if self.measure is None else self.measure.of)

    def total(self, amounts: Sequence[tuple[Millis, int]], now: Millis) -> int:
        """The same, however large."""
        parts = left(
            np.array([amount for _, amount in amounts], np.int64), np.array([now - at for at, _ in amounts], np.int64), self.half_life,
        )
        return sum(parts.tolist())

    def turn(self, events: list[Event], now: Millis, levels: tuple[int, ...] | None) -> Millis | None:
        try:
            amounts = self.amounts(events)
        except RuleFailure:                                             # until an event comes or goes
            return None
        score = self.total(amounts, now)
        if score > INT64_MAX:
            return self.falls(amounts, INT64_MAX, now)
        level = next_level(levels, score)
        if level is None:
            return None
        stays = stays_above(np.array([level]), np.array([score]), np.array([len(amounts)]), self.half_life)
        return now + int(stays[0]) if stays[0] > 0 else self.falls(amounts, level, now)

    def falls(self, amounts: Sequence[tuple[Millis, int]], level: int, now: Millis) -> Millis:
        """The very first instant after *now* at which the score is at *level* or below."""
        return first_at(level, lambda at: self.total(amounts, at), now, self.half_life)


@dataclass(frozen=True, slots=True)
class DaysSince(Still):
    which: Which

    @property
    def sort(self) -> Sort:
        return "number"

    @property
    def of(self) -> Path | None:
        return None

    def value(self, events: list[Event], now: Millis) -> Json:
        at = edge(self.which, [event.at for event in events])
        return None if at is None else (now - at) // DAY

    def turn(self, events: list[Event], now: Millis, levels: tuple[int, ...] | None) -> Millis | None:
        at = edge(self.which, [event.at for event in events])
        if at is None:
            return None
        return first_after(now, *(at + days * DAY for days in next_days(levels, (now - at) // DAY)))


# --- what both evaluators count by ------------------------------------------------------------------------------------------


def edge(which: Which, times: Sequence[Millis]) -> Millis | None:
    """The first or the last of *times*."""
    return (min if which == "first" else max)(times, default=None)


def keys_of(events: list[Event], of: Path) -> Iterator[tuple[str, Millis]]:
    """Each value that `distinct` tells apart beside the time it was told, once per event."""
    return ((key, event.at) for event in events for key in distinct_keys(look(event.properties, of)))


def number_value(millionths: int) -> Json:
    """*millionths* as a value: an int where it is whole."""
    whole, part = divmod(millionths, MILLION)
    return Decimal(number_text(millionths)) if part else whole


def rounded(total: int, parts: int) -> int:
    """total ÷ parts, half away from zero; *parts* is above 0."""
    whole, rest = divmod(total, parts)
    return whole + (2 * rest >= parts if total >= 0 else 2 * rest > parts)


def next_level(levels: tuple[int, ...] | None, score: int) -> int | None:
    """The value at or below which a falling *score* is first judged otherwise; None where it never is."""
    below = [level if level < score else level - 1 for level in levels or () if 0 <= level <= score]
    return max((level for level in below if level >= 0), default=None)


def next_days(levels: tuple[int, ...] | None, days: int) -> tuple[int, ...]:
    """The numbers of days, above *days*, at which a count of days is judged otherwise: the next one, or what *levels* say."""
    if levels is None:
        return (days + 1,)
    reached = [-(-level // MILLION) for level in levels] + [level // MILLION + 1 for level in levels]
    return tuple(sorted(number for number in reached if number > days))
