"""`segmentd --help`: wall seconds of the whole process, warm."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.figures import figure

BAR = 0.3
ROUNDS = 5


def once() -> float:
    began = time.perf_counter()
    subprocess.run([Path(sys.executable).with_name("segmentd"), "--help"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> int:
    """Print the figure; 1 when it is short."""
    once()
    return 0 if figure("help", statistics.median(once() for _ in range(ROUNDS)), BAR, " s") else 1


if __name__ == "__main__":
    sys.exit(main())
