"""Exponential decay in whole numbers: an amount halves once per half-life. Both evaluators count by these very functions.

The share of an amount that is left after an age is read from two tables, by the age in 2**24ths of the half-life; an amount's
part is rounded down to the millionth, and parts are summed as integers. So a score is the same in whatever order events are met,
never grows while nothing happens, and reaches 0 when every part is below one millionth.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import isqrt

import numpy as np
import numpy.typing as npt

from connectors.base import Millis

Ints = npt.NDArray[np.int64]

BITS = 31                               # of a factor: 2**31 is all of the amount
FINE = 12                               # bits of the age that each of the two tables answers
GONE = 64                               # half-lives after which nothing is left of any amount
NOISE = 2.0**-24                        # no factor is further off, relative to the true one


@cache
def _tables() -> tuple[Ints, Ints]:
    """2**-(n / 2**12) and 2**-(n / 2**24) for n from 0 to 4095, in 2**31sts, rounded down."""
    return _powers(2**FINE), _powers(2 ** (2 * FINE))


def _powers(parts: int) -> Ints:
    """2**-(n / parts) for n from 0 to 4095; *parts* is a power of two, so the root is drawn by square roots alone."""
    places = 160
    root = 1 << places - 1                                             # a half …
    for _ in range(parts.bit_length() - 1):
        root = isqrt(root << places)                                   # … and its square root, over and over
    powers, value = [], 1 << places
    for _ in range(2**FINE):
        powers.append(value >> places - BITS)
        value = value * root >> places
    return np.array(powers, np.int64)


def left(amounts: Ints, ages: Ints, half_life: Millis) -> Ints:
    """What is left of each of *amounts* (millionths, from 0 up) at its age in milliseconds, from 0 up."""
    coarse, fine = _tables()
    whole, rest = np.divmod(ages, half_life)
    first, rest = np.divmod(rest << FINE, half_life)
    factors = coarse[first] * fine[(rest << FINE) // half_life] >> BITS
    parts: Ints = (amounts >> BITS) * factors + ((amounts & 2**BITS - 1) * factors >> BITS)
    return parts >> np.minimum(whole, GONE - 1)


def stays_above(levels: Ints, scores: Ints, events: Ints, half_life: Millis) -> Ints:
    """How many milliseconds each of *scores*, of so many *events* and above its level, surely stays above it; a little less than is
    true, and 0 where that is close.

    All parts shrink by the same factor, so the whole does, but for what is rounded: a millionth per event and the noise of a factor.
    """
    ratios = np.maximum(scores * (1 - 2 * NOISE) / ((levels + events + 1) / (1 - 2 * NOISE)), 1.0)
    return np.maximum((np.log2(ratios) * half_life).astype(np.int64) - 1, 0)


def first_at(level: int, score_at: Callable[[Millis], int], now: Millis, half_life: Millis) -> Millis:
    """The first instant after *now* at which a score that never grows is at *level* or below, found by halving."""
    low, high = now, now + (GONE + 1) * half_life
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if score_at(middle) <= level else (middle, high)
    return high
