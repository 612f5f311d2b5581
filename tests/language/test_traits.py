"""Traits, ranks and lists of addresses: what each figure is, to the millisecond and the last place."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from sync.evaluate.from_people import snapshot_of
from sync.evaluate.turns import NEVER
from sync.evaluate.world import World
from sync.language.decay import left, stays_above
from sync.language.describe import describe
from sync.language.explain import explain
from sync.language.happened import Happened
from sync.language.needs import needs
from sync.language.nodes import All, Node, walk
from sync.language.parse_traits import Shelf
from sync.language.person import Event, Person
from sync.language.rank import Population, Rank, needs_everybody
from sync.language.reader import RuleScope
from sync.language.traits import TraitTest
from sync.language.values import RuleFailure
from tests.language.support import DAY, NOW, SCOPE, event, located, person, rule

HOUR = 3_600_000


def scope(traits: str) -> RuleScope:
    """The usual scope with *traits*, which must be right."""
    bodies = {key.text: body for key, body in located(traits).entries}  # type: ignore[union-attr]
    shelf = Shelf(bodies, SCOPE)
    shelf.read_all()
    assert shelf.problems == []
    return replace(SCOPE, traits=shelf)


def value(trait: str, who: Person, now: int = NOW) -> Any:
    """The trait's value by the oracle; by arrays it must be the same."""
    within = scope(f"{{x: {trait}}}")
    found = within.traits["x"].value(who, now)
    asked = TraitTest(("x",), rule("{contact: {country: {is_set: true}}}").fields[0][1], (("x", within.traits["x"]),))  # type: ignore[attr-defined]
    people = [Person(), who, Person()]
    world = World(snapshot_of(people, [asked]), now, {})
    world.scan(walk(asked))
    column = world._traits.column(within.traits["x"])
    assert column.dictionary.values[column.codes[1]] == found
    return found


def paid(*amounts: Any, every: int = DAY) -> Person:
    """Somebody who paid *amounts*, the last one a day before NOW, each a day after the one before."""
    return person({}, *(event("order_placed", NOW - every * (len(amounts) - place), value=amount) for place, amount in enumerate(amounts)))


# --- figures ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("trait", "expected"), [
    ("{event: order_placed, count: true}", 4),
    ("{event: order_placed, count: true, within: 2d}", 1),
    ("{event: order_placed, sum: value}", Decimal("30.5")),
    ("{event: order_placed, sum: {of: value}, where: {value: {at_least: 15}}}", 20),
    ("{event: order_placed, average: value}", Decimal("10.166667")),
    ("{event: order_placed, min: value}", Decimal("0.5")),
    ("{event: order_placed, max: value}", 20),
    ("{event: order_placed, distinct: value}", 4),
    ("{event: order_placed, first: value}", 10),
    ("{event: order_placed, last: value}", "free"),
    ("{event: order_placed, first: true}", "2026-06-11T12:00:00.000Z"),
    ("{event: order_placed, last: true}", "2026-06-14T12:00:00.000Z"),
    ("{event: order_placed, values: value}", ["0.5", "10", "20", "free"]),
    ("{event: order_placed, days_since: first}", 4),
    ("{event: order_placed, days_since: last}", 1),
    ("{event: order_placed, last: none}", None),
    ("{event: page_viewed, average: value}", None),
    ("{event: page_viewed, first: true}", None),
    ("{event: page_viewed, values: value}", None),
    ("{event: page_viewed, days_since: last}", None),
    ("{event: page_viewed, sum: value}", 0),
    ("{event: page_viewed, decay: {half_life: 1d}}", 0),
])
def test_a_figure_of_events(trait: str, expected: Any) -> None:
    assert value(trait, paid(10, 20, "0.5", "free")) == expected


@pytest.mark.parametrize(("amounts", "expected"), [
    ([1, 1, 0], "0.666667"), ([-1, -1, 0], "-0.666667"), ([Decimal("0.000001"), 0], "0.000001"), ([Decimal("-0.000001"), 0], "-0.000001"),
    ([Decimal("0.000001"), 0, 0], "0"), ([1, 2], "1.5"),
])
def test_an_average_is_rounded_half_away_from_zero(amounts: list[Any], expected: str) -> None:
    assert value("{event: order_placed, average: value}", paid(*amounts)) == Decimal(expected)


