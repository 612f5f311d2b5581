"""The whole street over a stage, command by command, on a clock that both sides share."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.stage import Stage
from connectors.clock import VirtualClock
from connectors.sandbox.control import SharedClock
from connectors.sandbox.keys import KEYS
from sync.cli.main import main

HEAD = """version: 1
settings: {timezone: UTC, currency: USD, history: 3y, store: store.db}
connections:
"""
REST = """events:
  order_placed: {same: order_id}
guards:                                 # a benchmark's first fill and its upheavals are meant
  adds: {share: 100%, at_most: 1000000}
  removes: {share: 100%, at_most: 1000000}
segments:
"""


@dataclass
class Walk:
    """A folder with a config over *stage*, and commands run in this process."""

    stage: Stage
    folder: Path
    clock: VirtualClock

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    def write(self, segments: str) -> None:
        """The config with these *segments*."""
        lines = []
        for name in self.stage.names:
            key = self.folder / f"{name}.key"
            key.write_text(KEYS[name]["connector"])
            more = ", audiences: {shop: Sandbox shop}, default_audience: shop" if name == "mailchimp" else ""
            lines.append(f'  {name}: {{key: {{file: "{key}"}}, base_url: "{self.stage.urls[name]}"{more}}}\n')
        self.config.write_text(HEAD + "".join(lines) + REST + segments)

    def run(self, *argv: str) -> Any:
        """What the command printed as JSON; SystemExit when it did not work."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            code = main([*argv, "--config", str(self.config), "--json"], self.clock)
        if code not in (0, 3):
            raise SystemExit(f"segmentd {' '.join(argv)} ended with {code}: {out.getvalue()[:2000]}")
        return json.loads(out.getvalue())

    def apply(self) -> Any:
        """Plan and apply, everything let through."""
        plan = self.run("plan")
        allowed = [f"--allow={t['target']}:{r['guard']}" for t in plan["targets"] for r in t["refusals"]]
        return self.run("apply", plan["plan"], *allowed, *(["--reason", "a benchmark"] if allowed else []))


@contextlib.contextmanager
def walking(stage: Stage, folder: str) -> Iterator[Walk]:
    """A walk on the stage's own clock."""
    clock = SharedClock(stage.controls)
    yield Walk(stage, Path(folder), clock)
