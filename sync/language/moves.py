"""Conditions on the record of a segment: who entered it and who left it, and when.

The record begins when a contact was first seen, and tells only changes of which the time is known: neither who was in a segment
at its first evaluation, nor what an edited rule moved.
"""

from __future__ import annotations

from dataclasses import dataclass

from connectors.base import Millis
from sync.language.nodes import Leaf
from sync.language.person import Person
from sync.language.values import RuleFailure
from sync.language.window import Window, first_after


@dataclass(frozen=True, slots=True)
class Moved(Leaf):
    """Entered the segment *name* (left it, when *entered* is False) at a moment that *window* holds, be it in again or out by now."""

    name: str
    entered: bool
    window: Window

    def matches(self, person: Person, now: Millis) -> bool:
        if self.name not in person.rules:
            raise RuleFailure(f"segment '{self.name}' has no rule to ask")
        person.rules[self.name].matches(person, now)                    # whose record is not kept on cannot be asked
        return any(self.window.holds(at, now) for at in self.moments(person))

    def turn(self, person: Person, now: Millis) -> Millis | None:
        """A move that is still to come makes it true, and never false again: so the segment's own turn counts only while it is not."""
        moments = self.moments(person)
        edges = [self.window.turn(at, now) for at in moments]
        if self.name in person.rules and not any(self.window.holds(at, now) for at in moments):
            edges.append(person.rules[self.name].turn(person, now))
        return first_after(now, *edges)

    def moments(self, person: Person) -> tuple[Millis, ...]:
        """When *person* entered (or left), oldest first."""
        return tuple(sorted(m.at for m in person.moves if m.segment == self.name and m.entered is self.entered))
