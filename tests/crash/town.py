"""A small town whose people buy, opt out and are tagged by hand while the segmentd that keeps its lists dies again and again.

Everything the checks compare with is known from the emulated platforms or from what this file itself did, never from our store.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connectors.base import DAY, HOUR, Millis
from connectors.sandbox.cdnow import cdnow_world
from connectors.sandbox.control import Controls, SharedClock
from connectors.sandbox.world import PLATFORMS
from sync.cli.main import main
from sync.cli.truth import Difference, compare, gather
from sync.config.load import load
from sync.config.model import Config
from sync.reconcile.run import key_of, specs
from sync.store import history
from sync.store.store import Store
from tests.e2e.stage import write_config

START: Millis = 20_000 * DAY + 12 * HOUR            # noon of some day in 2024
SEGMENTS = """
  lapsed:
    all:
      - event: order_placed
      - not: {event: order_placed, within: 300d}
    sync: {mailchimp: {tag: Lapsed}, hubspot: {list: Lapsed}, klaviyo: {list: Lapsed}}
  recent:
    event: order_placed
    within: 30d
    sync: {mailchimp: {tag: Recent}, hubspot: {list: Recent}, klaviyo: {list: Recent}}
  engaged:
    all:
      - {event: [email_opened, email_clicked], within: 120d, human: true}
      - consent: {channel: email, is: granted}
    sync: {hubspot: {list: Engaged}, klaviyo: {list: Engaged}}
