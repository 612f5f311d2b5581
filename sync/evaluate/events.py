"""Event conditions as arrays: one scan per event type fills every count, sum, extreme and distinct count asked of it.

The same events under the same filter are looked for once, whoever asks; nested windows are added up from disjoint
pieces, so that each event is counted once per filter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from connectors.base import Millis
from sync.evaluate.columns import Column, Columns, passes
from sync.evaluate.counters import ExactSum, TooBig, distinct_counts, mixed
from sync.evaluate.edges import bounds, cut
from sync.evaluate.numbers import passing, passing_average, rounded_averages
from sync.evaluate.snapshot import BEGINNING, Ints, Mask, Snapshot, every
from sync.evaluate.turns import NEVER, turns
from sync.language.happened import CURRENCY, MACHINE, Filter, Happened, Measure, is_machine, mixed_currencies, overflow, read_currency
from sync.language.needs import filter_properties, measure_properties
from sync.language.predicates import NumberTest
from sync.language.values import INT64_MAX, Path, RuleFailure, path_text
from sync.language.window import Window

_ANY = NumberTest(())
COUNT = Measure("count", (), _ANY)
NO_CURRENCY = -1
Cuts: TypeAlias = Mapping[Window, tuple[int, int]]
Which: TypeAlias = tuple[Filter, Filter | None]                         # events that the first takes, after the last of the second


def gathered_as(measure: Measure) -> Measure:
    """*measure* without what is asked of it: conditions that differ only in their threshold share one array."""
    return Measure(measure.kind, measure.of, _ANY, measure.currency)


@dataclass(frozen=True, slots=True)
class Rows:
    """Events of one type that a filter takes: ascending in time, and the columns that somebody measures."""

    contacts: Ints
    columns: Mapping[Path, Column]

    def take(self, which: Mask | Ints | slice) -> Rows:
        return Rows(self.contacts[which], {path: column.take(which) for path, column in self.columns.items()})


@dataclass(slots=True)
class Gathered:
    """What one measure has gathered in one window, over all event types so far."""

    totals: ExactSum                                                    # count: events; sum, average: millionths
    numbers: ExactSum                                                   # how many values were numbers
    extremes: Ints | None = None
    pairs: list[tuple[Ints, Ints]] = field(default_factory=list)        # distinct: contact beside key
    money: list[tuple[Ints, Ints]] = field(default_factory=list)        # contact beside currency
    too_big: bool = False


class EventArrays:
    """Answers of event conditions for all contacts. `scan` once, then ask `holds` and `values`."""

    def __init__(self, snapshot: Snapshot, now: Millis, columns: Columns) -> None:
        self._snapshot, self._now, self._columns = snapshot, now, columns
        self._size = len(snapshot.alive)
        self._all_alive = bool(snapshot.alive.all())
        self._asked: dict[Which, dict[Measure, set[Window]]] = {}
        self._gathered: dict[tuple[Which, Measure, Window], Gathered] = {}
        self._latest: dict[Filter, Ints] = {}

    # --- scanning -------------------------------------------------------------------------------------------------------------

    def scan(self, nodes: Iterable[Happened]) -> None:
        """Fill the arrays that *nodes* need, reading each event type once."""
        for node in nodes:
            asked = self._asked.setdefault((node.filter, node.since), {})
            for measure in ([COUNT] if node.count is not None else []) + [gathered_as(each) for each in node.measures]:
                asked.setdefault(measure, set()).add(node.window)
        for name in self._snapshot.event_types():
            wanted = [which for which in self._asked if which[0].names.takes(name)]
            if wanted:
                self._scan_type(name, wanted)
                pa.default_memory_pool().release_unused()               # or what one type took stays taken beside the next one's

    def _scan_type(self, name: str, wanted: list[Which]) -> None:
        measures = {measure for which in wanted for measure in self._asked[which] if measure.kind != "count"}
        paths = frozenset().union(*(filter_properties(which) for which, _ in wanted), *map(measure_properties, measures))
        at, rows = self._read(name, sorted(paths), self._earliest(wanted))
        for which in wanted:
            self._scan_filter(which, at, rows)

    def _read(self, name: str, paths: Sequence[Path], after: Millis) -> tuple[Ints, Rows]:
        """Times, ascending, and rows of the events of one type later than *after*, but for those of erased contacts."""
        table = self._snapshot.events([name], paths, after)
        at = _numpy(table.column("at"), np.int64)
        rows = Rows(_numpy(table.column("contact"), np.int32),
                    {path: self._columns.read(table.column(path_text(path))) for path in paths})
        if self._all_alive:
            return at, rows
        alive = self._snapshot.alive[rows.contacts]
        return at[alive], rows.take(alive)

    def _earliest(self, wanted: list[Which]) -> Millis:
        """No window of *wanted* holds an event at or before this."""
        return min(bounds(window, self._now)[0] for which in wanted for windows in self._asked[which].values() for window in windows)

    def _scan_filter(self, which: Which, at: Ints, rows: Rows) -> None:
        cuts: Cuts = {window: cut(at, window, self._now) for windows in self._asked[which].values() for window in windows}
        first, last = min(start for start, _ in cuts.values()), max(end for _, end in cuts.values())
        rows, at = rows.take(slice(first, last)), at[first:last]
        cuts = {window: (start - first, end - first) for window, (start, end) in cuts.items()}
        mask = self._mask(which, rows, at)
        if mask is not None:
            rows, cuts = _kept(mask, rows, cuts)
        for measure, windows in self._asked[which].items():
            mine = {window: cuts[window] for window in windows}
            gather = {window: self._held(which, measure, window) for window in windows}
            _gather(measure, rows, mine, gather, self._columns.interned)

    def _mask(self, which: Which, rows: Rows, at: Ints) -> Mask | None:
        wanted, since = which
        masks = self._taken(wanted, rows)
        if since is not None:
            masks.append(at > self.latest(since)[rows.contacts])
        return every(masks) if masks else None

    def _taken(self, wanted: Filter, rows: Rows) -> list[Mask]:
        masks = [passes(path, predicate, rows.columns, self._now) for path, predicate in wanted.where]
        if wanted.human:
            machine = rows.columns[MACHINE]
            masks.append(~machine.dictionary.tells(is_machine)[machine.codes])
        return masks

    def latest(self, wanted: Filter) -> Ints:
        """Per contact the time of the latest event up to now that *wanted* takes, `BEGINNING` where there is none."""
        if wanted not in self._latest:
            found = np.full(self._size, BEGINNING)
            for at, contacts in self._times(wanted):
                np.maximum.at(found, contacts[at <= self._now], at[at <= self._now])
            self._latest[wanted] = found
        return self._latest[wanted]

    def _times(self, wanted: Filter) -> Iterator[tuple[Ints, Ints]]:
        """When each event that *wanted* takes was, and whose it is, type by type."""
        paths = sorted(filter_properties(wanted))
        for name in filter(wanted.names.takes, self._snapshot.event_types()):
            table = self._snapshot.events([name], paths)
            at, contacts = _numpy(table.column("at"), np.int64), _numpy(table.column("contact"), np.int64)
            rows = Rows(contacts, {path: self._columns.read(table.column(path_text(path))) for path in paths})
            which = every([np.ones(len(at), bool), *self._taken(wanted, rows)])
            yield at[which], contacts[which]

    def _held(self, which: Which, measure: Measure, window: Window) -> Gathered:
        key = (which, measure, window)
        if key not in self._gathered:
            self._gathered[key] = Gathered(ExactSum(self._size), ExactSum(self._size))
        return self._gathered[key]

    # --- asking ---------------------------------------------------------------------------------------------------------------

    def holds(self, node: Happened) -> Mask:
        """Per contact whether *node* holds; `RuleFailure` when that cannot be said of somebody."""
        answers: list[Mask] = []
        if node.count is not None:
            answers.append(passing(node.count, self._held((node.filter, node.since), COUNT, node.window).totals.total(), 1_000_000))
        for measure in node.measures:
            held = self._checked(node, measure)
            answers.append(self._measured(measure, held))
        return every(answers)

    def _measured(self, measure: Measure, held: Gathered) -> Mask:
        if measure.kind == "average":
            return passing_average(measure.test, _total(measure, held), held.numbers.total())
        values, present = self._values(measure, held)
        return passing(measure.test, values, present=present)

    def _values(self, measure: Measure, held: Gathered) -> tuple[Ints, Mask | None]:
        """Millionths per contact, and who has any where that is not everybody; for every measure but the average."""
        if measure.kind == "distinct":
            return distinct_counts(*_joined(held.pairs), self._size) * 1_000_000, None
        if measure.kind == "sum":
            return _total(measure, held), None
        return np.zeros(self._size, np.int64) if held.extremes is None else held.extremes, held.numbers.total() > 0

    def numbers(self, node: Happened) -> tuple[Ints, Mask]:
        """The count of *node*, or its one measure, in millionths per contact, and who has it; an average is rounded."""
        everybody = np.ones(self._size, bool)
        if not node.measures:
            held = self._held((node.filter, node.since), COUNT, node.window)
            return held.totals.total().astype(np.int64) * 1_000_000, everybody
        held = self._checked(node, node.measures[0])
        if node.measures[0].kind == "average":
            numbers = held.numbers.total().astype(np.int64)
            return rounded_averages(_total(node.measures[0], held).astype(np.int64), numbers), numbers > 0
        values, present = self._values(node.measures[0], held)
        return values.astype(np.int64), everybody if present is None else present

    def rows(self, node: Happened, paths: Iterable[Path] = ()) -> Iterator[tuple[Ints, Rows]]:
        """The events that *node* speaks of with their properties *paths*: times, ascending, and rows, one event type after another."""
        read = sorted(filter_properties(node.filter).union(paths))
        for name in filter(node.filter.names.takes, self._snapshot.event_types()):
            at, rows = self._read(name, read, bounds(node.window, self._now)[0])
            which = slice(*cut(at, node.window, self._now))
            at, rows = at[which], rows.take(which)
            mask = self._mask((node.filter, node.since), rows, at)
            yield (at, rows) if mask is None else (at[mask], rows.take(mask))

    def turns(self, node: Happened) -> Ints:
        """Per contact the first instant after now at which an event begins or ceases to count (`NEVER`: none)."""
        found = np.full(self._size, NEVER)
        paths = sorted(filter_properties(node.filter))
        for name in filter(node.filter.names.takes, self._snapshot.event_types()):
            table = self._snapshot.events([name], paths)
            at, contacts = _numpy(table.column("at"), np.int64), _numpy(table.column("contact"), np.int32)
            edges = turns(node.window, at, self._now)
            for path, test in node.filter.where:
                edges = np.minimum(edges, self._columns.read(table.column(path_text(path))).turns(test, self._now))
            np.minimum.at(found, contacts, edges)
        for at, contacts in self._times(node.since) if node.since is not None else ():
            np.minimum.at(found, contacts, np.where(at > self._now, at, NEVER))
        return found

    def _checked(self, node: Happened, measure: Measure) -> Gathered:
        """What *measure* has gathered for *node*; `RuleFailure` where it may not be told."""
        held = self._held((node.filter, node.since), gathered_as(measure), node.window)
        if measure.in_money and held.money:
            who, codes = _joined(held.money)
            found = mixed(who, codes)
            if found.any():
                names = list(self._columns.interned)
                raise RuleFailure(mixed_currencies(measure, {names[code] for code in np.flatnonzero(found)}))
        if held.too_big:
            raise RuleFailure(overflow(measure.of))
        return held


def _total(measure: Measure, held: Gathered) -> Ints:
    try:
        return held.totals.total()
    except TooBig:
        raise RuleFailure(overflow(measure.of)) from None


def _numpy(column: Any, kind: type[np.int32 | np.int64]) -> Ints:
    numbers: Ints = column.to_numpy().astype(kind, copy=False)
    return numbers


def _joined(parts: list[tuple[Ints, Ints]]) -> tuple[Ints, Ints]:
    none = np.empty(0, np.int64)
    return np.concatenate([none, *(who for who, _ in parts)]), np.concatenate([none, *(what for _, what in parts)])


def _kept(which: Mask, rows: Rows, cuts: Cuts) -> tuple[Rows, Cuts]:
    """*rows* that a mask keeps, and where the windows begin and end among those."""
    kept = np.flatnonzero(which)
    return rows.take(kept), {window: _moved(kept, edges) for window, edges in cuts.items()}


def _moved(kept: Ints, edges: tuple[int, int]) -> tuple[int, int]:
    return int(np.searchsorted(kept, edges[0])), int(np.searchsorted(kept, edges[1]))


def _gather(measure: Measure, rows: Rows, cuts: Cuts, into: Mapping[Window, Gathered], interned: dict[str, int]) -> None:
    size = next(iter(into.values())).totals.size
    if measure.kind == "count":
        _add_totals(into, by_window(cuts, rows.contacts, None, size))
    elif measure.kind == "distinct":
        column = rows.columns[measure.of]
        keys = column.dictionary.keys(interned)
        for window, (start, end) in cuts.items():
            into[window].pairs.append(unique_pairs(*keys.of(rows.contacts[start:end], column.codes[start:end])))
    else:
        _gather_numbers(measure, rows, cuts, into, interned)


def _add_totals(into: Mapping[Window, Gathered], found: Mapping[Window, ExactSum]) -> None:
    for window, each in found.items():
        into[window].totals = into[window].totals.plus(each)


def unique_pairs(who: Ints, what: Ints) -> tuple[Ints, Ints]:
    """Each pair of *who* and *what* once."""
    pairs = np.unique((who.astype(np.int64) << 32) | what)
    return pairs >> 32, pairs & 0xFFFFFFFF


def _gather_numbers(
    measure: Measure, rows: Rows, cuts: Cuts, into: Mapping[Window, Gathered], interned: dict[str, int]
) -> None:
    size = next(iter(into.values())).totals.size
    known = rows.columns[measure.of].dictionary.numbers.known[rows.columns[measure.of].codes]
    ids = currency_ids(measure, rows, interned)
    if ids is not None and measure.currency:
        known &= ids == interned.get(measure.currency, NO_CURRENCY - 1)
    elif ids is not None:
        _note_money(known & (ids != NO_CURRENCY), rows.contacts, ids, cuts, into)
    if not known.all():
        rows, cuts = _kept(known, rows, cuts)
    numbers = rows.columns[measure.of].dictionary.numbers
    codes_of = rows.columns[measure.of].codes
    if numbers.too_big.any():
        for window, (start, end) in cuts.items():
            into[window].too_big |= bool(numbers.too_big[codes_of[start:end]].any())
    values = numbers.millionths[codes_of]
    if measure.kind in ("sum", "average"):
        _add_totals(into, by_window(cuts, rows.contacts, values, size, numbers.unit))
    else:
        for window, (start, end) in cuts.items():
            _add_extremes(measure.kind, into[window], rows.contacts[start:end], values[start:end])
    if measure.kind != "sum":
        for window, numbered in by_window(cuts, rows.contacts, None, size).items():
            into[window].numbers = into[window].numbers.plus(numbered)


def currency_ids(measure: Measure, rows: Rows, interned: dict[str, int]) -> Ints | None:
    """Per row the number of its currency among *interned*, NO_CURRENCY where it names none; None where currencies do not matter."""
    if not (measure.in_money or measure.currency):
        return None
    money = rows.columns[CURRENCY]
    codes = [read_currency(value) for value in money.dictionary.values]
    if measure.currency is None and not any(code is not None for code in codes):
        return None
    ids = [NO_CURRENCY if code is None else interned.setdefault(code, len(interned)) for code in codes]
    return np.array(ids, np.int64)[money.codes]


def _note_money(which: Mask, contacts: Ints, ids: Ints, cuts: Cuts, into: Mapping[Window, Gathered]) -> None:
    for window, (start, end) in cuts.items():
        here = which[start:end]
        into[window].money.append(unique_pairs(contacts[start:end][here], ids[start:end][here]))


def _add_extremes(kind: str, held: Gathered, contacts: Ints, values: Ints) -> None:
    least = kind == "min"
    if held.extremes is None:
        held.extremes = np.full(held.totals.size, INT64_MAX if least else -INT64_MAX - 1, np.int64)
    (np.minimum if least else np.maximum).at(held.extremes, contacts, values)


def by_window(cuts: Cuts, contacts: Ints, values: Ints | None, size: int, unit: int = 1) -> dict[Window, ExactSum]:
    """What lies in each window, counted or summed, touching each row once: windows are differences of sums from the end on."""
    edges = sorted({edge for pair in cuts.values() for edge in pair}, reverse=True)
    running = ExactSum(size)
    since = {edges[0]: running}
    for upper, lower in pairwise(edges):
        who = contacts[lower:upper]
        piece = ExactSum.counted(who, size) if values is None else ExactSum.summed(who, values[lower:upper], size, unit)
        running = running.plus(piece)
        since[lower] = running
    return {window: since[start].minus(since[end]) for window, (start, end) in cuts.items()}
