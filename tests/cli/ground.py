"""A small world, a config over it, and commands as typed: what the tests of the commands stand on."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors.base import DAY, VirtualClock
from connectors.sandbox.server import Sandbox
from connectors.sandbox.world import random_world
from sync.cli.main import main
from tests.e2e.stage import write_config

NOW = 20_415 * DAY + 11 * 3_600_000                 # 2025-11-23T11:00Z
PEOPLE, EVENTS, SEED = 120, 1_500, 7
PLATFORMS = ("mailchimp", "hubspot", "klaviyo")

SEGMENTS = """
  buyers:
    description: Ever bought something
    event: order_placed
    sync: {mailchimp: {tag: Buyers}, klaviyo: {list: Buyers}}
  readers:
    all:
      - {event: [email_opened, email_clicked], within: 365d}
      - consent: {channel: email, is: granted}
    sync: {hubspot: {list: Readers}}
"""


@dataclass(frozen=True)
class Said:
    """What a command ended with: exit code, stdout, stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Ground:
    """One config over one emulated world, on one clock."""

    folder: Path
    sandbox: Sandbox
    clock: VirtualClock
    config: Path

    def __call__(self, *argv: str) -> Said:
        """`segmentd ARGV --config …` in this process."""
        return said(*argv, "--config", str(self.config), clock=self.clock)

    def data(self, *argv: str) -> Any:
        """The JSON of a command that must work."""
        found = self(*argv, "--json")
        assert found.out, found.err
        return found.json

    def change(self, old: str, new: str) -> None:
        """Edit the config."""
        text = self.config.read_text()
        assert old in text
        self.config.write_text(text.replace(old, new))

    def writes(self) -> int:
        """Calls under the connector's key that could have changed something on a platform."""
        made = [name for platform in PLATFORMS for name in self._routes(platform) if name.split(" ")[0] != "GET"]
        return sum(not name.endswith(("/search", "/batch/read", "/memberships/join-order")) for name in made)

    def _routes(self, platform: str) -> Mapping[str, int]:
        tally = self.sandbox.applications[platform].tallies.get("connector")
        return tally.by_route if tally else {}


def said(*argv: str, clock: VirtualClock | None = None) -> Said:
    """One command in this process, as typed."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(list(argv), clock)
    return Said(int(code), out.getvalue(), err.getvalue())


def build(folder: Path, sandbox: Sandbox, clock: VirtualClock, segments: str = SEGMENTS) -> Ground:
    """The world loaded, a config written."""
    world = random_world(SEED, PEOPLE, EVENTS, NOW)
    for application in sandbox.applications.values():
        application.load(world)
    return Ground(folder, sandbox, clock, write_config(folder, sandbox.urls, segments))
