"""`run`: the daemon in a process of its own, and its waiting on a clock that is stepped."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import pytest

from connectors.base import DAY, HOUR, SECOND, FaultKind, PlatformError, SystemClock, VirtualClock
from connectors.sandbox.server import Sandbox
from connectors.sandbox.world import random_world
from sync.cli.common import opened, read_config
from sync.daemon.service import Following, _until_due
from sync.street import pull
from tests.cli.ground import SEGMENTS, Ground, said
from tests.e2e.stage import write_config
from tests.e2e.test_real_clock import buy
from tests.reconcile.platform import Toy
from tests.reconcile.town import HEAD, town_in

PATIENCE = 30.0


class Daemon:
    """`segmentd run` as systemd would start it."""

    def __init__(self, config: Path, *argv: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sync.cli.main", "run", "--config", str(config), *argv],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONFAULTHANDLER": "1"},
        )
        self.lines: Queue[str] = Queue()
        self.readers = [threading.Thread(target=self._read, args=(stream,), daemon=True)
                        for stream in (self.process.stdout, self.process.stderr)]
        for reader in self.readers:
            reader.start()

    def _read(self, stream: Iterator[str]) -> None:
        for line in stream:
            self.lines.put(line.rstrip("\n"))

    def heard(self, pattern: str) -> str:
        """The next line in which *pattern* is found."""
        said = []
        while True:
            try:
                line = self.lines.get(timeout=PATIENCE)
            except Empty:
                raise AssertionError(f"nothing like {pattern!r} in {said}") from None
            said.append(line)
            if re.search(pattern, line):
                return line

    def stop(self) -> int:
        """SIGTERM, and the exit code, which must come soon; a daemon that hangs tells where."""
        self.process.send_signal(signal.SIGTERM)
        hung = False
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            hung = True
            self.process.send_signal(signal.SIGABRT)            # answered by Python's faulthandler
        code = self.process.wait()
        for reader in self.readers:
            reader.join(5)
        for stream in (self.process.stdout, self.process.stderr):
            if stream:
                stream.close()
        assert not hung, "\n".join(["SIGTERM was not heard; what it said and where it stood:", *list(self.lines.queue)])
        return code


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Emulated platforms on the machine's clock."""
    with Sandbox(SystemClock()) as running:
        world = random_world(7, 40, 200, SystemClock().now() // DAY * DAY)
        for application in running.applications.values():
            application.load(world)
        yield running


@pytest.fixture
def config(tmp_path: Path, sandbox: Sandbox) -> Path:
    path = write_config(tmp_path, sandbox.urls, SEGMENTS)
    path.write_text(path.read_text() + "schedule: {pull: {changes: 1s}, apply: {data: by_hand}}\n")
    return path


def named_members(sandbox: Sandbox) -> set[str]:
    """Profiles on the tags and lists of the config, as the platforms have them now."""
    return {row["profile"] for app in sandbox.applications.values() for row in app.rows("members").to_pylist()
            if row["name"] in ("Buyers", "Readers")}


def test_by_hand_it_sends_nothing_keeps_the_store_to_itself_and_stops_cleanly_on_sigterm(config: Path, sandbox: Sandbox) -> None:
    daemon = Daemon(config)
    daemon.heard(f"started: 2 segments on mailchimp, hubspot, klaviyo; data changes go by hand: segmentd sync -c {config}$")
    daemon.heard("0 added, 0 removed, .* 3 targets for a person")
    way = daemon.heard("waits: it was never applied; segmentd apply ").partition("; ")[2]
    assert way.startswith(f"segmentd apply -c {config} ")
    second = said("sync", "-c", str(config))
    assert second.code == 75
    assert "another segmentd" in second.err
    daemon.heard("0 added, 0 removed, .* 3 targets for a person")
    assert daemon.stop() == 0
    assert not named_members(sandbox)
    assert said("runs", "-c", str(config), "--json").json[0]["command"] == "run"
    assert said(*shlex.split(way)[1:]).code == 0
    assert named_members(sandbox)


def test_under_auto_it_sends_to_what_was_applied_once_and_tells_it_as_json_lines(config: Path, sandbox: Sandbox) -> None:
    assert said("plan", "-c", str(config)).code == 0
    assert said("apply", "-c", str(config)).code == 0
    config.write_text(config.read_text().replace("data: by_hand", "data: auto"))
    mailchimp = sandbox.applications["mailchimp"]
    tagged = {row["profile"] for row in mailchimp.rows("members").to_pylist() if row["name"] == "Buyers"}
    someone = next(row for row in mailchimp.rows("profiles").to_pylist() if row["id"] in tagged)
    mailchimp.act("withdraw", email=someone["email"])
    daemon = Daemon(config, "--json")
    line = json.loads(daemon.heard("0 added, [1-9][0-9]* removed"))
    assert set(line) == {"at", "message"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", line["at"])
    assert daemon.stop() == 0
    assert someone["id"] not in named_members(sandbox)


def test_a_platform_that_is_down_does_not_end_it(config: Path) -> None:
    config.write_text(re.sub(r'(klaviyo: .*base_url: ")[^"]*', r"\g<1>http://127.0.0.1:9", config.read_text()))
    daemon = Daemon(config)
    daemon.heard("started")
    assert daemon.process.poll() is None
    assert daemon.stop() == 0                       # while the next try is waited for


def test_a_refused_key_is_told_and_tried_again_at_the_next_run(config: Path, tmp_path: Path) -> None:
    (tmp_path / "klaviyo.key").write_text("pk_wrong")
    daemon = Daemon(config)
    for _ in range(2):
        daemon.heard("klaviyo account: .*the key was refused; see connections.klaviyo.key")
    assert daemon.stop() == 0


@pytest.mark.parametrize("way", ["stderr full", "stdout full", "stdout without a reader"])
def test_it_works_on_where_nobody_can_be_told_of_it(config: Path, way: str) -> None:
    unheard, _, how = way.partition(" ")
    argv = [sys.executable, "-m", "sync.cli.main", "run", "-c", str(config), *(["--json"] if unheard == "stdout" else [])]
    with Path("/dev/full").open("w") as full:
        streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        streams |= {unheard: full} if how == "full" else {}
        daemon = subprocess.Popen(argv, text=True, **streams)
    for stream in (daemon.stdout, daemon.stderr):
        if stream and how != "full":
            stream.close()
    deadline = time.monotonic() + PATIENCE
    while not said("runs", "-c", str(config), "--json").out.count('"seconds"') > 1:
        with suppress(subprocess.TimeoutExpired):
            assert daemon.wait(0.1) is None, "it ended by itself"
        assert time.monotonic() < deadline
    daemon.terminate()
    _, told = daemon.communicate(timeout=PATIENCE) if how == "full" else ("", "")
    assert daemon.wait(PATIENCE) == 0
    assert not told or "Exception" not in told


# --- waiting -------------------------------------------------------------------------------------------------------------


class Stepping(threading.Event):
    """Nobody stops us; each wait lets the clock do the next of *steps* (seconds ahead, or back)."""

    def __init__(self, clock: VirtualClock, steps: list[float]) -> None:
        super().__init__()
        self.clock, self.steps, self.waited = clock, steps, 0.0

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        assert timeout <= 5, "a clock that is stepped would go unseen"
        self.waited += timeout
        step = self.steps.pop(0) if self.steps else timeout
        self.clock.set(self.clock.now() + round(step * 1000))
        return False


def test_it_waits_for_the_interval() -> None:
    clock = VirtualClock(100 * DAY)
    assert _until_due(clock, 60 * SECOND, "UTC", Stepping(clock, []))
    assert clock.now() == 100 * DAY + 60 * SECOND


def test_a_clock_that_steps_back_does_not_silence_it() -> None:
    clock = VirtualClock(100 * DAY)
    stop = Stepping(clock, [5, -3 * 86_400])
    assert _until_due(clock, 600 * SECOND, "UTC", stop)
    assert stop.waited <= 620


def test_a_clock_that_steps_ahead_is_noticed_at_once() -> None:
    clock = VirtualClock(100 * DAY)
    stop = Stepping(clock, [5, 86_400])
    assert _until_due(clock, 12 * HOUR, "UTC", stop)
    assert stop.waited == 10


def test_told_to_stop_it_waits_no_more() -> None:
    stop = threading.Event()
    stop.set()
    assert not _until_due(VirtualClock(0), HOUR, "UTC", stop)


# --- between runs ----------------------------------------------------------------------------------------------------------


def test_time_alone_takes_somebody_out_and_their_tag_off_between_two_pulls(applied: Ground) -> None:
    applied.change("event: order_placed\n", "event: order_placed\n    within: 30m\n")
    applied.config.write_text(applied.config.read_text() + "schedule: {pull: {changes: 1h}, apply: {data: auto, edits: auto}}\n")
    klaviyo, lines = applied.sandbox.applications["klaviyo"], list[str]()
    buyer = next(row for row in klaviyo.rows("profiles").to_pylist() if not row["barred"])
    with opened(read_config(applied.config), applied.clock, progress=False, stop=threading.Event()) as street:
        following = Following(street, lines.append)
        buy(applied.sandbox.urls["klaviyo"], buyer["id"])
        bought = applied.clock.now()
        applied.clock.set(bought + 120 * SECOND)
        following.run()
        assert buyer["id"] in buyers(applied)
        lines.clear()
        for _ in range(20):
            due = following.live.next_due
            assert due is not None
            applied.clock.set(max(applied.clock.now(), due))
            following.meanwhile()
            if lines:
                break
    assert abs(applied.clock.now() - bought - 1800 * SECOND) < SECOND
    assert lines[0] == "buyers: 0 entered, 1 left"
    assert re.match("0 added, [12] removed", lines[1])
    assert buyer["id"] not in buyers(applied)
    assert applied.data("verify")["differences"] == {}
    assert applied.data("runs")[0]["command"] == "tick"


class Meanwhile(VirtualClock):
    """Each sleep lets the daemon do its *work*."""

    def __init__(self, work: Callable[[], object]) -> None:
        super().__init__(0)
        self.work, self.slept = work, 0

    def sleep(self, seconds: float) -> None:
        self.slept += 1
        self.work()


def test_beside_a_daemon_whose_pulls_find_nothing_new_verify_answers_at_once(ground: Ground) -> None:
    with opened(read_config(ground.config), ground.clock, progress=False, stop=threading.Event()) as street:
        following = Following(street, lambda line: None)
        for _ in range(3):
            following.run()
            ground.clock.set(ground.clock.now() + 10 * SECOND)
        clock = Meanwhile(following.meanwhile)
        answer = said("verify", "-c", str(ground.config), "--json", clock=clock)
    assert (answer.code, clock.slept) == (0, 0), answer.err


def test_verify_sees_what_a_daemon_answers_while_it_waits_for_it(ground: Ground) -> None:
    with opened(read_config(ground.config), ground.clock, progress=False, stop=threading.Event()) as street:
        following = Following(street, lambda line: None)
        following.run()
        ground.clock.set(ground.clock.now() + 10 * SECOND)
        buy(ground.sandbox.urls["klaviyo"], ground.sandbox.applications["klaviyo"].rows("profiles").to_pylist()[0]["id"])
        ground.clock.set(ground.clock.now() + 120 * SECOND)
        pull(street)
        clock = Meanwhile(following.run)
        answer = said("verify", "-c", str(ground.config), "--json", clock=clock)
    assert (answer.code, clock.slept) == (0, 1), answer.err
    assert answer.json["differences"] == {}


class Torn(Toy):
    """Its audience cannot be told while it is *torn*."""

    torn = False

    def audience(self, ref: str) -> str:
        if self.torn:
            raise PlatformError("toy", "GET /audiences", FaultKind.INVALID, code="several audiences of that name")
        return ref


def test_a_target_that_the_run_passed_over_waits_for_the_next_run_between_them_too(tmp_path: Path) -> None:
    town = town_in(tmp_path)
    able = replace(town.toys["klaviyo"].capabilities, audiences=True)
    town.toys["klaviyo"] = toy = Torn(town.clock, able, account_id="account of klaviyo")
    town.configure(head=HEAD + "schedule: {apply: {data: auto}}\n")
    town.person(0)
    town.plan()
    town.apply()
    following = Following(town.street, lambda line: None)
    toy.torn = True
    following.run()
    town.person(1)
    pull(town.street)
    following.meanwhile()
    assert town.on() == {"p0"}
    toy.torn = False
    following.run()
    assert town.on() == {"p0", "p1"}
    town.store.close()


def test_a_target_that_has_to_be_listed_anew_keeps_what_waits_for_it_between_two_runs(tmp_path: Path) -> None:
    town = town_in(tmp_path)
    town.configure(head=HEAD + "schedule: {apply: {data: auto}}\n")
    for number in range(3):
        town.person(number)
    town.plan()
    town.toys["klaviyo"].script = ["key"]
    town.apply()
    following = Following(town.street, lambda line: None)
    town.toys["klaviyo"].script = ["key"]
    following.run()
    assert town.waiting() == 3
    with town.store.transaction() as db:
        db.execute("update targets set complete = 0")       # as after an answer that was lost
    town.person(3)
    pull(town.street)
    following.meanwhile()
    assert town.waiting() == 3
    following.run()
    assert town.on() == {"p0", "p1", "p2", "p3"}
    town.store.close()


def test_after_a_run_that_did_not_come_to_its_end_nothing_is_sent_before_the_next_one(tmp_path: Path) -> None:
    town = town_in(tmp_path)
    town.configure(head=HEAD + "schedule: {apply: {data: auto}}\n")
    town.person(0)
    town.plan()
    town.apply()
    said = list[str]()
    following = Following(town.street, said.append)
    following.run()
    town.toys["klaviyo"].account_id = "somebody else's"
    following.run()
    town.store.db.set_authorizer(lambda action, table, *_: sqlite3.SQLITE_DENY if table == "outbox" else sqlite3.SQLITE_OK)
    with pytest.raises(sqlite3.DatabaseError):
        following.run()
    town.store.db.set_authorizer(None)
    town.toys["klaviyo"].account_id = "account of klaviyo"
    town.person(1)
    pull(town.street)
    town.toys["klaviyo"].account_id = "somebody else's"
    following.meanwhile()
    assert "vip: 1 entered, 0 left" in said
    assert town.on() == {"p0"}
    town.store.close()


def buyers(ground: Ground) -> set[str]:
    """Who is on Klaviyo's list."""
    return {row["profile"] for row in ground.sandbox.applications["klaviyo"].rows("members").to_pylist() if row["name"] == "Buyers"}
