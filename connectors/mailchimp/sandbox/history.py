"""What one member did: the activity feed, and the older list of the last fifty."""

from __future__ import annotations

from typing import Any

import numpy as np

from connectors.clock import Millis
from connectors.mailchimp.sandbox import asking
from connectors.mailchimp.sandbox.commerce import Commerce
from connectors.mailchimp.sandbox.ground import stamp
from connectors.mailchimp.sandbox.mail import ABUSE, BOUNCE, CLICK, OPEN, UNSUBSCRIBE, URLS
from connectors.sandbox.server import Request, Response, route

LAST = 50                                           # of the older list. Source: vendor's Swagger
LEGACY = {OPEN: "open", CLICK: "click", BOUNCE: "bounce", UNSUBSCRIBE: "unsub", ABUSE: "abuse"}
FEED = ("open", "click", "bounce", "unsub", "sent", "order", "event")
Moments = list[tuple[Millis, dict[str, Any]]]


class History(Commerce):
    """Both read the same acts; neither has a `since`."""

    @route("GET", "/3.0/lists/{list}/members/{hash}/activity")
    def activity(self, request: Request) -> Response:
        row = self.member_of(request)
        _, audience = self.audience_of(request)
        wanted = [one for one in request.one("action").split(",") if one]
        found = [
            {"action": one["activity_type"], "timestamp": stamp(at), "url": one.get("link_clicked", ""),
             "type": one.get("bounce_type", ""), "campaign_id": one["campaign_id"], "title": one["campaign_title"]}
            for at, one in self._mail_of(row) if not wanted or one["activity_type"] in wanted
        ][:LAST]
        return self.told(request, {"activity": found, "email_id": self.people.hashes[row], "list_id": audience.id,
                                   "contact_id": self.people.contacts[row], "total_items": len(found), "_links": []})

    @route("GET", "/3.0/lists/{list}/members/{hash}/activity-feed")
    def activity_feed(self, request: Request) -> Response:
        """Newest first; neither `since` nor `total_items` (vendor's Swagger)."""
        row = self.member_of(request)
        _, audience = self.audience_of(request)
        wanted = [one for one in request.one("activity_filters").split(",") if one]
        everything = sorted(self._mail_of(row) + self._orders_of(row) + self._events_of(row), key=lambda one: -one[0])
        found = [{**one, "created_at_timestamp": stamp(at)} for at, one in everything
                 if one["activity_type"] in (wanted or (*FEED, "abuse"))]
        return self.told(request, {"activity": found[asking.paging(request)], "email_id": self.people.hashes[row],
                                   "list_id": audience.id, "_links": []})

    def _mail_of(self, row: int) -> Moments:
        """Mails sent to this member and what came of them, newest first."""
        self.mail.settle(self.clock.now())
        recipients = np.flatnonzero(self.mail.recipients["member"] == row)
        campaigns = [self.mail.campaigns[n] for n in self.mail.recipients["campaign"][recipients].tolist()]
        found: Moments = [(one.sent, {"activity_type": "sent", "campaign_id": one.id, "campaign_title": one.title})
                          for one in campaigns]
        acts = self.mail.of(recipients)
        columns = (acts[name].tolist() for name in ("slot", "at", "action", "url", "hard"))
        for slot, at, action, url, hard in zip(*columns, strict=True):
            one: dict[str, Any] = {"activity_type": LEGACY[action], "campaign_id": campaigns[slot].id,
                                   "campaign_title": campaigns[slot].title}
            if action == CLICK:
                one["link_clicked"] = URLS[url]
            if action == BOUNCE:
                one |= {"bounce_type": "hard" if hard else "soft", "bounce_has_open_activity": False}
            if action == UNSUBSCRIBE:
                one |= {"is_admin_unsubscribed": False, "unsubscribe_reason": ""}
            found.append((at, one))
        return sorted(found, key=lambda moment: -moment[0])

    def _orders_of(self, row: int) -> Moments:
        rows = np.flatnonzero(self.shop.orders["member"] == row)
        return [
            (asking.moment(one["processed_at_foreign"]) or 0, {
                "activity_type": "order", "store_name": "Sandbox shop", "order_id": one["id"],
                "order_total": f"{one['order_total']:.2f}", "order_url": one["order_url"],
                "order_items": [{name: line[name] for name in line if name != "_links"} for line in one["lines"]],
            })
            for one in self.order_records(rows)
        ]

    def _events_of(self, row: int) -> Moments:
        return [
            (asking.moment(one["occurred_at"]) or 0, {
                "activity_type": "event", "event_name": one["name"],
                "event_properties": [f"{name}: {value}" for name, value in one.get("properties", {}).items()],
            })
            for one in self.people.events.get(row, [])
        ]
