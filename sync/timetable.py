"""When something was last due, from the config's words; APScheduler's triggers know the calendar, we the turning of clocks."""

from __future__ import annotations

from datetime import UTC, timedelta
from zoneinfo import ZoneInfo

from connectors.base import Millis, instant
from sync.config.model import Daily
from sync.language.values import local_millis


def last_due(when: Daily | Millis, now: Millis, zone: str) -> Millis:
    """The newest moment at or before *now* at which *when* (a time of day, or every so many milliseconds) fell due."""
    if not isinstance(when, Daily):
        return now - when
    due = next_due(when, now - 2 * 86_400_000, zone)
    while (following := next_due(when, due, zone)) <= now:
        due = following
    return due


def next_due(when: Daily | Millis, after: Millis, zone: str) -> Millis:
    """The first moment after *after* at which *when* falls due; *after* is when an interval was last served.

    Once on every local day: where clocks are put back at the first of the two moments, where forward at the end of the gap.
    The trigger is asked on a calendar without turns: CronTrigger with a zone that has them skips midnight after clocks went
    forward, and fires twice when they go back (observed with APScheduler 3.11.3).
    """
    if not isinstance(when, Daily):
        return after + when
    from apscheduler.triggers.cron import CronTrigger

    local = ZoneInfo(zone)
    trigger = CronTrigger(hour=when.hour, minute=when.minute, timezone=UTC)
    fire = instant(after).astimezone(local).replace(tzinfo=UTC) - timedelta(days=1)
    while True:
        fire = trigger.get_next_fire_time(None, fire)
        due = local_millis(fire.replace(tzinfo=None), local)
        if due > after:
            return due
        fire += timedelta(seconds=1)
