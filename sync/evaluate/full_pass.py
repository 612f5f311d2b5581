"""The full pass: who is in each segment now, from all contacts and all events, in one scan per event type.

It equals the oracle (`node.matches`) on every world; the tests hold it to that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from connectors.base import Millis
from sync.evaluate.columns import Column, Columns, Instants, passes
from sync.evaluate.events import EventArrays
from sync.evaluate.snapshot import Ints, Mask, Snapshot, every, some
from sync.language.describe import describe
from sync.language.graph import sequence
from sync.language.nodes import (
    KNOWN_SINCE,
    All,
    AnyOf,
    ConsentIs,
    Contact,
    Happened,
    InSegment,
    MemberOf,
    Node,
    NoneOf,
    Not,
    Sample,
    Suppressed,
    walk,
)
from sync.language.values import Path, RuleFailure


@dataclass(frozen=True, slots=True)
class Failed:
    """The condition that most of some contacts do not meet: its words, and how many of *asked* fail it."""

    condition: str
    failing: int
    asked: int


@dataclass(frozen=True, slots=True)
class Result:
    """Members of each segment as one bool per contact id; a segment that could not be answered is in *failures* only."""

    members: Mapping[str, Mask]
    failures: Mapping[str, str]
    _conditions: Mapping[str, list[tuple[Node, Mask]]] = field(repr=False)

    def failed_condition(self, name: str, contacts: Ints) -> Failed | None:
        """Which top-level condition of segment *name* most of *contacts* fail now; None when nobody fails one."""
        found = [(int((~mask[contacts]).sum()), node) for node, mask in self._conditions.get(name, [])]
        failing, node = max(found, key=lambda each: each[0], default=(0, None))
        return None if node is None or failing == 0 else Failed(describe(node), failing, len(contacts))


def full_pass(snapshot: Snapshot, segments: Mapping[str, Node], now: Millis) -> Result:
    """Evaluate *segments* at *now*, those that others ask first. A failing one fails those that ask it, and nobody else."""
    ordered, rings = sequence(segments)
    failures = {name: "segments ask each other in a ring: " + " → ".join(ring) for ring in rings for name in ring}
    members: dict[str, Mask] = {}
    conditions: dict[str, list[tuple[Node, Mask]]] = {}
    world = _World(snapshot, now, members)
    world.events.scan(node for rule in segments.values() for node in walk(rule) if isinstance(node, Happened))
    for name in ordered:
        try:
            if name not in failures:
                members[name] = world.mask(segments[name]) & snapshot.alive
                conditions[name] = [(node, world.mask(node)) for node in top_conditions(segments[name])]
        except RuleFailure as failure:
            failures[name] = str(failure)
    return Result(members, failures, conditions)


def top_conditions(node: Node) -> tuple[Node, ...]:
    """The conditions that must all hold: the entries of a topmost `all`, those of a `none` each denied, or the rule itself."""
    if isinstance(node, NoneOf):
        return tuple(map(Not, node.children))
    return node.children if isinstance(node, All) else (node,)


class _World:
    """Masks of conditions over all contacts, each asked once."""

    def __init__(self, snapshot: Snapshot, now: Millis, members: Mapping[str, Mask]) -> None:
        self._snapshot, self._now, self._members = snapshot, now, members
        self._columns = Columns()
        self._fields: dict[Path, Column] = {}
        self._masks: dict[Node, Mask] = {}
        self.events = EventArrays(snapshot, now, self._columns)

    def mask(self, node: Node) -> Mask:
        """Who meets *node*; `RuleFailure` when that cannot be said."""
        if node not in self._masks:
            self._masks[node] = self._answer(node)
        return self._masks[node]

    def _answer(self, node: Node) -> Mask:
        match node:
            case All(children):
                return every([self.mask(child) for child in children])
            case AnyOf(children):
                return some([self.mask(child) for child in children])
            case NoneOf(children):
                return ~some([self.mask(child) for child in children])
            case Not(child):
                return ~self.mask(child)
            case Happened():
                return self.events.holds(node)
            case InSegment(name):
                return self._segment(name)
            case Contact(fields):
                columns = {path: self._field(path) for path in {p for p, _ in fields}.union(*(t.others() for _, t in fields))}
                return every([passes(path, test, columns, self._now) for path, test in fields])
            case Sample():
                return np.fromiter(map(node.takes, self._snapshot.sample_keys), bool, len(self._snapshot.alive))
            case ConsentIs() | Suppressed():
                return self._consent(node)
            case MemberOf():
                table = self._snapshot.memberships()
                words = [self._columns.read(table.column(name)) for name in ("connection", "audience", "kind", "name")]
                return self._having(table.column("contact").to_numpy(), _rows(node.asks, words))
            case _:
                raise TypeError(f"no full pass for {type(node).__name__}")

    def _segment(self, name: str) -> Mask:
        if name not in self._members:
            raise RuleFailure(f"segment '{name}', which it asks, fails")
        return self._members[name]

    def _field(self, path: Path) -> Column:
        if path not in self._fields:
            if path == KNOWN_SINCE:
                times, codes = np.unique(self._snapshot.known_since, return_inverse=True)
                self._fields[path] = Column(codes.astype(np.int32), Instants(times))
            else:
                self._fields[path] = self._columns.read(self._snapshot.fields(path))
        return self._fields[path]

    def _having(self, contacts: Ints, rows: Mask) -> Mask:
        """Contacts that have a row among those that *rows* picks."""
        mask = np.zeros(len(self._snapshot.alive), bool)
        mask[contacts[rows]] = True
        return mask

    def _consent(self, node: ConsentIs | Suppressed) -> Mask:
        table = self._snapshot.consents()
        contacts = table.column("contact").to_numpy()
        if isinstance(node, Suppressed):
            suppressed = self._having(contacts, table.column("suppressed").to_numpy().astype(bool))
            return suppressed if node.expected else ~suppressed
        words = [self._columns.read(table.column(name)) for name in ("channel", "scope", "connection")]
        states = self._columns.read(table.column("state"))
        asked = _rows(node.asks, words)
        withdrawn = self._having(contacts, asked & _rows(lambda state: state == "withdrawn", [states]))
        granted = self._having(contacts, asked & _rows(lambda state: state == "granted", [states])) & ~withdrawn
        return {"withdrawn": withdrawn, "granted": granted}.get(node.state, ~withdrawn & ~granted)


def _rows(question: Callable[..., bool], words: list[Column]) -> Mask:
    """Which rows of plain texts answer *question* with yes, asked once per distinct combination."""
    size = len(words[0].codes)
    combined: Ints = np.zeros(size, np.int64)
    for column in words:
        combined = combined * (len(column.dictionary) + 1) + column.codes + 1
    _, first, place = np.unique(combined, return_index=True, return_inverse=True)
    answers = [question(*(column.dictionary.texts[column.codes[row]] for column in words)) for row in first]
    return np.array(answers, bool)[place] if size else np.zeros(0, bool)
