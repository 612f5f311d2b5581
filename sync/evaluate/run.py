"""Evaluate every segment of the config over the store, and say what each answer rests on."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from connectors.base import DAY, HOUR, Millis, Stream, StreamKind, instant
from sync.config.model import Config, Withdrawn
from sync.crash import crash_point
from sync.evaluate.from_store import StoreSnapshot
from sync.evaluate.full_pass import NOTHING, Result, full_pass
from sync.evaluate.lives import renamed
from sync.language.graph import layers
from sync.language.happened import Names
from sync.language.needs import Needs, needs
from sync.language.nodes import Node, walk
from sync.language.values import Path, parse_path
from sync.language.who import MemberOf
from sync.language.window import reach
from sync.source import Origin, reads_part
from sync.store import entries, memberships, segments, streams
from sync.store.fields import FieldSource
from sync.store.store import Store, digest_of

Watched = tuple[str, str, str, str]                 # of a tag or list: connection, audience (the config's word), kind, name
LOOKED_AT = 26 * HOUR                               # what is looked at once a day counts so long


@dataclass(frozen=True, slots=True)
class Ground:
    """What a segment's answer rests on. *waiting*: why it cannot be answered yet (nothing may move); *shaky*: why nobody may
    be removed for it; both "" when there is no reason. *sources*: the connections."""

    waiting: str
    shaky: str
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Evaluation:
    """The full pass at one moment. *rules*: digest of each rule with all it refers to; *renamed*: new segments, each with the one that is
    gone from the config and whose body it has."""

    at: Millis
    result: Result
    rules: Mapping[str, str]
    grounds: Mapping[str, Ground]
    renamed: Mapping[str, str] = field(default_factory=dict)


def evaluate(store: Store, config: Config, sources: Mapping[str, Origin], now: Millis) -> Evaluation:
    """Answer all segments at *now* and keep the memberships; a failing segment keeps its last good one."""
    rules = {name: segment.rule for name, segment in config.segments.items()}
    digests, grounds = digests_of(config, sources), grounds_of(store, config, sources, now)
    snapshot, result = snapshot_of(store, config, sources, rules.values()), NOTHING
    for names in layers(rules) or [[]]:
        result = full_pass(snapshot, {name: rules[name] for name in names}, now, result)
        with store.transaction() as db:
            segments.unsettle(db, rules)
            _write(db, names, result, digests, grounds, now)
            segments.stamp(db, now)
            crash_point("evaluate.before_commit")
    return Evaluation(now, result, digests, grounds, renamed(store, config, digests))


def digests_of(config: Config, sources: Mapping[str, Origin]) -> dict[str, str]:
    """By segment: equal while its answers mean the same."""
    rules = {name: segment.rule for name, segment in config.segments.items()}
    return {name: digest_of(rule_digest(name, rules), *meaning_of(config, sources, name, rules)) for name in rules}


def grounds_of(store: Store, config: Config, sources: Mapping[str, Origin], now: Millis) -> dict[str, Ground]:
    """By segment: what its answer rests on."""
    rules = {name: segment.rule for name, segment in config.segments.items()}
    return {name: ground_of(store, config, sources, name, rules, now) for name in rules}


def _write(
    db: sqlite3.Connection, names: Collection[str], result: Result, digests: Mapping[str, str], grounds: Mapping[str, Ground],
    now: Millis,
) -> None:
    """Keep the memberships of segments *names*, and what became of those that failed."""
    merged = entries.merged(db)
    for name in names:
        if name in result.failures:
            segments.fail(db, name, result.failures[name])
        else:
            members = np.flatnonzero(result.members[name]).astype(np.int32)
            segments.write(db, name, digests[name], members, now, settled=not grounds[name].waiting, merged=merged)


def rule_digest(name: str, rules: Mapping[str, Node]) -> str:
    """Equal for equal rules, whatever the segment is called: covers the rule and those of the segments it asks, zones included."""
    return digest_of(repr(rules[name]), *sorted(f"{each}={rules[each]!r}" for each in asked(name, rules) - {name}))


def meaning_of(config: Config, sources: Mapping[str, Origin], name: str, rules: Mapping[str, Node]) -> list[str]:
    """What else in the config decides the answer of a rule: where its fields are looked for, what its events are, whose consent
    bars. An edit there is an edit of the rule."""
    numbers = {source.number: source.name for source in sources.values()}
    wanted = [needs(rules[each]) for each in sorted(asked(name, rules))]
    fields = sorted({path for what in wanted for path in what.fields})
    looked = [(path, [(numbers[s.connection], s.path, s.country) for s in field_sources(config, sources, path)]) for path in fields]
    taken = [need.names for what in wanted for need in what.events]
    events = [(event, repr(spec)) for event, spec in sorted(config.events.items()) if any(names.takes(event) for names in taken)]
    return [repr(looked), repr(events), config.consent.withdrawn.value]


def asked(name: str, rules: Mapping[str, Node]) -> set[str]:
    """*name* and every segment that its rule asks, directly or not."""
    found: set[str] = set()
    ahead = [name]
    while ahead:
        each = ahead.pop()
        if each in rules and each not in found:
            found.add(each)
            ahead += needs(rules[each]).segments
    return found


# --- the snapshot ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shape:
    """What some rules may read, whatever is there: where each field is looked for, tags and lists."""

    fields: Mapping[Path, list[FieldSource]]
    watching: Collection[Watched]

    def snapshot(self, store: Store) -> StoreSnapshot:
        """That of *store*."""
        watched = {number: who for number, who in _watched(store).items() if who in self.watching} if self.watching else {}
        return StoreSnapshot(store, self.fields, watched)


def shape_of(config: Config, sources: Mapping[str, Origin], rules: Collection[Node]) -> Shape:
    """What *rules* may read."""
    paths = {path for rule in rules for path in needs(rule).fields}
    fields = {path: field_sources(config, sources, path) for path in paths}
    return Shape(fields, watched_by(rules, config))


def snapshot_of(store: Store, config: Config, sources: Mapping[str, Origin], rules: Collection[Node]) -> StoreSnapshot:
    """What *rules* may read in *store*."""
    return shape_of(config, sources, rules).snapshot(store)


def field_sources(config: Config, sources: Mapping[str, Origin], path: Path) -> list[FieldSource]:
    """Where *path* is looked for: one connection's own record, or for a neutral field the config's order."""
    if path[0] in sources:
        return [FieldSource(sources[path[0]].number, path[1:], neutral=False)]
    if path[0] in config.fields:
        spec = config.fields[path[0]]
        chosen = [parse_path(text) for text in spec.first_of]
        return [
            FieldSource(sources[first[0]].number, first[1:] + path[1:], neutral=True, country=spec.country)
            for first in chosen if first[0] in sources
        ]
    return [
        FieldSource(source.number, parse_path(source.capabilities.fields[path[0]]) + path[1:], neutral=True)
        for source in sources.values() if path[0] in source.capabilities.fields
    ]


def watched_by(rules: Collection[Node], config: Config) -> set[Watched]:
    """Tags and lists that `member_of` conditions ask about."""
    return {
        (node.connection, audience, node.kind, node.name)
        for rule in rules for node in walk(rule) if isinstance(node, MemberOf) for audience in _audiences(node, config)
    }


def _audiences(node: MemberOf, config: Config) -> tuple[str, ...]:
    """The audience it names, or all that the config knows of that connection."""
    return (node.audience,) if node.audience is not None else tuple(config.connections[node.connection].audiences) or ("",)


def watch_key(who: Watched) -> str:
    """The store's key of a watched tag or list: no target can be called so."""
    return "@" + "/".join(who)


