"""The tick over a real store: what transactions did is heard, and memberships stay what a full pass says."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import Consent, ConsentState, Event, EventName, Profile, ProfileId
from sync.evaluate.following import StoreSource
from sync.evaluate.from_store import StoreSnapshot
from sync.evaluate.full_pass import full_pass
from sync.evaluate.tick import TickEngine
from sync.language.needs import needs
from sync.store import changes, people
from sync.store.fields import FieldSource
from sync.store.sealing import seal
from sync.store.store import Store
from tests.evaluate import worlds
from tests.evaluate.test_tick import QUIET, SMALL, counting
from tests.language.support import NOW
from tests.store.ground import event, new_store, profile, tell, write

KNOWN = {name: EventName(name) for name in ("order_placed", "order_refunded", "email_opened", "page_viewed")}
FIELDS = ("country", "plan", "points", "postcode", "day", "flag", "tags", "lines", "other")
WATCHED = {1: ("mailchimp", "de", "tag", "VIP")}


class Town:
    """A store in which things happen, and an engine that follows."""

    def __init__(self, rng: Random, store: Store) -> None:
        self.rng, self.store, self.now, self.told = rng, store, NOW, 0
        self.rules = {"first": worlds.node_of(counting(rng)), **{
            name: worlds.node_of(worlds.tree(rng, 2, ("first",))) for name in ("second", "third")
        }}
        with store.transaction() as db:
            db.execute("insert into targets (id, key, connection, audience, kind, name) values (1, '@watched', 1, '', 'tag', 'VIP')")
        for _ in range(3):
            self.appears()
        self.begin()

    def begin(self) -> None:
        changes.listen(self.store)
        self.source = StoreSource(self.snapshot)
        self.engine = TickEngine(self.source, self.rules, self.now)

    def snapshot(self) -> StoreSnapshot:
        paths = {path for rule in self.rules.values() for path in needs(rule).fields}
        sources = {path: [FieldSource(3, path, neutral=True)] for path in paths}
        return StoreSnapshot(self.store, sources, WATCHED)

    def tick(self) -> None:
        with self.source.changes(self.engine.properties) as heard:
            self.engine.advance(self.now, heard)

    def agree(self) -> None:
        result = full_pass(self.snapshot(), self.rules, self.engine.frontier.now)
        assert dict(self.engine.failures) == dict(result.failures)
        for name, mask in result.members.items():
            assert self.engine.members[name].tolist() == mask.tolist(), name

    # --- what may happen

    def appears(self) -> None:
        self.told += 1
        self._write(self.rng.choice([2, 3]), f"p{self.told}")

    def is_told_again(self) -> None:
        self._write(self.rng.choice([2, 3]), self._somebody())

    def _write(self, connection: int, name: str, **more: Any) -> None:
        held = worlds.fields(self.rng)
        fields = {key: str(value) if key == "points" else value for key, value in held.items() if key in FIELDS}
        consents = {
            channel: Consent(channel, ConsentState(self.rng.choice(["granted", "withdrawn", "unknown"])), "", self.rng.random() < 0.2)
            for channel in ("email", "sms")
        }
        email = f"{name}@example.com" if self.rng.random() < 0.8 else f"{self._somebody()}@example.com"
        made: Profile = profile(name, email, fields, consent=tuple(consents.values()), **more)
        write(self.store, connection, made, names=KNOWN)
        with self.store.transaction() as db:
            people.settle(db, connection, self.now)

    def _somebody(self) -> str:
        return f"p{self.rng.randint(1, self.told)}"

    def happens(self) -> None:
        rows = [self._event(f"e{self.rng.randint(0, 40)}") for _ in range(self.rng.choice([1, 3]))]
        tell(self.store, 3, *rows, names=KNOWN)

    def _event(self, source: str) -> Event:
        made = worlds.event(self.rng, self.rng.choice(["EUR", "EUR", "USD"]))
        properties = {name: str(value) if name == "value" else value for name, value in made.properties.items()}
        ago = self.rng.choice([0, 0, 90_000, 90_000, 7_200_000, 5 * worlds.DAY, 30 * worlds.DAY])
        at = self.now - ago + self.rng.choice([0, 1, -500, 900])
        return event(source, made.type, at, properties=properties, profile=ProfileId(self._somebody()),
                     mutable=self.rng.random() < 0.5, removed=self.rng.random() < 0.1)

    def is_gone(self) -> None:
        with self.store.transaction() as db:
            people.mark_gone(db, self.rng.choice([2, 3]), [ProfileId(self._somebody())], self.now)

    def is_absorbed(self) -> None:
        one, other = self._somebody(), self._somebody()
        self._write(self.rng.choice([2, 3]), one, absorbed=[other])

    def is_tagged(self) -> None:
        write(self.store, 1, profile(self._somebody(), f"{self._somebody()}@example.com"), names=KNOWN)
        with self.store.transaction() as db:
            for name in {self._somebody(), self._somebody()}:
                db.execute("delete from members where profile = ?", (name,))
                if self.rng.random() < 0.7:
                    db.execute("insert or replace into members values (1, ?, ?)", (name, self.now))

    def permits_otherwise(self) -> None:
        """Consent alone is another."""
        with self.store.transaction() as db:
            state = self.rng.choice(["granted", "withdrawn", "unknown"])
            db.execute("update consents set state = ?, at = ? where profile = ?", (state, self.now, self._somebody()))

    def is_sealed(self) -> None:
        seal(self.store, lambda name: {("price",)}, {}, self.now)

    def is_rolled_back(self) -> None:
        class Stop(Exception):
            pass

        def breaks_off() -> None:
            with self.store.transaction() as db:
                db.execute("delete from events")
                db.execute("update profiles set fields = '{}'")
                raise Stop

        with pytest.raises(Stop):
            breaks_off()

    def time_passes(self) -> None:
        self.now += self.rng.choice(SMALL)


HAPPENINGS: tuple[Callable[[Town], None], ...] = (
    Town.happens, Town.is_told_again, Town.appears, Town.is_gone, Town.is_absorbed, Town.is_tagged, Town.is_sealed, Town.is_rolled_back,
    Town.time_passes, Town.permits_otherwise,
)
WEIGHTS = (12, 4, 2, 1, 1, 2, 1, 1, 6, 2)


def live(seed: int, steps: int) -> None:
    with new_store() as store:
        town = Town(Random(seed), store)
        town.agree()
        for _ in range(steps):
            for happening in town.rng.choices(HAPPENINGS, weights=WEIGHTS, k=town.rng.choice([1, 2, 4])):
                happening(town)
            town.tick()
            town.agree()


@settings(max_examples=15, deadline=None, derandomize=True, database=None, suppress_health_check=QUIET)
@given(seed=st.integers(0, 2**32))
def test_memberships_follow_the_store(seed: int) -> None:
    live(seed, 8)


@pytest.mark.campaign
@settings(max_examples=1000, deadline=None, suppress_health_check=QUIET)
@given(seed=st.integers(0, 2**32))
def test_memberships_follow_the_store_for_long(seed: int) -> None:
    live(seed, 30)
