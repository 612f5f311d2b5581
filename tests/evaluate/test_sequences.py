"""Sequences to the millisecond, and where choosing the nearest event would be wrong. Oracle and full pass must both say so."""

from __future__ import annotations

from itertools import pairwise, permutations
from random import Random
from typing import Any

import numpy as np
import pytest

from sync.evaluate import sequences
from sync.evaluate.timeline import NONE, Timeline
from sync.language.chains import Chains, Link
from sync.language.person import Event
from sync.language.sequence import Sequence
from tests.evaluate.test_patterns import HOUR, check, events
from tests.language.support import DAY, NOW, person, rule

CARTS = "{sequence: [{event: carted}, {not: {event: bought, same: cart}, within: 2h}], within: 3d}"
AB = "sequence: [{event: a}, {event: b, within: 2h}]"
AA = "sequence: [{event: a}, {event: a, within: 2h}]"


@pytest.mark.parametrize(("text", "seen", "expected"), [
    # order and gap
    (AB, [("a", -2 * HOUR), ("b", 0)], True),
    (AB, [("a", -2 * HOUR - 1), ("b", 0)], False),
    (AB, [("a", 0), ("b", 0)], True),
    (AB, [("a", 0), ("b", -1)], False),
    (AB, [("a", 0), ("b", 1)], False),
    (AB, [("a", -3 * HOUR), ("a", -HOUR), ("b", 0)], True),
    ("sequence: [{event: a}, {event: b}]", [("a", -900 * DAY), ("b", 0)], True),
    # one event serves one step
    (AA, [("a", 0)], False),
    (AA, [("a", 0), ("a", 0)], True),
    (AA, [("a", -2 * HOUR), ("a", 0)], True),
    (AA, [("a", -2 * HOUR - 1), ("a", 0)], False),
    ("sequence: [{event: a}, {event: b}, {event: a}]", [("a", 0), ("b", 0)], False),
    ("sequence: [{event: a}, {event: b}, {event: a}]", [("a", 0), ("b", 0), ("a", 0)], True),
    ("sequence: [{event: '*'}, {event: a}, {event: '*'}]", [("a", 0), ("b", 0)], False),
    ("sequence: [{event: '*'}, {event: a}, {event: '*'}]", [("a", 0), ("b", 0), ("c", 0)], True),
    ("sequence: [{event: a}, {event: a}, {event: a, within: 2h}]", [("a", -DAY), ("a", -DAY), ("a", -DAY + 2 * HOUR)], True),
    ("sequence: [{event: a}, {event: a}, {event: a, within: 2h}]", [("a", -DAY), ("a", -DAY), ("a", -DAY + 2 * HOUR + 1)], False),
    # the outer window is the first step's
    ("{sequence: [{event: a}, {event: b}], ago: [2d, 1d]}", [("a", -2 * DAY + 1), ("b", 0)], True),
    ("{sequence: [{event: a}, {event: b}], ago: [2d, 1d]}", [("a", -2 * DAY), ("b", 0)], False),
    ("{sequence: [{event: a}, {event: b}], ago: [2d, 1d]}", [("a", -DAY), ("b", 0)], True),
    ("{sequence: [{event: a}, {event: b}], ago: [2d, 1d]}", [("a", -DAY + 1), ("b", 0)], False),
    ("{sequence: [{event: a}, {event: b, within: 5d}], within: 3d}", [("a", -3 * DAY + 1), ("b", 0)], True),
    ("{sequence: [{event: a}, {event: b, within: 5d}], within: 3d}", [("a", -3 * DAY), ("b", 0)], False),
    ("{sequence: [{event: a}, {event: b, within: 1h}, {not: {event: c}, within: 5d}], within: 3d}", [("a", -4 * DAY), ("b", -4 * DAY)],
     False),
    # what did not follow
    (CARTS, [("carted", -2 * HOUR, "x")], True),
    (CARTS, [("carted", -2 * HOUR + 1, "x")], False),
    (CARTS, [("carted", -3 * DAY + 1, "x")], True),
    (CARTS, [("carted", -3 * DAY, "x")], False),
    (CARTS, [("carted", -2 * HOUR, "x"), ("bought", 0, "x")], False),
    (CARTS, [("carted", -2 * HOUR, "x"), ("bought", 1, "x")], True),
    (CARTS, [("carted", -2 * HOUR, "x"), ("bought", -2 * HOUR, "x")], False),
    (CARTS, [("carted", -2 * HOUR, "x"), ("bought", -2 * HOUR - 1, "x")], True),
    (CARTS, [("carted", -2 * DAY, "x"), ("bought", -DAY, "x")], False),                     # later clears, too
    (CARTS, [("carted", -2 * HOUR, "x"), ("bought", -HOUR, "y")], True),
    (CARTS, [("carted", -2 * HOUR, None), ("bought", -HOUR, None)], True),                  # missing correlates with nothing
    (CARTS, [("carted", -2 * HOUR, ["x", "y"]), ("bought", -HOUR, "y")], False),
    (CARTS, [("carted", -2 * HOUR, 12), ("bought", -HOUR, "12")], False),
    (CARTS, [("carted", -2 * HOUR, "x"), ("carted", 0, "x")], True),                        # the clock is not restarted
    (CARTS, [("carted", -DAY, "x"), ("bought", -HOUR, "x"), ("carted", -2 * HOUR, "y")], True),
    ("sequence: [{event: a}, {not: {event: a, within: 2h}}]", [("a", -2 * HOUR)], True),
    ("sequence: [{event: a}, {not: {event: a, within: 2h}}]", [("a", -2 * HOUR), ("a", -2 * HOUR)], False),
    ("sequence: [{event: a}, {not: {event: b}}]", [("a", 0)], True),
    ("sequence: [{event: a}, {not: {event: b}}, {not: {event: c, within: 1h}}]", [("a", -HOUR)], True),
    ("sequence: [{event: a}, {not: {event: b}}, {not: {event: c, within: 1h}}]", [("a", -HOUR), ("b", 0)], False),
    ("sequence: [{event: a}, {not: {event: b}}, {not: {event: c, within: 1h}}]", [("a", -HOUR), ("c", 0)], False),
    ("sequence: [{event: a}, {not: {event: b}}, {not: {event: c, within: 1h}}]", [("a", -HOUR + 1)], False),
    # the last one
    ("sequence: [{event: a, last: true}, {not: {event: b, within: 2h}}]", [("a", -2 * HOUR), ("a", -1)], False),
    ("sequence: [{event: a, last: true}, {not: {event: b, within: 2h}}]", [("a", -DAY), ("a", -2 * HOUR)], True),
    ("sequence: [{event: a, last: true}, {not: {event: b, within: 2h}}]", [("a", -2 * HOUR), ("a", 1)], True),
    ("{sequence: [{event: a, last: true}, {event: b}], older_than: 1d}", [("a", -DAY), ("a", -HOUR), ("b", 0)], False),
    # behind a `not`
    ("sequence: [{event: a}, {not: {event: b}, within: 2h}, {event: c, within: 1h}]", [("a", -3 * HOUR), ("c", -HOUR)], True),
    ("sequence: [{event: a}, {not: {event: b}, within: 2h}, {event: c, within: 1h}]", [("a", -3 * HOUR), ("c", -HOUR - 1)], False),
    ("sequence: [{event: a}, {not: {event: b}, within: 2h}, {event: c, within: 1h}]", [("a", -3 * HOUR), ("c", 0)], True),
    ("sequence: [{event: a}, {not: {event: b}, within: 2h}, {event: c, within: 1h}]", [("a", -3 * HOUR - 1), ("c", 0)], False),
    ("sequence: [{event: a}, {not: {event: b}, within: 2h}, {event: c}]", [("a", -3 * HOUR), ("c", -1), ("b", 0)], False),
])
def test_the_edges_of_a_sequence(text: str, seen: list[tuple[Any, ...]], expected: bool) -> None:
    told = [(name, NOW + when, {"cart": rest[0]} if rest and rest[0] is not None else {}) for name, when, *rest in seen]
    check(text, events(*told), expected)
    check(text, events(*reversed(told)), expected)


