"""Stopping on request: what a signal's handler may do, wherever it interrupts the main thread."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from sync.halting import aside, set_by_signals
from sync.model import ExitCode

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


DEAF = """
import threading
from sync.halting import set_by_signals

stop = threading.Event()
with set_by_signals(stop):
    print("ready", flush=True)
    stop.wait()
    print("asked", flush=True)
    threading.Event().wait()
"""


@pytest.mark.parametrize(("first", "second"), [
    (signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGINT),
])
def test_a_second_signal_waits_for_nothing(first: signal.Signals, second: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", DEAF], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        process.send_signal(first)
        assert process.stdout.readline() == "asked\n"
        process.send_signal(second)
        try:
            assert process.wait(PATIENCE) == ExitCode.STOPPED
        finally:
            process.kill()
