"""The daemon: one run of the street after the other, when the config says so, until told to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable

from connectors.base import Clock, Millis
from sync.config.model import Apply
from sync.model import ExitCode, StoreFull
from sync.once import sync_once
from sync.runs import recorded
from sync.street import Street
from sync.timetable import next_due

LONGEST_WAIT = 5.0                                  # real seconds between two looks at the clock, which may be stepped

Say = Callable[[str], None]


def serve(street: Street, stop: threading.Event, say: Say) -> ExitCode:
    """Run now, then each time the changes are due, until *stop* is set; a run under way ends between two pages or batches.

    A store that has no room left, or a platform that does not answer, is no reason to end: the next run tries again.
    """
    street.stopping = stop.is_set
    every = street.config.schedule.pull.changes
    last = street.clock.now()
    _one_run(street, say)
    while not stop.is_set():
        last = min(last, street.clock.now())        # a clock that stepped back must not silence us
        due = next_due(every, last, street.config.settings.timezone)
        if _until(street.clock, due, stop):
            last = street.clock.now()
            _one_run(street, say)
    say("stopped: what was not sent stays in the outbox")
    return ExitCode.OK


def _until(clock: Clock, due: Millis, stop: threading.Event) -> bool:
    """Wait for *due*, or for *stop*; whether it was the time that came."""
    while not stop.is_set():
        left = (due - clock.now()) / 1000
        if left <= 0:
            return True
        stop.wait(min(left, LONGEST_WAIT))
    return False


def _one_run(street: Street, say: Say) -> None:
    street.failures.clear()
    may_go = street.config.schedule.apply.data is Apply.AUTO
    with recorded(street.store, street.clock, "run") as record:
        try:
            outcome, code = sync_once(street, data_may_go=may_go)
        except StoreFull as full:
            record.end(full.code, {"error": "disk full"})
            say(str(full))
            return
        record.end(code, {k: outcome[k] for k in ("added", "removed", "dead", "waiting")})
    say(f"{outcome['added']} added, {outcome['removed']} removed, {outcome['waiting']} waiting, {outcome['dead']} given up, "
        f"{len(outcome['refused'])} targets wait for a person")
    for key, why in {**outcome["refused"], **outcome["problems"]}.items():
        say(f"{key}: {why}")
