"""Real HTTP on loopback for the emulated platforms.

An `Application` is one platform on a port of its own: it authenticates, limits, routes and answers as the vendor does. This
file knows HTTP, routing and how calls go wrong; what a platform says is its application's business. One lock per application
makes each call atomic, so that a drop "after the effect" is after the whole effect.
"""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qsl, unquote, urlsplit

import orjson

from connectors.clock import Clock, VirtualClock
from connectors.sandbox.weather import Fault, Sky

MAX_BODY = 512 * 1024 * 1024        # a load of two million rows is some 100 MB
DRIP_SECONDS = 0.05


@dataclass(slots=True)
class Request:
    """One call. *query* keeps repeats and order; *headers* have lower-case names; *params* come from the route."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes
    base: str                                       # "http://127.0.0.1:8771": what links in answers start with
    params: dict[str, str] = field(default_factory=dict)
    raw_query: str = ""

    def one(self, name: str, default: str = "") -> str:
        """The last value of a query parameter."""
        return next((value for key, value in reversed(self.query) if key == name), default)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.query if key == name]

    def json(self) -> Any:
        """The body decoded; None when empty. Raises ValueError when it is no JSON."""
        return orjson.loads(self.body) if self.body else None

    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))


@dataclass(slots=True)
class Response:
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def json_response(status: int, value: object, content_type: str = "application/json", **headers: str) -> Response:
    """An answer with a JSON body; header names are given with underscores."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Response(status, orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS), {"Content-Type": content_type, **named})


def html_response(status: int, text: str = "<html><body>Please stand by</body></html>") -> Response:
    return Response(status, text.encode(), {"Content-Type": "text/html; charset=utf-8"})


class Refusal(Exception):
    """Raised by a handler to answer with *response* and leave nothing behind (raise it before changing anything)."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


Handler = Callable[[Any, Request], Response]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation. *consent*: it may change somebody's permission, so calls of it are counted apart. *data*: whatever else the
    platform's limits or scopes need to know; with `creates` it may make a person, which is counted, too."""

    method: str
    template: str
    pattern: re.Pattern[str]
    handler: Handler
    consent: bool
    data: Mapping[str, Any]

    @property
    def name(self) -> str:
        return f"{self.method} {self.template}"


def route(method: str, template: str, *, consent: bool = False, **data: Any) -> Callable[[Handler], Handler]:
    """Marks a method of an Application as the handler of *template*: `{x}` takes one segment (percent-decoded after matching),
    `{x:path}` any rest. May be given several times for one handler."""

    def mark(handler: Handler) -> Handler:
        marks = handler.__dict__.setdefault("routes", [])
        marks.append((method, template, consent, data))
        return handler

    return mark


def _compiled(template: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)(:path)?\}", template)
    text = re.escape(parts[0])
    for name, kind, literal in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        text += f"(?P<{name}>{'.+' if kind else '[^/]+'})" + re.escape(literal)
    return re.compile(text)


@dataclass(slots=True)
class Tally:
    """What the calls under one key did. *consent*, *creating*: calls that could change a permission, or make a person; *done*: those of
    `by_route` that were carried out, whatever became of the answer."""

    calls: int = 0
    consent: int = 0
    creating: int = 0
    throttled: int = 0
    by_route: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    by_status: Counter[int] = field(default_factory=Counter)


class Application:
    """One emulated platform. Subclasses answer; see the hooks below. All state is guarded by `lock`."""

    name: ClassVar[str]
    table: ClassVar[list[Route]]

    def __init_subclass__(cls) -> None:
        found = [
            Route(method, template, _compiled(template), member, consent, data)
            for base in reversed(cls.__mro__) for member in vars(base).values() if callable(member)
            for method, template, consent, data in getattr(member, "routes", [])
        ]
        cls.table = sorted(found, key=lambda r: (r.template.count("{"), -len(r.template)))

    def __init__(self, clock: Clock, sky: Sky) -> None:
        self.clock, self.sky = clock, sky
        self.lock = threading.RLock()
        self.tallies: dict[str, Tally] = {}          # by role of the key: "connector", "tester", "" (none or unknown)
        self.busy = 0                               # calls being answered right now, for limits on connections
        self.in_flight = threading.Lock()

    # hooks, in the order of a call

    def role(self, request: Request) -> str:
        """Whose key this is: "connector", "tester", "other", or "" when it is none of ours."""
        raise NotImplementedError(request)

    def refuse(self, request: Request, role: str, found: Route | None) -> Response | None:
        """The answer of authentication, scope, version and limits, or None to go on."""
        raise NotImplementedError(request)

    def not_found(self, request: Request, allowed: list[str]) -> Response:
        """The answer for an unknown path, or for a known one (*allowed* methods) with another method."""
        raise NotImplementedError(request)

    def failed(self, kind: str, request: Request) -> Response:
        """The vendor's answer of *kind*: "429", "500", "502", "503", "504", "401", "403", "html403" …"""
        raise NotImplementedError(kind)

    def finish(self, request: Request, response: Response, role: str, found: Route | None) -> None:
        """Add the vendor's headers to any answer."""

    # control

    def load(self, world: Any) -> None:
        """Fill the platform from a `connectors.sandbox.world.World`, replacing what is there."""
        raise NotImplementedError(world)

    def rows(self, table: str) -> Any:
        """The rows as they are now, outside paging, lag and weather, as a pyarrow Table: "profiles", "events", "members"."""
        raise NotImplementedError(table)

    def act(self, deed: str, **values: Any) -> Any:
        """Something that people or the platform itself do: "merge", "erase", "change_email", "withdraw", "add_by_hand" …"""
        raise NotImplementedError(deed)

    # the call itself

    def find(self, request: Request) -> tuple[Route | None, list[str]]:
        allowed = []
        for candidate in self.table:
            matched = candidate.pattern.fullmatch(request.path)
            if matched and candidate.method == request.method:
                request.params = {name: unquote(value) for name, value in matched.groupdict().items()}
                return candidate, []
            if matched:
                allowed.append(candidate.method)
        return None, allowed

    def answer(self, request: Request) -> tuple[Response, Fault | None]:
        """The response, and how the way back goes wrong, if it does."""
        role = self.role(request)
        found, allowed = self.find(request)
        with self.lock:
            tally = self.tallies.setdefault(role, Tally())
            tally.calls += 1
            tally.by_route[found.name if found else "unknown"] += 1
            tally.consent += bool(found and found.consent)
            tally.creating += bool(found and found.data.get("creates"))
            fault = self.sky.fault_for(self.name, request.method, request.path)
            response = self._answered(request, role, found, allowed, fault)
            self.finish(request, response, role, found)
            tally.throttled += response.status == 429
            tally.by_status[response.status] += 1
            tally.done[found.name if found else "unknown"] += 200 <= response.status < 300
        return response, fault

    def _answered(self, request: Request, role: str, found: Route | None, allowed: list[str], fault: Fault | None) -> Response:
        if fault and fault.before:
            return Response(0)
        refused = self.refuse(request, role, found)
        if refused:
            return refused
        if fault and fault.status:
            return self.failed(fault.kind, request)
        if found is None:
            return self.not_found(request, allowed)
        try:
            return found.handler(self, request)
        except Refusal as refusal:
            return refusal.response


