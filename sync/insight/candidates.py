"""Numbers and values that stand for all others: where a test answers alike on either side, trying one of each is enough."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction

from sync.language.happened import Happened
from sync.language.predicates import EQUALITY, ORDER, Compare, IsSet, NumberTest, Operand, Predicate
from sync.language.values import MILLION, Json, instant_text, read_span

Number = int | Fraction | None
NOWHERE = "\N{REPLACEMENT CHARACTER}"               # a text that nobody compares with


def settled_alone(node: Happened) -> bool | None:
    """Whether every number passes an event condition (True), or one of its tests has none that does (False)."""
    parts: list[tuple[NumberTest, Sequence[Number]]] = [(node.count, _naturals(node.count))] if node.count is not None else []
    parts += [(measure.test, _amounts(measure.kind, measure.test)) for measure in node.measures]
    answers = [{test.holds_millionths(number) for number in numbers} for test, numbers in parts]
    if {False} in answers:
        return False
    return True if answers and all(answer == {True} for answer in answers) else None


def least_and_most(tests: Collection[tuple[NumberTest, bool]]) -> tuple[int, int | None] | None:
    """The least and the greatest count (None: no bound) that answer as asked to all of *tests*; None where none does."""
    numbers = sorted({number for test, _ in tests for number in _naturals(test)})
    right = [number for number in numbers if all(test.holds_millionths(number) is wanted for test, wanted in tests)]
    if not right:
        return None
    return right[0] // int(MILLION), None if right[-1] == numbers[-1] else right[-1] // int(MILLION)


def _naturals(test: NumberTest) -> list[int]:
    """Counts in millionths: each limit's neighbours, none at all, and one beyond all."""
    wholes = {number // int(MILLION) + step for limit in test.limits for number in limit.numbers for step in (-1, 0, 1, 2)}
    return [number * int(MILLION) for number in sorted({0, *wholes, max(wholes, default=0) + 2}) if number >= 0]


def _amounts(kind: str, test: NumberTest) -> Sequence[Number]:
    if kind == "distinct":
        return _naturals(test)
    near: list[Number] = [number + step for limit in test.limits for number in limit.numbers for step in (-1, 0, 1)]
    return near if kind == "sum" else [*near, None]


# --- values of fields -----------------------------------------------------------------------------------------------------------


def scalars_that_pass(tests: Sequence[tuple[Predicate, bool]]) -> list[Json] | None:
    """Single values that answer as asked to all of *tests*, each standing for others; None where that cannot be worked out."""
    predicates = [test for test, _ in tests]
    if not all(_plain(test) for predicate in predicates for test in predicate.tests):
        return None
    return [value for value in _values(predicates) if all(test.holds(value, {}, 0) is wanted for test, wanted in tests)]


def _plain(test: object) -> bool:
    """Whether *test* answers alike between two neighbouring literals."""
    return isinstance(test, IsSet) or (isinstance(test, Compare) and test.field is None and test.operator in EQUALITY | ORDER)


def _values(predicates: Sequence[Predicate]) -> Iterator[Json]:
    yield from (None, "", [], NOWHERE)
    for predicate in predicates:
        for test in predicate.tests:
            for operand in test.operands if isinstance(test, Compare) else ():
                yield from _around(operand, predicate)


def _around(operand: Operand, predicate: Predicate) -> Iterator[Json]:
    """The literal itself, and its nearest neighbours where it has an order."""
    yield operand.text
    if operand.kind == "boolean":
        yield operand.text == "true"
    if operand.number is not None:
        yield from (Decimal(operand.number + step).scaleb(-6) for step in (-1, 0, 1))
    span = read_span(operand.text, predicate.zone)
    if span is not None:
        yield from (instant_text(at) for at in (span[0] - 1, span[0], span[1] - 1, span[1]))
