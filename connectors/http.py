"""One policy for every outgoing call: pace, deadline, size caps, retry of reads, classification.

httpx carries the data, the vendors' SDKs the control plane; both go through `Http`, so one budget per account counts them
all, and what an SDK calls is sent by the same client, under the same deadline and caps. A *read* is repeated here (tenacity,
waiting through the Clock); a *write* is sent once, and the outbox decides about the next attempt. What fails raises
`PlatformError`, which holds no body, no query and no address.
"""

from __future__ import annotations

import logging
import random
import re
import ssl
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

import httpx
import orjson
import tenacity

from connectors.base import LONGEST_WAIT, Clock, FaultKind, Json, Millis, PlatformError, RetryPolicy, backoff, millis
from connectors.budget import Budget, Paused
from connectors.deadline import Deadline, hurry

for _noisy in ("httpx", "httpcore", "urllib3"):     # they write whole URLs at INFO, and addresses stand in URLs
    logging.getLogger(_noisy).setLevel(logging.WARNING)

T = TypeVar("T")
REPEATED = frozenset({FaultKind.THROTTLED, FaultKind.TRANSIENT, FaultKind.EDGE})
NO_CONTENT = frozenset({202, 204})                  # good without a body; source: RFC 9110, sections 15.3.3 and 15.3.5


@cache
def trust() -> ssl.SSLContext:
    """The certificates that are trusted, read once: that takes some 25 ms of CPU, and every client would do it again."""
    return httpx.create_ssl_context()


def parse_retry_after(value: str, now: Millis) -> float | None:
    """Seconds asked for by a Retry-After header, at most `LONGEST_WAIT`; None if *value* is neither seconds nor a date, or asks
    for no wait.

    Source: RFC 9110, section 10.2.3. Platforms disagree on the form, so both are read.
    """
    text = value.strip()
    if re.fullmatch(r"\d{1,12}(\.\d{1,9})?", text):
        seconds = float(text)
    else:
        try:
            seconds = (millis(parsedate_to_datetime(text)) - now) / 1000
        except (ValueError, TypeError, OverflowError):
            return None
    return min(seconds, LONGEST_WAIT) if seconds > 0 else None


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response within the caps; header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    data: Json = None                               # the decoded body, when it is JSON; else None

    @property
    def is_json(self) -> bool:
        return "json" in self.headers.get("content-type", "")

    @property
    def date(self) -> Millis | None:
        """The platform's own time from the Date header."""
        try:
            return millis(parsedate_to_datetime(self.headers.get("date", "")))
        except (ValueError, TypeError, OverflowError):
            return None


@dataclass(frozen=True, slots=True)
class Fault:
    """What an answer means when it is not the wanted one. *code* is short and free of personal data."""

    kind: FaultKind
    code: str = ""
    retry_after: float | None = None
    request_id: str = ""


Classify = Callable[[Answer], Fault | None]
Params = Mapping[str, object] | Sequence[tuple[str, object]] | None


def usual_fault(answer: Answer) -> Fault | None:
    """The verdict that fits most platforms, by status and content type; None when the answer is good.

    A body that is not JSON where JSON is due is a block or login page: never data, never an empty page.
    """
    status = answer.status
    if 300 <= status < 400:
        return Fault(FaultKind.UNSAFE, "redirect")
    if status == 429:
        return Fault(FaultKind.THROTTLED, "rate limit")
    if status == 401:
        return Fault(FaultKind.KEY, "key refused")
    if status == 403:
        return Fault(FaultKind.SCOPE, "not allowed") if answer.is_json else Fault(FaultKind.EDGE, "blocked at the edge")
    if status == 404:
        return Fault(FaultKind.GONE, "not found") if answer.is_json else Fault(FaultKind.RETIRED, "unknown path")
    if status == 410:
        return Fault(FaultKind.RETIRED, "API version retired")
    if status in (408, 423, 425) or status >= 500:
        return Fault(FaultKind.TRANSIENT, "server error")
    if status >= 400:
        return Fault(FaultKind.INVALID, "request refused")
    if status not in NO_CONTENT and not answer.is_json:
        return Fault(FaultKind.EDGE, "not JSON")
    return None


@dataclass(frozen=True, slots=True)
class Caps:
    """Bounds of one call: *deadline* and *silence* in real seconds, *raw* and *inflated* in bytes. The deadline holds for all that
    goes over the wire; how long a host's name is looked up for is the machine's own affair."""

    deadline: float = 150.0                         # Mailchimp answers within 120 s or not at all; nobody else takes longer
    silence: float = 130.0
    raw: int = 64 * 1024 * 1024
    inflated: int = 256 * 1024 * 1024


