"""Ranks: where one contact stands among all of them, by a field or a trait.

Only those who have a number are ranked, the highest first, the longer known first where numbers are equal, and then the one with
the lower id. Whether somebody is in the top depends on everybody: such a condition is answered for all or for none.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeAlias
from zoneinfo import ZoneInfo

from connectors.base import HOUR, Millis
from sync.language.nodes import Leaf, Node, evidence_of, walk
from sync.language.person import Event, Everybody, Person
from sync.language.traits import Trait, TraitTest, decays
from sync.language.values import MILLION, Path, RuleFailure, look, number_text, read_number, read_span
from sync.language.who import contact_record
from sync.language.window import first_after

_UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Ranked:
    """What decides places: the number that the field *path* holds, or *trait* (then *path* is its name)."""

    path: Path
    trait: Trait | None = None

    def number(self, person: Person, now: Millis) -> int | None:
        """Millionths, None where there is no number; a time counts in milliseconds."""
        if self.trait is None:
            return read_number(look(contact_record(person), self.path))
        value = self.trait.value(person, self.moment(now))
        if self.trait.sort == "time":
            span = read_span(value, _UTC)
            return None if span is None else MILLION * span[0]
        return read_number(value)

    def moment(self, now: Millis) -> Millis:
        """The instant whose numbers count: *now*, or for what changes at every moment the last full hour."""
        return now - now % HOUR if self.trait is not None and decays(self.trait) else now

    def turn(self, person: Person, now: Millis) -> Millis | None:
        """The first instant after *now* at which `number` may be another although nothing happened."""
        if self.trait is None:
            return None
        return self.moment(now) + HOUR if decays(self.trait) else self.trait.turn(person, now)


@dataclass(frozen=True, slots=True)
class Top:
    """The first so many."""

    most: int

    def places(self, ranked: int) -> tuple[int, int]:
        """The first and the last place taken among so many that are ranked."""
        return 1, self.most

    def __str__(self) -> str:
        return f"top {self.most}"


@dataclass(frozen=True, slots=True)
class TopShare:
    """The first *share* of those who are ranked, rounded up."""

    share: Fraction

    def places(self, ranked: int) -> tuple[int, int]:
        return 1, -(-self.share.numerator * ranked // self.share.denominator)

    def __str__(self) -> str:
        return f"top {number_text(int(self.share * 100 * MILLION))}%"


@dataclass(frozen=True, slots=True)
class Tier:
    """Those whose place × *of* ÷ ranked, rounded up, is *tier*; 1 is the highest."""

    tier: int
    of: int

    def places(self, ranked: int) -> tuple[int, int]:
        return (self.tier - 1) * ranked // self.of + 1, self.tier * ranked // self.of

    def __str__(self) -> str:
        return f"tier {self.tier} of {self.of}"


Cut: TypeAlias = Top | TopShare | Tier


@dataclass(frozen=True, slots=True)
class Rank(Leaf):
    """Is at a place that *cut* takes, by *by*."""

    by: Ranked
    cut: Cut

    needs_everybody = True

    @property
    def children(self) -> tuple[Node, ...]:
        return () if self.by.trait is None else self.by.trait.children

    def matches(self, person: Person, now: Millis) -> bool:
        found = among(person).place(self.by, person.contact, now)
        if found is None:
            return False
        first, last = self.cut.places(found[1])
        return first <= found[0] <= last

    def turn(self, person: Person, now: Millis) -> Millis | None:
        return among(person).turn(self.by, now)

    def evidence(self, person: Person, now: Millis) -> tuple[Event, ...]:
        return evidence_of(self.children, person, self.by.moment(now))


def among(person: Person) -> Everybody:
    """Those whom *person* is ranked among; `RuleFailure` where nobody else is known."""
    if person.everybody is None:
        raise RuleFailure("a rank cannot be told of one contact alone")
    return person.everybody


def traits_of(node: Node) -> tuple[tuple[str, Trait], ...]:
    """The traits that *node* itself asks, by name."""
    if isinstance(node, Rank) and node.by.trait is not None:
        return ((node.by.path[0], node.by.trait),)
    return node.traits if isinstance(node, TraitTest) else ()


def needs_everybody(node: Node) -> bool:
    """Whether the answer of *node* for one contact depends on what others are and do."""
    return any(getattr(each, "needs_everybody", False) for each in walk(node))


class Population:
    """Everybody, the slow and obvious way. *people*: the given ones, who now know their ids (their place in the list) and each
    other; *dead*: ids that are given out but erased."""

    def __init__(self, people: Sequence[Person], dead: Collection[int] = ()) -> None:
        self.people = [replace(person, contact=contact, everybody=self) for contact, person in enumerate(people)]
        self._alive = [person for person in self.people if person.contact not in dead]
        self._ordered: dict[tuple[Ranked, Millis], list[int]] = {}

    def place(self, ranked: Ranked, contact: int, now: Millis) -> tuple[int, int] | None:
        key = ranked, ranked.moment(now)
        if key not in self._ordered:
            numbered = [(ranked.number(person, now), person) for person in self._alive]
            places = [(-number, person.known_since, person.contact) for number, person in numbered if number is not None]
            self._ordered[key] = [who for _, _, who in sorted(places)]
        ordered = self._ordered[key]
        return (ordered.index(contact) + 1, len(ordered)) if contact in ordered else None

    def turn(self, ranked: Ranked, now: Millis) -> Millis | None:
        return first_after(now, *(ranked.turn(person, now) for person in self._alive))
