"""Plans of all targets: made from the store, judged by guards, kept under an id, approved, handed to the outbox."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import orjson

from connectors.base import DAY, Millis, Op, PlatformError, RemoteTarget, StreamKind, instant
from sync.config.model import Apply, Config, Existing, Manage, TargetSpec
from sync.crash import crash_point
from sync.evaluate.families import refreshed
from sync.evaluate.lives import alike
from sync.evaluate.run import Evaluation, watch_key, watched_by
from sync.model import ContactId, ExitCode, SegmentdError, TargetKey
from sync.reconcile.guard import Refusal, judge
from sync.reconcile.plan import Caution, Change, Plan, plan
from sync.reconcile.sender import Report, Sender
from sync.reconcile.views import People, fresh, read_view, resolve, view_of
from sync.source import Source
from sync.store import memberships, outbox, segments, streams
from sync.store.memberships import TargetState
from sync.store.store import digest_of
from sync.street import Street, together

KEPT_PLANS = 100                                    # at least; older ones go after a month


@dataclass(frozen=True, slots=True)
class Judged:
    """A target's plan and what stands in its way. *waits*: why it goes by hand only ("" when it may go by itself); *freeze*:
    why nothing may move, not even by hand ("" when it may)."""

    spec: TargetSpec
    state: TargetState
    plan: Plan
    refusals: tuple[Refusal, ...]
    waits: str
    rule: str                                       # digest of the rule and of the target's own settings
    freeze: str = ""

    @property
    def key(self) -> str:
        return self.plan.target


class PlanGone(SegmentdError):
    """A plan that is not there, or that no longer fits what it was made from."""

    code = ExitCode.REFUSED


# --- views ----------------------------------------------------------------------------------------------------------------


def look_at_targets(street: Street, only: Iterable[str] = (), *, complete: bool | None = None) -> dict[str, str]:
    """Find every target (of the connections *only*) on its platform and list those whose view is not fresh (all of them when
    *complete*; none when that is False). Target or connection → what went wrong."""
    street.config = refreshed(street.store, street.config, street.sources, street.clock.now())
    wrong: dict[str, str] = {}
    for found in together(street, only, lambda source: _look_at(street, source, complete)):
        wrong |= found
    return wrong


def _look_at(street: Street, source: Source, complete: bool | None) -> dict[str, str]:
    wrong: dict[str, str] = {}
    for key, audience, kind, name in _wanted_views(street, source):
        try:
            remote = source.connector.audience(audience) if source.capabilities.audiences else ""
            state = memberships.target(street.store, key, kind, source.number, remote, name, f"{audience}/{name}")
            state = resolve(street.store, source, state)
            if complete or (complete is None and not fresh(state, street.clock.now())) or state.first_met is None:
                why = read_view(street.store, source, state, street.clock, street.watch.listed)
                wrong |= {_called(key): why} if why else {}
        except PlatformError as error:
            wrong[_called(key)] = str(error)
    return wrong


def _called(key: str) -> str:
    """A target's key, or what a person calls a tag or list that a rule asks about."""
    if not key.startswith("@"):
        return key
    connection, audience, kind, name = key[1:].split("/", 3)
    return f"{kind} '{name}' on {connection}" + (f"/{audience}" if audience else "")


def _wanted_views(street: Street, source: Source) -> list[tuple[str, str, str, str]]:
    """(key, audience as the platform is asked for it, kind, name) of this connection's targets and watched tags or lists."""
    spec = street.config.connections[source.name]
    wanted = [
        (str(key_of(target)), spec.audiences.get(target.audience, target.audience), target.kind, target.name)
        for target in specs(street.config) if target.connection == source.name
    ]
    rules = [segment.rule for segment in street.config.segments.values()]
    watched = [who for who in watched_by(rules, street.config) if who[0] == source.name]
    return wanted + [(watch_key(who), spec.audiences.get(who[1], who[1]), who[2], who[3]) for who in sorted(watched)]


def specs(config: Config) -> list[TargetSpec]:
    """Every target of the config, in its order."""
    return [target for segment in config.segments.values() for target in segment.targets]


def key_of(spec: TargetSpec) -> TargetKey:
    return TargetKey(spec.segment, spec.connection, spec.audience, spec.kind)


# --- judging --------------------------------------------------------------------------------------------------------------


