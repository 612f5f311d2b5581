"""Conditions on the shape of what somebody did, for everybody at once: the fast twin of `sync.language.patterns` and `periods`.

Everything is asked of events in the order of contact and time, so that what comes before or after is the row beside.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from connectors.base import Millis
from sync.evaluate.columns import Column
from sync.evaluate.edges import bounds
from sync.evaluate.numbers import passing
from sync.evaluate.occurrences import Occurrences, OccurrenceScan, begins, soonest
from sync.evaluate.reading import Reading
from sync.evaluate.sequences import SequenceArrays
from sync.evaluate.snapshot import BEGINNING, Ints, Mask
from sync.evaluate.turns import NEVER, turns
from sync.language.needs import pattern_properties
from sync.language.patterns import FirstOrLast, MostFrequent, Resumed
from sync.language.periods import Period, Regularly, Rolling, Streak, last_edges, next_edge
from sync.language.sequence import Sequence
from sync.language.values import canonical
from sync.language.window import Window

Single: TypeAlias = FirstOrLast | MostFrequent | Resumed | Regularly | Streak      # of one filter
Pattern: TypeAlias = Single | Sequence
PATTERNS = (FirstOrLast, MostFrequent, Resumed, Regularly, Streak, Sequence)


class PatternArrays:
    """Answers of conditions on patterns for all contacts. `want` all that will be asked, then `scan` each type that is wanted."""

    def __init__(self, reading: Reading, now: Millis) -> None:
        self._now, self._columns, self._size = now, reading.columns, reading.size
        self._events = OccurrenceScan(reading, now)
        self._sequences = SequenceArrays(self._events, reading.columns.interned, self._size, now)

    def want(self, nodes: Iterable[Pattern]) -> None:
        """Note what *nodes* speak of."""
        for node in nodes:
            if isinstance(node, Sequence):
                self._sequences.want(node)
            else:
                self._events.ask(node.filter, pattern_properties(node), self._after(node))

    def scan(self, name: str) -> None:
        """Find the events of one type that somebody wants."""
        self._events.scan(name)

    def holds(self, node: Pattern) -> Mask:
        """Per contact whether *node* holds."""
        if isinstance(node, Sequence):
            return self._sequences.holds(node)
        events = self._of(node)
        now = np.flatnonzero(events.taken & (events.at <= self._now))
        match node:
            case FirstOrLast():
                chosen = now[self._chosen(node, events, now)]
                passed = self._inside(node.window, events.at[chosen]) & events.passes(node.fields, self._now)[chosen]
                return self._having(events.contacts[chosen[passed]])
            case MostFrequent():
                return self._values(node, events, now).passes(node.test, self._now)
            case Resumed():
                contacts, at = events.contacts[now], events.at[now]
                after = (contacts[1:] == contacts[:-1]) & (at[1:] - at[:-1] >= node.silent)
                return self._having(contacts[1:][after & self._inside(node.window, at[1:])])
            case Regularly():
                return self._regularly(node, events.contacts[now], events.at[now])
            case Streak():
                return self._streak(node, events.contacts[now], events.at[now])

    def turns(self, node: Pattern) -> Ints:
        """Per contact when the answer may next differ although nothing happened, as `node.turn` says; `NEVER`: it will not."""
        if isinstance(node, Sequence):
            return self._sequences.turns(node)
        events = self._of(node)
        edges = begins(events, self._now)
        now = np.flatnonzero(events.taken & (events.at <= self._now))
        match node:
            case FirstOrLast():
                chosen = now[self._chosen(node, events, now)]
                edges[chosen] = np.minimum(edges[chosen], turns(node.window, events.at[chosen], self._now))
                for path, test in node.fields:
                    edges[chosen] = np.minimum(edges[chosen], events.turns_of(path, test, self._now)[chosen])
            case MostFrequent() | Resumed():
                edges = np.minimum(edges, turns(node.window, events.at, self._now))
            case Regularly() | Streak():
                edges = np.minimum(edges, self._moves(node.period, node.periods, events.at))
        found = soonest(events.contacts, edges, self._size)
        if isinstance(node, MostFrequent):
            found = np.minimum(found, self._values(node, events, now).turns(node.test, self._now))
        return found

    def _of(self, node: Single) -> Occurrences:
        self.want([node])
        return self._events.of(node.filter)

    def _after(self, node: Single) -> Millis:
        """No event at or before this decides *node*, or when that may change."""
        match node:
            case Regularly() | Streak():
                return last_edges(node.period, self._now, node.periods)[0]
            case MostFrequent():
                return bounds(node.window, self._now)[0]
            case FirstOrLast() if node.which == "last" and not any(test.timed for _, test in node.fields):
                return bounds(node.window, self._now)[0]
            case _:
                return BEGINNING

    def _having(self, contacts: Ints) -> Mask:
        found = np.zeros(self._size, bool)
        found[contacts] = True
        return found

    def _inside(self, window: Window, at: Ints) -> Mask:
        after, upto = bounds(window, self._now)
        found: Mask = (at > after) & (at <= upto)
        return found

    # --- the first, the latest, the most frequent -----------------------------------------------------------------------------

    def _chosen(self, node: FirstOrLast, events: Occurrences, now: Ints) -> Mask:
        """Which of the rows *now* are a contact's first or latest, or happened at the same instant."""
        contacts, at = events.contacts[now], events.at[now]
        if not len(now):
            return np.zeros(0, bool)
        changes = np.flatnonzero(contacts[1:] != contacts[:-1])
        rows = np.append(0, changes + 1) if node.which == "first" else np.append(changes, len(now) - 1)
        extremes = np.zeros(self._size, np.int64)
        extremes[contacts[rows]] = at[rows]
        found: Mask = at == extremes[contacts]
        return found

    def _values(self, node: MostFrequent, events: Occurrences, now: Ints) -> Column:
        """The most frequent value per contact, absent where there is none."""
        rows, keys = events.keys(node.of, self._columns.interned)
        counted = np.zeros(len(events), bool)
        counted[now[self._inside(node.window, events.at[now])]] = True
        rows, keys = rows[counted[rows]], keys[counted[rows]]
        contacts, keys, counts, latest = _tallied(events.contacts[rows], keys, events.at[rows])
        used, codes = np.unique(keys, return_inverse=True)
        names = list(self._columns.interned) if len(used) else []
        texts = [names[key] for key in used]
        ranks = np.empty(len(used), np.int64)
        ranks[sorted(range(len(used)), key=texts.__getitem__)] = np.arange(len(used))
        best = np.lexsort((-ranks[codes], latest, counts, contacts))    # of each contact the last one wins
        winners = np.full(self._size, -1, np.int32)
        winners[contacts[best]] = codes[best]
        values = pa.DictionaryArray.from_arrays(
            pa.array(winners, mask=winners < 0), pa.array(list(map(canonical, texts)), pa.string()))
        return self._columns.read(values)

    # --- periods --------------------------------------------------------------------------------------------------------------

    def _regularly(self, node: Regularly, contacts: Ints, at: Ints) -> Mask:
        who, _, counts = self._per_period(node.period, node.periods, contacts, at)
        passed = passing(node.count, counts, 1_000_000)
        reached = np.bincount(who[passed], minlength=self._size)
        if node.count.holds(0):
            reached += node.periods - np.bincount(who, minlength=self._size)
        return reached >= node.least

    def _streak(self, node: Streak, contacts: Ints, at: Ints) -> Mask:
        who, numbers, counts = self._per_period(node.period, node.periods, contacts, at)
        passed = passing(node.count, counts, 1_000_000)
        who, numbers = who[passed], numbers[passed]
        starts = np.flatnonzero(np.append(True, who[1:] != who[:-1])) if len(who) else np.zeros(0, np.int64)
        place = np.arange(len(who)) - np.repeat(starts, np.diff(np.append(starts, len(who))))
        begun = np.repeat(numbers[starts], np.diff(np.append(starts, len(who))))
        allowed = 0 if isinstance(node.period, Rolling) else 1
        unbroken = (numbers - place == begun) & (begun <= allowed)
        reached = np.minimum(np.bincount(who[unbroken], minlength=self._size), node.most)
        return passing(node.length, reached, 1_000_000)

    def _per_period(self, period: Period, periods: int, contacts: Ints, at: Ints) -> tuple[Ints, Ints, Ints]:
        """(contact, period, how many events) wherever one of the last *periods* holds any, ascending."""
        edges = np.array(last_edges(period, self._now, periods))
        numbers = len(edges) - 1 - np.searchsorted(edges, at, side="left")
        inside = (at > edges[0]) & (at <= edges[-1])
        held, counts = np.unique(contacts[inside] * periods + numbers[inside], return_counts=True)
        return held // periods, held % periods, counts

    def _moves(self, period: Period, periods: int, at: Ints) -> Ints:
        """Per event when it changes its period or leaves the last one."""
        inside = (at > last_edges(period, self._now, periods)[0]) & (at <= self._now)
        if isinstance(period, Rolling):
            moves = at + ((self._now - at) // period.span + 1) * period.span
        else:
            moves = np.full(len(at), next_edge(period, self._now))
        return np.where(inside, moves, NEVER)


def _tallied(contacts: Ints, keys: Ints, at: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """(contact, key, how many events, the latest of them), each pair once."""
    pairs = (contacts << 32) | keys
    order = np.lexsort((at, pairs))
    pairs, at = pairs[order], at[order]
    ends = np.flatnonzero(np.append(pairs[1:] != pairs[:-1], True)) if len(pairs) else np.zeros(0, np.int64)
    return pairs[ends] >> 32, pairs[ends] & 0xFFFFFFFF, np.diff(np.append(-1, ends)), at[ends]
