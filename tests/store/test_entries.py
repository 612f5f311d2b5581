"""Who entered and left a segment, and when."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sync.model import StoreError
from sync.store import entries, segments
from sync.store.store import Store
from tests.store.ground import NOW, new_store, profile, write

DAY = 86_400_000


def ids(*contacts: int) -> Any:
    return np.array(contacts, np.int32)


def evaluated(store: Store, at: int, *contacts: int, rule: str = "rule", settled: bool = True) -> None:
    with store.transaction() as db:
        segments.write(db, "vip", rule, ids(*contacts), at, settled=settled)


def told(store: Store, since: int = 0) -> list[tuple[int, int, bool]]:
    found = entries.changes(store, "vip", since)
    return list(zip(found.contacts.tolist(), found.at.tolist(), found.entered.tolist(), strict=True))


def test_who_was_there_at_the_first_look_entered_at_no_known_time(store: Store) -> None:
    evaluated(store, 10, 1, 2)
    evaluated(store, 20, 2, 3)
    assert told(store) == [(3, 20, True), (1, 20, False)]


def test_a_change_at_the_very_start_of_a_window_is_not_in_it(store: Store) -> None:
    evaluated(store, 10)
    evaluated(store, 20, 1)
    evaluated(store, 30, 1, 2)
    assert told(store, 20) == [(2, 30, True)]
    assert told(store, 19) == [(1, 20, True), (2, 30, True)]


def test_an_edited_rule_moves_nobody_at_a_known_time(store: Store) -> None:
    evaluated(store, 10, 1)
    evaluated(store, 20, 2, rule="edited")
    evaluated(store, 30, 2, 3, rule="edited")
    assert told(store) == [(3, 30, True)]


def test_what_moves_while_data_is_missing_and_when_it_came_is_a_baseline(store: Store) -> None:
    evaluated(store, 10, 1)
    evaluated(store, 20, 1, 2, settled=False)
    evaluated(store, 30, 1, 2, 3)
    evaluated(store, 40, 2, 3)
    assert told(store) == [(1, 40, False)]


def test_a_segment_that_was_out_of_the_config_begins_with_a_baseline(store: Store) -> None:
    evaluated(store, 10, 1)
    with store.transaction() as db:
        segments.unsettle(db, ["another"])
    evaluated(store, 20, 2)
    evaluated(store, 30, 3)
    assert told(store) == [(3, 30, True), (2, 30, False)]


def test_a_restored_store_begins_with_a_baseline(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with Store.writer(path) as store:
        evaluated(store, 10, 1)
    path.with_name("store.db.generation").unlink()
    with Store.writer(path) as store:
        evaluated(store, 20, 2)
        evaluated(store, 30, 1, 2)
        assert told(store) == [(1, 30, True)]


def test_who_failed_to_be_told_for_a_while_is_dated_by_the_evaluation_that_worked(store: Store) -> None:
    evaluated(store, 10, 1)
    with store.transaction() as db:
        segments.fail(db, "vip", "overflow")
    evaluated(store, 30, 1, 2)
    assert told(store) == [(2, 30, True)]


def test_the_last_time_counts_for_who_came_and_went_again(store: Store) -> None:
    evaluated(store, 10)
    for at, members in ((20, (1,)), (30, ()), (40, (1, 5)), (50, (5,))):
        evaluated(store, at, *members)
    contacts, at = entries.last_entered(store, "vip")
    assert (contacts.tolist(), at.tolist()) == ([1, 5], [40, 40])
    contacts, at = entries.last_left(store, "vip")
    assert (contacts.tolist(), at.tolist()) == ([1], [50])


def test_a_merge_is_no_change_and_its_contact_has_the_history_of_both(store: Store) -> None:
    write(store, 1, *(profile(f"p{n}") for n in range(4)))
    evaluated(store, 10, 2)
    evaluated(store, 20, 2, 3)
    with store.transaction() as db:
        db.execute("update contacts set merged_into = 1 where id = 3")
    evaluated(store, 30, 1, 2)
    assert told(store) == [(1, 20, True)]


def test_a_long_history_is_the_same_however_it_is_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "WAITING", 7)
    random = np.random.default_rng(7)
    with new_store() as store:
        before: set[int] = set()
        expected = []
        evaluated(store, 0)
        for at in range(1, 2 * entries.FOLD + 9):
            now = set(random.choice(50, 20, replace=False).tolist()) if at % 3 else before
            expected += [(c, at, True) for c in sorted(now - before)] + [(c, at, False) for c in sorted(before - now)]
            evaluated(store, at, *sorted(now))
            before = now
        for at in range(200, 200 + entries.FOLD):
            evaluated(store, at, *sorted(before | {60 + at % 2}))
        assert told(store)[:len(expected)] == expected
        (packs, levels) = store.rows("select count(*), max(level) from entries")[0]
        assert (packs < 2 * entries.FOLD, levels) == (True, 1)


def test_ids_and_times_at_their_bounds_come_back_as_they_were(store: Store) -> None:
    top = 2**31 - 1
    with store.transaction() as db:
        entries.record(db, "vip", ids(0, top), ids(top, 0), NOW, baseline=False)
        entries.record(db, "vip", ids(top), ids(), 2**62, baseline=False)
        entries.record(db, "vip", ids(0), ids(), 1, baseline=False)
    assert told(store) == [
        (0, 1, True), (0, NOW, True), (top, NOW, True), (top, NOW, False), (0, NOW, False), (top, 2**62, True),
    ]


def test_history_goes_along_with_a_name_and_is_forgotten_with_it(store: Store) -> None:
    evaluated(store, 10)
    evaluated(store, 20, 1)
    with store.transaction() as db:
        entries.rename(db, "vip", "gold")
    assert entries.changes(store, "gold").contacts.tolist() == [1]
    with store.transaction() as db:
        entries.forget(db, "gold")
    assert len(entries.changes(store, "gold").contacts) == 0


def test_a_damaged_history_is_noticed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "WAITING", 1)
    evaluated(store, 10)
    evaluated(store, 20, 1)
    with store.transaction() as db:
        db.execute("update entries set body = substr(body, 1, length(body) - 1)")
    with pytest.raises(StoreError, match=r"history of segment 'vip'.*damaged"):
        told(store)


LARGE = 2**20 - 2                                   # a contact's number, of many bits


@pytest.mark.parametrize(("column", "bits"), [("number", 20), ("contact", 40), ("at", 50), ("flags", 8), ("digest", 31)])
def test_a_move_of_which_a_single_bit_changed_is_noticed_before_it_counts(store: Store, column: str, bits: int) -> None:
    evaluated(store, NOW)
    evaluated(store, NOW + 1, 1, LARGE)
    evaluated(store, NOW + DAY, 1, 2)
    last = f"contact = {LARGE} and flags = 0" if column == "number" else "number = 4"
    ((good,),) = store.rows(f"select {column} from moves where {last}")
    for bit in range(bits):
        with store.transaction() as db:
            db.execute(f"update moves set {column} = ? where {last}", (good ^ (1 << bit),))
        for ask in (told, lambda store: segments.last_members(store, "vip"), segments.standing):
            with pytest.raises(StoreError, match=r"history of segment 'vip'.*damaged"):
                ask(store)
    with store.transaction() as db:
        db.execute(f"update moves set {column} = ? where {last}", (good,))
    assert segments.standing(store)["vip"].members.tolist() == [1, 2]


@pytest.mark.parametrize("damage", [
    "delete from moves where number = 1", "update moves set contact = 'x'", "update moves set flags = x'00'",
])
def test_moves_that_are_gone_or_no_numbers_are_noticed(store: Store, damage: str) -> None:
    evaluated(store, 10)
    evaluated(store, 20, 1, 2)
    with store.transaction() as db:
        db.execute(damage)
    with pytest.raises(StoreError, match=r"history of segment 'vip'.*damaged"):
        told(store)


def test_a_membership_that_did_not_move_is_not_written_again(store: Store) -> None:
    evaluated(store, 10, 1)
    with store.transaction() as db:
        db.execute("update wholes set merges = 99")
    evaluated(store, 20, 1)
    assert store.rows("select evaluated, merges from segments join wholes on segment = name") == [(20, 99)]
