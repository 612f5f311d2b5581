"""Stopping soon: whoever waits for a platform's limit or for the next try does not wait to the end once told to stop."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager

from connectors.base import Clock, Millis, SystemClock
from sync.model import ExitCode, SegmentdError


class Halted(SegmentdError):
    """Told to stop while waiting. Nothing is lost: pulls go on from their cursors, changes stay in the outbox."""

    code = ExitCode.STOPPED


class HaltingClock:
    """*inner*, but a sleep ends with `Halted` as soon as *stop* is set (where the clock is the machine's)."""

    def __init__(self, inner: Clock, stop: threading.Event) -> None:
        self._inner, self._stop = inner, stop

    def now(self) -> Millis:
        return self._inner.now()

    def sleep(self, seconds: float) -> None:
        if not isinstance(self._inner, SystemClock):
            self._inner.sleep(seconds)
        elif self._stop.wait(max(0.0, seconds)):
            raise Halted("stopped; the next run goes on from here")

    def attending(self) -> AbstractContextManager[None]:
        return self._inner.attending()

    def idle(self) -> AbstractContextManager[None]:
        return self._inner.idle()
