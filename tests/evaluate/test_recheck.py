"""When a condition is asked again: at its turn, once, and not before; and the histories that it is asked of."""

from __future__ import annotations

import numpy as np
import pytest

from sync.evaluate.recheck import HORIZON, Asked
from sync.evaluate.turns import NEVER
from tests.evaluate.worlds import node_of

NOW = 1_000_000_000


def asked(*turns: int) -> Asked:
    """A condition that was answered of everybody, with these turns."""
    made = Asked(node_of({"event": "seen", "within": "1d"}))
    made.grow(len(turns))
    note(made, dict(enumerate(turns)))
    return made


def note(leaf: Asked, turns: dict[int, int], answer: bool = False) -> list[int]:
    flipped = leaf.note(np.array([*turns], np.int64), np.full(len(turns), answer), np.array([*turns.values()], np.int64))
    return list(flipped.tolist())


@pytest.mark.parametrize("ahead", [1, 1_000, HORIZON - 1, HORIZON, HORIZON + 1, 5 * HORIZON])
@pytest.mark.parametrize("told", ["before", "between"])
def test_a_contact_is_due_at_its_turn_to_the_millisecond_and_once(ahead: int, told: str) -> None:
    leaf = asked(NOW + ahead if told == "before" else NEVER, NEVER)
    assert leaf.due(NOW).tolist() == []
    if told == "between":
        note(leaf, {0: NOW + ahead})
    assert leaf.next_due <= NOW + ahead
    assert leaf.due(NOW + ahead - 1).tolist() == []
    assert leaf.next_due == NOW + ahead
    assert leaf.due(NOW + ahead).tolist() == [0]
    note(leaf, {0: NEVER})
    assert leaf.next_due > NOW + ahead
    assert leaf.due(NOW + ahead).tolist() == []


def test_a_turn_that_moved_is_not_due_at_its_old_moment() -> None:
    leaf = asked(NOW + 10, NOW + 10, NOW + 20)
    assert leaf.due(NOW).tolist() == []
    note(leaf, {0: NOW + 20, 2: NOW + 5})
    assert leaf.due(NOW + 5).tolist() == [2]
    note(leaf, {2: NEVER})
    assert leaf.due(NOW + 10).tolist() == [1]
    note(leaf, {1: NEVER})
    assert leaf.due(NOW + 20).tolist() == [0]


def test_when_nobody_has_a_turn_it_is_never_due() -> None:
    leaf = asked(NEVER, NEVER)
    assert leaf.due(NOW).tolist() == []
    assert leaf.next_due == NEVER


def test_it_looks_ahead_for_an_hour_or_to_the_first_turn_beyond() -> None:
    leaf = asked(NOW + 1, NOW + 2 * HORIZON, NEVER)
    leaf.due(NOW)
    assert leaf.due(NOW + 1).tolist() == [0]
    note(leaf, {0: NEVER})
    assert leaf.next_due == NOW + HORIZON
    leaf.due(NOW + HORIZON)
    assert leaf.next_due == NOW + 2 * HORIZON


def test_only_those_whose_answer_is_another_than_before_flipped() -> None:
    leaf = asked(NEVER, NEVER, NEVER)
    assert note(leaf, {0: NEVER, 2: NEVER}, answer=True) == [0, 2]
    assert note(leaf, {1: NEVER, 2: NEVER}, answer=True) == [1]
    assert note(leaf, {0: NEVER}) == [0]
    assert leaf.mask.tolist() == [False, True, True]


def test_it_looks_at_events_alone_only_when_it_needs_nothing_else() -> None:
    assert Asked(node_of({"event": "seen"})).only_events
    assert not Asked(node_of({"contact": {"country": "DE"}})).only_events
    assert not Asked(node_of({"consent": {"channel": "email", "is": "granted"}})).only_events
