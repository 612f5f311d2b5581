"""The events of one pass: each type is read once, with all that anybody asks of its events.

Whoever will look at events says so beforehand (`want`). A type that was looked at for the last time is let go, so that not all of
them lie in memory beside each other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from connectors.base import Millis
from sync.evaluate.columns import Column, Columns
from sync.evaluate.snapshot import Ints, Mask, Snapshot
from sync.language.happened import Names
from sync.language.values import Path, path_text

Paths = frozenset[Path]


@dataclass(frozen=True, slots=True)
class Rows:
    """Events of one type: whose they are, and the properties that somebody reads."""

    contacts: Ints                                                      # int32, as they were read
    columns: Mapping[Path, Column]

    def take(self, which: Mask | Ints | slice) -> Rows:
        return Rows(self.contacts[which], {path: column.take(which) for path, column in self.columns.items()})

    def only(self, paths: Iterable[Path]) -> Rows:
        """The same with no properties but *paths*."""
        return Rows(self.contacts, {path: self.columns[path] for path in paths})


@dataclass(frozen=True, slots=True)
class Wanted:
    """That events of *names* later than *after* will be looked at, with *paths*; *lasting*: as long as the pass lasts."""

    names: Names
    paths: Paths
    after: Millis
    lasting: bool


@dataclass(frozen=True, slots=True)
class Held:
    """What was read of one type: times, ascending, and rows of everybody who is there."""

    paths: Paths
    after: Millis
    at: Ints
    rows: Rows


class Reading:
    """Reads event types of a snapshot. *columns*: where equal dictionaries are one, and know their answers of one moment."""

    def __init__(self, snapshot: Snapshot, columns: Columns) -> None:
        self._snapshot, self.columns, self.size = snapshot, columns, len(snapshot.alive)
        self._all_alive = bool(snapshot.alive.all())
        self._wanted: set[Wanted] = set()
        self._held: dict[str, Held] = {}

    def want(self, names: Names, paths: Collection[Path], after: Millis, *, lasting: bool = False) -> None:
        self._wanted.add(Wanted(names, frozenset(paths), after, lasting))

    def types(self, names: Names) -> list[str]:
        """Every event type that is one of *names*, sorted."""
        return [name for name in self._snapshot.event_types() if names.takes(name)]

    def number(self, name: str) -> int:
        """The place of a type among all."""
        return list(self._snapshot.event_types()).index(name)

    def wanted_types(self) -> list[str]:
        """Every event type that will be looked at, sorted."""
        return [name for name in self._snapshot.event_types() if self._wants(name)]

    def of(self, name: str, paths: Paths, after: Millis) -> tuple[Ints, Rows]:
        """Times, ascending, and rows of the events of type *name* later than *after*, with *paths*; earlier events and other
        properties may be there, too."""
        held = self._held.get(name)
        if held is None or not paths <= held.paths or after < held.after:
            held = self._held[name] = self._read(name, *self._widened(name, paths, after))
        return held.at, held.rows

    def let_go(self, name: str) -> None:
        """The type was looked at by all but those who want it for as long as the pass lasts; what these do not read goes."""
        held, lasting = self._held.pop(name, None), [each.paths for each in self._wants(name) if each.lasting]
        if held is not None and lasting:
            paths = held.paths.intersection(frozenset().union(*lasting))
            self._held[name] = Held(paths, held.after, held.at, held.rows.only(paths))
        del held
        pa.default_memory_pool().release_unused()                       # or what one type took stays taken beside the next one's

    def at_another_moment(self) -> Reading:
        """The same events for a pass of another moment, which finds its own answers."""
        made = Reading(self._snapshot, Columns())
        made._wanted = self._wanted
        made._held = {
            name: Held(held.paths, held.after, held.at, Rows(
                held.rows.contacts, {path: made.columns.again(column) for path, column in held.rows.columns.items()},
            )) for name, held in self._held.items()
        }
        return made

    def _widened(self, name: str, paths: Paths, after: Millis) -> tuple[Paths, Millis]:
        """What to read of a type so that it need not be read again. What was read too narrowly goes."""
        wants, held = self._wants(name), self._held.pop(name, None)
        known = [(each.paths, each.after) for each in wants] + ([] if held is None else [(held.paths, held.after)])
        return paths.union(*(each for each, _ in known)), min([after, *(each for _, each in known)])

    def _wants(self, name: str) -> list[Wanted]:
        return [each for each in self._wanted if each.names.takes(name)]

    def _read(self, name: str, paths: Paths, after: Millis) -> Held:
        table = self._snapshot.events([name], sorted(paths), after)
        at = _numpy(table.column("at"), np.int64)
        rows = Rows(_numpy(table.column("contact"), np.int32),
                    {path: self.columns.read(table.column(path_text(path))) for path in sorted(paths)})
        if self._all_alive or (alive := self._snapshot.alive[rows.contacts]).all():
            return Held(paths, after, at, rows)
        return Held(paths, after, at[alive], rows.take(alive))


def _numpy(column: pa.ChunkedArray, kind: type[np.int32 | np.int64]) -> Ints:
    numbers: Ints = column.to_numpy().astype(kind, copy=False)
    return numbers
