"""Who is in a segment is kept as a whole and the moves since; what is read is what was written, however it is kept."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.store import entries, lives, segments
from sync.store.store import Store
from tests.store.ground import NOW, new_store, profile, write


def ids(contacts: Any) -> Any:
    return np.array(sorted(contacts), np.int32)


class Club:
    """A segment whose members move about, among contacts that are merged; and what it should be."""

    def __init__(self, store: Store, rng: Random) -> None:
        self.store, self.rng, self.at = store, rng, 0
        self.name, self.merged = "vip", dict[int, int]()
        self.members: set[int] = set()              # as whoever keeps it true knows them
        self.history: list[tuple[int, int, bool]] = []
        write(store, 1, *(profile(f"p{n}") for n in range(30)))
        self.is_written()
        self.is_written()

    def _moved(self) -> tuple[set[int], set[int]]:
        """Who comes and who goes."""
        alive = [n for n in range(30) if n not in self.merged]
        picked = set(self.rng.sample(alive, self.rng.choice([0, 1, 2, 8])))
        return picked - self.members, picked & self.members

    def _note(self, came: set[int], went: set[int]) -> None:
        self.at += 1
        self.members = (self.members | came) - went
        if self.at > 1:
            self.history += [(c, self.at, True) for c in sorted(came)] + [(c, self.at, False) for c in sorted(went)]

    def is_written(self) -> None:
        self._note(*self._moved())
        with self.store.transaction() as db:
            segments.write(db, self.name, "rule", ids(self.members), self.at)

    def moves(self) -> None:
        came, went = self._moved()
        self._note(came, went)
        with self.store.transaction() as db:
            move = segments.Move(self.name, "rule", ids(came), ids(went), lambda: ids(self.members), settled=True)
            segments.move(db, [move], self.at, entries.merges(db))

    def merges(self) -> None:
        """Two contacts are one from here on, and whoever keeps the membership says so at the next move."""
        one, other = self.rng.sample([n for n in range(30) if n not in self.merged], 2)
        if len(self.merged) > 20:
            return
        self.merged = {each: other if into == one else into for each, into in self.merged.items()} | {one: other}
        with self.store.transaction() as db:
            db.execute("update contacts set merged_into = ?1 where id = ?2 or merged_into = ?2", (other, one))
        if one in self.members:
            self.members = (self.members - {one}) | {other}

    def is_renamed(self) -> None:
        old, self.name = self.name, "gold" if self.name == "vip" else "vip"
        with self.store.transaction() as db:
            lives.rename(db, old, self.name)

    def is_as_it_was_written(self) -> None:
        with Store.reader(self.store.path) as reader:
            held = segments.standing(reader)[self.name].members
            assert held.tolist() == sorted(self.members)
            found = entries.changes(reader, self.name)
            told = list(zip(found.contacts.tolist(), found.at.tolist(), found.entered.tolist(), strict=True))
            assert told == [(self.merged.get(c, c), at, entered) for c, at, entered in self.history]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), waiting=st.sampled_from([1, 2, 5, 1024]), share=st.sampled_from([1, 8]), fold=st.sampled_from([2, 64]))
def test_a_membership_and_its_history_are_what_was_written_however_they_are_kept(seed: int, waiting: int, share: int, fold: int) -> None:
    rng = Random(seed)
    with pytest.MonkeyPatch.context() as patch, new_store() as store:
        patch.setattr(entries, "WAITING", waiting)
        patch.setattr(entries, "FOLD", fold)
        patch.setattr(segments, "SHARE", share)
        club = Club(store, rng)
        for _ in range(25):
            rng.choice([club.moves, club.moves, club.moves, club.is_written, club.merges, club.is_renamed])()
            club.is_as_it_was_written()


def test_what_a_move_writes_does_not_grow_with_the_members(store: Store) -> None:
    with store.transaction() as db:
        segments.write(db, "vip", "rule", np.arange(100_000, dtype=np.int32), NOW)
    whole, before = store.one("select members from wholes"), store.db.total_changes
    with store.transaction() as db:
        move = segments.Move("vip", "rule", ids([]), ids([7]), lambda: pytest.fail("all of them were asked for"), settled=True)
        segments.move(db, [move], NOW, 0)
    assert store.db.total_changes - before == 2                     # the move, and when the segment was answered
    assert store.one("select members from wholes") == whole
    assert len(segments.standing(store)["vip"].members) == 99_999


@pytest.mark.parametrize("look", ["standing", "last_members"])
def test_a_reader_loses_no_move_that_becomes_part_of_a_pack_while_it_reads(
    store: Store, look: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    write(store, 1, *(profile(f"p{n}") for n in range(30)))
    for members in (range(20), range(25)):
        with store.transaction() as db:
            segments.write(db, "vip", "rule", ids(members), NOW)
    monkeypatch.setattr(entries, "WAITING", 6)
    waiting = entries._waiting

    def packed_before(db: Any, name: str) -> Any:
        monkeypatch.setattr(entries, "_waiting", waiting)
        with store.transaction() as writing:
            segments.write(writing, "vip", "rule", ids(range(26)), NOW + 1)
        return waiting(db, name)

    monkeypatch.setattr(entries, "_waiting", packed_before)
    with Store.reader(store.path) as reader:
        found = segments.standing(reader)["vip"].members if look == "standing" else segments.last_members(reader, "vip")
        assert found is not None
        assert found.tolist() == list(range(25))


def leave(store: Store, went: set[int], left: set[int]) -> None:
    with store.transaction() as db:
        segments.move(db, [segments.Move("vip", "rule", ids([]), ids(went), lambda: ids(left), settled=True)], NOW, 0)


def test_many_moves_become_packs_and_at_last_a_new_whole(store: Store) -> None:
    members = set(range(20_000))
    with store.transaction() as db:
        segments.write(db, "vip", "rule", ids(members), NOW)
    written = []
    for contact in range(0, 3 * entries.WAITING, 64):
        members -= (went := set(range(contact, contact + 64)))
        leave(store, went, members)
        written.append(store.one("select (select upto from wholes), (select count(*) from moves), (select count(*) from entries)"))
        assert segments.standing(store)["vip"].members.tolist() == sorted(members)
    assert written[15] == (1, 0, 2)                                 # 1,024 moves are a pack
    assert [upto for upto, _, _ in written[46:]] == [1, 4]          # 3,072 are more than an eighth of those who are left


def test_a_name_that_took_over_what_another_had_is_compared_whole_at_the_next_move(store: Store) -> None:
    with store.transaction() as db:
        segments.write(db, "vip", "rule", ids([1]), 1)
        segments.write(db, "gold", "rule", ids([1, 2]), 2)
        lives.rename(db, "vip", "gold")                             # what the caller knows of gold is newer than what is kept
        segments.move(db, [segments.Move("gold", "rule", ids([3]), ids([]), lambda: ids([1, 2, 3]), settled=True)], 3, 0)
    assert segments.standing(store)["gold"].members.tolist() == [1, 2, 3]
