"""Time's own work on counters: what enters and leaves windows next, worked out for the hour ahead and done in order of time.

A window's two edges are instants that only move forward: each event passes each edge once, at a moment that is known beforehand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from connectors.base import Millis
from sync.evaluate.batch import Batch, Lane
from sync.evaluate.snapshot import Ints
from sync.evaluate.turns import NEVER, comes_and_goes
from sync.language.window import Window

BEGIN, END = range(2)                               # a window's edges, in the order of `bounds`

Part = tuple[Ints, int, Ints, Ints | None]          # when, of which target, contacts, and what each adds (None: one each)
Entries = tuple[Ints, Ints, Ints]                   # targets, contacts, and what each adds


class Agenda:
    """What is to be added as time goes on: *parts*, by time. *due*: when the next entry is; `NEVER` when none is left."""

    def __init__(self, parts: Sequence[Part]) -> None:
        when = np.concatenate([part[0] for part in parts])
        order = np.argsort(when, kind="stable")
        numbers = [np.ones(len(part[0]), np.int64) if part[3] is None else part[3] for part in parts]
        self._when: Ints = when[order]
        self._targets: Ints = np.repeat([part[1] for part in parts], [len(part[0]) for part in parts])[order]
        self._contacts: Ints = np.concatenate([part[2] for part in parts])[order]
        self._numbers: Ints = np.concatenate(numbers)[order]
        self._place, self.due = 0, NEVER
        self._stand(0)

    def take(self, now: Millis) -> Entries:
        """What is due until *now*, each entry once."""
        start, end = self._place, int(self._when.searchsorted(now, "right"))
        self._stand(end)
        return self._targets[start:end], self._contacts[start:end], self._numbers[start:end]

    def _stand(self, place: int) -> None:
        self._place = place
        self.due = int(self._when[place]) if place < len(self._when) else NEVER


def passing(
    window: Window, edge: int, batch: Batch, start: int, end: int, lanes: Iterable[tuple[int, Lane]], sign: int,
) -> Iterator[Part]:
    """What *edge* does when it passes rows start … end of *batch*, each of which counts *sign* times: for the nth of *lanes* (with their
    numbers) to target 2n where it is added, and 2n + 1 where it is subtracted. What comes in when it falls out was never held."""
    comes, goes = comes_and_goes(window, batch.at[start:end])
    held, when = comes < goes, comes if edge == END else goes
    less = (edge == END) != (sign > 0)
    for number, lane in lanes:
        rows, weights = batch.rows(lane)
        first, last = rows.searchsorted((start, end)).tolist()
        mine = held[rows[first:last] - start]
        rows = rows[first:last][mine]
        if len(rows):
            yield when[rows - start], 2 * number + less, batch.contacts[rows], None if weights is None else weights[first:last][mine]
