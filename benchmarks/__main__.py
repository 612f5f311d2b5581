"""Every figure, each module in a process of its own so that none inherits another's memory: 1 when one is short."""

from __future__ import annotations

import os
import subprocess
import sys

QUICK = ("help", "full_pass", "load_events", "pull", "incremental", "failed_page", "push", "sandbox_load")
LONG = ("demo", "memory")                                 # minutes; BENCH_FAST=1 leaves them out


def main() -> int:
    """Run them in turn; their lines are the output."""
    modules = QUICK if os.environ.get("BENCH_FAST") == "1" else QUICK + LONG
    codes = [subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode for name in modules]
    return 1 if any(codes) else 0


if __name__ == "__main__":
    sys.exit(main())
