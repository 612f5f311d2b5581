"""A connector as a third party would ship it: one module and one entry point, and nothing of the project but its protocol.

Its platform is the process's memory: `account_of(key)` is the account behind a key.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from connectors.base import (
    Accepted,
    Account,
    Batch,
    Capabilities,
    Clock,
    Connection,
    Connector,
    Cursor,
    Effect,
    Event,
    EventName,
    FaultKind,
    Limit,
    MemberPage,
    Millis,
    Op,
    Page,
    PlatformError,
    Profile,
    ProfileId,
    Rejected,
    RemoteChange,
    RemoteTarget,
    Stopped,
    Stream,
    StreamKind,
    Verdict,
)

T = TypeVar("T")
PAGE = 2
CAPABILITIES = Capabilities(
    platform="testing", title="Testing", targets=frozenset({"tag", "list"}),
    refused={"subscription": "Testing has no subscription types: leave subscription: out"},
    audiences=False, subscriptions=False,
    streams=(
        Stream("profiles", StreamKind.PROFILES), Stream("everybody", StreamKind.PROFILES, incremental=False, sweep=True),
        Stream("purchases", StreamKind.EVENTS),
    ),
    events={"Bought": EventName("order_placed", {"order_id": "number", "value": "total"})},
    fields={"email": "mail"}, batch=Batch(adds=100, removes=100, together=True), lookup=True, effect_told=True, member_lag=0,
    name_limit=20, names_ignore_case=True, limits=(Limit("all", 10, 1.0),), options=frozenset({"shelf"}),
)


@dataclass
class Platform:
    """What the account holds; profiles with the time of their last change."""

    profiles: dict[ProfileId, tuple[Millis, Profile]] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    targets: dict[str, RemoteTarget] = field(default_factory=dict)
    members: dict[str, set[ProfileId]] = field(default_factory=dict)


_ACCOUNTS: dict[str, Platform] = {}


def account_of(key: str) -> Platform:
    return _ACCOUNTS.setdefault(key, Platform())


class TestingConnector:
    __test__ = False
    capabilities = CAPABILITIES

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._key, self._since, self._clock = connection.key.reveal(), connection.since, clock
        self._platform = account_of(self._key)

    def account(self) -> Account:
        return Account(f"T{len(self._key)}", "A testing account")

    def pull(self, stream: Stream, since: Cursor | None) -> Iterator[Page]:
        """Rows at or after the cursor's time, by time and id; a cursor is `time:id` of the last row given."""
        began = self._clock.now()
        at, _, last = (since or Cursor(f"{self._since if stream.incremental else 0}:")).partition(":")
        rows = [row for row in self._rows(stream) if (row[0], row[1]) > (int(at), last)]
        for part in _batched(rows, PAGE):
            yield self._page(stream, part, Cursor(f"{part[-1][0]}:{part[-1][1]}"))
        end = Cursor(f"{began if stream.incremental else 0}:")
        yield Page(end, last=True, complete=stream.sweep, watermark=began)

    def _rows(self, stream: Stream) -> list[tuple[Millis, str, Profile | Event]]:
        rows: list[tuple[Millis, str, Profile | Event]]
        if stream.kind is StreamKind.EVENTS:
            rows = [(event.at, event.id, event) for event in self._platform.events]
        else:
            rows = [(at, profile.id, profile) for at, profile in self._platform.profiles.values()]
        return sorted(rows, key=lambda row: row[:2])

    def _page(self, stream: Stream, part: Sequence[tuple[Millis, str, Profile | Event]], cursor: Cursor) -> Page:
        profiles = [row for _, _, row in part if isinstance(row, Profile)]
        return Page(cursor, profiles=profiles, events=[row for _, _, row in part if isinstance(row, Event)])

    def find(self, kind: str, name: str, audience: str) -> RemoteTarget | None:
        return next((t for t in self._platform.targets.values() if (t.kind, t.name.casefold()) == (kind, name.casefold())), None)

    def create(self, kind: str, name: str, audience: str) -> RemoteTarget:
        there = self.find(kind, name, audience)
        if there is None:
            there = RemoteTarget(kind, f"{kind}-{len(self._platform.targets) + 1}", name)
            self._platform.targets[there.id], self._platform.members[there.id] = there, set()
        return there

    def audience(self, ref: str) -> str:
        raise PlatformError("testing", "audience", FaultKind.GONE, code="Testing has no audiences")

    def subscription(self, ref: str) -> str:
        raise PlatformError("testing", "subscription", FaultKind.GONE, code="Testing has no subscription types")

    def members(self, target: RemoteTarget) -> Iterator[MemberPage]:
        if target.id not in self._platform.members:
            raise PlatformError("testing", "members", FaultKind.GONE, status=404)
        everybody = sorted(self._platform.members[target.id])
        for part in _batched(everybody, PAGE):
            yield MemberPage(part)
        yield MemberPage((), last=True, complete=True)

    def look(self, target: RemoteTarget, profiles: Sequence[ProfileId]) -> dict[ProfileId, bool]:
        members = self._platform.members[target.id]
        return {each: each in members for each in profiles if each in self._platform.profiles}

    def push(self, target: RemoteTarget, batch: Sequence[RemoteChange]) -> list[Verdict]:
        if target.id not in self._platform.members:
            return [Stopped("the target is gone") for _ in batch]
        return [self._change(self._platform.members[target.id], change) for change in batch]

    def _change(self, members: set[ProfileId], change: RemoteChange) -> Verdict:
        if change.profile not in self._platform.profiles:
            return Rejected("no_such_profile")
        if (change.profile in members) is (change.op is Op.ADD):
            return Accepted(Effect.ALREADY)
        (members.add if change.op is Op.ADD else members.remove)(change.profile)
        return Accepted(Effect.CHANGED)

    def close(self) -> None:
        """Nothing is held open."""


def _batched(rows: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(rows), size):
        yield rows[start:start + size]


class Kind:
    capabilities = CAPABILITIES

    def open(self, connection: Connection, clock: Clock) -> Connector:
        return TestingConnector(connection, clock)


KIND = Kind()
