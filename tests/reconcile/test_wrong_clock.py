"""The machine's clock was years ahead for one run, and is right again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.base import DAY, MINUTE
from sync.model import ExitCode
from tests.reconcile.platform import pid
from tests.reconcile.town import Town, town_in

KEY = "vip/klaviyo/list"


@pytest.fixture
def corrected(tmp_path: Path) -> Iterator[Town]:
    """Three people are on the list. The run of the wrong clock looked and pulled, and could not send the fourth."""
    town = town_in(tmp_path)
    for number in range(3):
        town.person(number)
    town.plan()
    town.apply()
    town.person(3)
    now = town.clock.now()
    town.clock.set(now + 3650 * DAY)
    town.toys["klaviyo"].script = ["error"] * 6
    assert town.sync()[1] is ExitCode.LATER
    assert (town.on(), town.waiting()) == ({"p0", "p1", "p2"}, 1)
    town.clock.set(now + MINUTE)
    yield town
    town.store.close()


def test_what_waited_to_be_sent_goes_within_the_longest_wait_there_is(corrected: Town) -> None:
    corrected.sync()
    assert corrected.on() == {"p0", "p1", "p2", "p3"}


def test_the_members_are_listed_again(corrected: Town) -> None:
    toy = corrected.toys["klaviyo"]
    listings = toy.listings
    toy.person_removes("t1", pid(0))
    corrected.sync()
    assert toy.listings > listings
    assert "p0" in corrected.on(), "the listing showed that they were gone, and the segment wants them there"


def test_a_pull_that_ended_then_did_not_end_lately(corrected: Town) -> None:
    corrected.toys["klaviyo"].broken = {"profiles"}
    corrected.sync("hubspot")
    ends = dict(corrected.store.rows(
        "select c.name || ' ' || s.stream, s.finished from streams s join connections c on c.id = s.connection",
    ))
    assert ends["klaviyo profiles"] is None
    assert ends["hubspot profiles"] == corrected.clock.now()


def test_what_the_wrong_clock_confirmed_does_not_outrank_a_listing_for_ten_years(tmp_path: Path) -> None:
    town = town_in(tmp_path)
    now = town.clock.now()
    town.clock.set(now + 3650 * DAY)
    town.person(0)
    town.plan()
    town.apply()
    town.clock.set(now + MINUTE)
    town.toys["klaviyo"].person_removes("t1", pid(0))
    town.sync(complete=True)
    assert town.on() == {"p0"}, "the listing showed that they were gone, and the segment wants them there"
    town.store.close()