def seen(*categories: tuple[int, Any]) -> Person:
    return Person(events=tuple(Event("product_viewed", NOW - age, {"category": what}) for age, what in categories))


@pytest.mark.parametrize(("who", "most", "first_two"), [
    (seen((9, "a"), (8, "b"), (7, "b")), "b", ["b", "a"]),
    (seen((9, "b"), (8, "a")), "a", ["a", "b"]),                            # equally often: the most recent
    (seen((9, "b"), (8, "a"), (2, "a"), (1, "b")), "b", ["b", "a"]),        # whose latest is the most recent
    (seen((9, "b"), (9, "a"), (9, "c")), "a", ["a", "b"]),                  # and at one instant: alphabetically
    (seen((9, ["a", "b"]), (8, ["b", "c"])), "b", ["b", "c"]),              # each of a list counts
    (seen((9, 12), (8, "12"), (7, Decimal("12.0")), (6, "x")), "12", ["12", "x"]),
    (seen((9, "Größe"), (8, 'a "b" \\ c'), (7, "Größe")), "Größe", ["Größe", 'a "b" \\ c']),
    (seen((9, ""), (8, None), (7, [])), None, None),
])
def test_the_most_frequent_values(who: Person, most: Any, first_two: Any) -> None:
    assert value("{event: product_viewed, most_frequent: category}", who) == most
    assert value("{event: product_viewed, top: {of: category, at_most: 2}}", who) == first_two


def test_of_several_events_at_one_instant_the_alphabetically_first_value_counts() -> None:
    who = seen((9, "b"), (9, "a"), (5, "d"), (5, "c"), (1, ""))
    assert value("{event: product_viewed, first: category}", who) == "a"
    assert value("{event: product_viewed, last: category}", who) == "c"


def test_money_in_two_currencies_is_no_trait_unless_one_is_said() -> None:
    who = person({}, event("order_placed", NOW - 1, value=5, currency="EUR"), event("order_placed", NOW - 2, value=7, currency="USD"))
    for figure in ("sum: value", "decay: {of: value, half_life: 1d}", "max: value"):
        within = scope(f"{{x: {{event: order_placed, {figure}}}}}")
        asked = rule("{contact: {x: {at_least: 1}}}", within)
        with pytest.raises(RuleFailure, match="EUR, USD"):
            asked.matches(who, NOW)
        world = World(snapshot_of([who], [asked]), NOW, {})
        world.scan(walk(asked))
        with pytest.raises(RuleFailure, match="EUR, USD"):
            world.mask(asked)
    assert value("{event: order_placed, sum: {of: value, currency: USD}}", who) == 7
    assert value("{event: order_placed, decay: {of: value, currency: EUR, half_life: 1d}}", who, NOW + DAY - 1) == Decimal("2.5")


def test_points_are_added_for_each_condition_that_holds() -> None:
    trait = ("{points: [{when: {event: order_placed}, add: 2.5}, {when: {event: order_placed, count: 9}, add: 7},"
             " {when: {contact: {country: DE}}, add: -5}]}")
    assert value(trait, paid(1)) == Decimal("2.5")
    assert value(trait, replace(paid(1), fields={"country": "DE"})) == Decimal("-2.5")
    assert value(trait, Person()) == 0


# --- decay ------------------------------------------------------------------------------------------------------------------


def test_a_score_halves_once_per_half_life_and_never_grows() -> None:
    who = person({}, event("order_placed", NOW))
    trait = "{event: order_placed, decay: {half_life: 2d}}"
    assert [value(trait, who, NOW + days * DAY) for days in (0, 2, 4)] == [1, Decimal("0.5"), Decimal("0.25")]
    ages = np.arange(0, 20 * DAY, 61_001, dtype=np.int64)
    parts = left(np.full(len(ages), 10**12, np.int64), ages, 2 * DAY)
    assert (np.diff(parts) <= 0).all()
    assert np.allclose(parts, 1e12 * 0.5 ** (ages / (2 * DAY)), rtol=1e-7)
    assert left(np.array([2**63 - 1]), np.array([0]), DAY).tolist() == [2**63 - 1]
    assert left(np.array([2**63 - 1]), np.array([64 * DAY]), DAY).tolist() == [0]


