"""What every target should hold, worked out the slow way from the emulated platforms' own rows, never from our store.

    truth = (oracle ∩ live profiles there − barred) ∪ members that are not ours,  frozen people left out

Identities are the generator's (`person`), so a mistake of ours in telling people apart shows. The rows say what is: of whoever was archived
or erased after they had withdrawn, the truth cannot be told from them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import orjson

from connectors.base import Millis
from connectors.sandbox.control import Controls
from connectors.sandbox.world import KINDS
from sync.config.model import Config, ConnectionSpec, TargetSpec
from sync.language.needs import needs
from sync.language.nodes import Node, walk
from sync.language.person import ConsentFact, Event, Person
from sync.language.rank import Rank
from sync.language.who import MemberOf, Sample
from sync.reconcile.run import key_of, specs

if TYPE_CHECKING:
    import pyarrow as pa

ORDERS = {                                          # where each platform's own order record holds its number and its value
    "mailchimp": ("id", "order_total"), "hubspot": ("hs_external_order_id", "hs_total_price"), "klaviyo": ("OrderId", "$value"),
}
GRANTED = {"mailchimp": ("subscribed",), "hubspot": (), "klaviyo": ("SUBSCRIBED",)}     # HubSpot grants one subscription type, never all



@dataclass
class Someone:
    """One person over all platforms, by the generator's number."""

    profiles: dict[str, list[tuple[str, bool]]] = field(default_factory=lambda: defaultdict(list))     # platform → (id, live)
    barred: bool = False
    consents: list[ConsentFact] = field(default_factory=list)
    events: dict[tuple[str, str], Event] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Difference:
    """Members (profile ids) that a target lacks, and that it has in excess."""

    lacking: frozenset[str]
    excess: frozenset[str]


def compare(controls: Controls, config: Config, at: Millis, foreign: Mapping[str, Collection[str]] | None = None) -> dict[str, Difference]:
    """Target key → how the platform differs from the truth at *at*; empty when every target on every platform is right. Rules are asked
    of those alone who could be members.

    *foreign*: target key → profile ids that people put there themselves.
    """
    rules = {name: segment.rule for name, segment in config.segments.items()}
    _refuse_untold(rules)
    people = gather(controls, config)
    members = _members(controls, config)
    persons = {number: Person(events=tuple(who.events.values()), consents=tuple(who.consents), rules=rules)
               for number, who in people.items()}

    @cache
    def inside(segment: str, number: int) -> bool:
        return rules[segment].matches(persons[number], at)

    found = {}
    for spec in specs(config):
        key = str(key_of(spec))
        should = {
            profile for number, who in people.items() if not who.barred
            for profile, live in who.profiles[config.connections[spec.connection].kind] if live and inside(spec.segment, number)
        } | set((foreign or {}).get(key, ()))
        there = members.get(_place(spec), set())
        if should != there:
            found[key] = Difference(frozenset(should - there), frozenset(there - should))
    return found


def _refuse_untold(rules: Mapping[str, Node]) -> None:
    """ValueError for a rule that reads what is not gathered here: an answer would look like truth and be none."""
    for name, rule in rules.items():
        wanted = needs(rule)
        watching = [node for node in walk(rule) if isinstance(node, MemberOf)]
        if wanted.fields or watching or any(isinstance(node, Sample | Rank) for node in walk(rule)):
            raise ValueError(f"the truth of segment {name!r} cannot be told here: it reads fields, tags, lists, a sample or a rank")


def _place(spec: TargetSpec) -> tuple[str, str, str]:
    return spec.connection, spec.kind, spec.name.casefold()


def _members(controls: Controls, config: Config) -> dict[tuple[str, str, str], set[str]]:
    """(connection, kind, name) → profile ids, as the platform has them now."""
    found: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for name, spec in config.connections.items():
        for row in _columns(controls.rows(spec.kind, "members"), ("kind", "name", "profile")):
            found[(name, row[0], row[1].casefold())].add(row[2])
    return found


def gather(controls: Controls, config: Config) -> dict[int, Someone]:
    """Everybody, with their facts once each."""
    connections = config.connections
    people: dict[int, Someone] = defaultdict(Someone)
    wanted = [need.names for segment in config.segments.values() for need in needs(segment.rule).events]
    asked = {kind for kind in KINDS if any(names.takes(kind) for names in wanted)}
    for name, table in _tables(controls, connections, "profiles"):
        _add_profiles(people, name, connections[name].kind, table)
    for name, table in _tables(controls, connections, "events"):
        _add_events(people, connections[name].kind, table, asked)
    return people


def _tables(controls: Controls, connections: Mapping[str, ConnectionSpec], which: str) -> Iterator[tuple[str, pa.Table]]:
    """One table of each connection; the emulated platforms' process writes the next one while the caller reads this one."""
    with ThreadPoolExecutor(1) as ahead:
        asked = ((name, ahead.submit(controls.rows, spec.kind, which)) for name, spec in connections.items())
        coming = next(asked, None)
        while coming is not None:
            name, table = coming[0], coming[1].result()
            coming = next(asked, None)
            yield name, table


def _add_profiles(people: dict[int, Someone], connection: str, platform: str, table: pa.Table) -> None:
    for person, profile, live, state, barred in _columns(table, ("person", "id", "live", "state", "barred")):
        who = people[person]
        who.profiles[platform].append((profile, live))
        who.barred |= barred
        granted = state in GRANTED[platform]
        who.consents.append(ConsentFact(connection, "email", "withdrawn" if barred else "granted" if granted else "unknown"))


def _add_events(people: dict[int, Someone], platform: str, table: pa.Table, asked: Collection[str]) -> None:
    for person, source, kind, at, properties in _columns(table, ("person", "id", "kind", "at", "properties")):
        if kind in asked:
            _tell(people[person], platform, source, kind, at, orjson.loads(properties))


def _tell(who: Someone, platform: str, source: str, kind: str, at: Millis, native: Mapping[str, Any]) -> None:
    """One fact; an order that two platforms tell is one, the earlier."""
    if kind == "order_placed":
        number, value = ORDERS[platform]
        key = (kind, f"={native.get(number)}")
        event = Event(kind, at, {"order_id": str(native.get(number)), "value": native.get(value)}, key[1])
        if key in who.events and who.events[key].at <= at:
            return
    else:
        key = (kind, f"{platform}:{source}")
        event = Event(kind, at, {"machine": _machine(native)}, key[1])
    who.events[key] = event


def _machine(native: Mapping[str, Any]) -> bool:
    """How each platform marks what a proxy or bot did."""
    return native.get("machine") is True or native.get("machine_open") is True or native.get("filteredEvent") is True


def _columns(table: pa.Table, columns: tuple[str, ...]) -> Iterable[tuple[Any, ...]]:
    """The rows of *table*, as far as *columns* go."""
    return zip(*(table[column].to_pylist() for column in columns), strict=True)