class Http:
    """Calls to one account. *headers* carry the key and never leave this object; *classify* knows the platform's answers.

    Whatever is answered, a call ends within the deadline, with an `Answer` or a `PlatformError`.
    """

    def __init__(
        self, platform: str, base_url: str, *, clock: Clock, budget: Budget, headers: Mapping[str, str],
        classify: Classify = usual_fault, policy: RetryPolicy | None = None, caps: Caps | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.platform, self.base_url, self.clock, self.budget = platform, base_url.rstrip("/"), clock, budget
        self._classify, self._policy, self._caps, self._jitter = classify, policy or RetryPolicy(), caps or Caps(), jitter
        host = urlsplit(self.base_url).hostname or ""
        self._client = httpx.Client(
            headers={"Accept-Encoding": "gzip", **headers}, follow_redirects=False,
            timeout=httpx.Timeout(self._caps.silence, connect=10.0), limits=httpx.Limits(max_connections=32),
            trust_env=host not in ("127.0.0.1", "localhost", "::1"), verify=trust(),
        )
        self._deadline = Deadline()
        hurry(self._client, self._deadline)

    def close(self) -> None:
        self._client.close()

    def read(
        self, method: str, path: str, *, params: Mapping[str, object] | None = None, json: object = None,
        lanes: Sequence[str] = ("general",), name: str = "",
    ) -> Answer:
        """The answer to a call that may be repeated, repeated as the policy says. *name*: path template for messages."""
        return self._repeated(lambda: self._once(method, path, params, json, lanes, name or path), lanes)

    def write(
        self, method: str, path: str, *, params: Mapping[str, object] | None = None, json: object = None,
        lanes: Sequence[str] = ("general",), name: str = "",
    ) -> Answer:
        """The answer to a call that is sent exactly once."""
        return self._once(method, path, params, json, lanes, name or path)

    def sdk(self, name: str, call: Callable[[], T], *, lanes: Sequence[str] = ("general",), repeatable: bool = True) -> T:
        """What a vendor's SDK returns, under the same budget and policy. *call* makes one call, which the SDK must send through
        `exchange`. An answer that the SDK cannot read is a PlatformError EDGE; what else it raises is raised as it is."""

        def once() -> T:
            with self._turn(name, lanes):
                try:
                    return call()
                except Exception as error:
                    told = self._inside(error, name, maybe=not repeatable)
                    if told is None:
                        raise
                    raise told from None            # SDK errors carry bodies
        return self._repeated(once, lanes) if repeatable else once()

    def exchange(self, method: str, url: str, query: Sequence[tuple[str, Any]] | None = None, json: object = None) -> Answer:
        """The good answer to a call that a vendor's SDK makes inside `sdk`, sent once, as its own client would. Raises
        PlatformError, which passes through the SDK (that may wrap it)."""
        return self._good(method, url, query, json, method)

    def within(self, link: str) -> tuple[str, list[tuple[str, str]]]:
        """Path (below the base URL) and query of a link that the platform gave; PlatformError UNSAFE if it leads elsewhere."""
        base = urlsplit(self.base_url)
        prefix = base.path.rstrip("/") + "/"
        try:
            there = urlsplit(link)
            at_home = (there.scheme, there.hostname, there.port) == (base.scheme, base.hostname, base.port)
        except ValueError:                          # no address at all: a port that is no number, half a bracket
            at_home = False
        if not at_home or not there.path.startswith(prefix) or ".." in there.path:
            raise PlatformError(self.platform, "next link", FaultKind.UNSAFE, code="leads to another place")
        return there.path[len(prefix) - 1 :], parse_qsl(there.query, keep_blank_values=True)

    # --- one attempt

    def _once(
        self, method: str, path: str, params: Mapping[str, object] | None, json: object, lanes: Sequence[str], name: str,
    ) -> Answer:
        call = f"{method} {name}"
        with self._turn(call, lanes):
            return self._good(method, self.base_url + path, params, json, call)

    def _good(self, method: str, url: str, params: Params, json: object, call: str) -> Answer:
        """The answer, when it is a good one; else PlatformError."""
        answer = self._sent(method, url, params, json, call)
        fault = self._classify(answer)
        if fault is None:
            return answer
        raise PlatformError(
            self.platform, call, fault.kind, status=answer.status, code=fault.code, request_id=fault.request_id,
            retry_after=self._asked(fault, answer), maybe=answer.status < 400 or answer.status >= 500,
        )

    @contextmanager
    def _turn(self, call: str, lanes: Sequence[str]) -> Iterator[None]:
        """A turn within the budget; PlatformError THROTTLED at once where the platform asked for a longer wait than we have
        patience for. (Windows of documented limits are waited for.) A wait that it asks for now holds for everybody, whether or not this
        call comes again."""
        with ExitStack() as turn:
            try:
                turn.enter_context(self.budget.call(lanes, self._policy.patience))
            except Paused as pause:
                raise PlatformError(
                    self.platform, call, FaultKind.THROTTLED, code="still to wait", retry_after=pause.seconds,
                ) from None
            try:
                yield
            except PlatformError as error:
                if error.kind is FaultKind.THROTTLED and error.retry_after:
                    self.budget.pause(lanes, error.retry_after)
                raise

    def _sent(self, method: str, url: str, params: Params, json: object, call: str) -> Answer:
        content = None if json is None else orjson.dumps(json)
        headers = {} if json is None else {"Content-Type": self._client.headers.get("content-type", "application/json")}
        self._deadline.end = end = time.monotonic() + self._caps.deadline
        try:
            query = httpx.QueryParams(params) if params else None    # type: ignore[arg-type]  # values are str, int, bool or lists
            request = self._client.build_request(method, url, params=query, content=content, headers=headers)
            response = self._client.send(request, stream=True)
            try:
                body = self._body(response, end, call)
            finally:
                response.close()
        except httpx.HTTPError as error:
            raise self._network(call, error, late=time.monotonic() >= end) from None
        except httpx.InvalidURL:
            raise PlatformError(self.platform, call, FaultKind.INVALID, code="URL refused") from None
        except zlib.error:
            raise PlatformError(self.platform, call, FaultKind.TRANSIENT, code="body is not gzip", maybe=True) from None
        return self._decoded(response, body, call)

    def _decoded(self, response: httpx.Response, body: bytes, call: str) -> Answer:
        """A good answer that says it is JSON must be JSON to its end, whatever the transport thought; a bad one need not, nor one
        whose status promises no content (`NO_CONTENT`) and that has none."""
        headers = {name.lower(): value for name, value in response.headers.items()}
        data = None
        if "json" in headers.get("content-type", "") and (body or response.status_code not in NO_CONTENT):
            try:
                data = orjson.loads(body)
            except ValueError:
                if response.status_code < 300:
                    raise PlatformError(
                        self.platform, call, FaultKind.TRANSIENT, status=response.status_code, code="body is not whole",
                        maybe=True,
                    ) from None
        return Answer(response.status_code, headers, body, data)

    def _body(self, response: httpx.Response, end: float, call: str) -> bytes:
        packed = response.headers.get("content-encoding", "").lower() == "gzip"
        inflater = zlib.decompressobj(31) if packed else None
        parts: list[bytes] = []
        raw = size = 0
        for chunk in response.iter_raw():
            raw += len(chunk)
            part = inflater.decompress(chunk, self._caps.inflated - size + 1) if inflater else chunk
            size += len(part)
            if raw > self._caps.raw or size > self._caps.inflated:
                raise PlatformError(self.platform, call, FaultKind.UNSAFE, status=response.status_code, code="body over the cap")
            if time.monotonic() > end:
                raise PlatformError(self.platform, call, FaultKind.TRANSIENT, code="deadline passed", maybe=True)
            parts.append(part)
        if inflater and raw and not inflater.eof:
            raise PlatformError(self.platform, call, FaultKind.TRANSIENT, code="body cut off", maybe=True)
        return b"".join(parts)

    def _network(self, call: str, error: httpx.HTTPError, *, late: bool) -> PlatformError:
        """Refused connections were not sent; everything later may have been executed. A bad certificate does not heal."""
        if isinstance(error, httpx.ConnectError) and _certificate(error):
            return PlatformError(self.platform, call, FaultKind.UNSAFE, code="certificate not valid")
        not_sent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
        code = "deadline passed" if late else type(error).__name__
        return PlatformError(self.platform, call, FaultKind.TRANSIENT, code=code, maybe=not not_sent)

    def _asked(self, fault: Fault, answer: Answer) -> float | None:
        """Seconds that the platform asks to wait."""
        if fault.retry_after is not None:
            return fault.retry_after
        return parse_retry_after(answer.headers.get("retry-after", ""), self.clock.now())

    def _inside(self, error: Exception, call: str, *, maybe: bool) -> PlatformError | None:
        """What an exception out of a vendor's SDK means; None when it is neither ours nor about an answer's shape."""
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, PlatformError):
            cause = cause.__cause__ or cause.__context__
        if cause is not None:
            return PlatformError(
                self.platform, call, cause.kind, status=cause.status, code=cause.code, request_id=cause.request_id,
                retry_after=cause.retry_after, maybe=cause.maybe,
            )
        if isinstance(error, ValueError | TypeError | AttributeError | LookupError | RecursionError):
            return PlatformError(self.platform, call, FaultKind.EDGE, code="unexpected shape", maybe=maybe)
        return None

    # --- several attempts

    def _repeated(self, once: Callable[[], T], lanes: Sequence[str]) -> T:
        def pause(state: tenacity.RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            wait = self._wait(error, state.attempt_number)
            if isinstance(error, PlatformError) and error.kind is FaultKind.THROTTLED:
                self.budget.pause(lanes, wait)
            return wait

        retrying = tenacity.Retrying(
            sleep=self.clock.sleep, wait=pause, stop=tenacity.stop_after_attempt(self._policy.attempts),
            retry=tenacity.retry_if_exception(self._again), reraise=True,
        )
        return retrying(once)

    def _again(self, error: BaseException) -> bool:
        if not isinstance(error, PlatformError) or error.kind not in REPEATED:
            return False
        return (error.retry_after or 0) <= self._policy.patience and self.budget.may_retry()

    def _wait(self, error: BaseException | None, attempt: int) -> float:
        asked = error.retry_after if isinstance(error, PlatformError) else None
        return backoff(self._policy, attempt, self._jitter()) if asked is None else asked


def _certificate(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
