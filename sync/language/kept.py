"""What stands in place of a segment's rule when the segment is not to follow it any more: disabled, or retiring."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.base import Millis
from sync.language.nodes import Leaf
from sync.language.person import Person
from sync.language.values import RuleFailure


@dataclass(frozen=True, slots=True)
class Kept(Leaf):
    """Was in the segment *name* at its last evaluation, before it was disabled."""

    name: str

    def matches(self, person: Person, now: Millis) -> bool:
        if self.name not in person.kept:
            raise RuleFailure(never_evaluated(self.name))
        return person.kept[self.name]


def never_evaluated(name: str) -> str:
    """What to say of a segment that was disabled before anybody could be in it."""
    return f"segment '{name}' is disabled and was never evaluated"


@dataclass(frozen=True, slots=True)
class Nobody(Leaf):
    """The rule of a segment that retires."""

    def matches(self, person: Person, now: Millis) -> bool:
        return False
