"""The virtual clock: when it moves, and for whom."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import pytest

from connectors.clock import VirtualClock

START = 1_000
WITHIN = 10.0                                       # seconds after which a thread that should have gone on counts as stuck


@contextmanager
def working(clock: VirtualClock) -> Iterator[Callable[[Callable[[], object]], Future[None]]]:
    """Starts threads that attend the clock and do what they are given; all have ended when it is left."""
    with ThreadPoolExecutor(4) as pool:

        def start(work: Callable[[], object]) -> Future[None]:
            attending = threading.Event()

            def attended() -> None:
                with clock.attending():
                    attending.set()
                    work()

            started = pool.submit(attended)
            assert attending.wait(WITHIN)
            return started

        yield start


def test_a_lone_sleeper_wakes_at_once_and_at_its_time() -> None:
    clock = VirtualClock(START)
    with clock.attending():
        clock.sleep(3600)
    assert clock.now() == START + 3_600_000


def test_time_moves_to_the_earliest_sleeper_once_everybody_waits() -> None:
    clock, woke = VirtualClock(START), list[int]()

    def sleep(seconds: int) -> None:
        clock.sleep(seconds)
        woke.append(clock.now())

    with working(clock) as start, clock.attending():
        for seconds in (30, 10, 20):
            start(partial(sleep, seconds))
        clock.sleep(60)
    assert woke == [START + 10_000, START + 20_000, START + 30_000]
    assert clock.now() == START + 60_000


def test_who_works_holds_the_time_up() -> None:
    clock = VirtualClock(START)
    with working(clock) as start:
        with clock.attending():
            slept = start(lambda: clock.sleep(1))
            with pytest.raises(TimeoutError):
                slept.result(0.05)
            assert clock.now() == START
        slept.result(WITHIN)
    assert clock.now() == START + 1000


def test_who_waits_for_another_thread_does_not_hold_the_time_up() -> None:
    clock = VirtualClock(START)
    with working(clock) as start, clock.attending():
        slept = start(lambda: clock.sleep(1))
        with clock.idle():
            slept.result(WITHIN)
        assert clock.now() == START + 1000


def test_a_flowing_clock_lets_nobody_sleep_longer_than_the_machines_clock() -> None:
    clock = VirtualClock(START, flowing=True)
    with working(clock) as start, clock.attending():
        start(lambda: clock.sleep(0.02)).result(WITHIN)     # though we work
        assert clock.now() == START + 20


def test_a_flowing_clock_does_not_wait_for_the_machines_clock_either() -> None:
    clock = VirtualClock(START, flowing=True)
    with clock.attending():
        clock.sleep(3600)
    assert clock.now() == START + 3_600_000


def test_a_clock_that_was_set_ahead_of_a_sleeper_stays_there() -> None:
    clock = VirtualClock(START, flowing=True)
    with working(clock) as start, clock.attending():
        slept = start(lambda: clock.sleep(0.02))
        clock.advance(5)
        slept.result(WITHIN)
        assert clock.now() == START + 5000
