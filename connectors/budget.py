"""Our share of an account's documented limits: who calls waits here until the call fits."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from connectors.base import Clock, Limit, Millis

RETRY_SHARE = 0.1                                   # retries may be this part of all calls …
RETRY_FLOAT = 20.0                                  # … after so many that are always allowed


class Paused(Exception):
    """A lane is paused for *seconds*, longer than whoever calls would wait."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Budget:
    """Our share of an account's documented limits, over everything that calls it. Safe for many threads.

    Sliding windows per lane, and slots for limits on calls at once. A platform that says "wait" pauses the lane for all.
    Nothing that happened lies ahead: after a clock that stepped back, calls and pauses count from now, so nobody waits for
    longer than a window or a pause lasts.
    """

    def __init__(self, limits: Iterable[Limit], share: float, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[str, list[tuple[int, Millis, deque[Millis]]]] = {}
        self._slots: dict[str, threading.Semaphore] = {}
        self._paused: dict[str, tuple[Millis, Millis]] = {}     # since when, for how long
        self._retries = RETRY_FLOAT
        for limit in limits:
            calls = max(1, int(limit.calls * share))
            if limit.seconds:
                self._windows.setdefault(limit.lane, []).append((calls, round(limit.seconds * 1000), deque()))
            else:
                self._slots[limit.lane] = threading.Semaphore(calls)

    @contextmanager
    def call(self, lanes: Sequence[str], patience: float = math.inf) -> Iterator[None]:
        """Waits until a call on all *lanes* fits; holds their slots while it lasts. Raises Paused instead of waiting for a pause
        that lasts longer than *patience* seconds."""
        with ExitStack() as held:
            for lane in lanes:
                slot = self._slots.get(lane)
                if slot:
                    if not slot.acquire(blocking=False):
                        with self._clock.idle():
                            slot.acquire()
                    held.callback(slot.release)
            while wait := self._take(lanes, patience):
                self._clock.sleep(wait / 1000)
            yield

    def pause(self, lanes: Sequence[str], seconds: float) -> None:
        """Nobody calls on *lanes* for *seconds*."""
        length = round(seconds * 1000)
        with self._lock:
            now = self._clock.now()
            for lane in lanes:
                if length > self._pause(lane, now):
                    self._paused[lane] = now, length

    def may_retry(self) -> bool:
        """Whether one more retry keeps within the share of all calls that retries may be; counts it if so."""
        with self._lock:
            if self._retries < 1:
                return False
            self._retries -= 1
            return True

    def _take(self, lanes: Sequence[str], patience: float) -> Millis:
        """0 and counted, or milliseconds to wait before asking again."""
        with self._lock:
            now = self._clock.now()                 # under the lock: calls are kept in the order of their times
            paused = max((self._pause(lane, now) for lane in lanes), default=0)
            if paused > patience * 1000:
                raise Paused(paused / 1000)
            wait = max([paused, *(self._wait(lane, now) for lane in lanes)])
            if wait == 0:
                self._retries = min(RETRY_FLOAT, self._retries + RETRY_SHARE)
                for _, _, taken in (window for lane in lanes for window in self._windows.get(lane, ())):
                    taken.append(now)
            return wait

    def _wait(self, lane: str, now: Millis) -> Millis:
        """How long the lane's windows are still full."""
        wait = 0
        for calls, span, taken in self._windows.get(lane, ()):
            while taken and taken[0] <= now - span:
                taken.popleft()
            ahead = 0
            while taken and taken[-1] > now:
                taken.pop()
                ahead += 1
            taken.extend([now] * ahead)
            if len(taken) >= calls:
                wait = max(wait, taken[0] + span - now)
        return wait

    def _pause(self, lane: str, now: Millis) -> Millis:
        """How long the lane is still paused."""
        since, length = self._paused.get(lane, (now, 0))
        if since > now:
            since = now
            self._paused[lane] = since, length
        return max(0, since + length - now)