"""
ASKED = ("order_placed", "email_opened", "email_clicked")
ROOT = Path(__file__).parents[2]
ROUNDS = 12


class Place:
    """The emulated platforms in a process of their own."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.place", str(START)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            cwd=ROOT,
        )
        self.urls: dict[str, str] = json.loads(self._line())
        self.controls = Controls(self.urls["control"])

    def _line(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline()

    def writes(self, ask: str = "writes") -> list[dict[str, Any]]:
        """Writes of memberships under the connector's key so far; "forget" also empties the log."""
        assert self.process.stdin
        self.process.stdin.write(ask + "\n")
        self.process.stdin.flush()
        found: list[dict[str, Any]] = json.loads(self._line())
        return found

    def close(self) -> None:
        self.controls.close()
        assert self.process.stdin
        assert self.process.stdout
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()


def troubles(said: Any) -> Any:
    """Of what a command said, what it could not do."""
    if not isinstance(said, dict):
        return said
    failed = [row for row in said.get("pulled", []) if row["error"]]
    return failed, {name: said[name] for name in ("problems", "stopped", "refused", "withheld", "dead") if said.get(name)}


@contextlib.contextmanager
def place() -> Iterator[Place]:
    made = Place()
    try:
        yield made
    finally:
        made.close()


@dataclass
class Life:
    """One store and its config against one place, from the first plan on."""

    place: Place
    folder: Path
    seed: int
    people: int = 80
    kills: int = 0
    points: Counter[str] = field(default_factory=Counter)
    planned: bool = False
    applied: bool = False
    known_writes: int = 0
    hand: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))         # target → put there by people
    doubt: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))        # target → added, and the answer lost

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.controls = self.place.controls
        self.begin()

    # --- the ground

    def begin(self) -> None:
        """A new world, a new store."""
        self.controls.weather("calm", self.seed)
        today = self.controls.now() // DAY * DAY            # forwards only: platforms remember when they were called last
        self.controls.set_clock(today + DAY + 12 * HOUR)
        self.controls.load(cdnow_world(today, people=self.people, mail=60_000, seed=self.seed))
        for name in PLATFORMS:
            self.controls.forget_calls(name)
        self.place.writes("forget")
        self.known_writes, self.planned, self.applied = 0, False, False
        self.hand.clear()
        self.doubt.clear()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.path = write_config(self.folder, self.place.urls, SEGMENTS)
        config, problems = load(self.path)
        assert config is not None, problems
        self.config: Config = config
        self.keys = {(s.connection, s.name): str(key_of(s)) for s in specs(config)}

    @property
    def store(self) -> Path:
        return self.folder / "store.db"

    # --- commands

    def child(self, *argv: str, crash: str = "", **options: Any) -> subprocess.Popen[str]:
        """A command in a process of its own, as `segmentd` on the place's clock."""
        return subprocess.Popen(
            [sys.executable, "-m", "tests.crash.child", self.place.urls["control"], *argv, "--config", str(self.path), "--json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
            env={**os.environ, "SEGMENTD_CRASH": crash}, **options,
        )

    def here(self, *argv: str) -> tuple[int, Any]:
        """A command in this process, as a fresh start of the program: exit code and JSON."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main([*argv, "--config", str(self.path), "--json"], SharedClock(self.controls))
        assert code != 70, err.getvalue()
        return code, json.loads(out.getvalue()) if out.getvalue() else err.getvalue()

    def kill_at(self, argv: Sequence[str], point: str, count: int) -> bool:
        """Run a command that is to die at the *count*-th passing of *point*; whether it came to that."""
        child = self.child(*argv, crash=f"{point}:{count}")
        said, complained = child.communicate(timeout=60)
        assert child.returncode in (0, 1, 3, 4, 75, -signal.SIGKILL), (argv, child.returncode, said, complained)
        died = child.returncode == -signal.SIGKILL
        self.note_death(sending=died and (point == "*" or point.startswith("send."))) if died else self.note_writes()
        if died:
            self.kills += 1
            self.points[point] += 1
        return died

    def kill_after(self, argv: Sequence[str], seconds: float) -> bool:
        """Run a command and kill it after so many real seconds of its work; whether it still ran."""
        child = self.child(*argv)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(seconds)
        child.kill()
        child.communicate()
        died = child.returncode == -signal.SIGKILL
        self.note_death(sending=died) if died else self.note_writes()
        self.kills += died
        return died

    def finish(self, *argv: str) -> Any:
        """Run a command again until it ends well."""
        for _ in range(ROUNDS):
            code, said = self.here(*argv)
            self.note_writes()
            if code == 0:
                self.planned |= argv[0] == "plan"
                self.applied |= argv[0] == "apply"
                return said
            self.controls.advance(60)
        raise AssertionError(f"{argv} did not end well in {ROUNDS} rounds: {code} {troubles(said)}")

    # --- what this file knows of doubt

    def note_writes(self) -> list[dict[str, Any]]:
        """Look at the writes since the last look: none may take off what people put there; a spoiled answer is doubt."""
        fresh = self.place.writes()[self.known_writes:]
        self.known_writes += len(fresh)
        for write in fresh:
            for name, profile in write["removed"]:
                key = self.keys[write["platform"], name]
                assert profile not in self.hand[key], f"{profile} was taken off {key}, where a person had put it"
                self.doubt[key].discard(profile)
            if write["spoiled"]:
                self._doubt(write)
        return fresh

    def note_death(self, *, sending: bool) -> None:
        """After a death while sending, the last write of each platform may have been confirmed, or not."""
        last = {write["platform"]: write for write in self.note_writes()}
        for write in last.values() if sending else ():
            self._doubt(write)

    def _doubt(self, write: dict[str, Any]) -> None:
        for name, profile in write["added"]:
            self.doubt[self.keys[write["platform"], name]].add(profile)

    # --- what people do

    def live(self) -> None:
        """Some hours in town: people buy, opt out, come back, are put on lists and taken off by hand."""
        self._lapsed_buy()
        for _ in range(self.random.randint(1, 4)):
            self._one_deed()
        self.controls.advance(self.random.choice([2, 5, 25, 49]) * 3600)

    def people_go_on(self) -> None:
        """While nothing of ours runs: now and then somebody acts between a death and the next start."""
        for _ in range(self.random.choice([0, 0, 1, 3])):
            self._one_deed()

    def _lapsed_buy(self) -> None:
        """On each platform somebody buys who has not lately, best somebody lapsed: there is something to add and to take off."""
        for platform in PLATFORMS:
            rows = self.controls.rows(platform, "members").to_pylist()
            lapsed, recent = ({r["profile"] for r in rows if r["name"] == name} for name in ("Lapsed", "Recent"))
            who = {r["id"]: r["email"] for r in self.controls.rows(platform, "profiles").to_pylist() if r["live"] and not r["barred"]}
            buyers = sorted((lapsed & who.keys()) or (who.keys() - recent))
            if buyers:
                self._buy(platform, who[self.random.choice(buyers)])

    def _buy(self, platform: str, email: str) -> None:
        self.controls.act(platform, "happen", email=email, kind="order_placed", value=12_000_000)

    def _emails(self, platform: str) -> dict[str, str]:
        return {r["id"]: r["email"] for r in self.controls.rows(platform, "profiles").to_pylist()}

    def _one_deed(self) -> None:
        platform = self.random.choice(PLATFORMS)
        rows = [r for r in self.controls.rows(platform, "profiles").to_pylist() if r["live"]]
        who = self.random.choice(rows)
        deed = self.random.choices(["buy", "withdraw", "add", "remove"], [8, 1, 2, 2])[0]
        if deed == "buy":
            self._buy(platform, who["email"])
        elif deed == "withdraw":
            self.controls.act(platform, "withdraw", email=who["email"])
        else:
            self._by_hand(platform, who, deed)

    def _by_hand(self, platform: str, who: dict[str, Any], deed: str) -> None:
        there = {(r["name"], r["profile"]) for r in self.controls.rows(platform, "members").to_pylist()}
        name = self.random.choice([n for p, n in self.keys if p == platform])
        if deed == "remove":
            ours = sorted(p for n, p in there if n == name)
            if len(ours) < 2:                       # an empty list where members were is a broken read, until a person says otherwise
                return
            profile = self.random.choice(ours)
            self.controls.act(platform, "remove_by_hand", email=self._emails(platform)[profile], target=name)
            self.hand[self.keys[platform, name]].discard(profile)
            self.doubt[self.keys[platform, name]].discard(profile)
        elif (name, who["id"]) not in there and any(n == name for n, _ in there):
            self.controls.act(platform, "add_by_hand", email=who["email"], target=name)
            self.hand[self.keys[platform, name]].add(who["id"])

    # --- the end

    def end(self) -> None:
        """Whatever happened: an hour later, when every lag is over, a sync makes everything as if nothing had."""
        self.controls.advance(HOUR / 1000)
        self.finish("sync", "--complete")
        again = self.finish("sync")
        assert again["changes"] == 0, again
        assert self.difference() == {}
        self.check_store()
        for name in PLATFORMS:
            calls = self.controls.calls(name).get("connector", {})
            assert calls.get("consent", 0) == 0
            made = sum(count for route, count in calls.get("done", {}).items() if route in CREATES)
            assert made <= sum(1 for platform, _ in self.keys if platform == name), f"{name}: {made} targets were made"

    def difference(self) -> dict[str, Difference]:
        """How the platforms differ from the truth, less what is in doubt."""
        living = {r["id"] for name in PLATFORMS for r in self.controls.rows(name, "profiles").to_pylist() if r["live"]}
        foreign = {key: profiles & living for key, profiles in self.hand.items()}
        found = compare(self.controls, self.config, self.controls.now(), foreign)
        left = {key: Difference(d.lacking, d.excess - self.doubt[key]) for key, d in found.items()}
        return {key: d for key, d in left.items() if d.lacking or d.excess}

    def check_store(self) -> None:
        """The store is sound and holds exactly the people and facts of the platforms."""
        db = sqlite3.connect(f"{self.store.as_uri()}?mode=ro", uri=True)
        try:
            assert db.execute("pragma quick_check").fetchone() == ("ok",)
            assert db.execute("pragma foreign_key_check").fetchone() is None
            profiles = Counter(db.execute(
                "select c.name, p.id, p.state from profiles p join connections c on c.id = p.connection where p.state != 'gone'"))
            (contacts,) = db.execute("select count(*) from contacts where merged_into is null").fetchone()
            assert db.execute("select count(*) from outbox where state = 'sending'").fetchone() == (0,)
        finally:
            db.close()
        with Store.reader(self.store) as store:
            events = Counter(
                (name, at) for name, kind in history.types(store).items() if name in ASKED
                for at in history.table(store, kind, []).column("at").to_pylist()
            )
        people = gather(self.controls, self.config)
        assert profiles == Counter(
            (name, r["id"], "live" if r["live"] else "archived")
            for name in PLATFORMS for r in self.controls.rows(name, "profiles").to_pylist()
        )
        assert contacts == len(people)
        wanted = Counter((event.type, event.at) for who in people.values() for event in who.events.values())
        assert (sorted((wanted - events).items()), sorted((events - wanted).items())) == ([], []), "events lacking, events in excess"


CREATES = ("POST /api/lists", "POST /3.0/lists/{list_id}/segments", "POST /crm/v3/lists", "POST /crm/lists/{version}")
