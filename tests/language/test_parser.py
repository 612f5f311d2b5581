"""Broken rules are answered with every problem at once, each with its place and the nearest right word."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from sync.language.explain import explain
from sync.language.graph import DEEPEST, order, referenced_segments, sequence
from sync.language.happened import Filter, Happened, Names
from sync.language.needs import needs
from sync.language.nodes import AnyOf, InSegment, Node
from sync.language.parser import event_hints
from sync.language.person import Person
from sync.language.reader import RuleScope
from sync.language.window import UNITS, Ago, Ever, Within, reach
from sync.language.words import LATER_KEYS, RULE_KEYS
from sync.located import Place
from tests.language.support import DAY, NOW, SCOPE, at, event, problems, rule


def broken_rules() -> list[tuple[str, list[str]]]:
    """(rule, messages) out of the file beside this one."""
    text = Path(__file__).with_name("broken_rules.txt").read_text()
    blocks = [block.split("\n") for block in text.strip().split("\n\n")[1:]]
    return [(first, [line.strip() for line in rest]) for first, *rest in blocks]


@pytest.mark.parametrize(("text", "messages"), broken_rules(), ids=lambda value: value if isinstance(value, str) else "")
def test_a_broken_rule_says_what_is_wrong_and_where(text: str, messages: list[str]) -> None:
    assert messages
    assert problems(text) == messages


def test_every_problem_is_told_at_once_in_order_of_place() -> None:
    text = """
all:
  - event: order_placed
    withn: 30d
    count: {atleast: 2}
  - contact: {cuntry: DE, city: null}
  - not: {segment: vpi}
"""
    assert [problem.split(":")[:2] for problem in problems(text)] == [["4", "5"], ["5", "13"], ["6", "15"], ["6", "33"], ["7", "20"]]


def test_no_later_form_is_silently_accepted() -> None:
    for key in sorted(LATER_KEYS):
        found = problems(f"{{event: a, {key}: {{x: 1}}}}")
        assert any(f"'{key}' is not yet supported" in problem for problem in found), key
    assert not LATER_KEYS & RULE_KEYS


def test_durations_are_whole_numbers_of_a_unit() -> None:
    for unit, span in UNITS.items():
        node = rule(f"{{event: a, within: 3{unit}}}")
        assert isinstance(node, Happened)
        assert node.window == Within(3 * span)


def test_ages_may_come_in_either_order() -> None:
    assert rule("{event: a, ago: [90d, 30d]}") == rule("{event: a, ago: [30d, 90d]}")
    node = rule("{event: a, ago: [90d, 30d]}")
    assert isinstance(node, Happened)
    assert node.window == Ago(90 * DAY, 30 * DAY)
    assert reach(node.window, NOW) == 90 * DAY


def test_days_and_instants_without_an_offset_stand_in_the_segments_zone() -> None:
    here, there = (rule("{event: a, since: 2026-06-01}", replace(SCOPE, zone=ZoneInfo(zone))) for zone in ("Europe/Berlin", "UTC"))
    assert isinstance(here, Happened)
    assert isinstance(there, Happened)
    assert reach(here.window, at("2026-06-01T22:00Z")) == 24 * 3_600_000
    assert reach(there.window, at("2026-06-01T22:00Z")) == 22 * 3_600_000


def test_machine_opens_may_be_ignored_by_default_and_asked_for_by_name() -> None:
    scope = replace(SCOPE, ignore_machine=True)
    assert rule("event: a", scope) == rule("{event: a, human: true}")
    assert rule("{event: a, human: false}", scope) == rule("event: a")


def test_the_salt_of_a_sample_is_the_segments_name_unless_said() -> None:
    assert rule("sample: {share: 5%}") == rule("sample: {share: 5.0%, salt: tested}")


def test_the_channel_and_names_that_the_scope_does_not_know_are_refused() -> None:
    scope = RuleScope("tested", ZoneInfo("UTC"), channels=("email",))
    assert problems("consent: {channel: sms, is: granted}", scope) == ["1:20: unknown channel 'sms'; known are email"]


def test_a_rule_says_what_it_needs() -> None:
    node = rule("""
all:
  - {event: [order_placed, 'cart_*'], where: {category: a}, sum: {of: value, at_least: 5}, within: 30d}
  - {event: email_opened, human: true, count: 0}
  - contact: {city: {is_not: {field: region}}, known_since: {older_than: 30d}, mailchimp.merge_fields.CITY: a}
  - {segment: vip}
  - member_of: {klaviyo: {list: VIP}}
