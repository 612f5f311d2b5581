"""Stopping soon: whoever waits for a platform's limit or for the next try does not wait to the end once told to stop."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from queue import SimpleQueue

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


@contextmanager
def aside(work: Callable[[], object]) -> Iterator[Callable[[], None]]:
    """What the handler of a signal may call to have *work* done, by a thread of its own and soon.

    A handler interrupts the main thread anywhere, also where `Event.wait` holds the event's lock for a moment: `Event.set`, called
    by the handler itself, would wait for that lock for ever. `SimpleQueue.put` may be called there: it is reentrant (Python's
    documentation, `queue`).
    """
    asked: SimpleQueue[bool] = SimpleQueue()

    def attend() -> None:
        while asked.get():
            work()

    attendant = threading.Thread(target=attend, name="segmentd-aside", daemon=True)
    attendant.start()
    try:
        yield lambda: asked.put(True)
    finally:
        asked.put(False)
        attendant.join()


@contextmanager
def soon_then_at_once(work: Callable[[], object]) -> Iterator[Callable[[], None]]:
    """What the handler of a signal may call when asked to stop: the first time *work* is done, `aside`; the second time nothing is
    waited for, and the process ends here, which the store survives."""
    with aside(work) as ring:
        times = count(1)

        def ask() -> None:
            if next(times) > 1:
                os.write(2, b"\x1b[?25h" if os.isatty(2) else b"")      # progress bars had hidden the cursor
                os._exit(ExitCode.STOPPED)
            ring()

        yield ask


@contextmanager
def set_by_signals(stop: threading.Event) -> Iterator[None]:
    """SIGTERM and SIGINT set *stop*, from here to the end of the process; a second one of them ends it at once."""
    with soon_then_at_once(stop.set) as ask:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ask())
        yield
