"""Guards at their boundaries: one less, exactly, one more."""

from __future__ import annotations

from fractions import Fraction

import pytest

from connectors.base import Op
from sync.config.model import Existing, Guards, Threshold
from sync.reconcile.guard import judge
from sync.reconcile.plan import Change, Plan
from tests.reconcile.platform import pid

GUARDS = Guards(removes=Threshold(Fraction(1, 5), 50, 30), adds=Threshold(Fraction(1, 2), 50, 60))


def made(adds: int, removes: int, base: int, *, first_fill: bool = False) -> Plan:
    def some(op: Op, count: int) -> tuple[Change, ...]:
        return tuple(Change(n, pid(n), op) for n in range(count))

    return Plan("vip/toy/tag", some(Op.ADD, adds), some(Op.REMOVE, removes), base, 0, 0, 0, 0, 0, 0, True, first_fill)


def refused(plan: Plan, existing: Existing = Existing.KEEP, decided: str | None = "keep", found: int = 0) -> list[str]:
    return [refusal.guard for refusal in judge(plan, GUARDS, existing, decided, found)]


@pytest.mark.parametrize(("count", "base", "expected"), [
    (19, 100, []), (20, 100, []), (21, 100, ["removes"]),           # a fifth of 100
    (10, 50, []), (11, 50, ["removes"]),                            # the share counts from 50 members up
    (11, 49, []), (30, 49, []), (31, 49, ["removes"]),              # below that only at_most does
    (29, 10_000, []), (30, 10_000, []), (31, 10_000, ["removes"]),
    (10, 52, []), (11, 54, ["removes"]), (11, 55, []),              # exact: 10.8 is less than 11, 11 is not more than 11
])
def test_the_guard_of_removes_lets_through_exactly_its_share_and_at_most(count: int, base: int, expected: list[str]) -> None:
    assert refused(made(0, count, base)) == expected


@pytest.mark.parametrize(("count", "base", "expected"), [
    (49, 100, []), (50, 100, []), (51, 100, ["adds"]), (25, 50, []), (26, 50, ["adds"]), (26, 49, []), (60, 49, []),
    (61, 49, ["adds"]), (60, 1000, []), (61, 1000, ["adds"]),
])
def test_the_guard_of_adds_lets_through_exactly_its_share_and_at_most(count: int, base: int, expected: list[str]) -> None:
    assert refused(made(count, 0, base)) == expected


def test_on_a_first_fill_the_share_of_adds_does_not_count_and_at_most_does() -> None:
    assert refused(made(60, 0, 60, first_fill=True)) == []
    assert refused(made(61, 0, 60, first_fill=True)) == ["adds"]
    assert refused(made(0, 20, 60, first_fill=True)) == ["removes"]


def test_both_guards_refuse_on_their_own() -> None:
    assert refused(made(51, 21, 100)) == ["removes", "adds"]
    assert refused(made(50, 21, 100)) == ["removes"]


def test_a_refusal_names_numbers_and_threshold() -> None:
    (share,) = judge(made(0, 21, 100), GUARDS, Existing.KEEP, "keep", 0)
    assert share.reason == "21 removes of 100 members: at most 20% are let through from 50 members up"
    (most,) = judge(made(61, 0, 1000), GUARDS, Existing.KEEP, "keep", 0)
    assert most.reason == "61 adds of 1,000 members: at most 60 are let through"
    odd = Guards(removes=Threshold(Fraction(1, 8), 1, 500))
    assert "at most 12.5% are" in judge(made(0, 100, 100), odd, Existing.KEEP, "keep", 0)[0].reason


@pytest.mark.parametrize(("existing", "decided", "found", "expected"), [
    (Existing.ASK, None, 3, ["existing"]), (Existing.ASK, None, 0, []), (Existing.ASK, "keep", 3, []),
    (Existing.KEEP, None, 3, []), (Existing.ADOPT, None, 3, []),
])
def test_members_found_at_first_contact_are_asked_about_once(
    existing: Existing, decided: str | None, found: int, expected: list[str],
) -> None:
    assert refused(made(1, 0, found), existing, decided, found) == expected


def test_a_plan_without_changes_asks_nothing() -> None:
    assert refused(made(0, 0, 3), Existing.ASK, None, 3) == []
