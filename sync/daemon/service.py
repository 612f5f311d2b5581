"""The daemon: one run of the street after the other, when the config says so, until told to stop; and between and during them
the tick, which keeps memberships true to the second.

The main thread alone answers and sends. Pulls work in threads of their own, and each page that they commit is taken in at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from connectors.base import Clock, Millis, PlatformError
from sync.config.model import Apply, Daily
from sync.evaluate.families import refreshed
from sync.evaluate.live import Live
from sync.evaluate.run import Evaluation
from sync.evaluate.tick import Diff
from sync.halting import Halted
from sync.ingest.pull import Pulled
from sync.model import ExitCode, StoreFull
from sync.once import settle, sync_once
from sync.reconcile.run import judge_targets
from sync.runs import recorded
from sync.street import Street, pull
from sync.timetable import next_due

LONGEST_WAIT = 5.0                                  # real seconds between two looks at the clock, which may be stepped
TAKE_IN = 0.2                                       # real seconds between two looks at what a pull committed

Say = Callable[[str], None]
Typed = Callable[[str], str]                        # a command → as it is to be typed


def serve(street: Street, stop: threading.Event, say: Say, typed: Typed) -> ExitCode:
    """Run now, then each time the changes are due, until *stop* is set; a run under way ends between two pages or batches. Commands
    are named as *typed*.

    A store that has no room left, or a platform that does not answer, is no reason to end: the next run tries again.
    """
    street.stopping = stop.is_set
    schedule = street.config.schedule
    count = len(street.config.segments)
    going = "by themselves to targets that were applied once" if schedule.apply.data is Apply.AUTO else f"by hand: {typed('segmentd sync')}"
    say(f"started: {count} {'segment' if count == 1 else 'segments'} on {', '.join(street.sources) or 'no connection'}; "
        f"data changes go {going}")
    following = Following(street, say, typed)
    following.run()
    while _until_due(street.clock, schedule.pull.changes, street.config.settings.timezone, stop, following.meanwhile):
        following.run()
    say("stopped: what was not sent stays in the outbox")
    return ExitCode.OK


def no_tick() -> Millis | None:
    """Nothing falls due by itself."""
    return None


def _until_due(
    clock: Clock, every: Daily | Millis, zone: str, stop: threading.Event, meanwhile: Callable[[], Millis | None] = no_tick,
) -> bool:
    """Wait until *every* falls due again, counted from now, or for *stop*; whether it was the time that came. *meanwhile* does what
    is due between, and says when there is more to do.

    A clock that steps back while we wait must not silence us: then it is counted from where the clock stands.
    """
    last = clock.now()
    while not stop.is_set():
        now = clock.now()
        last = min(last, now)
        if next_due(every, last, zone) <= now:
            return True
        due = meanwhile()
        now = clock.now()
        ahead = [next_due(every, last, zone) - now, *([due - now] if due is not None else [])]
        stop.wait(min(max(0, min(ahead)) / 1000, LONGEST_WAIT))
    return False


@dataclass
class Following:
    """What the daemon does over and over, and what it remembers between."""

    street: Street
    say: Say
    typed: Typed = str                              # as it is

    def __post_init__(self) -> None:
        self.live = Live(self.street.store, self.street.config, self.street.sources)
        self.may_go = self.street.config.schedule.apply.data is Apply.AUTO
        self.problems: dict[str, str] = {}          # of the last run, and since: what these are of waits for the next one
        self.sound = False                          # the last run came to its end: accounts and targets are known to be the right ones

    def run(self) -> None:
        """Pull, evaluate, plan, send; what came of it is said and recorded, whatever it was."""
        self.street.failures.clear()
        self.sound = False
        self._recorded("run", self._run)

    def _run(self) -> tuple[dict[str, Any], ExitCode]:
        outcome, code = sync_once(self.street, data_may_go=self.may_go, pulling=self._pull, evaluating=self._whole_evaluation)
        self.problems, self.sound = dict(outcome["problems"]), True
        return outcome, code

    def meanwhile(self) -> Millis | None:
        """Tick if there is something to do, and bring what changed to its targets; when there is more to do."""
        try:
            diff = self.live.tick(self.street.clock.now())
        except StoreFull as full:
            self.say(str(full))
            return None
        if diff is not None and diff.segments:
            self._say_who_moved(diff)
            if self.may_go and self.sound:
                self._recorded("tick", lambda: self._settle(diff))
        return self.live.next_due

    def _settle(self, diff: Diff) -> tuple[dict[str, Any], ExitCode]:
        """The targets of the segments that changed, by the same rules as in a run; not those that the run passed over, nor those that
        have to be listed anew, of which a plan would withdraw what waits."""
        judged = judge_targets(self.street, self._evaluation(self.street), only=diff.segments)
        judged = [each for each in judged if each.key not in self.problems and each.plan.complete]
        outcome, _ = settle(self.street, judged, {}, self.may_go)
        self.problems |= outcome["problems"]
        return outcome, ExitCode.FAILED if outcome["problems"] else ExitCode.REFUSED if outcome["refused"] else ExitCode.OK

    def _whole_evaluation(self, street: Street) -> Evaluation:
        """What stands, once it is known which segments the families have by now."""
        street.config = refreshed(street.store, street.config, street.sources, street.clock.now())
        return self._evaluation(street)

    def _evaluation(self, street: Street) -> Evaluation:
        return self.live.evaluation(street.config, street.clock.now())

    def _pull(self, street: Street, connections: Collection[str], complete: bool | None) -> list[Pulled]:
        """Pull, and take in what it commits while it works."""
        with ThreadPoolExecutor(1, thread_name_prefix="segmentd-pull") as pool:
            pulling = pool.submit(pull, street, connections, complete=complete)
            while not wait([pulling], TAKE_IN).done:
                if (diff := self.live.tick(street.clock.now())) is not None:
                    self._say_who_moved(diff)
            return pulling.result()

    def _say_who_moved(self, diff: Diff) -> None:
        for name in sorted(diff.segments):
            self.say(f"{name}: {len(diff.entered.get(name, ())):,} entered, {len(diff.left.get(name, ())):,} left")

    def _recorded(self, command: str, work: Callable[[], tuple[dict[str, Any], ExitCode]]) -> None:
        with recorded(self.street.store, self.street.clock, command) as record:
            try:
                outcome, code = work()
            except StoreFull as full:
                record.end(full.code, {"error": "disk full"})
                self.say(str(full))
                return
            except Halted:
                record.end(ExitCode.OK, {"stopped": "on request"})
                return
            except PlatformError as error:
                record.end(ExitCode.FAILED, {"error": str(error)})
                self.say(f"{error}; the next run tries again")
                return
            numbers = {k: outcome[k] for k in ("added", "removed", "dead", "waiting")}
            record.end(code, {**numbers, "unused": list(self.street.failures)})
        for line in _told(outcome, self.typed):
            self.say(line)


def _told(outcome: Mapping[str, Any], typed: Typed) -> Iterator[str]:
    """A run in lines: the numbers, then what waits or went wrong, each with its place."""
    waiting = len(outcome["refused"])
    yield (f"{outcome['added']:,} added, {outcome['removed']:,} removed, {outcome['waiting']:,} left for the next run, "
           f"{outcome['dead']:,} given up, {waiting} target{'s' * (waiting != 1)} for a person")
    for key, why in outcome["refused"].items():
        yield f"{key} waits: {why}; {typed(outcome['ways'].get(key, 'segmentd plan'))}"
    for key, why in outcome["problems"].items():
        yield f"{key}: {why}"
    for key, held in outcome["withheld"].items():
        for why, count in held.items():
            yield f"{key}: {count:,} held back: {why}"
    for connection, whys in outcome["stopped"].items():
        yield f"{connection} stopped: {'; '.join(whys)}"
    for pulled in outcome["pulled"]:
        if pulled["error"] and not pulled["off"]:
            yield f"{pulled['connection']} {pulled['stream']}: {pulled['error']}"
