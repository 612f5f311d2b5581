"""Computed traits: one value per contact, asked under `contact:` by name like any field.

    Trait
      EventTrait            one figure (`figures`) of one set of events: a count, a sum, the latest value, a decaying score …
      Points                a sum of points, each for a condition that holds
    TraitTest               the condition: a field passes its predicate, where it or what it is compared with is a trait

`trait.value(person, now)` is the meaning; None is missing. A comparison of a count or a sum with numbers becomes a condition on
the events themselves (`as_event_condition`), so that it is answered like any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from connectors.base import Millis
from sync.language.figures import Counted, Decaying, Figure, Measured, Sort, number_value
from sync.language.happened import Happened
from sync.language.nodes import Leaf, Node, evidence_of, soonest, walk
from sync.language.person import Event, Person
from sync.language.predicates import EQUALITY, ORDER, Compare, Each, IsSet, Limit, NumberTest, Predicate, Size, WhenRelative
from sync.language.values import Json, Path, look
from sync.language.who import contact_record
from sync.language.window import first_after

NUMERIC = EQUALITY | ORDER - {"before", "after"}


@dataclass(frozen=True, slots=True)
class EventTrait:
    """*figure* of *events*, whose own count (at least one) is not asked."""

    events: Happened
    figure: Figure

    @property
    def children(self) -> tuple[Node, ...]:
        return (self.events,)

    @property
    def sort(self) -> Sort:
        return self.figure.sort

    @property
    def asked(self) -> Happened:
        """The events with what is measured of them, where anything is."""
        measure = self.figure.measure
        return self.events if measure is None else replace(self.events, count=None, measures=(measure,))

    def value(self, person: Person, now: Millis) -> Json:
        return self.figure.value(self.events.events(person, now), now)

    def turn(self, person: Person, now: Millis, levels: tuple[int, ...] | None = None) -> Millis | None:
        """The first instant after *now* at which the value may be another or, where *levels* (millionths) are given, at which it
        may be on another side of one of them."""
        return first_after(now, self.events.turn(person, now), self.figure.turn(self.events.events(person, now), now, levels))


@dataclass(frozen=True, slots=True)
class Points:
    """The sum of what each condition that holds adds, in millionths; 0 where none holds."""

    entries: tuple[tuple[Node, int], ...]

    @property
    def children(self) -> tuple[Node, ...]:
        return tuple(node for node, _ in self.entries)

    @property
    def sort(self) -> Sort:
        return "number"

    def value(self, person: Person, now: Millis) -> Json:
        answers = [(node.matches(person, now), adds) for node, adds in self.entries]
        return number_value(sum(adds for holds, adds in answers if holds))

    def turn(self, person: Person, now: Millis, levels: tuple[int, ...] | None = None) -> Millis | None:
        return soonest(self.children, person, now)


Trait: TypeAlias = EventTrait | Points


def decays(trait: Trait) -> bool:
    """Whether its value changes at every moment; such a one is only compared with numbers."""
    return isinstance(trait, EventTrait) and isinstance(trait.figure, Decaying)


@dataclass(frozen=True, slots=True)
class TraitTest(Leaf):
    """The field *path* passes *test*; *traits* are those, by name, that the field or one it is compared with is."""

    path: Path
    test: Predicate
    traits: tuple[tuple[str, Trait], ...]

    @property
    def children(self) -> tuple[Node, ...]:
        return tuple(child for _, trait in self.traits for child in trait.children)

    @property
    def needs_everybody(self) -> bool:  # type: ignore[override]       # a rank may be what points are given for
        return any(getattr(node, "needs_everybody", False) for child in self.children for node in walk(child))

    def matches(self, person: Person, now: Millis) -> bool:
        record = self.record(person, now)
        return self.test.holds(look(record, self.path), record, now)

    def record(self, person: Person, now: Millis) -> Mapping[str, Json]:
        """The fields of *person*, the traits among them."""
        return {**contact_record(person), **{name: trait.value(person, now) for name, trait in self.traits}}

    def turn(self, person: Person, now: Millis) -> Millis | None:
        moves = (trait.turn(person, now, self.levels(name)) for name, trait in self.traits)
        return first_after(now, *moves, self._asked_turn(person, now))

    def _asked_turn(self, person: Person, now: Millis) -> Millis | None:
        """Until when the test of the present value stands. A number is no date, so time says nothing else of it."""
        record, trait = contact_record(person), dict(self.traits).get(self.path[0])
        if trait is None:
            return self.test.turn(look(record, self.path), record, now)
        return None if trait.sort == "number" else self.test.turn(trait.value(person, now), record, now)

    def evidence(self, person: Person, now: Millis) -> tuple[Event, ...]:
        return evidence_of(self.children, person, now)

    def levels(self, name: str) -> tuple[int, ...] | None:
        """The numbers (millionths) that the trait *name* is compared with; None where it is asked anything else."""
        return None if (name,) != self.path else levels(self.test)


# --- comparing with numbers -----------------------------------------------------------------------------------------------


def levels(test: Predicate) -> tuple[int, ...] | None:
    """The numbers at which the answer to *test* may change as a number grows or falls; None where it asks more than that."""
    found: list[int] = []
    for each in test.tests:
        match each:
            case Compare(operator, operands, None) if operator in EQUALITY | ORDER:
                found += [operand.number for operand in operands if operand.number is not None]
            case Each(_, Predicate() as inner) if (further := levels(inner)) is not None:
                found += further
            case IsSet() | Size() | WhenRelative():                    # a number is set, one, and no date
                pass
            case _:
                return None
    return tuple(sorted(set(found)))


def as_event_condition(name: str, trait: Trait, test: Predicate) -> Happened | None:
    """The condition on events that holds exactly where the trait passes; None where there is none."""
    limits = _limits(test)
    if not isinstance(trait, EventTrait) or limits is None:
        return None
    asked = NumberTest(limits, test.missing)
    if isinstance(trait.figure, Counted):
        return replace(trait.events, count=asked, trait=name)
    if isinstance(trait.figure, Measured) and trait.figure.measure.kind != "average":       # which is rounded first
        return replace(trait.events, count=None, measures=(replace(trait.figure.measure, test=asked),), trait=name)
    return None


def _limits(test: Predicate) -> tuple[Limit, ...] | None:
    """*test* as limits of a number, where it compares with nothing but numbers."""
    limits = []
    for each in test.tests:
        if not isinstance(each, Compare) or each.field is not None or each.operator not in NUMERIC:
            return None
        numbers = tuple(operand.number for operand in each.operands if operand.number is not None and operand.kind != "boolean")
        if len(numbers) < len(each.operands):
            return None
        limits.append(Limit(each.operator, numbers, each.negated))
    return tuple(limits)
