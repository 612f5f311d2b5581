"""Stopping on request: what a signal's handler may do, wherever it interrupts the main thread."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from sync.halting import aside, set_by_signals

PATIENCE = 30.0


@pytest.fixture(autouse=True)
def _handlers_as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class Guarded(threading.Event):
    """An event whose lock we can hold, as `wait` holds it for a moment."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()

    def set(self) -> None:
        assert self.lock.acquire(timeout=PATIENCE), "the handler waits for the thread that it interrupted"
        super().set()
        self.lock.release()


def test_a_handler_may_ask_for_work_that_needs_a_lock_which_the_thread_it_interrupts_holds() -> None:
    stop = Guarded()
    with aside(stop.set) as ring:
        signal.signal(signal.SIGUSR1, lambda *_: ring())
        with stop.lock:
            signal.raise_signal(signal.SIGUSR1)
            assert not stop.is_set()
        assert stop.wait(PATIENCE)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_comes_within_a_wait_for_the_event_sets_it_all_the_same(number: signal.Signals) -> None:
    stop = Guarded()
    with set_by_signals(stop):
        with stop.lock:
            signal.raise_signal(number)
        assert stop.wait(PATIENCE)


def test_work_that_was_asked_for_is_done_before_the_end() -> None:
    done = threading.Event()
    with aside(done.set) as ring:
        ring()
    assert done.is_set()
