"""A platform of a few lines on loopback: answers what a test says, and remembers what it was asked."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from connectors.clock import Millis


@dataclass(frozen=True, slots=True)
class Asked:
    method: str
    path: str
    query: dict[str, str]
    body: Any


@dataclass(frozen=True, slots=True)
class Said:
    """An answer; *body* is sent as JSON, unless it is a text, which is sent as HTML."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Platform:
    url: str
    calls: list[Asked]


@contextmanager
def scripted(answer: Callable[[Asked], Said], now: Millis) -> Iterator[Platform]:
    """A server whose every answer is *answer* of what was asked, and whose clock stands still at *now*."""
    calls: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1                               # one segment an answer, else the client waits for the second

        def _serve(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            where = urlsplit(self.path)
            asked = Asked(self.command, where.path, dict(parse_qsl(where.query)), json.loads(raw) if raw else None)
            calls.append(asked)
            said = answer(asked)
            html = isinstance(said.body, str)
            body = said.body.encode() if html else json.dumps(said.body).encode()
            self.send_response(said.status)
            self.send_header("Content-Type", "text/html" if html else "application/json;charset=utf-8")
            for name, value in (said.headers | {"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = _serve

        def date_time_string(self, timestamp: float | None = None) -> str:
            return formatdate(now / 1000, usegmt=True)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield Platform(f"http://127.0.0.1:{server.server_port}", calls)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def raw(say: Callable[[bytes, socket.socket], None]) -> Iterator[Platform]:
    """A server below HTTP: *say* gets the head of each call and the socket, writes what it likes and hangs up."""
    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            head = b""
            while not head.endswith(b"\r\n\r\n") and (line := self.rfile.readline()):
                head += line
            method, _, path = head.decode("latin-1").partition("\r\n")[0].rpartition(" ")[0].partition(" ")
            calls.append(Asked(method, path, {}, None))
            with suppress(OSError):                 # whoever called may have hung up long ago
                say(head, self.connection)

    calls: list[Asked] = []
    server = ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield Platform(f"http://127.0.0.1:{server.server_address[1]}", calls)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
