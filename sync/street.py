"""The street itself: one config, one store, one clock, open connections; and the pull over all of them at once."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from connectors.base import Clock, FaultKind, Millis, PlatformError, RetryPolicy, StreamKind
from connectors.base import Stream as StreamSpec
from sync.config.errors import ConfigError
from sync.config.model import Config
from sync.config.opening import open_connection
from sync.evaluate.families import carried_over
from sync.evaluate.keeping import wanted_pasts
from sync.evaluate.lives import carry_over
from sync.ingest import pull as pulling
from sync.ingest.pull import AnotherAccount, Pulled
from sync.source import Source, as_asked, naming_of
from sync.store import outbox, pasts, stepped, streams, terms
from sync.store.naming import Naming
from sync.store.store import Store
from sync.store.streams import StreamState
from sync.timetable import last_due

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Watch:
    """Who looks on: called from worker threads, with rows or letters so far and in all."""

    pulled: pulling.Progress = pulling.silent
    listed: Callable[[str, int], None] = lambda target, members: None
    sent: Callable[[str, int, int], None] = lambda connection, done, total: None
    sealed: Callable[[str, int, int], None] = lambda period, done, total: None


@dataclass
class Street:
    """One config, one store, one clock, and the connections that could be opened.

    *failures*: connection → why it is not used in this run. Close it when done: `with open_street(…) as street`.
    """

    config: Config
    store: Store
    clock: Clock
    sources: Mapping[str, Source] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    watch: Watch = field(default_factory=Watch)
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    jitter: Callable[[], float] = random.random
    stopping: Callable[[], bool] = lambda: False    # asked between pages and between batches

    def __enter__(self) -> Street:
        return self

    def __exit__(self, *_: object) -> None:
        for source in self.sources.values():
            source.connector.close()

    @property
    def namings(self) -> dict[int, Naming]:
        return {source.number: source.naming for source in self.sources.values()}

    def usable(self, only: Iterable[str] = ()) -> list[Source]:
        """Sources that have not failed in this run, in the config's order."""
        wanted = set(only) or set(self.sources)
        return [s for name, s in self.sources.items() if name in wanted and name not in self.failures]


def open_street(config: Config, store: Store, clock: Clock, watch: Watch | None = None) -> Street:
    """Open every connection of *config*; no call is made yet. Raises ConfigError for a secret that is not there."""
    config = carried_over(store, config)
    sources = {}
    problems = []
    for name, spec in config.connections.items():
        try:
            connector = open_connection(spec, config, clock)
        except ConfigError as error:
            problems += error.problems
            continue
        number = store.connection(name, spec.kind)
        able = as_asked(config, name, connector.capabilities)
        sources[name] = Source(name, number, able, naming_of(config, name), connector, spec.account or "")
    if problems:
        for source in sources.values():
            source.connector.close()
        raise ConfigError(problems)
    with store.transaction() as db:
        outbox.recover(db)
        stepped.disbelieve(db, clock.now())
    terms.agree(store, {
        source.number: terms.terms_of(
            source.naming, config.settings.history, _called(source, StreamKind.EVENTS), _called(source, StreamKind.PARTS),
        ) for source in sources.values()
    })
    carry_over(store, config)
    rules = [segment.rule for segment in config.segments.values()]
    pasts.agree(store, wanted_pasts(config, sources, rules, clock.now()), clock.now())
    return Street(config, store, clock, sources, watch=watch or Watch())


def _called(source: Source, kind: StreamKind) -> list[str]:
    return [stream.name for stream in source.capabilities.streams if stream.kind is kind]


# --- pull -----------------------------------------------------------------------------------------------------------------


def pull(street: Street, only: Iterable[str] = (), *, complete: bool | None = None) -> list[Pulled]:
    """Pull the streams that are due from every connection (or *only* those) at once, one worker each. *complete*: also the
    sweeps and what cannot be filtered, whether due or not (None: when due)."""
    return [outcome for part in together(street, only, lambda s: _pull_one(street, s, complete)) for outcome in part]


