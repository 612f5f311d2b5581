"""A whole street over two toys: real config, store, evaluation, plans; one connection calls itself klaviyo, the other hubspot."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from connectors.base import MINUTE, Batch, Consent, ConsentState, Profile, Stream, StreamKind, VirtualClock
from sync.config.model import Config
from sync.model import ExitCode
from sync.once import judged_now, sync_once
from sync.reconcile.report import plan_report
from sync.reconcile.run import Approval, Judged, approve, keep, kept, look_at_targets, send
from sync.source import Source, naming_of
from sync.store.store import Store
from sync.street import Street, check_accounts, pull
from tests.configured import config_in
from tests.reconcile.platform import CAPABILITIES, NOW, Toy, pid

STREAMS = (Stream("profiles", StreamKind.PROFILES), Stream("events", StreamKind.EVENTS))
HEAD = """version: 1
connections:
  klaviyo: {key: {env: NOBODY}}
  hubspot: {key: {env: NOBODY}}
events:
  order_placed: {same: order_id}
"""
VIP = """segments:
  vip: {contact: {klaviyo.plan: gold}, sync: {klaviyo: {list: VIP}}}
"""


@dataclass
class Town:
    folder: Path
    clock: VirtualClock
    store: Store
    toys: dict[str, Toy]
    street: Street

    def configure(self, text: str = VIP, head: str = HEAD) -> None:
        """From here on this is the config."""
        self.street = street_of(config_in(self.folder, head + text), self.store, self.clock, self.toys)

    # people

    def person(
        self, number: int, plan: str = "gold", on: str = "klaviyo", consent: Sequence[Consent] = (), **changes: Any,
    ) -> None:
        profile = Profile(
            pid(number), f"c{number}@example.com", {"plan": plan}, tuple(consent), updated=self.clock.now() - MINUTE, **changes,
        )
        self.toys[on].people[profile.id] = profile

    # commands

    def pulled(self) -> None:
        pull(self.street)
        look_at_targets(self.street)

    def plan(self, *, offline: bool = False) -> tuple[str, dict[str, Judged], dict[str, Any]]:
        if not offline:
            self.pulled()
        evaluation, judged = judged_now(self.street)
        name = keep(self.street, judged, "plan")
        return name, {j.key: j for j in judged}, plan_report(self.street, evaluation, judged, name, {})

    def keep(self, judged: Sequence[Judged]) -> str:
        """A plan of some targets only, later than any other."""
        self.clock.advance(60)
        return keep(self.street, judged, "plan")

    def apply(self, name: str = "", allowed: Collection[tuple[str, str]] = ()) -> Approval:
        approved = kept(self.street, name)
        check_accounts(self.street)
        _, judged = judged_now(self.street)
        approval = approve(self.street, judged, approved, allowed)
        send(self.street, approval.sendable)
        return approval

    def sync(self, *connections: str, **options: Any) -> tuple[dict[str, Any], ExitCode]:
        return sync_once(self.street, connections, **options)

    def on(self, name: str = "VIP", connection: str = "klaviyo") -> set[str]:
        toy = self.toys[connection]
        found = toy.find("list", name, "")
        return set(toy.on[found.id]) if found else set()

    def writes(self) -> int:
        return sum(len(toy.pushes) for toy in self.toys.values())

    def waiting(self) -> int:
        (count,) = self.store.rows("select count(*) from outbox where state = 'waiting'")[0]
        return int(count)


def street_of(config: Config, store: Store, clock: VirtualClock, toys: dict[str, Toy]) -> Street:
    sources = {}
    for name, toy in toys.items():
        number = store.connection(name, name)
        account = config.connections[name].account
        sources[name] = Source(name, number, toy.capabilities, naming_of(config, name), toy, account)
    return Street(config, store, clock, sources)


def town_in(folder: Path) -> Town:
    clock = VirtualClock(NOW)
    toys = {}
    for name in ("klaviyo", "hubspot"):
        capabilities = replace(
            CAPABILITIES, platform=name, streams=STREAMS, targets=frozenset({"list"}), subscriptions=name == "hubspot",
            batch=Batch(1000, 1000, together=True),
        )
        toys[name] = Toy(clock, capabilities, account_id=f"account of {name}")
    store = Store.writer(folder / "store.db")
    config = config_in(folder, HEAD + VIP)
    return Town(folder, clock, store, toys, street_of(config, store, clock, toys))


WITHDRAWN = Consent("email", ConsentState.WITHDRAWN)
GRANTED = Consent("email", ConsentState.GRANTED)
UNREADABLE = Consent("email", ConsentState.UNREADABLE)

