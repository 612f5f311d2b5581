"""Everybody's order, from arrays."""

from __future__ import annotations

import numpy as np

from sync.evaluate.columns import Column
from sync.evaluate.snapshot import Ints, Mask
from sync.language.values import read_number


def ordered(numbers: tuple[Ints, Mask], known_since: Ints, alive: Mask) -> tuple[Ints, int]:
    """The place of each contact, 1 for the highest number, then the longer known, then the lower id; 0 for those without a number
    or erased. And how many have a place."""
    values, known = numbers
    who = np.flatnonzero(known & alive)
    order = who[np.lexsort((who, known_since[who], ~values[who]))]     # ~ turns the order round and cannot overflow
    places = np.zeros(len(alive), np.int64)
    places[order] = np.arange(1, len(order) + 1)
    return places, len(order)


def numbers_in(column: Column) -> tuple[Ints, Mask]:
    """Numbers per row in the order of those that *column* holds, however large those are, and which rows hold one."""
    numbers = column.dictionary.numbers
    values = numbers.millionths
    if numbers.too_big.any():
        exact = [read_number(value) for value in column.dictionary.values]
        places = {number: place for place, number in enumerate(sorted({each for each in exact if each is not None}))}
        values = np.array([0 if each is None else places[each] for each in exact], np.int64)
    return values[column.codes], numbers.known[column.codes]
