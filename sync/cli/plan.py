"""`plan`, `apply`, `sync`: the reconciling commands."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import click

from connectors.base import Clock
from sync.cli.common import emit, note, opened, options
from sync.cli.show import show_outcome, show_plan
from sync.evaluate.run import Evaluation, evaluate
from sync.ingest.pull import Pulled
from sync.model import ExitCode
from sync.reconcile import run as reconciling
from sync.reconcile.report import plan_report
from sync.reconcile.run import Judged
from sync.runs import recorded
from sync.street import Street, pull, send

COMPLETE = click.option(
    "--complete/--changes-only", default=None, help="Also look at everything that is otherwise looked at once a day (or nothing of it).",
)


@click.command()
@options
@click.option("--segment", "-s", "segments", multiple=True, help="Only targets of this segment (may be repeated).")
@click.option("--platform", "-p", default="", help="Only targets on this connection.")
@click.option("--offline", is_flag=True, help="Do not pull first: plan from what is in the store.")
@COMPLETE
@click.pass_obj
def plan(
    clock: Clock, path: Path | None, as_json: bool, segments: tuple[str, ...], platform: str, offline: bool, complete: bool | None,
) -> int:
    """Pull, evaluate, and show what would change, where, in how many calls. Nothing is written to any platform."""
    with opened(path, clock, progress=not as_json) as street, recorded(street.store, clock, "plan") as record:
        pulled = [] if offline else pull(street, complete=complete)
        wrong = {} if offline else reconciling.look_at_targets(street, complete=complete)
        evaluation, judged = judged_now(street, segments, platform)
        name = reconciling.keep(street, judged, "plan")
        report = plan_report(street, evaluation, judged, name, wrong)
        report["pulled"] = pulled_report(pulled)
        record.end(code_of(street, pulled, judged, {}), {"plan": name, "targets": len(judged)})
    emit(report, as_json, lambda: show_plan(report))
    return record.code


@click.command()
@options
@click.argument("name", default="")
@click.option("--allow", "allowed", multiple=True, metavar="TARGET:GUARD", help="Let one guard of one target through.")
@click.option("--reason", default="", help="Why; kept with the run. Needed with --allow.")
@click.pass_obj
def apply(clock: Clock, path: Path | None, as_json: bool, name: str, allowed: tuple[str, ...], reason: str) -> int:
    """Send what plan NAME (default: the newest) showed and is still wanted, and nothing else."""
    pairs = [_allowed(text) for text in allowed]
    if pairs and not reason:
        raise click.UsageError('--allow needs --reason "why this is meant"; it is kept with the run')
    with opened(path, clock, progress=not as_json) as street, recorded(street.store, clock, "apply") as record:
        approved = reconciling.kept(street, name)
        _refuse_unknown(pairs, approved.targets)
        evaluation, judged = judged_now(street)
        approval = reconciling.approve(street, judged, approved, pairs)
        del evaluation
        sent = send(street)
        outcome = outcome_report(approved.id, approval.enqueued, approval.refused, approval.dropped, sent)
        code = ExitCode.REFUSED if approval.refused else _code_of_sending(street, sent)
        record.end(code, {"plan": approved.id, "allowed": list(allowed), "reason": reason, **totals(sent)})
    emit(outcome, as_json, lambda: show_outcome(outcome))
    return record.code


@click.command()
@options
@click.argument("connections", nargs=-1)
@COMPLETE
@click.pass_obj
def sync(clock: Clock, path: Path | None, as_json: bool, connections: tuple[str, ...], complete: bool | None) -> int:
    """One shot: pull, evaluate, plan, guard, and send to the targets that were applied once before."""
    with opened(path, clock, progress=not as_json) as street, recorded(street.store, clock, "sync") as record:
        if unknown := [name for name in connections if name not in street.sources]:
            raise click.UsageError(f"no connection {unknown[0]!r} in the config; it has {', '.join(street.sources)}")
        outcome, code = sync_once(street, connections, complete=complete)
        record.end(code, {k: outcome[k] for k in ("added", "removed", "dead", "waiting")})
    emit(outcome, as_json, lambda: show_outcome(outcome))
    return record.code


# --- steps ----------------------------------------------------------------------------------------------------------------


def sync_once(
    street: Street, connections: Collection[str] = (), *, complete: bool | None = None, data_may_go: bool = True,
) -> tuple[dict[str, Any], ExitCode]:
    """Pull, look, evaluate, judge, approve what may go by itself, send: what `sync` prints, and the exit code."""
    pulled = pull(street, connections, complete=complete)
    wrong = reconciling.look_at_targets(street, complete=complete)
    evaluation, judged = judged_now(street)
    del evaluation
    waiting, failed, enqueued = {}, {}, {}
    for each in judged:
        if not data_may_go or not reconciling.may_go(each):
            reconciling.retract(street, each)
            if each.plan.changes or each.refusals:
                waiting[each.key] = "; ".join([*(f"guard {r.guard}: {r.reason}" for r in each.refusals), each.waits]).strip("; ")
        else:
            enqueued[each.key] = reconciling.enqueue(street, each, each.plan.changes)
    name = reconciling.keep(street, judged, "sync") if waiting else ""
    sent = send(street, connections)
    outcome = outcome_report(name, enqueued, waiting, failed, sent)
    outcome["problems"] = wrong
    outcome["pulled"] = pulled_report(pulled)
    outcome["withheld"] = {j.key: dict(j.plan.withheld) for j in judged if j.plan.withheld}
    code = code_of(street, pulled, [], sent)
    return outcome, ExitCode.REFUSED if waiting and code is ExitCode.OK else code


def judged_now(street: Street, segments: Collection[str] = (), platform: str = "") -> tuple[Evaluation, list[Judged]]:
    """Evaluate, then judge the targets."""
    evaluation = evaluate(street.store, street.config, street.sources, street.clock.now())
    for name, why in evaluation.result.failures.items():
        note(f"segment {name} failed and keeps its last members: {why}")
    return evaluation, reconciling.judge_targets(street, evaluation, only=segments, platform=platform)


def _allowed(text: str) -> tuple[str, str]:
    target, colon, guard = text.rpartition(":")
    if not colon or not target or not guard:
        raise click.UsageError(f"--allow takes TARGET:GUARD, for example winback/mailchimp/tag:removes, not {text!r}")
    return target, guard


def _refuse_unknown(pairs: Collection[tuple[str, str]], targets: Mapping[str, object]) -> None:
    import difflib

    for target, _ in pairs:
        if target not in targets:
            near = difflib.get_close_matches(target, targets, 1)
            raise click.UsageError(f"the plan has no target {target!r}" + (f"; did you mean {near[0]!r}?" if near else ""))


# --- results --------------------------------------------------------------------------------------------------------------


def pulled_report(pulled: Collection[Pulled]) -> list[dict[str, Any]]:
    return [
        {"connection": p.connection, "stream": p.stream, "rows": p.rows, "new": p.new, "error": p.error, "off": p.off}
        for p in pulled
    ]


def totals(sent: Mapping[str, Any]) -> dict[str, int]:
    """Changes confirmed, given up and waiting, and calls, over all connections."""
    names = ("added", "removed", "already", "dead", "waiting", "calls")
    return {name: sum(getattr(report, name) for report in sent.values()) for name in names}


def outcome_report(
    name: str, enqueued: Mapping[str, int], waiting: Mapping[str, str], dropped: Mapping[str, int], sent: Mapping[str, Any],
) -> dict[str, Any]:
    """What `apply` and `sync` print."""
    return {
        "plan": name, **totals(sent), "changes": totals(sent)["added"] + totals(sent)["removed"],
        "targets": dict(enqueued), "refused": dict(waiting), "dropped": dict(dropped),
        "stopped": {c: list(report.stopped.values()) for c, report in sent.items() if report.stopped},
        "next": _next(name, waiting, sent),
    }


def _next(name: str, waiting: Mapping[str, str], sent: Mapping[str, Any]) -> str:
    if waiting:
        return f"segmentd plan, then segmentd apply {name}".strip() if not name else f"segmentd plan --offline shows it; segmentd apply {name}"
    return "segmentd status" if any(report.dead or report.waiting for report in sent.values()) else ""


def code_of(street: Street, pulled: Collection[Pulled], judged: Collection[Judged], sent: Mapping[str, Any]) -> ExitCode:
    """The exit code of a run: what failed before what waits."""
    if any(p.error and not p.off for p in pulled) or street.failures:
        return ExitCode.FAILED
    if any(j.refusals for j in judged):
        return ExitCode.REFUSED
    return _code_of_sending(street, sent)


def _code_of_sending(street: Street, sent: Mapping[str, Any]) -> ExitCode:
    numbers = totals(sent)
    if numbers["dead"]:
        return ExitCode.DEAD_LETTERS
    if any(report.stopped for report in sent.values()):
        return ExitCode.FAILED
    return ExitCode.LATER if numbers["waiting"] else ExitCode.OK
