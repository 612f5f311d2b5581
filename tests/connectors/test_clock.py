"""The virtual clock: when it moves, and for whom."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

from connectors.clock import VirtualClock

START = 1_000
WITHIN = 10.0                                       # seconds after which a thread that should have gone on counts as stuck


class Worker:
    """A thread that attends *clock* and does *work*; it works when this returns. One that gets stuck dies with the process."""

    def __init__(self, clock: VirtualClock, work: Callable[[], object]) -> None:
        self._clock, self._work, self._attends = clock, work, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._attends.wait(WITHIN)

    def _run(self) -> None:
        with self._clock.attending():
            self._attends.set()
            self._work()

    def ends(self, within: float = WITHIN) -> bool:
        self._thread.join(within)
        return not self._thread.is_alive()


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

    with clock.attending():
        workers = [Worker(clock, partial(sleep, seconds)) for seconds in (30, 10, 20)]
        clock.sleep(60)
    assert all(worker.ends() for worker in workers)
    assert woke == [START + 10_000, START + 20_000, START + 30_000]
    assert clock.now() == START + 60_000


def test_who_works_holds_the_time_up() -> None:
    clock = VirtualClock(START)
    with clock.attending():
        worker = Worker(clock, lambda: clock.sleep(1))
        assert not worker.ends(0.05)
        assert clock.now() == START
    assert worker.ends()
    assert clock.now() == START + 1000


def test_who_waits_for_another_thread_does_not_hold_the_time_up() -> None:
    clock = VirtualClock(START)
    with clock.attending():
        worker = Worker(clock, lambda: clock.sleep(1))
        with clock.idle():
            assert worker.ends()
        assert clock.now() == START + 1000


def test_a_flowing_clock_lets_nobody_sleep_longer_than_the_machines_clock() -> None:
    clock = VirtualClock(START, flowing=True)
    with clock.attending():                             # though we work
        assert Worker(clock, lambda: clock.sleep(0.02)).ends()
        assert clock.now() == START + 20


def test_a_flowing_clock_does_not_wait_for_the_machines_clock_either() -> None:
    clock = VirtualClock(START, flowing=True)
    with clock.attending():
        clock.sleep(3600)
    assert clock.now() == START + 3_600_000


def test_who_sleeps_on_a_flowing_clock_wakes_when_it_is_set_ahead() -> None:
    clock = VirtualClock(START, flowing=True)
    with clock.attending():
        worker = Worker(clock, lambda: clock.sleep(3600))
        for _ in range(1000):                           # it may not sleep yet
            clock.advance(3600)
            if worker.ends(0.01):
                break
    assert worker.ends()