def test_a_later_first_step_or_another_follower_leads_on_where_the_nearest_leads_nowhere() -> None:
    text = "sequence: [{event: a}, {event: b, within: 2h, same: x}, {event: c, within: 1h, same: y}]"
    near = ("b", NOW - 3 * HOUR, {"x": 1, "y": 2})
    good = [("a", NOW - 4 * HOUR, {"x": 1}), ("b", NOW - 2 * HOUR, {"x": 1, "y": 3}), ("c", NOW - HOUR, {"y": 3})]
    check(text, events(*good), True)
    check(text, events(near, *good), True)
    check(text, events(near, good[0], good[2]), False)
    check(text, events(*good[:2], ("c", NOW - HOUR, {"y": 2})), False)


def test_two_events_of_one_instant_share_out_the_steps() -> None:
    text = "sequence: [{event: '*', where: {x: 1}}, {event: '*', where: {y: 1}}]"
    both, one, other = {"x": 1, "y": 1}, {"x": 1}, {"y": 1}
    for first, second, expected in ((both, one, True), (both, other, True), (both, both, True), (one, other, True), (one, one, False)):
        check(text, events(("a", NOW, first), ("b", NOW, second)), expected)
    check(text, events(("a", NOW, both)), False)


def test_same_compares_with_the_nearest_positive_step_before() -> None:
    text = "sequence: [{event: a}, {event: b, same: x}, {not: {event: d}}, {event: c, same: x}]"
    told = [("a", NOW - 3, {"x": 1}), ("b", NOW - 2, {"x": [1, 2]}), ("c", NOW - 1, {"x": 2})]
    check(text, events(*told), True)
    check(text, events(*told[:2], ("c", NOW - 1, {"x": 3})), False)
    check(text, events(*told[:2], ("c", NOW - 1, {})), False)


