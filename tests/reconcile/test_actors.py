"""Us, the platform and a person act in any order; answers get lost and we die. Nobody whom a person put on a target is ever
removed by us, and in the end everybody is where the segment wants them.

The universe is tiny on purpose: with many contacts the few orders that hurt are not met.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from connectors.base import Op
from sync.store import memberships
from tests.reconcile.platform import LONG, Death, Place, pid, place_in

CONTACTS, TARGETS = st.integers(0, 1), st.sampled_from(["a/toy/tag", "b/toy/tag"])
FATES = ("ok", "before", "after", "error", "die before", "die after", "throttled 5")


class Actors(RuleBasedStateMachine):
    """Subclasses say what the platform tells us."""

    tells: ClassVar[dict[str, object]] = {}
    place: Place

    @initialize()
    def open(self) -> None:
        shm = Path("/dev/shm")
        self.folder = Path(tempfile.mkdtemp(dir=shm if shm.is_dir() else None))
        self.place = place_in(self.folder, **self.tells)
        self.place.know(2)
        self.desired: dict[str, set[int]] = {self.place.target("A"): set(), self.place.target("B"): set()}
        self.doubtful: set[tuple[str, str]] = set()

    def teardown(self) -> None:
        if not hasattr(self, "place"):
            return
        try:
            self.settle()
        finally:
            self.place.store.close()
            shutil.rmtree(self.folder)

    # --- what may happen

    @rule(key=TARGETS, contact=CONTACTS)
    def want(self, key: str, contact: int) -> None:
        self.desired[key] ^= {contact}

    @rule(key=TARGETS)
    def approve(self, key: str) -> None:
        self.place.approve(key, self.desired[key])

    @rule(fate=st.sampled_from(FATES), look=st.sampled_from(["ok", "ok", "ok", "error"]))
    def send(self, fate: str, look: str) -> None:
        toy = self.place.toy
        toy.script, toy.looks = [fate], [look]
        toy.looked.clear()
        try:
            self.place.send(batches=2)
        except Death:
            self.place.restart()
        toy.script, toy.looks = [], []
        self.doubtful |= {(key, profile) for key, profile in self.place.store.rows(
            "select t.key, o.profile from outbox o join targets t on t.id = o.target where o.maybe",
        )}

    @rule(key=TARGETS, fault=st.sampled_from(["ok", "ok", "short", "cut", "error"]))
    def list_members(self, key: str, fault: str) -> None:
        self.place.toy.looks = [fault]
        self.place.look(key)
        self.place.toy.looks = []

    @rule(key=TARGETS, contact=CONTACTS)
    def person_adds(self, key: str, contact: int) -> None:
        self.time_passes()
        self.place.toy.person_adds(self.remote(key), pid(contact), fair=self.nobody_could_know(key, contact))
        self.time_passes()

    @rule(key=TARGETS, contact=CONTACTS)
    def person_removes(self, key: str, contact: int) -> None:
        self.place.toy.person_removes(self.remote(key), pid(contact))

    @rule()
    def time_passes(self) -> None:
        self.place.clock.advance(LONG / 1000)

    # --- what must hold

    @invariant()
    def nobody_is_wronged(self) -> None:
        if hasattr(self, "place"):
            assert not self.place.toy.wrongs

    def nobody_could_know(self, key: str, contact: int) -> bool:
        """A person takes somebody off whom we had added, and puts them back before we look: that looks as if nothing had
        happened. And where the platform neither says that an add changed nothing nor can be asked for some members by name, an
        accepted add is ours."""
        ours = pid(contact) in self.place.owned(key)
        state = self.place.state(key)
        waits = self.place.store.one("select op, maybe from outbox where target = ? and profile = ?", state.id, pid(contact))
        removing = waits is not None and waits[0] == Op.REMOVE.value and waits[1]
        withdrawn = self.place.store.one("select 1 from doubts where target = ? and profile = ?", state.id, pid(contact))
        if ours and not removing and not withdrawn:
            return True
        capabilities = self.place.source.capabilities
        return not capabilities.effect_told and not capabilities.lookup

    def remote(self, key: str) -> str:
        remote = self.place.state(key).remote
        assert remote is not None
        return remote.id

    def settle(self) -> None:
        """Fair weather, and as many rounds as it takes."""
        for _ in range(6):
            self.time_passes()
            for key, wanted in self.desired.items():
                if "lists nobody" in self.place.look(key):
                    self.a_person_says_it_is_empty(key)
                self.place.approve(key, wanted)
            self.place.send()
        assert not self.place.toy.wrongs
        assert not self.place.letters()
        for key, wanted in self.desired.items():
            there = self.place.remote(key)
            strangers = {p for p, m in there.items() if m.maker == "person"}
            should = {pid(n) for n in wanted} | strangers
            left = {p for p in set(there) - should if self.forgiven(key, p)}
            assert set(there) - left == should, (key, wanted, there)

    def a_person_says_it_is_empty(self, key: str) -> None:
        with self.place.store.transaction() as db:
            memberships.write_view(db, self.place.state(key).id, [], self.place.clock.now(), self.place.clock.now(), 0)
            memberships.settle(db, self.place.state(key).id, [], [], self.place.clock.now(), 0)

    def forgiven(self, key: str, profile: str) -> bool:
        """Where the platform does not tell since when somebody is a member, what was in doubt stays where it is."""
        return not self.place.source.capabilities.joining_told and (key, profile) in self.doubtful


class Open(Actors):
    """Tells what an add changed, and since when somebody is a member."""


class Terse(Actors):
    """An accepted call is all it says; members are listed, not looked up."""

    tells: ClassVar[dict[str, object]] = {"effect_told": False, "lookup": False}


class Curt(Actors):
    """An accepted call is all it says; members can be looked up, and since when they are."""

    tells: ClassVar[dict[str, object]] = {"effect_told": False}


class Mute(Actors):
    """Does not tell since when somebody is a member."""

    tells: ClassVar[dict[str, object]] = {"joining_told": False}


MACHINES = (Open, Terse, Curt, Mute)
QUIET = (HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large)


@pytest.mark.parametrize("machine", MACHINES, ids=lambda m: m.__name__)
def test_no_order_of_events_makes_us_remove_whom_a_person_put_there(machine: type[Actors]) -> None:
    run_state_machine_as_test(machine, settings=settings(
        max_examples=20, stateful_step_count=40, deadline=None, derandomize=True, database=None, suppress_health_check=QUIET,
        phases=(Phase.generate, Phase.shrink),
    ))


@pytest.mark.campaign
@pytest.mark.parametrize("machine", MACHINES, ids=lambda m: m.__name__)
def test_thousands_of_orders_of_events_make_us_remove_nobody_whom_a_person_put_there(machine: type[Actors]) -> None:
    run_state_machine_as_test(machine, settings=settings(
        max_examples=3000, stateful_step_count=40, deadline=None, database=None, suppress_health_check=QUIET, print_blob=True,
    ))
