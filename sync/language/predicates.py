"""Predicates on one value: what `contact:`, `where:`, `count:` and the aggregates ask. The meaning, in plain Python.

Two-valued: a positive operator on a missing value is false and every negative one is exactly the complement of its
positive one. `missing: match | fail` overrides one predicate. The fast evaluator calls the same functions once per
distinct value.

    Predicate             every test holds
      Compare             is, in, order, text operators and their negatives; against literals or another field
      WhenRelative        within_last, within_next, older_than, during
      AnniversaryWithin  AnniversaryDuring    what comes round every year
      Near                how far a place is
      IsSet  Size         what tells absent, null, "" and [] apart
      Each                any, all, none over a list's elements
    NumberTest            the same for a number that was counted or summed
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, Literal, TypeAlias
from zoneinfo import ZoneInfo

from connectors.base import Millis
from sync.language.occasions import AnniversaryDuring, AnniversaryWithin
from sync.language.places import Near
from sync.language.values import (
    Json,
    Path,
    distinct_keys,
    elements,
    fold,
    is_missing,
    is_number,
    look,
    nfc,
    read_number,
    read_span,
    read_text,
)
from sync.language.window import Relative, first_after

Record: TypeAlias = Mapping[str, Json]
Kind: TypeAlias = Literal["text", "number", "boolean"]

EQUALITY = frozenset({"in"})
ORDER = frozenset({"at_least", "more_than", "at_most", "less_than", "between", "before", "after"})
TEXTUAL = frozenset({"contains", "starts_with", "ends_with", "matches"})


@dataclass(frozen=True, slots=True)
class Operand:
    """A value to compare with, as its reader sees it. *kind* keeps 1, `true` and "1" apart."""

    kind: Kind
    text: str
    number: int | None = None                       # millionths, where the text reads as a number

    @staticmethod
    def of(value: Json) -> Operand | None:
        """Another field's value as an operand; None for what does not compare (a map, null)."""
        if isinstance(value, bool):
            return Operand("boolean", "true" if value else "false")
        text = read_text(value)
        return None if text is None else Operand("number" if is_number(value) else "text", text, read_number(value))


@dataclass(frozen=True, slots=True)
class Compare:
    """*operator* (always the positive one) against *operands*, or against what *field* of the same record holds."""

    operator: str
    operands: tuple[Operand, ...]
    field: Path | None = None
    negated: bool = False
    ignore_case: bool = False

    def lacks(self, value: Json, record: Record) -> bool:
        return is_missing(value) or (self.field is not None and is_missing(look(record, self.field)))

    def holds(self, value: Json, record: Record, now: Millis, zone: ZoneInfo) -> bool:
        if self.lacks(value, record):
            return self.negated
        operands = self.operands if self.field is None else _operands(look(record, self.field))
        passes = any(self._passes(each, operands, zone) for each in elements(value) if not is_missing(each))
        return passes is not self.negated

    def _passes(self, value: Json, operands: tuple[Operand, ...], zone: ZoneInfo) -> bool:
        if self.operator == "between":
            return _ordered("from", value, operands[0], zone) and _ordered("to", value, operands[1], zone)
        if self.operator in ORDER:
            return any(_ordered(self.operator, value, operand, zone) for operand in operands)
        if self.operator in TEXTUAL:
            return any(_textual(self.operator, value, operand, self.ignore_case) for operand in operands)
        return any(_equal(value, operand, self.ignore_case, zone) for operand in operands)


@dataclass(frozen=True, slots=True)
class WhenRelative:
    """A date's first instant falls in *window*, seen from now."""

    window: Relative

    def lacks(self, value: Json, record: Record) -> bool:
        return is_missing(value)

    def holds(self, value: Json, record: Record, now: Millis, zone: ZoneInfo) -> bool:
        spans = (read_span(each, zone) for each in elements(value))
        return any(self.window.holds(span[0], now) for span in spans if span is not None)

    def turn(self, value: Json, record: Record, now: Millis, zone: ZoneInfo) -> Millis | None:
        spans = (read_span(each, zone) for each in elements(value))
        return first_after(now, *(self.window.turn(span[0], now) for span in spans if span is not None))


@dataclass(frozen=True, slots=True)
class IsSet:
    """Absent and null are not set; "" and [] are."""

    expected: bool

    def lacks(self, value: Json, record: Record) -> bool:
        return False

    def holds(self, value: Json, record: Record, now: Millis, zone: ZoneInfo) -> bool:
        return (value is not None) is self.expected


