"""Klaviyo's limits: two fixed windows per account and endpoint, a second for bursts and a minute for the steady rate.

All private keys of an account share one quota. Some includes and additional fields have a stricter limit of their own,
shared by every endpoint that takes them. Source: Klaviyo API docs, "Rate limits, status codes, and errors"; the tier of each
operation: OpenAPI `x-klaviyo-ratelimit`, revision 2026-07-15.
"""

from __future__ import annotations

import math

from connectors.clock import DAY, MINUTE, SECOND, Millis
from connectors.sandbox.pace import Fixed

TIERS = {"XS": (1, 15), "S": (3, 60), "M": (10, 150), "L": (75, 750), "XL": (350, 3500)}


class Budget:
    """The windows of one endpoint (or of one strict parameter). *daily*: calls in a day, 0 for no such limit."""

    def __init__(self, tier: str, daily: int = 0) -> None:
        burst, self.steady_calls = TIERS[tier]
        self.steady = Fixed(self.steady_calls, MINUTE)
        self.windows = [Fixed(burst, SECOND), self.steady]
        if daily:
            self.windows.append(Fixed(daily, DAY))

    def wait(self, now: Millis) -> int:
        """Whole seconds until one more call fits; 0 when it fits now."""
        waits = [window.wait(now) for window in self.windows if window.left(now) <= 0]
        return max(1, math.ceil(max(waits) / SECOND)) if waits else 0

    def take(self, now: Millis) -> None:
        for window in self.windows:
            window.take(now)

    def headers(self, now: Millis) -> dict[str, str]:
        """They describe the steady window; a 429 does not carry them."""
        return {
            "RateLimit-Limit": str(self.steady_calls), "RateLimit-Remaining": str(max(0, self.steady.left(now))),
            "RateLimit-Reset": str(math.ceil(self.steady.wait(now) / SECOND)),
        }


class Budgets:
    """All windows of the account."""

    def __init__(self) -> None:
        self._known: dict[str, Budget] = {}
        self.enforced = True

    def of(self, name: str, tier: str, daily: int = 0) -> Budget:
        return self._known.setdefault(name, Budget(tier, daily))
