"""What came of each mail: sent, opened, clicked, bounced, unsubscribed, complained.

`/reports` lists the campaigns that were sent, with the time of their latest open and click and with counts; below each there are
listings of recipients. Only `email-activity` filters by time, and it filters the events, not the recipients.
Source: Mailchimp Marketing API reference, Reports; observed: github.com estuary/connectors live probes of 2026-06.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from connectors.base import Event, Json
from connectors.mailchimp.api import Listings, read
from connectors.mailchimp.nested import Found, Listing, Parent, Window
from connectors.mailchimp.times import moment, seconds, written

OVERLAP = 3600                                      # seconds read again: activity shows late, how late at most nobody says
FRESH = 5 * 86_400                                  # seconds after sending in which bounces come; they move no time in a report
BEFORE = 30 * 86_400                                # a mail may be opened or opted out of so long after it was sent, and later
REPORT_FIELDS = ",".join((
    *(f"reports.{name}" for name in (
        "id", "list_id", "send_time", "emails_sent", "abuse_reports", "unsubscribed", "opens.last_open", "clicks.last_click",
    )),
    "total_items",
))


@dataclass(frozen=True, slots=True)
class Campaign:
    """A sent campaign; times in seconds, -1 for none; counts None when the report does not tell."""

    id: str
    list_id: str
    sent_at: int
    emails: int | None
    unsubscribed: int | None
    complaints: int | None
    last: int                                       # latest open or click


def campaigns(api: Listings, audiences: frozenset[str], sent_after: int = -1) -> tuple[list[Campaign], int]:
    """Campaigns sent to *audiences* (all, when empty) later than *sent_after*, and the signpost of the answer."""
    params: dict[str, object] = {"fields": REPORT_FIELDS}
    if sent_after >= 0:
        params["since_send_time"] = written(sent_after)
    rows, end = api.everything("/reports", "reports", params)
    found = read("GET /reports", lambda: [_campaign(row) for row in rows])
    known = {campaign.id: campaign for campaign in found if not audiences or campaign.list_id in audiences}
    return list(known.values()), end


def _campaign(row: Json) -> Campaign:
    latest = max(seconds((row.get("opens") or {}).get("last_open")), seconds((row.get("clicks") or {}).get("last_click")))
    return Campaign(
        str(row["id"]), row.get("list_id") or "", seconds(row["send_time"]), row.get("emails_sent"), row.get("unsubscribed"),
        row.get("abuse_reports"), latest,
    )


@dataclass(frozen=True, slots=True)
class EmailActivity:
    """Opens, clicks and bounces of campaigns where there is something new, or that are fresh."""

    audiences: frozenset[str]
    name: ClassVar[str] = "email_activity"

    def parents(self, api: Listings, window: Window, memos: Mapping[str, int]) -> Found:
        floor, young = _floor(window), (window.since if window.mark < 0 else window.mark) - FRESH
        found, end = campaigns(api, self.audiences)
        return Found([Parent(c.sent_at, c.id) for c in found if c.last >= floor or c.sent_at >= young], end)

    def listing(self, parent: Parent, window: Window) -> Listing:
        """`since` is exclusive. Observed: github.com estuary/connectors live probes."""
        unused = ("list_is_active", "campaign_id", "list_id", "_links", "activity.ip")
        return _below(parent, "email-activity", "emails", unused, since=written(max(0, _floor(window) - 1)))

    def events(self, rows: Sequence[Json], parent: Parent, window: Window) -> list[Event]:
        facts: list[Event] = []
        for row in rows:
            if row["activity"] and row["email_address"]:
                facts += _deeds(row, parent.id, window)
        return facts


def _floor(window: Window) -> int:
    return window.since if window.mark < 0 else max(window.since, window.mark - OVERLAP)


def _deeds(row: Json, campaign: str, window: Window) -> list[Event]:
    """What one recipient did. There is no event id; equal facts of one second are counted, always in one answer."""
    facts: list[Event] = []
    often: dict[str, int] = {}
    who, email = f"{campaign}|{row['email_id']}", row["email_address"]
    for deed in row["activity"]:
        action, url = deed["action"], deed.get("url") or ""
        at = moment(deed["timestamp"])
        if at is None:
            raise ValueError("activity has a time")
        second = at // 1000
        name = f"{who}|{action}|{second}|{url}"
        if (count := often.get(name, 0) + 1) > 1:
            often[name] = count
            name += f"#{count}"
        else:
            often[name] = 1
        if window.since <= second <= window.end:
            facts.append(Event(name, action, at, _said(deed, action, url, campaign), None, email))
    return facts


def _said(deed: Json, action: str, url: str, campaign: str) -> dict[str, Json]:
    properties = {"campaign_id": campaign}
    if url:
        properties["url"] = url
    if action == "bounce":
        properties["type"] = deed.get("type") or ""
    return properties


@dataclass(frozen=True, slots=True)
class Sent:
    """Who was sent a campaign, at its send time. Read once, and again while the number of mails sent still moves."""

    audiences: frozenset[str]
    name: ClassVar[str] = "sent"

    def parents(self, api: Listings, window: Window, memos: Mapping[str, int]) -> Found:
        floor = window.since - 1 if window.mark < 0 else window.mark - FRESH
        found, end = campaigns(api, self.audiences, max(0, floor))
        early = window.mark - OVERLAP               # what was read so soon after sending may not have been all
        fresh = [c for c in found if c.sent_at >= early or c.emails is None or memos.get(c.id) != c.emails]
        recent = frozenset(c.id for c in found if c.sent_at >= max(window.end, end) - FRESH)
        return Found([Parent(c.sent_at, c.id, c.emails) for c in fresh], end, recent)

    def listing(self, parent: Parent, window: Window) -> Listing:
        unused = ("merge_fields", "vip", "list_is_active", "campaign_id", "list_id", "last_open", "open_count", "_links")
        return _below(parent, "sent-to", "sent_to", unused)

    def events(self, rows: Sequence[Json], parent: Parent, window: Window) -> list[Event]:
        if not window.holds(parent.order):
            return []
        return [
            Event(
                f"{parent.id}|{row['email_id']}|sent", "sent", parent.order * 1000,
                {"campaign_id": parent.id, "status": row["status"]}, email=row["email_address"],
            )
            for row in rows if row["email_address"]
        ]


@dataclass(frozen=True, slots=True)
class Unsubscribes:
    """Who opted out by a campaign; the listing has no filter by time."""

    audiences: frozenset[str]
    name: ClassVar[str] = "unsubscribes"

    def parents(self, api: Listings, window: Window, memos: Mapping[str, int]) -> Found:
        found, end = campaigns(api, self.audiences, max(0, window.since - BEFORE))
        return Found([Parent(c.sent_at, c.id) for c in found if c.unsubscribed is None or c.unsubscribed > 0], end)

    def listing(self, parent: Parent, window: Window) -> Listing:
        unused = ("merge_fields", "vip", "list_is_active", "campaign_id", "list_id", "_links")
        return _below(parent, "unsubscribed", "unsubscribes", unused)

    def events(self, rows: Sequence[Json], parent: Parent, window: Window) -> list[Event]:
        return _opt_outs(rows, parent, window, "unsubscribe", "timestamp")


@dataclass(frozen=True, slots=True)
class Complaints:
    """Who reported a campaign as spam; asked only where a report counts some."""

    audiences: frozenset[str]
    name: ClassVar[str] = "complaints"

    def parents(self, api: Listings, window: Window, memos: Mapping[str, int]) -> Found:
        found, end = campaigns(api, self.audiences, max(0, window.since - BEFORE))
        return Found([Parent(c.sent_at, c.id) for c in found if c.complaints], end)

    def listing(self, parent: Parent, window: Window) -> Listing:
        """Source: Mailchimp Marketing API reference, List abuse reports."""
        unused = ("merge_fields", "vip", "list_is_active", "campaign_id", "list_id", "_links")
        return _below(parent, "abuse-reports", "abuse_reports", unused)

    def events(self, rows: Sequence[Json], parent: Parent, window: Window) -> list[Event]:
        return _opt_outs(rows, parent, window, "abuse", "date")


def _opt_outs(rows: Sequence[Json], parent: Parent, window: Window, native: str, when: str) -> list[Event]:
    facts = []
    for row in rows:
        at = moment(row[when])
        if at is None:
            raise ValueError("an opt-out has a time")
        if row["email_address"] and window.holds(at // 1000):
            name = f"{parent.id}|{row['email_id']}|{native}|{at // 1000}"
            facts.append(Event(name, native, at, {"campaign_id": parent.id}, email=row["email_address"]))
    return facts


def _below(parent: Parent, what: str, key: str, unused: Sequence[str], **params: object) -> Listing:
    asked = {"exclude_fields": ",".join(("_links", *(f"{key}.{name}" for name in unused))), **params}
    return Listing(f"/reports/{parent.id}/{what}", key, f"/reports/{{campaign_id}}/{what}", asked)
