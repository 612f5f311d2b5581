"""What the random worlds are drawn from: moments, texts, numbers; and rules as they stand in a file."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from sync.language.values import instant_text
from sync.located import Listing, Mapping, Place, Scalar, Value
from tests.language.support import NOW, at

Rule = Any
SECOND, HOUR, DAY = 1000, 3_600_000, 86_400_000
SPANS = {"90s": 90 * SECOND, "2h": 2 * HOUR, "1d": DAY, "1w": 7 * DAY, "30d": 30 * DAY}
CALENDAR_EDGES = tuple(map(at, (
    "2026-06-15", "2026-06-14", "2026-06-08", "2026-06-01", "2026-05-15T14:00", "2026-04-01", "2026-01-01", "2025-06-15T14:00",
    "2026-06-16", "2026-06-22",
)))
PAST_PERIODS = ("today", "yesterday", "this_week", "last_week", "this_month", "last_month", "this_quarter", "this_year")
MOMENTS = (NOW - 14 * DAY, NOW - 3 * DAY, NOW - HOUR)                       # what `since` and `until` may name
SEGMENTS = ("first", "second", "third")


class Quoted(str):
    """A text that stands in quotes in the file."""


def located(value: Any) -> Value:
    """*value* as if it stood in a file: texts plain unless `Quoted`."""
    place = Place("rule.yaml", 1, 1)
    if isinstance(value, dict):
        return Mapping(tuple((Scalar(key, True, place), located(held)) for key, held in value.items()), place)
    if isinstance(value, list):
        return Listing(tuple(map(located, value)), place)
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return Scalar(text, not isinstance(value, Quoted), place)


def moment(rng: Random) -> int:
    """A time on an edge, one millisecond beside it, or between edges."""
    edge = rng.choice([NOW, *(NOW - span for span in SPANS.values()), *MOMENTS, rng.choice(CALENDAR_EDGES)])
    return edge + rng.choice([-1, 0, 0, 1, -HOUR, -5 * DAY, HOUR])


def some(rng: Random, *values: Any) -> dict[str, Any]:
    """One of *values* under "x", or nothing at all."""
    return {"x": rng.choice(values)} if rng.random() < 0.85 else {}


def value_of(rng: Random, *values: Any) -> Any:
    return some(rng, *values).get("x")


def span(rng: Random) -> str:
    return rng.choice(list(SPANS))


def moment_text(rng: Random) -> str:
    return instant_text(rng.choice(MOMENTS))


def number_test(rng: Random, *numbers: Any) -> dict[str, Any]:
    low, high = sorted(rng.choices(numbers, k=2))
    return rng.choice([
        {"at_least": low}, {"more_than": low}, {"at_most": high}, {"less_than": high}, {"between": [low, high]},
        {"is": low}, {"is_not": high}, {"in": [low, high]}, {"not_in": [low, high]},
    ])


def asked(field: str, *tests: Any) -> Callable[[Random], Rule]:
    """A `contact:` condition on *field*; with `missing:` said now and then."""
    def make(rng: Random) -> Rule:
        test = rng.choice(tests)
        if isinstance(test, dict) and not test.keys() & {"is_set", "has_been"} and rng.random() < 0.3:
            test = {**test, "missing": rng.choice(["match", "fail"])}
        return {"contact": {field: test}}

    return make
