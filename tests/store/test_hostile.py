"""Whatever a platform sends as a field or a property, the full pass over the store answers as the oracle does, and answers at all."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.base import Event, ProfileId
from sync.evaluate.from_store import StoreSnapshot
from sync.evaluate.full_pass import full_pass
from sync.language.nodes import Node
from sync.language.person import Event as Fact
from sync.language.person import Person
from sync.language.values import RuleFailure, decode
from sync.store.fields import FieldSource
from sync.store.store import Store
from tests.language.support import DAY, NOW, rule
from tests.store.ground import profile, tell, write

HOSTILE: dict[str, Any] = {
    "a lone surrogate": "x\ud83dy", "NUL": "a\0b", "a large integer": 2**63, "a huge integer": 2**64, "an endless integer": 10**400,
    "a huge negative integer": -(2**63) - 1, "NaN": float("nan"), "an infinity": float("-inf"), "a tiny float": 5e-324,
    "a large float": 1.7e308, "five megabytes": "x" * 5_000_000, "many digits": "9" * 5000, "a number of many digits in a text": "1e400",
    "a day in year 0": "0000-01-01", "the last day": "9999-12-31", "an instant in year 0": "0000-01-01T00:00:00Z",
    "the last instant": "9999-12-31T23:59:59.999Z", "an instant before the first": "0001-01-01T00:00:00+14:00",
    "an instant after the last": "9999-12-31T23:59:59.999-12:00", "no day": "2026-02-30", "a leap second": "2016-12-31T23:59:60Z",
    "a list of all kinds": [1, "a", None, True, {"x": 1}, [2]], "a list of numbers": [7, 7.5, "8"], "an empty list": [],
    "a map": {"x": {"y": 1}},
    "a deep list": [[[[[[[[7]]]]]]]], "a number": 7, "a text": "7", "a truth": True, "nothing": None, "an empty text": "",
    "a key of ours": {"field": "x"},
}
TESTS = (
    "7", "'7'", "true", "[7, a]", "{is_not: 7}", "{not_in: [7, '8']}", "{at_least: 7}", "{less_than: 1000}", "{between: [-7, 7]}",
    "{at_least: 9223372036854775807}", "{at_most: -9223372036854775808}", "{before: 2026-01-01}", "{after: 9999-12-30}",
    "{within_last: 30d}", "{within_next: 30d}", "{older_than: 30d}", "{contains: x}", "{not_contains: x}", "{starts_with: x}",
    "{matches: '^(x+x+)+y$'}", "{is_set: true}", "{is_set: false}", "{size: 0}", "{size: {at_least: 2}}", "{any: 7}",
    "{all: {at_least: 7}}",
    "{none: a}", "{any: {x: 1}}", "{is: {field: city}}", "{is: X, ignore_case: true}", "{at_least: 7, missing: match}",
)
ABOUT_EVENTS = (
    "sum: {of: odd, at_least: 7}", "average: {of: odd, less_than: 7}", "min: {of: odd, at_most: 7}", "max: {of: odd, more_than: 7}",
    "distinct: {of: odd, at_least: 2}", "distinct: {of: odd, at_least: 1}", "count: {at_least: 1}",
)


def rules() -> dict[str, Node]:
    """Every test of a field and of a property, and every aggregate."""
    fields = [f"contact: {{klaviyo.odd: {test}}}" for test in TESTS]
    where = [f"{{event: klaviyo.seen, where: {{odd: {test}}}}}" for test in TESTS]
    measured = [f"{{event: klaviyo.seen, {asked}, within: 30d}}" for asked in ABOUT_EVENTS]
    return {text: rule(text) for text in (*fields, *where, *measured)}


def kept(store: Store, texts: str) -> Any:
    """What the store made of the value: the oracle reads that."""
    return decode(store.rows(texts)[0][0]).get("odd")


def answer(node: Node, who: Person) -> bool | str:
    try:
        return node.matches(who, NOW)
    except RuleFailure as failure:
        return str(failure)


@pytest.mark.parametrize("kind", HOSTILE)
def test_the_full_pass_answers_as_the_oracle_does(store: Store, kind: str) -> None:
    write(store, 3, profile("p1", None, {"odd": HOSTILE[kind], "city": "7"}))
    times = (NOW, NOW - DAY, NOW - 60 * DAY)
    tell(store, 3, *(Event(f"e{at}", "seen", at, {"odd": HOSTILE[kind], "city": "7"}, profile=ProfileId("p1")) for at in times))
    asked = rules()
    sources = {path: [FieldSource(3, path[1:], neutral=False)] for path in (("klaviyo", "odd"), ("klaviyo", "city"))}
    sources |= {("city",): [FieldSource(3, ("city",), neutral=True)]}
    result = full_pass(StoreSnapshot(store, sources, {}), asked, NOW)
    field, property_ = kept(store, "select fields from profiles"), kept(store, "select properties from events")
    facts = tuple(Fact("klaviyo.seen", at, {"odd": property_, "city": "7"}, str(at)) for at in times)
    who = Person({"klaviyo": {"odd": field}, "city": "7"}, facts)
    for name, node in asked.items():
        fast = result.failures.get(name, bool(result.members[name][0]) if name in result.members else None)
        assert fast == answer(node, who), name


def test_a_property_that_is_now_a_number_and_now_a_list_is_read_as_what_it_is_each_time(store: Store) -> None:
    write(store, 3, profile("p1"))
    values = [7, [8, 9], "7", ["x"], None, {"a": 1}, 2**70, [7.5, 7.5], True, ""]
    tell(store, 3, *(Event(f"e{n}", "seen", NOW - n, {"odd": value}, profile=ProfileId("p1")) for n, value in enumerate(values)))
    asked = rules()
    result = full_pass(StoreSnapshot(store, {}, {}), asked, NOW)
    texts = store.rows("select properties, at from events")
    who = Person(events=tuple(Fact("klaviyo.seen", at, decode(text), str(at)) for text, at in texts))
    for name, node in asked.items():
        if "contact:" not in name:
            fast = result.failures.get(name, bool(result.members[name][0]) if name in result.members else None)
            assert fast == answer(node, who), name