class _Call(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1                                   # head and body leave in one piece, else Nagle costs 40 ms a call
    disable_nagle_algorithm = True
    server: _Listener

    def _serve(self) -> None:
        application = self.server.application
        with application.in_flight:
            application.busy += 1
        try:
            answered = self._answered(application)
        finally:
            with application.in_flight:             # before the answer leaves: whoever has it may call again at once
                application.busy -= 1
        if answered:
            self._send(*answered)

    def _answered(self, application: Application) -> tuple[Response, Fault | None] | None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_BODY:
            self.close_connection = True
            return None
        body = self.rfile.read(length)
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(
            self.command, parts.path, parse_qsl(parts.query, keep_blank_values=True), headers, body,
            self.server.url, raw_query=parts.query,
        )
        try:
            return application.answer(request)
        except Exception:  # noqa: BLE001 - a fault of the sandbox itself must be seen, not look like weather
            traceback.print_exc()
            return Response(599, traceback.format_exc().encode(), {"Content-Type": "text/plain"}), None

    def _send(self, response: Response, fault: Fault | None) -> None:
        if fault and fault.drops:
            self._reset()
            return
        if fault and fault.kind == "html":
            response = html_response(200)
        elif fault and fault.kind == "redirect":
            response = Response(302, b"", {"Location": "http://127.0.0.2:9/elsewhere"})
        body = response.body
        self.send_response_only(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if "Date" not in response.headers:
            self.send_header("Date", self.server.date())
        if response.status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if fault and fault.kind == "cut":
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self._reset()
            return
        if response.status != 204:
            self.wfile.write(body)
        self.wfile.flush()

    def _reset(self) -> None:
        """RST instead of FIN: what a load balancer does when it loses its back end."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _serve

    def log_message(self, *args: object) -> None:
        """Nothing: addresses stand in paths."""

    def finish(self) -> None:
        try:
            super().finish()
        except (OSError, ValueError):
            return                                  # the connection was reset on purpose


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    application: Application

    def __init__(self, application: Application, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Call)
        self.application = application
        self.url = f"http://127.0.0.1:{self.server_port}"

    def date(self) -> str:
        """The platform's own time, in the form of RFC 9110, section 5.6.7."""
        from connectors.clock import instant

        return instant(self.application.clock.now()).strftime("%a, %d %b %Y %H:%M:%S GMT")

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are not news."""


class Sandbox:
    """All platforms and their control endpoint in one process: `with Sandbox(clock) as sandbox: sandbox.urls["hubspot"]`.

    *when_stopped* are told of every sandbox that ends, for those who look at all of them.
    """

    when_stopped: ClassVar[list[Callable[[Sandbox], None]]] = []

    def __init__(
        self, clock: Clock, *, weather: str = "calm", seed: int = 1, ports: Mapping[str, int] | None = None,
        platforms: Sequence[str] = (),
    ) -> None:
        from connectors.sandbox.control import Control
        from connectors.sandbox.platforms import applications

        self.clock = clock
        self.sky = Sky(weather, seed)
        self.applications: dict[str, Application] = {a.name: a for a in applications(clock, self.sky, platforms)}
        self.control = Control(self)
        wanted = ports or {}
        everything = [*self.applications.values(), self.control]
        self._listeners = {a.name: _Listener(a, wanted.get(a.name, 0)) for a in everything}
        self._threads: list[threading.Thread] = []

    @property
    def urls(self) -> dict[str, str]:
        """Base URL of each platform, and of "control"."""
        return {name: listener.url for name, listener in self._listeners.items()}

    def start(self) -> Sandbox:
        for listener in self._listeners.values():
            thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def stop(self) -> None:
        for listener in self._listeners.values():
            listener.shutdown()
            listener.server_close()
        for thread in self._threads:
            thread.join()
        for told in self.when_stopped:
            told(self)

    def __enter__(self) -> Sandbox:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def virtual(self) -> VirtualClock:
        """The clock, when it can be moved; TypeError on the machine's own."""
        if not isinstance(self.clock, VirtualClock):
            raise TypeError("the sandbox runs on the machine's clock, which nobody moves")
        return self.clock


def pretty(value: object) -> str:
    """JSON for people."""
    return json.dumps(value, indent=2, sort_keys=True)