def test_a_score_falls_below_its_threshold_at_the_turn_and_not_before() -> None:
    asked = rule("{contact: {warmth: {at_least: 0.75}}}", scope("{warmth: {event: order_placed, decay: {half_life: 1d}}}"))
    who = person({}, event("order_placed", NOW), event("order_placed", NOW - DAY))
    now, turns = NOW, 0
    while asked.matches(who, now):
        turn = asked.turn(who, now)
        assert turn is not None
        assert asked.matches(who, turn - 1)
        now, turns = turn, turns + 1
    assert turns <= 4
    assert abs(now - NOW - DAY) < 200                                       # 1.5 halves to 0.75 within a day, to a step's width
    assert asked.turn(who, now) is None


MILLIONTH = Decimal("0.000001")


@pytest.mark.parametrize("test", ["more_than: 0", "at_least: 0", "at_least: 0.000001", "at_least: 0.75", "more_than: 1.5", "at_most: 1.5",
                                  "at_least: 1.500001", "less_than: 1.5", "is: 1.5", "is: 0", "between: [0.5, 1.5]", "at_least: 2"])
@pytest.mark.parametrize("half_life", ["1d", "1s"])
def test_a_score_turns_when_the_oracle_says_and_holds_until_then(test: str, half_life: str) -> None:
    warmth = f"{{warmth: {{event: order_placed, decay: {{of: value, half_life: {half_life}}}}}}}"
    asked = rule(f"{{contact: {{warmth: {{{test}}}}}}}", scope(warmth))
    half, most = Decimal("0.5"), (2**63 - 1) * MILLIONTH
    told = [(1, half), (1, half, 0, -3, 0, 0), (MILLIONTH,), (2 * MILLIONTH, 0), (0,), (), (3, 1), (most,)]
    people = [person({}, *(event("order_placed", NOW, value=amount, number=place) for place, amount in enumerate(amounts)))
              for amounts in told]
    for now in (NOW, NOW + 1_000, NOW + DAY):
        expected = [asked.turn(who, now) for who in people]
        world = World(snapshot_of(people, [asked]), now, {})
        assert world.turns(asked).tolist() == [NEVER if turn is None else turn for turn in expected]
        for who, turn in zip(people, expected, strict=True):
            assert asked.matches(who, now) == asked.matches(who, now + 100 * DAY if turn is None else turn - 1)


def test_the_last_millionth_of_a_score_is_gone_as_soon_as_it_is_less_than_whole() -> None:
    asked = rule("{contact: {warmth: {more_than: 0}}}", scope("{warmth: {event: order_placed, decay: {of: value, half_life: 1h}}}"))
    who = person({}, event("order_placed", NOW, value=MILLIONTH))
    assert asked.matches(who, NOW)
    assert asked.turn(who, NOW) == NOW + 1
    assert not asked.matches(who, NOW + 1)
    assert asked.turn(who, NOW + 1) is None


@pytest.mark.parametrize(("amount", "half_lives", "rest"), [
    (2**31, 0, 2**31), (2**31, 1, 2**30), (2**31, 31, 1), (2**31, 32, 0), (2**62, 62, 1), (2**62, 63, 0), (2**63 - 1, 62, 1),
    (2**63 - 1, 63, 0), (2**63 - 1, 64, 0), (2**63 - 1, 65, 0), (2**63 - 1, 128, 0), (5, 1, 2), (1, 0, 1),
])
def test_after_whole_half_lives_an_amount_is_halved_so_often(amount: int, half_lives: int, rest: int) -> None:
    for half_life in (1, 1_000, DAY):
        assert left(np.array([amount]), np.array([half_lives * half_life]), half_life).tolist() == [rest]


