"""Events that a filter takes, by contact and time: what conditions on patterns are asked of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from connectors.base import Millis
from sync.evaluate.columns import Column, Columns, passes
from sync.evaluate.snapshot import BEGINNING, Ints, Mask, Snapshot
from sync.evaluate.turns import NEVER
from sync.language.happened import MACHINE, Filter, is_machine
from sync.language.needs import filter_properties
from sync.language.predicates import Predicate
from sync.language.values import INT64_MAX, Path, path_text

Paths = frozenset[Path]


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
        self._parts, self._order = parts, order
        self.contacts, self.at = contacts[order], at[order]
        self.ids = _joined([part.ids for part in parts])[order]
        self.taken: Mask = _joined([part.taken for part in parts], bool)[order]
        timed = [np.full(len(part.at), NEVER) if part.turns is None else part.turns for part in parts]
        self.turns = _joined(timed)[order] if any(part.turns is not None for part in parts) else None

    def __len__(self) -> int:
        return len(self.at)

    def turns_of(self, path: Path, test: Predicate, now: Millis) -> Ints:
        """Per event when *test* may first answer otherwise about its property *path*."""
        return _joined([part.columns[path].turns(test, now) for part in self._parts])[self._order]

    def passes(self, tests: Iterable[tuple[Path, Predicate]], now: Millis) -> Mask:
        """Per event whether it passes every one of *tests*."""
        found = np.ones(len(self), bool)
        for path, test in tests:
            answers = [passes(path, test, part.columns, now) for part in self._parts]
            found &= _joined(answers, bool)[self._order]
        return found

    def keys(self, path: Path, interned: dict[str, int]) -> tuple[Ints, Ints]:
        """(place of the event, key) for each thing that `distinct` counts in the property *path*."""
        starts = np.cumsum([0, *(len(part.at) for part in self._parts)])
        pairs = [
            part.columns[path].dictionary.keys(interned).of(np.arange(len(part.at)) + start, part.columns[path].codes)
            for part, start in zip(self._parts, starts, strict=False)
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
    """Reads each event type once for all filters that were asked for before the first `of`."""

    def __init__(self, snapshot: Snapshot, now: Millis, columns: Columns) -> None:
        self._snapshot, self._now, self._columns = snapshot, now, columns
        self._asked: dict[Filter, Asked] = {}
        self._found: dict[Filter, Occurrences] = {}

    def ask(self, which: Filter, properties: Paths, after: Millis) -> None:
        """That `of` will be asked for *which*: these properties of its events *after* an instant (others may be there, too)."""
        if any(test.timed for _, test in which.where):
            after = BEGINNING                                           # of older ones the filter may change its mind
        asked = self._asked.get(which, Asked(frozenset(), INT64_MAX))
        wanted = Asked(asked.properties | properties, min(asked.after, after))
        if wanted != asked:
            self._asked[which] = wanted
            self._found.pop(which, None)

    def of(self, which: Filter) -> Occurrences:
        """The events that *which* takes now, or may come to take although nothing happens. It was asked for before."""
        if which not in self._found:
            self._read([each for each in self._asked if each not in self._found])
        return self._found[which]

    def _read(self, wanted: list[Filter]) -> None:
        parts: dict[Filter, list[Part]] = {which: [] for which in wanted}
        for number, name in enumerate(self._snapshot.event_types()):
            mine = [which for which in wanted if which.names.takes(name)]
            if mine:
                self._read_type(name, number, mine, parts)
        self._found |= {which: Occurrences(found) for which, found in parts.items()}

    def _read_type(self, name: str, number: int, wanted: list[Filter], into: Mapping[Filter, list[Part]]) -> None:
        paths = frozenset().union(*(filter_properties(which) | self._asked[which].properties for which in wanted))
        table = self._snapshot.events([name], sorted(paths), min(self._asked[which].after for which in wanted))
        contacts = table.column("contact").to_numpy().astype(np.int64)
        columns = {path: self._columns.read(table.column(path_text(path))) for path in paths}
        at, ids = table.column("at").to_numpy(), (number << 40) + np.arange(len(contacts))
        alive = self._snapshot.alive[contacts]
        for which in wanted:
            taken, turns = self._answers(which, columns, alive.copy())
            kept = np.flatnonzero(taken if turns is None else taken | (alive & (turns < NEVER)))
            mine = {path: columns[path].take(kept) for path in self._asked[which].properties}
            turned = None if turns is None else turns[kept]
            into[which].append(Part(contacts[kept], at[kept], ids[kept], taken[kept], turned, mine))

    def _answers(self, which: Filter, columns: Mapping[Path, Column], found: Mask) -> tuple[Mask, Ints | None]:
        """Per row, where it is one of *found*, whether *which* takes it, and when that may change."""
        for path, test in which.where:
            found &= passes(path, test, columns, self._now)
        if which.human:
            machine = columns[MACHINE]
            found &= ~machine.dictionary.tells(is_machine)[machine.codes]
        if not any(test.timed for _, test in which.where):
            return found, None
        turns = [columns[path].turns(test, self._now) for path, test in which.where if test.timed]
        return found, np.minimum.reduce(turns)
