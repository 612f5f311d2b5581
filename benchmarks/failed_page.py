"""Calls that a pull makes when any one of its calls fails once, less those it makes otherwise.

Each call of a pull of people and of what they did fails in turn, as a server error and as a connection that breaks in the
middle of the answer; the worst of all of them counts.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.figures import figure
from benchmarks.pull import source_of, stream_of
from benchmarks.stage import NOW, Stage
from connectors.base import DAY
from connectors.clock import VirtualClock
from connectors.sandbox.world import random_world
from sync.ingest.pull import pull
from sync.store.store import Store

BAR = 1
STREAMS = {
    "mailchimp": ("profiles", "email_activity"), "hubspot": ("profiles", "email_events", "orders"), "klaviyo": ("profiles", "events"),
}
PEOPLE = {"mailchimp": 3600, "hubspot": 500, "klaviyo": 500}
KINDS = ("503", "cut")


def calls(stage: Stage, platform: str) -> int:
    """Calls of one whole pull into a fresh store; SystemExit when it does not end well."""
    stage.controls.forget_calls(platform)
    with tempfile.TemporaryDirectory() as folder, Store.writer(Path(folder) / "store.db") as store:
        source = source_of(stage, store, platform)
        wanted = [stream_of(source, name) for name in STREAMS[platform]]
        for found in pull(store, source, wanted, {source.number: source.naming}, VirtualClock(NOW)):
            if found.error:
                raise SystemExit(f"{platform} {found.stream}: {found.error}")
        source.connector.close()
    return int(stage.controls.calls(platform)["connector"]["calls"])


def extra(stage: Stage, platform: str) -> int:
    """The most calls that one failure costs."""
    usual = calls(stage, platform)
    most = 0
    for number in range(usual):
        stage.controls.fail(platform, KINDS[number % len(KINDS)], skip=number)
        more = calls(stage, platform) - usual
        if more < 1:
            raise SystemExit(f"{platform}: call {number + 1} of {usual} was to fail, and did not")
        most = max(most, more)
        stage.controls.heal(platform)
    return most


def main() -> int:
    """Print the figures; 1 when one is short."""
    held = []
    for platform in STREAMS:
        with Stage((platform,)) as stage:
            stage.unlimited()
            stage.load(random_world(9, PEOPLE[platform], 3000, NOW - DAY))
            held.append(figure(f"failed_page_{platform}_extra_calls", extra(stage, platform), BAR))
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
