"""Time's own work on counters: which events enter and leave each window next, fetched ahead and consumed by binary search.

A window's two edges are instants that only move forward. Moving an edge from x to y lets the events with x < at ≤ y in or out,
each once. They are read from the record for an hour ahead; what arrives meanwhile and belongs there is put beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from connectors.base import HOUR, Millis
from sync.evaluate.batch import Batch
from sync.evaluate.edges import bounds
from sync.evaluate.snapshot import BEGINNING
from sync.evaluate.turns import NEVER, turns
from sync.language.window import Window

HORIZON: Millis = HOUR                              # so far ahead events are fetched
MOST = 64                                           # batches beside each other before they are fetched anew as one

Fetch = Callable[[Millis, Millis], Batch]           # events with after < at ≤ upto
Piece = tuple[Batch, int, int]                      # rows start … end of a batch


@dataclass(slots=True)
class Edge:
    """One edge of a window: where it stands, and the events that it will pass until *upto*. *until*: it is there at that time;
    BEGINNING when nothing was fetched yet."""

    at: Millis
    upto: Millis = BEGINNING
    until: Millis = BEGINNING
    batches: list[Batch] = field(default_factory=list)

    def awaits(self, batch: Batch) -> bool:
        """Whether any row of *batch* lies in what was fetched."""
        if self.upto <= self.at:
            return False
        start, end = batch.range(self.at, self.upto)
        return start < end

    def passed(self, upto: Millis) -> Iterator[Piece]:
        """Rows on the way from where it stands to *upto*."""
        for batch in self.batches:
            start, end = batch.range(self.at, upto)
            if start < end:
                yield batch, start, end

    def next_at(self) -> Millis | None:
        """The time of the next event that it will pass, None when none of those that were fetched is left."""
        starts = [(batch, int(np.searchsorted(batch.at, self.at, side="right"))) for batch in self.batches]
        return min((int(batch.at[start]) for batch, start in starts if start < len(batch)), default=None)


class Edges:
    """The two edges of one window over one event type."""

    def __init__(self, window: Window, now: Millis) -> None:
        self.window = window
        after, upto = bounds(window, now)
        self.begin, self.end = Edge(after), Edge(upto)
        self.due: Millis = 0                        # when the next event passes an edge, or more has to be fetched

    def held(self, batch: Batch) -> tuple[int, int]:
        """Positions of the rows that the window holds now."""
        return batch.range(self.begin.at, self.end.at)

    def arrived(self, batch: Batch) -> None:
        """Put those rows of *batch* that an edge will pass soon beside what was fetched."""
        for edge in (self.begin, self.end):
            if edge.awaits(batch):
                edge.batches.append(batch)
                self.due = 0

    def forget(self) -> None:
        """What was fetched is not true any more."""
        self.due = 0
        for edge in (self.begin, self.end):
            edge.until = edge.upto = BEGINNING
            edge.batches = []

    def move(self, now: Millis, fetch: Fetch) -> tuple[list[Piece], list[Piece]]:
        """Go to where the window stands at *now*: (what comes in, what falls out). Edges never go back."""
        places = bounds(self.window, now)
        after, upto = max(places[0], self.begin.at), max(places[1], self.end.at)
        leaving = self._between(self.begin, min(after, self.end.at), now, fetch)
        entering = [(batch, max(start, batch.range(after, upto)[0]), end)
                    for batch, start, end in self._between(self.end, upto, now, fetch)]
        self._stand(self.begin, after)
        self._stand(self.end, upto)
        return [piece for piece in entering if piece[1] < piece[2]], leaving

    def _between(self, edge: Edge, upto: Millis, now: Millis, fetch: Fetch) -> list[Piece]:
        if upto <= edge.at:
            return []
        if upto > edge.upto or len(edge.batches) > MOST:
            self._fetch(edge, now, fetch)
        return list(edge.passed(upto))

    def _fetch(self, edge: Edge, now: Millis, fetch: Fetch) -> None:
        edge.until = now + HORIZON
        edge.upto = max(edge.at, bounds(self.window, edge.until)[edge is self.end])
        edge.batches = [fetch(edge.at, edge.upto)] if edge.upto > edge.at > BEGINNING else []

    @staticmethod
    def _stand(edge: Edge, place: Millis) -> None:
        edge.at = place
        edge.batches = [batch for batch in edge.batches if len(batch) and batch.at[-1] > place]

    def look_ahead(self, now: Millis, fetch: Fetch) -> None:
        """Find out when it is *due* after *now*; `NEVER` when no event will pass an edge."""
        self.due = min(self._due(edge, now, fetch) for edge in (self.begin, self.end))

    def _due(self, edge: Edge, now: Millis, fetch: Fetch) -> Millis:
        if edge.at == BEGINNING:
            return NEVER
        if edge.until <= now:
            self._fetch(edge, now, fetch)
        at = edge.next_at()
        if at is None:
            return edge.until
        return min(edge.until, int(turns(self.window, np.array([at]), now)[0]))
