"""The emulated platforms in a process of their own, with a witness: every write under the connector's key that changed who is
on a tag or list is written down, and whether its answer got away whole.

`python -m tests.crash.place START` prints the addresses as one line of JSON. Each line on stdin asks: "writes" (the log so far,
once no call is being answered), "forget" (empty it), "vanish" (the platforms' ports refuse connections, open ones are reset),
"vanish 30" (after so many calls more), "return"; the end of stdin ends the process.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any

from connectors.sandbox.server import Application, Request, Response, Sandbox, _Listener
from connectors.sandbox.weather import Fault


class Doors:
    """The platforms' ports, which can be shut while the clock goes on."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox, self.left = sandbox, -1       # calls until they shut; -1: they stay open
        self.lock = threading.Lock()

    def shut(self) -> bool:
        """Counts one call; whether it finds the doors shut."""
        with self.lock:
            self.left -= self.left > 0
            if self.left == 0:
                for name in self.sandbox.applications:
                    self.sandbox._listeners[name].socket.close()        # new connections are refused from here on
            return self.left == 0

    def open(self) -> None:
        """On the same ports as before."""
        self.left = -1
        for name, application in self.sandbox.applications.items():
            old = self.sandbox._listeners[name]
            old.shutdown()
            fresh = _Listener(application, old.server_port)
            self.sandbox._listeners[name] = fresh
            threading.Thread(target=fresh.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()


def watch(application: Application, log: list[dict[str, Any]], doors: Doors) -> None:
    """From here on *log* tells of every write of memberships under the connector's key."""
    plain = application.answer

    def members() -> set[tuple[str, str]]:
        rows = application.rows("members")
        return set(zip(rows["name"].to_pylist(), rows["profile"].to_pylist(), strict=True))

    def answer(request: Request) -> tuple[Response, Fault | None]:
        if doors.shut():
            return Response(0), Fault("drop_before")
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
        doors = Doors(sandbox)
        for application in sandbox.applications.values():
            watch(application, log, doors)
        print(json.dumps(sandbox.urls), flush=True)
        for line in sys.stdin:
            told, _, count = line.strip().partition(" ")
            if told == "vanish":
                doors.left = int(count or 1)
            elif told == "return":
                doors.open()
            settled(sandbox)
            print(json.dumps(log), flush=True)
            if told == "forget":
                log.clear()


if __name__ == "__main__":
    main()
