"""Peak resident memory of a client that first syncs 100,000 people and 2,000,000 events: pull, evaluate, plan, apply.

The client is a process of its own, and so are the platforms; their limits are lifted and the clock is virtual, so that it takes
minutes and not hours.

    python -m benchmarks.memory [PEOPLE EVENTS]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import figure
from benchmarks.stage import NOW, Stage, peak
from benchmarks.walk import Walk
from connectors.base import DAY
from connectors.sandbox.control import Controls, SharedClock
from connectors.sandbox.world import random_world
from sync.cli.main import main as segmentd

BAR = 600
PLATFORMS = ("mailchimp", "hubspot", "klaviyo")
SEGMENTS = """
  lapsed:
    all:
      - {event: order_placed}
      - not: {event: order_placed, within: 180d}
    sync: {mailchimp: {tag: Lapsed}, hubspot: {list: Lapsed}}
  vip:
    all:
      - {event: order_placed, sum: {of: value, at_least: 100}, within: 365d}
      - {event: [email_opened, email_clicked], within: 180d, human: true}
    sync: {mailchimp: {tag: VIP}, hubspot: {list: VIP}, klaviyo: {list: VIP}}
  germans:
    contact: {country: {in: [DE, AT, CH]}}
    sync: {klaviyo: {list: Germans}}
"""


def client(config: str, control: str) -> int:
    """What is measured: `plan` and `apply` on the platforms' own clock; prints seconds of CPU and the peak in bytes."""
    clock = SharedClock(Controls(control))
    for command in (["plan"], ["apply"]):
        sys.stdout.flush()
        code = segmentd([*command, "--config", config], clock)
        print(f"{command[0]}: exit {code}, {time.process_time():.0f} s CPU, peak {peak() / 1e6:.0f} MB so far", flush=True)
        if code:
            return 1
    return 0


def main() -> int:
    """Print the figure; 1 when it is short."""
    if sys.argv[1:2] == ["--client"]:
        return client(*sys.argv[2:4])
    people, events = (int(number) for number in sys.argv[1:3]) if len(sys.argv) > 2 else (100_000, 2_000_000)
    with Stage(PLATFORMS) as stage, tempfile.TemporaryDirectory() as folder:
        stage.unlimited()
        stage.load(random_world(19, people, events, NOW - DAY))
        walk = Walk(stage, Path(folder), SharedClock(stage.controls))
        walk.write(SEGMENTS)
        own = [sys.executable, "-m", "benchmarks.memory", "--client", str(walk.config), stage.urls["control"]]
        done = subprocess.run(own, stdout=subprocess.PIPE, text=True, check=False)
        print(done.stdout, file=sys.stderr)
        if done.returncode:
            raise SystemExit("the client did not get through")
    told = [float(line.rpartition(" MB")[0].rpartition(" ")[2]) for line in done.stdout.splitlines() if " MB so far" in line]
    return 0 if figure("first_sync_peak", max(told), BAR, " MB") else 1


if __name__ == "__main__":
    sys.exit(main())
