"""The daemon: one run of the street after the other, when the config says so, until told to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from connectors.base import Clock, Millis, PlatformError
from sync.config.model import Apply, Daily
from sync.halting import Halted
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
    schedule = street.config.schedule
    say(f"started: {len(street.config.segments)} segments on {', '.join(street.sources) or 'no connection'}; data changes go "
        + ("by themselves to targets that were applied once" if schedule.apply.data is Apply.AUTO else "by hand: segmentd sync"))
    _one_run(street, say)
    while _until_due(street.clock, schedule.pull.changes, street.config.settings.timezone, stop):
        _one_run(street, say)
    say("stopped: what was not sent stays in the outbox")
    return ExitCode.OK


def _until_due(clock: Clock, every: Daily | Millis, zone: str, stop: threading.Event) -> bool:
    """Wait until *every* falls due again, counted from now, or for *stop*; whether it was the time that came.

    A clock that steps back while we wait must not silence us: then it is counted from where the clock stands.
    """
    last = clock.now()
    while not stop.is_set():
        now = clock.now()
        last = min(last, now)
        left = (next_due(every, last, zone) - now) / 1000
        if left <= 0:
            return True
        stop.wait(min(left, LONGEST_WAIT))
    return False


def _one_run(street: Street, say: Say) -> None:
    """Pull, evaluate, plan, send; what came of it is said and recorded, whatever it was."""
    street.failures.clear()
    may_go = street.config.schedule.apply.data is Apply.AUTO
    with recorded(street.store, street.clock, "run") as record:
        try:
            outcome, code = sync_once(street, data_may_go=may_go)
        except StoreFull as full:
            record.end(full.code, {"error": "disk full"})
            say(str(full))
            return
        except Halted:
            record.end(ExitCode.OK, {"stopped": "on request"})
            return
        except PlatformError as error:
            record.end(ExitCode.FAILED, {"error": str(error)})
            say(f"{error}; the next run tries again")
            return
        numbers = {k: outcome[k] for k in ("added", "removed", "dead", "waiting")}
        record.end(code, {**numbers, "unused": list(street.failures)})
    for line in _told(outcome):
        say(line)


def _told(outcome: Mapping[str, Any]) -> Iterator[str]:
    """A run in lines: the numbers, then what waits or went wrong, each with its place."""
    waiting = len(outcome["refused"])
    yield (f"{outcome['added']} added, {outcome['removed']} removed, {outcome['waiting']} left for the next run, "
           f"{outcome['dead']} given up, {waiting} target{'s' * (waiting != 1)} for a person")
    for key, why in outcome["refused"].items():
        yield f"{key} waits: {why}; {outcome['ways'].get(key, 'segmentd plan')}"
    for key, why in outcome["problems"].items():
        yield f"{key}: {why}"
    for key, held in outcome["withheld"].items():
        for why, count in held.items():
            yield f"{key}: {count} held back: {why}"
    for connection, whys in outcome["stopped"].items():
        yield f"{connection} stopped: {'; '.join(whys)}"
    for pulled in outcome["pulled"]:
        if pulled["error"] and not pulled["off"]:
            yield f"{pulled['connection']} {pulled['stream']}: {pulled['error']}"
