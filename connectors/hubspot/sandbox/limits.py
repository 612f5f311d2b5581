"""HubSpot's limiters: a burst per key, searches per account and second, calls per account and day.

Source: HubSpot developer docs, "API usage guidelines and limits": 190 calls in 10 s and 625,000 a day (Professional), search 5 a
second for the whole account and without rate headers; the day ends at midnight in the account's time zone.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from connectors.clock import SECOND, Millis, instant, millis
from connectors.sandbox.pace import Sliding

BURST, SPAN, SEARCHES, DAILY = 190, 10 * SECOND, 5, 625_000
SEARCH, GENERAL = "search", "general"


class Limits:
    """All of one account. *enforced* off counts, but refuses nothing."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone
        self.burst, self.daily, self.enforced = BURST, DAILY, True
        self.searches = Sliding(SEARCHES, SECOND)
        self.used, self._day = 0, ""
        self._told: tuple[Millis, int] | None = None
        self._bursts: dict[str, Sliding] = {}

    def refused(self, role: str, rate: str, now: Millis) -> str:
        """The policy that has no room for one more call, "" when all have; then the call is counted."""
        self._roll(now)
        own = self.searches if rate == SEARCH else self._burst(role)
        if self.enforced and self.used >= self.daily:
            return "DAILY"
        if not own.take(now) and self.enforced:
            return "SECONDLY" if rate == SEARCH else "TEN_SECONDLY_ROLLING"
        self.used += 1
        return ""

    def headers(self, role: str, now: Millis) -> dict[str, str]:
        """What stands on each answer to a call that is no search."""
        self._roll(now)
        left = self._burst(role).left(now)
        return {
            "X-HubSpot-RateLimit-Daily": str(self.daily), "X-HubSpot-RateLimit-Daily-Remaining": str(max(0, self.daily - self.used)),
            "X-HubSpot-RateLimit-Interval-Milliseconds": str(SPAN), "X-HubSpot-RateLimit-Max": str(self.burst),
            "X-HubSpot-RateLimit-Remaining": str(max(0, left)), "X-HubSpot-RateLimit-Secondly": str(self.burst // 10),
            "X-HubSpot-RateLimit-Secondly-Remaining": str(max(0, min(self.burst // 10 - 1, left))),
        }

    def told(self, now: Millis) -> tuple[Millis, int]:
        """When the daily usage was last collected (every five minutes), and what it was."""
        self._roll(now)
        if self._told is None or now - self._told[0] >= 300 * SECOND:
            self._told = (now, self.used)
        return self._told

    def midnight(self, now: Millis) -> Millis:
        """When the day ends."""
        local = instant(now).astimezone(self.zone)
        following = datetime.combine(local.date() + timedelta(days=1), datetime.min.time(), self.zone)
        return millis(following.astimezone(UTC))

    def offset(self, now: Millis) -> Millis:
        """How far the account's clock is ahead of UTC."""
        ahead = instant(now).astimezone(self.zone).utcoffset() or timedelta(0)
        return int(ahead.total_seconds()) * SECOND

    def set_burst(self, calls: int) -> None:
        self.burst = calls
        self._bursts.clear()

    def _burst(self, role: str) -> Sliding:
        if role not in self._bursts:
            self._bursts[role] = Sliding(self.burst, SPAN)
        return self._bursts[role]

    def _roll(self, now: Millis) -> None:
        day = instant(now).astimezone(self.zone).date().isoformat()
        if day != self._day:
            self._day, self.used = day, 0
