"""The rule language as frozen nodes, one per idea, and the slow, obvious evaluator that is its meaning.

    rule   :=  all: [rule…] | any: [rule…] | none: [rule…] | not: rule
            |  contact: {field: predicate…}
            |  event: names, where, human, count, sum | average | min | max | distinct, one window
            |  segment: name | member_of: {connection: {tag | list: name}} | consent: {…} | suppressed: bool
            |  sample: {share, salt}

`node.matches(person, now)` reads the person's whole history. It evaluates every child, so that a rule that cannot be
answered (`RuleFailure`) never hides behind one that can. `node.turn(person, now)` says until when an answer stands if
nothing happens. Nodes hold no places: equal rules are equal values.

This room holds what puts conditions together; the conditions themselves stand in `who` (who somebody is) and `happened` (what
somebody did).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from connectors.base import Millis
from sync.language.person import Event, Person, distinct_events
from sync.language.values import RuleFailure
from sync.language.window import first_after


class Node(Protocol):
    """One condition."""

    def matches(self, person: Person, now: Millis) -> bool:
        """Whether it holds of *person* at *now*; `RuleFailure` when that cannot be said."""

    def turn(self, person: Person, now: Millis) -> Millis | None:
        """The first instant after *now* at which `matches` may answer otherwise although nothing happened; None: never.

        It may come too early (then the answer is the same as before), but never too late.
        """

    def evidence(self, person: Person, now: Millis) -> tuple[Event, ...]:
        """The events that the answer rests on, each once, by time; () for what asks no events."""

    @property
    def children(self) -> tuple[Node, ...]:
        """The conditions it is made of."""


class Leaf:
    """What all conditions without children share; time changes nothing about them, and no event speaks for them, unless they say so."""

    __slots__ = ()
    needs_everybody = False                                             # whether it can only be answered of all contacts together

    @property
    def children(self) -> tuple[Node, ...]:
        return ()

    def turn(self, person: Person, now: Millis) -> Millis | None:
        return None

    def evidence(self, person: Person, now: Millis) -> tuple[Event, ...]:
        return ()


def soonest(nodes: Iterable[Node], person: Person, now: Millis) -> Millis | None:
    """Until when the answers of all *nodes* stand."""
    return first_after(now, *(node.turn(person, now) for node in nodes))


def evidence_of(nodes: Iterable[Node], person: Person, now: Millis) -> tuple[Event, ...]:
    """The events that any of *nodes* rests on, each once, by time."""
    found = distinct_events(event for node in nodes for event in node.evidence(person, now))
    return tuple(sorted(found, key=lambda event: event.at))


@dataclass(frozen=True, slots=True)
class All:
    children: tuple[Node, ...]

    def matches(self, person: Person, now: Millis) -> bool:
        answers = [child.matches(person, now) for child in self.children]
        return all(answers)

    def turn(self, person: Person, now: Millis) -> Millis | None:
        return soonest(self.children, person, now)

    def evidence(self, person: Person, now: Millis) -> tuple[Event, ...]:
        return evidence_of(self.children, person, now)


@dataclass(frozen=True, slots=True)
class AnyOf:
    children: tuple[Node, ...]

    def matches(self, person: Person, now: Millis) -> bool:
        answers = [child.matches(person, now) for child in self.children]
        return any(answers)

    def turn(self, person: Person, now: Millis) -> Millis | None:
        return soonest(self.children, person, now)

    def evidence(self, person: Person, now: Millis) -> tuple[Event, ...]:
        return evidence_of(self.children, person, now)


@dataclass(frozen=True, slots=True)
class NoneOf:
    children: tuple[Node, ...]

    def matches(self, person: Person, now: Millis) -> bool:
        answers = [child.matches(person, now) for child in self.children]
        return not any(answers)

    def turn(self, person: Person, now: Millis) -> Millis | None:
        return soonest(self.children, person, now)

    def evidence(self, person: Person, now: Millis) -> tuple[Event, ...]:
        return evidence_of(self.children, person, now)


@dataclass(frozen=True, slots=True)
class Not:
    child: Node

    @property
    def children(self) -> tuple[Node, ...]:
        return (self.child,)

    def matches(self, person: Person, now: Millis) -> bool:
        return not self.child.matches(person, now)

    def turn(self, person: Person, now: Millis) -> Millis | None:
        return self.child.turn(person, now)

    def evidence(self, person: Person, now: Millis) -> tuple[Event, ...]:
        return self.child.evidence(person, now)


@dataclass(frozen=True, slots=True)
class InSegment(Leaf):
    """Is in another segment: that one's rule is asked, once per person and moment however many ask."""

    name: str

    def matches(self, person: Person, now: Millis) -> bool:
        if self.name not in person.rules:
            raise RuleFailure(f"segment '{self.name}' has no rule to ask")
        answer = self._once("matches", person, now, None)
        if isinstance(answer, RuleFailure):
            raise answer
        return bool(answer)

    def turn(self, person: Person, now: Millis) -> Millis | None:
        found: Millis | None = self._once("turn", person, now, None)
        return found

    def evidence(self, person: Person, now: Millis) -> tuple[Event, ...]:
        found: tuple[Event, ...] = self._once("evidence", person, now, ())
        return found

    def _once(self, question: str, person: Person, now: Millis, unknown: Any) -> Any:
        """What the segment's rule answers to a question of `Node`'s; a failure is an answer, too."""
        key = (self.name, question, now)
        if key not in person.answers:
            try:
                rule = person.rules.get(self.name)
                person.answers[key] = unknown if rule is None else getattr(rule, question)(person, now)
            except RuleFailure as failure:
                person.answers[key] = failure
        return person.answers[key]


def walk(node: Node) -> Iterator[Node]:
    """*node* and all below it, parents first."""
    yield node
    for child in node.children:
        yield from walk(child)
