"""Guards: thresholds that refuse a plan as a whole, before the first call, with the numbers and the way through. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from sync.config.model import Existing, Guards, Threshold
from sync.reconcile.plan import Plan


@dataclass(frozen=True, slots=True)
class Refusal:
    """*guard*: its name in `--allow TARGET:GUARD`; *reason*: the numbers and the threshold, for people."""

    guard: str
    reason: str


def judge(plan: Plan, guards: Guards, existing: Existing, decided: str | None, found: int, filling: int = 0) -> list[Refusal]:
    """Why *plan* may not be carried out; empty when it may.

    *existing*, *decided*, *found*: what the config says about members found at first contact, what was decided, how many
    they were. On a first fill the share of adds does not count, `at_most` does; so with those adds that are left of it: *filling* of them
    are on their way, and to the share they are members already.
    """
    refusals = []
    if plan.changes and found and existing is Existing.ASK and decided is None:
        refusals.append(Refusal("existing", (
            f"{found:,} members were found there at first contact; say `existing: keep` (they stay whoever's they are) or "
            "`existing: adopt` (they become ours and may be removed), or let this plan through: that keeps them"
        )))
    for guard, count, left, threshold in (
        ("removes", len(plan.removes), 0, guards.removes), ("adds", len(plan.adds), filling, guards.adds),
    ):
        reason = over(count, left, plan.base, threshold, share_counts=not (plan.first_fill and guard == "adds"))
        if reason:
            refusals.append(Refusal(guard, f"{count:,} {guard} of {plan.base:,} members: {reason}"))
    return refusals


def over(count: int, left: int, base: int, threshold: Threshold, *, share_counts: bool) -> str:
    """Which bound *count* passes, "" when none: `at_most` always counts, the share from `from` members up, *left* of the count taken for
    members."""
    if count > threshold.at_most:
        return f"at most {threshold.at_most:,} are let through"
    if share_counts and base + left >= threshold.from_ and count - left > threshold.share * (base + left):
        return f"at most {float(threshold.share * 100):g}% are let through from {threshold.from_:,} members up"
    return ""
