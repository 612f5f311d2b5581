"""What rules mean, idea by idea, asked of the oracle."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from sync.language.happened import Happened
from sync.language.nodes import Not
from sync.language.person import ConsentFact, Event, MembershipFact, Person
from sync.language.values import RuleFailure, local_millis, read_number, read_span
from tests.language.support import BERLIN, DAY, NOW, at, event, holds, person, problems, rule

NOTHING: list[dict[str, Any]] = [{}, {"city": None}, {"city": ""}, {"city": []}]


# --- two-valued logic ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fields", NOTHING)
@pytest.mark.parametrize("test", [
    "Berlin", "[Berlin]", "{is: Berlin}", "{in: [Berlin]}", "{at_least: 1}", "{at_most: 1}", "{between: [1, 2]}", "{contains: e}",
    "{starts_with: B}", "{ends_with: n}", "{matches: '.*'}", "{before: 2026-01-01}", "{after: 2026-01-01}", "{within_last: 1d}",
    "{within_next: 1d}", "{older_than: 1d}", "{any: Berlin}",
])
def test_a_positive_operator_on_a_missing_value_is_false(test: str, fields: dict[str, Any]) -> None:
    assert not holds(f"contact: {{city: {test}}}", fields)


@pytest.mark.parametrize("fields", [*NOTHING, {"city": "Berlin"}, {"city": "Bonn"}, {"city": ["Bonn", "Berlin"]}, {"city": 7}])
@pytest.mark.parametrize(("negative", "positive"), [
    ("{is_not: Berlin}", "{is: Berlin}"), ("{not_in: [Berlin, 7]}", "{in: [Berlin, 7]}"),
    ("{not_contains: li}", "{contains: li}"), ("{none: Berlin}", "{any: Berlin}"),
    ("{is_not: {field: country}}", "{is: {field: country}}"),
])
def test_a_negative_operator_is_exactly_the_complement(negative: str, positive: str, fields: dict[str, Any]) -> None:
    who = {**fields, "country": "Bonn"}
    assert holds(f"contact: {{city: {negative}}}", who) is not holds(f"contact: {{city: {positive}}}", who)


@pytest.mark.parametrize("fields", NOTHING)
def test_missing_overrides_one_predicate(fields: dict[str, Any]) -> None:
    assert holds("contact: {city: {is: Berlin, missing: match}}", fields)
    assert not holds("contact: {city: {is_not: Berlin, missing: fail}}", fields)


def test_only_is_set_and_size_tell_absent_null_empty_text_and_empty_list_apart() -> None:
    assert [holds("contact: {city: {is_set: true}}", fields) for fields in NOTHING] == [False, False, True, True]
    assert [holds("contact: {city: {size: 0}}", fields) for fields in NOTHING] == [False, False, False, True]
    assert [holds("contact: {city: {size: 1}}", fields) for fields in NOTHING] == [False, False, True, False]


def test_comparing_with_a_field_that_is_missing_counts_as_missing() -> None:
    assert not holds("contact: {city: {is: {field: region}}}", {"city": "Berlin"})
    assert holds("contact: {city: {is_not: {field: region}}}", {"city": "Berlin"})
    assert holds("contact: {city: {is: {field: region}, missing: match}}", {"city": "Berlin"})


def test_boolean_conditions_combine() -> None:
    yes, no = "{contact: {city: a}}", "{contact: {city: b}}"
    for text, expected in [
        (f"all: [{yes}, {no}]", False), (f"all: [{yes}]", True), (f"any: [{yes}, {no}]", True), (f"any: [{no}]", False),
        (f"none: [{no}]", True), (f"none: [{yes}, {no}]", False), (f"not: {no}", True), (f"not: {yes}", False),
    ]:
        assert holds(text, {"city": "a"}) is expected, text


def test_a_segment_of_one_not_is_legal_and_takes_in_whoever_has_no_events() -> None:
    assert isinstance(rule("not: {event: order_placed}"), Not)
    assert holds("not: {event: order_placed}", person())


# --- events -------------------------------------------------------------------------------------------------------------------


def test_an_event_from_the_future_waits_until_its_time_comes() -> None:
    who = person({}, event("order_placed", NOW + 1))
    assert not holds("event: order_placed", who)
    assert holds("event: order_placed", who, NOW + 1)


def test_where_count_and_window_speak_of_the_same_events() -> None:
    dear = [event("order_placed", NOW, value=50), event("order_placed", NOW - 40 * DAY, value=50)]
    who = person({}, *dear, event("order_placed", NOW, value=5))
    text = "{event: order_placed, where: {value: {at_least: 50}}, count: %s, within: 30d}"
    assert holds(text % 1, who)
    assert not holds(text % 2, who)


def test_counts_start_at_zero() -> None:
    for test in ("{at_most: 0}", "{less_than: 1}", "0", "{is_not: 1}", "{between: [0, 2]}"):
        assert holds(f"{{event: order_placed, count: {test}}}", person()), test
    assert not holds("event: order_placed", person())


def test_sum_and_distinct_of_nothing_are_zero_and_the_rest_is_missing() -> None:
    for kind in ("sum", "distinct"):
        assert holds(f"{{event: order_placed, {kind}: {{of: value, at_most: 0}}}}", person())
    for kind in ("average", "min", "max"):
        assert not holds(f"{{event: order_placed, {kind}: {{of: value, at_most: 0}}}}", person())
        assert holds(f"{{event: order_placed, {kind}: {{of: value, is_not: 0}}}}", person())
        assert holds(f"{{event: order_placed, {kind}: {{of: value, at_most: 0, missing: match}}}}", person())


def test_values_that_are_no_numbers_are_left_out_of_aggregates() -> None:
    who = person({}, *(event("order_placed", NOW - place, value=value) for place, value in enumerate([10, "20", "none", None, True])))
    for test in ("sum: {of: value, is: 30}", "average: {of: value, is: 15}", "min: {of: value, is: 10}", "max: {of: value, is: 20}"):
        assert holds(f"{{event: order_placed, {test}}}", who), test


def test_averages_are_compared_without_rounding() -> None:
    who = person({}, *(event("order_placed", NOW - place, value=value) for place, value in enumerate([1, 0, 0])))
    assert holds("{event: order_placed, average: {of: value, more_than: 0.333333}}", who)
    assert not holds("{event: order_placed, average: {of: value, is: 0.333333}}", who)
    assert holds("{event: order_placed, average: {of: value, less_than: 0.333334}}", who)


def test_sums_are_exact() -> None:
    who = person({}, *(event("order_placed", NOW - place, value=Decimal("0.1")) for place in range(3)))
    assert holds("{event: order_placed, sum: {of: value, is: 0.3}}", who)


def test_distinct_counts_values_once_and_ignores_missing_ones() -> None:
    values = [12, "12", Decimal("12.0"), "a", None, "", ["a", "b"], True]
    who = person({}, *(event("order_placed", NOW - place, value=value) for place, value in enumerate(values)))
    assert holds("{event: order_placed, distinct: {of: value, is: 4}}", who)          # 12, a, b, true


def test_a_sum_over_mixed_currencies_names_them_unless_one_is_asked_for() -> None:
    who = person({}, event("order_placed", NOW, value=5, currency="USD"), event("order_placed", NOW - 1, value=7, currency="EUR"))
    with pytest.raises(RuleFailure, match="sum of 'value' mixes EUR, USD; say which with `currency:`"):
        holds("{event: order_placed, sum: {of: value, at_least: 1}}", who)
    assert holds("{event: order_placed, sum: {of: value, currency: EUR, is: 7}}", who)
    assert holds("{event: order_placed, sum: {of: quantity, is: 0}}", who)


def test_a_rule_that_cannot_be_answered_does_not_hide_behind_one_that_can() -> None:
    paid = [event("order_placed", NOW, value=5, currency="USD"), event("order_placed", NOW - 1, value=7, currency="EUR")]
    who = person({"city": "a"}, *paid)
    with pytest.raises(RuleFailure):
        holds("any: [{contact: {city: a}}, {event: order_placed, sum: {of: value, at_least: 1}}]", who)


def test_the_same_fact_counts_once() -> None:
    one, same = Event("order_placed", NOW, {"value": 1}, "o1"), Event("order_placed", NOW - 5, {"value": 2}, "o1")
    plain = Event("order_placed", NOW, {"value": 1})
    assert holds("{event: order_placed, count: 1}", person({}, one, same))
    assert holds("{event: order_placed, count: 1}", person({}, plain, plain))
    assert holds("{event: order_placed, count: 2}", person({}, plain, Event("order_placed", NOW, {"value": 2})))


def test_machine_opens_are_left_out_for_human() -> None:
    who = person({}, event("email_opened", NOW, machine=True))
    assert holds("event: email_opened", who)
    assert not holds("{event: email_opened, human: true}", who)


@pytest.mark.parametrize(("names", "count"), [
    ("order_placed", 1), ("[order_placed, page_viewed]", 2), ("'order_*'", 2), ("'*'", 3), ("[page_viewed, 'order_*']", 3),
])
def test_events_are_named_one_by_one_by_beginning_or_all(names: str, count: int) -> None:
    who = person({}, event("order_placed"), event("order_refunded"), event("page_viewed"))
    assert holds(f"{{event: {names}, count: {count}}}", who)


# --- numbers, texts, dates ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "millionths"), [
    ("12", 12_000_000), ("-1.5", -1_500_000), ("+.5", 500_000), ("5.", 5_000_000), ("1e3", 1_000_000_000),
    ("1.0000005", 1_000_001),
    ("-0.0000005", -1), ("01234", 1_234_000_000), (7, 7_000_000), (Decimal("0.1"), 100_000), (0.1, 100_000), ("1e-999999999", 0),
    ("1,000", None), ("0x1F", None), ("nan", None), ("inf", None), ("٣", None), (" 1", None), ("1_000", None),
    ("1e999999999", None),
    (True, None), (None, None), ([1], None), ("", None), (float("nan"), None), (Decimal("Infinity"), None),
])
def test_numbers_are_ascii_decimals_exact_to_six_places(value: Any, millionths: int | None) -> None:
    assert read_number(value) == millionths


@pytest.mark.parametrize(("test", "value", "expected"), [
    ("7", "7", True), ("7", "7.0", True), ("7", 7, True), ("'7'", 7, True), ("'7'", "7.0", False), ("7", "abc", False),
    ("01234", "1234", False), ("01234", "01234", True), ("01234", 1234, True), ("1234", "01234", True), ("1_000", 1000, False),
    ("1_000", "1_000", True), ("12:30", "12:30", True), ("0x1F", "0x1F", True), ("NO", "NO", True), ("NO", False, False),
    ("yes", True, False),
    ("true", True, True), ("true", "true", True), ("true", 1, False), ("1", True, False), ("false", "false", True),
    ("true", "TRUE", False),
    ("{at_least: 7}", "10", True), ("{at_least: 7}", "abc", False), ("{at_least: 7}", True, False), ("{at_least: '7'}", 10, True),
    ("{between: [1, 7]}", 7, True), ("{between: [1, 7]}", 1, True), ("{between: [1, 7]}", "7.000001", False),
    ("{is: 123456789012345678}", "123456789012345678", True), ("{is: 123456789012345678}", 123456789012345677, False),
])
def test_numbers_and_texts_compare_as_their_reader_sees_them(test: str, value: Any, expected: bool) -> None:
    assert holds(f"contact: {{postcode: {test}}}", {"postcode": value}) is expected


@pytest.mark.parametrize(("test", "value", "expected"), [
    ("Österreich", "O\u0308sterreich", True), ("Straße", "STRASSE", False), ("{is: Straße, ignore_case: true}", "STRASSE", True),
    ("{contains: stra}", "Hauptstraße", True), ("{contains: STRASS, ignore_case: true}", "Hauptstraße", True),
    ("berlin", "Berlin", False),
    ("{matches: '^B.*n$'}", "Berlin", True), ("{matches: erl}", "Berlin", True), ("{matches: ERL}", "Berlin", False),
    ("{matches: ERL, ignore_case: true}", "Berlin", True), ("{starts_with: 101}", 10115, True),
    ("{ends_with: [x, 15]}", "10115", True),
])
def test_texts_compare_exactly_after_normalization(test: str, value: Any, expected: bool) -> None:
    assert holds(f"contact: {{city: {test}}}", {"city": value}) is expected


@pytest.mark.parametrize(("test", "value", "expected"), [
    ("{is: 2026-11-20}", "2026-11-20", True), ("{is: 2026-11-20}", "2026-11-19T23:00Z", True),
    ("{is: 2026-11-20}", "2026-11-20T23:00Z", False),
    ("{is: 2026-11-20T10:00Z}", "2026-11-20T11:00+01:00", True), ("{is: 2026-11-20T11:00}", "2026-11-20T10:00:00.000Z", True),
    ("{is: 2026-11-20T11:00}", "2026-11-20", False), ("{after: 2026-11-20}", "2026-11-20", False),
    ("{after: 2026-11-20}", "2026-11-21", True),
    ("{after: 2026-11-20}", "2026-11-20T22:59:59.999Z", False), ("{after: 2026-11-20}", "2026-11-20T23:00Z", True),
    ("{before: 2026-11-20}", "2026-11-19", True), ("{before: 2026-11-20}", "2026-11-20", False),
    ("{before: 2026-11-20T12:00Z}", "2026-11-20", False), ("{after: 2026-11-19T12:00Z}", "2026-11-20", True),
    ("{at_least: 2026-11-20}", "2026-11-20", True), ("{at_most: 2026-11-20}", "2026-11-20T22:00Z", True),
    ("{between: [2026-11-19, 2026-11-20]}", "2026-11-20T22:59Z", True),
    ("{between: [2026-11-19, 2026-11-20]}", "2026-11-20T23:00Z", False),
    ("{after: 2026-11-20}", "20261121", False), ("{after: 2026-11-20}", 9999999999999, False),
    ("{at_least: 2026-11-20}", 3000, False),
    ("{is: 2026-02-30}", "2026-02-30", True), ("{before: 2026-11-20}", "2026-02-30", False),
])
def test_a_date_without_a_time_is_that_whole_day(test: str, value: Any, expected: bool) -> None:
    assert holds(f"contact: {{created: {test}}}", {"created": value}) is expected


def test_a_local_time_in_a_gap_is_its_end_and_a_repeated_one_the_earlier() -> None:
    assert read_span("2026-03-29T02:30", BERLIN) == (at("2026-03-29T01:00Z"), at("2026-03-29T01:00Z") + 1)
    assert read_span("2026-10-25T02:30", BERLIN) == (at("2026-10-25T00:30Z"), at("2026-10-25T00:30Z") + 1)
    day = read_span("2026-10-25", BERLIN)
    assert day is not None
    assert day[1] - day[0] == 25 * 3_600_000


def test_a_day_begins_at_the_end_of_a_gap_that_swallows_midnight() -> None:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    assert local_millis(datetime.fromisoformat("2018-11-04T00:00"), ZoneInfo("America/Sao_Paulo")) == at("2018-11-04T03:00Z")
    assert local_millis(datetime.fromisoformat("2011-12-30T00:00"), ZoneInfo("Pacific/Apia")) == at("2011-12-30T10:00Z")


def test_known_since_is_a_field_of_every_contact() -> None:
    assert holds("contact: {known_since: {within_last: 1d}}", person(known_since=NOW - DAY + 1))
    assert not holds("contact: {known_since: {within_last: 1d}}", person(known_since=NOW - DAY))


# --- lists --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("test", "value", "expected"), [
    ("a", ["b", "a"], True), ("{is_not: a}", ["b", "a"], False), ("{is_not: a}", ["b"], True), ("{at_least: 5}", [1, 9], True),
    ("{any: a}", "a", True), ("{any: a}", [], False), ("{all: a}", [], True), ("{none: a}", [], True),
    ("{all: a}", ["a", "b"], False),
    ("{all: a}", "a", True), ("{none: a}", ["b"], True), ("{any: {starts_with: x}}", ["ax", "xa"], True),
    ("{size: 2}", ["a", "b"], True),
    ("{size: {at_least: 2}}", "a", False),
    ("{any: {sku: x, qty: {at_least: 2}}}", [{"sku": "x", "qty": 1}, {"sku": "y", "qty": 2}], False),
    ("{any: {sku: x, qty: {at_least: 2}}}", [{"sku": "x", "qty": 2}], True),
    ("{all: {sku: x}}", [{"sku": "x"}, {"qty": 1}], False),
    ("{any: {price: {less_than: {field: list_price}}}}", [{"price": 5, "list_price": 9}], True),
])
def test_a_list_passes_when_an_element_does_and_any_all_none_say_it_aloud(test: str, value: Any, expected: bool) -> None:
    assert holds(f"contact: {{mailchimp.tags: {test}}}", {"mailchimp": {"tags": value}}) is expected


def test_dots_nest_and_an_escaped_dot_is_a_letter() -> None:
    fields = {"klaviyo": {"properties": {"plan.name": "gold"}}}
    assert holds("contact: {'klaviyo.properties.plan\\.name': gold}", fields)
    assert not holds("contact: {klaviyo.properties.plan.name: gold}", fields)


# --- consent, membership, segments, sample ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("states", "said"), [
    ([], "unknown"), (["granted"], "granted"), (["granted", "withdrawn"], "withdrawn"), (["unknown", "granted"], "granted"),
    (["unreadable"], "unknown"),
])
def test_consent_is_withdrawn_anywhere_else_granted_anywhere_else_unknown(states: list[str], said: str) -> None:
    facts = tuple(ConsentFact(connection, "email", state) for connection, state in zip(["mailchimp", "hubspot"], states, strict=False))
    asked = ("granted", "withdrawn", "unknown")
    answers = {state: holds(f"consent: {{channel: email, is: {state}}}", person(consents=facts)) for state in asked}
    assert answers == {state: state == said for state in answers}


def test_connection_asks_one_platform_and_a_subscription_type_is_not_the_platform() -> None:
    facts = (ConsentFact("mailchimp", "email", "granted"), ConsentFact("hubspot", "email", "withdrawn", scope="news"))
    assert holds("consent: {channel: email, is: granted}", person(consents=facts))
    assert holds("consent: {channel: email, is: unknown, connection: hubspot}", person(consents=facts))


def test_suppressed_is_true_when_any_platform_says_so() -> None:
    who = person(consents=(ConsentFact("klaviyo", "sms", "granted", suppressed=True),))
    assert holds("suppressed: true", who)
    assert holds("suppressed: false", person())


def test_member_of_asks_for_connection_kind_name_and_audience() -> None:
    who = person(memberships=(MembershipFact("mailchimp", "tag", "VIP", "de"),))
    assert holds("member_of: {mailchimp: {tag: VIP}}", who)
    assert holds("member_of: {mailchimp: {tag: VIP, audience: de}}", who)
    assert not holds("member_of: {mailchimp: {tag: VIP, audience: at}}", who)
    assert not holds("member_of: {klaviyo: {list: VIP}}", who)


def test_a_segment_is_asked_by_name() -> None:
    who = Person({"city": "a"}, rules={"vip": rule("contact: {city: a}")})
    assert holds("segment: vip", who)
    with pytest.raises(RuleFailure, match="segment 'lapsed' has no rule"):
        holds("segment: lapsed", who)


def test_a_sample_is_stable_and_about_its_share() -> None:
    people = [person(sample_key=f"person{number}@example.com") for number in range(2000)]
    taken = [holds("sample: {share: 10%, salt: spring}", who) for who in people[:1]]
    assert taken == [holds("sample: {share: 10%, salt: spring}", people[0])]
    node = rule("sample: {share: 10%, salt: spring}")
    assert 150 <= sum(node.matches(who, NOW) for who in people) <= 250
    assert all(rule("sample: {share: 100%, salt: spring}").matches(who, NOW) for who in people)
    larger = rule("sample: {share: 20%, salt: spring}")
    assert all(larger.matches(who, NOW) for who in people if node.matches(who, NOW))


def test_equal_rules_are_equal_values() -> None:
    assert rule("{event: a, within: 7d}") == rule("event: [a]\nwithin: 1w")
    assert rule("contact: {city: 1}") != rule("contact: {city: true}")
    assert hash(rule("contact: {city: 1}")) != hash(rule("contact: {city: '1'}"))
    assert isinstance(rule("event: a"), Happened)


def test_a_bare_day_in_until_takes_that_day_in() -> None:
    who = person({}, event("order_placed", "2026-06-12T21:59:59.999Z"))
    assert holds("{event: order_placed, since: 2026-06-12, until: 2026-06-12}", who)
    assert problems("{event: order_placed, since: 2026-06-13, until: 2026-06-12}") != []
