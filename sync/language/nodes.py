"""The rule language as frozen nodes, one per idea, and the slow, obvious evaluator that is its meaning.

    rule   :=  all: [rule…] | any: [rule…] | none: [rule…] | not: rule
            |  contact: {field: predicate…}
            |  event: names, where, human, count, sum | average | min | max | distinct, one window
            |  segment: name | member_of: {connection: {tag | list: name}} | consent: {…} | suppressed: bool
            |  sample: {share, salt}

`node.matches(person, now)` reads the person's whole history. It evaluates every child, so that a rule that cannot be
answered (`RuleFailure`) never hides behind one that can. `node.turn(person, now)` says until when an answer stands if
nothing happens. Nodes hold no places: equal rules are equal values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from hashlib import blake2b
from typing import ClassVar, Protocol, TypeAlias

from connectors.base import Millis
from sync.language.person import Event, Person, distinct_events
from sync.language.predicates import NumberTest, Predicate
from sync.language.values import (
    INT64_MAX,
    Json,
    Path,
    RuleFailure,
    distinct_keys,
    instant_text,
    is_missing,
    look,
    nfc,
    number_text,
    read_number,
)
from sync.language.window import Window, first_after

KNOWN_SINCE: Path = ("known_since",)
MACHINE: Path = ("machine",)
CURRENCY: Path = ("currency",)
NOT_MONEY: frozenset[Path] = frozenset({("quantity",), ("items",)})   # stand beside a currency without being in it


class Node(Protocol):
    """One condition."""

    def matches(self, person: Person, now: Millis) -> bool:
        """Whether it holds of *person* at *now*; `RuleFailure` when that cannot be said."""

    def turn(self, person: Person, now: Millis) -> Millis | None:
        """The first instant after *now* at which `matches` may answer otherwise although nothing happened; None: never.

        It may come too early (then the answer is the same as before), but never too late.
        """

    @property
    def children(self) -> tuple[Node, ...]:
        """The conditions it is made of."""


class _Leaf:
    """What all conditions without children share; time changes nothing about them unless they say so."""

    __slots__ = ()

    @property
    def children(self) -> tuple[Node, ...]:
        return ()

    def turn(self, person: Person, now: Millis) -> Millis | None:
        return None


# --- boolean ---------------------------------------------------------------------------------------------------------------


def soonest(nodes: Iterable[Node], person: Person, now: Millis) -> Millis | None:
    """Until when the answers of all *nodes* stand."""
    return first_after(now, *(node.turn(person, now) for node in nodes))


@dataclass(frozen=True, slots=True)
class All:
    children: tuple[Node, ...]

    def matches(self, person: Person, now: Millis) -> bool:
        answers = [child.matches(person, now) for child in self.children]
        return all(answers)

    def turn(self, person: Person, now: Millis) -> Millis | None:
        return soonest(self.children, person, now)


@dataclass(frozen=True, slots=True)
class AnyOf:
    children: tuple[Node, ...]

    def matches(self, person: Person, now: Millis) -> bool:
        answers = [child.matches(person, now) for child in self.children]
        return any(answers)

    def turn(self, person: Person, now: Millis) -> Millis | None:
        return soonest(self.children, person, now)


@dataclass(frozen=True, slots=True)
class NoneOf:
    children: tuple[Node, ...]

    def matches(self, person: Person, now: Millis) -> bool:
        answers = [child.matches(person, now) for child in self.children]
        return not any(answers)

    def turn(self, person: Person, now: Millis) -> Millis | None:
        return soonest(self.children, person, now)


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


# --- who somebody is ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Contact(_Leaf):
    """Every named field passes its predicate."""

    fields: tuple[tuple[Path, Predicate], ...]

    def matches(self, person: Person, now: Millis) -> bool:
        record = contact_record(person)
        return all(predicate.holds(look(record, path), record, now) for path, predicate in self.fields)

    def turn(self, person: Person, now: Millis) -> Millis | None:
        record = contact_record(person)
        return first_after(now, *(predicate.turn(look(record, path), record, now) for path, predicate in self.fields))


def contact_record(person: Person) -> Mapping[str, Json]:
    """The fields of *person*, `known_since` among them."""
    return {**person.fields, KNOWN_SINCE[0]: instant_text(person.known_since)}


@dataclass(frozen=True, slots=True)
class ConsentIs(_Leaf):
    """Consent of the whole platform (a subscription type's own opt-out bars only targets that name it).

    Over platforms: withdrawn anywhere, else granted anywhere, else unknown. What cannot be read counts as unknown here.
    """

    channel: str
    state: str
    connection: str | None = None

    def matches(self, person: Person, now: Millis) -> bool:
        told = {fact.state for fact in person.consents if self.asks(fact.channel, fact.scope, fact.connection)}
        said = "withdrawn" if "withdrawn" in told else "granted" if "granted" in told else "unknown"
        return said == self.state

    def asks(self, channel: str, scope: str, connection: str) -> bool:
        """Whether a fact of that channel, scope and connection is one this condition reads."""
        return channel == self.channel and scope == "" and self.connection in (None, connection)


@dataclass(frozen=True, slots=True)
class Suppressed(_Leaf):
    """Must not be contacted, on any platform and channel."""

    expected: bool

    def matches(self, person: Person, now: Millis) -> bool:
        return any(fact.suppressed for fact in person.consents) is self.expected


@dataclass(frozen=True, slots=True)
class MemberOf(_Leaf):
    """Is on a platform's tag or list, whoever put them there; without *audience* in any of them."""

    connection: str
    kind: str
    name: str
    audience: str | None = None

    def matches(self, person: Person, now: Millis) -> bool:
        return any(self.asks(fact.connection, fact.audience, fact.kind, fact.name) for fact in person.memberships)

    def asks(self, connection: str, audience: str, kind: str, name: str) -> bool:
        """Whether a membership with these words is the one meant."""
        same = connection == self.connection and kind == self.kind and nfc(name) == nfc(self.name)
        return same and self.audience in (None, audience)


@dataclass(frozen=True, slots=True)
class InSegment(_Leaf):
    name: str

    def matches(self, person: Person, now: Millis) -> bool:
        if self.name not in person.rules:
            raise RuleFailure(f"segment '{self.name}' has no rule to ask")
        return person.rules[self.name].matches(person, now)

    def turn(self, person: Person, now: Millis) -> Millis | None:
        return person.rules[self.name].turn(person, now) if self.name in person.rules else None


@dataclass(frozen=True, slots=True)
class Sample(_Leaf):
    """A stable *share* of all people: BLAKE2b of salt and sample key, never a dice roll."""

    share: Fraction
    salt: str

    def matches(self, person: Person, now: Millis) -> bool:
        return self.takes(person.sample_key)

    def takes(self, sample_key: str) -> bool:
        digest = blake2b(f"{self.salt}\0{sample_key}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") * self.share.denominator < self.share.numerator << 64


# --- what somebody did -------------------------------------------------------------------------------------------------------


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
        passes = all(predicate.holds(look(event.properties, path), event.properties, now) for path, predicate in self.where)
        return self.names.takes(event.type) and passes and not (self.human and is_machine(look(event.properties, MACHINE)))

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
        pairs = [(event, number) for event in events if (number := read_number(look(event.properties, self.of))) is not None]
        currencies = {code for event, _ in pairs if (code := read_currency(look(event.properties, CURRENCY))) is not None}
        if self.in_money and len(currencies) > 1:
            raise RuleFailure(mixed_currencies(self, currencies))
        mine = [number for event, number in pairs if self.currency in (None, read_currency(look(event.properties, CURRENCY)))]
        return [held(number, self.of) for number in mine]


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
class Happened(_Leaf):
    """One set of events: *filter* and *window* say which, *count* and *measures* speak of those. No count asked: not tested."""

    filter: Filter
    window: Window
    count: NumberTest | None
    measures: tuple[Measure, ...] = ()

    def matches(self, person: Person, now: Millis) -> bool:
        events = self.events(person, now)
        counted = self.count is None or self.count.holds(len(events))
        return all([counted, *(measure.test.holds_millionths(measure.value(events)) for measure in self.measures)])

    def turn(self, person: Person, now: Millis) -> Millis | None:
        named = [event for event in distinct_events(person.events) if self.filter.names.takes(event.type)]
        edges = (self.window.turn(event.at, now) for event in named)
        return first_after(now, *edges, *(self.filter.turn(event, now) for event in named))

    def events(self, person: Person, now: Millis) -> list[Event]:
        """The events it speaks of, each once."""
        events = distinct_events(person.events)
        return [event for event in events if self.window.holds(event.at, now) and self.filter.takes(event, now)]


Leaf: TypeAlias = Contact | ConsentIs | Suppressed | MemberOf | InSegment | Sample | Happened


def walk(node: Node) -> Iterator[Node]:
    """*node* and all below it, parents first."""
    yield node
    for child in node.children:
        yield from walk(child)
