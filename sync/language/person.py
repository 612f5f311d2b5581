"""A person as a rule sees one: what the oracle reads, with the whole history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from connectors.base import Millis
from sync.language.values import Json, Path, canonical

if TYPE_CHECKING:
    from sync.language.nodes import Node
    from sync.language.rank import Ranked


@dataclass(frozen=True, slots=True)
class Event:
    """A dated fact. *id* names its source and is "" where the source gives none. *connection* told it, under the id *source*;
    both are for `explain` only and "" where that is not known."""

    type: str
    at: Millis
    properties: Mapping[str, Json] = field(default_factory=dict)
    id: str = ""
    connection: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class ConsentFact:
    """One profile's permission: *state* is granted, withdrawn, unknown or unreadable; *scope* "" is the whole platform. *at*: since
    when, by the platform where it tells, else when we first saw it."""

    connection: str
    channel: str
    state: str
    scope: str = ""
    suppressed: bool = False
    at: Millis | None = None


@dataclass(frozen=True, slots=True)
class MembershipFact:
    """This person is on that tag or list of a platform. *audience* is the config's word for it, "" where there is none; *at*: since
    when, by the platform where it tells, else when we first saw it."""

    connection: str
    kind: str
    name: str
    audience: str = ""
    at: Millis = 0


@dataclass(frozen=True, slots=True)
class Move:
    """This person entered *segment*, or left it, at a moment that is known."""

    segment: str
    at: Millis
    entered: bool


class Everybody(Protocol):
    """All contacts together, for what one of them cannot tell alone: a rank."""

    def place(self, ranked: Ranked, contact: int, now: Millis) -> tuple[int, int] | None:
        """The place of *contact* (1 is the highest) among so many that have a number; None for one that has none."""

    def turn(self, ranked: Ranked, now: Millis) -> Millis | None:
        """The first instant after *now* at which anybody's number may be another although nothing happened."""


@dataclass(frozen=True, slots=True)
class Past:
    """What a field holds from *at* on, until the next one. *changed*: known to have been another value before; a first sight is not."""

    at: Millis
    value: Json
    changed: bool = True


@dataclass(frozen=True, slots=True)
class Person:
    """All that is known of one contact, whose id is *contact*. *rules* are the other segments that `segment:` may name; *kept*:
    whether this person was in a disabled one when it was last evaluated; *addresses*: the canonical ones that lead here;
    *everybody*: those it is ranked among.

    *answers*: what those said when they were asked, so that a segment which many ask is worked out once.
    """

    fields: Mapping[str, Json] = field(default_factory=dict)
    events: tuple[Event, ...] = ()
    consents: tuple[ConsentFact, ...] = ()
    memberships: tuple[MembershipFact, ...] = ()
    moves: tuple[Move, ...] = ()
    pasts: Mapping[Path, tuple[Past, ...]] = field(default_factory=dict)
    known_since: Millis = 0
    sample_key: str = ""
    rules: Mapping[str, Node] = field(default_factory=dict)
    kept: Mapping[str, bool] = field(default_factory=dict)
    answers: dict[tuple[str, str, Millis], Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    contact: int = 0
    addresses: tuple[str, ...] = ()
    everybody: Everybody | None = None
    _facts: list[Event] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def facts(self) -> Sequence[Event]:
        """The events, each once; told apart at the first asking, for every condition looks at them."""
        if not self._facts:
            self._facts.extend(distinct_events(self.events))
        return self._facts


def distinct_events(events: Iterable[Event]) -> list[Event]:
    """*events* with each fact once: same id and type, or same type, time and properties where there is no id."""
    seen: dict[tuple[str, ...], Event] = {}
    for event in events:
        key = (event.type, event.id) if event.id else (event.type, str(event.at), canonical(event.properties))
        seen.setdefault(key, event)
    return list(seen.values())
