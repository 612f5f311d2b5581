"""The emulated platforms in a process of their own, so that only the client's CPU and memory are measured.

    with Stage(("mailchimp",)) as stage:
        stage.controls.load(world)
        connector = stage.open("mailchimp", clock)

With *prebuilt* the process keeps every answer it gave and gives the same one to the same call again without working it out:
pages that stand ready. `stage.calls()` tells which calls were made, so that others can make them, too.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from connectors.base import DAY, Clock, Connection, Connector, Millis, Secret
from connectors.clock import VirtualClock
from connectors.registry import kind
from connectors.sandbox.control import Controls
from connectors.sandbox.keys import KEYS
from connectors.sandbox.server import Application, Request, Response, Sandbox
from connectors.sandbox.weather import Fault
from connectors.sandbox.world import World

NOW: Millis = 1_795_000_000_000
HISTORY: Millis = 400 * DAY


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it arrived. *url*: path and query."""

    method: str
    url: str
    body: str
    headers: dict[str, str]


class Stage:
    """The platforms *names* on a virtual clock, limits as documented until `unlimited`."""

    def __init__(self, names: Sequence[str], *, prebuilt: bool = False) -> None:
        self.names = names
        self._child = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.stage", *names, *(["--prebuilt"] if prebuilt else [])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        self.urls: dict[str, str] = self._ask("urls")
        self.controls = Controls(self.urls["control"])

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        self.controls.close()
        self._child.communicate()

    def _ask(self, what: str) -> Any:
        if self._child.stdin is None or self._child.stdout is None:
            raise RuntimeError("the child has pipes")
        self._child.stdin.write(what + "\n")
        self._child.stdin.flush()
        return json.loads(self._child.stdout.readline())

    def calls(self) -> list[Call]:
        """What was called since the last time this was asked, repeats once."""
        return [Call(**one) for one in self._ask("calls")]

    def cost(self) -> tuple[float, int]:
        """CPU seconds of the child so far, and its peak resident bytes."""
        seconds, peak = self._ask("cost")
        return seconds, peak

    def load(self, world: World) -> None:
        self.controls.load(world)

    def unlimited(self) -> None:
        """Lift the platforms' limits: what is measured is work, not waiting."""
        for name in self.names:
            self.controls.act(name, "limits", off=True)

    def open(self, name: str, clock: Clock, since: Millis = NOW - HISTORY) -> Connector:
        audiences = {"shop": "Sandbox shop"} if name == "mailchimp" else {}
        return kind(name).open(Connection(
            name, name, Secret(KEYS[name]["connector"]), since, base_url=self.urls[name], share=1.0, audiences=audiences,
            default_audience="shop" if audiences else "",
        ), clock)


# --- the child ----------------------------------------------------------------------------------------------------------------


class Prompter:
    """Gives the answer it heard before to a call that was made before."""

    def __init__(self, application: Application) -> None:
        self._work_out = application.answer
        self._heard: dict[tuple[str, str, bytes], Response] = {}
        self.calls: dict[tuple[str, str, bytes], Call] = {}

    def answer(self, request: Request) -> tuple[Response, Fault | None]:
        url = request.path + (f"?{request.raw_query}" if request.raw_query else "")
        key = (request.method, url, request.body)
        self.calls[key] = Call(request.method, url, request.body.decode(), dict(request.headers))
        if key not in self._heard:
            response, fault = self._work_out(request)
            if fault or response.status >= 300:
                return response, fault
            self._heard[key] = response
        return self._heard[key], None


def peak() -> int:
    """Peak resident bytes of this process since it began; getrusage would count the parent's at the fork, too."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def serve(names: Sequence[str], prebuilt: bool) -> None:
    """Answer the parent's questions, a line each, until it hangs up."""
    with Sandbox(VirtualClock(NOW), platforms=names) as sandbox:
        prompters = [Prompter(application) for application in sandbox.applications.values()] if prebuilt else []
        for application, prompter in zip(sandbox.applications.values(), prompters, strict=False):
            application.answer = prompter.answer  # type: ignore[method-assign]
        for line in sys.stdin:
            found: Any = sandbox.urls
            if line.strip() == "calls":
                found = [asdict(call) for prompter in prompters for call in prompter.calls.values()]
                for prompter in prompters:
                    prompter.calls.clear()
            elif line.strip() == "cost":
                found = [time.process_time(), peak()]
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    serve([name for name in sys.argv[1:] if not name.startswith("--")], "--prebuilt" in sys.argv)
