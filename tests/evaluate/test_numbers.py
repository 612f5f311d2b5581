"""Questions about numbers, on every limit and one step beside it: arrays answer as one number does."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from sync.evaluate.figures import _next_levels, next_days
from sync.evaluate.numbers import passing, passing_average, rounded_averages, within
from sync.evaluate.turns import NEVER
from sync.language.decay import first_at
from sync.language.figures import DaysSince, next_level, rounded
from sync.language.figures import next_days as numbers_of_days
from sync.language.person import Event
from sync.language.predicates import Limit, NumberTest

MILLION, DAY, NOW = 1_000_000, 86_400_000, 1_000_000_000_000
MOST = 2**63 - 1
ONE = ("at_least", "more_than", "at_most", "less_than", "is")
LIMITS = [
    *(Limit(operator, (number,), negated) for operator in ONE for number in (0, MILLION, 1_500_000, -1_500_000, MOST)
      for negated in (False, True)),
    *(Limit("between", numbers, negated) for numbers in ((-MILLION, MILLION), (500_000, 2_500_000), (MILLION, MILLION))
      for negated in (False, True)),
    Limit("is", (MILLION, 2 * MILLION)), Limit("is", (1, MILLION), True),
]


@pytest.mark.parametrize("limit", LIMITS, ids=str)
def test_a_column_of_numbers_passes_where_each_of_them_does(limit: Limit) -> None:
    beside = sorted({number + off for number in limit.numbers for off in (-1, 0, 1) if number + off <= MOST})
    assert within(limit, np.array(beside), 1).tolist() == [limit.holds(number) for number in beside]
    counts = list(range(-4, 5))
    assert within(limit, np.array(counts), MILLION).tolist() == [limit.holds(count * MILLION) for count in counts]


@pytest.mark.parametrize("limit", LIMITS, ids=str)
def test_an_average_passes_where_the_exact_quotient_does(limit: Limit) -> None:
    test = NumberTest((limit,))
    asked = [(number * parts + off, parts) for number in limit.numbers for parts in (1, 2, 3) for off in (-1, 0, 1)
             if number * parts + off <= MOST]
    asked += [(0, 0), (0, 1), (1, 2), (-1, 2)]
    totals, numbers = (np.array(each) for each in zip(*asked, strict=True))
    expected = [test.holds_millionths(Fraction(total, parts) if parts else None) for total, parts in asked]
    assert passing_average(test, totals, numbers).tolist() == expected


@pytest.mark.parametrize("missing", [None, True, False])
@pytest.mark.parametrize("negated", [False, True])
def test_what_is_missing_passes_as_the_test_says(missing: bool | None, negated: bool) -> None:
    test = NumberTest((Limit("at_least", (MILLION,), negated), Limit("at_most", (3 * MILLION,), negated)), missing)
    values, present = np.array([0, 1, 3, 4, 1, 9]), np.array([True] * 4 + [False] * 2)
    expected = [test.holds(count) for count in (0, 1, 3, 4)] + [test.holds(None)] * 2
    assert passing(test, values, MILLION, present).tolist() == expected


def test_an_average_is_rounded_half_away_from_zero() -> None:
    written = {(5, 2): 3, (-5, 2): -3, (7, 4): 2, (-7, 4): -2, (5, 4): 1, (-5, 4): -1, (1, 2): 1, (-1, 2): -1, (0, 3): 0, (1, 3): 0,
               (2, 3): 1, (-1, 3): 0, (-2, 3): -1}
    assert {(total, parts): rounded(total, parts) for total, parts in written} == written
    totals, parts = (np.array(each) for each in zip(*written, strict=True))
    assert rounded_averages(totals, parts).tolist() == list(written.values())
    assert rounded_averages(np.array([0]), np.array([0])).tolist() == [0]


@pytest.mark.parametrize(("levels", "score", "level"), [
    (None, 5, None), ((), 5, None), ((5,), 6, 5), ((5,), 5, 4), ((5,), 4, None), ((0,), 1, 0), ((0,), 0, None), ((1,), 1, 0),
    ((-1,), 5, None), ((3, 5, 9), 7, 5), ((3, 5, 9), 5, 4), ((3, 4), 4, 3), ((MOST,), MOST, MOST - 1), ((MOST + 1,), MOST, None),
    ((2**70, 3), 8, 3),
])
def test_a_falling_score_is_judged_otherwise_at_its_level_or_just_below(
    levels: tuple[int, ...] | None, score: int, level: int | None,
) -> None:
    assert next_level(levels, score) == level
    assert _next_levels(levels, np.array([score])).tolist() == [-1 if level is None else level]


@pytest.mark.parametrize(("levels", "days", "ahead"), [
    (None, 3, (4,)), ((), 3, ()), ((5 * MILLION,), 3, (5, 6)), ((5 * MILLION,), 4, (5, 6)), ((5 * MILLION,), 5, (6,)),
    ((5 * MILLION,), 6, ()), ((5_500_000,), 4, (6, 6)), ((5_500_000,), 5, (6, 6)), ((5_500_000,), 6, ()), ((0,), -1, (0, 1)),
])
def test_a_count_of_days_is_judged_otherwise_when_it_reaches_a_level_and_when_it_passes_it(
    levels: tuple[int, ...] | None, days: int, ahead: tuple[int, ...],
) -> None:
    assert numbers_of_days(levels, days) == ahead
    for late in (0, 1, DAY - 1):
        at = NOW - days * DAY - late
        turn = min((at + number * DAY for number in ahead), default=None)
        if days >= 0:
            assert DaysSince("last").turn([Event("seen", at)], NOW, levels) == turn
            told = next_days(np.array([at, at]), np.array([True, False]), levels, NOW).tolist()
            assert told == [NEVER if turn is None else turn, NEVER]


@pytest.mark.parametrize("falls", [1, 2, 3, 999, 64_000, 65_000])
def test_a_score_that_falls_is_found_at_the_very_millisecond(falls: int) -> None:
    assert first_at(7, lambda at: 7 if at >= NOW + falls else 8, NOW, 1_000) == NOW + falls
    assert first_at(7, lambda at: 6 if at >= NOW + falls else 8, NOW, 1_000) == NOW + falls
