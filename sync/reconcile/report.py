"""A plan as data: what `plan`, `apply` and `sync` show, the same for people and programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from connectors.base import Batch
from sync.evaluate.run import Evaluation
from sync.reconcile.guard import Refusal
from sync.reconcile.plan import Plan
from sync.reconcile.run import Judged
from sync.street import Street, age_of_data

SECONDS_PER_CALL = 2.0                              # a large membership write takes a platform some seconds


def plan_report(
    street: Street, evaluation: Evaluation, judged: Sequence[Judged], name: str, wrong: dict[str, str],
) -> dict[str, Any]:
    """Accounts and age of data, then per target the numbers, refusals with the way through, calls, and the next command."""
    ages = age_of_data(street)
    calls = sum(calls_of(j.plan, street.sources[j.spec.connection].capabilities.batch) for j in judged)
    return {
        "plan": name,
        "connections": {
            c: {"account": (street.store.account(c) or ("", ""))[0], "name": (street.store.account(c) or ("", ""))[1],
                "data_age_ms": ages.get(c), "failure": street.failures.get(c, "")} for c in street.sources
        },
        "targets": [_target(evaluation, each, name) for each in judged],
        "problems": wrong,
        "calls": calls,
        "minutes": round(calls * SECONDS_PER_CALL / 60, 1),
        "next": next_command(judged, name),
    }


def _target(evaluation: Evaluation, each: Judged, name: str) -> dict[str, Any]:
    p = each.plan
    return {
        "target": p.target, "name": each.spec.name, "members": p.base, "desired": p.desired, "add": len(p.adds),
        "remove": len(p.removes), "barred": p.barred, "missing": p.missing, "frozen": p.frozen, "foreign": p.foreign,
        "complete": p.complete, "withheld": dict(p.withheld),
        "waits": each.waits if p.changes or each.state.applied is None else "", "frozen_because": each.freeze,
        "refusals": [_refusal(evaluation, each, refusal, name) for refusal in each.refusals],
    }


def _refusal(evaluation: Evaluation, each: Judged, refusal: Refusal, name: str) -> dict[str, Any]:
    return {
        "guard": refusal.guard, "reason": refusal.reason,
        "leavers_fail": leavers_fail(evaluation, each) if refusal.guard == "removes" else "",
        "rests_on": list(evaluation.grounds[each.spec.segment].sources), "command": way_through(name, each.key, guards_of(each)),
    }


def way_through(name: str, target: str, guards: Iterable[str]) -> str:
    """The exact command that carries *target* of plan *name* out: it names every one of the *guards* that refuse it."""
    allowed = "".join(f" --allow {target}:{guard}" for guard in sorted(guards))
    return f"segmentd apply {name}" + (f'{allowed} --reason "…"' if allowed else "")


def guards_of(each: Judged) -> list[str]:
    """The guards that refuse a target."""
    return [refusal.guard for refusal in each.refusals]


def leavers_fail(evaluation: Evaluation, each: Judged) -> str:
    """The condition that most of those who would be removed do not meet, with the count; "" when none is."""
    leavers = np.array([c.contact for c in each.plan.removes if c.contact >= 0], np.int64)
    failed = evaluation.result.failed_condition(each.spec.segment, leavers) if len(leavers) else None
    return f"{failed.condition} ({failed.failing} of {failed.asked})" if failed else ""


def calls_of(plan: Plan, batch: Batch) -> int:
    """The fewest calls that the platform's batches allow."""
    adds, removes = len(plan.adds), len(plan.removes)
    if batch.shared:
        return -(-(adds + removes) // batch.adds)
    a, r = -(-adds // batch.adds), -(-removes // batch.removes)
    return max(a, r) if batch.together else a + r


def next_command(judged: Sequence[Judged], name: str) -> str:
    """What to type next."""
    moving = [j for j in judged if (j.plan.changes or j.state.applied is None) and not j.freeze]
    if not moving:
        return "nothing to apply"
    if all(j.refusals for j in moving):
        return way_through(name, moving[0].key, guards_of(moving[0]))
    return f"segmentd apply {name}"
