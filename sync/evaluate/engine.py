"""Who fills the arrays: an engine scans all events once and gives integers per contact; what is done with them stays here.

The one there is reads Arrow tables with numpy. A cluster could fill the same arrays from the same sealed files: it needs no
language of ours but `Lane`, whose windows it is given as instants and whose filters as sets of values.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Protocol

import numpy as np

from connectors.base import Millis
from sync.evaluate.batch import Batch, Lane, Weighing
from sync.evaluate.counters import ExactSum
from sync.evaluate.edges import bounds
from sync.evaluate.events import by_window
from sync.evaluate.snapshot import Ints, Snapshot
from sync.language.values import Path
from sync.language.window import Window


class Engine(Protocol):
    """Fills lanes."""

    def supports(self, lane: Lane) -> bool:
        """Whether it can; the rest is rechecked contact by contact."""

    def fill(self, snapshot: Snapshot, lanes: Collection[Lane], now: Millis) -> Mapping[Lane, ExactSum]:
        """Each of *lanes* at *now*, over the events of all contacts that are alive."""


class LocalEngine:
    """In this process, one event type after the other. *codes*: the number of each currency, shared by all that count."""

    def __init__(self, codes: dict[str, int]) -> None:
        self._codes = codes

    def supports(self, lane: Lane) -> bool:
        return invertible(lane)

    def fill(self, snapshot: Snapshot, lanes: Collection[Lane], now: Millis) -> Mapping[Lane, ExactSum]:
        size = len(snapshot.alive)
        filled = {lane: ExactSum(size) for lane in lanes}
        for name in snapshot.event_types():
            wanted = [lane for lane in lanes if lane.filter.names.takes(name)]
            if wanted:
                oldest = min(bounds(lane.window, now)[0] for lane in wanted)
                batch = living(snapshot, name, properties_of(wanted), self._codes, oldest)
                for lane, found in _counted(batch, wanted, size, now):
                    filled[lane] = filled[lane].plus(found)
        return filled


def invertible(lane: Lane) -> bool:
    """Whether events may come and go one by one: nothing but the edges of the window looks at the clock."""
    return has_edges(lane.window) and not any(test.timed for _, test in lane.filter.where)


def has_edges(window: Window) -> bool:
    """Whether *window* begins and ends at the same instant for everybody."""
    try:
        return len(bounds(window, 0)) == 2
    except TypeError:
        return False


def properties_of(lanes: Collection[Lane]) -> list[Path]:
    """What they read of an event."""
    return sorted({path for lane in lanes for path in lane.properties})


def living(snapshot: Snapshot, name: str, properties: list[Path], codes: dict[str, int], after: Millis) -> Batch:
    """The events of one type of all contacts that are alive; those at or before *after* may be left out."""
    table = snapshot.events([name], properties, after)
    if not snapshot.alive.all():
        table = table.filter(snapshot.alive[table.column("contact").to_numpy()])
    return Batch(table, codes)


def _counted(batch: Batch, lanes: Collection[Lane], size: int, now: Millis) -> Iterator[tuple[Lane, ExactSum]]:
    """Lanes that differ only in their window are added up together, each event once."""
    alike: dict[Weighing, list[Lane]] = {}
    for lane in lanes:
        alike.setdefault(lane.weighing, []).append(lane)
    cuts = {lane.window: batch.range(*bounds(lane.window, now)) for lane in lanes}
    for same in alike.values():
        rows, weights = batch.rows(same[0])
        places = {lane.window: _placed(rows, cuts[lane.window]) for lane in same}
        sums = by_window(places, batch.contacts[rows], weights, size)
        yield from ((lane, sums[lane.window]) for lane in same)


def _placed(rows: Ints, cut: tuple[int, int]) -> tuple[int, int]:
    first, last = np.searchsorted(rows, cut).tolist()
    return first, last
