"""Sequences: events in order, each in time, and events that did not follow.

Every event that may be the first step is tried. A step comes at or after the one before it and no later than its gap; one event
serves one step. A `not` step speaks of the nearest event before it: from that event until now no such event came, and its gap has
passed. What comes after a `not` step comes when that gap is over, and its own gap counts from there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Sequence as Listed
from dataclasses import dataclass

from connectors.base import Millis
from sync.language.chains import ANY, Chains, Link
from sync.language.happened import Filter
from sync.language.nodes import Leaf
from sync.language.patterns import beginnings, concerned, present
from sync.language.person import Event, Person
from sync.language.values import Path, distinct_keys, look
from sync.language.window import Window, first_after

MOST_STEPS = 20


@dataclass(frozen=True, slots=True)
class Step:
    """An event that follows the step before (or, *negated*, does not) *within* a gap, None: at any time; *same*: a property in
    which it equals the nearest event before. What is missing equals nothing."""

    filter: Filter
    within: Millis | None = None
    same: Path | None = None
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Stage:
    """A positive step, how long after the one before it begins to be awaited, and the `not` steps that speak of it."""

    step: Step
    delay: Millis
    denied: tuple[Step, ...]

    @property
    def patience(self) -> Millis:
        """Until so long after its event all its `not` steps wait."""
        return max((step.within or 0 for step in self.denied), default=0)


@dataclass(frozen=True, slots=True)
class Sequence(Leaf):
    """Some first step inside *window* has its followers; *last*: only the latest first step there ever was may be it."""

    steps: tuple[Step, ...]
    window: Window
    last: bool = False

    def matches(self, person: Person, now: Millis) -> bool:
        return self.chain(person, now) is not None

    def stages(self) -> tuple[Stage, ...]:
        """Its positive steps, each with its `not` steps."""
        stages: list[Stage] = []
        for step in self.steps:
            if step.negated:
                before = stages.pop()
                stages.append(Stage(before.step, before.delay, (*before.denied, step)))
            else:
                stages.append(Stage(step, stages[-1].patience if stages else 0, ()))
        return tuple(stages)

    def chain(self, person: Person, now: Millis) -> tuple[Event, ...] | None:
        """The events of one chain, one per positive step, begun as late as can be; None when there is none."""
        events = sorted((event for event in person.facts if event.at <= now), key=lambda event: event.at)
        links = [self._link(place, stage, events, now) for place, stage in enumerate(self.stages())]
        found = Chains([event.at for event in events], links).find()
        return None if found is None else tuple(events[number] for number in found)

    def _link(self, place: int, stage: Stage, events: Listed[Event], now: Millis) -> Link:
        step = stage.step
        able = [number for number, event in enumerate(events) if step.filter.takes(event, now)]
        if place == 0:
            if self.last:
                able = [number for number in able if events[number].at == events[able[-1]].at]
            able = [number for number in able if self.window.holds(events[number].at, now)]
        for denied in stage.denied:
            able = list(_unfollowed(able, denied, events, now))
        keys = None if step.same is None else [keys_of(event, step.same) for event in events]
        return Link(frozenset(able), stage.delay, step.within, keys)

    def turn(self, person: Person, now: Millis) -> Millis | None:
        turns: list[Millis | None] = []
        for place, stage in enumerate(self.stages()):
            events = concerned(stage.step.filter, person, now)
            turns.append(beginnings(stage.step.filter, events, now))
            turns += [event.at + (denied.within or 0) for denied in stage.denied for event in events]
            turns += [self.window.turn(event.at, now) for event in events] if place == 0 else []
            turns += [beginnings(denied.filter, concerned(denied.filter, person, now), now) for denied in stage.denied]
        return first_after(now, *turns)

    def evidence(self, person: Person, now: Millis) -> tuple[Event, ...]:
        """The events of the best chain found, and what came although it should not have."""
        chain, _, against = self.progress(person, now)
        return (*chain, *against)

    def progress(self, person: Person, now: Millis) -> tuple[tuple[Event, ...], int, tuple[Event, ...]]:
        """How far anybody gets: the events of the longest beginning that holds, how many steps that is, and the latest event
        that stands against the `not` step which comes next, if one does."""
        for length in range(len(self.steps), 0, -1):
            chain = Sequence(self.steps[:length], self.window, self.last).chain(person, now)
            if chain is not None:
                following = self.steps[length] if length < len(self.steps) else None
                against = _against(chain[-1], following, person, now) if following is not None and following.negated else ()
                return chain, length, against
        return (), 0, ()


def keys_of(event: Event, same: Path | None) -> tuple[str, ...]:
    """What *event* has in the property that must be the same; of a list any element may be it. () equals nothing."""
    return ANY if same is None else distinct_keys(look(event.properties, same))


def _unfollowed(able: Listed[int], denied: Step, events: Listed[Event], now: Millis) -> Iterator[int]:
    """Those of *able* (numbers of *events*) whose gap has passed without such an event, then or since."""
    followers: dict[str, list[int]] = {}
    for number, event in enumerate(events):
        for key in keys_of(event, denied.same) if denied.filter.takes(event, now) else ():
            followers.setdefault(key, []).append(number)
    for number in able:
        passed = events[number].at + (denied.within or 0) <= now
        if passed and not _followed(number, denied, events, followers):
            yield number


def _followed(number: int, denied: Step, events: Listed[Event], followers: Mapping[str, Listed[int]]) -> bool:
    """Whether one of *followers* other than itself is at or after that event: then one of the two latest is."""
    latest = [other for key in keys_of(events[number], denied.same) for other in followers.get(key, ())[-2:]]
    return any(other != number and events[other].at >= events[number].at for other in latest)


def _against(anchor: Event, denied: Step, person: Person, now: Millis) -> tuple[Event, ...]:
    keys = set(keys_of(anchor, denied.same))
    found = [event for event in present(denied.filter, person, now) if event != anchor and event.at >= anchor.at]
    return tuple(event for event in found if keys & set(keys_of(event, denied.same)))[-1:]
