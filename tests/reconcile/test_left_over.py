"""Letters that were approved once and could not be sent: they go only while their target is judged again and let go."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.base import DAY, Batch
from sync.model import ExitCode
from sync.store import outbox
from tests.reconcile.platform import Death, pid
from tests.reconcile.town import HEAD, VIP, WITHDRAWN, Town, town_in

KEY = "vip/klaviyo/list"
TIGHT = HEAD + "guards: {adds: {share: 100%, at_most: 1}}\n"


@pytest.fixture
def stuck(tmp_path: Path) -> Iterator[Town]:
    """Three people are approved, and the platform's key is refused before any of them is sent."""
    town = town_in(tmp_path)
    for number in range(3):
        town.person(number)
    name, _, _ = town.plan()
    town.toys["klaviyo"].script = ["key"]
    town.apply(name)
    assert (town.on(), town.waiting()) == (set(), 3)
    yield town
    town.store.close()


@pytest.mark.parametrize("way", ["apply", "sync"])
def test_a_first_fill_that_was_cut_off_is_ended_by_the_same_apply_or_the_next_sync(tmp_path: Path, way: str) -> None:
    town = town_in(tmp_path)
    toy = town.toys["klaviyo"]
    toy.capabilities = replace(toy.capabilities, batch=Batch(100, 100, together=True))
    town.configure()
    for number in range(1000):
        town.person(number)
    name, judged, _ = town.plan()
    assert judged[KEY].refusals == ()
    toy.script = ["ok", "ok", "die after"]
    with pytest.raises(Death):
        town.apply(name)
    town.configure()
    town.clock.advance(60)
    with town.store.transaction() as db:
        outbox.recover(db)
    if way == "apply":
        assert town.apply(name).refused == {}
    else:
        assert town.sync()[1] is ExitCode.OK
    assert len(town.on()) == 1000
    for number in range(1000, 1600):
        town.person(number)
    assert "guard adds" in town.sync()[0]["refused"][KEY], "the fill is over: the share counts again"
    town.store.close()


def cut_off(folder: Path, people: int, added: int) -> Town:
    """So many people were approved in a first fill, and the platform's key was refused after the first *added* of them."""
    town = town_in(folder)
    toy = town.toys["klaviyo"]
    toy.capabilities = replace(toy.capabilities, batch=Batch(added, added, together=True))
    town.configure()
    for number in range(people):
        town.person(number)
    town.plan()
    toy.script = ["ok", "key"]
    town.apply()
    assert (len(town.on()), town.waiting()) == (added, people - added)
    return town


@pytest.mark.parametrize("corrected", [False, True])
def test_one_add_that_is_left_of_a_first_fill_lets_nobody_else_past_the_guard(tmp_path: Path, corrected: bool) -> None:
    town = cut_off(tmp_path, 201, 200)
    town.clock.advance(2 * 86_400)
    if corrected:                                       # the clock was ahead until now
        town.clock.set(town.clock.now() - 300 * DAY)
    for number in range(201, 600):
        town.person(number)
    outcome, code = town.sync()
    assert code is ExitCode.REFUSED
    assert "guard adds: 400 adds of 200 members" in outcome["refused"][KEY]
    assert len(town.on()) == 200
    town.store.close()


def test_what_is_left_of_a_first_fill_goes_with_as_many_others_as_its_members_to_be_allow(tmp_path: Path) -> None:
    town = cut_off(tmp_path, 200, 60)
    for number in range(200, 240):
        town.person(number)
    assert town.sync()[1] is ExitCode.OK
    assert len(town.on()) == 240
    town.store.close()


def test_who_withdrew_meanwhile_is_not_put_on_by_an_apply_that_is_refused(stuck: Town) -> None:
    stuck.person(0, consent=[WITHDRAWN])
    stuck.configure(VIP, TIGHT)
    name, _, _ = stuck.plan()
    approval = stuck.apply(name)
    assert "guard adds" in approval.refused[KEY]
    assert stuck.on() == set()


def test_who_withdrew_meanwhile_is_not_put_on_by_the_apply_of_another_target(stuck: Town) -> None:
    other = VIP + "  other: {contact: {klaviyo.plan: silver}, sync: {klaviyo: {list: Other}}}\n"
    stuck.person(0, consent=[WITHDRAWN])
    stuck.person(7, "silver")
    stuck.configure(other)
    stuck.pulled()
    _, judged, _ = stuck.plan()
    name = stuck.keep([judged["other/klaviyo/list"]])
    stuck.apply(name)
    assert (stuck.on("Other"), stuck.on()) == ({"p7"}, set())


def test_a_target_that_a_guard_refuses_sends_nothing_that_was_left_over(stuck: Town) -> None:
    stuck.configure(VIP, TIGHT)
    outcome, code = stuck.sync()
    assert (code, outcome["added"]) == (ExitCode.REFUSED, 0)
    assert stuck.on() == set()


