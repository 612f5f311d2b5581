"""100,000 people and 2,000,000 events into the emulated platforms, through their control endpoint: seconds and memory of
their own process. The world is made here."""

from __future__ import annotations

import sys
import time

from benchmarks.figures import figure
from benchmarks.stage import NOW, Stage
from connectors.base import DAY
from connectors.sandbox.world import random_world

SECONDS, MEGABYTES = 30, 1000
PLATFORMS = ("mailchimp", "hubspot", "klaviyo")


def main() -> int:
    """Print the figures; 1 when one is short."""
    world = random_world(17, 100_000, 2_000_000, NOW - DAY)
    with Stage(PLATFORMS) as stage:
        began = time.perf_counter()
        stage.load(world)
        seconds = time.perf_counter() - began
        cpu, peak = stage.cost()
    print(f"  {cpu:.1f} s of CPU", file=sys.stderr)
    held = [figure("sandbox_load", seconds, SECONDS, " s"), figure("sandbox_load_peak", peak / 1e6, MEGABYTES, " MB")]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