@pytest.mark.parametrize(("level", "score", "events"), [(0, 10**6, 1), (10**6, 10**9, 3), (10**6, 1_001_000, 1), (10**6, 10**6 + 1, 1),
                                                        (5, 2**62, 40)])
def test_how_long_a_score_surely_stays_above_its_level_is_a_little_less_than_is_true(level: int, score: int, events: int) -> None:
    stays = int(stays_above(np.array([level]), np.array([score]), np.array([events]), DAY)[0])
    true = np.log2(score / (level + events + 1)) * DAY
    assert max(0, true - 40) <= stays <= max(0, true)
    if stays:
        assert left(np.array([score - events]), np.array([stays]), DAY)[0] > level


def test_between_half_lives_what_is_left_is_the_root_that_it_should_be() -> None:
    for ticks, share in ((1, 2**-0.125), (2, 2**-0.25), (4, 2**-0.5), (7, 2**-0.875)):
        assert left(np.array([10**15]), np.array([ticks]), 8)[0] == pytest.approx(10**15 * share, rel=2.0**-28)
    fine = left(np.full(5, 2**62), np.arange(5), 2**24)                     # a 2**24th of the half-life is the finest step
    assert np.allclose(fine, [2.0**62 * 2 ** (-step / 2**24) for step in range(5)], rtol=2.0**-29, atol=0)
    assert (np.diff(fine) < 0).all()


def test_an_amount_below_zero_adds_nothing() -> None:
    assert value("{event: order_placed, decay: {of: value, half_life: 1d}}", paid(-8, 4)) == 2


# --- days -------------------------------------------------------------------------------------------------------------------


def test_days_are_24_hours_and_turn_at_their_ends() -> None:
    traits = scope("{quiet: {event: order_placed, days_since: last}}")
    who = person({}, event("order_placed", NOW - 3 * DAY))
    for asked, moments in (
        ("{at_least: 3}", [DAY, None]), ("{at_most: 3}", [DAY]), ("{is: 5}", [2 * DAY, 3 * DAY]), ("{less_than: 4.5}", [2 * DAY]),
        ("{contains: '3'}", [DAY, 2 * DAY]),
    ):
        node, now = rule(f"{{contact: {{quiet: {asked}}}}}", traits), NOW
        for moment in moments:
            turn = node.turn(who, now)
            assert turn == (None if moment is None else NOW + moment)
            if turn is not None:
                assert node.matches(who, turn - 1) == node.matches(who, now)
                now = turn
    assert [value("{event: order_placed, days_since: last}", who, NOW + off) for off in (-1, 0, DAY - 1, DAY)] == [2, 3, 3, 4]


# --- as conditions ----------------------------------------------------------------------------------------------------------


def test_comparing_a_count_or_a_sum_with_numbers_is_a_condition_on_the_events() -> None:
    traits = scope("{orders: {event: order_placed, count: true}, spent: {event: order_placed, sum: value},"
                   " mean: {event: order_placed, average: value}}")
    assert rule("{contact: {orders: {at_least: 2}}}", traits) == rule("{event: order_placed, count: {at_least: 2}}")
    assert rule("{contact: {spent: {between: [1, 5]}}}", traits) == rule("{event: order_placed, sum: {of: value, between: [1, 5]}}")
    assert rule("{contact: {spent: {is_not: '7'}}}", traits) == rule("{event: order_placed, sum: {of: value, is_not: 7}}")
    for asked in ("{mean: 5}", "{spent: {is: x}}", "{orders: {is_set: true}}", "{orders: {is: {field: spent}}}", "{orders: true}"):
        assert isinstance(rule(f"{{contact: {asked}}}", traits), TraitTest)


def test_a_trait_among_fields_is_a_condition_beside_them() -> None:
    node = rule("{contact: {country: DE, orders: 2, city: {is: {field: favourite}}}}", scope(
        "{orders: {event: order_placed, count: true}, favourite: {event: order_placed, most_frequent: city}}"))
    assert isinstance(node, All)
    assert [type(child).__name__ for child in node.children] == ["Contact", "Happened", "TraitTest"]
    who = person({"country": "DE", "city": "Bonn"}, event("order_placed", NOW - 1, city="Bonn"), event("order_placed", NOW - 2))
    assert node.matches(who, NOW)
    assert not node.matches(replace(who, fields={"country": "DE", "city": "Ulm"}), NOW)


