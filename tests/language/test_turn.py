"""An answer stands until its turn: whatever instant before that is asked, nothing has changed by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from sync.language.nodes import Node
from sync.language.person import Event, Person
from sync.language.rank import Population
from sync.language.values import RuleFailure
from tests.evaluate import worlds
from tests.language.support import DAY, NOW, event, person, rule

LATEST = NOW + 60 * DAY


def answer(node: Node, who: Person, now: int) -> bool | None:
    try:
        return node.matches(who, now)
    except RuleFailure:
        return None


def instants(rng: Random, node: Node, who: Person) -> Iterator[tuple[int, int]]:
    """Spans (from, to) in which the node claims that nothing changes, and instants within them."""
    now = NOW - rng.choice([0, 1, DAY, 40 * DAY])
    for _ in range(12):
        turn = node.turn(who, now)
        assert turn is None or turn > now
        end = LATEST if turn is None else turn
        for then in {now + 1, end - 1, rng.randint(now, max(now, end - 1)), rng.randint(now, max(now, end - 1))}:
            if now <= then < end:
                yield now, then
        if turn is None or turn > LATEST:
            return
        now = turn


@settings(max_examples=120, deadline=None, derandomize=True, database=None)
@given(rng=st.randoms(use_true_random=False))
def test_nothing_changes_before_the_turn(rng: Random) -> None:
    rules = {"first": worlds.node_of(worlds.tree(rng)), "second": worlds.node_of(worlds.tree(rng, 2, ("first",)))}
    others = [replace(worlds.person(rng, number), rules=rules) for number in range(3)]
    who = Population(others).people[0]
    for node in rules.values():
        for now, then in instants(rng, node, who):
            assert answer(node, who, then) == answer(node, who, now)


def test_a_second_report_of_one_event_has_no_turn_of_its_own() -> None:
    node = rule("{event: order_placed, within: 30d}")
    told = Event("order_placed", NOW - DAY, id="e1")
    assert node.turn(Person(events=(told, replace(told, at=NOW - 29 * DAY))), NOW) == NOW + 29 * DAY


def test_an_event_leaves_its_window_at_the_turn() -> None:
    node = rule("{event: order_placed, within: 30d}")
    who = person({}, event("order_placed", NOW - 29 * DAY))
    assert node.turn(who, NOW) == NOW + DAY
    assert [node.matches(who, then) for then in (NOW + DAY - 1, NOW + DAY)] == [True, False]
    assert node.turn(who, NOW + DAY) is None