def judge_targets(street: Street, evaluation: Evaluation, *, only: Collection[str] = (), platform: str = "") -> list[Judged]:
    """The plan of each target (of segments *only*, on *platform*) and whether it may be carried out. Reads the store only."""
    known = memberships.states(street.store)
    desired = segments.standing(street.store)
    people = People(street.store, street.config, street.clock.now())
    judged = []
    for spec in specs(street.config):
        key = str(key_of(spec))
        if (only and spec.segment not in only) or (platform and spec.connection != platform) or key not in known:
            continue
        members = desired[spec.segment].members if spec.segment in desired else np.empty(0, np.int32)
        judged.append(_judge(street, evaluation, people, spec, known[key], frozenset(map(ContactId, members.tolist()))))
    return judged


def _judge(
    street: Street, evaluation: Evaluation, people: People, spec: TargetSpec, state: TargetState, desired: frozenset[ContactId],
) -> Judged:
    now = street.clock.now()
    audience, scope, caution = _audience_of(street, state), None, _caution(street, evaluation, spec, state)
    if spec.subscription:
        try:
            scope = street.sources[spec.connection].connector.subscription(spec.subscription)
        except PlatformError as error:
            caution = Caution(freeze=f"its subscription type cannot be asked: {error}")
    made = plan(
        state.key, desired, view_of(street.store, state, now), memberships.owned(street.store, state.id),
        people.standing(spec, state, audience, scope), spec.manage, caution=caution,
        first_fill=state.applied is None,
    )
    rule = digest_of(evaluation.rules[spec.segment], settings_digest(spec))
    left = outbox.filling(street.store, state.id)
    filling = sum(change.profile in left for change in made.adds)
    refusals = tuple(judge(made, spec.guards, spec.existing, state.existing, state.found, filling))
    return Judged(spec, state, made, refusals, _waits(street.config, state, rule), rule, caution.freeze)


def _audience_of(street: Street, state: TargetState) -> str:
    found = street.store.one("select audience from targets where id = ?", state.id)
    return str(found[0]) if found else ""


def settings_digest(spec: TargetSpec) -> str:
    """Everything the config says of a target."""
    return digest_of(repr((spec.kind, spec.name, spec.manage, spec.existing, spec.missing, spec.require, spec.subscription)))


def _caution(street: Street, evaluation: Evaluation, spec: TargetSpec, state: TargetState) -> Caution:
    ground = evaluation.grounds[spec.segment]
    if not street.config.segments[spec.segment].enabled:
        return Caution(freeze="the segment is disabled")
    if spec.segment in evaluation.renamed:
        return Caution(freeze=alike(evaluation.renamed[spec.segment], street.config.segments[spec.segment].family))
    if spec.segment in evaluation.result.failures:
        return Caution(freeze=f"the segment failed: {evaluation.result.failures[spec.segment]}")
    if spec.connection in street.failures:
        return Caution(freeze=f"the connection is not used: {street.failures[spec.connection]}")
    audience = street.config.connections[spec.connection].audiences.get(spec.audience, spec.audience)
    if state.called != f"{audience}/{spec.name}":
        return Caution(freeze="its name or audience was edited, and nobody has looked at it since; `segmentd plan` does")
    if state.gone:
        return Caution(freeze="the platform has no such tag or list any more")
    if ground.waiting:
        return Caution(freeze=f"waiting: {ground.waiting}")
    return Caution(keep=ground.shaky or _shaky_people(street, spec.connection))


def _shaky_people(street: Street, connection: str) -> str:
    """A connection whose people could not be read lately says nothing about who is reachable or barred there."""
    people = {s.name: s.incremental for s in street.sources[connection].capabilities.streams if s.kind is StreamKind.PROFILES}
    oldest = street.clock.now() - street.config.guards.stale
    for state in streams.states(street.store):
        if state.connection == connection and state.stream in people:
            if state.error:
                return f"the last pull of {state.stream} of {connection} failed"
            if people[state.stream] and (state.finished or 0) < oldest:
                return f"{state.stream} of {connection} is stale"
    return ""


def _waits(config: Config, state: TargetState, rule: str) -> str:
    if state.applied is None:
        return "it was never applied"
    if state.rule != rule and config.schedule.apply.edits is not Apply.AUTO:
        return "its rule or settings were edited"
    return ""


# --- plans that are kept --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class KeptPlan:
    """A plan as it was shown. *targets*: key → rule digest, ownership digest, changes as [contact, profile, op], guards;
    *handed_over*: those that were applied from it already."""

    id: str
    made: Millis
    targets: Mapping[str, Mapping[str, Any]]
    handed_over: frozenset[str] = frozenset()


