"""A `segmentd` in a process of its own on the emulated platforms' clock: `python -m tests.crash.child CONTROL_URL COMMAND …`."""

from __future__ import annotations

import sys


def run() -> int:
    from connectors.sandbox.control import Controls, SharedClock
    from sync.cli.main import main

    return main(sys.argv[2:], SharedClock(Controls(sys.argv[1])))


if __name__ == "__main__":
    sys.exit(run())
