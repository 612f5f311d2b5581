"""When something fell due: every local day has its moment, once, also when clocks are turned."""

from __future__ import annotations

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest

from connectors.base import DAY, HOUR, MINUTE, instant
from sync.config.model import Daily
from sync.timetable import last_due, next_due

MARCH = 1_772_323_200_000                           # 2026-03-01T00:00Z


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"])
@pytest.mark.parametrize("when", [Daily(3, 15), Daily(2, 30), Daily(0, 0), Daily(23, 59)])
def test_a_time_of_day_falls_due_once_a_day(zone: str, when: Daily) -> None:
    at, days = MARCH, []
    for _ in range(260):
        following = next_due(when, at, zone)
        assert following > at
        if len(days) % 7 == 0:
            assert last_due(when, following, zone) == following
            assert last_due(when, following - 1, zone) <= at
        at = following
        days.append(instant(at).astimezone(ZoneInfo(zone)).date())
    assert days == [days[0] + timedelta(days=n) for n in range(260)]
    assert days[0] in (date(2026, 2, 28), date(2026, 3, 1), date(2026, 3, 2))


def test_an_interval_falls_due_so_long_after_it_was_served() -> None:
    assert next_due(10 * MINUTE, MARCH, "UTC") == MARCH + 10 * MINUTE
    assert last_due(10 * MINUTE, MARCH, "UTC") == MARCH - 10 * MINUTE


def test_the_time_of_day_is_the_zones() -> None:
    assert last_due(Daily(3, 15), MARCH + DAY, "Europe/Berlin") == MARCH + 2 * HOUR + 15 * MINUTE
