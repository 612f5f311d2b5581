"""What fields held before: kept for the fields that a rule names, dated honestly, and moved by merges."""

from __future__ import annotations

from typing import Any

import numpy as np

from connectors.base import Profile, ProfileId
from sync.store import pasts, people
from sync.store.fields import FieldSource
from sync.store.pasts import Wanted
from sync.store.store import Store
from tests.store.ground import NAMES, NOW, profile

PLAN = Wanted((FieldSource(1, ("plan",), neutral=False),), None)
BOTH = Wanted((FieldSource(3, ("plan",), neutral=True), FieldSource(1, ("plan",), neutral=True)), None)
FIRST, LATER, LAST = NOW, NOW + 100, NOW + 200


def agree(store: Store, want: Wanted | None = PLAN, now: int = FIRST) -> None:
    pasts.agree(store, {"plan": want} if want else {}, now)


def write(store: Store, now: int, *profiles: Profile, connection: int = 1) -> None:
    with store.transaction() as db:
        people.write_profiles(db, connection, NAMES[connection - 1], profiles, now, 0)


def planned(plan: str | None, updated: int | None = None, name: str = "p1", email: str = "one@example.com", **more: Any) -> Profile:
    return profile(name, email, {"plan": plan}, updated=updated, **more)


def kept(store: Store, contact: int = 0) -> list[tuple[int, str | None, bool]]:
    alive = np.array([row[0] is None for row in store.rows("select merged_into from contacts order by id")], bool)
    since = np.array([row[0] for row in store.rows("select known_since from contacts order by id")], np.int64)
    columns = pasts.histories(store.db, "plan", alive, since)
    one, *told = pasts.histories(store.db, "plan", alive[[contact]], since[[contact]], f"[{contact}]")
    found = [(at, value, bool(changed)) for who, at, value, changed in zip(*columns, strict=True) if who == contact]
    assert one.tolist() == [0] * len(found)
    assert list(zip(*told, strict=True)) == found, "one contact alone is told the same"
    return found


def test_nothing_is_kept_of_fields_that_no_rule_names(store: Store) -> None:
    write(store, FIRST, planned("gold"))
    assert (kept(store), store.rows("select count(*) from pasts")) == ([], [(0,)])


def test_the_first_value_is_no_change_and_every_other_is(store: Store) -> None:
    agree(store)
    write(store, FIRST, planned("gold"))
    write(store, LATER, planned("gold"))
    write(store, LATER, planned("basic"))
    write(store, LAST, planned(None))
    assert kept(store) == [(FIRST, '"gold"', False), (LATER, '"basic"', True), (LAST, None, True)]


def test_who_held_nothing_when_first_seen_changes_with_the_first_value(store: Store) -> None:
    agree(store)
    write(store, FIRST, planned(None))
    assert kept(store) == [(FIRST, None, False)]
    write(store, LATER, planned("gold"))
    assert kept(store) == [(FIRST, None, False), (LATER, '"gold"', True)]


def test_a_change_is_dated_by_the_platform_where_its_time_is_possible(store: Store) -> None:
    agree(store)
    write(store, FIRST, planned("gold", updated=FIRST - 5000))
    assert kept(store) == [(FIRST, '"gold"', False)], "never before the contact was first seen"
    write(store, LATER, planned("basic", updated=LATER - 7))
    write(store, LAST, planned("silver", updated=LATER - 7))
    write(store, LAST + 50, planned("gold", updated=LAST + 51))
    assert kept(store)[1:] == [(LATER - 7, '"basic"', True), (LAST, '"silver"', True), (LAST + 50, '"gold"', True)]


def test_a_field_that_is_first_named_later_has_stood_since_the_profile_last_changed(store: Store) -> None:
    write(store, FIRST, planned("gold", updated=FIRST + 30), planned("basic", None, "p2", "two@example.com"))
    agree(store, now=LATER)
    assert kept(store) == [(FIRST + 30, '"gold"', False)]
    assert kept(store, 1) == [(LATER, '"basic"', False)]
    agree(store, None, LAST)
    assert kept(store) == [], "no rule names it any more"


def test_a_value_that_comes_with_a_profile_not_known_before_is_no_change(store: Store) -> None:
    agree(store, BOTH)
    write(store, FIRST, planned("gold"))
    write(store, LATER, planned("basic"), connection=3)
    assert kept(store) == [(FIRST, '"gold"', False), (LATER, '"basic"', False)]
    write(store, LAST, planned("silver"), connection=3)
    assert kept(store)[2:] == [(LAST, '"silver"', True)]


def test_a_profile_that_is_gone_takes_its_value_with_it(store: Store) -> None:
    agree(store, BOTH)
    write(store, FIRST, planned("gold"))
    write(store, FIRST, planned("basic"), connection=3)
    with store.transaction() as db:
        people.mark_gone(db, 3, [ProfileId("p1")], LATER)
    assert kept(store)[-1] == (LATER, '"gold"', True)
    with store.transaction() as db:
        assert people.mark_unseen_gone(db, 1, 1, LAST) == 1
    assert kept(store)[-1] == (LAST, None, True)


def test_a_field_that_is_looked_for_elsewhere_starts_anew(store: Store) -> None:
    agree(store, PLAN)
    write(store, FIRST, planned("gold"))
    write(store, LATER, planned("basic"))
    agree(store, BOTH, LAST)
    assert kept(store) == [(LAST, '"basic"', False)]


def test_only_what_the_widest_window_needs_is_kept_and_one_value_more(store: Store) -> None:
    agree(store, Wanted(PLAN.sources, 100))
    for step, plan in enumerate(("a", "b", "c", "d")):
        write(store, FIRST + 60 * step, planned(plan))
    assert kept(store) == [(FIRST + 60, '"b"', True), (FIRST + 120, '"c"', True), (FIRST + 180, '"d"', True)]


def test_a_merge_goes_on_with_the_history_that_tells_the_value_and_is_no_change(store: Store) -> None:
    agree(store)
    write(store, FIRST, planned("gold"), planned("basic", None, "p2", "two@example.com"))
    write(store, LATER, planned("gold"), planned("silver", LATER, "p2", "two@example.com"))
    write(store, LAST, planned("silver", LAST, "p2", "two@example.com", absorbed=["p1"]))
    with store.transaction() as db:
        assert people.settle(db, 1, LAST) == (1, 0)
    assert kept(store) == [(FIRST, '"basic"', False), (LATER, '"silver"', True)]
    assert kept(store, 1) == []
