"""The fast path's window edges are those of the meaning, also when the clocks change and at the ends of months."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from sync.evaluate.edges import bounds
from sync.evaluate.turns import NEVER, turns
from sync.language.calendars import Calendar, Months
from sync.language.window import Ago, Ahead, During, Ever, OlderThan, Relative, Window, Within, reach
from tests.language.test_calendars import DAY, MINUTE, ZONES, at, delicate


def windows(zone: ZoneInfo) -> list[Window | Relative]:
    month, year = Months(1, zone), Months(12, zone)
    periods = [During(Calendar(unit, zone, 6), shift, past=past) for unit in Calendar.UNITS for shift in (-1, 0) for past in (True, False)]
    ahead = [During(Calendar(unit, zone), 1, past=False) for unit in Calendar.UNITS]
    return [Ever(), Within(month), Ago(year, month), Ago(month, DAY), OlderThan(month), Ahead(month), Ahead(year), *periods, *ahead]


@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_edges_hold_what_the_window_holds_and_never_move_back(zone: ZoneInfo) -> None:
    rng = Random(zone.key)
    nows = sorted(edge + off for edge in delicate(zone) for off in (-1, 0, 30 * MINUTE, rng.randint(0, DAY)))
    for window in windows(zone):
        edges = [bounds(window, now) for now in nows]
        assert all(before[0] <= after[0] and before[1] <= after[1] for before, after in pairwise(edges))
        for now, (after, upto) in rng.sample(list(zip(nows, edges, strict=True)), 40):
            beside = [edge + off for edge in (after, upto, now) for off in (-1, 0, 1) if edge > -(2**62)]
            assert [window.holds(when, now) for when in beside] == [after < when <= upto for when in beside]


@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_a_column_of_instants_turns_when_each_of_them_does(zone: ZoneInfo) -> None:
    rng = Random(zone.key)
    for window in windows(zone):
        now = rng.choice(delicate(zone)) + rng.choice([-1, 0, 1, 30 * MINUTE])
        edges = [edge for then in rng.sample(delicate(zone), 8) for edge in bounds(window, then) if edge > -(2**62)]
        instants = [edge + off for edge in edges for off in (-1, 0, 1)]
        expected = [window.turn(when, now) for when in instants]
        assert turns(window, np.array(instants), now).tolist() == [NEVER if turn is None else turn for turn in expected]
        for when, turn in zip(instants, expected, strict=True):
            end = now + 400 * DAY if turn is None else turn
            assert window.holds(when, end - 1) == window.holds(when, rng.randint(now, end - 1)) == window.holds(when, now)


@pytest.mark.parametrize("window", windows(ZONES[1]), ids=str)
def test_how_far_a_window_reaches_back_is_where_its_edge_stands(window: Window) -> None:
    now = at("2026-03-31T12:00")
    after, _ = bounds(window, now)
    expected = None if after < -(2**62) else max(0, now - after - isinstance(window, During))
    assert isinstance(window, Ahead) or reach(window, now) == expected