def _pull_one(street: Street, source: Source, complete: bool | None) -> list[Pulled]:
    try:
        pulling.check_account(street.store, source)
    except (AnotherAccount, PlatformError) as error:
        street.failures[source.name] = why_unused(source.name, error)
        return [Pulled(source.name, "account", error=street.failures[source.name])]
    wanted = due_streams(street, source, complete)
    return pulling.pull(street.store, source, wanted, street.namings, street.clock, street.watch.pulled, street.stopping)


def why_unused(connection: str, error: Exception) -> str:
    """What is wrong with a whole connection, and what to do about it."""
    kind = error.kind if isinstance(error, PlatformError) else None
    if kind is FaultKind.KEY:
        return f"{error}: the key was refused; see connections.{connection}.key"
    if kind in (FaultKind.TRANSIENT, FaultKind.THROTTLED, FaultKind.EDGE):
        return f"{error}: it does not answer now; the next run tries again"
    return str(error)


def check_accounts(street: Street) -> None:
    """Before a write that no pull comes before: a connection that opens another account than it first met is not used."""

    def one(source: Source) -> None:
        try:
            pulling.check_account(street.store, source)
        except (AnotherAccount, PlatformError) as error:
            street.failures[source.name] = why_unused(source.name, error)

    together(street, (), one)


def due_streams(street: Street, source: Source, complete: bool | None) -> list[StreamSpec]:
    """Changes always. Sweeps and what cannot be filtered: on the complete cadence, when cut off, or when asked for."""
    states = {s.stream: s for s in streams.states(street.store) if s.connection == source.name}
    cadence = street.config.schedule.pull.complete
    due = last_due(cadence, street.clock.now(), street.config.settings.timezone)
    wanted = []
    for stream in source.capabilities.streams:
        state = states.get(stream.name)
        if stream.incremental and not stream.sweep:
            wanted.append(stream)
        elif complete is not None:
            wanted += [stream] if complete else []
        elif (state is not None and state.error) or _last_look(source, stream, states) < due:
            wanted.append(stream)
    return wanted


def _last_look(source: Source, stream: StreamSpec, states: Mapping[str, StreamState]) -> Millis:
    """When everything was last seen. A first pull of profiles, or of parts, sees all of them: the sweep need not follow at once."""
    if stream.name in states and states[stream.name].started is not None:
        return states[stream.name].finished or 0
    if not stream.sweep:
        return 0
    firsts = [states[s.name].first for s in source.capabilities.streams
              if s.kind is stream.kind and s.part == stream.part and not s.sweep and s.name in states]
    return max((first for first in firsts if first is not None), default=2**62)


def together(street: Street, only: Iterable[str], work: Callable[[Source], T]) -> list[T]:
    """*work* on every usable source at once, each in a thread that attends the clock; results in the config's order."""

    def attended(source: Source) -> T:
        with street.clock.attending():
            return work(source)

    sources = street.usable(only)
    if not sources:
        return []
    with ThreadPoolExecutor(len(sources), thread_name_prefix="segmentd") as pool:
        return list(pool.map(attended, sources))


# --- age ------------------------------------------------------------------------------------------------------------------


def age_of_data(street: Street) -> dict[str, Millis | None]:
    """Connection → milliseconds since all its changes were last in; None when they never were."""
    return {name: age_of(street, source) for name, source in street.sources.items()}


def age_of(street: Street, source: Source) -> Millis | None:
    states = {s.stream: s for s in streams.states(street.store) if s.connection == source.name}
    changes = [s.name for s in source.capabilities.streams if s.incremental and not s.sweep]
    finished = [states[name].finished if name in states else None for name in changes]
    known = [at for at in finished if at is not None]
    return None if len(known) < len(finished) or not known else street.clock.now() - min(known)
