"""Whose a membership is when an answer was lost, or did not tell what a call changed."""

from __future__ import annotations

import pytest

from connectors.base import DAY, MINUTE
from sync.store import memberships
from tests.reconcile.platform import LONG, Death, Place, Places, filled, pid


def test_what_was_being_sent_when_we_died_may_have_arrived(place: Place) -> None:
    place.know(2)
    key = place.target()
    place.approve(key, {0, 1})
    place.toy.script = ["die after"]
    with pytest.raises(Death):
        place.send()
    place.restart()
    assert place.store.rows("select state, maybe from outbox") == [("waiting", 1)] * 2
    report = place.send()
    assert (report.added, report.already) == (2, 0)     # the platform says since when: they are our own doing
    assert place.owned(key) == {pid(0), pid(1)}


def test_an_add_whose_answer_was_lost_is_not_ours_where_the_platform_does_not_tell_since_when(places: Places) -> None:
    place = places(joining_told=False)
    place.know(1)
    key = place.target()
    place.approve(key, {0})
    place.toy.script = ["after"]
    place.send()
    assert list(place.remote(key)) == [pid(0)]
    assert place.owned(key) == frozenset()


def test_an_add_that_a_person_made_after_our_lost_one_is_not_ours(place: Place) -> None:
    place.know(1)
    key = place.target()
    place.approve(key, {0})
    place.toy.script = ["before"]
    place.send(batches=1)
    place.clock.advance(LONG / 1000)
    place.toy.person_adds("t1", pid(0))
    place.send()
    assert place.owned(key) == frozenset()


def test_in_a_round_that_takes_long_the_members_are_listed_again_before_somebody_is_removed(places: Places) -> None:
    place = places(lookup=False)
    key = filled(place, 1)
    place.approve(key, set())
    listings = place.toy.listings
    place.toy.script = ["throttled 900"]
    place.send()
    assert place.toy.listings == listings + 2
    assert place.remote(key) == {}


@pytest.mark.parametrize("listed", [True, False])
def test_whom_a_person_put_there_long_before_our_add_stays_where_an_add_does_not_tell_what_it_changed(places: Places, listed: bool) -> None:
    place = places(effect_told=False)
    place.know(1)
    key = place.target()
    place.toy.person_adds("t1", pid(0))
    place.clock.advance(LONG / 1000)
    place.approve(key, {0})                             # by the view of before
    place.send()
    place.clock.advance(LONG / 1000)
    if listed:
        place.look(key)
        assert place.owned(key) == frozenset()
    place.approve(key, set())
    place.send()
    assert list(place.remote(key)) == [pid(0)]
    assert place.owned(key) == frozenset()
    assert not place.letters()


@pytest.mark.parametrize(("fate", "ours"), [("after", True), ("before", False)])
def test_an_add_sent_twice_is_whose_it_was_when_it_began_where_an_add_does_not_tell(places: Places, fate: str, ours: bool) -> None:
    place = places(effect_told=False)
    place.know(1)
    key = place.target()
    place.approve(key, {0})
    place.toy.script = [fate]
    place.send(batches=1)
    place.clock.advance(LONG / 1000)
    place.toy.person_adds("t1", pid(0))                 # where our first call did nothing
    place.clock.advance(LONG / 1000)
    place.send()
    place.clock.advance(LONG / 1000)
    place.look(key)
    assert place.owned(key) == ({pid(0)} if ours else frozenset())
    place.look(key)
    assert place.owned(key) == ({pid(0)} if ours else frozenset())


def test_what_the_platform_said_our_add_changed_is_ours_however_wrong_our_clock_was(place: Place) -> None:
    key = place.target()
    place.know(1)
    place.clock.advance(LONG / 1000)
    place.approve(key, {0})
    place.send()
    place.remote(key)[pid(0)].since -= LONG             # by a clock that is that much behind ours
    place.look(key)
    assert place.owned(key) == {pid(0)}


def test_whom_a_listing_has_shown_to_be_ours_stays_ours_whatever_the_next_one_says(places: Places) -> None:
    place = places(effect_told=False)
    key = filled(place, 1)
    place.look(key)
    place.remote(key)[pid(0)].since -= LONG
    place.look(key)
    assert place.owned(key) == {pid(0)}


def test_whom_a_person_took_off_meanwhile_is_not_asked_about(places: Places) -> None:
    place = places(effect_told=False)
    key = filled(place, 1)
    place.toy.person_removes("t1", pid(0))
    place.approve(key, set())
    assert place.send().already == 1
    assert not place.letters()


