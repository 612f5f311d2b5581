"""The sender: takes letters out of the outbox in the largest batches the platform takes, and keeps what came of each."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from connectors.base import (
    BATCH_REFUSED,
    Accepted,
    Clock,
    Effect,
    FaultKind,
    Millis,
    Op,
    PlatformError,
    ProfileId,
    Rejected,
    RemoteChange,
    RemoteTarget,
    RetryPolicy,
    Stopped,
    Transient,
    Verdict,
)
from connectors.base import backoff as curve
from sync.crash import crash_point
from sync.reconcile.views import read_view
from sync.source import Source
from sync.store import memberships, outbox
from sync.store.outbox import Letter
from sync.store.store import Store
from sync.store.streams import Database

Sent = Callable[[str, int, int], None]              # connection, letters done, letters in all


def silent(connection: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


@dataclass(slots=True)
class Report:
    """What a round of sending did on one connection. *stopped*: why it ended early, by target number (0: all of it)."""

    calls: int = 0
    added: int = 0
    removed: int = 0
    already: int = 0
    dead: int = 0
    waiting: int = 0
    stopped: dict[int, str] = field(default_factory=dict)


def next_try(policy: RetryPolicy, verdict: Verdict, attempt: int, now: Millis, jitter: float) -> Millis | None:
    """When to send again; None means dead letter. *attempt* counts from 1, *jitter* is in [0, 1)."""
    if not isinstance(verdict, Transient) or attempt >= policy.attempts:
        return None
    wait = curve(policy, attempt, jitter) if verdict.retry_after is None else verdict.retry_after
    return now + round(wait * 1000)                 # a platform that names its own delay knows better than our curve


class Sender:
    """One round of sending on one connection; make one per round."""

    def __init__(
        self, store: Store, source: Source, clock: Clock, policy: RetryPolicy, began: Millis, *,
        jitter: Callable[[], float] = random.random, progress: Sent = silent,
    ) -> None:
        self.store, self.source, self.clock, self.policy, self.began = store, source, clock, policy, began
        self.jitter, self.progress = jitter, progress
        self.report = Report()
        self.limits = source.capabilities.batch

    def run(self, stopping: Callable[[], bool] = lambda: False) -> Report:
        """Send until nothing is due, waiting for what is due within the policy's patience; stop between two batches when
        *stopping* says so. What is left stays in the outbox."""
        total = outbox.backlog(self.store, self.source.number, self.clock.now(), ()).ready
        while not stopping() and 0 not in self.report.stopped:
            batch = self._claim()
            if batch:
                self._send(batch)
                self.progress(self.source.name, self.report.added + self.report.removed + self.report.already, total)
            elif not self._await_due():
                break
        self.report.waiting = self._left()
        return self.report

    def _claim(self) -> list[Letter]:
        crash_point("send.before_claim")
        with self.store.transaction() as db:
            return outbox.claim(db, self.source.number, self.limits, self.clock.now(), self._left_out())

    def _left_out(self) -> list[int]:
        return [target for target in self.report.stopped if target]

    def _left(self) -> int:
        found = self.store.one(
            "select count(*) from outbox o join targets t on t.id = o.target where t.connection = ? and o.state = 'waiting'",
            self.source.number,
        )
        return int(found[0]) if found else 0

    def _await_due(self) -> bool:
        """Sleep until the next letter is due, if that is worth waiting for."""
        now = self.clock.now()
        due = outbox.backlog(self.store, self.source.number, now, self._left_out()).next_due
        if due is None or due - now > self.policy.patience * 1000:
            return False
        self.clock.sleep((due - now) / 1000)
        return True

    # --- one batch

    def _send(self, batch: Sequence[Letter]) -> None:
        crash_point("send.after_claim")
        remote = self._remote(batch[0].target)
        if remote is None:
            self._keep(batch, [Stopped("the target is not there")] * len(batch))
            return
        batch = self._still_there(batch, remote)
        if not batch:
            return
        changes = [RemoteChange(letter.op, letter.profile, letter.email) for letter in batch]
        verdicts = self.source.connector.push(remote, changes)
        self.report.calls += 1
        crash_point("send.after_call")
        self._keep(batch, verdicts)
        crash_point("send.after_commit")

    def _remote(self, target: int) -> RemoteTarget | None:
        return next((state.remote for state in memberships.states(self.store).values() if state.id == target), None)

    def _still_there(self, batch: Sequence[Letter], remote: RemoteTarget) -> list[Letter]:
        """Before a remove is sent its contact is looked at again: somebody who has left already is not ours to remove."""
        removes = [letter for letter in batch if letter.op is Op.REMOVE]
        if not removes:
            return list(batch)
        try:
            there = self._look(removes, remote)
        except PlatformError as error:
            self._keep(batch, [_as_verdict(error)] * len(batch))
            return []
        now = self.clock.now()
        gone = [letter for letter in removes if not there.get(letter.profile, False)]
        with self.store.transaction() as db:
            for letter in gone:
                memberships.confirm_remove(db, letter.target, letter.profile, now)
                outbox.done(db, letter)
        self.report.already += len(gone)
        left = {letter.id for letter in gone}
        return [letter for letter in batch if letter.id not in left]

    def _look(self, removes: Sequence[Letter], remote: RemoteTarget) -> dict[ProfileId, bool]:
        if self.source.capabilities.lookup:
            return self.source.connector.look(remote, [letter.profile for letter in removes])
        target = removes[0].target
        state = next(s for s in memberships.states(self.store).values() if s.id == target)
        if not state.complete or (state.viewed or 0) < self.began or any(letter.maybe for letter in removes):
            read_view(self.store, self.source, state, self.clock)
        members = memberships.members(self.store, target)
        return {letter.profile: letter.profile in members for letter in removes}

    # --- what came of it

    def _keep(self, batch: Sequence[Letter], verdicts: Sequence[Verdict]) -> None:
        now = self.clock.now()
        with self.store.transaction() as db:
            if len(batch) > 1 and all(v == Transient(BATCH_REFUSED) for v in verdicts):
                outbox.split(db, batch, now)
            else:
                for letter, verdict in zip(batch, verdicts, strict=True):
                    self._keep_one(db, letter, verdict, now)
            crash_point("send.before_commit")

    def _keep_one(self, db: Database, letter: Letter, verdict: Verdict, now: Millis) -> None:
        match verdict:
            case Accepted(effect):
                self._accepted(db, letter, effect, now)
            case Rejected(reason) if letter.op is Op.REMOVE:
                memberships.confirm_remove(db, letter.target, letter.profile, now)
                outbox.done(db, letter)
                self.report.already += bool(reason)
            case Stopped(reason, scope):
                outbox.again(db, letter, now, reason, maybe=False, counted=False)
                self.report.stopped[0 if scope == "connection" else letter.target] = reason
            case Transient() | Rejected():
                self._not_yet(db, letter, verdict, now)

    def _accepted(self, db: Database, letter: Letter, effect: Effect, now: Millis) -> None:
        if letter.op is Op.ADD:
            memberships.confirm_add(db, letter.target, letter.profile, now, ours=effect is not Effect.ALREADY)
            self.report.added += effect is not Effect.ALREADY
        else:
            memberships.confirm_remove(db, letter.target, letter.profile, now)
            self.report.removed += effect is not Effect.ALREADY
        self.report.already += effect is Effect.ALREADY
        outbox.done(db, letter)

    def _not_yet(self, db: Database, letter: Letter, verdict: Transient | Rejected, now: Millis) -> None:
        due = next_try(self.policy, verdict, letter.attempts + 1, now, self.jitter())
        if due is None:
            outbox.dead(db, letter, verdict.reason)
            self.report.dead += 1
        else:
            maybe = isinstance(verdict, Transient) and verdict.maybe
            outbox.again(db, letter, due, verdict.reason, maybe=maybe)


def _as_verdict(error: PlatformError) -> Verdict:
    """What a failed look means for the changes that waited for it."""
    if error.kind in (FaultKind.KEY, FaultKind.SCOPE, FaultKind.RETIRED, FaultKind.ACCOUNT):
        return Stopped(str(error), "connection")
    if error.kind is FaultKind.GONE:
        return Stopped(str(error), "target")
    return Transient(str(error), error.retry_after)
