"""The one source of time and of waiting.

Nothing else in the project calls `now()` or `sleep()`. Instants are int64 milliseconds UTC (`Millis`); durations handed to
`sleep` are seconds. `SystemClock` is the machine's; `VirtualClock` moves when everybody who works waits (and, where it flows, when a sleep
would last longer than on the machine's), so that an hour of a platform's limits takes seconds and is still enforced to the millisecond.
"""

from __future__ import annotations

import heapq
import itertools
import math
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Protocol

Millis = int
_Sleeper = tuple[Millis, int, bool]                 # wake-up, order, whether that thread attends

SECOND: Millis = 1000
MINUTE: Millis = 60 * SECOND
HOUR: Millis = 60 * MINUTE
DAY: Millis = 24 * HOUR


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def millis(instant: datetime) -> Millis:
    """Milliseconds since 1970 UTC of an aware *instant*, finer digits cut off; ValueError when it is naive."""
    if instant.tzinfo is None:
        raise ValueError("an instant needs an offset")
    return (instant - _EPOCH) // _MILLISECOND


def instant(at: Millis) -> datetime:
    """The aware UTC datetime of *at*."""
    return datetime.fromtimestamp(at // 1000, UTC).replace(microsecond=at % 1000 * 1000)


class Clock(Protocol):
    """Time as everybody here sees it."""

    def now(self) -> Millis:
        """Milliseconds since 1970 UTC."""

    def sleep(self, seconds: float) -> None:
        """Return when *seconds* (at least 0) have passed on this clock."""

    def attending(self) -> AbstractContextManager[None]:
        """Context manager: the calling thread works; a virtual clock that does not flow stands still until it sleeps or idles."""

    def idle(self) -> AbstractContextManager[None]:
        """Context manager: the calling thread waits for another one (a lock, a future), not for time."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> Millis:
        return time.time_ns() // 1_000_000

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))

    @contextmanager
    def attending(self) -> Iterator[None]:
        yield

    @contextmanager
    def idle(self) -> Iterator[None]:
        yield


class VirtualClock:
    """Time moves to the earliest wake-up once every attending thread sleeps or idles.

    A thread that sleeps without attending counts as attending for as long as it sleeps. Advancing at each single sleep
    instead would make the calls of other threads "last" minutes. Safe for many threads.

    *flowing*: and nobody sleeps longer than on the machine's clock, so that who waits for a limit need not wait for the work of
    others, too. What is read when then depends on the machine.
    """

    def __init__(self, start: Millis, *, flowing: bool = False) -> None:
        self._now = start
        self._flowing = flowing
        self._turn = threading.Condition()
        self._working = 0                                       # attending threads that neither sleep nor idle
        self._sleepers: list[_Sleeper] = []
        self._order = itertools.count()
        self._mine = threading.local()

    def now(self) -> Millis:
        with self._turn:
            return self._now

    def set(self, at: Millis) -> None:
        """Jump to *at*, also backwards; sleepers whose time has come wake."""
        with self._turn:
            self._move(at)

    def advance(self, seconds: float) -> None:
        """Jump ahead by *seconds*."""
        with self._turn:
            self._move(self._now + round(seconds * 1000))

    def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            return
        with self._turn:
            sleeper = (self._now + max(1, round(seconds * 1000)), next(self._order), self._attends())
            heapq.heappush(self._sleepers, sleeper)
            self._working -= sleeper[2]
            self._move_if_all_wait()
            self._wait_for(sleeper, time.monotonic() + seconds if self._flowing else math.inf)

    @contextmanager
    def attending(self) -> Iterator[None]:
        depth = getattr(self._mine, "depth", 0)
        self._mine.depth = depth + 1
        with self._turn:
            self._working += depth == 0
        try:
            yield
        finally:
            self._mine.depth = depth
            with self._turn:
                self._working -= depth == 0
                self._move_if_all_wait()

    @contextmanager
    def idle(self) -> Iterator[None]:
        attends = self._attends()
        with self._turn:
            self._working -= attends
            self._move_if_all_wait()
        try:
            yield
        finally:
            with self._turn:
                self._working += attends

    def _wait_for(self, sleeper: _Sleeper, end: float) -> None:
        """Until its time has come, or *end* on the machine's clock: then its time comes."""
        while sleeper in self._sleepers:
            left = end - time.monotonic()
            if left <= 0:
                self._move(sleeper[0])
            else:
                self._turn.wait(left if left < math.inf else None)

    def _attends(self) -> bool:
        return bool(getattr(self._mine, "depth", 0))

    def _move_if_all_wait(self) -> None:
        if self._working == 0 and self._sleepers:
            self._move(max(self._now, self._sleepers[0][0]))

    def _move(self, at: Millis) -> None:
        """A woken thread counts as working from here on, before the machine gets round to running it."""
        self._now = at
        while self._sleepers and self._sleepers[0][0] <= at:
            self._working += heapq.heappop(self._sleepers)[2]
        self._turn.notify_all()
