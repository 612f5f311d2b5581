"""Arrays that are added to and subtracted from event by event: one exact integer per contact, and who was touched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from sync.evaluate.counters import LOW, LOW_BITS, ROOM, ExactSum
from sync.evaluate.snapshot import Ints, Mask
from sync.language.values import INT64_MAX

G = TypeVar("G", bound=np.generic)
Known = dict[tuple[int | None, ...], Ints]          # by the identities of arrays, or by contacts after None
NOBODY: Ints = np.zeros(0, np.int64)
FEW = 8                                             # so many are done faster one by one than as an array


class Cells:
    """A sum per contact that never drifts: in 64 bits, or as high·2**26 + low once these could overflow. Nothing is held while all
    are zero. *changed*: contacts whose sum may have changed between the last two times that it was settled, each once."""

    def __init__(self, size: int, touched: list[Cells] | None = None) -> None:
        self._size, self._bound = size, 0
        self._bell = touched                        # where it is put when it is touched for the first time since it was settled
        self._low: Ints | None = None
        self._high: Ints | None = None
        self._touched: list[Ints] = []
        self._few: list[int] = []                   # who was touched alone
        self.changed: Ints = NOBODY

    @staticmethod
    def of(filled: ExactSum, touched: list[Cells] | None = None) -> Cells:
        """What an engine counted, from here on added to."""
        made = Cells(filled.size, touched)
        if filled.low is not None and (filled.high is not None or filled.low.any()):
            made._low, made._bound = filled.low.astype(np.int64), filled.bound      # a copy: windows share what they are given
            made._high = None if filled.high is None else filled.high.copy()
        return made

    def add(self, contacts: Ints, numbers: Ints | None, sign: int) -> None:
        """Add each of *numbers* (None: 1 each) to its contact, or subtract it where *sign* is -1."""
        if not len(contacts):
            return
        self._touch(contacts)
        most = 1 if numbers is None else max(abs(int(numbers.max())), abs(int(numbers.min())))
        low, bound = self._held(), most * len(contacts)
        if self._high is None and self._bound + bound >= ROOM:          # the bound only ever grew: look again
            self._bound = max(abs(int(low.max())), abs(int(low.min())))
        if self._high is None and self._bound + bound < ROOM:
            np.add.at(low, contacts, sign if numbers is None else sign * numbers)
            self._bound += bound
        else:
            self._add_wide(contacts, np.ones(len(contacts), np.int64) if numbers is None else numbers, sign)

    def put(self, contact: int, number: int, sign: int) -> None:
        """`add` for one."""
        bound = self._bound + abs(number)
        if self._high is not None or bound >= ROOM:
            self.add(np.array([contact]), np.array([number]), sign)
            return
        low, self._bound = self._held(), bound
        low[contact] = low.item(contact) + sign * number
        if self._bell is not None and not self._few and not self._touched:
            self._bell.append(self)
        self._few.append(contact)

    def _held(self) -> Ints:
        if self._low is None:
            self._low = np.zeros(self._size, np.int64)
        return self._low

    def _add_wide(self, contacts: Ints, numbers: Ints, sign: int) -> None:
        high, low = self._split()
        np.add.at(high, contacts, sign * (numbers >> LOW_BITS))
        np.add.at(low, contacts, sign * (numbers & LOW))
        who = np.unique(contacts)
        high[who] += low[who] >> LOW_BITS
        low[who] &= LOW

    def _split(self) -> tuple[Ints, Ints]:
        """The high and the low part, to be added to in place."""
        low = self._held()
        if self._high is None:
            self._high = low >> LOW_BITS
            low &= LOW
        return self._high, low

    def read(self, contacts: Ints) -> tuple[Ints, Mask]:
        """The sums of *contacts* (ascending, each once), and which of them do not fit int64 (what is read there means nothing)."""
        if self._low is None:
            return np.zeros(len(contacts), np.int64), np.zeros(len(contacts), bool)
        where = places(contacts)
        low = self._low[where]
        if self._high is None:
            return low, np.zeros(len(contacts), bool)
        high = self._high[where] + (low >> LOW_BITS)
        wide = (high > INT64_MAX >> LOW_BITS) | (high < -(2 ** (63 - LOW_BITS)))
        return (np.where(wide, 0, high) << LOW_BITS) + (low & LOW), wide

    def read_one(self, contact: int) -> int | None:
        """The sum of one contact; None where that takes more than 64 bits to keep."""
        if self._high is not None:
            return None
        return 0 if self._low is None else self._low.item(contact)

    def move(self, giving: int, taking: int) -> None:
        """What one contact has is the other's."""
        if self._low is None:
            return
        low = self._low
        together = low.item(giving) + low.item(taking)
        if self._high is None and abs(together) < ROOM:
            self._bound = max(self._bound, abs(together))
        else:
            high, low = self._split()
            high[taking], high[giving] = high[taking] + high[giving], 0
        low[taking], low[giving] = low[taking] + low[giving], 0
        self._touch(np.array([giving, taking], np.int64))

    def _touch(self, contacts: Ints) -> None:
        if not self._touched and not self._few and self._bell is not None:
            self._bell.append(self)
        self._touched.append(contacts)

    def grow(self, size: int) -> None:
        """Room for *size* contacts."""
        self._size = max(self._size, size)
        self._low = None if self._low is None else grown(self._low, size, 0)
        self._high = None if self._high is None else grown(self._high, size, 0)

    def settle(self, known: Known | None = None) -> None:
        """Gather who was touched since the last time. *known*: what that is where other cells were touched by the same arrays or
        contacts as well; it must not outlive them."""
        known = {} if known is None else known
        key = (None, *self._few) if self._few else tuple(map(id, self._touched))
        if self._few and self._touched:
            self.changed = union([np.array(self._few), *self._touched])
        elif key in known:
            self.changed = known[key]
        else:
            self.changed = known[key] = np.array(sorted(set(self._few))) if self._few else union(self._touched)
        self._few, self._touched = [], []


def union(parts: Sequence[Ints]) -> Ints:
    """Everybody in any of *parts*, ascending, each once: what `np.unique` says, at a third of its cost for some hundreds."""
    if not parts:
        return NOBODY
    if sum(map(len, parts)) <= FEW:
        return np.array(sorted({contact for part in parts for contact in part.tolist()}), np.int64)
    found = np.sort(np.concatenate(parts) if len(parts) > 1 else parts[0])
    if len(found) < 2:
        return found
    first = np.empty(len(found), bool)
    first[0] = True
    np.not_equal(found[1:], found[:-1], out=first[1:])
    return found[first]


def those(found: Sequence[int], contacts: Ints) -> Ints:
    """Some of *contacts*, in their order, as an array."""
    if not found:
        return NOBODY
    return contacts if len(found) == len(contacts) else np.array(found)


def places(contacts: Ints) -> Ints | slice:
    """An index of *contacts* (ascending, each once): of everybody it is a slice, which costs an eighth."""
    return slice(0, len(contacts)) if len(contacts) and contacts[-1] == len(contacts) - 1 else contacts


def grown(values: npt.NDArray[G], size: int, filler: int | bool) -> npt.NDArray[G]:
    """*values* with room for at least *size* entries; new ones hold *filler*."""
    if size <= len(values):
        return values
    made = np.full(max(size, len(values) + len(values) // 8), filler, values.dtype)
    made[: len(values)] = values
    return made