def _watched(store: Store) -> dict[int, Watched]:
    found: dict[int, Watched] = {}
    for state in memberships.states(store).values():
        if state.key.startswith("@"):
            connection, audience, kind, name = state.key[1:].split("/", 3)
            found[state.id] = (connection, audience, kind, name)
    return found


# --- what an answer rests on ----------------------------------------------------------------------------------------------


def ground_of(
    store: Store, config: Config, sources: Mapping[str, Origin], name: str, rules: Mapping[str, Node], now: Millis,
) -> Ground:
    """Whether the data under segment *name* (and those it asks) is all there, and fresh.

    A connection that tells the rule's events answers for the streams on which these come, one that holds its fields or consent for
    its profiles. Where consent withdrawn anywhere bars, nothing moves before everybody's profiles were read once.
    """
    wanted = [needs(rules[each]) for each in asked(name, rules)]
    rests_on = {c for what in wanted for c in connections_of(config, sources, what)}
    states = {(s.connection, s.stream): s for s in streams.states(store)}
    waiting, shaky = [f"{c} cannot be opened" for c in sorted(rests_on - set(sources))], []
    for connection, source in sources.items():
        consulted = connection in rests_on or config.consent.withdrawn is Withdrawn.ANYWHERE
        for stream in source.capabilities.streams:
            if stream.sweep or not _rests_on(config, source, stream, wanted, consulted):
                continue
            state = states.get((connection, stream.name))
            if state is None or state.first is None:
                why = f": {state.error}" if state and state.error else ""
                waiting.append(f"{stream.name} of {connection} has not been pulled to its end yet{why}")
            elif state.reached is not None and now - _looks_back(config, source, wanted, now) < state.reached:
                so_far = f"{instant(state.reached):%Y-%m-%d}"
                waiting.append(f"{stream.name} of {connection} is being read further back, and reaches to {so_far} so far")
            elif connection in rests_on:
                shaky += _shaken(state, stream, config.guards.stale, now)
    for who in sorted(watched_by([rules[each] for each in asked(name, rules)], config)):
        missing, doubtful = _unwatched(store, who, now)
        waiting += missing
        shaky += doubtful
    return Ground(next(iter(waiting), ""), next(iter(shaky), ""), tuple(sorted(rests_on)))


