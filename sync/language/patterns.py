"""Conditions on the shape of what somebody did: the first or latest time, what was most frequent, and who came back.

`stopped` needs no node of its own: some in (now − active, now − silent] and none since is a latest event in that window.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from connectors.base import Millis
from sync.language.happened import Filter
from sync.language.nodes import Leaf
from sync.language.person import Event, Person
from sync.language.predicates import Predicate
from sync.language.values import Path, distinct_keys, look
from sync.language.window import Window, first_after


def present(which: Filter, person: Person, now: Millis) -> list[Event]:
    """The events up to *now* that *which* takes, each once, by time."""
    events = [event for event in person.facts if event.at <= now and which.takes(event, now)]
    return sorted(events, key=lambda event: event.at)


def concerned(which: Filter, person: Person, now: Millis) -> list[Event]:
    """The events, those to come among them, that *which* takes now or may come to take although nothing happens."""
    events = person.facts
    return [event for event in events if which.takes(event, now) or which.turn(event, now) is not None]


def beginnings(which: Filter, events: Iterable[Event], now: Millis) -> Millis | None:
    """When the first of *events* begins to be, or *which* may first answer otherwise about one."""
    return first_after(now, *(turn for event in events for turn in (event.at, which.turn(event, now))))


@dataclass(frozen=True, slots=True)
class FirstOrLast(Leaf):
    """The first or the latest such event that there ever was falls in *window* and passes *fields*; of several at that very
    instant any may."""

    which: Literal["first", "last"]
    filter: Filter
    window: Window
    fields: tuple[tuple[Path, Predicate], ...] = ()

    def matches(self, person: Person, now: Millis) -> bool:
        return any(self.window.holds(event.at, now) and self.passes(event, now) for event in self.evidence(person, now))

    def passes(self, event: Event, now: Millis) -> bool:
        """Whether *event* passes every one of *fields*."""
        asked = [test.holds(look(event.properties, path), event.properties, now) for path, test in self.fields]
        return all(asked)

    def evidence(self, person: Person, now: Millis) -> tuple[Event, ...]:
        """The first or latest event, and any other at the same instant."""
        events = present(self.filter, person, now)
        place = 0 if self.which == "first" else -1
        return tuple(event for event in events if event.at == events[place].at)

    def turn(self, person: Person, now: Millis) -> Millis | None:
        chosen = self.evidence(person, now)
        edges = [self.window.turn(event.at, now) for event in chosen[:1]]
        tests = [test.turn(look(event.properties, path), event.properties, now) for event in chosen for path, test in self.fields]
        return first_after(now, *edges, *tests, beginnings(self.filter, concerned(self.filter, person, now), now))


@dataclass(frozen=True, slots=True)
class MostFrequent(Leaf):
    """The value of property *of* that most events of the set have passes *test*; missing where there is none.

    Ties go to the most recent, then alphabetically. A value is asked as the text it is counted under (12, 12.0 and "12" are one).
    """

    filter: Filter
    window: Window
    of: Path
    test: Predicate

    def matches(self, person: Person, now: Millis) -> bool:
        return self.test.holds(self.value(person, now), {}, now)

    def value(self, person: Person, now: Millis) -> str | None:
        """The most frequent value, None where there is none."""
        found: dict[str, list[Millis]] = {}
        for event in self.evidence(person, now):
            for key in distinct_keys(look(event.properties, self.of)):
                found.setdefault(key, []).append(event.at)
        return min(found, key=lambda key: (-len(found[key]), -max(found[key]), key), default=None)

    def evidence(self, person: Person, now: Millis) -> tuple[Event, ...]:
        return tuple(event for event in present(self.filter, person, now) if self.window.holds(event.at, now))

    def turn(self, person: Person, now: Millis) -> Millis | None:
        events = concerned(self.filter, person, now)
        edges = (self.window.turn(event.at, now) for event in events)
        asked = self.test.turn(self.value(person, now), {}, now)
        return first_after(now, *edges, asked, beginnings(self.filter, events, now))


@dataclass(frozen=True, slots=True)
class Resumed(Leaf):
    """An event in *window* whose predecessor is at least *silent* older; a first event has none."""

    filter: Filter
    silent: Millis
    window: Window

    def matches(self, person: Person, now: Millis) -> bool:
        return bool(self.evidence(person, now))

    def evidence(self, person: Person, now: Millis) -> tuple[Event, ...]:
        """The latest event that came after a silence, and the one before it; () if none falls in the window."""
        events = present(self.filter, person, now)
        pairs = pairwise(events)
        found = [(one, two) for one, two in pairs if two.at - one.at >= self.silent and self.window.holds(two.at, now)]
        return found[-1] if found else ()

    def turn(self, person: Person, now: Millis) -> Millis | None:
        events = concerned(self.filter, person, now)
        return first_after(now, *(self.window.turn(event.at, now) for event in events), beginnings(self.filter, events, now))
