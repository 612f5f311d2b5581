"""Sums that are added to and subtracted from: exact to the last integer that fits, and who was touched."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from sync.evaluate.cells import NOBODY, Cells, grown, places, union
from sync.evaluate.counters import ROOM, ExactSum

MOST, LEAST = 2**63 - 1, -(2**63)
FIRST = np.array([0])


def summed(numbers: list[int]) -> Cells:
    cells = Cells(1)
    for number in numbers:
        cells.add(FIRST, np.array([number]), 1)
    return cells


def read(cells: Cells, size: int = 1) -> list[int | None]:
    """The sums; None where one does not fit."""
    values, wide = cells.read(np.arange(size))
    return [None if beyond else value for value, beyond in zip(values.tolist(), wide.tolist(), strict=True)]


@pytest.mark.parametrize(("numbers", "total"), [
    ([MOST - 1, 1], MOST), ([MOST, 1], None), ([MOST, 1, -1], MOST), ([MOST, MOST, -MOST], MOST),
    ([LEAST + 1, -1], LEAST), ([LEAST + 1, -1, -1], None), ([LEAST + 1, -2, 1], LEAST), ([ROOM, ROOM - 1], MOST), ([ROOM, ROOM], None),
    ([ROOM - 1, 1, ROOM - 1], MOST), ([-ROOM, -ROOM], LEAST), ([-ROOM, -ROOM, -1], None),
    ([2**26 - 1, 1], 2**26), ([-1, -(2**26)], -(2**26) - 1),
])
def test_a_sum_is_exact_up_to_the_last_integer_that_fits(numbers: list[int], total: int | None) -> None:
    assert read(summed(numbers)) == [total]


@pytest.mark.parametrize("sign", [1, -1])
def test_the_larger_of_two_numbers_decides_how_wide_the_sums_are(sign: int) -> None:
    both = np.array([0, 1])
    for many in (2, 3):
        at_once, other, one_by_one = Cells(2), Cells(2), Cells(2)
        for _ in range(many):
            at_once.add(both, np.array([MOST, -1]), sign)
            other.add(both, np.array([-MOST, 1]), sign)
            one_by_one.add(both[:1], np.array([ROOM - 2]), sign)
        one_by_one.add(both[1:], np.array([-1]), sign)
        assert read(at_once, 2) == [None, -sign * many]
        assert read(other, 2) == [None, sign * many]
        assert read(one_by_one, 2) == [sign * many * (ROOM - 2) if many == 2 else None, -sign]
    beside = Cells(2)
    for number in (-1, ROOM - 2, ROOM - 2, ROOM - 2):
        beside.add(both[:1] if number > 0 else both[1:], np.array([number]), sign)
    assert read(beside, 2) == [None, -sign]


def test_what_was_added_and_taken_back_leaves_nothing_however_large_it_was() -> None:
    rng, cells, held = Random(7), Cells(3), [0, 0, 0]
    added = [(rng.randrange(3), rng.choice([1, -1]) * rng.choice([1, 2**26, 2**40, ROOM // 4, ROOM, MOST])) for _ in range(60)]
    for sign in (1, -1):
        for who, number in added:
            cells.add(np.array([who]), np.array([number]), sign)
            held[who] += sign * number
            assert read(cells, 3) == [total if LEAST <= total <= MOST else None for total in held]
    assert held == [0, 0, 0]


def test_what_one_contact_has_is_the_others_when_it_is_more_than_64_bits_hold() -> None:
    for mine, others in ((1, 2), (ROOM - 1, ROOM - 1), (ROOM // 2, ROOM // 2 - 1), (-ROOM, -ROOM), (MOST, -MOST), (MOST, MOST), (MOST, 1)):
        cells = Cells(2)
        cells.add(FIRST, np.array([mine]), 1)
        cells.add(FIRST + 1, np.array([others]), 1)
        cells.move(0, 1)
        total = mine + others
        assert read(cells, 2) == [0, total if total <= MOST else None]
        cells.add(FIRST + 1, np.array([others]), -1)
        assert read(cells, 2) == [0, mine]


def test_what_an_engine_counted_is_copied_and_windows_that_share_it_see_no_change() -> None:
    for most in (1, MOST):
        filled = ExactSum.summed(np.array([0, 0]), np.array([most, most]), 2)
        one, other = Cells.of(filled), Cells.of(filled)
        one.add(FIRST, np.array([most]), -1)
        assert read(one, 2) == [most, 0]
        assert read(other, 2) == [2 if most == 1 else None, 0]


def test_nothing_is_held_while_all_are_zero() -> None:
    cells = Cells.of(ExactSum.summed(FIRST, np.array([0]), 3))
    cells.move(0, 2)
    cells.add(NOBODY, None, 1)
    assert cells._low is None
    assert read(cells, 3) == [0, 0, 0]


def test_who_was_touched_rings_once_until_it_is_settled() -> None:
    bell: list[Cells] = []
    cells = Cells(3, bell)
    cells.add(np.array([2, 2]), None, 1)
    cells.add(np.array([1]), np.array([4]), -1)
    assert bell == [cells]
    cells.settle()
    assert cells.changed.tolist() == [1, 2]
    cells.move(1, 0)
    assert bell == [cells, cells]
    cells.settle()
    assert cells.changed.tolist() == [0, 1]
    assert read(cells, 3) == [-4, 0, 2]


def test_room_grows_to_what_is_asked_and_never_shrinks() -> None:
    cells = Cells(2)
    cells.grow(4)
    cells.add(np.array([3]), None, 1)
    cells.grow(3)
    cells.add(np.array([3]), None, 1)
    cells.grow(5)
    assert read(cells, 5) == [0, 0, 0, 2, 0]
    held = np.array([1, 2, 3])
    assert grown(held, 3, 9) is held
    assert grown(held, 4, 9).tolist() == [1, 2, 3, 9]
    assert len(grown(np.zeros(80), 81, 0)) == 90


def test_a_union_names_everybody_once_in_order() -> None:
    parts = [np.array([4, 1]), np.array([1, 9, 4]), NOBODY]
    for some in (parts, parts[:1], [np.array([3, 3])], [np.array([3])], [NOBODY], []):
        assert union(some).tolist() == sorted({each for part in some for each in part.tolist()})


def test_everybody_is_indexed_as_a_slice_and_others_one_by_one() -> None:
    assert places(np.arange(3)) == slice(0, 3)
    assert places(np.array([0])) == slice(0, 1)
    for some in ([1, 2], [0, 2], [0, 1, 3], [1]):
        assert isinstance(places(np.array(some)), np.ndarray)


def test_any_number_of_merges_leaves_small_sums_narrow() -> None:
    cells = Cells(200)
    cells.add(np.arange(200), np.full(200, 3), 1)
    for giving in range(1, 200):
        cells.move(giving, 0)
    assert cells.read_one(0) == 600


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("taking", "narrow"), [(ROOM // 2 - 1, True), (ROOM // 2, False)])
def test_a_merge_makes_sums_wide_only_where_the_two_need_it(taking: int, narrow: bool, sign: int) -> None:
    cells = Cells(2)
    for contact, number in ((0, taking), (1, ROOM // 4), (1, ROOM // 4)):
        cells.add(np.array([contact]), np.array([number]), sign)
    cells.move(1, 0)
    assert read(cells, 2) == [sign * (taking + ROOM // 2), 0]
    assert (cells.read_one(0) is not None) == narrow
