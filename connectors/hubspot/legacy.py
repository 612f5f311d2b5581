"""E-mail events: the one thing that only a legacy endpoint tells per person. Supported until 2027-09.

`GET /email/public/v1/events` answers newest first within both bounds (inclusive) and pages by a short-lived token, so we walk in
slices of time and resume by slice; the token is only a shortcut. Where it is missing (scope, plan, sunset) the stream ends with
SCOPE or RETIRED, and what remains are the engagement properties on the contacts (`hs_email_last_open_date` …).
Source: HubSpot legacy API docs, Email events ("Get email events", "Email Events API overview").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from connectors.base import DAY, HOUR, MINUTE, Cursor, Event, FaultKind, Json, Millis, Page, PlatformError
from connectors.hubspot.api import Api, Record, rows
from connectors.hubspot.faults import PLATFORM, no_progress, unexpected
from connectors.hubspot.walk import dump, finished, load, parts

PATH = "/email/public/v1/events"
PAGE = 1000
SETTLED = MINUTE
OVERLAP = HOUR
DEEP_OVERLAP = 3 * DAY                              # once a day: no bound on late arrival is documented
WIDEST_FIRST = 4 * DAY                              # a later pull starts with a slice this wide, the first one with a day
_MAIL = ("emailCampaignId", "emailCampaignGroupId")
_SEEN = (*_MAIL, "filteredEvent", "deviceType", "duration")
_KEPT = {                                           # the kinds that say what a person did, and what is kept of each
    "SENT": (*_MAIL, "appName", "subject"), "OPEN": _SEEN, "CLICK": (*_SEEN, "url", "linkId"),
    "BOUNCE": (*_MAIL, "category", "status"), "SPAMREPORT": _MAIL, "STATUSCHANGE": (*_MAIL, "source", "portalSubscriptionStatus"),
}


@dataclass(frozen=True, slots=True)
class Slice:
    """Events in [*lo*, *hi*) of a pull that ends at *end*. *token*: where the platform goes on within it; *pages* read of it;
    *width*: how wide slices are just now; *deep*: when the last deep re-read began."""

    lo: Millis
    hi: Millis
    end: Millis
    deep: Millis
    width: Millis
    token: str | None = None
    pages: int = 0

    @classmethod
    def after(cls, state: Mapping[str, Json], now: Millis, history: Millis) -> Slice:
        """The first slice of a new pull at the platform's time *now*."""
        end = now - SETTLED
        if "w" not in state:
            return cls.starting(history, end, end, DAY)
        deep = end - int(state["d"]) >= DAY
        lo = min(int(state["w"]), end) - (DEEP_OVERLAP if deep else OVERLAP)
        return cls.starting(max(history, lo), end, end if deep else int(state["d"]), WIDEST_FIRST)

    @classmethod
    def starting(cls, lo: Millis, end: Millis, deep: Millis, width: Millis) -> Slice:
        return cls(lo, max(lo, min(lo + width, end)), end, deep, width)

    @classmethod
    def of(cls, state: Mapping[str, Json]) -> Slice:
        return cls(*parts(state, "lo", "hi", "end", "d", "width", "token", "pages"))

    def cursor(self) -> Cursor:
        return dump({
            "lo": self.lo, "hi": self.hi, "end": self.end, "d": self.deep, "width": self.width, "token": self.token,
            "pages": self.pages,
        })

    def next(self) -> Slice:
        """The slice that follows; twice as wide after one page, half as wide after more than two."""
        width = self.width * 2 if self.pages <= 1 else self.width // 2 if self.pages > 2 else self.width
        return Slice.starting(self.hi, self.end, self.deep, max(HOUR, width))


def pull_email_events(api: Api, since: Cursor | None, history: Millis) -> Iterator[Page]:
    """Stream "email_events" since *since*, the first time since *history*: oldest slice first, newest event first within it."""
    state = load(since)
    part = Slice.of(state) if "lo" in state else Slice.after(state, api.account()[1], history)
    while True:
        found, token = _read(api, part)
        part = replace(part, token=token, pages=part.pages + 1)
        if token is None and part.hi >= part.end:
            yield Page(finished(part.end, part.deep), events=events(found), last=True, watermark=part.end)
            return
        part = part if token is not None else part.next()
        yield Page(part.cursor(), events=events(found))


def _read(api: Api, part: Slice) -> tuple[list[Record], str | None]:
    """One page, and the token of the next (None: the slice is done). A token that died leads back to the slice's beginning."""
    try:
        return _page(api, part, part.token)
    except PlatformError as error:
        if part.token is None or error.kind is not FaultKind.INVALID or error.status is None:
            raise
        return _page(api, part, None)


def _page(api: Api, part: Slice, token: str | None) -> tuple[list[Record], str | None]:
    params: dict[str, object] = {"startTimestamp": part.lo, "endTimestamp": max(part.lo, part.hi - 1), "limit": PAGE}
    if token is not None:
        params["offset"] = token
    try:
        data = api.get(PATH, params).data
    except PlatformError as error:
        raise _degraded(error) from None
    found = rows(data, "events", PATH)
    if not isinstance(data.get("hasMore"), bool) or (data["hasMore"] and not isinstance(data.get("offset"), str)):
        raise unexpected(PATH)
    if not data["hasMore"]:
        return found, None
    if data["offset"] == token or not found:
        raise no_progress(PATH)
    return found, data["offset"]


def _degraded(error: PlatformError) -> PlatformError:
    """A legacy path that is not found any more has been retired."""
    if error.kind is not FaultKind.GONE:
        return error
    return PlatformError(
        PLATFORM, error.call, FaultKind.RETIRED, status=error.status, code=error.code, request_id=error.request_id,
    )


def events(found: Sequence[Record]) -> list[Event]:
    """The events that say what a person did; delivery reports and kinds we do not know are left out."""
    return [event for row in found if row.get("type") in _KEPT and (event := _event(row)) is not None]


def _event(row: Record) -> Event | None:
    """One event; None for a change of status that is no opt-out, and for one about nobody.

    `id` is unique only together with `created`. `obsoletedBy` names a later event that replaces this one, which is then void.
    `filteredEvent` marks what bots and the company itself did.
    """
    created, who = row.get("created"), row.get("recipient")
    if not isinstance(created, int) or not row.get("id"):
        raise unexpected(PATH)
    if not isinstance(who, str) or (row["type"] == "STATUSCHANGE" and not _opts_out(row)):
        return None
    kept = {name: value for name in _KEPT[row["type"]] if (value := row.get(name)) is not None}
    void = row.get("obsoletedBy") is not None
    return Event(f"{created}:{row['id']}", row["type"], created, kept, None, who, void, void)


def _opts_out(row: Record) -> bool:
    """Whether a change of status is a person's opt-out, from everything or from one type; a bounce is none."""
    if row.get("bounced") is True:
        return False
    of_types = [one.get("status") for one in row.get("subscriptions") or () if isinstance(one, dict)]
    return "UNSUBSCRIBED" in (row.get("portalSubscriptionStatus"), *of_types)
