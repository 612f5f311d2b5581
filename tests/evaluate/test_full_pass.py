"""The full pass answers as the oracle does: on random worlds, for every kind of condition, on every edge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields as dataclass_fields
from dataclasses import replace
from decimal import Decimal
from random import Random

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.base import Millis
from sync.evaluate.columns import Columns
from sync.evaluate.events import EventArrays
from sync.evaluate.from_people import snapshot_of
from sync.evaluate.full_pass import Failed, full_pass
from sync.evaluate.patterns import PATTERNS
from sync.evaluate.reading import Reading
from sync.evaluate.snapshot import BEGINNING, ArrowSnapshot
from sync.evaluate.turns import NEVER
from sync.evaluate.world import World
from sync.language.happened import Happened
from sync.language.moves import Moved
from sync.language.nodes import Node, walk
from sync.language.pasts import Changed, HasBeen
from sync.language.person import Event, Person
from sync.language.rank import Population, Rank
from sync.language.traits import TraitTest
from sync.language.values import Path, RuleFailure
from sync.language.who import ConsentIs, Contact, MemberOf
from tests.evaluate import worlds
from tests.language.support import NOW

QUIET = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)


class Forgetful(ArrowSnapshot):
    """Leaves out the events that nobody asks about, as a store may."""

    def events(self, types: Sequence[str], properties: Sequence[Path], after: Millis = BEGINNING) -> pa.Table:
        table = super().events(types, properties)
        return table.filter(pc.greater(table.column("at"), after))


def forgetful(people: Sequence[Person], rules: Sequence[Node], dead: Sequence[int] = ()) -> Forgetful:
    made = snapshot_of(people, rules, dead)
    return Forgetful(**{each.name: getattr(made, each.name) for each in dataclass_fields(made)})


def oracle(rules: Mapping[str, Node], people: Sequence[Person], dead: Sequence[int]) -> dict[str, list[bool] | None]:
    """Members by the slow evaluator; None for a segment that cannot be answered of somebody."""
    answers: dict[str, list[bool] | None] = {}
    for name, node in rules.items():
        try:
            asked = [who not in dead and node.matches(person, NOW) for who, person in enumerate(people)]
            answers[name] = asked
        except RuleFailure:
            answers[name] = None
    return answers


def agree(rules: Mapping[str, Node], people: Sequence[Person], dead: Sequence[int] = ()) -> dict[str, list[bool] | None]:
    """What both say."""
    people = Population([replace(person, rules=rules) for person in people], dead).people
    result = full_pass(forgetful(people, list(rules.values()), dead), rules, NOW)
    fast = {name: None if name in result.failures else result.members[name].tolist() for name in rules}
    slow = oracle(rules, people, dead)
    assert fast == slow
    return slow


def check_world(rng: Random) -> None:
    people = [worlds.person(rng, number) for number in range(rng.choice([1, 2, 4, 8]))]
    rules = {
        "first": worlds.node_of(worlds.tree(rng)),
        "second": worlds.node_of(worlds.tree(rng, 2, ("first",))),
        "third": worlds.node_of(worlds.tree(rng, 1, ("first", "second"))),
    }
    agree(rules, people, dead=[number for number in range(len(people)) if rng.random() < 0.1])


@settings(max_examples=200, deadline=None, derandomize=True, database=None, suppress_health_check=QUIET)
@given(seed=st.integers(0, 2**32))
def test_full_pass_agrees_with_the_oracle(seed: int) -> None:
    check_world(Random(seed))


@pytest.mark.campaign
@settings(max_examples=20_000, deadline=None, suppress_health_check=QUIET)
@given(rng=st.randoms(use_true_random=False))
def test_full_pass_agrees_with_the_oracle_on_many_worlds(rng: Random) -> None:
    check_world(rng)


def test_full_pass_agrees_on_larger_worlds_of_many_segments() -> None:
    rng = Random(2026)
    for _ in range(6):
        people = [worlds.person(rng, number) for number in range(60)]
        rules = {f"segment {number}": worlds.node_of(worlds.tree(rng)) for number in range(40)}
        agree(rules, people)


def test_every_kind_of_condition_is_true_for_some_and_false_for_others() -> None:
    rng = Random(8)
    rules = {"first": worlds.node_of({"any": [{"contact": {"country": "DE"}}, {"event": "email_opened"}]})}
    people = [worlds.person(rng, number) for number in range(120)]
    shares = {}
    for kind, make in worlds.KINDS.items():
        own = Random(kind)                                              # so that a kind that comes or goes moves no other
        nodes = {**rules, **{f"{kind} {number}": worlds.node_of(make(own)) for number in range(12)}}
        answered = [held for name, held in agree(nodes, people).items() if held is not None and name != "first"]
        assert len(answered) >= 4, f"too many rules of the kind '{kind}' cannot be answered"
        shares[kind] = float(np.mean(answered))
    print()
    print("\n".join(f"{kind:<26} true for {share:4.0%}" for kind, share in shares.items()))
    assert {kind: share for kind, share in shares.items() if not 0.1 <= share <= 0.9} == {}


def test_a_failing_segment_fails_those_that_ask_it_and_is_never_empty() -> None:
    paid = [Event("order_placed", NOW, {"value": 5, "currency": code}) for code in ("EUR", "USD")]
    rules = {
        "first": worlds.node_of({"event": "order_placed", "sum": {"of": "value", "at_least": 1}}),
        "second": worlds.node_of({"not": {"segment": "first"}}),
        "third": worlds.node_of({"event": "order_placed"}),
    }
    result = full_pass(snapshot_of([Person(events=tuple(paid)), Person()], list(rules.values())), rules, NOW)
    assert result.failures == {
        "first": "sum of 'value' mixes EUR, USD; say which with `currency:`",
        "second": "segment 'first', which it asks, fails",
    }
    assert {name: mask.tolist() for name, mask in result.members.items()} == {"third": [True, False]}


def test_segments_that_ask_each_other_in_a_ring_fail_with_the_ring() -> None:
    rules = {"first": worlds.node_of({"segment": "second"}), "second": worlds.node_of({"segment": "first"})}
    result = full_pass(snapshot_of([Person()], list(rules.values())), rules, NOW)
    ring = "segments ask each other in a ring: first → second → first"
    assert result.failures == {"first": ring, "second": ring}


def test_sums_stay_exact_where_floats_would_round() -> None:
    most = 2**63 - 1
    people = [
        Person(events=tuple(Event("order_placed", NOW - place, {"value": Decimal(number).scaleb(-6)})
                            for place, number in enumerate(numbers)))
        for numbers in ([most - 1, 1], [most - 1], [most, 5, -5], [2**53, 1], [2**53], [-most, -1], [100_000, 200_000])
    ]
    for limit in (most, most - 1, 2**53 + 1, 2**53, -most - 1):
        text = str(Decimal(limit).scaleb(-6))
        agree({"first": worlds.node_of({"event": "order_placed", "sum": {"of": "value", "at_least": text}})}, people)
        agree({"first": worlds.node_of({"event": "order_placed", "average": {"of": "value", "is": text}})}, people)


@pytest.mark.parametrize("numbers", [[2**63 - 1, 1], [-(2**63), -1], [2**63]])
def test_a_sum_beyond_int64_fails_its_segment(numbers: list[int]) -> None:
    events = tuple(Event("order_placed", NOW - place, {"value": Decimal(number).scaleb(-6)})
                   for place, number in enumerate(numbers))
    rules = {"first": worlds.node_of({"event": "order_placed", "sum": {"of": "value", "at_least": 1}})}
    result = full_pass(snapshot_of([Person(events=events)], list(rules.values())), rules, NOW)
    assert result.failures == {"first": "a number in 'value' is beyond ±9223372036854.775807"}
    with pytest.raises(RuleFailure, match="beyond"):
        rules["first"].matches(Person(events=events), NOW)


def test_the_condition_that_most_of_some_contacts_fail_is_named_with_its_count() -> None:
    rules = {"first": worlds.node_of({"all": [{"contact": {"country": "DE"}}, {"event": "order_placed", "within": "30d"}]})}
    people = [Person({"country": "DE"}), Person({"country": "DE"}), Person({"country": "AT"})]
    result = full_pass(snapshot_of(people, list(rules.values())), rules, NOW)
    failed = result.failed_condition("first", np.array([0, 1, 2]))
    assert failed == Failed("order_placed, within 30d", 3, 3)
    assert result.failed_condition("first", np.array([], np.int64)) is None


def test_conditions_that_differ_only_in_their_threshold_share_one_array() -> None:
    rules = {f"s{least}": worlds.node_of({"event": "order_placed", "count": {"at_least": least}}) for least in range(5)}
    snapshot = snapshot_of([Person()], list(rules.values()))
    arrays = EventArrays(Reading(snapshot, Columns()), NOW)
    arrays.want(node for node in rules.values() if isinstance(node, Happened))
    assert len(arrays._asked) == 1


def test_windows_of_the_same_events_are_read_as_far_as_the_widest_reaches() -> None:
    windows = {"within": "1d"}, {"within": "9d"}, {"ago": ["30d", "20d"]}, {"since": "2026-06-13"}
    rules = {f"s{place}": worlds.node_of({"event": "order_placed", **window}) for place, window in enumerate(windows)}
    people = [Person(events=(Event("order_placed", NOW - days * worlds.DAY),)) for days in (0, 1, 2, 8, 9, 20, 29, 30)]
    for order in (rules, dict(reversed(rules.items()))):
        answers = agree(order, people)
        assert [sum(each) for name in rules if (each := answers[name]) is not None] == [1, 4, 2, 3]


def test_averages_are_compared_without_rounding() -> None:
    thirds = Person(events=tuple(Event("order_placed", NOW - place, {"value": value}) for place, value in enumerate([1, 0, 0])))
    below = Person(events=tuple(Event("order_placed", NOW - place, {"value": -value}) for place, value in enumerate([1, 0, 0])))
    for operator in ("at_least", "more_than", "at_most", "less_than", "is", "is_not"):
        for limit in ("0.333333", "0.333334", "-0.333333", "-0.333334"):
            rule = {"event": "order_placed", "average": {"of": "value", operator: limit}}
            agree({"first": worlds.node_of(rule)}, [thirds, below, Person()])


@pytest.mark.parametrize("kind", ["min", "max", "average"])
def test_the_least_the_greatest_and_the_average_of_nothing_are_missing(kind: str) -> None:
    nobody, free = Person(), Person(events=(Event("order_placed", NOW, {"value": "free"}),))
    some = Person(events=(Event("order_placed", NOW, {"value": 0}),))
    passing = {"at_most": 9, "missing": "match"}
    for test, told in (({"at_least": -9}, False), ({"at_most": 9}, False), ({"is_not": 5}, True), (passing, True)):
        rule = worlds.node_of({"event": "order_placed", kind: {"of": "value", **test}})
        assert agree({"first": rule}, [nobody, some, free]) == {"first": [told, True, told]}


def test_whoever_is_erased_is_in_no_segment() -> None:
    rules = {"first": worlds.node_of({"not": {"event": "order_placed"}})}
    result = full_pass(snapshot_of([Person(), Person()], list(rules.values()), dead=[1]), rules, NOW)
    assert result.members["first"].tolist() == [True, False]


@settings(max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=QUIET)
@given(rng=st.randoms(use_true_random=False))
def test_until_when_a_condition_stands_is_what_the_oracle_says(rng: Random) -> None:
    people = Population([worlds.person(rng, number) for number in range(4)]).people
    kinds = (
        "has_been", "changed", "member_of: since when", "consent: since when", "entered", "left", "rank", "trait: decay", "trait: points",
    )
    asked = [worlds.node_of(worlds.tree(rng)), *(worlds.node_of(worlds.KINDS[kind](rng)) for kind in kinds)]
    timed = (Contact, Happened, ConsentIs, MemberOf, Moved, HasBeen, Changed, TraitTest, Rank, *PATTERNS)
    leaves = [node for rule in asked for node in walk(rule) if isinstance(node, timed)]
    world = World(forgetful(people, leaves), NOW, {})
    for leaf in leaves:
        expected = [leaf.turn(person, NOW) for person in people]
        assert world.turns(leaf).tolist() == [NEVER if turn is None else turn for turn in expected]
