"""The control endpoint: whoever drives a rehearsal or a test turns the sandbox's knobs here, and reads the truth.

    GET  /urls                               base URL of each platform
    GET  /clock             POST /clock      {"now": ms}  |  {"advance": seconds} or {"set": ms}
    POST /weather                            {"weather": "stormy", "seed": 7}
    POST /{platform}/fail                    {"kind": "500", "count": 1, "match": "GET /lists", "skip": 0}
    POST /{platform}/lag                     {"events": ms, …} sets lags by hand; {} returns to the weather's
    POST /load                               a World (Arrow): replaces everything on every platform
    GET  /{platform}/rows/{table}            Arrow: profiles, events or members as they are now, outside paging, lag, weather
    GET  /{platform}/calls  DELETE …         what was called under which key
    POST /{platform}/act/{deed}              {…}: merge, erase, withdraw, add_by_hand … (each platform's own list)
"""

from __future__ import annotations

import ssl
from dataclasses import fields
from typing import TYPE_CHECKING, Any, ClassVar

import httpx
import orjson

from connectors.clock import Millis, VirtualClock
from connectors.sandbox.server import Application, Request, Response, Route, Tally, json_response, route
from connectors.sandbox.weather import Sky

if TYPE_CHECKING:
    import pyarrow as pa

    from connectors.sandbox.server import Sandbox
    from connectors.sandbox.world import World

ARROW = "application/vnd.apache.arrow.stream"


class Control(Application):
    """The application behind the control port; weather never reaches it."""

    name: ClassVar[str] = "control"

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox.clock, Sky())
        self.sandbox = sandbox

    def role(self, request: Request) -> str:
        return "control"

    def refuse(self, request: Request, role: str, found: Route | None) -> Response | None:
        return None

    def not_found(self, request: Request, allowed: list[str]) -> Response:
        return json_response(404, {"error": "no such control", "allowed": allowed})

    def _platform(self, request: Request) -> Application:
        return self.sandbox.applications[request.params["platform"]]

    @route("GET", "/urls")
    def urls(self, request: Request) -> Response:
        return json_response(200, self.sandbox.urls)

    @route("GET", "/clock")
    def clock_now(self, request: Request) -> Response:
        return json_response(200, {"now": self.clock.now()})

    @route("POST", "/clock")
    def clock_move(self, request: Request) -> Response:
        wish = request.json()
        clock = self.sandbox.virtual()
        if "set" in wish:
            clock.set(int(wish["set"]))
        else:
            clock.advance(float(wish["advance"]))
        return self.clock_now(request)

    @route("POST", "/weather")
    def weather(self, request: Request) -> Response:
        wish = request.json()
        self.sandbox.sky.change(wish["weather"], wish.get("seed"))
        return json_response(200, {"weather": self.sandbox.sky.weather})

    @route("POST", "/{platform}/fail")
    def fail(self, request: Request) -> Response:
        wish = request.json()
        platform = self._platform(request)
        with platform.lock:
            self.sandbox.sky.order(platform.name, wish["kind"], wish.get("count", 1), wish.get("match", ""), wish.get("skip", 0))
        return json_response(200, {})

    @route("DELETE", "/{platform}/fail")
    def heal(self, request: Request) -> Response:
        self.sandbox.sky.orders.pop(self._platform(request).name, None)
        return json_response(200, {})

    @route("POST", "/lag")
    def lag(self, request: Request) -> Response:
        wish: dict[str, Millis] = request.json()
        self.sandbox.sky.lags.clear()
        self.sandbox.sky.lags.update(wish)
        return json_response(200, wish)

    @route("POST", "/load")
    def load_world(self, request: Request) -> Response:
        from connectors.sandbox.world import World

        world = World.from_bytes(request.body)
        for platform in self.sandbox.applications.values():
            with platform.lock:
                platform.load(world)
        return json_response(200, {"people": world.people.num_rows, "events": world.events.num_rows})

    @route("GET", "/{platform}/rows/{table}")
    def table_rows(self, request: Request) -> Response:
        from connectors.sandbox.world import to_ipc

        platform = self._platform(request)
        with platform.lock:
            return Response(200, to_ipc(platform.rows(request.params["table"])), {"Content-Type": ARROW})

    @route("GET", "/{platform}/calls")
    def calls(self, request: Request) -> Response:
        platform = self._platform(request)
        with platform.lock:
            return json_response(200, {role: _shown(tally) for role, tally in platform.tallies.items()})

    @route("DELETE", "/{platform}/calls")
    def forget_calls(self, request: Request) -> Response:
        platform = self._platform(request)
        with platform.lock:
            ours = platform.tallies.get("connector", Tally())
            platform.tallies.clear()                # but not what must never have happened
            platform.tallies["connector"] = Tally(consent=ours.consent, creating=ours.creating)
        return json_response(200, {})

    @route("POST", "/{platform}/act/{deed}")
    def act_on(self, request: Request) -> Response:
        platform = self._platform(request)
        with platform.lock:
            return json_response(200, platform.act(request.params["deed"], **(request.json() or {})))


