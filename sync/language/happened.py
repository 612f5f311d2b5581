"""Conditions on what somebody did: one set of events, counted or measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import ClassVar

from connectors.base import Millis
from sync.language.nodes import Leaf
from sync.language.person import Event, Person
from sync.language.predicates import NumberTest, Predicate
from sync.language.values import INT64_MAX, Json, Path, RuleFailure, distinct_keys, is_missing, look, nfc, number_text, read_number
from sync.language.window import Window, first_after

MACHINE: Path = ("machine",)
CURRENCY: Path = ("currency",)
NOT_MONEY: frozenset[Path] = frozenset({("quantity",), ("items",)})   # stand beside a currency without being in it


@dataclass(frozen=True, slots=True)
class Names:
    """Event names: *exact* ones, and beginnings of names (`""` is every event)."""

    exact: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()

    def takes(self, name: str) -> bool:
        return name in self.exact or name.startswith(self.prefixes or ("\0",))


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events are meant, whenever they were: the name, every `where` predicate, and not a machine's if *human*."""

    names: Names
    where: tuple[tuple[Path, Predicate], ...] = ()
    human: bool = False

    def takes(self, event: Event, now: Millis) -> bool:
        if not self.names.takes(event.type) or (self.human and is_machine(look(event.properties, MACHINE))):
            return False
        return all(predicate.holds(look(event.properties, path), event.properties, now) for path, predicate in self.where)

    def turn(self, event: Event, now: Millis) -> Millis | None:
        """The first instant after *now* at which `takes` may answer otherwise."""
        if not self.names.takes(event.type):
            return None
        return first_after(now, *(test.turn(look(event.properties, path), event.properties, now) for path, test in self.where))


def is_machine(mark: Json) -> bool:
    """Whether a platform marked the event as a machine's doing."""
    return mark is True or mark == "true"


@dataclass(frozen=True, slots=True)
class Measure:
    """An aggregate over one property of the events: *kind* is sum, average, min, max or distinct."""

    KINDS: ClassVar[tuple[str, ...]] = ("sum", "average", "min", "max", "distinct")
    kind: str
    of: Path
    test: NumberTest
    currency: str | None = None

    @property
    def in_money(self) -> bool:
        """Whether amounts of several currencies must not be mixed in it."""
        return self.kind != "distinct" and self.currency is None and self.of not in NOT_MONEY

    def value(self, events: list[Event]) -> int | Fraction | None:
        """The aggregate, in millionths; None where it is missing (average, min and max of nothing)."""
        if self.kind == "distinct":
            return 1_000_000 * len({key for event in events for key in distinct_keys(look(event.properties, self.of))})
        numbers = self.numbers(events)
        if self.kind == "sum":
            return held(sum(numbers), self.of)
        if not numbers:
            return None
        if self.kind == "average":
            return Fraction(held(sum(numbers), self.of), len(numbers))
        return min(numbers) if self.kind == "min" else max(numbers)

    def numbers(self, events: list[Event]) -> list[int]:
        """The property's values that are numbers, in millionths; `RuleFailure` on overflow and mixed currencies."""
        return [number for _, number in self.amounts(events)]

    def amounts(self, events: list[Event]) -> list[tuple[Event, int]]:
        """The same, each beside its event."""
        pairs = [(event, number) for event in events if (number := read_number(look(event.properties, self.of))) is not None]
        currencies = {code for event, _ in pairs if (code := read_currency(look(event.properties, CURRENCY))) is not None}
        if self.in_money and len(currencies) > 1:
            raise RuleFailure(mixed_currencies(self, currencies))
        mine = [pair for pair in pairs if self.currency in (None, read_currency(look(pair[0].properties, CURRENCY)))]
        return [(event, held(number, self.of)) for event, number in mine]


def read_currency(value: Json) -> str | None:
    """The code of a `currency` property, None where it holds none."""
    return nfc(value) if isinstance(value, str) and not is_missing(value) else None


def mixed_currencies(measure: Measure, codes: set[str]) -> str:
    """What to say of a sum over several currencies."""
    named = ", ".join(sorted(codes))
    return f"{measure.kind} of '{'.'.join(measure.of)}' mixes {named}; say which with `currency:`"


def held(millionths: int, of: Path) -> int:
    """*millionths*, or `RuleFailure` when they do not fit int64."""
    if not -INT64_MAX - 1 <= millionths <= INT64_MAX:
        raise RuleFailure(overflow(of))
    return millionths


def overflow(of: Path) -> str:
    """What to say of a number that does not fit."""
    return f"a number in '{'.'.join(of)}' is beyond ±{number_text(INT64_MAX)}"


@dataclass(frozen=True, slots=True)
class Happened(Leaf):
    """One set of events: *filter* and *window* say which, *count* and *measures* speak of those. No count asked: not tested.

    *since*: only events after the person's latest one up to now that this filter takes; where there is none, all of them.
    *trait*: the computed trait that the rule asked, for whoever reads about it; it changes no answer.
    """

    filter: Filter
    window: Window
    count: NumberTest | None
    measures: tuple[Measure, ...] = ()
    since: Filter | None = None
    trait: str = field(default="", compare=False, repr=False)

    def matches(self, person: Person, now: Millis) -> bool:
        events = self.events(person, now)
        counted = self.count is None or self.count.holds(len(events))
        return all([counted, *(measure.test.holds_millionths(measure.value(events)) for measure in self.measures)])

    def turn(self, person: Person, now: Millis) -> Millis | None:
        named = [event for event in person.facts if self.filter.names.takes(event.type)]
        edges = (self.window.turn(event.at, now) for event in named)
        begins = (event.at for event in person.facts if self.since is not None and self.since.takes(event, now))
        return first_after(now, *edges, *begins, *(self.filter.turn(event, now) for event in named))

    def evidence(self, person: Person, now: Millis) -> tuple[Event, ...]:
        latest = self.latest(person, now)
        return tuple(sorted([*self.events(person, now), *([] if latest is None else [latest])], key=lambda event: event.at))

    def events(self, person: Person, now: Millis) -> list[Event]:
        """The events it speaks of, each once."""
        latest = self.latest(person, now)
        events = [event for event in person.facts if latest is None or event.at > latest.at]
        return [event for event in events if self.window.holds(event.at, now) and self.filter.takes(event, now)]

    def latest(self, person: Person, now: Millis) -> Event | None:
        """The event after which it counts, None where it counts from the beginning."""
        if self.since is None:
            return None
        happened = [event for event in person.facts if event.at <= now and self.since.takes(event, now)]
        return max(happened, key=lambda event: event.at, default=None)