""")
    found = needs(node)
    assert found.fields == {("city",), ("region",), ("mailchimp", "merge_fields", "CITY")}
    assert found.segments == referenced_segments(node) == {"vip"}
    assert found.connections == {"klaviyo"}
    assert {(need.names, need.properties) for need in found.events} == {
        (Names(("order_placed",), ("cart_",)), frozenset({("category",), ("value",), ("currency",)})),
        (Names(("email_opened",)), frozenset({("machine",)})),
    }


def test_a_pattern_says_what_it_needs_and_how_far_back() -> None:
    asked = {
        "{event: a, where: {x: 1}, last: {y: {is: {field: z}}}, ago: [90d, 30d]}": [("a", {"x", "y", "z"}, Within(90 * DAY))],
        "{event: a, first: true, within: 30d}": [("a", set(), Ever())],
        "{event: a, most_frequent: {of: x, is: 1}, within: 30d}": [("a", {"x"}, Within(30 * DAY))],
        "{event: a, in_at_least: 3, of_last: 4, period: week}": [("a", set(), Within(28 * DAY))],
        "{event: a, streak: {at_least: 3, period: 1d}, human: true}": [("a", {"machine"}, Within(4 * DAY))],
        "resumed: {event: a, silent: 30d, within: 7d}": [("a", set(), Ever())],
        "{sequence: [{event: a}, {event: b, same: x}, {not: {event: c, same: y}}], ago: [90d, 30d]}": [
            ("a", {"x"}, Within(90 * DAY)), ("b", {"x", "y"}, Within(90 * DAY)), ("c", {"y"}, Within(90 * DAY))],
    }
    for text, expected in asked.items():
        found = {(*need.names.exact, frozenset(path for path, in need.properties), need.window) for need in needs(rule(text)).events}
        assert found == {(name, frozenset(paths), window) for name, paths, window in expected}, text


def test_names_of_events_nobody_has_seen_are_a_warning_with_the_nearest_one() -> None:
    node = rule("any: [{event: order_palced}, {event: order_placed}, {event: 'never_*'}]")
    assert event_hints(node, ["order_placed"]) == ["no event 'order_palced' has been seen so far; did you mean 'order_placed'?"]
    assert isinstance(rule("event: a"), Happened)
    assert Filter(Names(("a",))).names.takes("a")


def test_segments_are_ordered_so_that_each_comes_after_those_it_asks() -> None:
    scope = replace(SCOPE, segments=("a", "b", "c"))
    nodes = {"a": rule("not: {segment: b}", scope), "b": rule("segment: c", scope), "c": rule("event: x", scope)}
    assert order(nodes, {}) == (["c", "b", "a"], [])


def test_a_ring_of_segments_is_shown() -> None:
    scope = replace(SCOPE, segments=("a", "b", "c"))
    nodes = {"a": rule("segment: b", scope), "b": rule("segment: c", scope), "c": rule("segment: b", scope)}
    places = {name: Place("rule.yaml", line, 3) for line, name in enumerate(nodes, 1)}
    _, found = order(nodes, places)
    assert [str(problem) for problem in found] == ["rule.yaml:2:3: segments ask each other in a ring: b → c → b"]
    _, alone = order({"a": rule("segment: a", scope)}, places)
    assert [str(problem) for problem in alone] == ["rule.yaml:1:3: segments ask each other in a ring: a → a"]


def chain(length: int) -> dict[str, Node]:
    """A segment that asks one that asks one …, the last asked last."""
    rules: dict[str, Node] = {f"s{place}": InSegment(f"s{place + 1}") for place in range(length - 1)}
    return {**rules, f"s{length - 1}": rule("{event: order_placed}")}


def test_a_long_chain_of_segments_is_put_in_order_without_end() -> None:
    rules = chain(10_000)
    assert sequence(rules) == (list(reversed(rules)), [])


def test_the_first_segments_that_go_too_deep_are_told_and_no_others() -> None:
    rules = chain(1000)
    places = {name: Place("rule.yaml", line, 1) for line, name in enumerate(rules, 1)}
    _, found = order(rules, places)
    assert [str(problem) for problem in found[:1]] == [
        "rule.yaml:800:1: segment 's799' holds 201 conditions inside each other, those of the segments it asks counted; "
        "at most 200 are read; ask fewer segments one through another"
    ]
    assert len(found) == 1000 // 201
    assert order(chain(200), places)[1] == []


def test_a_rule_as_deep_as_is_read_can_be_answered_and_explained() -> None:
    rules = chain(DEEPEST)
    who = Person(rules=rules)
    assert rules["s0"].matches(who, NOW) is False
    assert rules["s0"].turn(who, NOW) is None
    assert len(list(explain(rules["s0"], who, NOW).lines())) == DEEPEST


def test_a_segment_that_everybody_asks_is_worked_out_and_shown_once() -> None:
    rules: dict[str, Node] = {f"s{place}": AnyOf((InSegment(f"s{place + 1}"), InSegment(f"s{place + 1}"))) for place in range(60)}
    rules["s60"] = rule("{event: order_placed, within: 1d}")
    who = Person(events=(event("order_placed", NOW),), rules=rules)
    assert rules["s0"].matches(who, NOW)
    assert rules["s0"].turn(who, NOW) == NOW + DAY
    assert len(rules["s0"].evidence(who, NOW)) == 1
    assert len(list(explain(rules["s0"], who, NOW).lines())) == 1 + 3 * 60
