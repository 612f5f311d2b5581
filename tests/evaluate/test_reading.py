"""A pass reads each event type once, whoever asks for its events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

import numpy as np
import pyarrow as pa
import pytest

from connectors.base import Millis
from sync.evaluate.columns import Columns
from sync.evaluate.from_people import snapshot_of
from sync.evaluate.full_pass import full_pass
from sync.evaluate.reading import Reading
from sync.evaluate.snapshot import BEGINNING, ArrowSnapshot
from sync.evaluate.world import World
from sync.language.happened import Names
from sync.language.nodes import Node, walk
from sync.language.person import Event, Person
from sync.language.values import Path
from tests.evaluate import worlds
from tests.language.support import NOW

VALUE: Path = ("value",)
RULES = {
    "counted": {"event": "order_placed", "count": {"at_least": 1}, "within": "30d"},
    "spent": {"event": "order_*", "sum": {"of": "value", "at_least": 10}},
    "since": {"event": "order_placed", "since": {"last": "email_opened"}},
    "since, the other way round": {"event": "email_opened", "since": {"last": "page_viewed"}},
    "first": {"event": "order_placed", "first": {"category": "bags"}},
    "regular": {"event": "page_viewed", "in_at_least": 1, "of_last": 3, "period": "week"},
    "sequence": {"sequence": [{"event": "email_opened"}, {"event": "order_placed", "within": "7d"}]},
    "trait of counts": {"contact": {"orders": {"at_least": 1}}},
    "trait of rows": {"contact": {"favourite": "bags"}},
    "trait of times": {"contact": {"silent": {"at_most": 7}}},
    "points": {"contact": {"score": {"at_least": 2}}},
    "ranked as of the hour": {"rank": {"by": "warmth", "top": "50%"}},
    "ranked": {"rank": {"by": "spent", "top": 3}},
}


@dataclass(frozen=True)
class Counting(ArrowSnapshot):
    """Counts how often each event type was read."""

    reads: Counter[str] = field(default_factory=Counter)

    def events(self, types: Sequence[str], properties: Sequence[Path], after: Millis = BEGINNING) -> pa.Table:
        self.reads.update(types)
        return super().events(types, properties, after)


def counting(people: Sequence[Person], rules: Sequence[Node], dead: Sequence[int] = ()) -> Counting:
    return Counting(**vars(snapshot_of(people, rules, dead)))


def quoted(rule: worlds.Rule) -> Node:
    if rule.get("event") == "order_*":
        rule = rule | {"event": worlds.Quoted("order_*")}
    return worlds.node_of(rule)


def test_counts_traits_ranks_and_patterns_share_one_look_at_each_type() -> None:
    rng = Random(5)
    people = [worlds.person(rng, number) for number in range(40)]
    rules = {name: quoted(rule) for name, rule in RULES.items()}
    snapshot = counting(people, list(rules.values()))
    result = full_pass(snapshot, rules, NOW)
    assert not result.failures
    assert snapshot.reads == dict.fromkeys(snapshot.event_types(), 1)


@pytest.mark.parametrize("name", RULES)
def test_until_when_it_stands_is_told_by_the_same_look(name: str) -> None:
    rng = Random(6)
    node = quoted(RULES[name])
    snapshot = counting([worlds.person(rng, number) for number in range(10)], [node])
    world = World(snapshot, NOW, {})
    world.scan(walk(node), ahead=True)
    world.mask(node)
    world.turns(node)
    assert set(snapshot.reads.values()) == {1}


def orders(*ages: int) -> Person:
    return Person(events=tuple(Event("order_placed", NOW - age, {"value": age}) for age in ages))


def test_a_type_that_nobody_wants_longer_is_let_go_and_one_that_somebody_does_is_not() -> None:
    snapshot = counting([orders(1, 2, 3)], [worlds.node_of({"event": "order_placed", "sum": {"of": "value", "at_least": 1}})])
    names = Names(("order_placed",))
    for lasting, reads in ((False, 2), (True, 3)):
        reading = Reading(snapshot, Columns())
        reading.want(names, {VALUE}, NOW - 2, lasting=lasting)
        for _ in range(2):
            reading.of("order_placed", frozenset(), NOW - 1)
            reading.let_go("order_placed")
        assert snapshot.reads["order_placed"] == reads


def test_what_was_not_told_beforehand_is_read_beside_all_that_was() -> None:
    snapshot = counting([orders(1, 2, 3)], [worlds.node_of({"event": "order_placed", "sum": {"of": "value", "at_least": 1}})])
    reading = Reading(snapshot, Columns())
    reading.want(Names(("order_placed",)), {VALUE}, NOW - 2)
    _, rows = reading.of("order_placed", frozenset(), NOW - 2)
    assert set(rows.columns) == {VALUE}
    at, _ = reading.of("order_placed", frozenset(), BEGINNING)
    assert (at.tolist(), snapshot.reads["order_placed"]) == ([NOW - 3, NOW - 2, NOW - 1], 2)


def test_events_of_whoever_is_erased_are_not_told() -> None:
    snapshot = counting([orders(1), orders(2)], [], dead=[0])
    at, rows = Reading(snapshot, Columns()).of("order_placed", frozenset(), BEGINNING)
    assert (at.tolist(), rows.contacts.tolist(), rows.contacts.dtype) == ([NOW - 2], [1], np.int32)