@dataclass(frozen=True, slots=True)
class IsKey:
    """Is, or has among its elements, the value that `distinct` calls *key*: what a segment of a family asks."""

    key: str

    def lacks(self, value: Json, record: Record) -> bool:
        return is_missing(value)

    def holds(self, value: Json, record: Record, now: Millis, zone: ZoneInfo) -> bool:
        return self.key in distinct_keys(value)


@dataclass(frozen=True, slots=True)
class Size:
    """How many elements; a single value, "" too, is one. What is absent has no size."""

    number: NumberTest

    def lacks(self, value: Json, record: Record) -> bool:
        return value is None

    def holds(self, value: Json, record: Record, now: Millis, zone: ZoneInfo) -> bool:
        return self.number.holds(None if value is None else len(elements(value)))


@dataclass(frozen=True, slots=True)
class Each:
    """`any`, `all` or `none` of the elements pass *predicate*, or have *fields* that pass theirs.

    Of nothing ([], and what is told apart from it only by `is_set` and `size`) `any` is false, `all` and `none` are true.
    """

    quantifier: Literal["any", "all", "none"]
    predicate: Predicate | None
    fields: tuple[tuple[Path, Predicate], ...] = ()

    def lacks(self, value: Json, record: Record) -> bool:
        return is_missing(value)

    def holds(self, value: Json, record: Record, now: Millis, zone: ZoneInfo) -> bool:
        each = () if is_missing(value) else elements(value)
        passes = [self._passes(element, record, now) for element in each]
        return all(passes) if self.quantifier == "all" else any(passes) is (self.quantifier == "any")

    def _passes(self, element: Json, record: Record, now: Millis) -> bool:
        if self.predicate is not None:
            return self.predicate.holds(element, record, now)
        own = element if isinstance(element, Mapping) else {}
        return all(predicate.holds(look(own, path), own, now) for path, predicate in self.fields)

    def turn(self, value: Json, record: Record, now: Millis, zone: ZoneInfo) -> Millis | None:
        return first_after(now, *(self._turn(element, record, now) for element in elements(value)))

    @property
    def timed(self) -> bool:
        asked = [test for _, test in self.fields] if self.predicate is None else [self.predicate]
        return any(each.timed for each in asked)

    def _turn(self, element: Json, record: Record, now: Millis) -> Millis | None:
        if self.predicate is not None:
            return self.predicate.turn(element, record, now)
        own = element if isinstance(element, Mapping) else {}
        return first_after(now, *(predicate.turn(look(own, path), own, now) for path, predicate in self.fields))


Timed: TypeAlias = WhenRelative | AnniversaryWithin | AnniversaryDuring | Each
Test: TypeAlias = Compare | IsKey | IsSet | Size | Near | Timed


@dataclass(frozen=True, slots=True)
class Predicate:
    """Every one of *tests* holds. *missing* overrides the answer where the value, or the field it is compared with, lacks."""

    tests: tuple[Test, ...]
    zone: ZoneInfo
    missing: bool | None = None

    def holds(self, value: Json, record: Record, now: Millis) -> bool:
        """Whether *value*, found in *record* (whose other fields it may be compared with), passes at *now*."""
        if self.missing is not None and any(test.lacks(value, record) for test in self.tests):
            return self.missing
        return all(test.holds(value, record, now, self.zone) for test in self.tests)

    def turn(self, value: Json, record: Record, now: Millis) -> Millis | None:
        """The first instant after *now* at which `holds` may answer otherwise although nothing was changed; None: never."""
        timed = (test for test in self.tests if isinstance(test, Timed))
        return first_after(now, *(test.turn(value, record, now, self.zone) for test in timed))

    @property
    def timed(self) -> bool:
        """Whether the passing of time alone may change an answer."""
        return any(test.timed if isinstance(test, Each) else isinstance(test, Timed) for test in self.tests)

    def others(self) -> frozenset[Path]:
        """The other fields of the record that `holds` looks at."""
        found: set[Path] = set()
        for test in self.tests:
            if isinstance(test, Compare) and test.field is not None:
                found.add(test.field)
            elif isinstance(test, Each) and test.predicate is not None:
                found |= test.predicate.others()
        return frozenset(found)