def test_a_segment_that_left_the_config_sends_nothing_that_was_left_over(stuck: Town) -> None:
    stuck.configure("segments:\n  other: {contact: {klaviyo.plan: silver}}\n")
    outcome, _ = stuck.sync()
    assert (outcome["added"], stuck.on(), stuck.waiting()) == (0, set(), 3)


def test_by_hand_the_daemon_sends_nothing_that_was_left_over(stuck: Town) -> None:
    outcome, code = stuck.sync(data_may_go=False)
    assert (code, outcome["added"], stuck.on()) == (ExitCode.REFUSED, 0, set())


def test_the_same_plan_applied_again_sends_what_is_left_of_it_and_still_wanted(stuck: Town) -> None:
    stuck.person(0, "silver")
    stuck.pulled()
    stuck.apply()
    assert stuck.on() == {"p1", "p2"}


def test_a_sync_sends_what_is_left_over_as_far_as_it_is_still_wanted(stuck: Town) -> None:
    stuck.person(0, consent=[WITHDRAWN])
    assert stuck.sync()[1] is ExitCode.OK
    assert stuck.on() == {"p1", "p2"}


def test_who_is_wanted_again_is_not_taken_off_by_a_remove_that_was_left_over(tmp_path: Path) -> None:
    town = town_in(tmp_path)
    for number in range(3):
        town.person(number)
    town.apply(town.plan()[0])
    town.person(0, "silver")
    town.toys["klaviyo"].script = ["key"]
    town.sync()
    assert town.waiting() == 1
    town.person(0)
    other = VIP + "  other: {contact: {klaviyo.plan: silver}, sync: {klaviyo: {list: Other}}}\n"
    town.configure(other)
    town.pulled()
    _, judged, _ = town.plan()
    town.apply(town.keep([judged["other/klaviyo/list"]]))
    assert town.on() == {"p0", "p1", "p2"}
    town.store.close()


def test_a_target_whose_name_was_edited_is_left_alone_until_somebody_has_looked(tmp_path: Path) -> None:
    town = town_in(tmp_path)
    for number in range(3):
        town.person(number)
    town.apply(town.plan()[0])
    town.person(7, "silver")
    town.pulled()
    town.configure(VIP.replace("gold", "silver").replace("{list: VIP}", "{list: Winback}"))
    name, judged, _ = town.plan(offline=True)
    assert "was edited" in judged[KEY].freeze
    town.apply(name)
    assert (town.on(), town.on("Winback")) == ({"p0", "p1", "p2"}, set())
    town.apply(town.plan()[0])
    assert (town.on(), town.on("Winback")) == ({"p0", "p1", "p2"}, {"p7"})
    town.store.close()


def test_a_finished_guarded_plan_applied_again_names_what_still_waits(tmp_path: Path) -> None:
    town = town_in(tmp_path)
    town.configure(VIP, TIGHT)
    for number in range(3):
        town.person(number)
    name, _, _ = town.plan()
    town.toys["klaviyo"].script = ["key"]
    town.apply(name, {(KEY, "adds")})
    assert town.waiting() == 3
    assert "guard adds" in town.apply(name).refused[KEY]
    town.apply(name, {(KEY, "adds")})
    assert town.on() == {"p0", "p1", "p2"}
    assert town.apply(name).refused == {}
    town.store.close()


@pytest.mark.parametrize("way", ["a plan", "the same apply"])
def test_whom_a_person_puts_on_a_list_that_we_made_and_could_not_note_is_met_for_the_first_time(tmp_path: Path, way: str) -> None:
    town = town_in(tmp_path)
    town.configure(VIP.replace("{list: VIP}", "{list: VIP, manage: exclusive}"))
    town.person(0)
    name, _, _ = town.plan()
    town.store.db.set_authorizer(_no_remote_is_noted)
    with pytest.raises(sqlite3.DatabaseError):
        town.apply(name)
    town.store.db.set_authorizer(None)
    for number in (7, 8):
        town.toys["klaviyo"].person_adds("t1", pid(number))
    if way == "a plan":
        town.clock.advance(27 * 3600)
        _, judged, _ = town.plan()
        assert ([refusal.guard for refusal in judged[KEY].refusals], judged[KEY].state.found) == (["existing"], 2)
    else:
        assert "2 members were found there" in town.apply(name).refused[KEY]
    assert town.on() == {"p7", "p8"}
    town.store.close()


def _no_remote_is_noted(action: int, table: str | None, column: str | None, *_: str | None) -> int:
    noted = action == sqlite3.SQLITE_UPDATE and (table, column) == ("targets", "remote")
    return sqlite3.SQLITE_DENY if noted else sqlite3.SQLITE_OK


def test_a_call_that_the_run_before_could_not_note_is_in_doubt_in_the_next_one(stuck: Town) -> None:
    with stuck.store.transaction() as db:
        db.execute("update outbox set state = 'sending', sent = '[1]' where profile = 'p0'")
    stuck.toys["klaviyo"].script = ["key"]
    stuck.sync()
    assert stuck.store.rows("select state, maybe from outbox where profile = 'p0'") == [("waiting", 1)]
