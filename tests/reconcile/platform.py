"""A small platform in memory that keeps the connector protocol, refuses illegal batches, fails on order, and remembers whose
each membership is; and a store with one connection to it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from connectors.base import (
    BATCH_REFUSED,
    HOUR,
    MINUTE,
    Accepted,
    Account,
    Batch,
    Capabilities,
    Cursor,
    Effect,
    Event,
    FaultKind,
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
    RetryPolicy,
    Stopped,
    Stream,
    StreamKind,
    Transient,
    Verdict,
    VirtualClock,
)
from sync.config.model import Manage
from sync.model import ContactId
from sync.reconcile.plan import Plan, Standing, plan
from sync.reconcile.sender import Report, Sender
from sync.reconcile.views import read_view, resolve, view_of
from sync.source import Source
from sync.store import memberships, outbox, people
from sync.store.memberships import TargetState
from sync.store.naming import Naming
from sync.store.store import Store

NOW: Millis = 1_795_000_000_000
CAPABILITIES = Capabilities(
    platform="toy", title="Toy", targets=frozenset({"tag"}), refused={}, audiences=False, subscriptions=False,
    streams=(Stream("profiles", StreamKind.PROFILES),), events={}, fields={}, batch=Batch(100, 100, together=True), lookup=True,
    effect_told=True, member_lag=0, name_limit=100, names_ignore_case=True, limits=(), joining_told=True,
)


class Death(BaseException):
    """Our process ends here."""


@dataclass(slots=True)
class Membership:
    """*maker*: "us" or "person"; *fair*: a remove by us is no wrong, whoever made it (nobody could have known)."""

    maker: str
    since: Millis
    fair: bool = True


@dataclass
class Toy:
    """The connector and the platform behind it in one. *script*: what becomes of the next pushes, one word each:
    "ok", "before" and "after" (the answer is lost, nothing or everything happened), "error" (an error answer, nothing happened),
    "throttled", "die before", "die after", "key", "gone". *poison*: their batches are refused; *refused*: rejected by name;
    *troubled*: transient for themselves."""

    clock: VirtualClock
    capabilities: Capabilities = CAPABILITIES
    on: dict[str, dict[ProfileId, Membership]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    script: list[str] = field(default_factory=list)
    looks: list[str] = field(default_factory=list)          # what becomes of the next looks and listings: "ok", "error", "gone", "short"
    poison: set[ProfileId] = field(default_factory=set)
    refused: set[ProfileId] = field(default_factory=set)
    troubled: set[ProfileId] = field(default_factory=set)
    account_id: str = "acc-1"
    pushes: list[tuple[Millis, list[RemoteChange]]] = field(default_factory=list)
    listings: int = 0
    looked: set[tuple[str, ProfileId]] = field(default_factory=set)
    wrongs: list[str] = field(default_factory=list)
    people: dict[ProfileId, Profile] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)           # streams whose pull fails

    # reading

    def account(self) -> Account:
        return Account(self.account_id, "Toy shop")

    def pull(self, stream: Stream, since: Cursor | None) -> Iterator[Page]:
        if stream.name in self.broken:
            raise PlatformError("toy", f"GET /{stream.name}", FaultKind.TRANSIENT, status=500)
        if stream.kind is StreamKind.PROFILES:
            yield Page(Cursor("1"), profiles=list(self.people.values()), last=True)
        else:
            yield Page(Cursor("1"), events=self.events, last=True)

    def find(self, kind: str, name: str, audience: str) -> RemoteTarget | None:
        found = [identity for identity, title in self.names.items() if title == name]
        return RemoteTarget(kind, found[0], name, audience) if found else None

    def create(self, kind: str, name: str, audience: str) -> RemoteTarget:
        found = self.find(kind, name, audience)
        if found is None:
            identity = f"t{len(self.on) + 1}"
            self.names[identity], self.on[identity] = name, {}
            found = RemoteTarget(kind, identity, name, audience)
        return found

    def delete(self, identity: str) -> None:
        del self.names[identity]
        del self.on[identity]
        self.on[identity + " (deleted)"] = {}

    def audience(self, ref: str) -> str:
        return ref

    def subscription(self, ref: str) -> str:
        return ref

    def members(self, target: RemoteTarget) -> Iterator[MemberPage]:
        self.listings += 1
        fault = self._read(target)
        there = sorted(self.on[target.id])
        self.looked |= {(target.id, profile) for profile in there}
        if fault == "empty":
            there = []
        able = self.capabilities
        since = self.joined(target, there) if able.joining_told and able.lookup else {}
        half = len(there) // 2
        yield MemberPage(there[:half], joined=since)
        if fault == "short":
            yield MemberPage(there[half : len(there) - 1], last=True, complete=False)
        elif fault != "cut":
            yield MemberPage(there[half:], last=True, complete=True)

    def look(self, target: RemoteTarget, profiles: Sequence[ProfileId]) -> dict[ProfileId, bool]:
        assert self.capabilities.lookup
        self._read(target)
        self.looked |= {(target.id, profile) for profile in profiles}
        return {profile: profile in self.on[target.id] for profile in profiles}

    def joined(self, target: RemoteTarget, profiles: Sequence[ProfileId]) -> dict[ProfileId, Millis]:
        assert self.capabilities.joining_told
        there = self.on[target.id]
        return {profile: there[profile].since for profile in profiles if profile in there}

    def _read(self, target: RemoteTarget) -> str:
        fault = self.looks.pop(0) if self.looks else "ok"
        if fault == "gone" or target.id not in self.on:
            raise PlatformError("toy", "GET /members", FaultKind.GONE, status=404)
        if fault == "error":
            raise PlatformError("toy", "GET /members", FaultKind.TRANSIENT, status=500)
        if fault == "key":
            raise PlatformError("toy", "GET /members", FaultKind.KEY, status=401)
        return fault

    # writing

    def push(self, target: RemoteTarget, batch: Sequence[RemoteChange]) -> list[Verdict]:
        self._legal(batch)
        self.pushes.append((self.clock.now(), list(batch)))
        fault = self.script.pop(0) if self.script else "ok"
        if fault == "die before":
            raise Death
        plain = self._plain(fault, target)
        if plain is not None:
            return [plain] * len(batch)
        if any(change.profile in self.poison for change in batch):
            return [Rejected("bad") if len(batch) == 1 else Transient(BATCH_REFUSED)] * len(batch)
        verdicts = [self._change(target, change) for change in batch]
        if fault == "die after":
            raise Death
        return [Transient("no answer", maybe=True)] * len(batch) if fault == "after" else verdicts

    def _plain(self, fault: str, target: RemoteTarget) -> Verdict | None:
        if target.id not in self.on:
            return Stopped("target is gone")
        if fault.startswith("throttled"):
            return Transient("rate limit", retry_after=float(fault.partition(" ")[2] or 30))
        plain: dict[str, Verdict] = {
            "before": Transient("no answer", maybe=True), "error": Transient("server error"),
            "key": Stopped("key refused", "connection"), "gone": Stopped("target is gone"),
        }
        return plain.get(fault)

    def _legal(self, batch: Sequence[RemoteChange]) -> None:
        limits = self.capabilities.batch
        adds = sum(change.op is Op.ADD for change in batch)
        removes = len(batch) - adds
        assert batch
        assert adds <= limits.adds
        assert removes <= limits.removes
        assert limits.together or not adds or not removes
        assert not limits.shared or adds + removes <= limits.adds
        assert len({change.profile for change in batch}) == len(batch)

    def _change(self, target: RemoteTarget, change: RemoteChange) -> Verdict:
        there = self.on[target.id]
        if change.profile in self.refused:
            return Rejected("profile is gone")
        if change.profile in self.troubled:
            return Transient("try later")
        if change.op is Op.ADD:
            before = there.setdefault(change.profile, new := Membership("us", self.clock.now()))
            return self._told(before is new)
        if (target.id, change.profile) not in self.looked:
            self.wrongs.append(f"{change.profile} removed from {target.id} without a look")
        gone = there.pop(change.profile, None)
        if gone is not None and gone.maker == "person" and not gone.fair:
            self.wrongs.append(f"{change.profile} removed from {target.id}, where a person had put them")
        return self._told(gone is not None)

    def _told(self, changed: bool) -> Verdict:
        return Accepted((Effect.CHANGED if changed else Effect.ALREADY) if self.capabilities.effect_told else Effect.UNTOLD)

    def close(self) -> None:
        pass

    # a person at work on the platform

    def person_adds(self, identity: str, profile: ProfileId, *, fair: bool = False) -> None:
        self.on[identity].setdefault(profile, Membership("person", self.clock.now(), fair))

    def person_removes(self, identity: str, profile: ProfileId) -> None:
        self.on[identity].pop(profile, None)


@dataclass
class Place:
    """One store, one clock, one connection to a toy; profiles p0, p1, … are contacts 0, 1, …"""

    store: Store
    clock: VirtualClock
    toy: Toy
    source: Source
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    reports: list[Report] = field(default_factory=list)

    def know(self, count: int, updated: Millis = NOW - HOUR) -> None:
        profiles = [Profile(pid(n), f"c{n}@example.com", {}, (), updated=updated) for n in range(count)]
        with self.store.transaction() as db:
            people.write_profiles(db, self.source.number, "toy", profiles, self.clock.now(), 0)

    def target(self, name: str = "VIP", *, there: bool = True) -> str:
        """Key of a target; *there*: on the platform, and read."""
        key = f"{name.lower()}/toy/tag"
        if there and self.toy.find("tag", name, "") is None:
            self.toy.create("tag", name, "")
        memberships.target(self.store, key, "tag", self.source.number, "", name)
        if there:
            self.look(key)
        return key

    def state(self, key: str) -> TargetState:
        return memberships.states(self.store, [key])[key]

    def look(self, key: str) -> str:
        return read_view(self.store, self.source, resolve(self.store, self.source, self.state(key)), self.clock)

    def remote(self, key: str) -> dict[ProfileId, Membership]:
        remote = self.state(key).remote
        assert remote is not None
        return self.toy.on[remote.id]

    def plan(self, key: str, desired: Sequence[int] | set[int], manage: Manage = Manage.OURS) -> Plan:
        state = self.state(key)
        reach = memberships.reachable(self.store, self.source.number, "", memberships.refused(self.store, state.id))
        standing = Standing(frozenset(), frozenset(), reach, stuck=memberships.stuck(self.store, state.id))
        return plan(
            key, frozenset(map(ContactId, desired)), view_of(self.store, state, self.clock.now()),
            memberships.owned(self.store, state.id), standing, manage,
        )

    def approve(self, key: str, desired: Sequence[int] | set[int], manage: Manage = Manage.OURS) -> Plan:
        made = self.plan(key, desired, manage)
        with self.store.transaction() as db:
            changes = [(c.op, c.profile, ContactId(c.contact)) for c in made.changes]
            outbox.enqueue(db, self.state(key).id, changes, self.clock.now())
        return made

    def send(self, batches: int = 10_000) -> Report:
        """A round of sending, of at most so many batches."""
        left = [batches]

        def stopping() -> bool:
            left[0] -= 1
            return left[0] < 0

        sender = Sender(self.store, self.source, self.clock, self.policy, self.clock.now(), jitter=random.Random(1).random)
        report = sender.run(stopping)
        self.reports.append(report)
        return report

    def restart(self) -> None:
        with self.store.transaction() as db:
            outbox.recover(db)

    def letters(self) -> dict[ProfileId, str]:
        return dict(self.store.rows("select profile, state from outbox order by profile"))

    def owned(self, key: str) -> frozenset[ProfileId]:
        return memberships.owned(self.store, self.state(key).id)


def pid(number: int) -> ProfileId:
    return ProfileId(f"p{number}")


def place_in(folder: Path, **changes: object) -> Place:
    """A fresh place; *changes* of the toy's capabilities."""
    clock = VirtualClock(NOW)
    capabilities = replace(CAPABILITIES, **changes)    # type: ignore[arg-type]  # each by its own name
    toy = Toy(clock, capabilities)
    store = Store.writer(folder / "store.db")
    source = Source("toy", store.connection("toy", "toy"), capabilities, Naming("toy", {}, {}, frozenset()), toy)
    return Place(store, clock, toy, source)


LONG = 80 * MINUTE


Places = Callable[..., Place]


def filled(place: Place, count: int, name: str = "VIP") -> str:
    """A target whose members we have added."""
    place.know(count)
    key = place.target(name)
    place.approve(key, range(count))
    place.send()
    assert len(place.owned(key)) == count
    place.toy.pushes.clear()
    place.clock.advance(LONG / 1000)
    return key
