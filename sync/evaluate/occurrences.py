"""Events that a filter takes, by contact and time: what conditions on patterns are asked of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from connectors.base import Millis
from sync.evaluate.columns import Column, passes
from sync.evaluate.reading import Paths, Reading
from sync.evaluate.snapshot import BEGINNING, Ints, Mask
from sync.evaluate.turns import NEVER
from sync.language.happened import MACHINE, Filter, is_machine
from sync.language.needs import filter_properties
from sync.language.predicates import Predicate
from sync.language.values import INT64_MAX, Path


@dataclass(frozen=True)
class Part:
    """Rows of one event type that a filter takes or may come to take: *ids* number the events of all types."""

    contacts: Ints
    at: Ints
    ids: Ints
    taken: Mask
    turns: Ints | None
    columns: Mapping[Path, Column]


class Occurrences:
    """The events of one filter, ascending by contact and time.

    *taken*: whether the filter takes them now; *turns*: when it may first answer otherwise (None: never, of none); *ids*: equal
    for one event, whichever filter it was found by.
    """

    def __init__(self, parts: list[Part]) -> None:
        contacts, at = _joined([part.contacts for part in parts]), _joined([part.at for part in parts])
        order = np.lexsort((at, contacts))
        self._columns, self._lengths, self._order = [part.columns for part in parts], [len(part.at) for part in parts], order
        self.contacts, self.at = contacts[order], at[order]
        self.ids = _joined([part.ids for part in parts])[order]
        self.taken: Mask = _joined([part.taken for part in parts], bool)[order]
        timed = [np.full(len(part.at), NEVER) if part.turns is None else part.turns for part in parts]
        self.turns = _joined(timed)[order] if any(part.turns is not None for part in parts) else None

    def __len__(self) -> int:
        return len(self.at)

    def turns_of(self, path: Path, test: Predicate, now: Millis) -> Ints:
        """Per event when *test* may first answer otherwise about its property *path*."""
        return _joined([columns[path].turns(test, now) for columns in self._columns])[self._order]

    def passes(self, tests: Iterable[tuple[Path, Predicate]], now: Millis) -> Mask:
        """Per event whether it passes every one of *tests*."""
        found = np.ones(len(self), bool)
        for path, test in tests:
            answers = [passes(path, test, columns, now) for columns in self._columns]
            found &= _joined(answers, bool)[self._order]
        return found

    def keys(self, path: Path, interned: dict[str, int]) -> tuple[Ints, Ints]:
        """(place of the event, key) for each thing that `distinct` counts in the property *path*."""
        starts = np.cumsum([0, *self._lengths])
        pairs = [
            columns[path].dictionary.keys(interned).of(np.arange(length) + start, columns[path].codes)
            for columns, length, start in zip(self._columns, self._lengths, starts, strict=False)
        ]
        places = np.empty(len(self), np.int64)
        places[self._order] = np.arange(len(self))
        return places[_joined([rows for rows, _ in pairs])], _joined([keys for _, keys in pairs])


def _joined(arrays: list[Any], kind: Any = np.int64) -> npt.NDArray[Any]:
    return np.concatenate([np.zeros(0, kind), *arrays]).astype(kind, copy=False)


def begins(events: Occurrences, now: Millis) -> Ints:
    """Per event when it begins to be, or its filter may first answer otherwise about it."""
    found = np.where(events.at > now, events.at, NEVER)
    return found if events.turns is None else np.minimum(found, events.turns)


def soonest(contacts: Ints, moments: Ints, size: int) -> Ints:
    """Per contact the least of its *moments*; *contacts* ascend."""
    found = np.full(size, NEVER)
    if len(contacts):
        starts = np.flatnonzero(np.append(True, contacts[1:] != contacts[:-1]))
        found[contacts[starts]] = np.minimum.reduceat(moments, starts)
    return found


@dataclass(frozen=True, slots=True)
class Asked:
    """What is wanted of the events of one filter."""

    properties: Paths
    after: Millis


class OccurrenceScan:
    """Finds the events of filters. `ask` for all, then `scan` each type that is wanted, so that it is read once for all."""

    def __init__(self, reading: Reading, now: Millis) -> None:
        self._reading, self._now = reading, now
        self._asked: dict[Filter, Asked] = {}
        self._parts: dict[Filter, dict[str, Part]] = {}
        self._found: dict[Filter, Occurrences] = {}

    def ask(self, which: Filter, properties: Paths, after: Millis) -> None:
        """That `of` will be asked for *which*: these properties of its events *after* an instant."""
        if any(test.timed for _, test in which.where):
            after = BEGINNING                                           # of older ones the filter may change its mind
        asked = self._asked.get(which, Asked(frozenset(), INT64_MAX))
        wanted = Asked(asked.properties | properties, min(asked.after, after))
        if wanted != asked:
            self._asked[which] = wanted
            self._reading.want(which.names, filter_properties(which) | wanted.properties, wanted.after)
            self._found.pop(which, None)
            self._parts.pop(which, None)

    def scan(self, name: str) -> None:
        """Find the events of one type for every filter that was asked for."""
        for which in self._asked:
            if which.names.takes(name) and name not in self._parts.setdefault(which, {}):
                self._parts[which][name] = self._part(which, name)

    def of(self, which: Filter) -> Occurrences:
        """The events that *which* takes now, or may come to take although nothing happens. It was asked for before."""
        if which not in self._found:
            names, parts = self._reading.types(which.names), self._parts.pop(which, {})
            self._found[which] = Occurrences([parts[name] if name in parts else self._part(which, name) for name in names])
        return self._found[which]

    def _part(self, which: Filter, name: str) -> Part:
        asked = self._asked[which]
        at, rows = self._reading.of(name, filter_properties(which) | asked.properties, asked.after)
        first = int(np.searchsorted(at, asked.after, side="right"))
        late, number = rows.take(slice(first, None)), self._reading.number(name)
        taken, turns = self._answers(which, late.columns, len(late.contacts))
        kept = np.flatnonzero(taken if turns is None else taken | (turns < NEVER))
        contacts, columns = late.contacts[kept].astype(np.int64), late.only(asked.properties).take(kept).columns
        ids = (number << 40) + len(at) - first - kept                   # from the end: the same however far back it was read
        return Part(contacts, at[first:][kept], ids, taken[kept], None if turns is None else turns[kept], columns)

    def _answers(self, which: Filter, columns: Mapping[Path, Column], size: int) -> tuple[Mask, Ints | None]:
        """Per row, of so many, whether *which* takes it, and when that may change."""
        found = np.ones(size, bool)
        for path, test in which.where:
            found &= passes(path, test, columns, self._now)
        if which.human:
            machine = columns[MACHINE]
            found &= ~machine.dictionary.tells(is_machine)[machine.codes]
        if not any(test.timed for _, test in which.where):
            return found, None
        turns = [columns[path].turns(test, self._now) for path, test in which.where if test.timed]
        return found, np.minimum.reduce(turns)
