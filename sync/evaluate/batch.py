"""Events of one type as rows that are asked each question once: which a filter takes, and what each of them adds to a lane."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import numpy as np
import pyarrow as pa

from connectors.base import Millis
from sync.evaluate.columns import Column, Columns, Numbers, passes
from sync.evaluate.snapshot import Ints, Mask, every
from sync.language.happened import CURRENCY, MACHINE, Filter, Happened, Measure, is_machine, read_currency
from sync.language.needs import filter_properties
from sync.language.values import Path, path_text
from sync.language.window import Window

T = TypeVar("T")
K = TypeVar("K")
Counted: TypeAlias = tuple[Ints, Ints | None]       # rows, ascending, and what each adds (None: one each)
Weighing: TypeAlias = tuple[Filter, str, Path, str | None]      # what decides about it: all of a lane but its window


@dataclass(frozen=True, slots=True)
class Lane:
    """An integer per contact, added up over the events that *filter* takes in *window*. *kind* says what each event adds:

    count       1
    sum         the number in *of*, in millionths
    numbers     1 where *of* holds a number
    oversized   1 where that number does not fit int64
    coded, codes, squares
                1, n and n² where the number has a currency, the nth that was ever met: all of a contact's are the same
                exactly where coded · squares = codes²
    """

    filter: Filter
    window: Window
    kind: str
    of: Path = ()
    currency: str | None = None

    @property
    def weighing(self) -> Weighing:
        return self.filter, self.kind, self.of, self.currency

    @property
    def properties(self) -> frozenset[Path]:
        """What it reads of an event."""
        money = self.kind in ("coded", "codes", "squares") or self.currency is not None
        return filter_properties(self.filter) | ({self.of} if self.of else set()) | ({CURRENCY} if money else set())


def lanes_of(node: Happened) -> Iterator[Lane]:
    """All lanes that *node* looks at."""
    if node.count is not None:
        yield Lane(node.filter, node.window, "count")
    for measure in node.measures:
        for kind in kinds_of(measure):
            yield Lane(node.filter, node.window, kind, measure.of, measure.currency)


def kinds_of(measure: Measure) -> tuple[str, ...]:
    """The lanes of a sum or an average."""
    money = ("coded", "codes", "squares") if measure.in_money else ()
    return ("sum", "oversized", *(("numbers",) if measure.kind == "average" else ()), *money)


class Batch:
    """Events of one type, ascending by time. *codes*: currency → its number, for every batch of an engine the same."""

    def __init__(self, table: pa.Table, codes: dict[str, int]) -> None:
        self._table, self._codes, self._read = table, codes, Columns()
        self.at: Ints = table.column("at").to_numpy().astype(np.int64, copy=False)
        self.contacts: Ints = table.column("contact").to_numpy().astype(np.int64, copy=False)
        self._first, self._last = (int(self.at[0]), int(self.at[-1])) if len(self.at) else (0, 0)
        self._columns: dict[Path, Column] = {}
        self._taken: dict[Filter, Ints] = {}
        self._counted: dict[Weighing, Counted] = {}

    def __len__(self) -> int:
        return len(self.at)

    def range(self, after: Millis, upto: Millis) -> tuple[int, int]:
        """Positions (start, end) of the rows with after < at ≤ upto."""
        start = 0 if after < self._first else int(self.at.searchsorted(after, side="right"))
        end = len(self.at) if upto >= self._last else int(self.at.searchsorted(upto, side="right"))
        return start, max(start, end)

    def added(self, lane: Lane, start: int, end: int) -> Counted:
        """Contacts of rows start … end that count in *lane*, and what each adds (None: one each)."""
        rows, weights = self.rows(lane)
        first, last = int(rows.searchsorted(start)), int(rows.searchsorted(end))
        return self.contacts[rows[first:last]], None if weights is None else weights[first:last]

    def rows(self, lane: Lane) -> Counted:
        """The rows that count in *lane* if its window holds them, and what each adds (None: one each)."""
        return _once(self._counted, lane.weighing, lambda: self._weigh(lane))

    def _weigh(self, lane: Lane) -> Counted:
        rows = _once(self._taken, lane.filter, lambda: self._take(lane.filter))
        if lane.kind == "count":
            return rows, None
        known, numbers, held = self._numbers(lane, rows)
        if lane.kind == "oversized":
            return rows[known & numbers.too_big[held]], None
        if lane.kind in ("sum", "numbers"):
            return rows[known], numbers.millionths[held[known]] if lane.kind == "sum" else None
        coded = self._currencies()[rows]
        which = known & (coded > 0)
        return rows[which], {"coded": None, "codes": coded[which]}.get(lane.kind, coded[which] ** 2)

    def _numbers(self, lane: Lane, rows: Ints) -> tuple[Mask, Numbers, Ints]:
        """Which of *rows* hold a number (in the lane's currency), the numbers by code, and the rows' codes."""
        column = self._column(lane.of)
        held = column.codes[rows].astype(np.int64)
        known = column.dictionary.numbers.known[held]
        if lane.currency is not None:
            money = self._column(CURRENCY)
            mine = np.array([read_currency(value) == lane.currency for value in money.dictionary.values])
            known = known & mine[money.codes[rows]]
        return known, column.dictionary.numbers, held

    def _currencies(self) -> Ints:
        """Per row the number of its currency, from 1 on; 0 where it names none."""
        money = self._column(CURRENCY)
        named = [read_currency(value) for value in money.dictionary.values]
        numbers = np.array([0 if code is None else self._codes.setdefault(code, len(self._codes) + 1) for code in named], np.int64)
        found: Ints = numbers[money.codes]
        return found

    def _take(self, which: Filter) -> Ints:
        columns = {path: self._column(path) for path in filter_properties(which)}
        masks = [passes(path, predicate, columns, 0) for path, predicate in which.where]     # of no predicate that looks at the clock
        if which.human:
            machine = columns[MACHINE]
            masks.append(~machine.dictionary.tells(is_machine)[machine.codes])
        return np.flatnonzero(every(masks)) if masks else np.arange(len(self.at))

    def _column(self, path: Path) -> Column:
        return _once(self._columns, path, lambda: self._read.read(self._table.column(path_text(path))))


def _once(known: dict[K, T], key: K, make: Callable[[], T]) -> T:
    if key not in known:
        known[key] = make()
    return known[key]
