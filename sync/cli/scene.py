"""`demo --scene`: a click, a tag, and the tag coming off by itself, told with the seconds of the machine's own clock."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import click

from connectors.base import DAY, SECOND, Clock, Millis
from sync.cli.common import iso
from sync.cli.demo import Stage
from sync.model import ExitCode, SegmentdError

PEOPLE = 300
WINDOW: Millis = 20 * SECOND                        # of data/scene.yaml
PATIENCE = 60.0                                     # real seconds for one thing to happen
LOOK = 0.1                                          # real seconds between two looks at the tag
NOTHING = "0 added, 0 removed"                      # so begins what the daemon says of a run that changed nothing
SEGMENT, TAG = "just_clicked", "Just clicked"


@dataclass
class Scene:
    """Plays once in *folder*, against the platforms of *stage*, which keep the machine's time. *quiet*: says nothing."""

    folder: Path
    stage: Stage
    clock: Clock
    quiet: bool
    began: float = field(default_factory=time.monotonic)
    heard: list[str] = field(default_factory=list)  # of the daemon, since the click
    ended: bool = False                             # the daemon has

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    def play(self) -> dict[str, Any]:
        """Fill the platforms, apply, let the daemon run, click, look, explain, and look again: what was seen, and how late in
        milliseconds the tag came off after the click was 20 s old."""
        self.load()
        self.command("plan")
        self.command("apply")
        audience, profile, person, address = self.somebody()
        with self.daemon():
            clicked = self.click(person, address)
            tagged = self.until("the tag appeared", lambda: self.has_tag(audience, profile))
            self.until("the daemon told of it", lambda: self.told("1 added, 0 removed"))
            self.say(f"Mailchimp shows the tag '{TAG}' on {address}")
            told = self.explain(address)
            gone = self.until("the tag went", lambda: not self.has_tag(audience, profile))
            self.until("the daemon told of it", lambda: self.told("0 added, 1 removed"))
            self.say(f"The tag is off: {(gone - clicked) / SECOND:.1f} s after the click, and nothing had happened but time")
        return {"tagged_after": tagged - clicked, "off_after": gone - clicked, "late": gone - clicked - WINDOW, "explained": told}

    def say(self, text: str) -> None:
        if not self.quiet:
            click.echo(f"{time.monotonic() - self.began:6.1f} s  {text}")

    def load(self) -> None:
        from connectors.sandbox.cdnow import cdnow_world

        self.stage.controls.load(cdnow_world(self.clock.now() // DAY * DAY - DAY, people=PEOPLE))
        text = resources.files("sync.cli").joinpath("data/scene.yaml").read_text()
        for name in ("mailchimp", "klaviyo"):
            text = text.replace(f"@{name.upper()}@", self.stage.urls[name])
            (self.folder / f"{name}.key").write_text(self.stage.keys[name]["connector"])
            (self.folder / f"{name}.key").chmod(0o600)
        self.config.write_text(text.replace("@DIR@", str(self.folder)))
        if not self.quiet:
            click.echo("segments:" + text.partition("segments:")[2])

    def command(self, *argv: str) -> str:
        """What one command prints, run in this process."""
        from sync.cli.main import main

        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            code = main([*argv, "--config", str(self.config)], self.clock)
        if code == ExitCode.STOPPED:
            raise KeyboardInterrupt                 # Ctrl-C was meant for all of the scene
        if code != ExitCode.OK:
            raise SegmentdError(f"`segmentd {argv[0]}` ended with {int(code)}: {out.getvalue()}")
        return out.getvalue()

    def somebody(self) -> tuple[str, str, str, str]:
        """Who clicks: known to both platforms and barred on neither. Mailchimp audience and contact, Klaviyo profile, address."""
        there = {row["person"]: row for row in self.stage.controls.rows("mailchimp", "profiles").to_pylist() if _free(row)}
        for row in self.stage.controls.rows("klaviyo", "profiles").to_pylist():
            if _free(row) and row["person"] in there:
                audience, _, contact = there[row["person"]]["id"].partition(":")
                return audience or there[row["person"]]["audience"], contact, row["id"], row["email"]
        raise SegmentdError("nobody in this scene is known to both platforms")

    @contextlib.contextmanager
    def daemon(self) -> Iterator[None]:
        """`segmentd run` in a process of its own, from its first whole run on; what it says is said here, too."""
        command = [sys.executable, "-m", "sync.cli.main", "run", "--config", str(self.config)]
        self.say("$ segmentd run")
        ready = threading.Event()
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603 - our words
            telling = threading.Thread(target=self._tell, args=(process, ready), daemon=True)
            telling.start()
            try:
                if not ready.wait(PATIENCE) or process.poll() is not None:
                    raise SegmentdError("`segmentd run` did not start")
                yield
            finally:
                process.terminate()
                process.wait(PATIENCE)
                telling.join()

    def _tell(self, process: subprocess.Popen[str], ready: threading.Event) -> None:
        """Say each line that the daemon says; of runs that changed nothing only the first, which is when it is *ready*: to work, or,
        when it says no more, to be asked what came of it."""
        for line in process.stderr or ():
            said = line.strip().removeprefix("segmentd: ")
            if not (said.startswith(NOTHING) and ready.is_set()):
                self.say(f"  {said}")
            self.heard.append(said)
            if said.startswith(NOTHING):
                ready.set()
        process.wait()
        self.ended = True
        ready.set()

    def told(self, outcome: str) -> bool:
        """Whether the daemon has said that a run came to *outcome*: the platform may show it a moment before."""
        return any(said.startswith(outcome) for said in self.heard)

    def click(self, person: str, address: str) -> Millis:
        """When, in whole seconds, as Klaviyo keeps the times of events. What the daemon says from here on comes of it."""
        self.heard.clear()
        self.say(f"{address} clicks in an e-mail; Klaviyo hears of it")
        at = self.clock.now() // SECOND * SECOND
        self.stage.call("POST", "klaviyo", "/api/events", {"data": {"type": "event", "attributes": {
            "properties": {"URL": "https://shop.example/winter"}, "unique_id": "scene-1", "time": iso(at),
            "metric": {"data": {"type": "metric", "attributes": {"name": "Clicked Email"}}},
            "profile": {"data": {"type": "profile", "id": person, "attributes": {}}},
        }}})
        return at

    def has_tag(self, audience: str, contact: str) -> bool:
        """Over Mailchimp's own API."""
        tags = self.stage.call("GET", "mailchimp", f"/3.0/lists/{audience}/members/{contact}/tags?count=1000")
        return TAG in [tag["name"] for tag in tags["tags"]]

    def until(self, what: str, holds: Callable[[], bool]) -> Millis:
        """When *holds* first does; *what* has happened then."""
        end = time.monotonic() + PATIENCE
        while not holds():
            if self.ended:
                raise SegmentdError(f"`segmentd run` ended before {what}")
            if time.monotonic() > end:
                raise SegmentdError(f"the scene waited {PATIENCE:.0f} s and has not seen that {what}")
            self.clock.sleep(LOOK)
        return self.clock.now()

    def explain(self, address: str) -> str:
        self.say(f"$ segmentd explain {address} {SEGMENT}")
        told = self.command("explain", address, SEGMENT)
        if not self.quiet:
            click.echo("".join(f"            {line}\n" for line in told.strip().splitlines()), nl=False)
        return told


def _free(row: dict[str, Any]) -> bool:
    return bool(row["live"]) and not row["barred"]
