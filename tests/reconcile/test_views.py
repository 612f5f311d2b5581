"""Reading who is on a target: what counts as complete, what is gone, what is new."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connectors.base import HOUR, MINUTE
from sync.reconcile.views import fresh
from tests.reconcile.platform import Place, pid
from tests.reconcile.test_sender import filled

Places = Callable[..., Place]


@pytest.mark.parametrize("fault", ["short", "cut", "error"])
def test_a_listing_that_does_not_reach_its_end_is_partial_and_changes_nothing_we_know(place: Place, fault: str) -> None:
    key = filled(place, 4)
    place.toy.looks = [fault]
    assert place.look(key)
    assert not place.state(key).complete
    assert len(place.owned(key)) == 4
    made = place.plan(key, set())
    assert made.removes == ()
    assert made.withheld == {"the view is partial": 4}
    assert place.plan(key, {7}).adds == ()


@pytest.mark.parametrize("lookup", [True, False])
def test_an_empty_listing_where_members_were_is_a_broken_read(places: Places, lookup: bool) -> None:
    place = places(lookup=lookup)
    key = filled(place, 4)
    place.toy.looks = ["empty"]
    assert place.look(key) == "it lists nobody where members were"
    assert not place.state(key).complete
    assert len(place.owned(key)) == 4


def test_an_empty_listing_is_believed_when_those_who_were_there_say_so_one_by_one(place: Place) -> None:
    key = filled(place, 2)
    for number in range(2):
        place.toy.person_removes("t1", pid(number))
    assert place.look(key) == ""
    assert place.state(key).complete
    assert place.owned(key) == frozenset()


def test_where_single_members_cannot_be_asked_for_an_empty_listing_waits_for_a_person(places: Places) -> None:
    place = places(lookup=False)
    key = filled(place, 1)
    place.toy.person_removes("t1", pid(0))
    assert place.look(key) == "it lists nobody where members were"


def test_a_view_counts_for_26_hours(place: Place) -> None:
    key = place.target()
    now = place.clock.now()
    assert fresh(place.state(key), now + 26 * HOUR)
    assert not fresh(place.state(key), now + 26 * HOUR + 1)


def test_what_we_confirmed_outranks_a_listing_within_the_lag(places: Places) -> None:
    place = places(member_lag=10 * MINUTE)
    key = filled(place, 2)                     # 20 minutes ago: the lag is over
    place.know(3)
    place.approve(key, {1, 2})
    place.send()                               # p0 off, p2 on
    there = place.toy.on["t1"]
    late = there.pop(pid(2))
    there[pid(0)] = late                       # the platform does not show it yet
    place.clock.advance(60)
    assert place.look(key) == ""
    assert place.plan(key, {1, 2}).changes == ()
    assert pid(2) in place.owned(key)
    place.clock.advance(601)
    place.look(key)                            # now it is the truth
    made = place.plan(key, {1, 2})
    assert [c.profile for c in made.adds] == [pid(2)]
    assert made.foreign == 1


def test_a_target_that_is_gone_is_frozen_and_never_made_anew_by_itself(place: Place) -> None:
    key = filled(place, 2)
    place.toy.delete("t1")
    assert "no such" in place.look(key)
    assert place.state(key).gone
    assert "no such" in place.look(key)
    assert place.toy.find("tag", "VIP", "") is None
    assert place.plan(key, set()).removes == ()


def test_a_new_id_under_an_old_name_is_first_contact(place: Place) -> None:
    key = filled(place, 2)
    place.toy.delete("t1")
    place.look(key)
    made = place.toy.create("tag", "VIP", "")
    place.toy.person_adds(made.id, pid(0))
    place.toy.person_adds(made.id, pid(1))
    assert place.look(key) == ""
    state = place.state(key)
    assert state.remote is not None
    assert (state.remote.id, state.gone, state.found, state.applied, state.existing) == (made.id, False, 2, None, None)
    assert place.owned(key) == frozenset()
    assert place.plan(key, set()).removes == ()


def test_a_target_that_answers_again_under_its_own_id_is_not_gone(place: Place) -> None:
    key = filled(place, 2)
    place.toy.looks = ["gone"]
    place.look(key)
    assert place.state(key).gone
    assert place.look(key) == ""
    assert not place.state(key).gone
    assert len(place.owned(key)) == 2


def test_whom_a_person_took_off_is_not_ours_when_a_person_puts_them_back(place: Place) -> None:
    key = filled(place, 2)
    place.toy.person_removes("t1", pid(0))
    place.look(key)
    place.toy.person_adds("t1", pid(0))
    place.look(key)
    assert place.owned(key) == {pid(1)}
    assert [c.profile for c in place.plan(key, set()).removes] == [pid(1)]
