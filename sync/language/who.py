"""Conditions on who somebody is: fields, consent, membership on the platforms, a stable sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from hashlib import blake2b

from connectors.base import Millis
from sync.language.nodes import Leaf
from sync.language.person import Person
from sync.language.predicates import Predicate
from sync.language.values import Json, Path, instant_text, look, nfc
from sync.language.window import first_after

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
class Suppressed(Leaf):
    """Must not be contacted, on any platform and channel."""

    expected: bool

    def matches(self, person: Person, now: Millis) -> bool:
        return any(fact.suppressed for fact in person.consents) is self.expected


@dataclass(frozen=True, slots=True)
class MemberOf(Leaf):
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
class Sample(Leaf):
    """A stable *share* of all people: BLAKE2b of salt and sample key, never a dice roll."""

    share: Fraction
    salt: str

    def matches(self, person: Person, now: Millis) -> bool:
        return self.takes(person.sample_key)

    def takes(self, sample_key: str) -> bool:
        digest = blake2b(f"{self.salt}\0{sample_key}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") * self.share.denominator < self.share.numerator << 64