def test_inside_and_outside_of_not_mean_the_same() -> None:
    inside = rule("sequence: [{event: a}, {not: {event: b, same: x, within: 2h}}]")
    assert inside == rule("sequence: [{event: a}, {not: {event: b}, same: x, within: 2h}]")
    assert inside == rule("sequence: [{event: a}, {not: {event: b, same: x}, within: 2h}]")


# --- how it is found ------------------------------------------------------------------------------------------------------------


def by_trying_all(at: list[int], links: list[Link]) -> bool:
    """Whether any choice of different events makes a chain."""
    return any(
        all(event in link.able for event, link in zip(chain, links, strict=True))
        and all(follows(at, *pair, link) for pair, link in zip(pairwise(chain), links[1:], strict=True))
        for chain in permutations(range(len(at)), len(links))
    )


def follows(at: list[int], before: int, after: int, link: Link) -> bool:
    since = at[before] + link.delay
    return since <= at[after] <= since + (10**9 if link.within is None else link.within) and bool(
        set(link.keys_of(before)) & set(link.keys_of(after)))


def test_the_search_finds_a_chain_exactly_if_trying_all_does() -> None:
    rng, found = Random(2026), [0, 0]
    for _ in range(1500):
        at = sorted(rng.choices(range(4), k=rng.randint(1, 6)))
        keys = [tuple(rng.sample("abc", rng.choice([0, 1, 1, 2]))) for _ in at]
        links = [
            Link(frozenset(event for event in range(len(at)) if rng.random() < 0.6), rng.choice([0, 0, 0, 1]),
                 rng.choice([None, 0, 1, 2]), rng.choice([None, None, keys]))
            for _ in range(rng.randint(1, 4))
        ]
        links[0] = Link(links[0].able)
        chain = Chains(at, links).find()
        expected = by_trying_all(at, links)
        assert (chain is not None) is expected
        found[expected] += 1
        if chain is not None:
            assert len(set(chain)) == len(links)
            assert all(event in link.able for event, link in zip(chain, links, strict=True))
            assert all(follows(at, *pair, link) for pair, link in zip(pairwise(chain), links[1:], strict=True))
    assert min(found) > 300


