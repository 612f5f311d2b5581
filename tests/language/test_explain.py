"""Rules explain themselves: in words, over one person, and to editors."""

from __future__ import annotations

import jsonschema
import pytest
from ruamel.yaml import YAML

from sync.language.describe import describe
from sync.language.explain import explain
from sync.language.person import Person
from sync.language.schema import language_schema, rule_properties
from sync.language.words import RULE_KEYS
from tests.language.support import DAY, NOW, event, person, problems, rule
from tests.language.test_parser import broken_rules


@pytest.mark.parametrize(("text", "words"), [
    ("{event: order_placed, within: 30d}", "order_placed, within 30d"),
    ("{event: [a, 'b_*'], where: {price: {at_least: 40}}, count: {at_least: 3}, within: 14d}",
     "a or b_* where price at least 40, count at least 3, within 14d"),
    ("{event: a, human: true, sum: {of: value, currency: EUR, at_least: 0.5}, ago: [90d, 30d]}",
     "a by a human, sum of value in EUR at least 0.5, 90d to 30d ago"),
    ("{event: a, count: {not_in: [1, 2]}, older_than: 36h}", "a, count is not one of 1, 2, longer than 36h ago"),
    ("{event: a, since: 2026-06-01, until: 2026-06-02T08:00Z}", "a, since 2026-05-31T22:00Z before 2026-06-02T08:00Z"),
    ("{event: a, most_frequent: {of: x, in: [b, c]}, within: 30d}", "a, most frequent x is one of b, c, within 30d"),
    ("{event: a, most_frequent: {of: x, is: b}, count: 3}", "a, count is 3 and a, most frequent x is b"),
    ("{event: a, where: {x: 1}, first: true, within: 30d}", "first a where x is 1, within 30d"),
    ("{event: a, last: {x: {at_least: 5}}}", "latest a, x at least 5"),
    ("stopped: {event: a, active: 1y, silent: 1mo}", "latest a, 1y to 1mo ago"),
    ("resumed: {event: a, human: true, silent: 30d, within: 7d}", "a by a human again after 30d without, within 7d"),
    ("{event: a, in_at_least: 3, of_last: 4, period: week, count: 2}", "a, count is 2 in each, in at least 3 of the last 4 weeks"),
    ("{event: a, in_at_least: 3, of_last: 4, period: 36h}", "a, in at least 3 of the last 4 periods of 36h"),
    ("{event: a, streak: {at_least: 5, period: day}}", "a, days in a row at least 5"),
    ("{sequence: [{event: a}, {event: b, within: 2h}, {not: {event: c, same: x, within: 1d}}], within: 3d}",
     "a, then b within 2h, then no c with the same x within 1d, begun within 3d"),
    ("sequence: [{event: a, last: true}, {event: b}]", "latest a, then b"),
    ("contact: {country: [DE, AT], city: {is_set: true}}", "country is one of DE, AT and city is set"),
    ("contact: {city: {is_not: {field: region}, missing: fail}}", "city is not {field: region} (and not missing)"),
    ("contact: {city: {not_contains: a, ignore_case: true}, created: {within_next: 7d}}",
     "city not contains a in any case and created within the next 7d"),
    ("contact: {mailchimp.tags: {any: {starts_with: a}, size: {at_most: 2}}}", "mailchimp.tags any (starts with a) and size at most 2"),
    ("contact: {mailchimp.tags: {none: {sku: x}}}", "mailchimp.tags none (sku is x)"),
    ("not: {segment: vip}", "not (in segment vip)"),
    ("any: [{all: [{event: a}, {event: b}]}, {none: [{event: c}]}]", "(a and b) or none of (c)"),
    ("consent: {channel: email, is: granted, connection: hubspot}", "email consent granted on hubspot"),
    ("suppressed: true", "suppressed"),
    ("member_of: {mailchimp: {tag: VIP, audience: de}}", "has mailchimp tag VIP in de"),
    ("sample: {share: 12.5%, salt: s}", "in the sample of 12.5% (s)"),
])
def test_a_condition_reads_as_a_short_text(text: str, words: str) -> None:
    assert describe(rule(text)) == words


