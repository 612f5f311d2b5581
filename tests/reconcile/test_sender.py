"""The sender and its outbox, against a platform that fails on order."""

from __future__ import annotations

import itertools

import pytest

from connectors.base import DAY, HOUR, MINUTE, Batch, Op, Profile, RetryPolicy, Transient
from sync.model import ContactId
from sync.reconcile.sender import next_try
from sync.store import memberships, outbox, people
from tests.reconcile.platform import NOW, Place, Places, filled, pid


def sizes(place: Place) -> list[tuple[int, int]]:
    """(adds, removes) of each call made."""
    return [(sum(c.op is Op.ADD for c in batch), sum(c.op is Op.REMOVE for c in batch)) for _, batch in place.toy.pushes]


# --- when to try again


def test_the_curve_doubles_to_its_cap_and_ends_with_the_last_attempt() -> None:
    policy = RetryPolicy(attempts=4, base=10, cap=30)
    waits = [next_try(policy, Transient("x"), attempt, 0, jitter=0.999999) for attempt in (1, 2, 3, 4)]
    assert waits == [10_000, 20_000, 30_000, None]
    assert next_try(policy, Transient("x"), 1, 0, jitter=0) == 5_000


def test_nobody_is_waited_for_longer_than_a_day(place: Place) -> None:
    place.know(1)
    place.approve(place.target(), {0})
    place.toy.script = ["throttled 999999999999"]
    place.send()
    assert place.store.rows("select due - ? from outbox", place.clock.now()) == [(DAY,)]


@pytest.mark.parametrize("asked", [0.0, -5.0, None])
def test_a_wait_of_nothing_gives_our_own_curve(asked: float | None) -> None:
    assert next_try(RetryPolicy(base=10), Transient("x", asked), 1, 0, jitter=0) == 5_000


def test_a_delay_that_the_platform_names_is_obeyed_to_the_millisecond() -> None:
    assert next_try(RetryPolicy(base=10), Transient("x", 77.25), 1, NOW, jitter=0) == NOW + 77_250


# --- verdicts


def test_each_contact_gets_the_verdict_that_the_platform_gave_them(place: Place) -> None:
    place.know(4)
    key = place.target()
    place.toy.person_adds("t1", pid(1))
    place.toy.refused, place.toy.troubled = {pid(2)}, {pid(3)}
    place.approve(key, {0, 1, 2, 3})
    report = place.send(batches=1)
    assert place.letters() == {pid(2): "dead", pid(3): "waiting"}
    assert place.owned(key) == {pid(0)}
    assert (report.added, report.already, report.dead, report.waiting) == (1, 1, 1, 1)


def test_a_contact_that_fails_for_itself_again_and_again_is_given_up_after_as_many_attempts(place: Place) -> None:
    place.know(2)
    key = place.target()
    place.toy.troubled = {pid(1)}
    place.approve(key, {0, 1})
    report = place.send()
    times = [at for at, _ in place.toy.pushes]
    waits = [(later - at) / 1000 for at, later in itertools.pairwise(times)]
    assert len(times) == place.policy.attempts
    assert all(0.5 * 2**n <= wait <= 1.01 * 2**n for n, wait in enumerate(waits)), waits
    assert (report.added, report.dead) == (1, 1)
    assert place.letters() == {pid(1): "dead"}


def test_a_platform_that_takes_nothing_is_down_and_costs_no_contact_their_place(place: Place) -> None:
    place.know(3)
    key = place.target()
    place.approve(key, {0, 1, 2})
    for _ in range(4):
        place.toy.script = ["error"] * 100
        report = place.send()
        assert report.calls <= place.policy.attempts
        assert report.paused == "server error"
        assert (report.dead, report.waiting) == (0, 3)
        place.clock.advance(HOUR / 1000)
    place.toy.script = []
    assert place.send().added == 3
    assert place.letters() == {}


def test_a_batch_that_fails_while_others_go_through_is_halved_down_to_who_makes_it_fail(places: Places) -> None:
    place = places(batch=Batch(8, 8, together=True))
    place.know(16)
    key = place.target()
    place.approve(key, range(16))
    place.toy.push = failing_with(place, 5)    # type: ignore[method-assign]  # a server that stumbles over one contact
    report = place.send()
    assert (report.added, report.dead) == (15, 1)
    assert place.letters() == {pid(5): "dead"}


def failing_with(place: Place, number: int):    # type: ignore[no-untyped-def]
    usual = place.toy.push

    def push(target, batch):    # type: ignore[no-untyped-def]
        if any(change.profile == pid(number) for change in batch):
            place.toy.pushes.append((place.clock.now(), list(batch)))
            return [Transient("server error")] * len(batch)
        return usual(target, batch)

    return push