def _rests_on(config: Config, source: Origin, stream: Stream, wanted: Sequence[Needs], consulted: bool) -> bool:
    """Whether rules that need what is *wanted* rest on *stream*. *consulted*: whether they do on profiles of its connection."""
    if stream.kind is StreamKind.PROFILES:
        return consulted
    return any(
        any(reads_part(config, source.name, stream, path) for path in what.fields)
        or any(_comes_on(source, stream, need.names) for need in what.events) for what in wanted
    )


def _comes_on(source: Origin, stream: Stream, names: Names) -> bool:
    """Whether an event that *names* takes may come on *stream* of *source*."""
    told = {native for native, event in source.naming.names.items() if event.name not in source.naming.ignored and names.takes(event.name)}
    if stream.part:
        return any(native in source.capabilities.records and native.startswith(f"{stream.part}.") for native in told)
    if stream.events:
        return not told.isdisjoint(stream.events)
    elsewhere = source.capabilities.records.keys() | {native for other in source.capabilities.streams for native in other.events}
    return not told <= elsewhere or _takes_own(source, names)


def _looks_back(config: Config, source: Origin, wanted: Sequence[Needs], now: Millis) -> Millis:
    """How far back rules that need what is *wanted* look at events that *source* may tell, at most as far as these are kept. Windows of
    whole periods say it about: so a day and a fiftieth more."""
    kept = config.settings.history
    spans = [reach(need.window, now) for what in wanted for need in what.events if _tells(source, need.names)]
    return max((kept if span is None else min(kept, span + span // 50 + DAY) for span in spans), default=0)


def _unwatched(store: Store, who: Watched, now: Millis) -> tuple[list[str], list[str]]:
    """Why the members of a watched tag or list are not known at all, and why what is known of them is not to be leaned on."""
    connection, audience, kind, name = who
    state = memberships.states(store, [watch_key(who)]).get(watch_key(who))
    what = f"the {kind} '{name}' on {connection}" + (f"/{audience}" if audience else "")
    if state is None or state.first_met is None:
        return [f"{what}, which it asks about, is not there or has not been read yet"], []
    if state.gone or not state.complete or state.viewed is None or now - state.viewed > LOOKED_AT:
        return [], [f"{what}, which it asks about, could not be read completely lately"]
    return [], []


def _shaken(state: streams.StreamState, stream: Stream, stale: Millis, now: Millis) -> list[str]:
    """Why a stream that was read before is not to be leaned on now."""
    if state.error:
        return [f"the last pull of {state.stream} of {state.connection} failed"]
    good_for = stale if stream.incremental else max(stale, LOOKED_AT)
    if state.finished is not None and now - state.finished > good_for:
        return [f"{state.stream} of {state.connection} is stale: last pulled {_ago(now - state.finished)} ago"]
    return []


def _ago(age: Millis) -> str:
    return f"{age // 3_600_000} h" if age >= 7_200_000 else f"{age // 60_000} min"


def connections_of(config: Config, sources: Mapping[str, Origin], what: Needs) -> set[str]:
    """Connections whose data a rule reads: those that tell its events, hold its fields, or are asked for consent or members."""
    found = {c for c in what.connections if c is not None}
    if None in what.connections:
        found |= set(sources)
    numbers = {source.number: name for name, source in sources.items()}
    for path in what.fields:
        found |= {numbers[s.connection] for s in field_sources(config, sources, path)}
    for need in what.events:
        found |= {name for name, source in sources.items() if _tells(source, need.names)}
    return found


def _tells(source: Origin, names: Names) -> bool:
    """Whether any event type that *names* takes may come from *source*."""
    told = {event.name for event in source.naming.names.values()} - source.naming.ignored
    return any(names.takes(name) for name in told) or _takes_own(source, names)


def _takes_own(source: Origin, names: Names) -> bool:
    """Whether *names* may take an event that is called as the platform calls it."""
    own = f"{source.naming.prefix}."
    return (
        any(name.startswith(own) for name in names.exact)
        or any(own.startswith(prefix) or prefix.startswith(own) for prefix in names.prefixes)
    )
