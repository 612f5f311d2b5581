"""When a condition is asked again: at its turn, once, and not before; and the histories that it is asked of."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np
import pytest

from sync.evaluate.recheck import HORIZON, Asked, Rechecks
from sync.evaluate.turns import NEVER
from sync.language.person import Event, Person
from tests.evaluate.histories import World
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


# --- of whom a condition cannot be said ------------------------------------------------------------------------------------------

GREATEST = node_of({"event": "order_placed", "max": {"of": "value", "at_least": 5}})
TOO_BIG = 2**63


def paying(values: Sequence[int]) -> World:
    """People who paid one amount each."""
    world = World(Random(0), 0, {"asked": GREATEST})
    world.people = [Person(events=(Event("order_placed", NOW - 1, {"value": value}),)) for value in values]
    return world


class Told:
    """A condition that is asked of the people of a world."""

    def __init__(self, world: World) -> None:
        self.world, self.leaf, self.rechecks = world, Asked(GREATEST), Rechecks(world)
        self.rechecks.adopt({GREATEST: self.leaf}, ["order_placed"])
        self.rechecks.grow(len(world.people))

    def ask(self, *contacts: int) -> list[int]:
        """Whose answer flipped."""
        flipped = self.rechecks.ask({self.leaf: np.array(contacts)}, len(self.world.people), NOW, lambda _: None)
        return list(flipped[self.leaf].tolist())

    def pays(self, contact: int, value: int) -> None:
        """That contact's amount becomes another."""
        world = paying([*(person.events[0].properties["value"] for person in self.world.people)])
        world.people[contact] = Person(events=(Event("order_placed", NOW - 1, {"value": value}),))
        self.world.people, self.world._whole = world.people, None
        self.rechecks.adopt({}, [])
        self.rechecks.adopt({GREATEST: self.leaf}, ["order_placed"])


@pytest.mark.parametrize("guilty", [[3], [0], [9], [3, 7], [0, 9], [4, 5], list(range(10))])
def test_of_whom_it_cannot_be_said_is_found_and_all_others_are_answered(guilty: list[int]) -> None:
    told = Told(paying([TOO_BIG if who in guilty else who for who in range(10)]))
    expected = [who for who in range(5, 10) if who not in guilty]
    assert told.ask(*range(10)) == expected
    assert told.leaf.suspects.tolist() == guilty
    assert np.flatnonzero(told.leaf.mask[:10]).tolist() == expected
    assert "beyond" in told.leaf.why


def test_nobody_is_left_when_the_last_of_them_can_be_answered_again() -> None:
    told = Told(paying([9, 1, TOO_BIG, 9, TOO_BIG, 9]))
    assert told.ask(*range(6)) == [0, 3, 5]
    told.pays(0, 1)
    assert told.ask(0) == [0]
    assert told.leaf.suspects.tolist() == [2, 4]
    told.pays(2, 9)
    assert told.ask(2) == [2]
    assert told.leaf.suspects.tolist() == [4]
    told.pays(1, TOO_BIG)
    assert told.ask(1) == []
    assert told.leaf.suspects.tolist() == [1, 4]
    told.pays(4, 9)
    told.pays(1, 2)
    assert told.ask(1, 4) == [4]
    assert told.leaf.suspects.tolist() == []


def test_of_very_many_more_are_suspected_than_are_guilty_rather_than_trying_for_ever() -> None:
    guilty = range(0, 1024, 2)
    told = Told(paying([TOO_BIG if who in guilty else 9 for who in range(1024)]))
    told.ask(*range(1024))
    assert told.leaf.suspects.tolist() == list(range(1024))             # 64 tries do not get down to one by one
    assert not told.leaf.mask.any()