def test_retry_after_holds_the_whole_connection(places: Places) -> None:
    place = places(batch=Batch(10, 10, together=True))
    place.know(30)
    key = place.target()
    place.toy.script = ["ok", "throttled 90"]
    place.approve(key, range(30))
    assert place.send().added == 30
    times = [at - place.toy.pushes[0][0] for at, _ in place.toy.pushes]
    assert times == [0, 0, 90_000, 90_000]


def test_a_wait_beyond_our_patience_leaves_everything_for_a_later_round(places: Places) -> None:
    place = places(batch=Batch(10, 10, together=True))
    place.know(30)
    key = place.target()
    place.toy.script = ["throttled 7200"]
    place.approve(key, range(30))
    began = place.clock.now()
    assert place.send().waiting == 30
    assert place.clock.now() == began
    assert place.send().calls == 0              # nor does the next round go before
    place.clock.advance(7200)
    assert place.send().added == 30


def test_a_stop_is_noticed_while_waiting(place: Place) -> None:
    place.know(1)
    key = place.target()
    place.toy.script = ["throttled 3000"]
    place.approve(key, {0})
    began = place.clock.now()
    report = place.send(batches=3)
    assert place.clock.now() - began <= 10_000
    assert report.waiting == 1


# --- refused batches


@pytest.mark.parametrize("bad", [0, 499, 500, 999])
def test_one_bad_contact_in_a_thousand_is_found_in_few_calls_and_everybody_else_arrives(places: Places, bad: int) -> None:
    place = places(batch=Batch(1000, 1000, together=True))
    place.know(1000)
    key = place.target()
    place.toy.poison = {pid(bad)}
    place.approve(key, range(1000))
    report = place.send()
    assert (report.added, report.dead) == (999, 1)
    assert place.letters() == {pid(bad): "dead"}
    assert report.calls <= 2 * 10 + 2


def test_refused_batches_do_not_hold_up_nor_shrink_the_rest(places: Places) -> None:
    place = places(batch=Batch(100, 100, together=False))
    place.know(1000)
    key = place.target()
    place.toy.poison = {pid(3), pid(700)}
    place.approve(key, range(1000))
    report = place.send()
    assert (report.added, report.dead) == (998, 2)
    assert report.calls <= 10 + 2 * 2 * 7 + 2


def test_a_batch_whose_bad_ones_are_named_goes_again_without_them_and_costs_the_rest_no_attempt(places: Places) -> None:
    place = places(batch=Batch(100, 100, together=True))
    place.know(100)
    key = place.target()
    place.toy.refused = {pid(n) for n in range(10)}
    place.approve(key, range(100))
    report = place.send()
    assert (report.added, report.dead, report.calls) == (90, 10, 1)


# --- stops


def test_a_refused_key_ends_the_round_and_keeps_every_letter(place: Place) -> None:
    place.know(3)
    a, b = place.target("A"), place.target("B")
    place.approve(a, {0, 1})
    place.approve(b, {2})
    place.toy.script = ["key"]
    report = place.send()
    assert report.calls == 1
    assert report.stopped == {0: "key refused"}
    assert report.waiting == 3
    assert place.send().added == 3


def test_a_target_that_is_gone_holds_up_no_other_and_is_looked_at_before_it_is_used_again(place: Place) -> None:
    place.know(3)
    a, b = place.target("A"), place.target("B")
    place.approve(a, {0, 1})
    place.approve(b, {2})
    place.toy.delete("t1")
    report = place.send()
    assert report.added == 1
    assert list(report.stopped) == [place.state(a).id]
    assert not place.state(a).complete
    assert "no such" in place.look(a)
    assert place.state(a).gone


# --- batches as large as can be


@pytest.mark.parametrize(("batch", "adds", "removes", "fewest"), [
    (Batch(100, 100, together=True), 950, 620, 10),
    (Batch(100, 100, together=True, shared=True), 950, 620, 16),
    (Batch(100, 50, together=False), 950, 620, 23),
    (Batch(10_000, 10_000, together=True), 950, 620, 1),
])
def test_calls_are_the_fewest_that_the_limits_allow(places: Places, batch: Batch, adds: int, removes: int, fewest: int) -> None:
    place = places(batch=batch)
    key = filled(place, removes)
    place.know(removes + adds)
    place.approve(key, range(removes, removes + adds))
    report = place.send()
    assert (report.added, report.removed) == (adds, removes)
    assert report.calls <= fewest * 1.02, sizes(place)


