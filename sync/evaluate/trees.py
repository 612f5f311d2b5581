"""Segments over the answers of their conditions: only those that rest on what flipped, and only for the contacts that did."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

import numpy as np

from connectors.base import Millis
from sync.evaluate.cells import NOBODY, grown, places, union
from sync.evaluate.counted import Counted
from sync.evaluate.recheck import Asked, Rechecks
from sync.evaluate.snapshot import Ints, Mask, every, some
from sync.language.graph import sequence
from sync.language.nodes import All, AnyOf, InSegment, Node, NoneOf, Not

Record = Callable[[str, Mask, Ints, Ints], None]    # segment, who is in it now (by contact id), who entered, who left
COMPOUND = (All, AnyOf, NoneOf, Not, InSegment)     # what is answered from other answers


def leaves_of(rules: Iterable[Node]) -> list[Node]:
    """Each condition that is answered for itself, once, in the order in which they are met."""
    return list(dict.fromkeys(node for rule in rules for node in _conditions(rule) if not isinstance(node, COMPOUND)))


def _conditions(node: Node) -> Iterator[Node]:
    """*node* and all below it, parents first; what a condition that is answered for itself is made of is its own affair."""
    yield node
    for child in node.children if isinstance(node, COMPOUND) else ():
        yield from _conditions(child)


Leaf = Counted | Asked
Truth = Callable[[Ints | slice], Mask]              # what a rule says of contacts


class Leaves:
    """The conditions, however they are answered."""

    def __init__(self, counted: Mapping[Node, Counted], rechecks: Rechecks) -> None:
        self.counted, self.rechecks = counted, rechecks

    def leaf(self, node: Node) -> Leaf:
        return self.counted[node] if node in self.counted else self.rechecks.leaves[node]

    def failure(self, node: Node) -> str:
        """Why it cannot be answered of somebody; "" when it can."""
        if node in self.counted:
            return self.counted[node].why if self.counted[node].broken else ""
        leaf = self.rechecks.leaves[node]
        return leaf.why if len(leaf.suspects) else ""

    def fail(self) -> bool:
        """Whether any of them cannot be answered of somebody."""
        return any(leaf.broken for leaf in self.counted.values()) or any(len(leaf.suspects) for leaf in self.rechecks.leaves.values())


class Trees:
    """Memberships of segments. *members* of one that fails, or is not answered yet, stand from before."""

    def __init__(self, rules: Mapping[str, Node], standing: Mapping[str, Mask] | None = None) -> None:
        self._rules = rules
        self._order, rings = sequence(rules)
        self._rings = {name: "segments ask each other in a ring: " + " → ".join(ring) for ring in rings for name in ring}
        self._leaves: Leaves                        # by `_rest_on`
        self._truths: dict[str, Truth] = {}
        self._asking: dict[str, list[Asked]] = {}   # segment → conditions under it that look at other segments
        self._over: dict[Leaf, list[str]] = {}      # condition → segments that rest on it
        self._asks = {name: {node.name for node in _conditions(rule) if isinstance(node, InSegment)} for name, rule in rules.items()}
        self.members: dict[str, Mask] = dict(standing or {})
        self.failures: dict[str, str] = {}
        self._pending = set(rules)                  # to be answered of everybody as soon as they can be
        self._turned: set[str] = set()              # those that began or ceased to fail in the tick under way

    def adopted(self, rules: Mapping[str, Node], leaves: Leaves, room: int) -> Trees:
        """The same for *rules* over *leaves*; who was in a segment that stays is who its next answer is compared with."""
        made = Trees(dict(rules), {name: mask for name, mask in self.members.items() if name in rules})
        for name in rules.keys() & self._rules.keys():
            if name in self.failures:
                made.failures[name] = self.failures[name]
            if name not in self._pending and rules[name] == self._rules[name]:
                made._pending.discard(name)
        made.grow(room)
        made._rest_on(leaves)
        return made

    def _rest_on(self, leaves: Leaves) -> None:
        """Find each rule's conditions once, and not at every tick: to look a rule up is to read all of it."""
        self._leaves = leaves
        for name, rule in self._rules.items():
            held = [leaves.leaf(node) for node in leaves_of([rule])]
            self._asking[name] = [leaf for leaf in held if isinstance(leaf, Asked) and leaf.needs.segments]
            for leaf in held:
                self._over.setdefault(leaf, []).append(name)
            self._truths[name] = self._truth(rule)

    def standing(self, name: str) -> Mask | None:
        """Who is in a segment; None when that cannot be said."""
        return None if name in self.failures or name in self._pending else self.members.get(name)

    def grow(self, size: int) -> None:
        self.members = {name: grown(mask, size, False) for name, mask in self.members.items()}

    def settle(
        self, flipped: dict[Leaf, Ints], fresh: Ints, asked: Mapping[Asked, Ints], alive: Mask, size: int, now: Millis, record: Record,
    ) -> tuple[dict[str, Ints], dict[str, Ints]]:
        """Answer anew what rests on conditions that *flipped*, for *fresh* contacts everything: (who entered, who left).

        *asked*: conditions that are to be asked again once the segments they ask are known, and of whom. *record* is told of each
        segment that somebody entered or left, before those that ask it are answered.
        """
        entered: dict[str, Ints] = {}
        left: dict[str, Ints] = {}
        moved: dict[str, Ints] = {}
        self._turned.clear()
        waiting, parts, broken = dict(asked), self._parted(flipped), self._leaves.fail()
        for name in self._order:
            if self._asking[name]:
                self._ask_those_that_ask(name, flipped, parts, moved, waiting, size, now)
                broken = self._leaves.fail()
            if (broken or self.failures or self._rings) and self._fails(name):
                continue
            contacts = self._concerned(name, parts.get(name, []), moved, fresh, size)
            if len(contacts):
                came, went = self._answer(name, contacts, alive)
                moved[name] = np.sort(np.concatenate([came, went]))
                if len(moved[name]):
                    record(name, self.members[name], came, went)
                entered |= {name: came} if len(came) else {}
                left |= {name: went} if len(went) else {}
        return entered, left

    def _parted(self, flipped: Mapping[Leaf, Ints]) -> dict[str, list[Ints]]:
        """By segment the contacts of whom a condition under it flipped."""
        parts: dict[str, list[Ints]] = {}
        for leaf, contacts in flipped.items():
            for name in self._over.get(leaf, ()) if len(contacts) else ():
                parts.setdefault(name, []).append(contacts)
        return parts

    def _ask_those_that_ask(
        self, name: str, flipped: dict[Leaf, Ints], parts: dict[str, list[Ints]], moved: Mapping[str, Ints], waiting: dict[Asked, Ints],
        size: int, now: Millis,
    ) -> None:
        """Conditions that look at other segments: these come first in the order, so they are known by now."""
        for leaf in self._asking[name]:
            if leaf in flipped:
                continue
            if leaf.needs.segments & self._turned or not leaf.answered:
                contacts: Ints = np.arange(size)
            else:
                contacts = union([waiting.pop(leaf, NOBODY), *(moved[each] for each in leaf.needs.segments if each in moved)])
            if len(contacts):
                (found,) = self._leaves.rechecks.ask({leaf: contacts}, size, now, self.standing).values()
                flipped[leaf] = found
                for other, held in self._parted({leaf: found}).items():
                    parts.setdefault(other, []).extend(held)

    def _fails(self, name: str) -> bool:
        """Whether the segment cannot be answered; notes why."""
        why = self._rings.get(name) or next(filter(None, self._reasons(name)), "")
        if bool(why) != (name in self.failures):
            self._turned.add(name)
        if why:
            self.failures[name] = why
            self._pending.add(name)
        else:
            self.failures.pop(name, None)
        return bool(why)

    def _reasons(self, name: str) -> Iterable[str]:
        for node in _conditions(self._rules[name]):
            if isinstance(node, InSegment):
                standing = node.name in self._rules and node.name not in self.failures
                yield "" if standing else f"segment '{node.name}', which it asks, fails"
            elif not isinstance(node, COMPOUND):
                yield self._leaves.failure(node)

    def _concerned(self, name: str, parts: Collection[Ints], moved: Mapping[str, Ints], fresh: Ints, size: int) -> Ints:
        """Of whom the segment may answer otherwise."""
        if name in self._pending:
            self._pending.discard(name)
            self._turned.add(name)
            return np.arange(size)
        asked = (moved[each] for each in self._asks[name] if each in moved)
        found = [part for part in (*parts, *asked, fresh) if len(part)]
        return union(found) if len(found) > 1 else found[0] if found else NOBODY

    def _answer(self, name: str, contacts: Ints, alive: Mask) -> tuple[Ints, Ints]:
        where = places(contacts)
        answers = self._truths[name](where) & alive[where]
        if name not in self.members:
            self.members[name] = np.zeros(len(alive), bool)
        members = self.members[name]
        before = members[where].copy()
        members[where] = answers
        return contacts[answers & ~before], contacts[before & ~answers]

    def _truth(self, node: Node) -> Truth:
        match node:
            case All(children):
                parts = [self._truth(child) for child in children]
                return lambda contacts: every([part(contacts) for part in parts])
            case AnyOf(children):
                parts = [self._truth(child) for child in children]
                return lambda contacts: some([part(contacts) for part in parts])
            case NoneOf(children):
                parts = [self._truth(child) for child in children]
                return lambda contacts: ~some([part(contacts) for part in parts])
            case Not(child):
                denied = self._truth(child)
                return lambda contacts: ~denied(contacts)
            case InSegment(name):
                return lambda contacts: self.members[name][contacts]
            case _:
                leaf = self._leaves.leaf(node)
                return lambda contacts: leaf.mask[contacts]
