"""Exact arrays, one number per contact: counts, sums, extremes and distinct values, added to in any number of steps.

No float ever holds a sum that it could round: `bincount` adds in float64, so it is only given pieces whose total is
below 2**53. A tick could feed the same arrays with what arrived.
"""

from __future__ import annotations

import numpy as np

from sync.evaluate.snapshot import Ints, Mask
from sync.language.values import INT64_MAX

EXACT = 2**53                      # float64 holds every integer below it
ROOM = 2**62                       # a running total below it cannot overflow int64 with one more addition
LOW_BITS = 26
LOW = 2**LOW_BITS - 1
PIECE = 2**16


class TooBig(Exception):
    """A total does not fit int64."""


def counts(contacts: Ints, size: int) -> Ints:
    """How often each contact occurs."""
    return np.bincount(contacts, minlength=size)


class ExactSum:
    """A running int64 sum per contact; totals are held as high·2**26 + low once they could overflow."""

    def __init__(self, size: int) -> None:
        self.low: Ints = np.zeros(size, np.int64)
        self.high: Ints | None = None
        self.bound = 0                                                  # no |low| is above it

    def add(self, contacts: Ints, numbers: Ints, unit: int = 1) -> None:
        """Add each of *numbers* (all multiples of *unit*) to its contact."""
        if not len(numbers):
            return
        size = len(self.low)
        bound = max(abs(int(numbers.max())), abs(int(numbers.min()))) * len(numbers)
        if bound // unit < EXACT and self.bound + bound < ROOM and self.high is None:
            sums = np.bincount(contacts, weights=numbers // unit if unit > 1 else numbers, minlength=size)
            self.low += sums.astype(np.int64) * unit
            self.bound += bound
            return
        high = self._split()
        for start in range(0, len(numbers), PIECE):                     # |high| < 2**37, so a piece's total is below 2**53
            who, piece = contacts[start : start + PIECE], numbers[start : start + PIECE]
            high += np.bincount(who, weights=piece >> LOW_BITS, minlength=size).astype(np.int64)
            self.low += np.bincount(who, weights=piece & LOW, minlength=size).astype(np.int64)

    def plus(self, other: ExactSum, sign: int = 1) -> None:
        """Add (or, with -1, subtract) what *other* holds."""
        if self.high is None and other.high is None and self.bound + other.bound < ROOM:
            self.low += sign * other.low
            self.bound += other.bound
            return
        high = self._split()
        carry, low = (other.high, other.low) if other.high is not None else (other.low >> LOW_BITS, other.low & LOW)
        high += sign * carry
        self.low += sign * low

    def copy(self) -> ExactSum:
        made = ExactSum(0)
        made.low, made.bound = self.low.copy(), self.bound
        made.high = None if self.high is None else self.high.copy()
        return made

    def _split(self) -> Ints:
        """The high part, made now if it was not needed before; it is added to in place."""
        if self.high is None:
            self.high = self.low >> LOW_BITS
            self.low = self.low & LOW
        return self.high

    def total(self) -> Ints:
        """The sums; `TooBig` when one does not fit."""
        if self.high is None:
            return self.low
        high = self.high + (self.low >> LOW_BITS)
        if ((high > INT64_MAX >> LOW_BITS) | (high < -(2 ** (63 - LOW_BITS)))).any():
            raise TooBig
        total: Ints = (high << LOW_BITS) + (self.low & LOW)
        return total


def distinct_counts(contacts: Ints, values: Ints, size: int) -> Ints:
    """How many different *values* each contact has; both non-negative, values below 2**32."""
    return counts(np.unique((contacts << 32) | values) >> 32, size)


def mixed(contacts: Ints, codes: Ints) -> Mask:
    """For rows (contact, code): which codes belong to a contact that has more than one."""
    pairs = np.unique((contacts << 32) | codes)
    who, several = pairs >> 32, np.zeros(len(pairs), bool)
    several[1:] = who[1:] == who[:-1]
    several[:-1] |= several[1:]
    found = np.zeros(int(codes.max(initial=-1)) + 1, bool)
    found[(pairs & 0xFFFFFFFF)[several]] = True
    return found
