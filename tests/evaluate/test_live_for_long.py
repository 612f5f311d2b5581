"""Memberships that the daemon keeps in the store stay what a full pass says of it, whatever happens: data on time, late, told again
and taken back, people who turn out to be one, sealing, retention, restarts, edited segments, and a clock that steps."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import DAY
from sync.config.model import Config
from sync.evaluate.full_pass import full_pass
from sync.evaluate.live import Live
from sync.evaluate.run import snapshot_of
from sync.language.nodes import Node
from sync.source import origins
from sync.store import segments
from sync.store.sealing import seal
from sync.store.store import Store
from tests.configured import config_in, pulled
from tests.evaluate import worlds
from tests.evaluate.test_tick import LARGE, QUIET, SMALL, counting
from tests.evaluate.test_tick_over_store import FIELDS, HAPPENINGS, WEIGHTS, Town
from tests.language.support import NOW
from tests.store.ground import MEMORY, connected

CONFIG = f"""
version: 1
settings: {{timezone: Europe/Berlin, store: store.db}}
connections:
  mailchimp: {{key: {{env: K}}, audiences: {{de: Shop}}, default_audience: de}}
  hubspot: {{key: {{env: K}}}}
  klaviyo: {{key: {{env: K}}}}
fields: {{{", ".join(f"{name}: {{first_of: [klaviyo.{name}]}}" for name in (*FIELDS, "birthday", "location"))}}}
events: {{order_placed: {{from: klaviyo}}}}
segments: {{first: {{event: order_placed}}, second: {{event: order_placed}}, third: {{event: order_placed}}}}
"""


class House(Town):
    """A store with the daemon's own engine over it, which is started again now and then."""

    def __init__(self, rng: Random, folder: Path) -> None:
        self.folder, self.bare = folder, config_in(folder, CONFIG)
        super().__init__(rng, connected(Store.writer(folder / "store.db")))

    def begin(self) -> None:
        self.kinds = self.rng.sample(list(worlds.LEAVES), 3)    # so that some condition is met often in one life
        self.rules = {name: self.rule_of(name) for name in self.rules}
        with self.store.transaction() as db:
            db.execute("update targets set key = '@mailchimp/de/tag/VIP', audience = 'de', first_met = ?1, viewed = ?1, complete = 1",
                       (NOW,))
        pulled(self.store, self.bare, NOW)
        self.latest = self.now
        self.starts()

    def rule_of(self, name: str) -> Node:
        if name == "third" or self.rng.random() < 0.3:
            return worlds.node_of(counting(self.rng) if name == "first" else worlds.tree(self.rng, 2, ("first",)))
        return worlds.node_of({"any": [worlds.LEAVES[self.rng.choice(self.kinds)](self.rng) for _ in range(2)]})

    @property
    def config(self) -> Config:
        return replace(self.bare, segments={name: replace(self.bare.segments[name], rule=rule) for name, rule in self.rules.items()})

    def starts(self) -> None:
        self.live = Live(self.store, self.config, origins(self.bare, self.store))
        self.is_evaluated()

    def tick(self) -> None:
        self.live.tick(self.now)
        self.latest = max(self.latest, self.now)

    def agree(self) -> None:
        """As of the latest moment that was asked about: the clock may have gone back since."""
        sources = origins(self.bare, self.store)
        result = full_pass(snapshot_of(self.store, self.config, sources, self.rules.values()), self.rules, self.latest)
        standing = segments.standing(self.store)
        for name in self.rules:
            held = standing.get(name)
            assert ((held.failure if held else None) or "") == result.failures.get(name, ""), name
            if held is not None and name in result.members:
                assert held.members.tolist() == np.flatnonzero(result.members[name]).tolist(), name

    # --- what may happen besides

    def starts_again(self) -> None:
        """The process ends and another begins; its clock may stand elsewhere, but never before what was answered."""
        self.store.close()
        self.store = Store.writer(self.folder / "store.db")
        self.now = max(self.now, self.latest)
        self.starts()

    def is_evaluated(self) -> None:
        """A run, as on the schedule."""
        self.live.evaluation(self.config, self.now)
        self.latest = max(self.latest, self.now)

    def is_edited(self) -> None:
        name = self.rng.choice(["first", "second", "third"])
        self.rules = {**self.rules, name: self.rule_of(name)}
        self.is_evaluated()

    def clock_steps(self) -> None:
        self.now += self.rng.choice([*SMALL, *LARGE, -DAY, -40 * DAY])

    def comes_due(self) -> None:
        due = self.live.next_due
        if due is not None:
            self.now = min(max(due, self.latest), self.latest + 31 * DAY) + self.rng.choice([-1, 0, 1])

    def is_let_go(self) -> None:
        """Events are kept for a while only."""
        seal(self.store, lambda name: {("price",)}, {self.rng.choice(["order_placed", "page_viewed"]): 20 * DAY}, self.now)


MORE: tuple[Callable[[House], None], ...] = (
    House.starts_again, House.is_evaluated, House.is_edited, House.clock_steps, House.comes_due, House.is_let_go,
)


def live(seed: int, steps: int) -> None:
    happenings: list[Callable[[Any], None]] = [*HAPPENINGS, *MORE]
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        house = House(Random(seed), Path(folder))
        try:
            house.agree()
            for _ in range(steps):
                for happening in house.rng.choices(happenings, (*WEIGHTS, 2, 2, 2, 2, 5, 1), k=house.rng.choice([1, 2, 4])):
                    happening(house)
                house.tick()
                house.agree()
        finally:
            house.store.close()


@settings(max_examples=10, deadline=None, derandomize=True, database=None, suppress_health_check=QUIET)
@given(seed=st.integers(0, 2**32))
def test_the_daemons_memberships_follow_whatever_happens(seed: int) -> None:
    live(seed, 8)


@pytest.mark.campaign
@settings(max_examples=1000, deadline=None, suppress_health_check=QUIET)
@given(seed=st.integers(0, 2**32))
def test_the_daemons_memberships_follow_for_long(seed: int) -> None:
    live(seed, 30)
