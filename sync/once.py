"""One run of the street: what `sync` does once and the daemon does on its schedule, and what came of it as data."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from connectors.base import PlatformError
from sync.archiving import seal_when_due
from sync.evaluate.families import refreshed
from sync.evaluate.run import Evaluation, evaluate
from sync.ingest.pull import Pulled
from sync.model import ExitCode, StoreFull
from sync.reconcile import run as reconciling
from sync.reconcile.report import guards_of, way_through
from sync.reconcile.run import Approval, Judged, PlanGone, send
from sync.reconcile.sender import Report
from sync.store import outbox, stepped
from sync.street import Street, pull

Pulling = Callable[[Street, Collection[str], bool | None], list[Pulled]]
Evaluating = Callable[[Street], Evaluation]


def pull_now(street: Street, connections: Collection[str], complete: bool | None) -> list[Pulled]:
    """Pull, and wait for it."""
    return pull(street, connections, complete=complete)


def evaluate_all(street: Street) -> Evaluation:
    """A full pass, over the segments that families have by now, too."""
    street.config = refreshed(street.store, street.config, street.sources, street.clock.now())
    return evaluate(street.store, street.config, street.sources, street.clock.now())


def sync_once(
    street: Street, connections: Collection[str] = (), *, complete: bool | None = None, data_may_go: bool = True,
    pulling: Pulling = pull_now, evaluating: Evaluating = evaluate_all,
) -> tuple[dict[str, Any], ExitCode]:
    """Pull, look, evaluate, judge, approve what may go by itself, send: what `sync` prints, and the exit code.

    *data_may_go*: whether data changes go without a person.
    """
    with street.store.transaction() as db:
        outbox.recover(db)                          # what the run before could not note, where this process lived on
        stepped.disbelieve(db, street.clock.now())
    pulled = pulling(street, connections, complete)
    wrong = reconciling.look_at_targets(street, connections, complete=complete)
    judged = reconciling.judge_targets(street, evaluating(street))
    judged = [each for each in judged if not connections or each.spec.connection in connections]
    outcome, sent = settle(street, judged, wrong, data_may_go, connections)
    outcome["pulled"] = pulled_report(pulled)
    outcome["sealed"] = _sealed(street, outcome["problems"])
    code = ExitCode.FAILED if outcome["problems"] else code_of(street, pulled, [], sent)
    return outcome, ExitCode.REFUSED if outcome["refused"] and code is ExitCode.OK else code


def settle(
    street: Street, judged: Collection[Judged], wrong: Mapping[str, str], data_may_go: bool, connections: Collection[str] = (),
) -> tuple[dict[str, Any], dict[str, Report]]:
    """Let go what may go by itself, except targets with which something is *wrong*, and send it: what came of it, and the reports."""
    enqueued, waiting, failed = _let_go(street, [j for j in judged if j.key not in wrong], data_may_go)
    name = reconciling.keep(street, list(judged), "sync") if waiting else ""
    sent = send(street, {j.state.id for j in judged if j.key in enqueued}, connections)
    ways = {j.key: way_through(name, j.key, guards_of(j)) for j in judged if j.key in waiting}
    outcome = outcome_report(name, enqueued, waiting, {}, sent, ways)
    outcome["problems"] = dict(wrong) | failed
    outcome["withheld"] = {j.key: dict(j.plan.withheld) for j in judged if j.plan.withheld}
    outcome["pulled"] = []
    return outcome, sent


def _sealed(street: Street, problems: dict[str, str]) -> dict[str, Any] | None:
    """What a sealing that was due did, or None; where it could not be done, the *problems* say why: the rest of the run stands."""
    try:
        done = seal_when_due(street)
    except StoreFull as full:
        problems["sealing"] = str(full)
        return None
    return {"events": done.events, "dropped": done.dropped, "files": len(done.written)} if done else None


def _let_go(street: Street, judged: Collection[Judged], data_may_go: bool) -> tuple[dict[str, int], dict[str, str], dict[str, str]]:
    """Hand what may go by itself to the outbox: (changes by target, what waits and why, what could not be made and why)."""
    enqueued: dict[str, int] = {}
    waiting: dict[str, str] = {}
    failed: dict[str, str] = {}
    for each in judged:
        try:
            if data_may_go and reconciling.may_go(each):
                enqueued[each.key] = reconciling.enqueue(street, each, each.plan.changes)
                continue
        except (PlatformError, PlanGone) as error:
            failed[each.key] = str(error)
        reconciling.retract(street, each)
        if each.plan.changes and each.key not in failed:
            waiting[each.key] = why_waiting(each, data_may_go)
    return enqueued, waiting, failed


def why_waiting(each: Judged, data_may_go: bool) -> str:
    """What a person has to decide about a target."""
    reasons = [f"guard {refusal.guard}: {refusal.reason}" for refusal in each.refusals]
    reasons += [each.waits] if each.waits else []
    return "; ".join(reasons or ([] if data_may_go else ["schedule.apply.data is by_hand"]))


def judged_now(street: Street, segments: Collection[str] = (), platform: str = "") -> tuple[Evaluation, list[Judged]]:
    """Evaluate, then judge the targets."""
    evaluation = evaluate_all(street)
    return evaluation, reconciling.judge_targets(street, evaluation, only=segments, platform=platform)


# --- results --------------------------------------------------------------------------------------------------------------


def pulled_report(pulled: Collection[Pulled]) -> list[dict[str, Any]]:
    return [
        {"connection": p.connection, "stream": p.stream, "rows": p.rows, "new": p.new, "error": p.error, "off": p.off}
        for p in pulled
    ]


def totals(sent: Mapping[str, Report]) -> dict[str, int]:
    """Changes confirmed, given up and waiting, and calls, over all connections."""
    names = ("added", "removed", "already", "dead", "waiting", "calls")
    return {name: sum(getattr(report, name) for report in sent.values()) for name in names}


def outcome_report(
    name: str, enqueued: Mapping[str, int], waiting: Mapping[str, str], dropped: Mapping[str, int], sent: Mapping[str, Report],
    ways: Mapping[str, str],
) -> dict[str, Any]:
    """What `apply` and `sync` print. *ways*: target that waits → the command that lets it go."""
    return {
        "plan": name, **totals(sent), "changes": totals(sent)["added"] + totals(sent)["removed"],
        "targets": dict(enqueued), "refused": dict(waiting), "ways": dict(ways), "dropped": dict(dropped),
        "stopped": {c: [*report.stopped.values(), *filter(None, [report.paused])] for c, report in sent.items()
                    if report.stopped or report.paused},
        "next": _next(waiting, ways, sent),
    }


def _next(waiting: Mapping[str, str], ways: Mapping[str, str], sent: Mapping[str, Report]) -> str:
    """What to type next: what waits is looked at first, unless one command lets all of it go."""
    if waiting:
        return next(iter(ways.values())) if set(ways) == set(waiting) and len(set(ways.values())) == 1 else "segmentd plan --offline"
    return "segmentd status" if any(report.dead or report.waiting for report in sent.values()) else ""


def code_of(street: Street, pulled: Collection[Pulled], judged: Collection[Judged], sent: Mapping[str, Report]) -> ExitCode:
    """The exit code of a run: what failed before what waits."""
    if any(p.error and not p.off for p in pulled) or street.failures:
        return ExitCode.FAILED
    if any(j.refusals for j in judged):
        return ExitCode.REFUSED
    return code_of_sending(street, sent)


def code_of_applying(street: Street, approval: Approval, sent: Mapping[str, Report]) -> ExitCode:
    """The exit code of an apply: what failed before what waits."""
    if street.failures or approval.failed:
        return ExitCode.FAILED
    return ExitCode.REFUSED if approval.refused else code_of_sending(street, sent)


def code_of_sending(street: Street, sent: Mapping[str, Report]) -> ExitCode:
    numbers = totals(sent)
    if street.failures:
        return ExitCode.FAILED
    if numbers["dead"]:
        return ExitCode.DEAD_LETTERS
    if any(report.stopped for report in sent.values()):
        return ExitCode.FAILED
    return ExitCode.LATER if numbers["waiting"] else ExitCode.OK
