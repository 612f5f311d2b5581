"""The street from end to end: open, pull, evaluate, plan, apply. Commands and the daemon are thin doors over these steps."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from connectors import registry
from connectors.base import Clock, EventName, Millis, PlatformError, RetryPolicy, StreamKind
from connectors.base import Stream as StreamSpec
from sync.config.errors import ConfigError
from sync.config.model import Config
from sync.config.opening import open_connection
from sync.ingest import pull as pulling
from sync.ingest.pull import AnotherAccount, Pulled
from sync.reconcile import sender as sending
from sync.reconcile.sender import Report, Sender
from sync.source import Source
from sync.store import outbox, streams
from sync.store.facts import Naming
from sync.store.store import Store
from sync.store.streams import StreamState
from sync.timetable import last_due

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Watch:
    """Who looks on: called from worker threads, with rows or letters so far and in all."""

    pulled: pulling.Progress = pulling.silent
    listed: Callable[[str, int], None] = lambda target, members: None
    sent: sending.Sent = sending.silent


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
    sources = {}
    problems = []
    for name, spec in config.connections.items():
        try:
            connector = open_connection(spec, config, clock)
        except ConfigError as error:
            problems += error.problems
            continue
        number = store.connection(name, spec.kind)
        sources[name] = Source(name, number, connector, naming_of(config, name), spec.account or "")
    if problems:
        for source in sources.values():
            source.connector.close()
        raise ConfigError(problems)
    with store.transaction() as db:
        outbox.recover(db)
    return Street(config, store, clock, sources, watch=watch or Watch())


def naming_of(config: Config, connection: str) -> Naming:
    """How *connection*'s events are called: the platform's built-in names, changed by the config's `events:`."""
    names: dict[str, EventName] = dict(registry.kind(config.connections[connection].kind).capabilities.events)
    same: dict[str, str] = {}
    ignored: set[str] = set()
    for neutral, spec in config.events.items():
        if spec.same:
            same[neutral] = spec.same
        if spec.sources and connection not in spec.sources:
            ignored.add(neutral)
        natives = [spec.sources[connection]] if connection in spec.sources else [n for n, e in names.items() if e.name == neutral]
        for native in natives:
            known = names[native].properties if native in names else {}
            names[native] = EventName(neutral, {**known, **spec.properties})
    return Naming(connection, names, same, frozenset(ignored))


# --- pull -----------------------------------------------------------------------------------------------------------------


def pull(street: Street, only: Iterable[str] = (), *, complete: bool | None = None) -> list[Pulled]:
    """Pull the streams that are due from every connection (or *only* those) at once, one worker each. *complete*: also the
    sweeps and what cannot be filtered, whether due or not (None: when due)."""
    return [outcome for part in together(street, only, lambda s: _pull_one(street, s, complete)) for outcome in part]


def _pull_one(street: Street, source: Source, complete: bool | None) -> list[Pulled]:
    try:
        pulling.check_account(street.store, source)
    except (AnotherAccount, PlatformError) as error:
        street.failures[source.name] = str(error)
        return [Pulled(source.name, "account", error=str(error))]
    wanted = due_streams(street, source, complete)
    return pulling.pull(street.store, source, wanted, street.namings, street.clock, street.watch.pulled)


def check_accounts(street: Street) -> None:
    """Before a write that no pull comes before: a connection that opens another account than it first met is not used."""

    def one(source: Source) -> None:
        try:
            pulling.check_account(street.store, source)
        except (AnotherAccount, PlatformError) as error:
            street.failures[source.name] = str(error)

    together(street, (), one)


def due_streams(street: Street, source: Source, complete: bool | None) -> list[StreamSpec]:
    """Changes always. Sweeps and what cannot be filtered: on the complete cadence, when cut off, or when asked for."""
    states = {s.stream: s for s in streams.states(street.store) if s.connection == source.name}
    cadence = street.config.schedule.pull.complete
    due = last_due(cadence, street.clock.now(), street.config.settings.timezone)
    wanted = []
    for stream in source.connector.capabilities.streams:
        state = states.get(stream.name)
        if stream.incremental and not stream.sweep:
            wanted.append(stream)
        elif complete is not None:
            wanted += [stream] if complete else []
        elif (state is not None and state.error) or _last_look(source, stream, states) < due:
            wanted.append(stream)
    return wanted


def _last_look(source: Source, stream: StreamSpec, states: Mapping[str, StreamState]) -> Millis:
    """When everything was last seen. A first pull of profiles sees everybody: the sweep need not follow at once."""
    if stream.name in states and states[stream.name].started is not None:
        return states[stream.name].finished or 0
    if not stream.sweep:
        return 0
    firsts = [states[s.name].first for s in source.connector.capabilities.streams
              if s.kind is StreamKind.PROFILES and not s.sweep and s.name in states]
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


# --- send -----------------------------------------------------------------------------------------------------------------


def send(street: Street, only: Iterable[str] = (), stopping: Callable[[], bool] = lambda: False) -> dict[str, Report]:
    """Send what the outbox holds, every connection at once: connection → what came of it."""
    began = street.clock.now()

    def one(source: Source) -> tuple[str, Report]:
        sender = Sender(
            street.store, source, street.clock, street.policy, began, jitter=street.jitter, progress=street.watch.sent,
        )
        return source.name, sender.run(stopping)

    return dict(together(street, only, one))


def age_of_data(street: Street) -> dict[str, Millis | None]:
    """Connection → milliseconds since all its changes were last in; None when they never were."""
    return {name: age_of(street, source) for name, source in street.sources.items()}


def age_of(street: Street, source: Source) -> Millis | None:
    states = {s.stream: s for s in streams.states(street.store) if s.connection == source.name}
    changes = [s.name for s in source.connector.capabilities.streams if s.incremental and not s.sweep]
    finished = [states[name].finished if name in states else None for name in changes]
    known = [at for at in finished if at is not None]
    return None if len(known) < len(finished) or not known else street.clock.now() - min(known)
