"""Instants of many groups in one sorted array, searched for many queries at once."""

from __future__ import annotations

import numpy as np

from connectors.base import Millis
from sync.evaluate.snapshot import Ints, Mask

NONE: Millis = -(2**62)


def distinct(values: Ints) -> Ints:
    """Each value once, ascending; by sorting, which for millions of different ones is far quicker than `np.unique`."""
    ordered = np.sort(values)
    return ordered[np.append(True, ordered[1:] != ordered[:-1])] if len(ordered) else ordered


def among(values: Ints, ascending: Ints) -> Mask:
    """Which of *values* are among others."""
    if not len(ascending):
        return np.zeros(len(values), bool)
    places = np.minimum(np.searchsorted(ascending, values), len(ascending) - 1)
    found: Mask = ascending[places] == values
    return found


class Timeline:
    """(group, instant) pairs; asked for the latest of a group up to an instant, and how many lie between two.

    A pair is one integer: the group above, the instant's place among all of them below.
    """

    def __init__(self, groups: Ints, at: Ints) -> None:
        self._most = int(groups.max(initial=0))
        self._base = int(at.min()) if len(at) else 0
        self._span = int(at.max()) - self._base + 1 if len(at) else 0
        fits = self._most.bit_length() + self._span.bit_length() <= 62
        self._groups = None if fits else distinct(groups)
        most = self._most if self._groups is None else len(self._groups)
        self._times = distinct(at) if most.bit_length() + self._span.bit_length() > 62 else None
        self._bits = (self._span if self._times is None else len(self._times)).bit_length()
        self._pairs = np.sort((self._group(groups) << self._bits) | self._place(at))

    def latest(self, groups: Ints, upto: Ints) -> Ints:
        """The latest instant of each group that is not after *upto*; `NONE` where there is none."""
        wanted = self._group(groups)
        found = self._found(wanted, upto)
        latest = np.full(len(groups), NONE)
        if len(self._pairs):
            pairs = self._pairs[np.maximum(found - 1, 0)]
            hit = (found > 0) & (pairs >> self._bits == wanted)
            latest[hit] = self._instant(pairs[hit] & ((1 << self._bits) - 1))
        return latest

    def since(self, groups: Ints, at: Ints) -> Ints:
        """How many instants of each group are not before *at*."""
        wanted = self._group(groups)
        return self._found(wanted, np.full(len(at), self._base + self._span)) - self._found(wanted, at - 1)

    def _found(self, groups: Ints, upto: Ints) -> Ints:
        found = np.searchsorted(self._pairs, (groups << self._bits) | self._place(upto), side="right")
        return found.astype(np.int64, copy=False)

    def _group(self, groups: Ints) -> Ints:
        """Groups as small numbers; one that is not there has a number of nobody's."""
        if self._groups is None:
            return np.minimum(groups, self._most + 1)
        place = np.searchsorted(self._groups, groups)
        there = self._groups[np.minimum(place, len(self._groups) - 1)] == groups
        return np.where(there, place, len(self._groups))

    def _place(self, at: Ints) -> Ints:
        """How many of the instants that there may be are not after *at*."""
        if self._times is None:
            return np.clip(at - self._base + 1, 0, self._span)
        return np.searchsorted(self._times, at, side="right").astype(np.int64, copy=False)

    def _instant(self, places: Ints) -> Ints:
        found: Ints = places - 1 + self._base if self._times is None else self._times[places - 1]
        return found
