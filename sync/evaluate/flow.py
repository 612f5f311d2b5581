"""One event type as the tick counts it: which lanes take its events, and where their windows stand."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pyarrow as pa

from connectors.base import Millis
from sync.evaluate.ahead import Edges, Piece
from sync.evaluate.batch import Batch, Counted, Lane, Weighing
from sync.evaluate.cells import Cells
from sync.evaluate.engine import properties_of
from sync.evaluate.source import Source
from sync.evaluate.turns import NEVER
from sync.language.values import Path
from sync.language.window import Window

Place = tuple[Batch, int, int, int]                 # a batch, first and last row, and the number of a question


class Flow:
    """Feeds the cells of its lanes. *due*: the first moment at which time alone changes one (or more has to be read)."""

    def __init__(self, name: str, source: Source, codes: dict[str, int]) -> None:
        self.name, self._source, self._codes = name, source, codes
        self._lanes: dict[Window, list[tuple[Lane, int, Cells]]] = {}   # with the number of what is asked of an event
        self._edges: dict[Window, Edges] = {}
        self._fetched: dict[tuple[Millis, Millis], Batch] = {}
        self.properties: Sequence[Path] = ()
        self.due: Millis = NEVER
        self.reads = 0                                                  # rows fetched so far
        self.passed = 0                                                 # rows that an edge has passed, a place that several share as one

    def take(self, lanes: dict[Lane, Cells], now: Millis) -> None:
        """Feed *lanes* from here on, and no others; what they hold is right at *now*, where the windows of known lanes stand."""
        self._lanes, numbers = {}, dict[Weighing, int]()
        for lane, cells in lanes.items():
            number = numbers.setdefault(lane.weighing, len(numbers))
            self._lanes.setdefault(lane.window, []).append((lane, number, cells))
        self._edges = {window: self._edges.get(window) or Edges(window, now) for window in self._lanes}
        wanted = properties_of(lanes)
        if wanted != self.properties:
            self.properties = wanted
            self.forget()
        self.due = now

    def forget(self) -> None:
        """Read what lies ahead again: it is not what it was."""
        for edges in self._edges.values():
            edges.forget()
        self.due = min(self.due, 0)

    def change(self, table: pa.Table, sign: int) -> None:
        """Events that arrived, or with -1 were removed: counted by the windows as they stand."""
        batch, added = Batch(table, self._codes), dict[Place, Counted]()
        for window, edges in self._edges.items():
            self._count(window, [(batch, *edges.held(batch))], sign, added)
            if sign > 0:
                edges.arrived(batch)
        if sign < 0:
            self.forget()
        self.due = min(self.due, 0)

    def move(self, now: Millis) -> None:
        """Let time pass until *now*."""
        if now < self.due:
            return
        self._fetched = {}                                              # windows with the same edges share what is read
        passed, added = set[Piece](), dict[Place, Counted]()
        for window, edges in self._edges.items():
            if edges.due <= now:
                entering, leaving = edges.move(now, self._fetch)
                self._count(window, entering, 1, added)
                self._count(window, leaving, -1, added)
                edges.look_ahead(now, self._fetch)
                passed.update((*entering, *leaving))
        self.passed += sum(end - start for _, start, end in passed)
        self.due = min((edges.due for edges in self._edges.values()), default=NEVER)
        self._fetched = {}

    @property
    def ahead(self) -> int:
        """Rows that were fetched, or arrived, and that an edge will pass yet; a place that several share as one."""
        places = {(id(batch), int(batch.at.searchsorted(edge.at, side="right"))): batch
                  for edges in self._edges.values() for edge in (edges.begin, edges.end) for batch in edge.batches}
        return sum(len(batch) - start for (_, start), batch in places.items())

    def _count(self, window: Window, pieces: Collection[Piece], sign: int, added: dict[Place, Counted]) -> None:
        """*added*: what was asked of pieces before, since most windows hold all that arrives."""
        for batch, start, end in pieces:
            for lane, number, cells in self._lanes[window] if start < end else ():
                place = (batch, start, end, number)
                if place not in added:
                    added[place] = batch.added(lane, start, end)
                cells.add(*added[place], sign)

    def _fetch(self, after: Millis, upto: Millis) -> Batch:
        if (after, upto) not in self._fetched:
            table = self._source.between(self.name, self.properties, after, upto)
            self._fetched[after, upto] = Batch(table, self._codes)
            self.reads += len(table)
        return self._fetched[after, upto]
