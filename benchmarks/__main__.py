"""Every figure, each module in a process of its own so that none inherits another's memory: 1 when one is short.

    python -m benchmarks            BENCH_FAST=1 leaves out those that take minutes
    python -m benchmarks --large    a million contacts and 50 million events instead: an hour
"""

from __future__ import annotations

import os
import subprocess
import sys

QUICK = (
    ["help"], ["full_pass"], ["tick"], ["load_events"], ["ingest"], ["pull"], ["incremental"], ["failed_page"], ["push"], ["sandbox_load"],
)
LONG = (["sealed_pass"], ["demo"], ["memory"])
LARGE = (
    ["sealed_pass", "--contacts", "1000000", "--events", "50000000"], ["tick", "--contacts", "1000000", "--events", "50000000"],
)


def main() -> int:
    """Run them in turn; their lines are the output."""
    wanted = LARGE if "--large" in sys.argv else QUICK if os.environ.get("BENCH_FAST") == "1" else QUICK + LONG
    codes = [subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *more], check=False).returncode for name, *more in wanted]
    return 1 if any(codes) else 0


if __name__ == "__main__":
    sys.exit(main())
