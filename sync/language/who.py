"""Conditions on who somebody is: fields, consent, membership on the platforms, a stable sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from hashlib import blake2b

from connectors.base import Millis
from sync.language.nodes import Leaf
from sync.language.person import ConsentFact, MembershipFact, Person
from sync.language.predicates import Predicate
from sync.language.values import Json, Path, instant_text, look, nfc
from sync.language.window import Window, first_after

KNOWN_SINCE: Path = ("known_since",)


@dataclass(frozen=True, slots=True)
class Contact(Leaf):
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
class ConsentIs(Leaf):
    """Consent of the whole platform (a subscription type's own opt-out bars only targets that name it).

    Over platforms: withdrawn anywhere, else granted anywhere, else unknown. What cannot be read counts as unknown here. With a
    *window*: and some platform has said so since a moment in it.
    """

    channel: str
    state: str
    connection: str | None = None
    window: Window | None = None

    def matches(self, person: Person, now: Millis) -> bool:
        told = {fact.state for fact in self.facts(person)}
        said = "withdrawn" if "withdrawn" in told else "granted" if "granted" in told else "unknown"
        return said == self.state and (self.window is None or any(self.window.holds(at, now) for at in self.moments(person)))

    def turn(self, person: Person, now: Millis) -> Millis | None:
        return None if self.window is None else first_after(now, *(self.window.turn(at, now) for at in self.moments(person)))

    def facts(self, person: Person) -> list[ConsentFact]:
        """The facts of *person* that it reads."""
        return [fact for fact in person.consents if self.asks(fact.channel, fact.scope, fact.connection)]

    def moments(self, person: Person) -> list[Millis]:
        """Since when each fact says what is asked."""
        return [fact.at for fact in self.facts(person) if fact.at is not None and self.says(fact.state)]

    def says(self, state: str) -> bool:
        """Whether a fact of that state is one of the kind asked: what cannot be read is unknown."""
        return state == self.state or (self.state == "unknown" and state == "unreadable")

    def asks(self, channel: str, scope: str, connection: str) -> bool:
        """Whether a fact of that channel, scope and connection is one this condition reads."""
        return channel == self.channel and scope == "" and self.connection in (None, connection)


@dataclass(frozen=True, slots=True)
class Suppressed(Leaf):
    """Must not be contacted, on any platform and channel."""

    expected: bool

    def matches(self, person: Person, now: Millis) -> bool:
        return any(fact.suppressed for fact in person.consents) is self.expected


@dataclass(frozen=True, slots=True)
class MemberOf(Leaf):
    """Is on a platform's tag or list, whoever put them there; without *audience* in any of them. With a *window*: since a moment
    in it."""

    connection: str
    kind: str
    name: str
    audience: str | None = None
    window: Window | None = None

    def matches(self, person: Person, now: Millis) -> bool:
        return any(self.window is None or self.window.holds(fact.at, now) for fact in self.facts(person))

    def turn(self, person: Person, now: Millis) -> Millis | None:
        return None if self.window is None else first_after(now, *(self.window.turn(fact.at, now) for fact in self.facts(person)))

    def facts(self, person: Person) -> list[MembershipFact]:
        """The memberships of *person* that it reads."""
        return [fact for fact in person.memberships if self.asks(fact.connection, fact.audience, fact.kind, fact.name)]

    def asks(self, connection: str, audience: str, kind: str, name: str) -> bool:
        """Whether a membership with these words is the one meant."""
        same = connection == self.connection and kind == self.kind and nfc(name) == nfc(self.name)
        return same and self.audience in (None, audience)


@dataclass(frozen=True, slots=True)
class Sample(Leaf):
    """A stable *share* of all people: BLAKE2b of salt and sample key, never a dice roll."""

    share: Fraction
    salt: str

    def matches(self, person: Person, now: Millis) -> bool:
        return self.takes(person.sample_key)

    def takes(self, sample_key: str) -> bool:
        digest = blake2b(f"{self.salt}\0{sample_key}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") * self.share.denominator < self.share.numerator << 64
