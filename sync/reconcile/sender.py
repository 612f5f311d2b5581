"""The sender: takes letters out of the outbox in the largest batches the platform takes, and keeps what came of each.

A remove is looked at before it is sent: who has left already is not removed. Where an earlier call for it may have taken effect
and its contact is still a member, the membership is ours only on evidence (`sync.reconcile.doubt`); else it is a person's by
now, stays, and is ours no more. An add is sent again freely: it has the effect of once. It makes the membership ours when the
platform accepts it, unless the platform says that it was so before; after a lost answer that may be our own doing, and
the same evidence decides.

A call that fails as a whole says nothing about its contacts. Contacts become dead letters when the platform refuses them by
name, when they alone are what makes a batch fail, or when they fail for themselves again and again while others go through. A
platform that takes nothing is down: after as many calls in a row as the policy has attempts the round ends, and no attempt counts.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from connectors.base import (
    BATCH_REFUSED,
    LONGEST_WAIT,
    MINUTE,
    Accepted,
    Clock,
    Effect,
    FaultKind,
    Millis,
    Op,
    PlatformError,
    ProfileId,
    RemoteChange,
    RemoteTarget,
    RetryPolicy,
    Stopped,
    Transient,
    Verdict,
)
from connectors.base import backoff as curve
from sync.crash import crash_point
from sync.reconcile.doubt import Doubt, theirs, told_ours
from sync.reconcile.views import read_view
from sync.source import Source
from sync.store import memberships, outbox
from sync.store.memberships import TargetState
from sync.store.outbox import Letter
from sync.store.store import Store
from sync.store.streams import Database

Sent = Callable[[str, int, int], None]              # connection, letters done, letters in all
LONGEST_SLEEP = 5.0                                 # seconds
LOOK_GOOD_FOR: Millis = 10 * MINUTE                 # a listing tells for so long who may be removed, in a round that takes hours


def silent(connection: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


@dataclass(slots=True)
class Report:
    """What a round of sending did on one connection. *stopped*: why it ended early, by target number (0: all of it);
    *paused*: the platform is down or asked for a longer wait than we have patience for; what is left goes in a later round."""

    calls: int = 0
    added: int = 0
    removed: int = 0
    already: int = 0
    dead: int = 0
    waiting: int = 0
    stopped: dict[int, str] = field(default_factory=dict)
    paused: str = ""


def next_try(policy: RetryPolicy, verdict: Verdict, attempt: int, now: Millis, jitter: float) -> Millis | None:
    """When to send again; None means dead letter. *attempt* counts from 1, *jitter* is in [0, 1)."""
    if not isinstance(verdict, Transient) or attempt >= policy.attempts:
        return None
    wait = _asked(verdict)                          # a platform that names its own delay knows better than our curve
    return now + round((wait if wait > 0 else curve(policy, attempt, jitter)) * 1000)


class Sender:
    """One round of sending on one connection; make one per round."""

    def __init__(
        self, store: Store, source: Source, clock: Clock, policy: RetryPolicy, began: Millis, *,
        jitter: Callable[[], float] = random.random, progress: Sent = silent, targets: Collection[int] | None = None,
    ) -> None:
        """*targets*: whose letters may go in this round; None: those of every target."""
        self.store, self.source, self.clock, self.policy, self.began = store, source, clock, policy, began
        self.jitter, self.progress, self.targets = jitter, progress, targets
        self.report = Report()
        self.limits = source.capabilities.batch
        self._failed = 0                            # calls in a row that failed as a whole
        self._worked = False                        # whether the platform took or refused anything in this round

    def run(self, stopping: Callable[[], bool] = lambda: False) -> Report:
        """Send until nothing is due, waiting for what is due within the policy's patience; stop between two batches when
        *stopping* says so. What is left stays in the outbox."""
        total = outbox.backlog(self.store, self.source.number, self.clock.now(), (), self.targets).ready
        while not stopping() and 0 not in self.report.stopped and not self.report.paused:
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
            return outbox.claim(db, self.source.number, self.limits, self.clock.now(), self._left_out(), self.targets)

    def _left_out(self) -> list[int]:
        return [target for target in self.report.stopped if target]

    def _left(self) -> int:
        rows = self.store.rows(
            "select o.target from outbox o join targets t on t.id = o.target where t.connection = ? and o.state = 'waiting'",
            self.source.number,
        )
        return sum(self.targets is None or target in self.targets for (target,) in rows)

    def _await_due(self) -> bool:
        """Sleep towards the time the next letter is due, a little at a time so that *stopping* is asked; False when nothing
        is, or too late to be worth waiting for."""
        now = self.clock.now()
        due = outbox.backlog(self.store, self.source.number, now, self._left_out(), self.targets).next_due
        if due is None or due - now > self.policy.patience * 1000:
            return False
        self.clock.sleep(min((due - now) / 1000, LONGEST_SLEEP))
        return True

    # --- one batch

    def _send(self, batch: Sequence[Letter]) -> None:
        crash_point("send.after_claim")
        remote = self._remote(batch[0].target)
        if remote is None:
            self._unsent(batch, Stopped("the target is not there"))
            return
        batch = self._still_there(batch, remote)
        if not batch:
            return
        changes = [RemoteChange(letter.op, letter.profile, letter.email) for letter in batch]
        verdicts = self.source.connector.push(remote, changes)
        self.report.calls += 1
        crash_point("send.after_call")
        self._keep(batch, verdicts, self._made_by_us(batch, verdicts, remote))
        crash_point("send.after_commit")

    def _state(self, target: int) -> TargetState | None:
        return next((state for state in memberships.states(self.store).values() if state.id == target), None)

    def _remote(self, target: int) -> RemoteTarget | None:
        state = self._state(target)
        return state.remote if state and not state.gone else None

    def _still_there(self, batch: Sequence[Letter], remote: RemoteTarget) -> list[Letter]:
        """Before a remove is sent its contact is looked at again: somebody who has left already is not ours to remove, nor is
        somebody who may have been put back by hand after a call of which we never heard."""
        removes = [letter for letter in batch if letter.op is Op.REMOVE]
        if not removes:
            return list(batch)
        try:
            claims = memberships.claims(self.store, removes[0].target, [letter.profile for letter in removes])
            there = self._look(removes, remote)
            present = [letter for letter in removes if there.get(letter.profile, False)]
            foreign = self._theirs(present, remote, claims) if present else []
        except PlatformError as error:
            self._unsent(batch, _as_verdict(error))
            return []
        gone = [letter for letter in removes if not there.get(letter.profile, False)]
        self._let_be(gone, foreign)
        left = {letter.id for letter in (*gone, *foreign)}
        return [letter for letter in batch if letter.id not in left]

    def _theirs(self, removes: Sequence[Letter], remote: RemoteTarget, claims: Mapping[ProfileId, Millis | None]) -> list[Letter]:
        """Removes of members that are a person's, as far as can be known; *claims*: whom we held for ours before we looked. Raises
        PlatformError."""
        ours = told_ours(self.source, remote, [Doubt(letter.profile, letter.op, letter.sent) for letter in removes if letter.maybe])
        unproven = {who: sent for letter in removes if (sent := claims.get(who := letter.profile)) is not None}
        lost = theirs(self.source, remote, unproven, self.clock.now())
        if unproven:                                # a listing may have been our look, and told
            lost |= unproven.keys() - memberships.claims(self.store, removes[0].target, list(unproven)).keys()
        return [letter for letter in removes if letter.profile in lost or not ours.get(letter.profile, True)]

    def _let_be(self, gone: Sequence[Letter], foreign: Sequence[Letter]) -> None:
        now = self.clock.now()
        with self.store.transaction() as db:
            for letter in gone:
                memberships.confirm_remove(db, letter.target, letter.profile, now)
            for letter in foreign:
                memberships.disown(db, letter.target, letter.profile)
            for letter in (*gone, *foreign):
                outbox.done(db, letter)
        self.report.already += len(gone) + len(foreign)

    def _look(self, removes: Sequence[Letter], remote: RemoteTarget) -> dict[ProfileId, bool]:
        """Who is a member right now. Raises PlatformError, also when the listing that has to tell is not complete."""
        if self.source.capabilities.lookup:
            return self.source.connector.look(remote, [letter.profile for letter in removes])
        state = self._state(removes[0].target)
        since = max(self.began, self.clock.now() - LOOK_GOOD_FOR)
        if state and (not state.complete or (state.viewed or 0) < since or any(letter.maybe for letter in removes)):
            why = read_view(self.store, self.source, state, self.clock)
            after = self._state(state.id)
            if why:
                kind = FaultKind.GONE if after and after.gone else FaultKind.TRANSIENT
                raise PlatformError(self.source.capabilities.platform, "members", kind, code=why)
        members = memberships.members(self.store, removes[0].target)
        return {letter.profile: letter.profile in members for letter in removes}

    def _made_by_us(self, batch: Sequence[Letter], verdicts: Sequence[Verdict], remote: RemoteTarget) -> frozenset[ProfileId]:
        """Profiles that were members before this call because of an earlier one of ours, whose answer was lost."""
        doubts = [
            Doubt(letter.profile, letter.op, letter.sent) for letter, verdict in zip(batch, verdicts, strict=True)
            if letter.op is Op.ADD and letter.maybe and verdict == Accepted(Effect.ALREADY)
        ]
        try:
            told = told_ours(self.source, remote, doubts)
        except PlatformError:
            return frozenset()                      # in doubt: not ours
        return frozenset(profile for profile, mine in told.items() if mine)

    # --- what came of it

    def _unsent(self, batch: Sequence[Letter], verdict: Stopped | Transient) -> None:
        """Nothing was called: the letters wait, and the reason counts against the connection, not against them."""
        now = self.clock.now()
        with self.store.transaction() as db:
            for letter in batch:
                due = now if isinstance(verdict, Stopped) else next_try(self.policy, verdict, 1, now, self.jitter()) or now
                outbox.unsent(db, letter, due, verdict.reason, counted=False)
            if isinstance(verdict, Stopped):
                self._stop(db, batch[0].target, verdict)
            else:
                self._take_note(db, [verdict], now)
                self._end_if_down(db, [verdict], now)

    def _keep(self, batch: Sequence[Letter], verdicts: Sequence[Verdict], made_by_us: frozenset[ProfileId]) -> None:
        now = self.clock.now()
        with self.store.transaction() as db:
            if len(batch) > 1 and all(_refused(v) for v in verdicts):
                outbox.split(db, batch, now)
                self._take_note(db, verdicts, now)
            elif len(batch) > 1 and all(isinstance(v, Transient) for v in verdicts) and self._worn_out(batch):
                outbox.split(db, batch, now, maybe=any(isinstance(v, Transient) and v.maybe for v in verdicts))
                self._take_note(db, verdicts, now)
                self._end_if_down(db, verdicts, now)
            else:
                self._take_note(db, verdicts, now)
                for letter, verdict in zip(batch, verdicts, strict=True):
                    self._keep_one(db, letter, verdict, now, alone=len(batch) == 1, ours=letter.profile in made_by_us)
                self._end_if_down(db, verdicts, now)
            crash_point("send.before_commit")

    def _worn_out(self, batch: Sequence[Letter]) -> bool:
        """Whether this batch has failed as a whole as often as the policy allows, while others went through."""
        return self._worked and max(letter.attempts for letter in batch) + 1 >= self.policy.attempts > self._failed + 1

    def _take_note(self, db: Database, verdicts: Sequence[Verdict], now: Millis) -> None:
        """Obey a wait the platform asked for; count calls that the platform did not take."""
        waits = [_asked(verdict) for verdict in verdicts if isinstance(verdict, Transient)]
        if any(waits):
            outbox.hold(db, self.source.number, now + round(max(waits) * 1000))     # of the others; these get it as their own
        failed = all(isinstance(v, Transient) and not _refused(v) for v in verdicts)
        self._failed, self._worked = self._failed + 1 if failed else 0, self._worked or not failed

    def _end_if_down(self, db: Database, verdicts: Sequence[Verdict], now: Millis) -> None:
        if self._failed >= self.policy.attempts:
            outbox.hold(db, self.source.number, now + round(self.policy.cap * 1000), forgive=True)
            self.report.paused = next(v.reason for v in verdicts if isinstance(v, Transient))

    def _keep_one(self, db: Database, letter: Letter, verdict: Verdict, now: Millis, *, alone: bool, ours: bool) -> None:
        match verdict:
            case Accepted(effect):
                self._accepted(db, letter, effect, now, ours=ours)
            case Stopped():
                outbox.again(db, letter, now, verdict.reason, maybe=False, counted=False)
                self._stop(db, letter.target, verdict)
            case Transient() if _refused(verdict) and not alone:
                outbox.again(db, letter, now, verdict.reason, maybe=False, counted=False)   # others were named: without them
            case Transient() if not _refused(verdict):
                self._not_yet(db, letter, verdict, now)
            case _:
                self._dead(db, letter, verdict.reason)

    def _stop(self, db: Database, target: int, verdict: Stopped) -> None:
        """Nothing more goes there in this round; a target is looked at before the next one."""
        if verdict.scope == "connection":
            self.report.stopped[0] = verdict.reason
        else:
            self.report.stopped[target] = verdict.reason
            memberships.doubt_view(db, target)

    def _accepted(self, db: Database, letter: Letter, effect: Effect, now: Millis, *, ours: bool) -> None:
        changed = effect is not Effect.ALREADY or ours
        if letter.op is Op.ADD:
            untold = effect is Effect.UNTOLD
            doubtful = untold and letter.maybe      # was it this call, an earlier one, or a person between them?
            memberships.confirm_add(
                db, letter.target, letter.profile, now, ours=changed and not doubtful, sent=now if untold else None,
            )
            if doubtful:
                outbox.leave_in_doubt(db, letter)
            self.report.added += changed
        else:
            memberships.confirm_remove(db, letter.target, letter.profile, now)
            self.report.removed += changed
        self.report.already += not changed
        outbox.done(db, letter)

    def _not_yet(self, db: Database, letter: Letter, verdict: Transient, now: Millis) -> None:
        """A letter that wore out is given up only while others go through."""
        due = next_try(self.policy, verdict, letter.attempts + 1, now, self.jitter())
        given_up = due is None and self._worked
        outbox.again(db, letter, due or now + round(self.policy.cap * 1000), verdict.reason, maybe=verdict.maybe)
        if given_up:
            self._dead(db, letter, verdict.reason)

    def _dead(self, db: Database, letter: Letter, reason: str) -> None:
        outbox.dead(db, letter, reason)
        self.report.dead += 1


def _asked(verdict: Transient) -> float:
    """Seconds that the platform asked us to wait, as far as it is believed; 0 where it did not."""
    return min(max(0.0, verdict.retry_after or 0.0), LONGEST_WAIT)


def _refused(verdict: Verdict) -> bool:
    return isinstance(verdict, Transient) and verdict.reason == BATCH_REFUSED


def _as_verdict(error: PlatformError) -> Stopped | Transient:
    """What a failed look means for the changes that waited for it."""
    if error.kind in (FaultKind.KEY, FaultKind.SCOPE, FaultKind.RETIRED, FaultKind.ACCOUNT):
        return Stopped(str(error), "connection")
    if error.kind is FaultKind.GONE:
        return Stopped(str(error), "target")
    return Transient(str(error), error.retry_after)
