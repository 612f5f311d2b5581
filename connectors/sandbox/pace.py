"""The platforms' limiters, on the sandbox's clock."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from connectors.clock import Millis


@dataclass(slots=True)
class Sliding:
    """At most *calls* in any *span* milliseconds."""

    calls: int
    span: Millis
    _taken: deque[Millis] = field(default_factory=deque)

    def take(self, now: Millis) -> bool:
        """Count one call, or say that it is one too many (which is then not counted)."""
        self._forget(now)
        if len(self._taken) >= self.calls:
            return False
        self._taken.append(now)
        return True

    def left(self, now: Millis) -> int:
        self._forget(now)
        return self.calls - len(self._taken)

    def wait(self, now: Millis) -> Millis:
        """Milliseconds until one more fits."""
        self._forget(now)
        return 0 if len(self._taken) < self.calls else self._taken[0] + self.span - now

    def _forget(self, now: Millis) -> None:
        while self._taken and self._taken[0] <= now - self.span:
            self._taken.popleft()


@dataclass(slots=True)
class Fixed:
    """At most *calls* in each window of *span* milliseconds that starts on a multiple of it."""

    calls: int
    span: Millis
    _window: Millis = -1
    _used: int = 0

    def take(self, now: Millis) -> bool:
        self._roll(now)
        if self._used >= self.calls:
            return False
        self._used += 1
        return True

    def left(self, now: Millis) -> int:
        self._roll(now)
        return self.calls - self._used

    def wait(self, now: Millis) -> Millis:
        """Milliseconds until the window ends."""
        return self.span - now % self.span

    def _roll(self, now: Millis) -> None:
        if now // self.span != self._window:
            self._window, self._used = now // self.span, 0
