"""Mail over HTTP: legacy e-mail events and the timeline of permission, campaigns, marketing e-mails and their totals.

Source: HubSpot legacy API docs, Email events, Email subscriptions timeline, Email campaigns; API reference 2026-09, Marketing emails.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from connectors.clock import MINUTE, Millis
from connectors.hubspot.sandbox.errors import invalid, not_there
from connectors.hubspot.sandbox.ground import Ground, twin
from connectors.hubspot.sandbox.mail import (
    BOUNCE,
    CHANGES,
    CLICK,
    DELIVERED,
    FIRST_CAMPAIGN,
    FIRST_EMAIL,
    OPEN,
    SENT,
    SPAMREPORT,
    STATUSCHANGE,
    TYPES,
    UNBOUNCE,
    WHATS,
    Campaign,
    Ints,
    Newest,
)
from connectors.hubspot.sandbox.paging import sealed, unsealed
from connectors.hubspot.sandbox.times import iso, yes
from connectors.sandbox.server import Request, Response, json_response, route

USUAL, MOST = 10, 1000
TOKEN_LIFE = 10 * MINUTE                            # "short-lived"; how long is not documented
FOREVER: Millis = 1 << 60
APP, SENDER = {"appId": 113, "appName": "Batch"}, "News <news@shop.example>"
SCOPES = ("content",)
COUNTED = {"sent": SENT, "delivered": DELIVERED, "open": OPEN, "click": CLICK, "bounce": BOUNCE, "unsubscribed": STATUSCHANGE,
           "spamreport": SPAMREPORT}


class MailCalls(Ground):
    """`/email/public/v1/…` and `/marketing/emails/{version}` ↔ `/marketing/v3/emails`"""

    @route("GET", "/email/public/v1/events", scopes=SCOPES)
    def email_events(self, request: Request) -> Response:
        """Newest first, both bounds inclusive."""
        rows, more, token = self._newest(request, self.mail.events, self._wanted_events(request))
        return json_response(200, {"hasMore": more, "offset": token, "events": self.event_documents(rows)})

    @route("GET", "/email/public/v1/subscriptions/timeline", scopes=SCOPES)
    def timeline(self, request: Request) -> Response:
        """Changes of permission, newest first."""
        changes, kind = self.mail.changes.rows, request.one("changeType")
        wanted = WHATS.index(kind) if kind in WHATS else -1

        def fits(rows: Ints) -> Any:
            return self._seen(changes, rows) & ((changes["what"][rows] == wanted) if kind else True)

        rows, more, token = self._newest(request, self.mail.changes, fits)
        return json_response(200, {"hasMore": more, "offset": token, "timeline": [self._entry(row) for row in rows]})

    def _newest(self, request: Request, stream: Newest, wanted: Callable[[Ints], Any]) -> tuple[list[int], bool, str]:
        """A page of rows, whether there are more, and the token that leads on. A token dies after ten minutes, and with other
        parameters."""
        limit, now = self.limit_of(request, USUAL, MOST), self.clock.now()
        lo, hi = _bound(request, "startTimestamp", 0), _bound(request, "endTimestamp", FOREVER)
        tied = sorted([name, value] for name, value in request.query if name != "offset")
        after = None
        if request.one("offset"):
            place = unsealed(request.one("offset"), tied)
            if place is None or now - place[2] > TOKEN_LIFE:
                invalid("The offset is not valid or has expired")
            after = (place[0], place[1])
        rows = stream.page(lo, hi, limit + 1, after, wanted)
        last = rows[:limit][-1] if rows else -1
        at = int(stream.rows["created"][last]) if rows else 0
        return rows[:limit], len(rows) > limit, sealed([at, last, now], tied)

    def _seen(self, columns: Any, rows: Ints) -> Any:
        """Rows that are visible by now and not an erased person's."""
        return (columns["visible"][rows] <= self.clock.now()) & (self.mail.whose(columns["address"][rows]) >= 0)

    def _wanted_events(self, request: Request) -> Callable[[Ints], Any]:
        events = self.mail.events.rows
        tests: list[Callable[[Ints], Any]] = []
        if request.one("eventType"):
            code = TYPES.index(request.one("eventType")) if request.one("eventType") in TYPES else -1
            tests.append(lambda rows: events["kind"][rows] == code)
        if request.one("recipient"):
            address = self.mail.known(request.one("recipient"))
            tests.append(lambda rows: events["address"][rows] == address)
        if request.one("campaignId").isdigit():
            campaign = int(request.one("campaignId")) - FIRST_CAMPAIGN
            tests.append(lambda rows: events["campaign"][rows] == campaign)
        if yes(request.one("excludeFilteredEvents")):
            tests.append(lambda rows: ~events["machine"][rows].astype(bool))

        def fits(rows: Ints) -> Any:
            found = self._seen(events, rows)
            for test in tests:
                found &= test(rows)
            return found

        return fits

    # --- one event

    def event_documents(self, rows: list[int]) -> list[dict[str, Any]]:
        """Events as the API shows them."""
        return [self.event_document(row) for row in rows]

    def event_document(self, row: int) -> dict[str, Any]:
        """One event: what all have in common, then what its type adds. UNBOUNCE lacks the common part."""
        events, mail = self.mail.events.rows, self.mail
        kind, campaign = int(events["kind"][row]), int(events["campaign"][row])
        found: dict[str, Any] = {**mail.identity(row), "type": TYPES[kind]}
        if kind == UNBOUNCE:
            return found
        found |= {"portalId": self.account["id"], "recipient": mail.addresses[int(events["address"][row])], **APP}
        if campaign >= 0:
            found |= {"emailCampaignId": FIRST_CAMPAIGN + campaign, "emailCampaignGroupId": FIRST_CAMPAIGN + campaign}
        sent, successor = int(events["sent"][row]), int(events["successor"][row])
        if sent:
            found["sentBy"] = mail.identity(sent - 1)
        if successor:
            found["obsoletedBy"] = mail.identity(successor - 1)
        return found | self._own_part(kind, row, found["recipient"], campaign)

    def _own_part(self, kind: int, row: int, recipient: str, campaign: int) -> dict[str, Any]:
        events = self.mail.events.rows
        filtered = {"filteredEvent": bool(events["machine"][row])}
        match kind:
            case 0:
                title = self.mail.campaigns[campaign].title if campaign >= 0 else ""
                return {"subject": title, "from": SENDER, "hmid": f"{row:016x}"}
            case 1:
                return {**filtered, "deviceType": "MOBILE" if row % 3 else "COMPUTER", "duration": row % 40 * 500}
            case 2:
                return {**filtered, "url": f"https://shop.example/offer/{row % 5 + 1}", "linkId": row % 5 + 1}
            case 3 if events["hard"][row]:
                return {"category": "UNKNOWN_USER", "response": "550 no such mailbox", "status": "5.1.1"}
            case 3:
                return {"category": "MAILBOX_FULL", "response": "452 mailbox full", "status": "4.2.2"}
            case 4:
                return {"portalSubscriptionStatus": "UNSUBSCRIBED", "requestedBy": recipient, "source": "SOURCE_RECIPIENT",
                        "bounced": False}
            case 6:
                return {"response": "250 OK"}
        return {}

    def _entry(self, row: int) -> dict[str, Any]:
        """One entry of the timeline; a change has a time of its own only when no event caused it."""
        changes, portal = self.mail.changes.rows, self.account["id"]
        at, event, subscription = (int(changes[name][row]) for name in ("created", "event", "subscription"))
        bounced = CHANGES[changes["change"][row]] == "BOUNCED"
        change: dict[str, Any] = {
            "change": CHANGES[changes["change"][row]], "changeType": WHATS[changes["what"][row]], "portalId": portal,
            "source": "SOURCE_NON_DELIVERY_REPORT" if bounced else "SOURCE_RECIPIENT",
        }
        change |= {"causedByEvent": self.mail.identity(event - 1)} if event else {"timestamp": at}
        if subscription:
            change["subscriptionId"] = subscription
        recipient = self.mail.addresses[int(changes["address"][row])]
        return {"timestamp": at, "portalId": portal, "recipient": recipient, "changes": [change]}

    # --- campaigns

    @route("GET", "/email/public/v1/campaigns/by-id", scopes=SCOPES)
    @route("GET", "/email/public/v1/campaigns", scopes=SCOPES)
    def campaigns(self, request: Request) -> Response:
        """Newest first, by offset."""
        limit, place = self.limit_of(request, USUAL, MOST), unsealed(request.one("offset")) or [0]
        listed = sorted(range(len(self.mail.campaigns)), key=lambda n: -self.mail.campaigns[n].at)
        page = listed[place[0] : place[0] + limit]
        found = [{"id": FIRST_CAMPAIGN + n, **APP, "lastUpdatedTime": self.mail.campaigns[n].at} for n in page]
        more = place[0] + limit < len(listed)
        return json_response(200, {"hasMore": more, "offset": sealed([place[0] + len(page)]), "campaigns": found})

    @route("GET", "/email/public/v1/campaigns/{campaign}", scopes=SCOPES)
    def get_campaign(self, request: Request) -> Response:
        text = request.params["campaign"]
        number = int(text) - FIRST_CAMPAIGN if text.isdigit() else -1
        if not 0 <= number < len(self.mail.campaigns):
            not_there()
        one = self.mail.campaigns[number]
        return json_response(200, {
            "id": FIRST_CAMPAIGN + number, **APP, "name": one.title, "subject": one.title, "type": "BATCH_EMAIL",
            "contentId": FIRST_EMAIL + number, "numIncluded": 0, "numQueued": 0, "lastProcessingFinishedAt": one.at,
            "counters": self._counters([number]),
        })

    @twin("GET", "/marketing/emails/{version}", "/marketing/v3/emails", scopes=SCOPES)
    def marketing_emails(self, request: Request) -> Response:
        limit, place = self.limit_of(request, USUAL, 100), unsealed(request.one("after")) or [0]
        total = len(self.mail.campaigns)
        page = range(place[0], min(total, place[0] + limit))
        stats = yes(request.one("includeStats"))
        results = [self._email(n, self.mail.campaigns[n]) | ({"stats": self._statistics([n])} if stats else {}) for n in page]
        answer: dict[str, Any] = {"total": total, "results": results}
        if page.stop < total:
            answer["paging"] = {"next": {"after": sealed([page.stop])}}
        return json_response(200, answer)

    @staticmethod
    def _email(number: int, one: Campaign) -> dict[str, Any]:
        campaign = str(FIRST_CAMPAIGN + number)
        return {
            "id": str(FIRST_EMAIL + number), "name": one.title, "subject": one.title, "state": "PUBLISHED", "type": "BATCH_EMAIL",
            "isAb": False, "isPublished": True, "archived": False, "createdAt": iso(one.at), "updatedAt": iso(one.at),
            "publishDate": iso(one.at), "primaryEmailCampaignId": campaign, "allEmailCampaignIds": [campaign],
        }

    @twin("GET", "/marketing/emails/{version}/statistics/list", "/marketing/v3/emails/statistics/list", scopes=SCOPES)
    def email_statistics(self, request: Request) -> Response:
        """Totals over the e-mails asked for, or over all."""
        asked = [int(one) - FIRST_EMAIL for text in request.all("emailIds") for one in text.split(",") if one.isdigit()]
        numbers = [n for n in asked or range(len(self.mail.campaigns)) if 0 <= n < len(self.mail.campaigns)]
        emails = [FIRST_EMAIL + n for n in numbers]
        return json_response(200, {"aggregate": self._statistics(numbers), "campaignAggregations": {}, "emails": emails})

    def _counters(self, numbers: list[int]) -> dict[str, int]:
        """Events of these campaigns by type; what was corrected later does not count, what was sent and did not bounce counts as
        delivered."""
        events = self.mail.events.rows
        mine = np.isin(events["campaign"], numbers) & (events["successor"] == 0) & (events["visible"] <= self.clock.now())
        counts = np.bincount(events["kind"][mine], minlength=len(TYPES)).tolist()
        found = {name: counts[code] for name, code in COUNTED.items()}
        return found | {"delivered": max(0, found["sent"] - found["bounce"])}

    def _statistics(self, numbers: list[int]) -> dict[str, Any]:
        counters = self._counters(numbers)
        delivered = max(1, counters["delivered"])
        ratios = {f"{name}ratio": round(100 * counters[name] / delivered, 2) for name in ("open", "click", "bounce")}
        return {"counters": counters, "ratios": ratios, "qualifierStats": {}, "deviceBreakdown": {}}


def _bound(request: Request, name: str, usual: Millis) -> Millis:
    text = request.one(name)
    if text and not text.isdigit():
        invalid(f"{name} is not a number")
    return int(text) if text else usual
