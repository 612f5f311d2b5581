"""Event conditions as arrays: one look at each event type fills every count, sum, extreme and distinct count asked of it.

The same events under the same filter are looked for once, whoever asks; nested windows are added up from disjoint
pieces, so that each event is counted once per filter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from connectors.base import Millis
from sync.evaluate.columns import passes
from sync.evaluate.counters import ExactSum, TooBig, distinct_counts, mixed
from sync.evaluate.edges import bounds, cut
from sync.evaluate.numbers import passing, passing_average, rounded_averages
from sync.evaluate.reading import Paths, Reading, Rows
from sync.evaluate.snapshot import BEGINNING, Ints, Mask, every
from sync.evaluate.turns import NEVER, turns
from sync.language.happened import CURRENCY, MACHINE, Filter, Happened, Measure, is_machine, mixed_currencies, overflow, read_currency
from sync.language.needs import filter_properties, measure_properties
from sync.language.predicates import NumberTest
from sync.language.values import INT64_MAX, Path, RuleFailure
from sync.language.window import Window

_ANY = NumberTest(())
COUNT = Measure("count", (), _ANY)
NO_CURRENCY = -1
Cuts: TypeAlias = Mapping[Window, tuple[int, int]]
Which: TypeAlias = tuple[Filter, Filter | None]                         # events that the first takes, after the last of the second


def gathered_as(measure: Measure) -> Measure:
    """*measure* without what is asked of it: conditions that differ only in their threshold share one array."""
    return Measure(measure.kind, measure.of, _ANY, measure.currency)


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
    """Answers of event conditions for all contacts. `want` all, `look_back`, `scan` each type, then ask `holds` and `values`."""

    def __init__(self, reading: Reading, now: Millis) -> None:
        self._reading, self._now, self._size = reading, now, reading.size
        self._asked: dict[Which, dict[Measure, set[Window]]] = {}
        self._gathered: dict[tuple[Which, Measure, Window], Gathered] = {}
        self._latest: dict[Filter, Ints] = {}
        self._sinces: set[Filter] = set()

    # --- scanning -------------------------------------------------------------------------------------------------------------

    def want(self, nodes: Iterable[Happened]) -> None:
        """Note the arrays that *nodes* need."""
        for node in nodes:
            asked = self._asked.setdefault((node.filter, node.since), {})
            for measure in ([COUNT] if node.count is not None else []) + [gathered_as(each) for each in node.measures]:
                asked.setdefault(measure, set()).add(node.window)
        for which in self._asked:
            self._reading.want(which[0].names, self._paths([which]), self._earliest([which]))
            self._want_latest(which[1])

    def want_rows(self, node: Happened, paths: Paths, moment: Millis) -> None:
        """Say that `rows` will be asked of *node* with *paths*, at the earliest as of *moment*."""
        self._reading.want(node.filter.names, filter_properties(node.filter) | paths, bounds(node.window, moment)[0], lasting=True)
        self._want_latest(node.since)

    def _want_latest(self, since: Filter | None) -> None:
        if since is not None:
            self._sinces.add(since)
            self._reading.want(since.names, filter_properties(since), BEGINNING)

    def look_back(self) -> None:
        """Find the events since which others are counted, before the others."""
        for since in self._sinces:
            self.latest(since)

    def scan(self, name: str) -> None:
        """Fill the arrays that were wanted with the events of one type."""
        wanted = [which for which in self._asked if which[0].names.takes(name)]
        if wanted:
            at, rows = self._reading.of(name, self._paths(wanted), self._earliest(wanted))
            for which in wanted:
                self._scan_filter(which, at, rows)

    def _paths(self, wanted: list[Which]) -> Paths:
        measures = {measure for which in wanted for measure in self._asked[which] if measure.kind != "count"}
        return frozenset().union(*(filter_properties(which) for which, _ in wanted), *map(measure_properties, measures))

    def _earliest(self, wanted: list[Which]) -> Millis:
        """No window of *wanted* holds an event at or before this."""
        return min(bounds(window, self._now)[0] for which in wanted for windows in self._asked[which].values() for window in windows)

    def _scan_filter(self, which: Which, at: Ints, rows: Rows) -> None:
        cuts: Cuts = {window: cut(at, window, self._now) for windows in self._asked[which].values() for window in windows}
        first, last = min(start for start, _ in cuts.values()), max(end for _, end in cuts.values())
        rows, at = rows.take(slice(first, last)), at[first:last]
        cuts = {window: (start - first, end - first) for window, (start, end) in cuts.items()}
        mask = self._mask(which, rows, at)
        rows = rows.only(frozenset().union(*(measure_properties(each) for each in self._asked[which] if each.kind != "count")))
        if mask is not None:
            rows, cuts = _kept(mask, rows, cuts)
        for measure, windows in self._asked[which].items():
            mine = {window: cuts[window] for window in windows}
            gather = {window: self._held(which, measure, window) for window in windows}
            _gather(measure, rows, mine, gather, self._reading.columns.interned)

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
        for name in self._reading.types(wanted.names):
            at, rows = self._reading.of(name, filter_properties(wanted), BEGINNING)
            which = every([np.ones(len(at), bool), *self._taken(wanted, rows)])
            yield at[which], rows.contacts[which]

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
        wanted = frozenset(paths)
        for name in self._reading.types(node.filter.names):
            at, rows = self._reading.of(name, filter_properties(node.filter) | wanted, bounds(node.window, self._now)[0])
            which = slice(*cut(at, node.window, self._now))
            at, rows = at[which], rows.take(which)
            mask = self._mask((node.filter, node.since), rows, at)
            rows = rows.only(wanted)
            yield (at, rows) if mask is None else (at[mask], rows.take(mask))

    def turns(self, node: Happened) -> Ints:
        """Per contact the first instant after now at which an event begins or ceases to count (`NEVER`: none)."""
        found = np.full(self._size, NEVER)
        timed = any(test.timed for _, test in node.filter.where)
        for name in self._reading.types(node.filter.names):
            after = BEGINNING if timed else bounds(node.window, self._now)[0]
            at, rows = self._reading.of(name, filter_properties(node.filter), after)
            edges = turns(node.window, at, self._now)
            for path, test in node.filter.where:
                edges = np.minimum(edges, rows.columns[path].turns(test, self._now))
            np.minimum.at(found, rows.contacts, edges)
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
                names = list(self._reading.columns.interned)
                raise RuleFailure(mixed_currencies(measure, {names[code] for code in np.flatnonzero(found)}))
        if held.too_big:
            raise RuleFailure(overflow(measure.of))
        return held


def _total(measure: Measure, held: Gathered) -> Ints:
    try:
        return held.totals.total()
    except TooBig:
        raise RuleFailure(overflow(measure.of)) from None


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
        running = running.counting(who) if values is None else running.plus(ExactSum.summed(who, values[lower:upper], size, unit))
        since[lower] = running
    return {window: since[start].minus(since[end]) for window, (start, end) in cuts.items()}
