"""Predicates asked of plain numerals, plain instants and plain words by the column: the same answers as `Predicate.holds`, at once.

Only comparisons are understood (`compares`); all else, and every value that is none of them, goes through the predicate itself.
"""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.base import Millis
from sync.evaluate.calendars import per_month_day
from sync.evaluate.edges import bounds
from sync.evaluate.numbers import within
from sync.evaluate.snapshot import Ints, Mask, every, some
from sync.evaluate.turns import NEVER, earliest, turns
from sync.language.occasions import YearlyTest
from sync.language.predicates import TEXTUAL, Compare, Limit, Operand, Predicate, WhenRelative
from sync.language.values import canonical, nfc, read_span


def compares(predicate: Predicate) -> bool:
    """Whether *predicate* only compares a value with literals and with now, or asks when its day comes round."""
    return all(
        isinstance(test, WhenRelative | YearlyTest) or (isinstance(test, Compare) and test.field is None and test.operator not in TEXTUAL)
        for test in predicate.tests
    )


def numbers_pass(predicate: Predicate, millionths: Ints) -> Mask:
    """What a predicate that compares says of numbers."""
    return every([_number_passes(test, millionths) for test in predicate.tests])


def _number_passes(test: object, millionths: Ints) -> Mask:
    if not isinstance(test, Compare):                                   # a number is no date
        return np.zeros(len(millionths), bool)
    numbers = tuple(operand.number for operand in test.operands if operand.number is not None and operand.kind != "boolean")
    comparable = len(numbers) == len(test.operands) and test.operator not in ("before", "after")
    if comparable or test.operator == "in":
        return within(Limit(test.operator, numbers, test.negated), millionths, 1)
    return np.full(len(millionths), test.negated)


def words_pass(predicate: Predicate, words: Any) -> Mask:
    """What a predicate that compares says of JSON texts of plain words: neither numerals nor dates, and the same in every form
    and case that they are stored in. So they are equal to a word or not, and have no order."""
    return every([_word_passes(test, words) for test in predicate.tests])


def _word_passes(test: object, words: Any) -> Mask:
    if not isinstance(test, Compare) or test.operator != "in":
        return np.full(len(words), isinstance(test, Compare) and test.negated)
    meant = pa.array([canonical(nfc(operand.text)) for operand in test.operands if operand.kind != "number"], pa.string())
    found: Mask = pc.is_in(words, value_set=meant).to_numpy(zero_copy_only=False)
    return ~found if test.negated else found


def compares_words(predicate: Predicate) -> bool:
    """Whether `words_pass` may be asked: not where case is ignored."""
    return not any(isinstance(test, Compare) and test.ignore_case for test in predicate.tests)


def instants_pass(predicate: Predicate, times: Ints, now: Millis) -> Mask:
    """What a predicate that compares says of instants."""
    return every([_instant_passes(test, times, predicate.zone, now) for test in predicate.tests])


def instants_turn(predicate: Predicate, times: Ints, now: Millis) -> Ints:
    """Per instant the first moment after now at which a predicate that compares may answer otherwise (`NEVER`: none)."""
    windows = [test.window for test in predicate.tests if isinstance(test, WhenRelative)]
    yearly = [test for test in predicate.tests if isinstance(test, YearlyTest)]
    return earliest([
        np.full(len(times), NEVER), *(turns(window, times, now) for window in windows),
        *(_yearly_turns(test, times, predicate.zone, now) for test in yearly),
    ])


def _instant_passes(test: object, times: Ints, zone: ZoneInfo, now: Millis) -> Mask:
    if isinstance(test, WhenRelative):
        after, upto = bounds(test.window, now)
        return (times > after) & (times <= upto)
    if isinstance(test, YearlyTest):
        return per_month_day(times, zone, lambda day: test.comes(day, now, zone), bool)
    if not isinstance(test, Compare):
        raise TypeError(f"{type(test).__name__} is no comparison")
    if test.operator == "between":
        passes = _in_order("at_least", times, test.operands[0], zone) & _in_order("at_most", times, test.operands[1], zone)
    else:
        passes = some([_in_order(test.operator, times, operand, zone) for operand in test.operands])
    return ~passes if test.negated else passes


def _yearly_turns(test: YearlyTest, times: Ints, zone: ZoneInfo, now: Millis) -> Ints:
    return per_month_day(times, zone, lambda day: test.next_turn(day, now, zone) or NEVER, np.int64)


def _in_order(operator: str, times: Ints, operand: Operand, zone: ZoneInfo) -> Mask:
    span = None if operand.kind == "boolean" else read_span(operand.text, zone)
    if span is None:
        return np.zeros(len(times), bool)
    start, end = span
    match operator:
        case "in":
            return (times >= start) & (times < end)
        case "at_least":
            return times >= start
        case "at_most":
            return times < end
        case "more_than" | "after":
            return times >= end
        case _:
            return times < start