def test_what_a_trait_needs_is_what_its_rule_needs() -> None:
    node = rule("{contact: {score: {at_least: 5}}}", scope(
        "{score: {points: [{when: {segment: vip}, add: 5}, {when: {contact: {best: x, city: y}}, add: 1}]},"
        " best: {event: page_viewed, most_frequent: category, where: {price: 5}}}"))
    found = needs(node)
    assert found.segments == {"vip"}
    assert found.fields == {("city",)}
    assert {path for need in found.events for path in need.properties} == {("category",), ("price",)}


def test_explain_shows_the_value_and_the_points() -> None:
    traits = scope("{score: {points: [{when: {event: order_placed}, add: 5}]}, orders: {event: order_placed, count: true}}")
    told = explain(rule("{contact: {score: {at_least: 9}, orders: {at_least: 1}}}", traits), paid(1), NOW)
    assert [line.strip() for line in told.lines()] == [
        "✗ all of", "✗ score at least 9  [5]", "✓ order_placed  [1 event]", "✓ orders: order_placed  [1 event]",
    ]


def test_traits_that_multiply_each_other_are_refused_before_they_hurt() -> None:
    whole = ["t0: {event: order_placed, first: value}"]
    for number in range(1, 15):
        entries = ", ".join([f"{{when: {{contact: {{t{number - 1}: {{contains: x}}}}}}, add: 1}}"] * 4)
        whole.append(f"t{number}: {{points: [{entries}]}}")
    shelf = Shelf({key.text: body for key, body in located("{" + ", ".join(whole) + "}").entries}, SCOPE)  # type: ignore[union-attr]
    assert set(shelf.read_all()) == {"t0", "t1", "t2", "t3", "t4", "t5"}
    assert "comes to more than 5000 conditions" in shelf.problems[0].message
    assert len(shelf.problems) == 1


def test_traits_build_on_each_other_only_so_deep() -> None:
    whole = {"t0": "{event: order_placed, first: value}"}
    whole |= {f"t{n}": f"{{points: [{{when: {{contact: {{t{n - 1}: {{contains: x}}}}}}, add: 1}}]}}" for n in range(1, 900)}
    bodies = {key.text: body for key, body in located("{" + ", ".join(f"{n}: {b}" for n, b in reversed(whole.items())) + "}").entries}  # type: ignore[union-attr]
    shelf = Shelf(bodies, SCOPE)
    shelf.read_all()
    assert "is asked through more than 20 others" in shelf.problems[0].message


# --- ranks ------------------------------------------------------------------------------------------------------------------


def ranked(asked: str, people: list[Person], dead: tuple[int, ...] = ()) -> list[bool]:
    """Who is at the places asked for, by everybody's slow order; the arrays must agree."""
    node = rule(asked, scope("{spent: {event: order_placed, sum: value}, last_order: {event: order_placed, last: true},"
                             " warmth: {event: order_placed, decay: {half_life: 1d}}, code: {event: order_placed, last: value}}"))
    everybody = Population(people, dead).people
    found = [node.matches(who, NOW) for who in everybody]
    world = World(snapshot_of(people, [node], dead), NOW, {})
    world.scan(walk(node))
    assert world.mask(node).tolist() == found
    turn = everybody[0].everybody.turn(node.by, NOW)  # type: ignore[union-attr,attr-defined]
    assert world.next_order(node.by) == (2**63 - 1 if turn is None else turn)  # type: ignore[attr-defined]
    return found


POINTS = [Person({"points": points}, known_since=since)
          for points, since in ((5, 9), ("9", 9), (5, 3), (None, 1), ("x", 1), (5, 3), (-1, 1))]


