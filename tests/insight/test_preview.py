"""Numbers of a preview: those of the oracle, condition by condition and day by day."""

from __future__ import annotations

import numpy as np
import pytest

from connectors.base import DAY
from sync.evaluate.from_people import snapshot_of
from sync.evaluate.full_pass import full_pass
from sync.evaluate.snapshot import BEGINNING, ArrowSnapshot
from sync.insight.addresses import mask
from sync.insight.kept import kept
from sync.insight.preview import _counted, _trend, _world, spread
from sync.language.nodes import walk
from sync.language.person import Event, Person
from sync.language.values import path_text
from tests.evaluate.worlds import node_of
from tests.language.support import NOW, event, rule

NODE = rule("""
all:
  - {event: order_placed, within: 10d}
  - contact: {country: DE}
  - none: [{event: email_opened, within: 5d}, {event: page_viewed}]
""")
PEOPLE = [
    Person({"country": "DE" if number % 3 else "AT"}, (
        event("order_placed", NOW - (number % 20) * DAY), event("email_opened", NOW - (number % 7) * DAY),
    ), known_since=NOW - (number % 25) * DAY) for number in range(100)
]


def test_each_condition_has_the_number_that_the_oracle_counts() -> None:
    snapshot = snapshot_of(PEOPLE, [NODE], dead=[0, 99])
    living = PEOPLE[1:99]
    counts = _counted(NODE, _world(snapshot, NODE, NOW, {}), snapshot.alive)
    told = [(counts, NODE), *zip(counts.children, NODE.children, strict=True)]
    for count, node in told:
        assert count.holds == sum(node.matches(who, NOW) for who in living)
        assert count.failure == ""
    left = [sum(all(node.matches(who, NOW) for node in NODE.children[:place + 1]) for who in living) for place in range(3)]
    assert [count.left for count in counts.children] == left
    assert left[-1] == counts.holds > 0
    none = counts.children[2]
    assert [count.left for count in none.children] == [
        sum(not any(node.matches(who, NOW) for node in NODE.children[2].children[:place + 1]) for who in living) for place in range(2)
    ]


def test_what_cannot_be_counted_says_why_and_the_rest_is_counted() -> None:
    node = rule("all: [{event: order_placed}, {event: order_placed, sum: {of: value, at_least: 5}}, {contact: {country: DE}}]")
    mixed = Person({}, (event("order_placed", value=5, currency="EUR"), event("order_placed", NOW - 1, value=5, currency="USD")))
    snapshot = snapshot_of([mixed, Person({"country": "DE"})], [node])
    counts = _counted(node, _world(snapshot, node, NOW, {}), snapshot.alive)
    assert counts.holds is None
    assert [count.holds for count in counts.children] == [1, None, 1]
    assert [count.left for count in counts.children] == [1, None, None]
    assert "mixes EUR, USD" in counts.children[1].failure


def test_the_trend_is_the_rule_asked_at_each_past_day_of_those_known_now() -> None:
    ticks: list[tuple[int, int]] = []
    trend = _trend(kept(snapshot_of(PEOPLE, [NODE])), {"it": NODE}, "it", NOW, lambda done, of: ticks.append((done, of)))
    assert [at for at, _ in trend] == [NOW - day * DAY for day in range(30, -1, -1)]
    assert [members for _, members in trend] == [
        sum(NODE.matches(who, at) for who in PEOPLE) for at, _ in trend
    ]
    assert len({members for _, members in trend}) > 3
    assert ticks == [(done, 31) for done in range(1, 32)]


def test_a_kept_snapshot_reads_events_once_unless_older_ones_are_asked() -> None:
    asked: list[int] = []

    class Counting(ArrowSnapshot):
        def events(self, types: object, properties: object, after: int = BEGINNING) -> object:  # type: ignore[override]
            asked.append(after)
            return super().events(types, properties, after)  # type: ignore[arg-type]

    whole = snapshot_of(PEOPLE, [NODE])
    snapshot = kept(Counting(whole.alive, whole.known_since, whole.sample_keys, whole.field_columns, whole.event_table))
    for at in (NOW - 5, NOW, NOW - 9):
        assert full_pass(snapshot, {"it": NODE}, at).members["it"].tolist() == [NODE.matches(who, at) for who in PEOPLE]
    assert len(asked) <= 2 * sum(not node.children for node in walk(NODE))


def test_a_kept_snapshot_reads_other_properties_beside_those_that_it_holds_and_keeps_no_types_that_nobody_named() -> None:
    asked: list[tuple[str, ...]] = []

    class Counting(ArrowSnapshot):
        def events(self, types: object, properties: object, after: int = BEGINNING) -> object:  # type: ignore[override]
            asked.append(tuple(path_text(path) for path in properties))  # type: ignore[attr-defined]
            return super().events(types, properties, after)  # type: ignore[arg-type]

    rule = node_of({"event": "order_placed", "sum": {"of": "value", "at_least": 1}})
    other = node_of({"event": "page_viewed"})
    people = [Person(events=(Event("order_placed", NOW, {"value": 1, "price": 2}), Event("page_viewed", NOW)))]
    snapshot = kept(Counting(**vars(snapshot_of(people, [rule, node_of({"event": "order_placed", "where": {"price": 2}})]))), [rule])
    for paths in ([("value",)], [("price",)], [("value",)], []):
        table = snapshot.events(["order_placed"], paths)
        assert table.column_names == ["contact", "at", "type", *(path_text(path) for path in paths)]
    assert asked == [("value",), ("price", "value")]
    for _ in range(2):
        full_pass(snapshot, {"other": other}, NOW)
    assert len(asked) == 4


@pytest.mark.parametrize(("members", "wanted", "found"), [
    ([0, 1, 1, 1, 0, 1], 2, (1, 5)), ([0, 1, 1, 1, 0, 1], 10, (1, 2, 3, 5)), ([0, 0], 3, ()), ([1, 1], 0, ()), ([1] * 9, 3, (0, 4, 8)),
])
def test_a_sample_is_spread_over_all_members(members: list[int], wanted: int, found: tuple[int, ...]) -> None:
    assert spread(np.array(members, bool), wanted) == found


def test_addresses_are_masked_to_their_first_letter_and_domain() -> None:
    assert [mask(text) for text in ("ann.b@example.com", "x@y.z", "", "odd")] == ["a…@example.com", "x…@y.z", "", "o…"]
