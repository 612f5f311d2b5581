"""Conditions on what a field was before: a value that has stood for some time, and a value that changed.

The history of a field begins when the contact was first seen. The first value seen, and one that comes with a record that was
not seen before, starts or continues it without being a change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from connectors.base import Millis
from sync.language.nodes import Leaf
from sync.language.person import Past, Person
from sync.language.predicates import Predicate
from sync.language.values import Path, canonical
from sync.language.window import OlderThan, Window, first_after


@dataclass(frozen=True, slots=True)
class HasBeen(Leaf):
    """The value passes *test*, and so did every other since a moment that *window* holds (`for: W` is: W ago or longer)."""

    path: Path
    test: Predicate
    window: OlderThan

    def matches(self, person: Person, now: Millis) -> bool:
        since = self.since(person, now)
        return since is not None and self.window.holds(since, now)

    def turn(self, person: Person, now: Millis) -> Millis | None:
        since = self.since(person, now)
        ahead = (past.at for past in _history(person, self.path))
        return first_after(now, *ahead, None if since is None else self.window.turn(since, now))

    def since(self, person: Person, now: Millis) -> Millis | None:
        """Since when the value has passed without a break; None when it does not pass now, or was never seen."""
        found = None
        for past in _history(person, self.path):
            if past.at <= now:
                passes = self.test.holds(past.value, {}, now)
                found = None if not passes else past.at if found is None else found
        return found


@dataclass(frozen=True, slots=True)
class Changed(Leaf):
    """The value changed at a moment that *window* holds: from one that passes *before* to one that passes *after* (None: any)."""

    path: Path
    before: Predicate | None
    after: Predicate | None
    window: Window

    def matches(self, person: Person, now: Millis) -> bool:
        return any(self.window.holds(new.at, now) for _, new in self.changes(person, now))

    def turn(self, person: Person, now: Millis) -> Millis | None:
        return first_after(now, *(self.window.turn(new.at, now) for _, new in self.changes(person, now)))

    def changes(self, person: Person, now: Millis) -> list[tuple[Past, Past]]:
        """The changes meant, whenever they were, oldest first: what was, and what came."""
        return [
            (old, new) for old, new in _steps(person, self.path)
            if new.changed and canonical(old.value) != canonical(new.value)
            and (self.before is None or self.before.holds(old.value, {}, now))
            and (self.after is None or self.after.holds(new.value, {}, now))
        ]


def _history(person: Person, path: Path) -> list[Past]:
    return sorted(person.pasts.get(path, ()), key=lambda past: past.at)


def _steps(person: Person, path: Path) -> Iterator[tuple[Past, Past]]:
    history = _history(person, path)
    return pairwise(history)