def test_explain_shows_each_condition_with_its_answer_and_its_value() -> None:
    node = rule("""
all:
  - {event: order_placed, sum: {of: value, at_least: 50}, average: {of: value, more_than: 1}, within: 30d}
  - contact: {country: [DE, AT], city: Berlin}
  - any: [{segment: vip}, {not: {consent: {channel: email, is: withdrawn}}}]
""")
    orders = [event("order_placed", NOW - place, value=value) for place, value in enumerate([40, "none", 5])]
    who = Person({"country": "DE"}, tuple(orders), rules={"vip": rule("event: order_placed")})
    tree = explain(node, who, NOW)
    assert list(tree.lines()) == [
        "✗ all of",
        "  ✗ order_placed, sum of value at least 50, average of value more than 1, within 30d"
        "  [3 events, sum of value 45 (1 no numbers, left out), average of value 22.5 (1 no numbers, left out)]",
        "  ✗ country is one of DE, AT and city is Berlin",
        '    ✓ country is one of DE, AT  ["DE"]',
        "    ✗ city is Berlin  [not set]",
        "  ✓ any of",
        "    ✓ in segment vip",
        "      ✓ order_placed  [3 events]",
        "    ✓ not",
        "      ✗ email consent withdrawn",
    ]


def test_explain_shows_how_far_a_pattern_got_and_by_which_events() -> None:
    days = [event("seen", NOW - number * DAY, x=number // 2) for number in range(3)]
    asked = {
        "sequence: [{event: seen}, {event: seen, within: 1d}, {event: bought}]": ("2 of 3 steps", "bought (step 3 of 3)", 2),
        "sequence: [{event: seen}, {not: {event: seen}}, {not: {event: bought}, within: 1h}]": (
            "2 of 3 steps", "no bought within 1h (step 3 of 3)", 1),
        "{event: seen, in_at_least: 4, of_last: 5, period: day}": ("in 3", "1 more of the last 5 days (has 3, needs at least 4)", 3),
        "{event: seen, streak: {at_least: 5, period: 1d}}": ("3 in a row", "2 more periods of 1d in a row (has 3, needs at least 5)", 3),
        "{event: seen, streak: {is: 2, period: day}}": (
            "at least 3 in a row", "another number of days in a row (has 3, needs exactly 2)", 3),
        "{event: seen, most_frequent: {of: x, is: 1}}": ('"0"', "seen, most frequent x is 1", 3),
        "{event: gone, most_frequent: {of: x, is: 1}}": ("no value", "gone, most frequent x is 1", 0),
        "{event: seen, first: {x: 0}}": ("", "first seen, x is 0", 1),
    }
    for text, (value, missing, resting) in asked.items():
        tree = explain(rule(text), person({}, *days), NOW)
        assert (tree.holds, tree.value, tree.missing, len(tree.events)) == (False, value, missing, resting), text


def test_explain_says_what_cannot_be_answered() -> None:
    who = person({}, event("a", value=1, currency="EUR"), event("a", NOW - 1, value=1, currency="USD"))
    tree = explain(rule("{event: a, sum: {of: value, at_least: 1}}"), who, NOW)
    assert tree.failure == "sum of 'value' mixes EUR, USD; say which with `currency:`"
    assert list(tree.lines()) == ["! a, sum of value at least 1  [sum of 'value' mixes EUR, USD; say which with `currency:`]"]


# --- schema -------------------------------------------------------------------------------------------------------------------------

RIGHT = [
    "{event: order_placed, where: {category: {starts_with: winter}, price: {at_least: 40}}, count: {at_least: 3}, within: 14d}",
    "{event: [a, 'b_*'], sum: {of: value, at_least: 500, currency: EUR}, ago: [90d, 30d], human: true}",
    "{event: a, first: true, within: 30d}",
    "{event: a, last: {category: {starts_with: winter}}}",
    "{event: a, most_frequent: {of: category, in: [x, y], missing: match}, count: {at_least: 2}, within: 3mo}",
    "{event: a, in_at_least: 3, of_last: 4, period: week, count: {at_least: 2}}",
    "{event: a, streak: {at_least: 5, period: 1d}}",
    "{any: [{stopped: {event: a, active: 1y, silent: 1mo}}, {resumed: {event: [a, b], silent: 30d, ago: [30d, 7d]}}]}",
    "{sequence: [{event: a, last: true}, {not: {event: b, same: x}, within: 2h}, {event: c, where: {x: 1}, human: true}], within: 3d}",
    "{event: '*', distinct: {of: category, between: [1, 3]}, since: 2026-01-01, until: 2026-02-01T08:00Z}",
    "{event: a, average: {of: value, in: [1, 2], missing: match}, older_than: 180d}",
    "{contact: {country: [DE, NO], postcode: 01234, klaviyo.flag: true, created: {within_last: 30d}, city: {is_not: {field: region}}}}",
    "{contact: {mailchimp.tags: {any: {sku: x, qty: {at_least: 2}}}, klaviyo.list: {all: [a, b], size: {at_most: 3}, missing: fail}}}",
    "{all: [{any: [{segment: vip}]}, {none: [{suppressed: true}]}, {not: {consent: {channel: email, is: granted}}}]}",
    "{any: [{entered: {segment: vip, within: 7d}}, {left: {segment: vip}}, {member_of: {mailchimp: {tag: VIP}, within: 15d}}]}",
    "{contact: {city: {has_been: [a, b], for: 30d}, region: {changed: true, from: a, to: {is_set: false}, ago: [30d, 7d]}}}",
    "{consent: {channel: email, is: granted, connection: hubspot, within: 15d}}",
    "{all: [{member_of: {mailchimp: {tag: VIP, audience: de}}}, {sample: {share: 10%, salt: x}}]}",
]
JUDGED_BY_CHECK_ALONE = (
    "unknown segment", "unknown field", "unknown connection", "unknown channel", "unknown audience", "RE2", "beyond the second",
    "takes a number or a date", "day or an instant", "one of each", "empty text", "is no field name", "finer than",
    "has no lists", "different ages", "not after", "a star may end one", "nothing to compare", "counts, so it takes",
    "says the same thing twice", "depends on the month", "takes no part here", "0 and up to 100", "two windows",
    "never changes", "what stands here", "a field of the contact was", "needs a text operator", "whole number of s",
    "takes more than 0;", "takes a shorter time;",
    "either a tag or a list", "names one connection", "is asked nothing", "did you mean 'starts_with'", "takes a number, without",
    "cannot be compared with another field", "compared with nothing", "takes a name", "does not go with", "is more than the",
    "counted up to", "something happened;", "not shorter than", "said twice", "rules out", "from 1 to 'of'",
)


def as_json(text: str) -> object:
    return YAML(typ="safe", pure=True).load(text.replace("2026-01-01", "'2026-01-01'").replace("2026-02-01T08:00Z", "'2026-02-01T08:00Z'"))


@pytest.mark.parametrize("text", RIGHT)
def test_the_schema_accepts_what_the_parser_accepts(text: str) -> None:
    assert problems(text) == []
    jsonschema.validate(as_json(text), language_schema(), cls=jsonschema.Draft202012Validator)


def test_the_schema_refuses_what_is_wrong_in_form() -> None:
    validator = jsonschema.Draft202012Validator(language_schema())
    formal = [text for text, found in broken_rules() if not any(word in found[0] for word in JUDGED_BY_CHECK_ALONE)]
    assert len(formal) > 50
    assert [text for text in formal if validator.is_valid(as_json(text))] == []


def test_the_schema_is_one_itself_and_knows_every_key_of_a_rule() -> None:
    jsonschema.Draft202012Validator.check_schema(language_schema())
    assert set(rule_properties()) == RULE_KEYS
