"""The ground that contract tests stand on: a loaded sandbox, its controls, connectors, and what is asked of both."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import pytest

from connectors.base import (
    DAY,
    MINUTE,
    Connection,
    Connector,
    ConsentState,
    Cursor,
    Event,
    Op,
    Page,
    PlatformError,
    Profile,
    ProfileId,
    RemoteChange,
    RemoteTarget,
    Secret,
    Stream,
    StreamKind,
    Transient,
    Verdict,
)
from connectors.clock import Millis, VirtualClock
from connectors.registry import kind
from connectors.sandbox.control import Controls
from connectors.sandbox.keys import KEYS
from connectors.sandbox.server import Request, Response, Route, Sandbox
from connectors.sandbox.world import World, random_world

NOW: Millis = 1_795_000_000_000 // 1000 * 1000          # 2026-11-18T11:06:40Z
BACK = 400 * DAY
TIMES = 40                                               # a call that fails so often fails for good

Connect = Callable[..., Connector]
Row = dict[str, Any]


@functools.cache
def small_world(people: int, events: int) -> World:
    return random_world(7, people, events, NOW)


def pages_of(connector: Connector, stream: Stream, since: Cursor | None = None) -> list[Page]:
    """The whole pull; it ends with exactly one page that says last."""
    pages = list(connector.pull(stream, since))
    assert [page.last for page in pages] == [False] * (len(pages) - 1) + [True]
    return pages


def broken(connector: Connector, stream: Stream) -> tuple[list[Page], PlatformError | None]:
    """The pages of a pull from the start, and what ended it early, if anything did."""
    pages: list[Page] = []
    try:
        pages.extend(connector.pull(stream, None))
    except PlatformError as error:
        return pages, error
    return pages, None


def people_in(pages: Sequence[Page]) -> dict[ProfileId, Profile]:
    """The newest row of each profile; those told as gone are left out."""
    found: dict[ProfileId, Profile] = {}
    for page in pages:
        found.update((profile.id, profile) for profile in page.profiles)
        for gone in page.gone:
            found.pop(gone, None)
    return found


def facts_in(pages: Sequence[Page]) -> dict[str, Event]:
    """The newest row of each event; the void ones are left out."""
    newest = {event.id: event for page in pages for event in page.events}
    return {id_: event for id_, event in newest.items() if not event.removed}


def is_barred(profile: Profile) -> bool:
    """Withdrawn or suppressed on e-mail, for the whole platform or audience."""
    return any(
        c.channel == "email" and not c.scope and (c.suppressed or c.state is ConsentState.WITHDRAWN) for c in profile.consent
    )


def seen(profile: Profile) -> tuple[str, str | None, bool, bool]:
    return profile.audience, profile.email, profile.live, is_barred(profile)


def at_path(value: Mapping[str, Any], path: str) -> Any:
    """What stands at a dotted *path*, or None; a whole path that is a key wins."""
    if path in value:
        return value[path]
    found: Any = value
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


class Ground:
    """Fixtures and help; *platform* is set by the last subclass, the rest has defaults."""

    platform: ClassVar[str]
    target_kind: ClassVar[str] = "list"
    people: ClassVar[int] = 420
    events: ClassVar[int] = 2500
    few: ClassVar[int] = 40                              # rows that an incremental pull after one change may read
    merges: ClassVar[bool] = True                        # the platform merges profiles
    archives: ClassVar[bool] = True                      # the platform keeps archived people
    names_wait: ClassVar[bool] = True                    # its 429 says how long to wait
    unknown: ClassVar[str] = "00000000000000000000000000"   # the id of nobody
    shapes: ClassVar[tuple[bytes, ...]] = (b"{}", b"[]", b"null", b'{"status":"ok"}')   # JSON that is no answer to a read

    # --- the ground

    @pytest.fixture
    def clock(self) -> VirtualClock:
        return VirtualClock(NOW + MINUTE)            # no fact is so new that a signpost hides it

    @pytest.fixture
    def sandbox(self, clock: VirtualClock) -> Iterator[Sandbox]:
        with Sandbox(clock, platforms=(self.platform,)) as sandbox:
            application = sandbox.applications[self.platform]
            with application.lock:
                application.load(small_world(self.people, self.events))
            yield sandbox
            tally = application.tallies.get("connector")
            assert tally is None or tally.consent == 0, "a call under the connector's key could have changed consent"

    @pytest.fixture
    def controls(self, sandbox: Sandbox) -> Iterator[Controls]:
        controls = Controls(sandbox.urls["control"])
        yield controls
        controls.close()

    @pytest.fixture
    def connect(self, sandbox: Sandbox, clock: VirtualClock) -> Iterator[Connect]:
        """A fresh connector per call; keyword arguments replace those of the connection."""
        opened: list[Connector] = []

        def fresh(**changes: Any) -> Connector:
            connection = dataclasses.replace(self.connection(sandbox), **changes)
            opened.append(kind(self.platform).open(connection, clock))
            return opened[-1]

        yield fresh
        for connector in opened:
            connector.close()

    @pytest.fixture
    def connector(self, connect: Connect) -> Connector:
        return connect()

    def connection(self, sandbox: Sandbox) -> Connection:
        key = Secret(KEYS[self.platform]["connector"])
        return Connection("here", self.platform, key, NOW - BACK, base_url=sandbox.urls[self.platform])

    # --- what subclasses may need to say differently

    def audience(self, connector: Connector, controls: Controls) -> str:
        """The audience that targets are made in."""
        if not connector.capabilities.audiences:
            return ""
        return str(controls.rows(self.platform, "profiles").to_pylist()[0]["audience"])

    def target(self, connector: Connector, controls: Controls, name: str = "Winter buyers") -> RemoteTarget:
        return connector.create(self.target_kind, name, self.audience(connector, controls))

    def by_hand(self, controls: Controls, target: RemoteTarget, email: str, deed: str = "add_by_hand") -> None:
        values = {"email": email, "target": target.name}
        controls.act(self.platform, deed, **values, **({"audience": target.audience} if target.audience else {}))

    def bad_key(self) -> Secret:
        """A key of the right form that opens nothing."""
        return Secret(KEYS[self.platform]["connector"].replace("connector", "nobody"))

    # --- help

    def rows(self, controls: Controls, table: str = "profiles") -> list[Row]:
        found: list[Row] = controls.rows(self.platform, table).to_pylist()
        return found

    def living(self, controls: Controls, audience: str = "") -> list[Row]:
        """People who can be put on a target, sorted by address."""
        rows = [row for row in self.rows(controls) if row["live"] and row["email"] and row["audience"] == audience]
        return sorted(rows, key=lambda row: str(row["email"]))

    def streams(self, connector: Connector, kind_: StreamKind) -> list[Stream]:
        return [stream for stream in connector.capabilities.streams if stream.kind is kind_]

    def sweep(self, connector: Connector) -> Stream:
        return next(s for s in self.streams(connector, StreamKind.PROFILES) if s.sweep)

    def all_pages(self, connector: Connector, kind_: StreamKind) -> list[Page]:
        return [page for stream in self.streams(connector, kind_) for page in pages_of(connector, stream)]

    def calls(self, controls: Controls) -> int:
        tally = controls.calls(self.platform).get("connector")
        return int(tally["calls"]) if tally else 0

    def settle(self, connector: Connector, target: RemoteTarget, changes: Sequence[RemoteChange]) -> list[Verdict]:
        """Push until each change has its last verdict: a refused batch goes in halves, as the outbox sends it."""
        verdicts = connector.push(target, changes)
        assert len(verdicts) == len(changes)
        retry = [n for n, verdict in enumerate(verdicts) if isinstance(verdict, Transient)]
        if not retry or len(changes) == 1:
            return verdicts
        middle = (len(retry) + 1) // 2
        for part in (retry[:middle], retry[middle:]):
            again = self.settle(connector, target, [changes[n] for n in part]) if part else []
            for n, verdict in zip(part, again, strict=True):
                verdicts[n] = verdict
        return verdicts

    def members(self, connector: Connector, target: RemoteTarget) -> set[ProfileId]:
        """Who is on *target*, by a listing that must be complete."""
        pages = list(connector.members(target))
        assert [page.last for page in pages] == [False] * (len(pages) - 1) + [True]
        assert pages[-1].complete
        return {member for page in pages for member in page.members}

    def truth(self, controls: Controls, target: RemoteTarget) -> set[ProfileId]:
        return {ProfileId(row["profile"]) for row in self.rows(controls, "members") if row["id"] == target.id}

    def spoil(self, sandbox: Sandbox, change: Callable[[Request, Response], None], method: str = "GET") -> None:
        """*change* what the platform answers to calls of *method*, after everything else."""
        application = sandbox.applications[self.platform]
        honest = application.finish

        def finish(request: Request, response: Response, role: str, found: Route | None) -> None:
            honest(request, response, role, found)
            if request.method == method and response.status < 300:
                change(request, response)

        application.finish = finish  # type: ignore[method-assign]  # an instance that answers otherwise

    def changes(self, rows: Sequence[Row], op: Op) -> list[RemoteChange]:
        return [RemoteChange(op, ProfileId(row["id"]), row["email"]) for row in rows]
