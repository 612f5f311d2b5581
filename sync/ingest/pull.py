"""The pull loop: one connection's streams, page by page, into the store."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from connectors.base import (
    Account,
    Clock,
    Cursor,
    Event,
    FaultKind,
    Millis,
    Page,
    PlatformError,
    Stream,
    StreamKind,
)
from sync.crash import crash_point
from sync.model import SegmentdError
from sync.source import Source
from sync.store import parts, people, streams
from sync.store.facts import join_known_strays, join_strays, write_events
from sync.store.naming import Naming
from sync.store.owners import Owners
from sync.store.store import Store

ENOUGH = 5000                                       # rows of one transaction, at least
MOST_PAGES = 25                                     # so many calls are repeated at most after a kill

Progress = Callable[[str, str, int, int | None], None]          # connection, stream, rows so far, rows expected


def silent(connection: str, stream: str, rows: int, total: int | None) -> None:
    """Progress that nobody watches."""


class AnotherAccount(SegmentdError):
    """The key of a connection now opens another account than the one it first met."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """What one stream brought. *error*: why it did not reach its end, or "". *off*: the platform does not offer it to us.
    *refused*: rows that could not be taken in (no id, no possible time)."""

    connection: str
    stream: str
    rows: int = 0
    new: int = 0
    error: str = ""
    off: bool = False
    refused: int = 0


class EmptySweep(PlatformError):
    """A complete look found nothing where people, or records, were."""


def check_account(store: Store, source: Source) -> Account:
    """The account behind the key, compared with the one first met (and the config's). Raises AnotherAccount, PlatformError."""
    account = source.connector.account()
    met = store.account(source.name)
    expected = source.account or (met[0] if met else account.id)
    if account.id != expected or (met and met[0] != account.id):
        known = f"{met[1]} ({met[0]})" if met else source.account
        raise AnotherAccount(
            f"connection {source.name!r} belongs to account {known}, but its key now opens {account.name} ({account.id}): "
            "nothing is read or written. Put the right key back, or give the new account a connection of its own"
        )
    store.met(source.name, account.id, account.name)
    return account


def pull(
    store: Store, source: Source, wanted: Sequence[Stream], namings: Mapping[int, Naming], clock: Clock,
    progress: Progress = silent, stopping: Callable[[], bool] = lambda: False,
) -> list[Pulled]:
    """Pull *wanted* streams of one connection, profiles first so that events find their people. A failing stream does not
    stop the next one; a refused key or another account stops all, and so does *stopping*, asked after each page.
    Raises StoreFull between two pages when the disk is nearly full."""
    outcomes = _pull_all(store, source, wanted, namings, clock, progress, stopping)
    if any(outcome.error for outcome in outcomes):
        gc.collect()                                # an error holds the page that it came from in a ring
    crash_point("pull.before_settle")
    _settle(store, source, namings, wanted, outcomes, clock.now())
    return outcomes


def _pull_all(
    store: Store, source: Source, wanted: Sequence[Stream], namings: Mapping[int, Naming], clock: Clock, progress: Progress,
    stopping: Callable[[], bool],
) -> list[Pulled]:
    outcomes: list[Pulled] = []
    for stream in sorted(wanted, key=lambda s: s.kind is not StreamKind.PROFILES):
        try:
            outcomes.append(_pull_stream(store, source, stream, namings, clock, progress, stopping))
        except PlatformError as error:
            outcomes.append(_failed(store, source, stream, error))
            if error.kind in (FaultKind.KEY, FaultKind.ACCOUNT):
                break
        if stopping():
            break
    return outcomes


def _settle(
    store: Store, source: Source, namings: Mapping[int, Naming], wanted: Sequence[Stream], outcomes: Sequence[Pulled],
    now: Millis,
) -> None:
    """Merges wait until every profile stream has reached its end: only then is it known who still shares an address."""
    ended = {outcome.stream for outcome in outcomes if not outcome.error or outcome.off}
    with store.transaction() as db:
        if all(stream.name in ended for stream in wanted if stream.kind is StreamKind.PROFILES):
            people.settle(db, source.number, now)
        join_known_strays(db, namings)


def _failed(store: Store, source: Source, stream: Stream, error: PlatformError) -> Pulled:
    off = error.kind is FaultKind.SCOPE
    with store.transaction() as db:
        streams.failed(db, source.number, stream.name, str(error))
        if isinstance(error, EmptySweep) or error.kind is FaultKind.CURSOR:
            streams.restart(db, source.number, stream.name)
    return Pulled(source.name, stream.name, error=str(error), off=off)


def _pull_stream(
    store: Store, source: Source, stream: Stream, namings: Mapping[int, Naming], clock: Clock, progress: Progress,
    stopping: Callable[[], bool],
) -> Pulled:
    store.room()
    with store.transaction() as db:
        cursor = streams.begin(db, source.number, stream, clock.now())
    rows = new = refused = 0
    owners = Owners()
    for page in gathered(_going_on(source, stream, cursor), stopping):
        crash_point("pull.before_page")
        store.room()
        taken = _take(store, source, stream, page, namings, clock.now(), owners)
        crash_point("pull.after_page")
        rows, new, refused = rows + page.rows, new + taken[0], refused + taken[1]
        progress(source.name, stream.name, rows, page.total)
        if page.last:
            return Pulled(source.name, stream.name, rows, new, refused=refused)
        if stopping():
            return Pulled(source.name, stream.name, rows, new, "stopped; the next run goes on from here", refused=refused)
    raise PlatformError(source.capabilities.platform, stream.name, FaultKind.TRANSIENT, code="pull was cut off")


def _going_on(source: Source, stream: Stream, cursor: Cursor | None) -> Iterator[Page]:
    """The connector's pages; a cursor that was passed before would go round for ever and is refused."""
    passed = {cursor}
    for page in source.connector.pull(stream, cursor):
        if not page.last and page.cursor in passed:
            raise PlatformError(source.capabilities.platform, stream.name, FaultKind.INVALID, code="no progress")
        passed.add(page.cursor)
        yield page


def gathered(pages: Iterable[Page], stopping: Callable[[], bool] = lambda: False) -> Iterator[Page]:
    """Pages joined to some ENOUGH rows: each is one transaction, and a transaction costs a trip to the disk, whatever it holds.
    What came before a failure, or before *stopping* (asked after each page), is given out first."""
    held: Page | None = None
    count = 0
    try:
        for page in pages:
            held, count = page if held is None else _joined(held, page), count + 1
            if held.last or held.rows >= ENOUGH or count >= MOST_PAGES or stopping():
                yield held
                held, count = None, 0
    except PlatformError:
        if held is not None:
            yield held
        raise
    if held is not None:
        yield held


def _joined(one: Page, other: Page) -> Page:
    """Both as one; who was gone and is shown again afterwards is not gone, and a watermark never goes back."""
    back = {profile.id for profile in other.profiles} if one.gone else set()
    marks = [mark for mark in (one.watermark, other.watermark) if mark is not None]
    return replace(
        other, profiles=[*one.profiles, *other.profiles], events=[*one.events, *other.events], parts=[*one.parts, *other.parts],
        gone=[*(who for who in one.gone if who not in back), *other.gone], watermark=max(marks, default=None),
    )


def _take(
    store: Store, source: Source, stream: Stream, page: Page, namings: Mapping[int, Naming], now: Millis, owners: Owners,
) -> tuple[int, int]:
    """One page and its cursor, in one transaction; how many rows were new, and how many could not be taken in."""
    with store.transaction() as db:
        new = refused = 0
        sweep = streams.sweep_of(db, source.number)
        if page.profiles:
            joined = people.write_profiles(db, source.number, source.name, page.profiles, now, sweep)
            join_strays(db, source.number, joined.profiles, joined.addresses, namings)
            new, refused = joined.new, joined.refused
        people.mark_gone(db, source.number, page.gone, now)
        events = [*page.events, *parts.write(db, source.number, page.parts, source.naming, now, sweep)]
        streams.advance(db, source.number, stream, page, now)
        if page.last and page.complete and stream.sweep:
            events += _finish_sweep(db, source, stream, now)
        if events:
            written = write_events(db, source.number, events, source.naming, owners)
            new, refused = new + written.new, refused + written.refused
        crash_point("pull.before_commit")
    return new, refused


def _finish_sweep(db: streams.Database, source: Source, stream: Stream, now: Millis) -> list[Event]:
    """Who or what a complete sweep did not see is gone; the events that are void with it. An empty sweep where something was is a
    broken read, not a truth."""
    sweep, seen = streams.seen(db, source.number, stream.name)
    known = parts.known(db, source.number, stream.part) if stream.part else people.known(db, source.number)
    if seen == 0 and known > 0:
        what = stream.part or "profiles"
        raise EmptySweep(source.capabilities.platform, stream.name, FaultKind.EDGE, code=f"empty where {known} {what} were")
    if stream.part:
        lost = parts.unseen(db, source.number, stream.part, source.naming, sweep)
        return parts.write(db, source.number, lost, source.naming, now, sweep)
    people.mark_unseen_gone(db, source.number, sweep, now)
    return []