@pytest.mark.parametrize(("cut", "takes"), [
    ("top: 1", [1]), ("top: 2", [1, 2]), ("top: 3", [1, 2, 5]), ("top: 4", [0, 1, 2, 5]), ("top: 5", [0, 1, 2, 5, 6]),
    ("top: 99", [0, 1, 2, 5, 6]), ("top: 20%", [1]), ("top: 20.000001%", [1, 2]), ("top: 0.000001%", [1]), ("top: 100%", [0, 1, 2, 5, 6]),
    ("tier: 1, of: 2", [1, 2]), ("tier: 2, of: 2", [0, 5, 6]), ("tier: 1, of: 5", [1]), ("tier: 5, of: 5", [6]),
    ("tier: 1, of: 3", [1]), ("tier: 2, of: 3", [2, 5]), ("tier: 3, of: 3", [0, 6]), ("tier: 1, of: 10", []), ("tier: 2, of: 10", [1]),
])
def test_places_go_to_the_highest_the_longer_known_and_the_lower_id(cut: str, takes: list[int]) -> None:
    found = ranked(f"{{rank: {{by: klaviyo.points, {cut}}}}}", [replace(who, fields={"klaviyo": who.fields}) for who in POINTS])
    assert [place for place, taken in enumerate(found) if taken] == takes


def test_tiers_part_everybody_who_has_a_number() -> None:
    people = [Person({"klaviyo": {"x": number}}) for number in range(7)]
    tiers = [ranked(f"{{rank: {{by: klaviyo.x, tier: {tier}, of: 3}}}}", people) for tier in (1, 2, 3)]
    assert [sum(tier) for tier in tiers] == [2, 2, 3]
    assert np.logical_xor.reduce(tiers).all()


def test_numbers_beyond_64_bits_are_ranked_exactly() -> None:
    people = [Person({"klaviyo": {"x": number}}) for number in (10**40, 10**40 + 1, "1e40", -(10**30), 2**63)]
    assert ranked("{rank: {by: klaviyo.x, top: 1}}", people) == [False, True, False, False, False]
    assert ranked("{rank: {by: klaviyo.x, top: 4}}", people) == [True, True, True, False, True]


def test_who_is_erased_has_no_place() -> None:
    people = [paid(5), paid(7), paid(1)]
    assert ranked("{rank: {by: spent, top: 1}}", people, dead=(1,)) == [True, False, False]
    assert ranked("{rank: {by: spent, top: 50%}}", people, dead=(1,)) == [True, False, False]


def test_a_rank_may_go_by_a_time_or_by_a_value_that_was_told() -> None:
    people = [paid(5), paid(7, 2, every=HOUR), Person(), paid("n")]
    assert ranked("{rank: {by: last_order, top: 1}}", people) == [False, True, False, False]
    assert ranked("{rank: {by: last_order, top: 2}}", people) == [True, True, False, False]
    assert ranked("{rank: {by: code, top: 5}}", people) == [True, True, False, False]


def test_a_rank_by_a_decaying_score_is_of_the_last_full_hour() -> None:
    late = person({}, event("order_placed", NOW - 1), event("order_placed", NOW - HOUR - 1))
    people = [late, person({}, event("order_placed", NOW), event("order_placed", NOW, value=1)), Person()]
    assert ranked("{rank: {by: warmth, top: 1}}", people) == [False, True, False]
    node = rule("{rank: {by: warmth, top: 1}}", scope("{warmth: {event: order_placed, decay: {half_life: 1d}}}"))
    everybody = Population(people).people
    assert [who.everybody.turn(node.by, NOW + 5) for who in everybody[:1]] == [NOW + HOUR]  # type: ignore[union-attr,attr-defined]
    assert [node.matches(who, NOW - 1) for who in everybody] == [True, False, False]


def test_a_rank_needs_everybody_and_says_so() -> None:
    node: Node = rule("{all: [{event: order_placed}, {rank: {by: created, top: 1}}]}")
    assert needs_everybody(node)
    assert not needs_everybody(rule("{event: order_placed}"))
    with pytest.raises(RuleFailure, match="one contact alone"):
        node.matches(Person(), NOW)
    told = explain(node, Population(POINTS).people[0], NOW)
    assert "not ranked: no number" in "\n".join(told.lines())
    assert describe(node) == "order_placed and top 1 by created"
    assert [type(each) for each in walk(node)] == [All, Happened, Rank]
