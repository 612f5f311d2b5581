"""The full pass: who is in each segment now, from all contacts and all events, in one scan per event type.

It equals the oracle (`node.matches`) on every world; the tests hold it to that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from connectors.base import Millis
from sync.evaluate.snapshot import Ints, Mask, Packed, Snapshot, every, packed, unpacked
from sync.evaluate.world import World
from sync.language.describe import describe
from sync.language.graph import sequence
from sync.language.nodes import All, Node, NoneOf, Not, walk
from sync.language.values import RuleFailure


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
    _conditions: Mapping[str, list[tuple[Node, Packed]]] = field(repr=False)

    def failed_condition(self, name: str, contacts: Ints) -> Failed | None:
        """Which top-level condition of segment *name* most of *contacts* fail now; None when nobody fails one."""
        held = self._conditions.get(name, [])
        size = len(self.members[name]) if held else 0
        found = [(int((~unpacked(each, size)[contacts]).sum()), node) for node, each in held]
        failing, node = max(found, key=lambda each: each[0], default=(0, None))
        return None if node is None or failing == 0 else Failed(describe(node), failing, len(contacts))


NOTHING = Result({}, {}, {})


def full_pass(snapshot: Snapshot, segments: Mapping[str, Node], now: Millis, before: Result = NOTHING) -> Result:
    """Evaluate *segments* at *now*, those that others ask first. A failing one fails those that ask it, and nobody else. *before*:
    segments that were answered already, which the result takes in."""
    ordered, rings = sequence(segments)
    failures = {**before.failures, **{name: "segments ask each other in a ring: " + " → ".join(ring) for ring in rings for name in ring}}
    members: dict[str, Mask] = dict(before.members)
    conditions: dict[str, list[tuple[Node, Packed]]] = dict(before._conditions)
    world = World(snapshot, now, members, segments)
    world.scan(node for rule in segments.values() for node in walk(rule))
    for name in ordered:
        try:
            if name not in failures:
                masks = [(node, world.mask(node)) for node in top_conditions(segments[name])]
                members[name] = every([snapshot.alive, *(mask for _, mask in masks)])
                conditions[name] = [(node, packed(mask)) for node, mask in masks]
        except RuleFailure as failure:
            failures[name] = str(failure)
    return Result(members, failures, conditions)


def top_conditions(node: Node) -> tuple[Node, ...]:
    """The conditions that must all hold: the entries of a topmost `all`, those of a `none` each denied, or the rule itself."""
    if isinstance(node, NoneOf):
        return tuple(map(Not, node.children))
    return node.children if isinstance(node, All) else (node,)
