"""The whole main job as a person runs it, in real seconds: calm and stormy."""

from __future__ import annotations

import json
import subprocess
import sys

from benchmarks.figures import figure

BARS = {"calm": 60.0, "stormy": 120.0}


def seconds(weather: str) -> float:
    """Real seconds of one demo; SystemExit when it did not end well."""
    done = subprocess.run(
        [sys.executable, "-m", "sync.cli.main", "demo", "--weather", weather, "--json"], capture_output=True, text=True, check=False,
    )
    if done.returncode:
        raise SystemExit(f"the {weather} demo ended with {done.returncode}: {done.stderr[-500:]}")
    return float(json.loads(done.stdout)["seconds"])


def main() -> int:
    """Print the figures; 1 when one is short."""
    held = [figure(f"demo_{weather}", seconds(weather), bar, "s") for weather, bar in BARS.items()]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
