"""Since when: moves of segments, tags, lists and consent, on every edge, in the oracle and in the full pass."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sync.evaluate.from_people import snapshot_of
from sync.evaluate.full_pass import full_pass
from sync.evaluate.turns import NEVER
from sync.evaluate.world import World
from sync.language.graph import layers, sequence
from sync.language.needs import needs
from sync.language.person import ConsentFact, Event, MembershipFact, Move, Past, Person
from tests.evaluate.worlds import node_of
from tests.language.support import NOW, SCOPE, rule

DAY = 86_400_000
RULES = {"first": node_of({"contact": {"country": "DE"}})}


def moved(at: int) -> Person:
    return Person(moves=(Move("first", at, entered=True), Move("first", at, entered=False), Move("second", NOW, entered=True)), rules=RULES)


def tagged(at: int) -> Person:
    return Person(memberships=(MembershipFact("mailchimp", "tag", "VIP", "de", at),))


def allowed(at: int) -> Person:
    return Person(consents=(ConsentFact("mailchimp", "email", "granted", at=at),))


@pytest.mark.parametrize(("who", "form"), [
    (moved, lambda window: {"entered": {"segment": "first", **window}}),
    (moved, lambda window: {"left": {"segment": "first", **window}}),
    (tagged, lambda window: {"member_of": {"mailchimp": {"tag": "VIP"}, **window}}),
    (allowed, lambda window: {"consent": {"channel": "email", "is": "granted", **window}}),
], ids=["entered", "left", "member_of", "consent"])
@pytest.mark.parametrize(("window", "holds"), [
    ({"within": "1d"}, {NOW - DAY: False, NOW - DAY + 1: True, NOW: True, NOW + 1: False}),
    ({"older_than": "1d"}, {NOW - DAY: True, NOW - DAY + 1: False}),
    ({"ago": ["2d", "1d"]}, {NOW - 2 * DAY: False, NOW - 2 * DAY + 1: True, NOW - DAY: True, NOW - DAY + 1: False}),
])
def test_windows_hold_to_the_millisecond(who: Any, form: Any, window: dict[str, Any], holds: dict[int, bool]) -> None:
    node, people = node_of(form(window)), [who(at) for at in holds]
    assert [node.matches(person, NOW) for person in people] == list(holds.values())
    result = full_pass(snapshot_of(people, [node]), {**RULES, "asked": node}, NOW)
    assert result.members["asked"].tolist() == list(holds.values())
    world = World(snapshot_of(people, [node]), NOW, {})
    assert world.turns(node).tolist() == [NEVER if (turn := node.turn(person, NOW)) is None else turn for person in people]


def test_an_answer_about_a_move_may_change_when_the_segment_may_only_while_it_is_no() -> None:
    rules = {"first": rule("{event: a, older_than: 1d}")}
    came = Move("first", NOW - DAY, entered=True)
    node = node_of({"entered": {"segment": "first", "within": "30d"}})
    event = rule("{event: a, older_than: 1d}")
    assert event.turn(told := Person(events=(Event("a", NOW),), rules=rules), NOW) == NOW + DAY
    assert node.turn(told, NOW) == NOW + DAY
    assert node.turn(Person(events=told.events, moves=(came,), rules=rules), NOW) == NOW + 29 * DAY


def test_consent_must_be_as_told_by_now_and_since_a_moment_in_the_window() -> None:
    node = rule("{consent: {channel: email, is: granted, within: 15d}}")
    fresh = ConsentFact("mailchimp", "email", "granted", at=NOW - DAY)
    assert node.matches(Person(consents=(fresh,)), NOW)
    assert not node.matches(Person(consents=(fresh, ConsentFact("hubspot", "email", "withdrawn", at=NOW))), NOW)
    assert not node.matches(Person(consents=(ConsentFact("hubspot", "email", "granted", at=None),)), NOW)
    lost = rule("{consent: {channel: email, is: withdrawn, within: 15d}}")
    long_ago = ConsentFact("hubspot", "email", "withdrawn", at=NOW - 90 * DAY)
    assert not lost.matches(Person(consents=(fresh, long_ago)), NOW), "a grant of yesterday dates no withdrawal"


@pytest.mark.parametrize(("state", "long_ago", "expected"), [
    ("unknown", None, True), ("unknown", "unknown", True), ("granted", "granted", False), ("withdrawn", "withdrawn", False),
])
def test_consent_that_cannot_be_read_dates_what_is_unknown_and_nothing_else(state: str, long_ago: str | None, expected: bool) -> None:
    old = () if long_ago is None else (ConsentFact("mailchimp", "email", long_ago, at=NOW - 90 * DAY),)
    unreadable = Person(consents=(*old, ConsentFact("hubspot", "email", "unreadable", at=NOW - DAY)))
    node = node_of({"consent": {"channel": "email", "is": state, "within": "15d"}})
    assert [node.matches(person, NOW) for person in (unreadable, Person(consents=old))] == [expected, False]
    result = full_pass(snapshot_of([unreadable, Person(consents=old)], [node]), {"asked": node}, NOW)
    assert result.members["asked"].tolist() == [expected, False]


def test_a_segment_is_answered_after_the_moves_of_those_it_asks_are_on_record() -> None:
    asks = replace(SCOPE, segments=("a", "b", "c", "d"))
    texts = {
        "a": "all: [{entered: {segment: b, within: 1d}}, {segment: c}]",
        "b": "segment: c", "c": "contact: {country: DE}", "d": "segment: a",
    }
    rules = {name: rule(text, asks) for name, text in texts.items()}
    assert layers(rules) == [["b", "c"], ["a", "d"]]
    assert (needs(rules["a"]).moves, needs(rules["a"]).segments) == ({"b"}, {"b", "c"})


def test_a_segment_that_asks_its_own_moves_is_a_ring() -> None:
    asks = replace(SCOPE, segments=("a", "b"))
    rules = {"a": rule("not: {left: {segment: b}}", asks), "b": rule("segment: a", asks)}
    assert sequence(rules)[1] == [["a", "b", "a"]]


PLAN = ("plan",)


def stood(at: int) -> Person:
    return Person(pasts={PLAN: (Past(at - DAY, "basic", changed=False), Past(at, "gold"))})


@pytest.mark.parametrize(("asked", "holds"), [
    ({"has_been": "gold", "for": "1d"}, {NOW - DAY: True, NOW - DAY + 1: False, NOW + 1: False}),
    ({"has_been": ["gold", "basic"], "for": "1d"}, {NOW: True, NOW + 1: False, NOW + DAY: False}),
    ({"changed": True, "within": "1d"}, {NOW - DAY: False, NOW - DAY + 1: True, NOW: True, NOW + 1: False}),
    ({"changed": True, "from": "basic", "to": "gold", "within": "1d"}, {NOW: True, NOW + 1: False}),
    ({"changed": True, "from": "gold"}, {NOW: False}),
    ({"changed": True, "to": "basic"}, {NOW: False, NOW + DAY: False}),
    ({"changed": False, "within": "1d"}, {NOW - DAY: True, NOW - DAY + 1: False}),
])
def test_pasts_count_to_the_millisecond(asked: dict[str, Any], holds: dict[int, bool]) -> None:
    node, people = node_of({"contact": {"plan": asked}}), [stood(at) for at in holds]
    assert [node.matches(person, NOW) for person in people] == list(holds.values())
    world = World(snapshot_of(people, [node]), NOW, {})
    assert world.mask(node).tolist() == list(holds.values())
    for leaf in node.children or (node,):
        assert world.turns(leaf).tolist() == [NEVER if (turn := leaf.turn(person, NOW)) is None else turn for person in people]


@pytest.mark.parametrize(("pasts", "gold_for_a_day", "ever_changed"), [
    ((), False, False),
    ((Past(NOW - 9 * DAY, "gold", changed=False),), True, False),
    ((Past(NOW - 9 * DAY, "gold", changed=False), Past(NOW - 5 * DAY, "gold")), True, False),
    ((Past(NOW - 9 * DAY, "gold", changed=False), Past(NOW - 5 * DAY, "basic", changed=False)), False, False),
    ((Past(NOW - 9 * DAY, "gold", changed=False), Past(NOW - 5, "basic"), Past(NOW - 4, "gold")), False, True),
    ((Past(NOW - 9 * DAY, None, changed=False), Past(NOW - 2 * DAY, "gold")), True, True),
    ((Past(NOW - 9 * DAY, "gold"),), True, False),
    ((Past(NOW - 9 * DAY, "gold", changed=False), Past(NOW, "basic")), False, True),
    ((Past(NOW - 9 * DAY, "gold", changed=False), Past(NOW + 1, "basic")), True, False),
])
def test_a_break_starts_the_time_anew_and_a_first_sight_is_no_change(
    pasts: tuple[Past, ...], gold_for_a_day: bool, ever_changed: bool,
) -> None:
    nodes = [node_of({"contact": {"plan": asked}}) for asked in ({"has_been": "gold", "for": "1d"}, {"changed": True})]
    who = Person(pasts={PLAN: pasts})
    assert [node.matches(who, NOW) for node in nodes] == [gold_for_a_day, ever_changed]
    world = World(snapshot_of([Person(), who, Person()], nodes), NOW, {})
    assert [world.mask(node).tolist() for node in nodes] == [[False, gold_for_a_day, False], [False, ever_changed, False]]