def keep(street: Street, judged: Sequence[Judged], command: str) -> str:
    """Store the plans under one id, which is also what they are called in commands."""
    states = {j.key: j.state for j in judged}
    ownership = memberships.digest_of_ownership(street.store, states)
    body = orjson.dumps({
        j.key: {
            "rule": j.rule, "ownership": ownership[j.key], "guards": [r.guard for r in j.refusals], "freeze": j.freeze,
            "changes": [[c.contact, c.profile, c.op.value] for c in j.plan.changes],
        } for j in judged
    })
    (last,) = street.store.rows("select coalesce(max(made), 0) from plans")[0]
    now = max(street.clock.now(), last + 1)         # "the newest" is one, also when two are made in one instant
    name = f"{instant(now):%Y%m%d-%H%M%S}-{hashlib.sha256(body).hexdigest()[:6]}"
    with street.store.transaction() as db:
        db.execute(
            "insert into plans values (?, ?, '[]', ?, ?) on conflict do update set "
            "command = case when command = 'plan' then command else excluded.command end", (name, now, command, zlib.compress(body)),
        )
        db.execute(
            "delete from plans where id not in (select id from plans order by made desc, id desc limit ?) and made < ?",
            (KEPT_PLANS, now - 30 * DAY),
        )
        crash_point("plan.before_commit")
    return name


def kept(street: Street, name: str = "") -> KeptPlan:
    """The plan called *name*, or the newest. Raises PlanGone."""
    row = street.store.one("select id, made, body, handed_over from plans where ? in ('', id) order by made desc, id desc limit 1", name)
    if row is None:
        raise PlanGone(f"there is no plan {name or 'yet'}; `segmentd plan` makes one")
    return KeptPlan(row[0], row[1], orjson.loads(zlib.decompress(row[2])), frozenset(orjson.loads(row[3])))


# --- approving ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Approval:
    """What an apply let through. *sendable*: targets (by number) whose letters may go now; *dropped*: approved but wanted no
    more; *refused*: key → why it stays; *failed*: key → why its platform would not have its tag or list made."""

    sendable: frozenset[int] = frozenset()
    enqueued: Mapping[str, int] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)


def approve(
    street: Street, judged: Sequence[Judged], approved: KeptPlan, allowed: Collection[tuple[str, str]],
) -> Approval:
    """Hand what was approved and is still wanted to the outbox, and nothing else.

    *allowed*: (target, guard) pairs let through. A target whose rule, settings or ownership moved since the plan is refused,
    and so is one that was frozen then or is now: nobody has seen what it would do. One that only observes is passed over.
    """
    ownership = memberships.digest_of_ownership(street.store, {j.key: j.state for j in judged})
    enqueued: dict[str, int] = {}
    dropped: dict[str, int] = {}
    failed: dict[str, str] = {}
    sendable: set[int] = set()
    there = {each.key for each in judged}
    refused = {
        key: "it is no longer in the config" for key, planned in approved.targets.items()
        if key not in there | approved.handed_over and planned["changes"]
    }
    for each in judged:
        planned = approved.targets.get(each.key)
        if planned is None or each.spec.manage is Manage.OBSERVE:
            continue
        why = street.failures.get(each.spec.connection, "") or _frozen(each, planned) or _guarded(each, planned, allowed)
        if each.key in approved.handed_over:        # what is left of it goes on, as far as it is still wanted
            retract(street, each)
            if not why:
                sendable.add(each.state.id)
            elif street.store.one("select 1 from outbox where target = ? and state = 'waiting'", each.state.id):
                refused[each.key] = why
            continue
        why = why or _moved(each, planned, ownership)
        wanted = {(profile, op) for _, profile, op in planned["changes"]}
        changes = [c for c in each.plan.changes if (c.profile, c.op.value) in wanted]
        try:
            if not why:
                enqueued[each.key] = enqueue(street, each, changes, plan_name=approved.id, existing="existing" in planned["guards"])
                dropped[each.key] = len(wanted) - len(changes)
                sendable.add(each.state.id)
        except PlatformError as error:
            failed[each.key] = str(error)
        except PlanGone as gone:
            why = str(gone)
        if why:
            refused[each.key] = why
    return Approval(frozenset(sendable), enqueued, {k: n for k, n in dropped.items() if n}, refused, failed)


