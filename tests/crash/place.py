"""The emulated platforms in a process of their own, with a witness: every write under the connector's key that changed who is
on a tag or list is written down, and whether its answer got away whole.

`python -m tests.crash.place START` prints the addresses as one line of JSON. Each line on stdin asks: "writes" (the log so far,
once no call is being answered), "forget" (empty it); the end of stdin ends the process.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from connectors.sandbox.server import Application, Request, Response, Sandbox
from connectors.sandbox.weather import Fault


def watch(application: Application, log: list[dict[str, Any]]) -> None:
    """From here on *log* tells of every write of memberships under the connector's key."""
    plain = application.answer

    def members() -> set[tuple[str, str]]:
        rows = application.rows("members")
        return set(zip(rows["name"].to_pylist(), rows["profile"].to_pylist(), strict=True))

    def answer(request: Request) -> tuple[Response, Fault | None]:
        if request.method == "GET" or application.role(request) != "connector":
            return plain(request)
        with application.lock:
            before = members()
            response, fault = plain(request)
            after = members()
        if before != after:
            log.append({
                "platform": application.name, "added": sorted(after - before), "removed": sorted(before - after),
                "spoiled": fault is not None and not fault.status and not fault.before,
            })
        return response, fault

    application.answer = answer                     # type: ignore[method-assign]


def settled(sandbox: Sandbox) -> None:
    """Wait until no call is being answered: one whose caller died may still be at work."""
    for _ in range(2000):
        if not any(application.busy for application in sandbox.applications.values()):
            return
        time.sleep(0.001)


def main() -> None:
    from connectors.clock import VirtualClock

    log: list[dict[str, Any]] = []
    with Sandbox(VirtualClock(int(sys.argv[1]))) as sandbox:
        for application in sandbox.applications.values():
            watch(application, log)
        print(json.dumps(sandbox.urls), flush=True)
        for line in sys.stdin:
            settled(sandbox)
            print(json.dumps(log), flush=True)
            if line.strip() == "forget":
                log.clear()


if __name__ == "__main__":
    main()
