"""When answers change by themselves: exact, never too late, and honest where it did not look to the end."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.insight import forecast as module
from sync.insight.forecast import Forecast, answer, forecast
from sync.language.person import Person
from sync.language.rank import Population
from tests.evaluate import worlds
from tests.language.support import NOW, event, person, rule

HOUR, DAY = 3_600_000, 86_400_000


def test_a_member_whose_last_event_leaves_the_window_goes_at_that_millisecond() -> None:
    node = rule("all: [{event: order_placed, within: 30d}, {event: order_placed}]")
    who = person({}, event("order_placed", NOW - 29 * DAY), event("order_placed", NOW - 40 * DAY))
    told = forecast(node, who, NOW)
    assert told == Forecast(NOW + DAY, False, ("order_placed, within 30d",))
    assert node.matches(who, NOW + DAY - 1)
    assert not node.matches(who, NOW + DAY)


def test_turns_that_change_nothing_are_walked_past() -> None:
    who = person({}, *(event("order_placed", NOW - DAY - number * HOUR) for number in range(10)))
    told = forecast(rule("{event: order_placed, count: {at_least: 3}, within: 2d}"), who, NOW)
    assert told.at == NOW + DAY - 2 * HOUR


def test_what_never_changes_says_so() -> None:
    assert forecast(rule("event: order_placed"), person({}, event("order_placed")), NOW) == Forecast()
    assert forecast(rule("contact: {country: DE}"), person({"country": "DE"}), NOW) == Forecast()
    assert forecast(rule("{event: order_placed, within: 30d}"), person(), NOW) == Forecast()


def test_an_event_of_the_future_and_a_segment_asked_are_walked_to() -> None:
    asked = rule("{event: order_placed, within: 1d}")
    who = Person(events=(event("order_placed", NOW + 5), event("page_viewed", NOW - 3)), rules={"vip": asked})
    assert forecast(rule("segment: vip"), who, NOW) == Forecast(NOW + 5, True, ("order_placed, within 1d",))
    assert forecast(rule("not: {segment: vip}"), who, NOW + 5) == Forecast(NOW + 5 + DAY, True, ("order_placed, within 1d",))


def test_what_cannot_be_said_later_is_told_with_its_reason() -> None:
    node = rule("{event: a, sum: {of: value, at_least: 1}}")
    who = person({}, event("a", NOW - 1, value=5, currency="EUR"), event("a", NOW + 7, value=5, currency="USD"))
    told = forecast(node, who, NOW)
    assert (told.at, told.then) == (NOW + 7, "sum of 'value' mixes EUR, USD; say which with `currency:`")


def test_a_search_that_was_cut_short_says_how_far_it_got(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_TURNS", 60)
    node = rule("all: [{event: order_placed, count: {at_least: 0}, within: 90d}]")
    who = person({}, *(event("order_placed", NOW - number) for number in range(61)))
    told = forecast(node, who, NOW)
    assert told.at is None
    assert told.known_until is not None
    assert NOW < told.known_until < NOW + 90 * DAY


@settings(max_examples=60, deadline=None, derandomize=True, database=None,
          suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example))
@given(rng=st.randoms(use_true_random=False))
def test_nothing_changes_before_the_forecast_and_something_does_at_it(rng: Random) -> None:
    node = worlds.node_of(worlds.tree(rng, 2, ("first",)))
    asked = worlds.node_of(worlds.tree(rng, 1))
    who = Population([replace(worlds.person(rng), rules={"first": asked, "second": asked, "third": asked})]).people[0]
    told = forecast(node, who, NOW)
    now = answer(node, who, NOW)
    edges = {at + span + offset for at in (each.at for each in who.events) for span in (0, *worlds.SPANS.values()) for offset in (-1, 0)}
    for at in sorted(edge for edge in edges if NOW < edge < (told.at or NOW + 60 * DAY)):
        assert answer(node, who, at) == now
    if told.at is not None:
        assert told.then == answer(node, who, told.at) != now
