"""`plan`, `apply`, `sync`: the reconciling commands."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import click

from connectors.base import Clock
from sync.cli.common import emit, opened, options, read_config, typed, unknown
from sync.cli.show import show_outcome, show_plan
from sync.model import ExitCode
from sync.once import code_of, code_of_applying, judged_now, outcome_report, pulled_report, sync_once, totals
from sync.reconcile import run as reconciling
from sync.reconcile.report import guards_of, plan_report, way_through
from sync.reconcile.run import Approval, KeptPlan, PlanGone
from sync.runs import recorded
from sync.store.store import Store
from sync.street import check_accounts, pull

GUARDS = ("adds", "existing", "removes")
COMPLETE = click.option(
    "--complete/--changes-only", default=None, help="Look at everything now, not once a day (or at nothing of it).",
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
    if offline and complete is not None:
        raise click.UsageError(f"--offline looks at no platform; leave out {'--complete' if complete else '--changes-only'}")
    config = read_config(path)
    if not config.families:
        _refuse_unknown("segment", segments, config.segments)
    _refuse_unknown("connection", [platform] if platform else [], config.connections)
    with opened(config, clock, progress=True) as street, recorded(street.store, clock, "plan") as record:
        pulled = [] if offline else pull(street, complete=complete)
        wrong = {} if offline else reconciling.look_at_targets(street, complete=complete)
        evaluation, judged = judged_now(street, segments, platform)
        _refuse_unknown("segment", segments, street.config.segments)
        name = reconciling.keep(street, judged, "plan")
        report = plan_report(street, evaluation, judged, name, wrong)
        report["pulled"] = pulled_report(pulled)
        report["waiting"] = {n: g.waiting for n, g in evaluation.grounds.items() if g.waiting and (not segments or n in segments)}
        if offline and report["waiting"] and not report["targets"]:
            report["next"] = "segmentd plan"
        code = ExitCode.FAILED if wrong else code_of(street, pulled, judged, {})
        record.end(code, {"plan": name, "targets": len(judged), "unused": list(street.failures)})
    _typable(report)
    emit(report, as_json, lambda: show_plan(report))
    return record.code


@click.command()
@options
@click.argument("name", default="", metavar="[PLAN]")
@click.option("--allow", "allowed", multiple=True, metavar="TARGET:GUARD", help="Let one guard of one target through.")
@click.option("--reason", default="", help="Why; kept with the run. Needed with --allow.")
@click.pass_obj
def apply(clock: Clock, path: Path | None, as_json: bool, name: str, allowed: tuple[str, ...], reason: str) -> int:
    """Send what PLAN (default: the newest that `segmentd plan` showed) said and is still wanted, and nothing else."""
    pairs = [_allowed(text) for text in allowed]
    if pairs and not reason.strip():
        raise click.UsageError('--allow needs --reason "why this is meant"; it is kept with the run')
    with opened(read_config(path), clock, progress=True) as street:
        approved = reconciling.kept(street, name or _newest_shown(street.store))
        _refuse_unknown_targets(pairs, approved.targets)
        with recorded(street.store, clock, "apply") as record:
            check_accounts(street)
            _, judged = judged_now(street)
            approval = reconciling.approve(street, judged, approved, pairs)
            sent = reconciling.send(street, approval.sendable)
            ways = {j.key: _way(approved, approval, j) for j in judged if j.key in approval.refused}
            outcome = outcome_report(approved.id, approval.enqueued, approval.refused, approval.dropped, sent, ways)
            outcome["problems"] = street.failures | dict(approval.failed)
            code = code_of_applying(street, approval, sent)
            said = {"plan": approved.id, "allowed": list(allowed), "reason": reason}
            record.end(code, {**said, **totals(sent), "unused": list(street.failures)})
    _typable(outcome)
    emit(outcome, as_json, lambda: show_outcome(outcome))
    return record.code


@click.command()
@options
@click.argument("connections", nargs=-1)
@COMPLETE
@click.pass_obj
def sync(clock: Clock, path: Path | None, as_json: bool, connections: tuple[str, ...], complete: bool | None) -> int:
    """One shot: pull, evaluate, plan, guard, and send to the targets that were applied once before."""
    config = read_config(path)
    _refuse_unknown("connection", connections, config.connections)
    with opened(config, clock, progress=True) as street, recorded(street.store, clock, "sync") as record:
        outcome, code = sync_once(street, connections, complete=complete)
        numbers = {k: outcome[k] for k in ("added", "removed", "dead", "waiting")}
        record.end(code, {**numbers, "unused": list(street.failures)})
    _typable(outcome)
    emit(outcome, as_json, lambda: show_outcome(outcome))
    return record.code


# --- the command line ----------------------------------------------------------------------------------------------------


def _allowed(text: str) -> tuple[str, str]:
    target, colon, guard = text.rpartition(":")
    if not colon or not target or guard not in GUARDS:
        raise click.UsageError(
            f"--allow takes TARGET:GUARD, for example winback/mailchimp/tag:removes, not {text!r}; guards are {', '.join(GUARDS)}"
        )
    return target, guard


def _refuse_unknown(what: str, named: Collection[str], known: Mapping[str, object]) -> None:
    for name in named:
        if name not in known:
            raise unknown(what, name, known)


def _newest_shown(store: Store) -> str:
    """The newest plan that a person was shown; those that `sync` and `run` keep are applied by name only."""
    row = store.one("select id from plans where command = 'plan' order by made desc, id desc limit 1")
    if row is None:
        raise PlanGone("there is no plan yet; `segmentd plan` makes one")
    return str(row[0])


def _refuse_unknown_targets(pairs: Collection[tuple[str, str]], targets: Mapping[str, object]) -> None:
    import difflib

    for target, _ in pairs:
        if target not in targets:
            near = difflib.get_close_matches(target, targets, 1)
            raise click.UsageError(f"the plan has no target {target!r}" + (f"; did you mean {near[0]!r}?" if near else ""))


# --- what to type next ---------------------------------------------------------------------------------------------------


def _way(approved: KeptPlan, approval: Approval, each: reconciling.Judged) -> str:
    """How a target goes through that this apply refused: by the guards that closed it, else by a new plan."""
    if not approval.refused[each.key].startswith("guard "):
        return "segmentd plan"
    return way_through(approved.id, each.key, {*approved.targets[each.key]["guards"], *guards_of(each)})


def _typable(report: dict[str, Any]) -> None:
    """Make every command in *report* work as it stands: with the --config given here."""
    for target in report["targets"] if isinstance(report["targets"], list) else ():
        for refusal in target["refusals"]:
            refusal["command"] = typed(refusal["command"])
    report["next"] = typed(report["next"])
    if "ways" in report:
        report["ways"] = {target: typed(way) for target, way in report["ways"].items()}


