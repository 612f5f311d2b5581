"""The tick: what arrived and the passing of time change memberships, at the exact millisecond, without looking at everybody.

A full pass fills arrays once; from then on `advance` does no more than what changed asks for:

- counts, sums and averages are counters: an event is added when it arrives and subtracted when it leaves a window or is
  taken back (`flow`, `ahead`, `cells`, `counted`);
- every other condition is asked again of those contacts whom something touched or whose turn has come (`recheck`);
- segments are answered anew for contacts of whom a condition flipped, those that others ask first.

What it says is what a full pass would say at the same moment; nothing of it is kept on disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from connectors.base import Millis
from sync.evaluate.batch import Lane, lanes_of
from sync.evaluate.cells import NOBODY, Cells, Known, grown, union
from sync.evaluate.counted import Counted, countable
from sync.evaluate.engine import Engine, LocalEngine
from sync.evaluate.flow import Flow
from sync.evaluate.recheck import Asked, Rechecks
from sync.evaluate.snapshot import Ints, Mask
from sync.evaluate.source import Changes, Source
from sync.evaluate.trees import Leaf, Leaves, Record, Trees, leaves_of
from sync.evaluate.turns import NEVER
from sync.evaluate.world import World
from sync.language.happened import Happened
from sync.language.nodes import Node
from sync.language.values import Path, RuleFailure


@dataclass(frozen=True, slots=True)
class Frontier:
    """Up to where memberships are true: the number of the last change that is in them, and the moment."""

    sequence: int
    now: Millis


@dataclass(frozen=True, slots=True)
class Diff:
    """What a tick changed. Contacts by segment, ascending; segments without a change are left out. *failures*: why a segment
    cannot be answered at present; its membership stands from before."""

    frontier: Frontier
    entered: Mapping[str, Ints] = field(default_factory=dict)
    left: Mapping[str, Ints] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)

    @property
    def segments(self) -> set[str]:
        """Those that somebody entered or left."""
        return {*self.entered, *self.left}


def unrecorded(segment: str, members: Mask, came: Ints, went: Ints) -> None:
    """Nobody keeps it."""


class TickEngine:
    """Memberships of *rules* over *source*, true at the frontier. Never goes back: a clock that does is waited for.

    *standing*: members by the last time that a segment could be answered. *start*: what the first full pass made different.
    """

    def __init__(
        self, source: Source, rules: Mapping[str, Node], now: Millis, *, standing: Mapping[str, Mask] | None = None,
        record: Record = unrecorded, engine: Engine | None = None,
    ) -> None:
        self._source, self._codes = source, dict[str, int]()
        self._engine = engine or LocalEngine(self._codes)
        self._cells: dict[Lane, Cells] = {}
        self._touched: list[Cells] = []
        self._over: dict[int, list[Counted]] = {}   # the cells of one lane, by their identity → conditions that read them
        self._counted: dict[Node, Counted] = {}
        self._flows: dict[str, Flow] = {}
        self._rechecks = Rechecks(source)
        self._trees = Trees({}, standing)
        self._asked_of: dict[str, frozenset[Path] | None] = {}
        self._size = 0
        self._alive: Mask = np.zeros(0, bool)
        self.frontier = Frontier(0, now)
        self.start = self.adopt(rules, record)

    # --- what it knows ----------------------------------------------------------------------------------------------------

    @property
    def members(self) -> Mapping[str, Mask]:
        """Members of each segment as one bool per contact id, by the last time that it could be answered."""
        return {name: mask[: self._size] for name, mask in self._trees.members.items()}

    @property
    def failures(self) -> Mapping[str, str]:
        return self._trees.failures

    @property
    def next_due(self) -> Millis | None:
        """The first moment at which time alone may change something, or more has to be read; None: never."""
        first = min([self._rechecks.next_due, *(flow.due for flow in self._flows.values())])
        return None if first == NEVER else first

    @property
    def rows_read(self) -> int:
        """Events read so far because their time to enter or leave a window is near."""
        return sum(flow.reads for flow in self._flows.values())

    @property
    def rows_due(self) -> int:
        """Of those events, how many have entered or left a window since, or will within what was read ahead."""
        return sum(flow.passed + flow.ahead for flow in self._flows.values())

    def properties(self, name: str) -> frozenset[Path] | None:
        """What has to be known of events of type *name*; None when nobody asks for them."""
        if name not in self._asked_of:
            self._asked_of[name] = self._asked(name)
        return self._asked_of[name]

    def _asked(self, name: str) -> frozenset[Path] | None:
        lanes = self._lanes_taking(name)
        rechecked = self._rechecks.properties(name)
        if not lanes and rechecked is None:
            return None
        return (rechecked or frozenset()).union(*(lane.properties for lane in lanes))

    # --- rules ------------------------------------------------------------------------------------------------------------

    def adopt(self, rules: Mapping[str, Node], record: Record = unrecorded) -> Diff:
        """Go on with *rules*: only event types that a new condition asks for are scanned, all else is kept."""
        now, snapshot = self.frontier.now, self._source.whole()
        alive = snapshot.alive
        self._grow(len(alive))
        self._alive[: len(alive)] = alive
        leaves = leaves_of(rules.values())
        counts = [leaf for leaf in leaves if isinstance(leaf, Happened) and countable(leaf, self._engine)]
        self._adopt_counts(counts, snapshot.event_types(), now)
        self._adopt_others([leaf for leaf in leaves if leaf not in self._counted], snapshot.event_types(), now)
        self._trees = self._trees.adopted(rules, Leaves(self._counted, self._rechecks), len(self._alive))
        self._asked_of = {}
        return self._settle({}, NOBODY, now, {}, record)

    def _adopt_counts(self, nodes: Iterable[Happened], types: Iterable[str], now: Millis) -> None:
        for flow in self._flows.values():
            flow.move(now)
        nodes = list(nodes)
        wanted = {lane for node in nodes for lane in lanes_of(node)}
        new = wanted - self._cells.keys()
        filled = self._engine.fill(self._source.whole(), new, now) if new else {}
        self._cells = {lane: self._cells[lane] if lane in self._cells else Cells.of(filled[lane], self._touched) for lane in wanted}
        for name in {*types, *self._flows}:
            self._flow(name).take(self._lanes_taking(name), now)
            self._flow(name).move(now)              # what lies ahead is read now, so that the first tick need not
        self._counted = {node: self._counted.get(node) or Counted(node, self._cells) for node in nodes}
        self._over = {}
        for leaf in self._counted.values():
            for cells in leaf.cells:
                self._over.setdefault(id(cells), []).append(leaf)
        self._touched_cells()
        for leaf in self._counted.values():
            leaf.grow(len(self._alive))
            self._judge(leaf, np.arange(self._size))

    def _adopt_others(self, nodes: Iterable[Node], types: Iterable[str], now: Millis) -> None:
        known = self._rechecks.leaves
        self._rechecks.adopt({node: known.get(node) or Asked(node) for node in nodes}, types)
        self._rechecks.grow(len(self._alive))
        new = [node for node in self._rechecks.leaves if node not in known and not self._rechecks.leaves[node].needs.segments]
        everybody = np.arange(self._size)
        self._rechecks.ask({self._rechecks.leaves[node]: everybody for node in new}, self._size, now, self._trees.standing)

    def _lanes_taking(self, name: str) -> dict[Lane, Cells]:
        return {lane: cells for lane, cells in self._cells.items() if lane.filter.names.takes(name)}

    def _flow(self, name: str) -> Flow:
        if name not in self._flows:
            self._flows[name] = Flow(name, self._source, self._codes)
            self._flows[name].take(self._lanes_taking(name), self.frontier.now)
        return self._flows[name]

    # --- ticks ------------------------------------------------------------------------------------------------------------

    def advance(self, now: Millis, changes: Changes | None = None, record: Record = unrecorded) -> Diff:
        """Take *changes* in and let time pass until *now*; what became different. *record* is told of each segment as soon as it is
        known, so that conditions on who entered and left see it in the source."""
        now = max(now, self.frontier.now)
        due = self.next_due
        if changes is None and (due is None or due > now):
            self.frontier = Frontier(self.frontier.sequence, now)
            return Diff(self.frontier, failures=self.failures)
        for flow in self._flows.values() if changes else ():
            flow.pass_by(now)                       # so that most of what arrived is either held by a window or has left it
        fresh, others = self._take_in(changes) if changes else (NOBODY, NOBODY)
        for flow in self._flows.values():
            flow.move(now)
        self.frontier = Frontier(changes.sequence if changes else self.frontier.sequence, now)
        flipped = self._judge_touched(fresh)
        asked = self._due(now, changes, fresh, others)
        for leaf, contacts in self._rechecks.ask(self._before_segments(asked), self._size, now, self._trees.standing).items():
            flipped[leaf] = contacts
        return self._settle(flipped, fresh, now, asked, record)

    def _take_in(self, changes: Changes) -> tuple[Ints, Ints]:
        """Contacts about whom everything may be different (new, merged, erased), and those about whom all but events may be."""
        known = self._size
        self._grow(changes.size)
        for absorbed, survivor in changes.merged.items():
            self._merge(absorbed, survivor)
        for name, table in changes.arrived.items():
            self._flow(name).change(table, 1)
            if (properties := self._rechecks.properties(name)) is not None:
                self._rechecks.recall.add(name, table, properties)
        for name, table in changes.removed.items():
            self._flow(name).change(table, -1)
            self._rechecks.recall.remove(name, table)
        named = np.unique(np.concatenate([changes.touched, np.arange(known, changes.size)]))
        moved = np.array([*changes.merged, *changes.merged.values()], np.int64)
        contacts = np.union1d(named, moved)
        alive = self._source.of(contacts).alive
        turned = contacts[alive != self._alive[contacts]]
        self._alive[contacts] = alive
        fresh = np.unique(np.concatenate([np.arange(known, changes.size), moved, turned]))
        return fresh, np.setdiff1d(named, fresh)

    def _merge(self, absorbed: int, survivor: int) -> None:
        for cells in self._cells.values():
            cells.move(absorbed, survivor)
        self._rechecks.recall.move(absorbed, survivor)
        for flow in self._flows.values():
            flow.forget()

    def _judge_touched(self, fresh: Ints) -> dict[Leaf, Ints]:
        """Counters answered anew where a cell was touched."""
        flipped: dict[Leaf, Ints] = {}
        changed = self._touched_cells()
        concerned = {id(leaf): leaf for cells in changed for leaf in self._over.get(id(cells), ())}
        for leaf in self._counted.values() if len(fresh) else concerned.values():
            contacts = leaf.touched()
            if len(fresh):
                contacts = np.union1d(contacts, fresh)
            if len(contacts) and len(found := self._judge(leaf, contacts)):
                flipped[leaf] = found
        for cells in changed:
            cells.changed = NOBODY
        return flipped

    def _touched_cells(self) -> list[Cells]:
        """Cells that were touched since the last time, who was gathered in them."""
        touched, known = [*self._touched], Known()
        self._touched.clear()
        for cells in touched:
            cells.settle(known)
        return touched

    def _judge(self, leaf: Counted, contacts: Ints) -> Ints:
        flipped = leaf.judge(contacts, self._alive)
        if leaf.broken and leaf.reworded:
            leaf.why = self._why(leaf.node)
        return flipped

    def _why(self, node: Happened) -> str:
        """The words of the full pass for a condition that cannot be answered of somebody."""
        world = World(self._source.whole(), self.frontier.now, {})
        world.scan([node])
        try:
            world.mask(node)
        except RuleFailure as failure:
            return str(failure)
        raise RuntimeError(f"the counters of {node} fail where a full pass does not")

    def _due(self, now: Millis, changes: Changes | None, fresh: Ints, others: Ints) -> dict[Asked, Ints]:
        """Conditions that are asked again, and of whom."""
        parts = {leaf: [contacts] for leaf, contacts in self._rechecks.due(now).items()}
        for leaf in self._rechecks.leaves.values() if len(fresh) or len(others) else ():
            parts.setdefault(leaf, []).extend((fresh, NOBODY if leaf.only_events else others))
        for tables in (changes.arrived, changes.removed) if changes else ():
            for name, table in tables.items():
                contacts = table.column("contact").to_numpy().astype(np.int64)
                for leaf in self._rechecks.takers(name):
                    parts.setdefault(leaf, []).append(contacts)
        asked = {leaf: union(found) for leaf, found in parts.items()}
        return {leaf: contacts for leaf, contacts in asked.items() if len(contacts)}

    def _before_segments(self, asked: Mapping[Asked, Ints]) -> dict[Asked, Ints]:
        """Those that ask no segment: the others wait until the segments they ask are known."""
        return {leaf: contacts for leaf, contacts in asked.items() if not leaf.needs.segments}

    def _settle(self, flipped: dict[Leaf, Ints], fresh: Ints, now: Millis, asked: Mapping[Asked, Ints], record: Record) -> Diff:
        """Answer the segments anew that rest on what flipped."""
        for leaf in self._rechecks.failing:
            self._rechecks.explain(leaf, now, self._trees.standing)
        entered, left = self._trees.settle(flipped, fresh, asked, self._alive, self._size, now, record)
        return Diff(self.frontier, entered, left, dict(self.failures))

    def _grow(self, size: int) -> None:
        if size <= self._size:
            return
        self._size = size
        self._alive = grown(self._alive, size, False)
        room = len(self._alive)
        for cells in self._cells.values():
            cells.grow(room)
        for leaf in self._counted.values():
            leaf.grow(room)
        self._rechecks.grow(room)
        self._trees.grow(room)
