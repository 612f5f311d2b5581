"""Rows that a sync reads after one change, as a share of what the first one read, in streams that filter by time.

Everything is applied first; the sync that reads the echo of our own writes, and a day, lie between. Streams that the platform cannot
filter, and complete looks, have a cadence of their own: they are listed apart, on stderr, and have no bar.
"""

from __future__ import annotations

import sys
import tempfile
from typing import Any

from benchmarks.figures import figure
from benchmarks.stage import NOW, Stage
from benchmarks.walk import walking
from connectors.base import DAY
from connectors.registry import kind
from connectors.sandbox.world import random_world

BAR = 0.02
PLATFORMS = ("mailchimp", "hubspot", "klaviyo")
SEGMENTS = """
  reading:
    event: [email_opened, email_clicked]
    within: 90d
    sync: {mailchimp: {tag: Reading}, hubspot: {list: Reading}, klaviyo: {list: Reading}}
"""

Rows = dict[tuple[str, str], int]


def rows_of(report: dict[str, Any]) -> Rows:
    """(connection, stream) → rows read; SystemExit when a stream failed."""
    if wrong := [p for p in report["pulled"] if p["error"] and not p["off"]]:
        raise SystemExit(f"a pull failed: {wrong}")
    return {(p["connection"], p["stream"]): p["rows"] for p in report["pulled"]}


def main() -> int:
    """Print the figures; 1 when one is short."""
    with Stage(PLATFORMS) as stage, tempfile.TemporaryDirectory() as folder, walking(stage, folder) as walk:
        stage.load(random_world(13, 3000, 30_000, NOW - DAY))
        walk.write(SEGMENTS)
        first = rows_of(walk.run("plan"))
        walk.run("apply")
        walk.clock.advance(3600)
        walk.run("sync")
        walk.clock.advance(6 * 3600)
        for platform in PLATFORMS:
            table = stage.controls.rows(platform, "profiles").to_pylist()
            somebody = next(row for row in table if row["live"] and not row["barred"])
            stage.controls.act(platform, "withdraw", email=somebody["email"])
        walk.clock.advance(600)
        then = rows_of(walk.run("sync"))
    held = []
    for platform in PLATFORMS:
        timed = {stream.name for stream in kind(platform).capabilities.streams if stream.incremental and not stream.sweep}
        read = sum(rows for (name, stream), rows in then.items() if name == platform and stream in timed)
        once = sum(rows for (name, stream), rows in first.items() if name == platform and stream in timed)
        if not read:
            raise SystemExit(f"{platform}: the change was not read")
        held.append(figure(f"incremental_{platform}", read / once, BAR))
        apart = {stream: rows for (name, stream), rows in first.items() if name == platform and stream not in timed}
        again = {stream: rows for (name, stream), rows in then.items() if name == platform and stream not in timed}
        print(f"  not filtered by time on {platform}: first {apart or 'none'}, then {again or 'none'}", file=sys.stderr)
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
