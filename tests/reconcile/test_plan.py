"""The plan is pure: what it may do, whatever the world looks like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import Op, ProfileId
from sync.config.model import Manage
from sync.model import ContactId
from sync.reconcile.plan import Caution, Plan, Standing, View, plan
from tests.reconcile.platform import pid

PEOPLE = 8
pure = settings(max_examples=60, derandomize=True, deadline=None, database=None)
contacts = st.frozensets(st.integers(0, PEOPLE - 1).map(ContactId))


@dataclass(frozen=True)
class World:
    desired: frozenset[ContactId]
    view: View
    owned: frozenset[ProfileId]
    standing: Standing
    manage: Manage = Manage.OURS
    caution: Caution = field(default_factory=Caution)

    def plan(self) -> Plan:
        return plan("t", self.desired, self.view, self.owned, self.standing, self.manage, caution=self.caution)

    @property
    def wanted(self) -> frozenset[ContactId]:
        out = self.standing.barred if self.standing.granted is None else self.standing.barred | (self.desired - self.standing.granted)
        return (self.desired - out) & self.standing.reachable.keys()


@st.composite
def worlds(draw: st.DrawFn, complete: bool | None = None) -> World:
    members: dict[ProfileId, ContactId | None] = {pid(n): ContactId(n) for n in draw(contacts)}
    for stranger in range(draw(st.integers(0, 2))):
        members[ProfileId(f"stranger{stranger}")] = None
    whole = draw(st.booleans()) if complete is None else complete
    absent = draw(contacts) - {c for c in members.values() if c is not None}
    view = View(members, whole, None if whole else absent)
    standing = Standing(
        draw(contacts), draw(contacts), {c: pid(c) for c in draw(contacts)},
        draw(st.none() | contacts),
    )
    owned = frozenset(draw(st.sets(st.sampled_from(sorted(members))))) if members else frozenset()
    return World(draw(contacts), view, owned, standing, draw(st.sampled_from(Manage)))


def after(world: World, made: Plan) -> set[ProfileId]:
    return (set(world.view.members) | {c.profile for c in made.adds}) - {c.profile for c in made.removes}


@pure
@given(worlds())
def test_only_what_is_ours_is_ever_removed_unless_the_target_is_exclusive(world: World) -> None:
    removed = {c.profile for c in world.plan().removes}
    assert removed <= set(world.view.members)
    assert world.manage is Manage.EXCLUSIVE or removed <= world.owned


@pure
@given(worlds(complete=False))
def test_a_partial_view_removes_nobody_and_adds_only_who_was_read_absent(world: World) -> None:
    made = world.plan()
    assert made.removes == ()
    assert {c.contact for c in made.adds} <= (world.view.absent or frozenset())


@pure
@given(worlds())
def test_frozen_people_are_neither_added_nor_removed(world: World) -> None:
    assert not {c.contact for c in world.plan().changes} & world.standing.frozen


@pure
@given(worlds())
def test_barred_people_are_never_added(world: World) -> None:
    made = world.plan()
    assert not {c.contact for c in made.adds} & world.standing.barred
    if world.standing.granted is not None:
        assert {c.contact for c in made.adds} <= world.standing.granted


@pure
@given(worlds(complete=True))
def test_barred_people_that_are_ours_are_removed(world: World) -> None:
    world = replace(world, manage=Manage.OURS)
    ours = {p for p, c in world.view.members.items() if c in world.standing.barred - world.standing.frozen and p in world.owned}
    assert ours <= {c.profile for c in world.plan().removes}


@pure
@given(worlds())
def test_the_numbers_add_up(world: World) -> None:
    made = world.plan()
    assert made.desired == made.wanted + made.barred + made.missing
    assert made.base == len(world.view.members)
    assert made.frozen == len(world.desired & world.standing.frozen)
    assert made.missing == len(world.desired - world.wanted) - made.barred


@pure
@given(worlds())
def test_changes_are_sorted_and_name_each_profile_once(world: World) -> None:
    made = world.plan()
    assert list(made.adds) == sorted(made.adds)
    assert list(made.removes) == sorted(made.removes)
    assert len({c.profile for c in made.changes}) == len(made.changes)
    assert {c.op for c in made.adds} <= {Op.ADD}
    assert {c.op for c in made.removes} <= {Op.REMOVE}


@pure
@given(worlds(), st.randoms(use_true_random=False))
def test_equal_inputs_give_equal_plans_whatever_the_order_they_come_in(world: World, random: Random) -> None:
    members, reach = list(world.view.members.items()), list(world.standing.reachable.items())
    random.shuffle(members)
    random.shuffle(reach)
    other = replace(world, view=replace(world.view, members=dict(members)), standing=replace(world.standing, reachable=dict(reach)))
    assert world.plan() == other.plan()


@pure
@given(worlds(complete=True))
def test_carried_out_on_a_complete_view_it_gives_the_truth(world: World) -> None:
    """(desired − barred) ∩ reachable, and members that are not ours; frozen people stay as they were."""
    world = replace(world, manage=Manage.OURS)
    there = after(world, world.plan())
    foreign = {p for p in world.view.members if p not in world.owned}
    for contact in map(ContactId, range(PEOPLE)):
        if contact in world.standing.frozen:
            assert (pid(contact) in there) == (pid(contact) in world.view.members)
        else:
            assert (pid(contact) in there) == (contact in world.wanted or pid(contact) in foreign)


@pure
@given(worlds(complete=True))
def test_an_exclusive_target_ends_with_nobody_else(world: World) -> None:
    world = replace(world, manage=Manage.EXCLUSIVE)
    there = after(world, world.plan())
    frozen = {p for p, c in world.view.members.items() if c in world.standing.frozen}
    assert there == {pid(c) for c in world.wanted - world.standing.frozen} | frozen


@pure
@given(worlds(complete=True))
def test_planning_again_after_carrying_it_out_finds_nothing_to_do(world: World) -> None:
    made = world.plan()
    owned = (world.owned | {c.profile for c in made.adds}) - {c.profile for c in made.removes}
    names: Mapping[ProfileId, ContactId | None] = {**{pid(n): ContactId(n) for n in range(PEOPLE)}, **world.view.members}
    again = replace(world, owned=owned, view=View({p: names[p] for p in after(world, made)}, True))
    assert again.plan().changes == ()


@pure
@given(worlds(), st.sampled_from(["freeze", "keep", "observe", "add_only"]))
def test_caution_holds_back_and_says_how_much(world: World, what: str) -> None:
    free = replace(world, manage=Manage.OURS).plan()
    careful = replace(
        world, manage={"observe": Manage.OBSERVE, "add_only": Manage.ADD_ONLY}.get(what, Manage.OURS),
        caution=Caution(freeze="waiting" if what == "freeze" else "", keep="stale" if what == "keep" else ""),
    ).plan()
    assert careful.removes == ()
    assert careful.adds == (() if what in ("freeze", "observe") else free.adds)
    assert sum(careful.withheld.values()) == len(free.changes) - len(careful.changes) + sum(free.withheld.values())


@pure
@given(worlds(complete=True))
def test_whom_the_platform_refuses_to_remove_is_not_asked_for_again(world: World) -> None:
    stuck = frozenset(list(world.view.members)[:2])
    made = replace(world, standing=replace(world.standing, stuck=stuck)).plan()
    assert not {c.profile for c in made.removes} & stuck
    assert {c.profile for c in made.removes} == {c.profile for c in world.plan().removes} - stuck


@pytest.mark.parametrize("manage", Manage)
def test_a_member_whom_the_segment_wants_stays_whoever_put_them_there(manage: Manage) -> None:
    view = View({pid(1): ContactId(1)}, True)
    standing = Standing(frozenset(), frozenset(), {ContactId(1): pid(1)})
    made = plan("t", frozenset([ContactId(1)]), view, frozenset(), standing, manage)
    assert made.changes == ()
    assert made.foreign == 0