@dataclass(frozen=True, slots=True)
class Limit:
    """One operator on a number: *numbers* in millionths, two for `between`, any of them for `in`."""

    operator: str
    numbers: tuple[int, ...]
    negated: bool = False

    def holds(self, millionths: int | Fraction) -> bool:
        first = self.numbers[0]
        match self.operator:
            case "at_least":
                passes = millionths >= first
            case "more_than":
                passes = millionths > first
            case "at_most":
                passes = millionths <= first
            case "less_than":
                passes = millionths < first
            case "between":
                passes = first <= millionths <= self.numbers[1]
            case _:
                passes = any(millionths == number for number in self.numbers)
        return passes is not self.negated


@dataclass(frozen=True, slots=True)
class NumberTest:
    """Every one of *limits* holds for a number; a missing one fails the positive and passes the negative ones."""

    limits: tuple[Limit, ...]
    missing: bool | None = None

    def holds(self, count: int | None) -> bool:
        """The answer for a count."""
        return self.holds_millionths(None if count is None else count * 1_000_000)

    def holds_millionths(self, number: int | Fraction | None) -> bool:
        """The answer for an aggregate in millionths, exact; None where it is missing."""
        if number is None:
            return self.missing if self.missing is not None else all(limit.negated for limit in self.limits)
        return all(limit.holds(number) for limit in self.limits)


# --- comparing two values -------------------------------------------------------------------------------------------------


def _operands(value: Json) -> tuple[Operand, ...]:
    found = (Operand.of(each) for each in elements(value) if not is_missing(each))
    return tuple(operand for operand in found if operand is not None)


def _equal(value: Json, operand: Operand, ignore_case: bool, zone: ZoneInfo) -> bool:
    """Numbers as numbers when one side is one, dates as instants (a day takes in its instants), texts as texts."""
    if isinstance(value, bool) or operand.kind == "boolean":
        return not is_number(value) and operand.kind != "number" and _same_text(read_text(value), operand.text, ignore_case)
    if is_number(value) or operand.kind == "number":
        number = read_number(value)
        return number is not None and number == operand.number
    outer = _span(operand.text, zone)
    inner = None if outer is None else read_span(value, zone)
    if inner is not None and outer is not None:
        return outer[0] <= inner[0] and inner[1] <= outer[1]
    return _same_text(read_text(value), operand.text, ignore_case)


_span = lru_cache(maxsize=4096)(read_span)                              # of operands: the same few, for every value


def _same_text(one: str | None, other: str, ignore_case: bool) -> bool:
    if one is None:
        return False
    return fold(one) == fold(other) if ignore_case else one == nfc(other)


def _ordered(operator: str, value: Json, operand: Operand, zone: ZoneInfo) -> bool:
    """Both as numbers or both as dates, else false. A day begins at its start and ends at its end, on either side."""
    number = None if operator in ("before", "after") else read_number(value)
    if number is not None and operand.number is not None:
        return _in_order(operator, (number, number), (operand.number, operand.number), 0)
    span, limit = read_span(value, zone), _span(operand.text, zone)
    return span is not None and limit is not None and _in_order(operator, span, limit, 1)


def _in_order(operator: str, value: tuple[int, int], limit: tuple[int, int], width: int) -> bool:
    """*width* 1: the ends are not taken in, so touching spans are already past each other."""
    match operator:
        case "at_least" | "from":
            return value[0] >= limit[0]
        case "at_most" | "to":
            return value[1] <= limit[1]
        case "more_than" | "after":
            return value[0] > limit[1] - width
        case _:
            return value[1] - width < limit[0]


def _textual(operator: str, value: Json, operand: Operand, ignore_case: bool) -> bool:
    text = read_text(value)
    if text is None:
        return False
    if operator == "matches":
        return _pattern(operand.text, ignore_case)(text)
    text, part = (fold(text), fold(operand.text)) if ignore_case else (text, nfc(operand.text))
    if operator == "contains":
        return part in text
    return text.startswith(part) if operator == "starts_with" else text.endswith(part)


@lru_cache(maxsize=1024)
def _pattern(pattern: str, ignore_case: bool) -> Callable[[str], bool]:
    compiled = compile_pattern(pattern, ignore_case)
    return lambda text: compiled.search(text) is not None


def compile_pattern(pattern: str, ignore_case: bool) -> Any:
    """RE2's compiled *pattern* (its time is linear in the text); `re2.error` where it is none."""
    import re2

    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = not ignore_case
    return re2.compile(nfc(pattern), options)
