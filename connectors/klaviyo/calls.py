"""Calls to one Klaviyo account: lanes, headers, pages, and the platform's own time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from connectors.base import Clock, Connection, FaultKind, Json, Limit, Millis, PlatformError
from connectors.budget import Budget
from connectors.http import Answer, Http
from connectors.klaviyo.faults import classify, is_document

REVISION = "2026-07-15"
"""Stable for a year and supported for one more; 2026-10-15 changes campaigns and the place of an event's profile meta.
Source: Klaviyo API versioning and deprecation policy; changelogs of klaviyo-api 24.0.0 and 25.0.0."""

HOST = "https://a.klaviyo.com"
JSON_API = "application/vnd.api+json"

HEADERS = {
    "revision": REVISION,
    "X-Klaviyo-Revision-Fall-Forward-Opt-Out": "1",   # else a retired revision silently becomes another one
    "Accept": JSON_API,
    "Content-Type": JSON_API,
}


@dataclass(frozen=True, slots=True)
class Read:
    """One kind of paged read: *path*, its rate-limit *lane*, the parameters of each page, the path's *template*."""

    path: str
    lane: str
    params: Mapping[str, str]
    template: str = ""

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.template or self.path


@dataclass(frozen=True, slots=True)
class Answered:
    """A page of records, the whole document, the cursor of the next page ("" at the end) and the platform's time."""

    records: Sequence[Mapping[str, Json]]
    document: Mapping[str, Json]
    cursor: str
    date: Millis | None


class Calls:
    """The data plane over httpx. Every answer tells the platform's time; `now()` says what it is."""

    def __init__(self, connection: Connection, clock: Clock, limits: Sequence[Limit]) -> None:
        self.budget = Budget(limits, connection.share, clock)
        self.clock = clock
        self.base_url = (connection.base_url or HOST).rstrip("/")
        self.http = Http(
            "klaviyo", self.base_url, clock=clock, budget=self.budget, classify=classify, policy=connection.retry,
            headers={**HEADERS, "Authorization": f"Klaviyo-API-Key {connection.key.reveal()}"},
        )
        self._ahead: Millis | None = None           # the platform's clock less ours

    def now(self) -> Millis:
        """The platform's time by its last Date header; before any answer it is asked with the cheapest call there is for a
        key that may read events."""
        if self._ahead is None:
            params = {"page[size]": "1", "fields[event]": "datetime"}
            self.notice(self.http.read("GET", "/api/events", params=params, lanes=("events",)), ("events",))
        return self.clock.now() + (self._ahead or 0)

    def by_our_clock(self, at: Millis) -> Millis:
        """An instant that the platform tells, as our clock showed it, by the last Date header."""
        return at - (self._ahead or 0)

    def notice(self, answer: Answer, lanes: Sequence[str]) -> None:
        """Learn from an answer's headers: the time, and a window that is used up (also by the account's other keys).

        Source: Klaviyo guide "Rate limits, status codes, and errors": RateLimit-Remaining and -Reset (seconds) tell about the
        steady window.
        """
        if answer.date is not None:
            self._ahead = answer.date - self.clock.now()
        left, reset = (answer.headers.get(f"ratelimit-{name}", "") for name in ("remaining", "reset"))
        if left == "0" and re.fullmatch("[0-9]{1,2}", reset) and int(reset) <= 60:
            self.budget.pause(lanes, float(reset))

    def page(self, read: Read, cursor: str = "") -> Answered:
        """One page; PlatformError CURSOR when *cursor* is no longer good, EDGE when the answer is no page."""
        params = {**read.params, "page[cursor]": cursor} if cursor else dict(read.params)
        answer = self.http.read("GET", read.path, params=params, lanes=(read.lane,), name=read.name)
        self.notice(answer, (read.lane,))
        records = document(answer, f"GET {read.name}")["data"]
        if not isinstance(records, list):
            raise PlatformError("klaviyo", f"GET {read.name}", FaultKind.EDGE, status=answer.status, code="unexpected shape")
        return Answered(records, answer.data, self.next_cursor(answer.data, read.name), answer.date)

    def pages(self, read: Read) -> Iterator[Answered]:
        """All pages from the first."""
        cursor, known = "", set[str]()
        while True:
            page = self.page(read, cursor)
            yield page
            if not page.cursor:
                return
            cursor = page.cursor
            if cursor in known:
                raise no_progress(read.name)
            known.add(cursor)

    def next_cursor(self, document: Mapping[str, Json], name: str) -> str:
        """The cursor in `links.next`, which ends by being null or absent; a short or even empty page ends nothing.

        Source: Klaviyo API overview, pagination; observed: github.com issue klaviyo/klaviyo-api-python#64 (null).
        """
        links = document.get("links")
        link = links.get("next") if isinstance(links, dict) else None
        if not link:
            return ""
        _, query = self.http.within(str(link))
        cursor = dict(query).get("page[cursor]", "")
        if not cursor:
            raise PlatformError("klaviyo", f"GET {name}", FaultKind.EDGE, code="next link without a cursor")
        return cursor

    def close(self) -> None:
        self.http.close()


def document(answer: Answer, call: str) -> Mapping[str, Json]:
    """The document that a good answer holds; PlatformError EDGE when it has none, as 202 and 204 may, which answer no question."""
    if not is_document(answer.data):
        raise PlatformError("klaviyo", call, FaultKind.EDGE, status=answer.status, code="unexpected shape")
    found: Mapping[str, Json] = answer.data
    return found


def no_progress(call: str) -> PlatformError:
    """What is raised when the platform leads in a circle."""
    return PlatformError("klaviyo", f"GET {call}", FaultKind.INVALID, code="no progress")


def text_filter(operator: str, field: str, values: Sequence[str]) -> str | None:
    """`equals(field,"…")` or `any(field,["…",…])`; None when a value cannot be quoted in a way that Klaviyo documents.

    Source: Klaviyo API overview, filtering: strings stand in double or single quotes; escapes are not documented.
    """
    if any('"' in value or "\\" in value for value in values):
        if any("'" in value or "\\" in value for value in values):
            return None
        quoted = [f"'{value}'" for value in values]
    else:
        quoted = [f'"{value}"' for value in values]
    return f"any({field},[{','.join(quoted)}])" if operator == "any" else f"{operator}({field},{quoted[0]})"
