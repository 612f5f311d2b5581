"""The same loop as strangers run it: separate processes, real sockets, the machine's own clock."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.base import DAY, SystemClock
from connectors.sandbox.cdnow import cdnow_world
from connectors.sandbox.control import Controls
from connectors.sandbox.keys import KEYS
from sync.cli.truth import compare
from sync.config.load import load
from tests.e2e.stage import segmentd, write_config

SEGMENTS = """
  lapsed:
    all:
      - event: order_placed
      - not: {event: order_placed, within: 180d}
    sync: {mailchimp: {tag: Lapsed}, hubspot: {list: Lapsed}}
  recent:
    event: order_placed
    within: 30d
    sync: {klaviyo: {list: Recent buyers}}
"""


@pytest.fixture
def urls() -> Iterator[dict[str, str]]:
    """The emulated platforms in a process of their own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sync.cli.main", "sandbox", "--people", "0", "--json"], stdout=subprocess.PIPE, text=True,
    )
    assert process.stdout
    said = ""
    for line in process.stdout:
        said += line
        if line.rstrip() == "}":
            break
    yield json.loads(said)["urls"]
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    process.stdout.close()


def buy(url: str, profile: str) -> None:
    """Somebody buys; Klaviyo hears of it."""
    headers = {"Authorization": f"Klaviyo-API-Key {KEYS['klaviyo']['tester']}", "revision": "2026-07-15",
               "Content-Type": "application/vnd.api+json"}
    attributes = {
        "properties": {"OrderId": "late-1"}, "value": 12.5, "value_currency": "USD", "unique_id": "late-1",
        "metric": {"data": {"type": "metric", "attributes": {"name": "Placed Order"}}},
        "profile": {"data": {"type": "profile", "id": profile, "attributes": {}}},
    }
    answer = httpx.post(f"{url}/api/events", headers=headers, json={"data": {"type": "event", "attributes": attributes}}, trust_env=False)
    assert answer.status_code == 202


def test_processes_on_the_real_clock_do_what_the_demo_does(tmp_path: Path, urls: dict[str, str]) -> None:
    controls = Controls(urls["control"])
    controls.load(cdnow_world(SystemClock().now() // DAY * DAY - DAY, people=150))
    config = write_config(tmp_path, urls, SEGMENTS)
    code, plan = segmentd(config, "plan")
    assert code == 0, plan
    assert sum(t["add"] for t in plan["targets"]) > 50
    code, applied = segmentd(config, "apply")
    assert code == 0, applied
    tagged = {row["person"] for row in controls.rows("mailchimp", "members").to_pylist()}
    buyer = next(r for r in controls.rows("klaviyo", "profiles").to_pylist() if r["person"] in tagged and not r["barred"])
    buy(urls["klaviyo"], buyer["id"])
    code, synced = _until_changed(config)
    assert code == 0, synced
    assert synced["changes"] >= 2
    code, again = segmentd(config, "sync")
    assert (code, again["changes"]) == (0, 0), again
    loaded, problems = load(config)
    assert loaded is not None, problems
    assert compare(controls, loaded, SystemClock().now()) == {}
    assert all(controls.calls(name).get("connector", {}).get("consent", 0) == 0 for name in ("mailchimp", "hubspot", "klaviyo"))
    controls.close()


def _until_changed(config: Path) -> tuple[int, Any]:
    """A purchase is read once it is older than the platform's safety margin of some seconds."""
    for _ in range(30):
        code, synced = segmentd(config, "sync")
        if synced["changes"]:
            return code, synced
    return code, synced