# --- removes


@pytest.mark.parametrize("lookup", [True, False])
def test_a_remove_is_looked_at_before_it_is_sent(places: Places, lookup: bool) -> None:
    place = places(lookup=lookup)
    key = filled(place, 3)
    place.approve(key, {0})
    place.toy.person_removes("t1", pid(1))
    place.toy.looked.clear()
    report = place.send()
    assert sizes(place) == [(0, 1)]
    assert (report.removed, report.already) == (1, 1)
    assert place.owned(key) == {pid(0)}
    assert not place.toy.wrongs


@pytest.mark.parametrize(("lookup", "fault"), [(True, "error"), (False, "error"), (False, "short"), (False, "cut")])
def test_nobody_is_removed_on_a_look_that_did_not_work(places: Places, lookup: bool, fault: str) -> None:
    place = places(lookup=lookup)
    key = filled(place, 3)
    place.approve(key, {0})
    place.toy.looks = [fault] * 50
    report = place.send()
    assert place.toy.pushes == []
    assert (report.removed, report.dead, report.waiting) == (0, 0, 2)
    place.clock.advance(HOUR / 1000)
    place.toy.looks = []
    place.look(key)
    assert place.send().removed == 2


def test_a_listing_made_in_this_round_serves_all_its_removes(places: Places) -> None:
    place = places(lookup=False, batch=Batch(10, 10, together=True))
    key = filled(place, 100)
    place.approve(key, set())
    before = place.toy.listings
    place.clock.advance(1)
    assert place.send().removed == 100
    assert place.toy.listings == before + 1


def test_a_refused_remove_is_a_dead_letter_and_not_tried_again_until_the_profile_changes(place: Place) -> None:
    key = filled(place, 2)
    place.toy.refused = {pid(1)}
    place.approve(key, {0})
    assert place.send().dead == 1
    again = place.approve(key, {0})
    assert again.removes == ()
    assert sum(again.withheld.values()) == 1
    place.toy.refused = set()
    place.know(2, updated=place.clock.now() + MINUTE)
    assert [c.profile for c in place.approve(key, {0}).removes] == [pid(1)]
    assert place.send().removed == 1
    assert place.letters() == {}


# --- what is approved, and what is not any more


def test_waiting_letters_that_are_wanted_no_more_are_withdrawn(place: Place) -> None:
    place.know(3)
    key = place.target()
    place.approve(key, {0, 1, 2})
    place.approve(key, {1})
    assert place.letters() == {pid(1): "waiting"}


def test_approving_the_same_again_keeps_its_attempts(place: Place) -> None:
    place.know(2)
    key = place.target()
    place.approve(key, {0})
    place.toy.script = ["error"]
    place.send(batches=1)
    state = place.state(key)
    with place.store.transaction() as db:
        assert outbox.enqueue(db, state.id, [(Op.ADD, pid(0), ContactId(0))], place.clock.now()) == 0
    assert place.store.rows("select attempts from outbox") == [(1,)]


def test_a_letter_goes_to_the_address_that_its_own_profile_has_when_it_is_sent(place: Place) -> None:
    place.know(1)
    key = place.target()
    place.approve(key, {0})
    with place.store.transaction() as db:
        people.write_profiles(db, place.source.number, "toy", [Profile(pid(0), "new@example.com", {}, ())], place.clock.now(), 0)
    place.send()
    ((_, (change,)),) = place.toy.pushes
    assert change.email == "new@example.com"


def test_a_dead_letter_makes_the_contact_unreachable_until_the_profile_changes(place: Place) -> None:
    place.know(2)
    key = place.target()
    place.toy.refused = {pid(1)}
    place.approve(key, {0, 1})
    place.send()
    again = place.approve(key, {0, 1})
    assert again.changes == ()
    assert again.missing == 1
    place.toy.refused = set()
    place.know(2, updated=place.clock.now() + MINUTE)
    assert [c.profile for c in place.approve(key, {0, 1}).adds] == [pid(1)]
    assert place.send().added == 1


def test_the_dead_letter_of_one_target_bars_from_no_other(place: Place) -> None:
    place.know(1)
    a, b = place.target("A"), place.target("B")
    place.toy.refused = {pid(0)}
    place.approve(a, {0})
    place.send()
    place.toy.refused = set()
    assert len(place.approve(b, {0}).adds) == 1
    assert memberships.reachable(place.store, place.source.number, "", memberships.refused(place.store, place.state(a).id)) == {}
