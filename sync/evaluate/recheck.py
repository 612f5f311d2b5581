"""Conditions that are asked again for those contacts whom something touched or whose turn has come: every kind there is.

They are answered by the same `World` as in the full pass, over a snapshot of these contacts alone.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import fields
from typing import cast

import numpy as np

from connectors.base import HOUR, Millis
from sync.evaluate.cells import NOBODY, grown, union
from sync.evaluate.recall import Recall, Remembering
from sync.evaluate.snapshot import Ints, Mask, Snapshot
from sync.evaluate.source import Source
from sync.evaluate.turns import NEVER
from sync.evaluate.world import World
from sync.language.needs import needs
from sync.language.nodes import Node
from sync.language.values import Path, RuleFailure

HORIZON: Millis = HOUR
TRIES = 64                                          # snapshots looked at to find whom a condition cannot be answered of

Members = Callable[[str], Mask | None]              # who is in a segment; None: it fails


class Asked:
    """One condition: who meets it (*mask*), until when that stands per contact, and of whom it cannot be said.

    *suspects* holds all of those, and possibly others: then nobody's answer counts, and they are looked at together.
    """

    def __init__(self, node: Node) -> None:
        self.node, self.needs = node, needs(node)
        self.everybody = bool(getattr(node, "needs_everybody", False))
        others = [getattr(self.needs, field.name) for field in fields(self.needs) if field.name != "events"]
        self.only_events = bool(self.needs.events) and not any(others)
        self.mask: Mask = np.zeros(0, bool)
        self.answered = False                       # of everybody, once
        self.suspects: Ints = NOBODY
        self.why = ""
        self._turns: Ints = np.zeros(0, np.int64)
        self._horizon: Millis = 0
        self._soon: list[tuple[Millis, int]] = []   # a heap of turns before the horizon; those that moved are left in it

    def takes(self, name: str) -> bool:
        """Whether it looks at events of that type."""
        return any(need.names.takes(name) for need in self.needs.events)

    def note(self, contacts: Ints, answers: Mask, turns: Ints) -> Ints:
        """Keep what was answered of *contacts*; those whose answer is another than before."""
        flipped: Ints = contacts[answers != self.mask[contacts]]
        self.mask[contacts] = answers
        self._turns[contacts] = turns
        near = np.flatnonzero(turns <= self._horizon) if self._horizon else NOBODY
        for turn, contact in zip(turns[near].tolist(), contacts[near].tolist(), strict=True):
            heapq.heappush(self._soon, (turn, contact))
        return flipped

    def due(self, now: Millis) -> Ints:
        """Contacts whose turn has come, each once."""
        if now >= self._horizon:
            self._look_ahead(now)
        found = set()
        while self._soon and self._soon[0][0] <= now:
            turn, contact = heapq.heappop(self._soon)
            if self._turns[contact] == turn:
                found.add(contact)
        return np.array(sorted(found), np.int64)

    def _look_ahead(self, now: Millis) -> None:
        first = int(self._turns.min(initial=NEVER))
        self._horizon = max(now + HORIZON, first)
        near = np.flatnonzero(self._turns <= min(self._horizon, NEVER - 1))
        self._soon = list(zip(self._turns[near].tolist(), near.tolist(), strict=True))
        heapq.heapify(self._soon)

    @property
    def next_due(self) -> Millis:
        return self._soon[0][0] if self._soon else self._horizon

    def grow(self, size: int) -> None:
        self.mask = grown(self.mask, size, False)
        self._turns = grown(self._turns, size, NEVER)


class Rechecks:
    """All conditions that are asked again, and the events they need."""

    def __init__(self, source: Source) -> None:
        self.leaves: dict[Node, Asked] = {}
        self.recall = Recall()
        self._source = source
        self._takers: dict[str, list[Asked]] = {}
        self._wanted: dict[str, frozenset[Path] | None] = {}
        self._next: Millis | None = None            # the next turn of any of them; None: not known
        self.failing: set[Asked] = set()            # those that cannot be said of somebody

    def adopt(self, leaves: dict[Node, Asked], types: Iterable[str]) -> None:
        """Keep *leaves* and no others; hold the events that they need."""
        self.leaves, self._takers, self._wanted, self._next = leaves, {}, {}, None
        self.failing &= {*leaves.values()}
        wanted = {name: properties for name in types if (properties := self.properties(name)) is not None}
        self.recall.want(wanted, self._source.whole())

    @property
    def next_due(self) -> Millis:
        """The next turn of any of them, or the end of what was looked ahead; `NEVER` where there is none."""
        if self._next is None:
            self._next = min((leaf.next_due for leaf in self.leaves.values()), default=NEVER)
        return self._next

    def due(self, now: Millis) -> dict[Asked, Ints]:
        """Conditions whose turn may have come, and of whom."""
        if now < self.next_due:
            return {}
        self._next = None
        return {leaf: leaf.due(now) for leaf in self.leaves.values() if leaf.next_due <= now}

    def takers(self, name: str) -> list[Asked]:
        """Who looks at events of type *name*."""
        if name not in self._takers:
            self._takers[name] = [leaf for leaf in self.leaves.values() if leaf.takes(name)]
        return self._takers[name]

    def properties(self, name: str) -> frozenset[Path] | None:
        """What is asked of events of type *name*; None when nobody looks at them."""
        if name not in self._wanted:
            takers = self.takers(name)
            wanted = (need.properties for leaf in takers for need in leaf.needs.events if need.names.takes(name))
            self._wanted[name] = frozenset().union(*wanted) if takers else None
        return self._wanted[name]

    def grow(self, size: int) -> None:
        for leaf in self.leaves.values():
            leaf.grow(size)

    def ask(self, asked: Mapping[Asked, Ints], size: int, now: Millis, members: Members) -> dict[Asked, Ints]:
        """Answer these conditions for these contacts (each once, ascending) anew; whose answer flipped."""
        if not asked:
            return {}
        self._next, flipped = None, dict[Asked, Ints]()
        some = {leaf: self._with_suspects(leaf, contacts) for leaf, contacts in asked.items()}
        everybody = [leaf for leaf in some if leaf.everybody]
        for leaves in (everybody, [leaf for leaf in some if not leaf.everybody]):
            if leaves:
                contacts = np.arange(size) if leaves is everybody else union([some[leaf] for leaf in leaves])
                flipped |= self._answer(leaves, contacts, leaves is everybody or len(contacts) == size, now, members)
        return flipped

    @staticmethod
    def _with_suspects(leaf: Asked, contacts: Ints) -> Ints:
        """A suspect is looked at together with all others, so that it is known when none is left."""
        if len(leaf.suspects) and np.isin(leaf.suspects, contacts).any():
            return np.union1d(contacts, leaf.suspects)
        return contacts

    def _answer(self, leaves: Collection[Asked], contacts: Ints, whole: bool, now: Millis, members: Members) -> dict[Asked, Ints]:
        world = self._world(contacts, whole, now, members)
        world.scan([leaf.node for leaf in leaves], ahead=True)
        flipped = {}
        for leaf in leaves:
            answers, guilty = self._say(leaf, world, contacts, now, members)
            kept = leaf.suspects[~np.isin(leaf.suspects, contacts)] if len(leaf.suspects) else NOBODY
            leaf.suspects = np.union1d(kept, guilty) if len(kept) or len(guilty) else NOBODY
            self.failing -= {leaf}
            if len(leaf.suspects):
                self.failing.add(leaf)
            flipped[leaf] = leaf.note(contacts, answers, world.turns(leaf.node))
            leaf.answered = True
        return flipped

    def _world(self, contacts: Ints, whole: bool, now: Millis, members: Members) -> World:
        people = self._source.whole() if whole else self._source.of(contacts)
        snapshot = cast(Snapshot, Remembering(people, self.recall, None if whole else contacts))
        return World(snapshot, now, _Some(members, contacts))

    def _say(self, leaf: Asked, world: World, contacts: Ints, now: Millis, members: Members) -> tuple[Mask, Ints]:
        """What the condition says of *contacts*, and of whom it cannot be said (with others perhaps)."""
        try:
            return world.mask(leaf.node), NOBODY
        except RuleFailure as failure:
            leaf.why = str(failure)
        answers, guilty = np.zeros(len(contacts), bool), []
        ahead, tries = [np.arange(len(contacts))], 0 if leaf.everybody or leaf.needs.segments else TRIES
        while ahead and tries:
            places = ahead.pop(0)
            for part in np.array_split(places, 2) if len(places) > 1 else []:
                said = self._try(leaf, contacts[part], now, members)
                tries = max(0, tries - 1)
                if said is not None:
                    answers[part] = said
                elif len(part) > 1:
                    ahead.append(part)
                else:
                    guilty.append(part)
            guilty += [places] if len(places) == 1 else []
        return answers, contacts[np.concatenate([NOBODY, *guilty, *ahead])]

    def _try(self, leaf: Asked, contacts: Ints, now: Millis, members: Members) -> Mask | None:
        world = self._world(contacts, False, now, members)
        world.scan([leaf.node])
        try:
            return world.mask(leaf.node)
        except RuleFailure:
            return None

    def explain(self, leaf: Asked, now: Millis, members: Members) -> None:
        """Say of all suspects together why it cannot be said, as the full pass does of everybody."""
        try:
            world = self._world(leaf.suspects, False, now, members)
            world.scan([leaf.node])
            world.mask(leaf.node)
        except RuleFailure as failure:
            leaf.why = str(failure)


class _Some(Mapping[str, Mask]):
    """Memberships of some contacts, read when a condition asks for them."""

    def __init__(self, members: Members, contacts: Ints) -> None:
        self._members, self._contacts = members, contacts

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._members(name) is not None

    def __getitem__(self, name: str) -> Mask:
        mask = self._members(name)
        if mask is None:
            raise KeyError(name)
        return mask[self._contacts]

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0
