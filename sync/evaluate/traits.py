"""Computed traits of everybody at once: one column per trait, out of the same arrays as the conditions on events.

Counts and aggregates come from `EventArrays`, so that they share a scan with whoever asks the same; the other figures are made of
the rows of their events (`sync.evaluate.figures`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from connectors.base import Millis
from sync.evaluate import figures
from sync.evaluate.columns import Amounts, Column, Columns, Instants
from sync.evaluate.events import EventArrays
from sync.evaluate.snapshot import Ints, Mask
from sync.evaluate.turns import earliest
from sync.language.figures import Counted, DaysSince, Decaying, Different, Edge, Frequent, Measured
from sync.language.happened import Happened
from sync.language.needs import figure_properties
from sync.language.nodes import Node, walk
from sync.language.rank import Rank, traits_of
from sync.language.traits import EventTrait, Points, Trait


def asked_sets(node: Node) -> Iterator[Happened]:
    """What *node*, a condition on events or on traits, wants of the event arrays."""
    if isinstance(node, Happened):
        yield node
    for _, trait in traits_of(node):
        if isinstance(trait, EventTrait) and isinstance(trait.figure, Counted | Measured):
            yield trait.asked


def with_points(node: Node) -> Iterator[Node]:
    """*node*, and every condition that the points which it asks are given for."""
    yield node
    for _, trait in traits_of(node):
        for child in trait.children if isinstance(trait, Points) else ():
            yield from (each for inner in walk(child) for each in with_points(inner))


class TraitColumns:
    """The values of traits for all contacts at *now*, each worked out once. *mask* and *until* answer for conditions."""

    def __init__(
        self, size: int, now: Millis, events: EventArrays, columns: Columns, mask: Callable[[Node], Mask], until: Callable[[Node], Ints],
    ) -> None:
        self._size, self._now, self._events, self._columns = size, now, events, columns
        self._mask, self._until = mask, until
        self._numbers: dict[Trait, tuple[Ints, Mask]] = {}
        self._found: dict[Trait, Column] = {}

    def want(self, node: Node) -> None:
        """Say that the events of the traits which *node* asks will be looked at, where these are no counts and aggregates."""
        moment = node.by.moment(self._now) if isinstance(node, Rank) else self._now
        for _, trait in traits_of(node):
            if isinstance(trait, EventTrait) and not isinstance(trait.figure, Counted | Measured):
                self._events.want_rows(trait.events, figure_properties(trait.figure), moment)

    # --- values ---------------------------------------------------------------------------------------------------------------

    def column(self, trait: Trait) -> Column:
        """One value per contact, absent where it is missing; `RuleFailure` when that cannot be said of somebody."""
        if trait not in self._found:
            self._found[trait] = self._spread(trait) if trait.sort in ("number", "time") else self._texts(trait)
        return self._found[trait]

    def numbers(self, trait: Trait) -> tuple[Ints, Mask]:
        """Of a trait that is a number or a time: millionths or milliseconds per contact, and who has one."""
        if trait not in self._numbers:
            self._numbers[trait] = self._points(trait) if isinstance(trait, Points) else self._figure(trait)
        return self._numbers[trait]

    def _spread(self, trait: Trait) -> Column:
        values, known = self.numbers(trait)
        distinct, places = np.unique(values[known], return_inverse=True)
        codes = np.full(self._size, -1, np.int32)
        codes[known] = places
        return Column(codes, Amounts(distinct) if trait.sort == "number" else Instants(distinct))

    def _texts(self, trait: Trait) -> Column:
        match trait:
            case EventTrait(events, Edge(which, tuple() as of)):
                return figures.edge_values(self._events.rows(events, [of]), which, of, self._size)
            case EventTrait(events, Frequent(of, most)):
                found = figures.counted_keys(self._events.rows(events, [of]), of, self._columns.interned)
                return figures.most_frequent(found, most, self._size)
            case EventTrait(events, Different(of)):
                return figures.different(figures.counted_keys(self._events.rows(events, [of]), of, self._columns.interned), self._size)
        raise TypeError(f"no column for {trait}")

    def _points(self, trait: Points) -> tuple[Ints, Mask]:
        masks = [(self._mask(node), adds) for node, adds in trait.entries]
        total = np.zeros(self._size, np.int64)
        for mask, adds in masks:
            total[mask] += adds
        return total, np.ones(self._size, bool)

    def _figure(self, trait: EventTrait) -> tuple[Ints, Mask]:
        match trait.figure:
            case Counted() | Measured():
                return self._events.numbers(trait.asked)
            case Edge(which, None):
                return figures.edge_times(self._events.rows(trait.events), which, self._size)
            case DaysSince(which):
                return figures.days_since(*figures.edge_times(self._events.rows(trait.events), which, self._size), self._now)
            case Decaying() as figure:
                return self._parts(trait.events, figure).scores(self._now), np.ones(self._size, bool)
        raise TypeError(f"no numbers for {trait}")

    def _parts(self, events: Happened, figure: Decaying) -> figures.Parts:
        return figures.Parts.of(self._events.rows(events, figures.read_by(figure)), figure, self._columns.interned, self._size)

    # --- until when they stand --------------------------------------------------------------------------------------------------

    def turns(self, trait: Trait, levels: tuple[int, ...] | None = None) -> Ints:
        """Per contact what `trait.turn` says."""
        if isinstance(trait, Points):
            return earliest([self._until(node) for node in trait.children])
        moves = self._events.turns(trait.events)
        match trait.figure:
            case DaysSince(which):
                times, known = figures.edge_times(self._events.rows(trait.events), which, self._size)
                return np.minimum(moves, figures.next_days(times, known, levels, self._now))
            case Decaying() as figure:
                return np.minimum(moves, self._parts(trait.events, figure).turns(levels, self._now))
            case _:
                return moves
