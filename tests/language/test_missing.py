"""What is missing for a near miss, in words."""

from __future__ import annotations

import pytest

from sync.language.explain import explain
from sync.language.person import ConsentFact, Person
from tests.language.support import NOW, event, person, rule

DAY = 86_400_000
TWO = person({"country": "FR"}, event("order_placed", NOW - DAY, value=20), event("order_placed", NOW - 2 * DAY, value=5))


@pytest.mark.parametrize(("text", "missing"), [
    ("{event: order_placed, count: {at_least: 3}}", "one more order_placed (has 2, needs at least 3)"),
    ("{event: order_placed, count: {at_least: 2}}", ""),
    ("{event: order_placed, count: {more_than: 3}}", "2 more order_placed (has 2, needs more than 3)"),
    ("{event: order_placed, count: {at_most: 1}}", "fewer order_placed (has 2, needs at most 1)"),
    ("{event: order_placed, count: 3}", "one more order_placed (has 2, needs exactly 3)"),
    ("{event: order_placed, count: {is_not: 2}}", "another number of order_placed (has 2, needs not exactly 2)"),
    ("{event: order_placed, count: {between: [4, 6]}}", "2 more order_placed (has 2, needs between 4 and 6)"),
    ("{event: [email_opened, 'page_*']}", "one more email_opened or page_* (has 0, needs at least 1)"),
    ("{event: order_placed, sum: {of: value, at_least: 30}}", "5 more in the sum of value (has 25, needs at least 30)"),
    ("{event: order_placed, sum: {of: value, at_most: 10}}", "another sum of value (has 25, needs at most 10)"),
    ("{event: order_placed, average: {of: value, at_least: 20}}", "another average of value (has 12.5, needs at least 20)"),
    ("{event: email_opened, max: {of: value, at_least: 20}}", "a max of value (no number there)"),
    ("{event: order_placed, count: {at_least: 3}, sum: {of: value, at_least: 30}}",
     "one more order_placed (has 2, needs at least 3) and 5 more in the sum of value (has 25, needs at least 30)"),
    ("contact: {country: [DE, AT]}", 'country is one of DE, AT: it is "FR"'),
    ("contact: {city: Berlin}", "city is Berlin: it is not set"),
    ("contact: {city: Berlin, country: DE}", 'city is Berlin: it is not set and country is DE: it is "FR"'),
    ("not: {event: order_placed, within: 30d}", "not (order_placed, within 30d): 2 count"),
    ("not: {contact: {country: FR}}", 'not (country is FR): it is "FR"'),
    ("consent: {channel: email, is: granted}", "email consent granted"),
    ("suppressed: true", "suppressed"),
    ("all: [{event: order_placed}, {contact: {country: DE}}, {event: a}]",
     'country is DE: it is "FR" and one more a (has 0, needs at least 1)'),
    ("any: [{event: b}, {event: a}]", "one more b (has 0, needs at least 1) or one more a (has 0, needs at least 1)"),
    ("any: [{event: order_placed}, {event: a}]", ""),
    ("none: [{event: order_placed}, {event: a}]", "not (order_placed): 2 count"),
    ("not: {any: [{event: order_placed}, {contact: {country: FR}}]}",
     'not (order_placed): 2 count and not (country is FR): it is "FR"'),
    ("not: {all: [{event: order_placed}, {contact: {country: FR}}]}",
     'not (order_placed): 2 count or not (country is FR): it is "FR"'),
    ("not: {none: [{event: a}, {event: b}]}", "one more a (has 0, needs at least 1) or one more b (has 0, needs at least 1)"),
    ("any: [{all: [{event: a}, {event: b}]}, {event: c}]",
     "(one more a (has 0, needs at least 1) and one more b (has 0, needs at least 1)) or one more c (has 0, needs at least 1)"),
    ("segment: vip", "one more vip_bought (has 0, needs at least 1)"),
])
def test_what_is_missing_reads_as_a_short_text(text: str, missing: str) -> None:
    who = Person(TWO.fields, TWO.events, rules={"vip": rule("event: vip_bought")})
    assert explain(rule(text), who, NOW).missing == missing


def test_what_cannot_be_answered_misses_nothing() -> None:
    mixed = person({}, event("a", value=1, currency="EUR"), event("a", NOW - 1, value=1, currency="USD"))
    assert explain(rule("{event: a, sum: {of: value, at_least: 1}}"), mixed, NOW).missing == ""


def test_conditions_show_the_events_they_rest_on_newest_first_and_count_the_rest() -> None:
    who = person({}, *(event("a", NOW - number * 1000) for number in range(4)), event("b", NOW))
    tree = explain(rule("all: [{event: a}, {consent: {channel: email, is: granted}}]"), who, NOW)
    assert tree.events == ()
    assert [each.at for each in tree.children[0].events] == [NOW - 3000, NOW - 2000, NOW - 1000, NOW]
    assert list(tree.lines(1, events=2)) == [
        "  ✗ all of", "    ✓ a  [4 events]", "        2026-06-15 12:00:00  a", "        2026-06-15 11:59:59  a", "        and 2 more",
        "    ✗ email consent granted",
    ]


def test_a_long_value_is_cut() -> None:
    missing = explain(rule("contact: {city: Berlin}"), person({"city": "x" * 100}), NOW).missing
    assert missing == f'city is Berlin: it is "{"x" * 58}…'
    who = Person(consents=(ConsentFact("klaviyo", "email", "granted"),))
    assert explain(rule("consent: {channel: email, is: granted}"), who, NOW).missing == ""