@pytest.mark.parametrize(("tells", "fate"), [(True, "before"), (False, "after")])
def test_an_old_doubt_does_not_take_what_we_added_since(places: Places, tells: bool, fate: str) -> None:
    place = places(effect_told=tells, member_lag=5 * MINUTE)
    place.know(1)
    key = place.target()
    place.approve(key, {0})
    place.toy.script = [fate]
    place.send(batches=1)
    if tells:
        place.approve(key, set())                       # withdrawn, and in doubt
    else:
        place.send()
    place.look(key)                                     # within the lag: the doubt stays
    place.clock.advance(LONG / 1000)
    place.approve(key, set())
    place.send()
    place.clock.advance(LONG / 1000)
    place.approve(key, {0})
    place.send()
    place.clock.advance(LONG / 1000)
    place.look(key)
    assert place.owned(key) == {pid(0)}
    assert place.store.rows("select count(*) from doubts") == [(0,)]


@pytest.mark.parametrize("listed", [True, False])
def test_whom_we_added_while_our_clock_was_ahead_stays_ours(places: Places, listed: bool) -> None:
    place = places(effect_told=False)
    now = place.clock.now()
    place.clock.set(now + DAY)
    key = filled(place, 1)
    place.remote(key)[pid(0)].since = now
    place.clock.set(now + MINUTE)
    if listed:
        place.look(key)
    place.approve(key, set())
    place.send()
    assert place.remote(key) == {}


def test_who_was_adopted_is_ours_however_long_they_had_been_there(places: Places) -> None:
    place = places(effect_told=False)
    place.know(1)
    place.toy.create("tag", "VIP", "")
    place.toy.person_adds("t1", pid(0), fair=True)
    place.clock.advance(LONG / 1000)
    key = place.target()
    with place.store.transaction() as db:
        memberships.confirm_add(db, place.state(key).id, pid(0), place.clock.now(), ours=True, sent=place.clock.now())
        memberships.set_existing(db, place.state(key).id, "adopt", place.clock.now())
    place.look(key)
    place.approve(key, set())
    place.send()
    assert place.remote(key) == {}


@pytest.mark.parametrize("fate", ["before", "die before"])
def test_a_remove_that_may_have_been_sent_and_was_not_is_sent_again(place: Place, fate: str) -> None:
    key = filled(place, 1)
    place.approve(key, set())
    place.toy.script = [fate]
    lose(place)
    place.send()
    assert place.remote(key) == {}


@pytest.mark.parametrize("tells", [True, False])
@pytest.mark.parametrize("fate", ["after", "die after"])
def test_whom_a_person_put_back_after_our_lost_remove_stays_and_is_ours_no_more(places: Places, fate: str, tells: bool) -> None:
    place = places(joining_told=tells)
    key = filled(place, 1)
    place.approve(key, set())
    place.toy.script = [fate]
    lose(place)
    place.toy.person_adds("t1", pid(0))
    place.send()
    assert list(place.remote(key)) == [pid(0)]
    assert place.owned(key) == frozenset()
    place.look(key)
    assert place.approve(key, set()).removes == ()


def lose(place: Place) -> None:
    """One batch, whatever becomes of it; then time passes."""
    try:
        place.send(batches=1)
    except Death:
        place.restart()
    place.clock.advance(LONG / 1000)


@pytest.mark.parametrize("lookup", [True, False])
def test_a_lost_remove_that_nobody_wants_any_more_makes_the_next_listing_settle_whose_it_is(places: Places, lookup: bool) -> None:
    place = places(lookup=lookup)
    key = filled(place, 2)
    place.approve(key, set())
    place.toy.script = ["after"]
    lose(place)
    place.toy.person_adds("t1", pid(0))
    place.approve(key, {0, 1})
    assert place.letters() == {}
    assert not place.state(key).complete
    assert place.plan(key, set()).removes == ()
    place.look(key)
    assert place.owned(key) == frozenset()
    assert [c.profile for c in place.approve(key, {0, 1}).adds] == [pid(1)]


def test_a_lost_add_that_nobody_wants_any_more_is_found_to_be_ours_and_removed(place: Place) -> None:
    place.know(2)
    key = place.target()
    place.approve(key, {0, 1})
    place.toy.script = ["after"]
    lose(place)
    place.approve(key, {0})
    assert place.plan(key, {0}).changes == ()
    place.look(key)
    assert place.owned(key) == {pid(0), pid(1)}
    assert [c.profile for c in place.approve(key, {0}).removes] == [pid(1)]


def test_an_add_that_the_platform_says_it_had_before_is_not_ours(place: Place) -> None:
    place.know(1)
    key = place.target()
    place.approve(key, {0})
    place.toy.person_adds("t1", pid(0))
    report = place.send()
    assert (report.added, report.already) == (0, 1)
    assert place.owned(key) == frozenset()
