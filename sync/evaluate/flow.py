"""One event type as the tick counts it: which lanes take its events, and where their windows stand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from connectors.base import HOUR, Millis
from sync.evaluate.ahead import END, Agenda, Entries, Part, passing
from sync.evaluate.batch import Batch, Counted, Lane, Weighing
from sync.evaluate.cells import Cells
from sync.evaluate.edges import bounds
from sync.evaluate.engine import properties_of
from sync.evaluate.snapshot import BEGINNING, Ints
from sync.evaluate.source import Source
from sync.evaluate.turns import NEVER, comes_and_goes
from sync.language.values import Path
from sync.language.window import Window

HORIZON: Millis = HOUR                              # so far ahead events are read
MOST = 64                                           # agendas beside each other before what lies ahead is read anew as one
SCATTERED = 500                                     # so many entries are added faster one by one than cell by cell

Place = tuple[int, int, int]                        # first and last row, and the number of a question


class Flow:
    """Feeds the cells of its lanes. *due*: the first moment at which time alone changes one (or more has to be read)."""

    def __init__(self, name: str, source: Source, codes: dict[str, int]) -> None:
        self.name, self._source, self._codes = name, source, codes
        self._lanes: dict[Lane, Cells] = {}
        self._windows: dict[Window, list[tuple[int, Lane]]] = {}        # with the number of each lane
        self._asked: dict[Window, list[tuple[int, Lane, Cells]]] = {}   # with the number of what is asked of an event
        self._targets: list[tuple[Cells, int]] = []                     # 2n: the nth lane; 2n + 1: less of it
        self._at: Millis = 0                                            # where the windows stand
        self._until: Millis = BEGINNING                                 # what passes an edge until then was read
        self._upto: Ints = np.zeros((0, 2), np.int64)                   # where the edges stand then
        self._agendas: list[Agenda] = []
        self._moments: list[Ints] = []                                  # for each stretch that was read, when its rows are passed
        self._before = 0                                                # rows of former stretches that an edge has passed
        self.properties: Sequence[Path] = ()
        self.due: Millis = NEVER
        self.reads = 0                                                  # rows read so far

    def take(self, lanes: dict[Lane, Cells], now: Millis) -> None:
        """Feed *lanes* from here on, and no others; what they hold is right at *now*, where the windows stand."""
        if lanes == self._lanes and self._at == now:
            return
        self._lanes, self._at, self.properties = lanes, now, properties_of(lanes)
        self._windows, self._asked, numbers = {}, {}, dict[Weighing, int]()
        for number, (lane, cells) in enumerate(lanes.items()):
            self._windows.setdefault(lane.window, []).append((number, lane))
            self._asked.setdefault(lane.window, []).append((numbers.setdefault(lane.weighing, len(numbers)), lane, cells))
        self._targets = [(cells, sign) for cells in lanes.values() for sign in (1, -1)]
        self.forget()

    def forget(self) -> None:
        """Read what lies ahead again: it is not what it was."""
        self._before, self._moments = self.passed, []
        self._agendas, self._until = [], BEGINNING
        self.due = 0 if self._windows else NEVER

    # --- what arrives -----------------------------------------------------------------------------------------------------

    def change(self, table: pa.Table, sign: int) -> None:
        """Events that arrived, or with -1 were removed: counted by the windows as they stand, and noted for when an edge passes them."""
        if not self._windows:
            return
        batch, added = Batch(table, self._codes), dict[Place, Counted]()
        stand = batch.at.searchsorted(self._edges(self._at), side="right")
        for (start, end), asked in zip(stand.tolist(), self._asked.values(), strict=True):
            for number, lane, cells in asked if start < end else ():
                place = (start, end, number)                            # most windows hold all that arrives
                if place not in added:
                    added[place] = batch.added(lane, start, end)
                cells.add(*added[place], sign)
        if self._until > self._at:
            self._await(batch, stand, batch.at.searchsorted(self._upto, side="right"), sign)

    def _await(self, batch: Batch, stand: Ints, ahead: Ints, sign: int) -> None:
        """Note what each edge will pass from where it stands until the end of what was read, both as positions in *batch*."""
        windows, parts = [*self._windows.items()], list[Part]()
        for place, edge in np.argwhere(stand < ahead).tolist():
            window, lanes = windows[place]
            parts += passing(window, edge, batch, int(stand[place, edge]), int(ahead[place, edge]), lanes, sign)
        if parts and len(self._agendas) >= MOST:
            self.forget()
        elif parts:
            self._agendas.append(Agenda(parts))
            self._look_ahead()

    def _edges(self, now: Millis) -> Ints:
        """Where the edges of each window stand at *now*."""
        return np.array([bounds(window, now) for window in self._windows], np.int64).reshape(-1, 2)

    # --- what time does ---------------------------------------------------------------------------------------------------

    def move(self, now: Millis) -> None:
        """Let time pass until *now*; more is read when that takes it."""
        self.pass_by(now)
        if now >= self._until and self._windows:
            self._read_on(now)
            self.pass_by(now)

    def pass_by(self, now: Millis) -> None:
        """Let time pass until *now*, but not beyond what was read."""
        upto = min(now, self._until)
        if upto <= self._at:
            return
        self._at = upto
        if upto >= self.due:
            for agenda in self._agendas:
                self._apply(agenda.take(upto))
            self._look_ahead()

    def _look_ahead(self) -> None:
        self._agendas = [agenda for agenda in self._agendas if agenda.due != NEVER]
        self.due = min([self._until, *(agenda.due for agenda in self._agendas)])

    def _apply(self, entries: Entries) -> None:
        targets, contacts, numbers = entries
        if len(targets) <= SCATTERED:
            for target, contact, number in zip(targets.tolist(), contacts.tolist(), numbers.tolist(), strict=True):
                cells, sign = self._targets[target]
                cells.put(contact, number, sign)
            return
        order = np.argsort(targets, kind="stable")
        for rows in np.split(order, np.flatnonzero(np.diff(targets[order])) + 1):
            cells, sign = self._targets[int(targets[rows[0]])]
            cells.add(contacts[rows], numbers[rows], sign)

    def _read_on(self, now: Millis) -> None:
        """Read what an edge passes from where the windows stand until an hour after *now*."""
        self._before, self._moments = self.passed, []
        self._until = now + HORIZON
        self._upto, read, parts = self._edges(self._until), dict[tuple[Millis, Millis], Batch](), list[Part]()
        for (window, lanes), places, uptos in zip(self._windows.items(), self._edges(self._at).tolist(), self._upto.tolist(), strict=True):
            for edge, (after, upto) in enumerate(zip(places, uptos, strict=True)):
                if upto > after > BEGINNING:
                    if (after, upto) not in read:                       # windows with the same edges share what is read
                        read[after, upto] = self._read(window, edge, after, upto)
                    batch = read[after, upto]
                    parts += passing(window, edge, batch, 0, len(batch), lanes, 1)
        self._agendas = [Agenda(parts)] if parts else []
        self._look_ahead()

    def _read(self, window: Window, edge: int, after: Millis, upto: Millis) -> Batch:
        batch = Batch(self._source.between(self.name, self.properties, after, upto), self._codes)
        comes, goes = comes_and_goes(window, batch.at)
        self._moments.append(np.sort(comes if edge == END else goes))
        self.reads += len(batch)
        return batch

    @property
    def passed(self) -> int:
        """Of the rows that were read, how many an edge has passed."""
        return self._before + _until(self._moments, self._at)

    @property
    def ahead(self) -> int:
        """Of the rows that were read, how many an edge will pass yet before more is read."""
        return _until(self._moments, self._until) - _until(self._moments, self._at)


def _until(moments: Sequence[Ints], now: Millis) -> int:
    """How many of them come until *now*; each array is ascending."""
    return sum(int(each.searchsorted(now, side="right")) for each in moments)
