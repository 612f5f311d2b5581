"""Exact arrays, one number per contact: counts, sums, extremes and distinct values, added to in any number of steps.

No float ever holds a sum that it could round: `bincount` adds in float64, so it is only given pieces whose total is
below 2**53. A tick could feed the same arrays with what arrived.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sync.evaluate.snapshot import Ints, Mask
from sync.language.values import INT64_MAX

EXACT = 2**53                      # float64 holds every integer below it
ROOM = 2**62                       # a running total below it cannot overflow int64 with one more addition
LOW_BITS = 26
LOW = 2**LOW_BITS - 1
PIECE = 2**16
SMALL = 2**31                      # counts below it take 32 bits


class TooBig(Exception):
    """A total does not fit int64."""


def counts(contacts: Ints, size: int) -> Ints:
    """How often each contact occurs."""
    return np.bincount(contacts, minlength=size)


@dataclass(frozen=True, slots=True)
class ExactSum:
    """An int64 sum per contact, never changed once made, so that windows may share it. Held in 32 bits while no sum can need more,
    and as high·2**26 + low once it could overflow 64."""

    size: int
    low: Ints | None = None                                             # None: every sum is zero
    high: Ints | None = None
    bound: int = 0                                                      # no |low| is above it while there is no high

    @staticmethod
    def counted(contacts: Ints, size: int) -> ExactSum:
        """How often each contact occurs."""
        found = counts(contacts, size)
        return ExactSum(size, found.astype(np.int32) if len(contacts) < SMALL else found, bound=len(contacts))

    @staticmethod
    def summed(contacts: Ints, numbers: Ints, size: int, unit: int = 1) -> ExactSum:
        """The sum of each contact's *numbers*, all multiples of *unit*."""
        if not len(numbers):
            return ExactSum(size)
        bound = max(abs(int(numbers.max())), abs(int(numbers.min()))) * len(numbers)
        if bound // unit < EXACT and bound < ROOM:
            sums = np.bincount(contacts, weights=numbers // unit if unit > 1 else numbers, minlength=size)
            return ExactSum(size, sums.astype(np.int64) * unit, bound=bound)
        low, high = np.zeros(size, np.int64), np.zeros(size, np.int64)
        for start in range(0, len(numbers), PIECE):                     # |high| < 2**37, so a piece's total is below 2**53
            who, piece = contacts[start : start + PIECE], numbers[start : start + PIECE]
            high += np.bincount(who, weights=piece >> LOW_BITS, minlength=size).astype(np.int64)
            low += np.bincount(who, weights=piece & LOW, minlength=size).astype(np.int64)
        return ExactSum(size, low, high)

    def counting(self, contacts: Ints) -> ExactSum:
        """One more for each of *contacts*, as often as it occurs."""
        bound = self.bound + len(contacts)
        if self.low is None or self.high is not None or bound >= SMALL or len(contacts) > self.size // 2:
            return self.plus(ExactSum.counted(contacts, self.size))
        low = self.low.copy()
        np.add.at(low, contacts.astype(np.intp), low.dtype.type(1))     # fast for indices of this very type only
        return ExactSum(self.size, low, bound=bound)

    def plus(self, other: ExactSum) -> ExactSum:
        """Both together."""
        if self.low is None or other.low is None:
            return other if self.low is None else self
        bound = self.bound + other.bound
        if self.high is None and other.high is None and bound < ROOM:
            wide = self.low if bound < SMALL else self.low.astype(np.int64)
            return ExactSum(self.size, wide + other.low, bound=bound)
        (high, low), (more, rest) = self._split(), other._split()
        return ExactSum(self.size, low + rest, high + more)

    def minus(self, other: ExactSum) -> ExactSum:
        """What is left without *other*."""
        if other.low is None:
            return self
        if self is other:
            return ExactSum(self.size)
        if other.high is None:
            return self.plus(ExactSum(self.size, -other.low, bound=other.bound))
        return self.plus(ExactSum(self.size, -other.low, -other.high))

    def _split(self) -> tuple[Ints, Ints]:
        """The high and the low part."""
        low = np.zeros(self.size, np.int64) if self.low is None else self.low
        return (low.astype(np.int64) >> LOW_BITS, low & LOW) if self.high is None else (self.high, low)

    def total(self) -> Ints:
        """The sums; `TooBig` when one does not fit."""
        if self.low is None:
            return np.zeros(self.size, np.int64)
        if self.high is None:
            return self.low
        high = self.high + (self.low >> LOW_BITS)
        if ((high > INT64_MAX >> LOW_BITS) | (high < -(2 ** (63 - LOW_BITS)))).any():
            raise TooBig
        total: Ints = (high << LOW_BITS) + (self.low & LOW)
        return total


    def clipped(self) -> tuple[Ints, Mask]:
        """The sums, none below zero, with int64's largest in place of those beyond it; and which those are."""
        if self.low is None or self.high is None:
            return self.total().astype(np.int64), np.zeros(self.size, bool)
        high = self.high + (self.low >> LOW_BITS)
        beyond = high > INT64_MAX >> LOW_BITS
        return np.where(beyond, INT64_MAX, (np.where(beyond, 0, high) << LOW_BITS) + (self.low & LOW)), beyond


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
