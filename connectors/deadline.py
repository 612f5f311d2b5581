"""A deadline for all that one call sends and receives; httpx itself only knows how long it waits for the next byte."""

from __future__ import annotations

import math
import ssl
import threading
import time
from typing import Any

import httpcore
import httpx


class Deadline(threading.local):
    """When the call that a thread is making must be over, on the machine's monotonic clock."""

    end = math.inf

    def left(self, silence: float | None, late: type[httpcore.TimeoutException]) -> float:
        """Seconds to wait for the next byte: those of *silence*, or fewer. Raises *late* when the time is over."""
        left = self.end - time.monotonic()
        if left <= 0:
            raise late
        return left if silence is None else min(left, silence)


class _Stream(httpcore.NetworkStream):
    """A connection that nobody waits on beyond the deadline of their call, however few bytes at a time it gives: what httpx
    calls a timeout is one of silence."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream, self._deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left = self._deadline.left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, left), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Network(httpcore.NetworkBackend):
    """Opens such connections."""

    def __init__(self, network: httpcore.NetworkBackend, deadline: Deadline) -> None:
        self._network, self._deadline = network, deadline

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, *more: Any, **options: Any) -> httpcore.NetworkStream:
        left = self._deadline.left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._network.connect_tcp(host, port, left, *more, **options), self._deadline)


def hurry(client: httpx.Client, deadline: Deadline) -> None:
    """Put the deadline under *client*. httpcore lets a pool be made with a network of one's own, but httpx makes its pools itself
    (one for each proxy of the environment, too), so it is put into those."""
    for transport in (client._transport, *client._mounts.values()):
        pool = getattr(transport, "_pool", None)
        if pool is not None:
            pool._network_backend = _Network(pool._network_backend, deadline)
