"""The tick says what a full pass says, and the oracle, after any history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.evaluate.full_pass import full_pass
from sync.evaluate.tick import Diff, TickEngine
from sync.language.nodes import Node
from sync.language.rank import Population
from sync.language.values import RuleFailure
from tests.evaluate import worlds
from tests.evaluate.histories import World
from tests.language.support import NOW

QUIET = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)
SMALL = (0, 1, 1, 500, 999, 20_000, 90_000 - 1, 90_000, 600_000, -1)
LARGE = (3_600_000, 7_200_000, 86_400_000, 7 * 86_400_000, 30 * 86_400_000, -3_600_000)


def rules_of(rng: Random, counts: bool = False) -> dict[str, Node]:
    tree = counting if counts else worlds.tree
    return {
        "first": worlds.node_of(tree(rng)), "second": worlds.node_of(worlds.tree(rng, 2, ("first",))),
        "third": worlds.node_of(worlds.tree(rng, 1, ("first", "second"))),
    }


def counting(rng: Random) -> worlds.Rule:
    """A rule of conditions that a tick keeps counters for."""
    kinds = ("event", "event: within", "event: ago", "event: older_than", "event: count", "event: sum", "event: average")
    return {"any": [worlds.LEAVES[rng.choice(kinds)](rng) for _ in range(3)]}


def agree(engine: TickEngine, world: World) -> None:
    """What the engine says is what a full pass says."""
    result = full_pass(world.whole(), world.rules, engine.frontier.now)
    assert dict(engine.failures) == dict(result.failures)
    for name in result.members:
        assert engine.members[name].tolist() == result.members[name].tolist(), name


def oracle_agrees(engine: TickEngine, world: World) -> None:
    for name, node in world.rules.items():
        people = Population([replace(person, rules=world.rules) for person in world.people], world.dead).people
        try:
            asked = [node.matches(person, engine.frontier.now) if who not in world.dead else False for who, person in enumerate(people)]
        except RuleFailure:
            assert name in engine.failures
        else:
            assert engine.members[name].tolist() == asked


def applied(members: Mapping[str, set[int]], diff: Diff) -> dict[str, set[int]]:
    """Memberships after a diff."""
    came = {name: set(who.tolist()) for name, who in diff.entered.items()}
    went = {name: set(who.tolist()) for name, who in diff.left.items()}
    return {name: (members.get(name, set()) - went.get(name, set())) | came.get(name, set()) for name in {*members, *diff.segments}}


def live(rng: Random, steps: int, counts: bool = False) -> None:
    """A life of *steps*, compared after each."""
    world = World(rng, rng.choice([1, 3, 6]), rules_of(rng, counts))
    now, strides = NOW, rng.choice([SMALL, SMALL, (*SMALL, *LARGE)])
    engine = TickEngine(world, world.rules, now)
    agree(engine, world)
    told = {name: set(np.flatnonzero(mask).tolist()) for name, mask in engine.members.items()}
    for _ in range(steps):
        due = engine.next_due
        now = now + rng.choice(strides) if rng.random() < 0.7 or due is None else min(due, now + 31 * worlds.DAY) + rng.choice([-1, 0, 1])
        what = rng.random()
        if what < 0.06:
            world.use(rules_of(rng, counts))
            told = applied(told, engine.adopt(world.rules))
        elif what < 0.1:
            kept = {name: mask.copy() for name, mask in engine.members.items()}
            engine = TickEngine(world, world.rules, max(now, engine.frontier.now), standing=kept)
            told = applied(told, engine.start)
        changes = world.step(now, engine.properties) if rng.random() < 0.7 else None
        before = engine.frontier.now
        diff = engine.advance(now, changes, world.recording(max(before, now)))
        assert engine.frontier.now == max(before, now)
        agree(engine, world)
        told = applied(told, diff)
        assert {name: set(np.flatnonzero(mask).tolist()) for name, mask in engine.members.items()} == {
            name: told.get(name, set()) for name in engine.members
        }
    oracle_agrees(engine, world)


@settings(max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=QUIET)
@given(seed=st.integers(0, 2**32), counts=st.booleans())
def test_the_tick_says_what_a_full_pass_says_after_any_history(seed: int, counts: bool) -> None:
    live(Random(seed), 10, counts)


@pytest.mark.campaign
@settings(max_examples=5_000, deadline=None, suppress_health_check=QUIET)
@given(seed=st.integers(0, 2**32), counts=st.booleans())
def test_the_tick_says_what_a_full_pass_says_after_many_histories(seed: int, counts: bool) -> None:
    live(Random(seed), 30, counts)


def test_the_tick_says_what_a_full_pass_says_over_long_lives() -> None:
    for seed in range(6):
        live(Random(seed), 40, counts=seed % 2 == 0)
