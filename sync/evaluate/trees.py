"""Segments over the answers of their conditions: only those that rest on what flipped, and only for the contacts that did."""

from __future__ import annotations

import heapq
import operator
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from connectors.base import Millis
from sync.evaluate.cells import FEW, NOBODY, grown, places, those, union
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
Truth = Callable[[Any], Any]                        # what a rule says of contacts (as an index), or of one
Joined = Callable[[Collection[Truth], Any], Any]


class Logic(NamedTuple):
    """How answers are put together: of whole arrays, or of one contact."""

    all_of: Joined
    any_of: Joined
    no: Truth


def _all_of_one(parts: Collection[Truth], contact: int) -> bool:
    for part in parts:                              # noqa: SIM110 - a loop costs a fifth of `all` over a generator
        if not part(contact):
            return False
    return True


def _any_of_one(parts: Collection[Truth], contact: int) -> bool:
    for part in parts:                              # noqa: SIM110 - as above
        if part(contact):
            return True
    return False


ARRAYS = Logic(
    lambda parts, contacts: every([part(contacts) for part in parts]), lambda parts, contacts: some([part(contacts) for part in parts]),
    np.logical_not,
)
ALONE = Logic(_all_of_one, _any_of_one, operator.not_)


class Leaves:
    """The conditions, however they are answered."""

    def __init__(self, counted: Mapping[Node, Counted], rechecks: Rechecks) -> None:
        self.counted, self.rechecks = counted, rechecks
        self.measured = [leaf for leaf in counted.values() if leaf.node.measures]       # a count can be said of everybody

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
        return bool(self.rechecks.failing) or any(leaf.broken for leaf in self.measured)


class Moved:
    """Who entered and who left in a tick, and both together, by segment."""

    def __init__(self) -> None:
        self.entered: dict[str, Ints] = {}
        self.left: dict[str, Ints] = {}
        self.either: dict[str, Ints] = {}

    def note(self, name: str, came: Ints, went: Ints) -> None:
        """Some of these, ascending, entered and left a segment."""
        self.either[name] = np.sort(np.concatenate([came, went])) if len(came) and len(went) else came if len(came) else went
        if len(came):
            self.entered[name] = came
        if len(went):
            self.left[name] = went


class Trees:
    """Memberships of segments. *members* of one that fails, or is not answered yet, stand from before."""

    def __init__(self, rules: Mapping[str, Node], standing: Mapping[str, Mask] | None = None) -> None:
        self._rules = rules
        self._order, rings = sequence(rules)
        self._rings = {name: "segments ask each other in a ring: " + " → ".join(ring) for ring in rings for name in ring}
        self._leaves: Leaves                        # by `_rest_on`
        self._truths: dict[str, Truth] = {}         # of arrays of contacts
        self._says: dict[str, Truth] = {}           # of one contact
        self._asking: dict[str, list[Asked]] = {}   # segment → conditions under it that look at other segments
        self._always: list[str] = []                # segments with such conditions
        self._over: dict[Leaf, list[str]] = {}      # condition → segments that rest on it
        self._asks = {name: {node.name for node in _conditions(rule) if isinstance(node, InSegment)} for name, rule in rules.items()}
        self._places = {name: place for place, name in enumerate(self._order)}
        self._asked_by: dict[str, list[int]] = {}   # segment → places in the order of those that ask it
        for name, asked in self._asks.items():
            for each in asked if name in self._places else ():
                self._asked_by.setdefault(each, []).append(self._places[name])
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
            self._always += [name] if self._asking[name] else []
            for leaf in held:
                self._over.setdefault(leaf, []).append(name)
            self._truths[name], self._says[name] = self._truth(rule, ARRAYS), self._truth(rule, ALONE)

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
        moved = Moved()
        self._turned.clear()
        waiting, parts, broken = dict(asked), self._parted(flipped), self._leaves.fail()
        ahead = self._ahead(parts, broken or len(fresh) > 0)
        while ahead:
            name = self._order[place := heapq.heappop(ahead)]
            if ahead and ahead[0] == place:
                continue
            if self._asking[name]:
                self._ask_those_that_ask(name, flipped, parts, moved.either, waiting, size, now)
                if self._leaves.fail() and not broken:
                    ahead = [*range(place + 1, len(self._order))]       # whoever rests on what fails now
                broken = self._leaves.fail()
            if (broken or self.failures or self._rings) and self._fails(name):
                continue
            contacts = self._concerned(name, parts.get(name, []), moved.either, fresh, size)
            came, went = self._answer(name, contacts, alive) if len(contacts) else (NOBODY, NOBODY)
            if len(came) or len(went):
                record(name, self.members[name], came, went)
                moved.note(name, came, went)
                for other in self._asked_by.get(name, ()):
                    heapq.heappush(ahead, other)
        return moved.entered, moved.left

    def _ahead(self, parts: Iterable[str], all_of_them: bool) -> list[int]:
        """Places in the order of segments that may be answered otherwise, as a heap: those that ask them follow when they were."""
        if all_of_them or self.failures or self._rings or self._pending:
            return [*range(len(self._order))]
        return sorted(self._places[name] for name in {*parts, *self._always})

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
        found = [*parts]
        if self._asks[name]:
            found += [moved[each] for each in self._asks[name] if each in moved]
        if len(fresh):
            found.append(fresh)
        if len(found) == 2 and found[0] is found[1]:
            return found[0]                         # two conditions on the same events
        return union(found) if len(found) > 1 else found[0] if found else NOBODY

    def _answer(self, name: str, contacts: Ints, alive: Mask) -> tuple[Ints, Ints]:
        """Answer the segment for *contacts* anew: (who entered, who left)."""
        if name not in self.members:
            self.members[name] = np.zeros(len(alive), bool)
        if len(contacts) <= FEW:
            return self._answer_few(name, contacts, alive)
        where = places(contacts)
        answers = self._truths[name](where) & alive[where]
        members = self.members[name]
        before = members[where].copy()
        members[where] = answers
        return contacts[answers & ~before], contacts[before & ~answers]

    def _answer_few(self, name: str, contacts: Ints, alive: Mask) -> tuple[Ints, Ints]:
        """The same one by one, which costs less."""
        says, members, came, went = self._says[name], self.members[name], list[int](), list[int]()
        for contact in contacts.tolist():
            answer = bool(alive[contact] and says(contact))
            if answer is not members.item(contact):
                members[contact] = answer
                (came if answer else went).append(contact)
        return those(came, contacts), those(went, contacts)

    def _truth(self, node: Node, logic: Logic) -> Truth:
        match node:
            case All(children):
                return partial(logic.all_of, [self._truth(child, logic) for child in children])
            case AnyOf(children):
                return partial(logic.any_of, [self._truth(child, logic) for child in children])
            case NoneOf(children):
                parts = [self._truth(child, logic) for child in children]
                return lambda contacts: logic.no(logic.any_of(parts, contacts))
            case Not(child):
                denied = self._truth(child, logic)
                return lambda contacts: logic.no(denied(contacts))
            case InSegment(name):
                return lambda contacts: self.members[name][contacts]
            case _:
                leaf = self._leaves.leaf(node)
                return lambda contacts: leaf.mask[contacts]