def _shown(tally: Tally) -> dict[str, object]:
    """Field by field: `asdict` counts the items of a Counter instead of copying it."""
    return {field.name: getattr(tally, field.name) for field in fields(tally)}


class Controls:
    """The control endpoint from another process, or over a socket from the same one."""

    def __init__(self, url: str) -> None:
        plain = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)     # plain HTTP: reading the trusted certificates would take 25 ms
        self._client = httpx.Client(base_url=url, timeout=120, trust_env=False, verify=plain)

    def close(self) -> None:
        self._client.close()

    def _post(self, path: str, wish: object) -> Any:
        return self._answer(self._client.post(path, content=orjson.dumps(wish)))

    def _answer(self, answer: httpx.Response) -> Any:
        if answer.status_code != 200:
            raise RuntimeError(f"the sandbox's control endpoint answered {answer.status_code}: {answer.text}")
        return orjson.loads(answer.content)

    def urls(self) -> dict[str, str]:
        found: dict[str, str] = self._answer(self._client.get("/urls"))
        return found

    def now(self) -> Millis:
        return int(self._answer(self._client.get("/clock"))["now"])

    def set_clock(self, at: Millis) -> None:
        self._post("/clock", {"set": at})

    def advance(self, seconds: float) -> None:
        self._post("/clock", {"advance": seconds})

    def weather(self, name: str, seed: int | None = None) -> None:
        self._post("/weather", {"weather": name, "seed": seed})

    def fail(self, platform: str, kind: str, count: int = 1, match: str = "", skip: int = 0) -> None:
        """The next *count* calls whose "METHOD /path" matches fail as *kind*, after *skip* of them passed."""
        self._post(f"/{platform}/fail", {"kind": kind, "count": count, "match": match, "skip": skip})

    def heal(self, platform: str) -> None:
        self._answer(self._client.delete(f"/{platform}/fail"))

    def lag(self, **lags: Millis) -> None:
        self._post("/lag", lags)

    def load(self, world: World) -> None:
        self._answer(self._client.post("/load", content=world.to_bytes()))

    def rows(self, platform: str, table: str) -> pa.Table:
        import pyarrow as pa

        answer = self._client.get(f"/{platform}/rows/{table}")
        if answer.status_code != 200:
            raise RuntimeError(f"the sandbox's control endpoint answered {answer.status_code}: {answer.text}")
        return pa.ipc.open_stream(answer.content).read_all()

    def calls(self, platform: str) -> dict[str, Any]:
        found: dict[str, Any] = self._answer(self._client.get(f"/{platform}/calls"))
        return found

    def forget_calls(self, platform: str) -> None:
        self._answer(self._client.delete(f"/{platform}/calls"))

    def act(self, platform: str, deed: str, **values: Any) -> Any:
        return self._post(f"/{platform}/act/{deed}", values)


class SharedClock(VirtualClock):
    """A sandbox's virtual clock, driven from another process: time moves there when it moves here."""

    def __init__(self, controls: Controls, *, flowing: bool = False) -> None:
        super().__init__(controls.now(), flowing=flowing)
        self._controls = controls

    def now(self) -> Millis:
        """The time here; it cannot have moved there unless we moved it, or somebody set it between two of our runs."""
        return super().now()

    def _move(self, at: Millis) -> None:
        self._controls.set_clock(at)
        super()._move(at)
