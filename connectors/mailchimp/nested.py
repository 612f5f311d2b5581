"""A listing below each of several parents: what happened per campaign, what was bought per store.

None of them has a key to walk by, so it is offsets, with a restart when a listing shrinks under us. Parents are walked in a
fixed order and the cursor names the one it is in, so that it stays small and a new process finds its place again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from connectors.base import Cursor, Event, FaultKind, Json, Page, PlatformError
from connectors.mailchimp.api import Listings, Rows, Spot, read
from connectors.mailchimp.cursors import dumped, loaded

Rank = tuple[int, str]                              # a parent's place in the order of the walk


@dataclass(frozen=True, slots=True)
class Parent:
    """One campaign or store: *order* (seconds) and *id* rank it, *memo* is what the next pull compares with."""

    order: int
    id: str
    memo: int | None = None

    @property
    def rank(self) -> Rank:
        return self.order, self.id


@dataclass(frozen=True, slots=True)
class Window:
    """In seconds. What happened up to *mark* (-1: first pull) is in; none before *since* or after *end* is wanted."""

    mark: int
    since: int
    end: int = -1

    def holds(self, at: int) -> bool:
        return self.since <= at <= self.end


@dataclass(frozen=True, slots=True)
class Listing:
    """What to ask below a parent: path, key of the rows, name of the call, parameters."""

    path: str
    key: str
    name: str
    params: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Found:
    """*parents* worth reading, the *signpost* in seconds, and the ids whose memo is still worth keeping."""

    parents: Sequence[Parent]
    signpost: int
    recent: frozenset[str] = frozenset()


class Source(Protocol):
    """One event stream made of listings below parents."""

    @property
    def name(self) -> str:
        """The stream's."""

    def parents(self, api: Listings, window: Window, memos: Mapping[str, int]) -> Found:
        """What to read."""

    def listing(self, parent: Parent, window: Window) -> Listing:
        """What to ask for below *parent*."""

    def events(self, rows: Sequence[Json], parent: Parent, window: Window) -> list[Event]:
        """Rows as events; KeyError, TypeError or ValueError when they are of another shape."""


@dataclass(frozen=True, slots=True)
class _Course:
    """How far a pull is. *at*: the parent being read, or the last one read when *spot* is None. *memos*: of parents read."""

    mark: int = -1
    end: int = -1
    at: Rank | None = None
    spot: Spot | None = None
    memos: Mapping[str, int] = field(default_factory=dict)

    @staticmethod
    def read(cursor: Cursor | None, stream: str) -> _Course:
        held = loaded(cursor, stream)
        at, spot = held.get("c"), held.get("s")
        rank = (int(at[0]), str(at[1])) if at else None
        return _Course(held.get("w", -1), held.get("e", -1), rank, Spot(*spot) if spot else None, held.get("r", {}))

    def cursor(self) -> Cursor:
        spot = [self.spot.offset, self.spot.total] if self.spot else None
        return dumped(w=self.mark, e=self.end, c=self.at, s=spot, r=self.memos)

    def start(self, parent: Parent) -> Spot | None:
        """Where to begin with *parent*; None when it was read already."""
        if self.at is None or parent.rank > self.at:
            return Spot()
        return self.spot if parent.rank == self.at else None

    def moved(self, parent: Parent, spot: Spot | None) -> _Course:
        memos = self.memos
        if spot is None and parent.memo is not None:
            memos = {**memos, parent.id: parent.memo}
        return replace(self, at=parent.rank, spot=spot, memos=memos)


def pull_nested(api: Listings, source: Source, cursor: Cursor | None, since: int) -> Iterator[Page]:
    """Pages of *source*'s events; *since* in seconds is how far back the first pull reaches."""
    course = _Course.read(cursor, source.name)
    found = source.parents(api, Window(course.mark, since, course.end), course.memos)
    if course.end < 0:
        course = replace(course, end=found.signpost)
    window = Window(course.mark, since, course.end)
    for parent in sorted(found.parents, key=lambda one: one.rank):
        spot = course.start(parent)
        while spot is not None:
            events, spot = _step(api, source, parent, window, spot)
            course = course.moved(parent, spot)
            yield Page(course.cursor(), events=events)
    memos = {name: memo for name, memo in course.memos.items() if name in found.recent}
    yield Page(_Course(course.end, memos=memos).cursor(), last=True, watermark=course.end * 1000)


def _step(api: Listings, source: Source, parent: Parent, window: Window, spot: Spot) -> tuple[list[Event], Spot | None]:
    """One page's events, and where to go on; a parent that is gone has none (campaigns and stores can be deleted)."""
    ask = source.listing(parent, window)
    try:
        page: Rows = api.page(ask.path, ask.key, ask.name, ask.params, spot.offset)
    except PlatformError as error:
        if error.kind is not FaultKind.GONE:
            raise
        return [], None
    events = read(f"GET {ask.name}", lambda: source.events(page.rows, parent, window))
    return events, spot.after(page, f"GET {ask.name}")
