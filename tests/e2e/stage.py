"""Configs and commands for tests that walk the whole street."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from connectors.sandbox.keys import KEYS

HEAD = """version: 1
settings: {{timezone: UTC, currency: USD, history: 3y, store: store.db}}
connections:
{connections}
events:
  order_placed: {{same: order_id}}
guards:
  adds: {{share: 100%, at_most: 100000}}
  removes: {{share: 100%, at_most: 100000}}
segments:
"""


def write_config(folder: Path, urls: Mapping[str, str], segments: str) -> Path:
    """A config over the emulated platforms at *urls*, with their keys in files beside it."""
    lines = []
    for name in ("mailchimp", "hubspot", "klaviyo"):
        (folder / f"{name}.key").write_text(KEYS[name]["connector"])
        more = ", audiences: {shop: Sandbox shop}, default_audience: shop" if name == "mailchimp" else ""
        lines.append(f'  {name}: {{key: {{file: "{folder}/{name}.key"}}, base_url: "{urls[name]}"{more}}}')
    path = folder / "config.yaml"
    path.write_text(HEAD.format(connections="\n".join(lines)) + segments.lstrip("\n"))
    return path


def segmentd(config: Path, *argv: str, **environment: str) -> tuple[int, Any]:
    """One command in a process of its own, on the machine's clock: exit code and JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "sync.cli.main", *argv, "--config", str(config), "--json"],
        capture_output=True, text=True, timeout=120, check=False, env={**os.environ, **environment},
    )
    assert done.returncode not in (70, -11), done.stderr
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr
