"""What is asked of a number, for all contacts at once; the same limits as `NumberTest.holds`, exact in int64."""

from __future__ import annotations

import numpy as np

from sync.evaluate.snapshot import Ints, Mask, every, some
from sync.language.predicates import Limit, NumberTest


def passing(test: NumberTest, values: Ints, scale: int = 1, present: Mask | None = None) -> Mask:
    """Whether *values* · *scale* (millionths) pass; where not *present* a value is missing."""
    masks = [within(limit, values, scale) for limit in test.limits]
    return _with_missing(test, every(masks), present)


def passing_average(test: NumberTest, totals: Ints, numbers: Ints) -> Mask:
    """Whether totals ÷ numbers pass, without dividing away what decides; missing where there are no numbers.

    A quotient that is not whole lies strictly between two whole limits: twice its floor plus one does, too.
    """
    whole, rest = np.divmod(totals, np.maximum(numbers, 1))
    if (np.abs(whole) >> 61).any():
        whole = whole.astype(object)
    doubled = whole * 2 + (rest > 0)
    masks = [within(_doubled(limit), doubled, 1) for limit in test.limits]
    return _with_missing(test, every(masks).astype(bool), numbers > 0)


def rounded_averages(totals: Ints, numbers: Ints) -> Ints:
    """totals ÷ numbers, half away from zero, as `figures.rounded` does it; 0 where there are no numbers."""
    parts = np.maximum(numbers, 1)
    whole, rest = np.divmod(totals, parts)
    return whole + np.where(totals >= 0, 2 * rest >= parts, 2 * rest > parts)


def _with_missing(test: NumberTest, answers: Mask, present: Mask | None) -> Mask:
    return answers if present is None else np.where(present, answers, test.holds_millionths(None))


def _doubled(limit: Limit) -> Limit:
    return Limit(limit.operator, tuple(2 * number for number in limit.numbers), limit.negated)


def within(limit: Limit, values: Ints, scale: int) -> Mask:
    """Whole *values* are compared with the limits ÷ *scale*, rounded to the side on which they change nothing."""
    low = [-(-number // scale) for number in limit.numbers]            # the least whole value that reaches the number
    high = [number // scale for number in limit.numbers]               # the greatest that does not pass it
    match limit.operator:
        case "at_least":
            passes = values >= low[0]
        case "more_than":
            passes = values > high[0]
        case "at_most":
            passes = values <= high[0]
        case "less_than":
            passes = values < low[0]
        case "between":
            passes = (values >= low[0]) & (values <= high[1])
        case _:
            hits = [values == number // scale for number in limit.numbers if number % scale == 0]
            passes = some(hits) if hits else np.zeros(len(values), bool)
    return ~passes if limit.negated else passes