def _moved(each: Judged, planned: Mapping[str, Any], ownership: Mapping[str, str]) -> str:
    if planned["rule"] != each.rule:
        return "its rule or settings were edited since the plan; run `segmentd plan` again"
    if planned["ownership"] != ownership[each.key]:
        return "what is ours there has moved since the plan; run `segmentd plan` again"
    return ""


def _frozen(each: Judged, planned: Mapping[str, Any]) -> str:
    if each.freeze:
        return f"frozen: {each.freeze}"
    return f"it was frozen when planned ({planned['freeze']}); run `segmentd plan` again" if planned["freeze"] else ""


def _guarded(each: Judged, planned: Mapping[str, Any], allowed: Collection[tuple[str, str]]) -> str:
    """Guards that refuse it, then or now, and were not let through by name."""
    now = {refusal.guard: refusal.reason for refusal in each.refusals}
    closed = [guard for guard in {*planned["guards"], *now} if (each.key, guard) not in allowed]
    return "; ".join(f"guard {guard}: {now.get(guard, 'it refused the plan')}" for guard in sorted(closed))


def enqueue(street: Street, each: Judged, changes: Sequence[Change], *, plan_name: str = "", existing: bool = False) -> int:
    """Approve *changes* of one target; makes the tag or list first where the platform has none. Raises PlatformError, and
    PlanGone when somebody else made it meanwhile and put people there."""
    state = each.state
    made = _make(street, each) if state.remote is None and any(c.op is Op.ADD for c in changes) else None
    now = street.clock.now()
    with street.store.transaction() as db:
        if made:                                    # together with the letters: a death before leaves the plan as it was
            memberships.set_remote(db, state.id, made.id)
        decision = "keep" if existing else {Existing.KEEP: "keep", Existing.ADOPT: "adopt"}.get(each.spec.existing)
        if decision and state.existing != decision:
            memberships.set_existing(db, state.id, decision, now)
        memberships.set_applied(db, state.id, each.rule, now)
        letters = [(c.op, c.profile, ContactId(c.contact)) for c in changes]
        count = outbox.enqueue(db, state.id, letters, now, first=state.applied is None)
        db.execute("update plans set handed_over = json_insert(handed_over, '$[#]', ?) where id = ?", (each.key, plan_name))
        crash_point("enqueue.before_commit")
    return count


def _make(street: Street, each: Judged) -> RemoteTarget:
    """Make the tag or list, and look at it: `create` finds what somebody made since we looked, and that is first contact."""
    source = street.sources[each.spec.connection]
    remote = source.connector.create(each.spec.kind, each.spec.name, _audience_of(street, each.state))
    crash_point("enqueue.after_create")
    with street.store.transaction() as db:
        memberships.meet_anew(db, each.state.id)
    why = read_view(street.store, source, replace(each.state, remote=remote), street.clock)
    found = memberships.states(street.store, [each.key])[each.key].found
    if why or found:
        with street.store.transaction() as db:
            memberships.set_remote(db, each.state.id, remote.id)
        raise PlanGone(f"somebody made it since the plan ({why or f'{found:,} members were found there'}); run `segmentd plan` again")
    return remote


def retract(street: Street, each: Judged) -> None:
    """A target that may not move keeps nothing in the outbox that its plan would not ask for now."""
    changes = {(c.profile, c.op) for c in each.plan.changes}
    with street.store.transaction() as db:
        waiting = db.execute(
            "select profile, op, contact from outbox where target = ? and state = 'waiting'", (each.state.id,),
        ).fetchall()
        left = [(Op(op), p, c) for p, op, c in waiting if (p, Op(op)) in changes]
        if len(left) < len(waiting):
            outbox.enqueue(db, each.state.id, left, street.clock.now())


def may_go(each: Judged) -> bool:
    """Whether a plan goes without a person: nothing refuses it and nothing about it is new."""
    return not each.refusals and not each.waits and not each.freeze and each.spec.manage is not Manage.OBSERVE


# --- sending --------------------------------------------------------------------------------------------------------------


def send(street: Street, targets: Collection[int], only: Iterable[str] = ()) -> dict[str, Report]:
    """Send what the outbox holds for *targets* (the store's numbers), every connection at once: connection → what came of it.

    A letter whose target was not judged and let go in this very run stays: what was approved once may be unwanted by now.
    """
    began = street.clock.now()

    def one(source: Source) -> tuple[str, Report]:
        sender = Sender(
            street.store, source, street.clock, street.policy, began, jitter=street.jitter, progress=street.watch.sent,
            targets=targets,
        )
        return source.name, sender.run(street.stopping)

    return dict(together(street, only, one))
