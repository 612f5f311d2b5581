"""The life of a segment: disabled, renamed, retired; what is ours stays ours, moves, or is let go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sync.config.errors import ConfigError
from sync.evaluate.lives import carry_over
from sync.model import ExitCode
from sync.store import entries, lives, memberships, segments
from tests.reconcile.platform import pid
from tests.reconcile.town import VIP, Town, town_in

RULE = "contact: {klaviyo.plan: gold}, sync: {klaviyo: {list: VIP}}"
KEY = "vip/klaviyo/list"


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """Three people were put on the list, and then a fourth."""
    made = town_in(tmp_path)
    for number in range(3):
        made.person(number)
    made.plan()
    made.apply()
    made.person(3)
    made.sync()
    assert made.on() == {"p0", "p1", "p2", "p3"}
    yield made
    made.store.close()


def entered(town: Town, segment: str) -> int:
    return len(entries.changes(town.store, segment).contacts)


def test_a_disabled_segment_keeps_its_members_and_its_targets_freeze(town: Town) -> None:
    town.configure(f"segments:\n  vip: {{{RULE}, enabled: false}}\n  asks: {{segment: vip}}\n")
    town.person(0, "silver")
    town.person(7)
    _, judged, _ = town.plan()
    assert (judged[KEY].freeze, judged[KEY].plan.changes) == ("the segment is disabled", ())
    held = segments.standing(town.store)
    assert held["vip"].members.tolist() == held["asks"].members.tolist() == [0, 1, 2, 3]
    assert town.sync()[0]["added"] == 0
    town.configure(VIP)
    _, judged, _ = town.plan()
    assert (len(judged[KEY].plan.adds), len(judged[KEY].plan.removes)) == (1, 1)
    assert entered(town, "vip") == 1, "what moved while nobody followed it has no time"


def test_a_segment_that_was_never_evaluated_cannot_be_asked_once_disabled(town: Town) -> None:
    town.configure(f"segments:\n  fresh: {{{RULE}, enabled: false}}\n  asks: {{not: {{segment: fresh}}}}\n")
    town.plan()
    assert segments.standing(town.store)["asks"].failure == "segment 'fresh', which it asks, fails"


def test_a_segment_that_retires_empties_what_is_ours_by_the_guarded_plan(town: Town) -> None:
    there = next(iter(town.toys["klaviyo"].on.values()))
    there[pid(9)] = replace(next(iter(there.values())))
    town.configure(f"segments: {{vip: {{{RULE}, retire: remove}}}}\n")
    town.clock.advance(27 * 3600)
    name, judged, _ = town.plan()
    assert (judged[KEY].plan.desired, len(judged[KEY].plan.removes), judged[KEY].waits) == (0, 4, "its rule or settings were edited")
    assert town.sync()[1] is ExitCode.REFUSED
    town.apply(name)
    assert town.on() == {"p9"}


def test_a_renamed_segment_takes_everything_with_it(town: Town) -> None:
    town.configure(f"segments: {{best: {{{RULE}, was: vip}}}}\n")
    assert carry_over(town.store, town.street.config) == [("vip", "best")]
    assert carry_over(town.store, town.street.config) == []
    assert lives.known(town.store) == {"best"}
    assert entered(town, "best") == 1
    town.person(0, "silver")
    _, judged, _ = town.plan()
    found = judged["best/klaviyo/list"]
    assert (found.freeze, found.waits, len(found.plan.removes), found.plan.adds) == ("", "", 1, ())
    town.sync()
    assert town.on() == {"p1", "p2", "p3"}
    assert entered(town, "best") == 2


def test_an_equal_body_under_a_new_name_freezes_and_asks_for_was(town: Town) -> None:
    town.configure(f"segments: {{best: {{{RULE}}}}}\n")
    for _ in range(2):
        _, judged, _ = town.plan()
        found = judged["best/klaviyo/list"]
        assert found.freeze == "it looks like 'vip' under a new name: write `was: vip`, or `segmentd retire vip`"
    assert town.sync()[0]["added"] == 0
    town.configure(f"segments: {{best: {{{RULE}, was: vip}}}}\n")
    assert carry_over(town.store, town.street.config) == [("vip", "best")]
    assert len(memberships.owned(town.store, lives.left(town.store.db, "best")[0].number)) == 4


def test_a_segment_that_is_retired_is_forgotten_and_its_members_stay(town: Town) -> None:
    town.configure("segments: {other: {contact: {klaviyo.plan: silver}}}\n")
    assert [(t.key, t.members, t.ours) for t in lives.left(town.store.db, "vip")] == [(KEY, 4, 4)]
    with town.store.transaction() as db:
        lives.retire(db, "vip")
    assert (lives.known(town.store), entered(town, "vip")) == (set(), 0)
    assert town.on() == {"p0", "p1", "p2", "p3"}
    town.configure(VIP)
    town.person(5)
    _, judged, _ = town.plan()
    assert [refusal.guard for refusal in judged[KEY].refusals] == ["existing"], "they are strangers now"


def test_two_segments_that_were_both_applied_are_not_made_one(town: Town) -> None:
    town.configure("segments: {best: {contact: {klaviyo.plan: gold}, sync: {klaviyo: {list: Best}}}}\n")
    with town.store.transaction() as db:
        db.execute("update segments set rule = ''")
    town.plan()
    town.apply()
    town.configure("segments: {best: {contact: {klaviyo.plan: gold}, sync: {klaviyo: {list: Best}}, was: vip}}\n")
    with pytest.raises(ConfigError, match="cannot take over what is left of 'vip'"):
        carry_over(town.store, town.street.config)


def test_a_member_who_merges_into_somebody_who_was_none_stays_on_the_list(town: Town) -> None:
    town.person(0, "silver")
    town.sync()
    town.toys["klaviyo"].people.pop(pid(0))
    town.person(3, absorbed=(pid(0),))
    _, judged, _ = town.plan()
    assert segments.standing(town.store)["vip"].members.tolist() == [0, 1, 2], "the longer-known contact survives"
    assert judged[KEY].plan.changes == ()
