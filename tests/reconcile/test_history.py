"""History is a guard: while events are read further back, only the segments wait that look so far."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.base import DAY, HOUR
from sync.evaluate.run import grounds_of
from sync.store import streams, terms
from tests.reconcile.platform import NOW
from tests.reconcile.town import HEAD, Town, town_in

SEGMENTS = """segments:
  lately: {event: order_placed, within: 30d}
  nearly: {event: order_placed, within: 86d}
  longer: {not: {event: order_placed, within: 120d}}
  longest: {event: order_placed, within: 3y}
  ever: {event: order_placed}
  after: {event: order_placed, since: {last: cart_updated}}
  asks: {segment: longer}
  member: {contact: {klaviyo.plan: gold}}
"""
FURTHER = {"longer", "longest", "ever", "after", "asks"}


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    made = town_in(tmp_path)
    made.configure(SEGMENTS, f"settings: {{history: 90d}}\n{HEAD}")
    agreed(made)
    made.pulled()
    made.clock.advance(HOUR / 1000)
    yield made
    made.store.close()


def agreed(town: Town) -> None:
    terms.agree(town.store, {
        source.number: terms.terms_of(source.naming, town.street.config.settings.history, ["events"])
        for source in town.street.sources.values()
    })


def longer(town: Town, history: str) -> None:
    town.configure(SEGMENTS, f"settings: {{history: {history}}}\n{HEAD}")
    agreed(town)


def waiting(town: Town) -> dict[str, str]:
    found = grounds_of(town.store, town.street.config, town.street.sources, town.clock.now())
    return {name: ground.waiting for name, ground in found.items() if ground.waiting}


def test_a_longer_history_lets_those_wait_that_look_further_than_what_is_in(town: Town) -> None:
    assert waiting(town) == {}
    longer(town, "2y")
    assert waiting(town) == dict.fromkeys(FURTHER, "events of klaviyo is being read further back, and reaches to 2026-08-20 so far")
    town.clock.advance(20 * DAY / 1000)
    assert waiting(town).keys() == FURTHER, "what was in does not grow older by waiting"
    town.pulled()
    assert waiting(town) == {}


def test_a_history_made_longer_twice_still_reaches_no_further_than_was_read(town: Town) -> None:
    longer(town, "95d")
    town.toys["klaviyo"].broken = {"events"}
    town.pulled()
    longer(town, "3y")
    assert waiting(town).keys() == FURTHER
    town.toys["klaviyo"].broken = set()
    town.pulled()
    assert waiting(town) == {}
    town.clock.advance(300 * DAY / 1000)
    longer(town, "4y")
    (reached,) = {state.reached for state in streams.states(town.store) if state.stream == "events"}
    assert reached is not None
    assert NOW - 3 * 365 * DAY <= reached <= NOW - 3 * 364 * DAY, "as the second time began, and not as the first"


def test_as_far_as_history_is_as_far_as_anybody_looks(town: Town) -> None:
    longer(town, "91d")
    assert waiting(town).keys() == FURTHER
    town.store.db.execute("update streams set reached = ? where reached is not null", (town.clock.now() - 91 * DAY,))
    assert waiting(town) == {}