def test_somebody_with_fifteen_thousand_events_is_answered() -> None:
    text = "sequence: [{event: a}, {event: a, same: x, within: 2h}, {event: a, same: y, within: 2h}, {event: b}]"
    for spread, told in ((1, False), (60_000, True)):
        who = events(*(("a", NOW - 1 - place // 50 * spread, {"x": place % 7, "y": place % 11}) for place in range(15_000)),
                     *([("b", NOW)] if told else []))
        check(text, who, told)


def test_only_those_whose_events_compete_are_searched_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[int] = []
    found = sequences.SequenceArrays._search
    monkeypatch.setattr(sequences.SequenceArrays, "_search", lambda self, who, *rest: (searched.append(who), found(self, who, *rest))[1])
    for told, holds, expected in (
        ([("a", NOW - 1), ("b", NOW)], True, []), ([("a", NOW), ("a", NOW - 1)], True, []), ([("a", NOW)], False, []),
        ([("b", NOW), ("b", NOW)], False, []), ([("a", NOW), ("a", NOW)], True, [1]), ([("a", NOW), ("b", NOW)], True, [1]),
        ([("a", NOW - 1), ("b", NOW), ("b", NOW)], True, []),
    ):
        searched.clear()
        check("sequence: [{event: a}, {event: [a, b]}]", events(*told), holds)
        assert set(searched) == set(expected)


def test_a_timeline_finds_the_latest_of_a_group_and_counts_those_since() -> None:
    rng = Random(7)
    for scale, far in ((1, 5), (2**33, 5), (1, 2**61)):                  # small groups, groups to be numbered, times to be numbered
        groups = np.array([rng.randint(0, 4) * scale for _ in range(40)])
        at = np.array([rng.randint(-5, 5) * far // 5 for _ in range(40)])
        asked, upto = np.array([each * scale for each in range(7)] * 13), np.repeat(np.arange(-6, 7) * far // 5, 7)
        line = Timeline(groups, at)
        expected = [max((t for g, t in zip(groups, at, strict=True) if g == group and t <= moment), default=NONE)
                    for group, moment in zip(asked, upto, strict=True)]
        assert line.latest(asked, upto).tolist() == expected
        counted = [sum(1 for g, t in zip(groups, at, strict=True) if g == group and t >= moment)
                   for group, moment in zip(asked, upto, strict=True)]
        assert line.since(asked, upto).tolist() == counted
    empty = Timeline(np.zeros(0, np.int64), np.zeros(0, np.int64))
    assert empty.latest(np.array([3]), np.array([5])).tolist() == [NONE]
    assert empty.since(np.array([3]), np.array([5])).tolist() == [0]


# --- explained ------------------------------------------------------------------------------------------------------------------


def progress(text: str, *told: Event) -> tuple[list[str], int, list[str]]:
    node = rule(text)
    assert isinstance(node, Sequence)
    chain, reached, against = node.progress(person({}, *told), NOW)
    return [event.id for event in chain], reached, [event.id for event in against]


def test_the_best_chain_and_what_stands_against_it_are_the_evidence() -> None:
    a, b, c = (Event(name, NOW - 3 + place, {}, name) for place, name in enumerate("abc"))
    assert progress("sequence: [{event: a}, {event: b}, {event: c}]", a, b, c) == (["a", "b", "c"], 3, [])
    assert progress("sequence: [{event: a}, {event: b}, {event: d}]", a, b, c) == (["a", "b"], 2, [])
    assert progress("sequence: [{event: a}, {not: {event: c}}]", a, b, c) == (["a"], 1, ["c"])
    tied = Event("c", a.at, {}, "tied")
    assert progress("sequence: [{event: a}, {not: {event: c}}]", a, tied) == (["a"], 1, ["tied"])
    assert progress("sequence: [{event: d}, {event: c}]", a, b, c) == ([], 0, [])
    node = rule("sequence: [{event: a}, {not: {event: c}}]")
    assert [event.id for event in node.evidence(person({}, a, b, c), NOW)] == ["a", "c"]


def test_a_cart_is_abandoned_at_the_turn_and_no_longer_when_the_window_closes() -> None:
    node = rule(CARTS)
    who = events(("carted", NOW, {"cart": "x"}))
    assert node.turn(who, NOW) == NOW + 2 * HOUR
    assert [node.matches(who, NOW + 2 * HOUR + beside) for beside in (-1, 0)] == [False, True]
    assert node.turn(who, NOW + 2 * HOUR) == NOW + 3 * DAY
    assert [node.matches(who, NOW + 3 * DAY + beside) for beside in (-1, 0)] == [True, False]
    assert node.turn(who, NOW + 3 * DAY) is None
