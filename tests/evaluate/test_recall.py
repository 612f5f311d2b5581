"""Histories held in memory: what arrived, was taken back or moved is in them, each once, and nothing is read twice."""

from __future__ import annotations

from collections import Counter
from random import Random

import numpy as np
import pyarrow as pa
import pytest

from sync.evaluate import recall as room
from sync.evaluate.from_people import snapshot_of
from sync.evaluate.recall import Chunk, Recall, Remembering
from sync.language.person import Event, Person
from sync.language.values import Path
from tests.evaluate.test_reading import counting
from tests.evaluate.worlds import node_of

NOTHING, VALUE, SHOP = frozenset[Path](), ("value",), ("shop",)
RULE = node_of({"event": "seen", "where": {"value": 1, "shop": "north"}})
Row = tuple[int, int, str | None]


def table(*rows: Row) -> pa.Table:
    """Rows of contact, time and value."""
    word = pa.dictionary(pa.int32(), pa.string())
    return pa.table({
        "contact": pa.array([who for who, _, _ in rows], pa.int32()), "at": pa.array([at for _, at, _ in rows], pa.int64()),
        "type": pa.array(["seen"] * len(rows), word), "value": pa.array([value for _, _, value in rows], word),
    })


def held(recall: Recall, contacts: list[int] | None = None) -> list[Row]:
    found = recall.events("seen", [VALUE], None if contacts is None else np.array(contacts))
    return list(zip(*(found.column(name).to_pylist() for name in ("contact", "at", "value")), strict=True))


def recalling(*rows: Row) -> Recall:
    made = Recall()
    made.add("seen", table(*rows), frozenset({VALUE}))
    return made


def test_the_rows_of_some_contacts_come_by_time_and_all_others_stay_out() -> None:
    recall = recalling((3, 5, "a"), (0, 9, "b"), (2, 1, "c"), (0, 2, "d"))
    recall.add("seen", table((2, 3, "e"), (0, 3, "f")), frozenset({VALUE}))
    assert held(recall, [0]) == [(0, 2, "d"), (0, 3, "f"), (0, 9, "b")]
    assert held(recall, [2, 3]) == [(2, 1, "c"), (2, 3, "e"), (3, 5, "a")]
    assert held(recall, [1, 4]) == []
    assert [at for _, at, _ in held(recall)] == [1, 2, 3, 3, 5, 9]


def test_of_rows_that_look_alike_one_is_taken_back_for_each_that_is_told() -> None:
    recall = recalling((0, 1, "a"), (0, 1, "a"), (0, 1, "b"), (0, 2, "a"), (1, 1, "a"))
    recall.add("seen", table((0, 1, "a")), frozenset({VALUE}))
    recall.remove("seen", table((0, 1, "a"), (0, 1, "a")))
    assert sorted(held(recall)) == [(0, 1, "a"), (0, 1, "b"), (0, 2, "a"), (1, 1, "a")]
    recall.remove("seen", table((0, 1, "a")))
    recall.remove("seen", table((0, 1, "b")))
    assert sorted(held(recall)) == [(0, 2, "a"), (1, 1, "a")]
    assert held(recall, [0]) == [(0, 2, "a")]


def test_the_events_of_one_contact_are_the_others() -> None:
    recall = recalling((0, 1, "a"), (1, 2, "b"))
    recall.add("seen", table((0, 3, "c")), frozenset({VALUE}))
    recall.move(0, 1)
    recall.move(5, 1)
    assert held(recall, [0]) == []
    assert held(recall) == held(recall, [1]) == [(1, 1, "a"), (1, 2, "b"), (1, 3, "c")]


@pytest.mark.parametrize("many", [0, 3, room.MANY])
def test_however_much_arrives_and_goes_what_is_held_is_what_is_left(many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MANY", many)
    rng, recall, left = Random(many), recalling((0, 0, "a")), Counter({(0, 0, "a"): 1})
    for at in range(1, 120):
        rows = [(rng.randrange(4), at, rng.choice("ab")) for _ in range(rng.choice([1, 1, 5]))]
        recall.add("seen", table(*rows), frozenset({VALUE}))
        left.update(rows)
        if rng.random() < 0.4:
            gone = rng.choice(sorted(left.elements()))
            recall.remove("seen", table(gone))
            left[gone] -= 1
        if at % 40 == 0:
            recall.move(at // 40, 0)
            left = Counter((0 if who == at // 40 else who, when, value) for who, when, value in left.elements())
        assert Counter(held(recall)) == +left
        assert len(recall._types["seen"]._chunks) <= 33
    for who in range(4):
        assert Counter(held(recall, [who])) == Counter(row for row in left.elements() if row[0] == who)


def test_only_what_is_not_held_yet_is_read() -> None:
    people = [Person(events=(Event("seen", 1, {"value": 1, "shop": "north"}), Event("left", 1, {})))]
    snapshot, recall = counting(people, [RULE, node_of({"event": "left"})]), Recall()
    recall.want({"seen": frozenset({VALUE, SHOP})}, snapshot)
    for wanted in ({VALUE, SHOP}, {VALUE}, {VALUE}):
        recall.want({"seen": frozenset(wanted)}, snapshot)
        assert snapshot.reads == {"seen": 1}
    recall.want({"seen": frozenset({VALUE, SHOP}), "left": NOTHING}, snapshot)
    assert snapshot.reads == {"seen": 2, "left": 1}
    recall.want({"left": NOTHING}, snapshot)
    assert recall.types() == ["left"]
    recall.remove("seen", table((0, 1, "a")))
    assert recall.types() == ["left"]


def test_a_snapshot_of_some_numbers_them_by_their_place() -> None:
    recall = recalling((1, 7, "a"), (3, 6, "b"), (2, 5, "c"))
    people = snapshot_of([Person()] * 4, [])
    some = Remembering(people, recall, np.array([1, 3])).events(["seen", "unheard"], [VALUE])
    assert (some.column("contact").to_pylist(), some.column("at").to_pylist()) == ([1, 0], [6, 7])
    every = Remembering(people, recall, None).events(["seen"], [VALUE])
    assert every.column("contact").to_pylist() == [2, 3, 1]
    none = Remembering(people, recall, None).events(["unheard"], [VALUE])
    assert (len(none), none.column_names) == (0, ["contact", "at", "type", "value"])


def test_a_chunk_sorts_rows_by_contact_and_keeps_their_order_in_time() -> None:
    chunk = Chunk(table((1, 1, "a"), (0, 2, "b"), (1, 3, "c"), (0, 4, "d")))
    assert chunk.taken(chunk.rows(np.array([0, 1]))).column("at").to_pylist() == [2, 4, 1, 3]
    chunk.drop(chunk.rows(np.array([0]))[:1])
    assert chunk.left().column("at").to_pylist() == [4, 1, 3]
    assert chunk.taken(chunk.rows(np.array([0, 1]))).column("at").to_pylist() == [4, 1, 3]
