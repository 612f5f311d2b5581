"""When something was last due, from the config's words; APScheduler's triggers do the arithmetic of zones and DST."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

from connectors.base import Millis, instant, millis
from sync.config.model import Daily


def last_due(when: Daily | Millis, now: Millis, zone: str) -> Millis:
    """The newest moment at or before *now* at which *when* (a time of day, or every so many milliseconds) fell due."""
    if not isinstance(when, Daily):
        return now - when
    due = next_due(when, now - 2 * 86_400_000, zone)
    while (following := next_due(when, due, zone)) <= now:
        due = following
    return due


def next_due(when: Daily | Millis, after: Millis, zone: str) -> Millis:
    """The first moment after *after* at which *when* falls due; *after* is when an interval was last served."""
    if not isinstance(when, Daily):
        return after + when
    from apscheduler.triggers.cron import CronTrigger

    trigger = CronTrigger(hour=when.hour, minute=when.minute, timezone=ZoneInfo(zone))
    previous = instant(after)
    fire = trigger.get_next_fire_time(previous, previous + timedelta(milliseconds=1))
    return millis(fire) if fire else after + 86_400_000
