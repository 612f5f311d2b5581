"""A platform in memory behind the connector protocol: it shows the pages that a test wrote down, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from connectors.base import (
    Account,
    Batch,
    Capabilities,
    Cursor,
    Event,
    FaultKind,
    MemberPage,
    Page,
    PlatformError,
    Profile,
    ProfileId,
    Rejected,
    RemoteChange,
    RemoteTarget,
    Stream,
    StreamKind,
    Verdict,
)
from sync.source import Source
from sync.store.store import Store
from tests.store.ground import naming

PEOPLE = Stream("profiles", StreamKind.PROFILES)
SWEEP = Stream("profiles_complete", StreamKind.PROFILES, incremental=False, sweep=True)
ALIKE = Stream("archived_complete", StreamKind.PROFILES, incremental=False, sweep=True)
EVENTS = Stream("events", StreamKind.EVENTS)

CAPABILITIES = Capabilities(
    platform="memory", title="Memory", targets=frozenset({"list"}), refused={}, audiences=False, subscriptions=False,
    streams=(PEOPLE, SWEEP, ALIKE, EVENTS), events={}, fields={"email": "email"}, batch=Batch(100, 100, together=False),
    lookup=False, effect_told=False, member_lag=0, name_limit=100, names_ignore_case=False, limits=(),
)


@dataclass
class Platform:
    """*pages*: stream → its pages, cursors counting up from "1"; *faults*: raised once, before the page with that cursor.

    A pull goes on after the cursor it is given, or anew after the last one. *asked*: stream and cursor of every pull.
    """

    pages: dict[str, list[Page]] = field(default_factory=dict)
    faults: dict[tuple[str, str], Exception] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    owner: Account = field(default_factory=lambda: Account("acc-1", "Nordlicht"))
    capabilities: Capabilities = CAPABILITIES

    def account(self) -> Account:
        return self.owner

    def pull(self, stream: Stream, since: Cursor | None) -> Iterator[Page]:
        self.asked.append((stream.name, since))
        pages = self.pages.get(stream.name, [])
        if since is not None and pages[-1].cursor == since and pages[-1].last:
            yield Page(since, last=True)            # nothing new
        for page in pages[int(since or 0):]:
            if fault := self.faults.pop((stream.name, page.cursor), None):
                raise fault
            yield page

    def show(self, stream: Stream, *parts: Sequence[Profile | Event], complete: bool | None = None, last: bool = True) -> None:
        """Pages of *parts* after those that are there; the last one of a sweep is complete unless said otherwise."""
        pages = self.pages.setdefault(stream.name, [])
        for place, part in enumerate(parts, start=1):
            ends = last and place == len(parts)
            pages.append(Page(
                Cursor(str(len(pages) + 1)), [row for row in part if isinstance(row, Profile)],
                [row for row in part if isinstance(row, Event)], last=ends,
                complete=ends and (stream.sweep if complete is None else complete),
            ))

    def anew(self, stream: Stream, *parts: Sequence[Profile | Event], complete: bool | None = None) -> None:
        self.pages[stream.name] = []
        self.show(stream, *parts, complete=complete)

    def fault(self, stream: Stream, page: int, kind: FaultKind = FaultKind.TRANSIENT) -> None:
        self.faults[(stream.name, str(page))] = PlatformError("memory", "GET /rows", kind, status=500)

    # --- what is not pulled

    def find(self, kind: str, name: str, audience: str) -> RemoteTarget | None:
        return None

    def create(self, kind: str, name: str, audience: str) -> RemoteTarget:
        return RemoteTarget(kind, "1", name, audience)

    def members(self, target: RemoteTarget) -> Iterator[MemberPage]:
        yield MemberPage([], last=True, complete=True)

    def audience(self, ref: str) -> str:
        return ""

    def subscription(self, ref: str) -> str:
        return ""

    def look(self, target: RemoteTarget, profiles: Sequence[ProfileId]) -> dict[ProfileId, bool]:
        return {}

    def push(self, target: RemoteTarget, batch: Sequence[RemoteChange]) -> list[Verdict]:
        return [Rejected("nothing is written here") for _ in batch]

    def close(self) -> None:
        pass


def source(store: Store, platform: Platform, name: str = "mailchimp", account: str = "") -> Source:
    number = store.connection(name, "memory")
    return Source(name, number, CAPABILITIES, naming(number), platform, account)


def stops_after(pages: int) -> Callable[[], bool]:
    """Whoever asks so often is told to stop."""
    left = [pages]

    def stopping() -> bool:
        left[0] -= 1
        return left[0] <= 0

    return stopping
