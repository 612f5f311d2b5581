"""Campaigns and their reports: who was written to, opened, clicked, bounced, opted out, complained."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from connectors.clock import Millis
from connectors.mailchimp.sandbox import asking, errors
from connectors.mailchimp.sandbox.ground import stamp, stamps
from connectors.mailchimp.sandbox.mail import ABUSE, BOUNCE, CLICK, OPEN, UNSUBSCRIBE, URLS, Campaign
from connectors.mailchimp.sandbox.people import GONE, STATUSES, Rows, token
from connectors.mailchimp.sandbox.records import Records
from connectors.sandbox.server import Request, Response, route

TYPES = ("regular", "plaintext", "absplit", "rss", "variate")
REASON = "N/A (Unsubscribed by the contact)"


def address(code: int) -> str:
    """A made-up IP; those of proxies and bots have a network of their own."""
    return f"{'198.51.100' if code >> 8 else '192.0.2'}.{code & 0xFF}"


def share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0


class Reports(Records):
    """Handlers of `/campaigns` and `/reports`. Permanently deleted people are in no report (our choice)."""

    # --- campaigns

    @route("GET", "/3.0/campaigns")
    def all_campaigns(self, request: Request) -> Response:
        """No filter by time of change: there is none in the API."""
        found = self._between(request, ("send_time", "create_time"))
        wanted = asking.choice(request, "status", ("save", "paused", "schedule", "sending", "sent"))
        found = [one for one in found if not wanted or wanted == ("sent" if one.sent else "save")]
        found = [one for one in found if request.one("list_id") in ("", self.audiences[one.audience].id)]
        down = asking.choice(request, "sort_dir", ("ASC", "DESC")) == "DESC"
        if asking.choice(request, "sort_field", ("create_time", "send_time")):
            found.sort(key=lambda one: one.sent, reverse=down)
        page = [self._campaign(one) for one in found[asking.paging(request)]]
        return self.told(request, {"campaigns": page, "total_items": len(found), "_links": []})

    def _between(self, request: Request, names: tuple[str, ...]) -> list[Campaign]:
        found = list(self.mail.campaigns)
        for name in names:
            since, before = asking.window(request, name)
            found = [one for one in found if (since is None or one.sent > since) and (before is None or one.sent <= before)]
        kind = asking.choice(request, "type", TYPES)
        return found if kind in ("", "regular") else []

    @route("GET", "/3.0/campaigns/{campaign}")
    def one_campaign(self, request: Request) -> Response:
        return self.told(request, self._campaign(self.mail.campaigns[self._number(request)]))

    def _number(self, request: Request) -> int:
        """Index of `{campaign}`, its reports settled; 404 when there is none."""
        self.mail.settle(self.clock.now())
        found = self.mail.find(request.params["campaign"])
        if found is None:
            raise errors.missing()
        return found

    def _campaign(self, one: Campaign) -> dict[str, Any]:
        sums = self.mail.sums(self.mail.campaigns.index(one))
        audience = self.audiences[one.audience]
        return {
            "id": one.id, "web_id": int(one.id[:6], 16), "type": "regular", "create_time": stamp(one.sent), "archive_url": "",
            "long_archive_url": "", "status": "sent" if one.sent else "save", "emails_sent": sums.recipients,
            "send_time": stamp(one.sent), "content_type": "html", "needs_block_refresh": False, "resendable": True,
            "recipients": {"list_id": audience.id, "list_is_active": True, "list_name": audience.name, "segment_text": "",
                           "recipient_count": sums.recipients},
            "settings": {"subject_line": one.title, "preview_text": "", "title": one.title, "from_name": "Sandbox",
                         "reply_to": "news@example.com", "template_id": 0},
            "tracking": {"opens": True, "html_clicks": True, "text_clicks": False},
            "report_summary": {
                "opens": sums.counts[OPEN], "unique_opens": sums.unique[OPEN],
                "open_rate": share(sums.unique[OPEN], sums.recipients), "clicks": sums.counts[CLICK],
                "subscriber_clicks": sums.unique[CLICK], "click_rate": share(sums.unique[CLICK], sums.recipients),
                "ecommerce": {"total_orders": 0, "total_spent": 0, "total_revenue": 0},
            },
            "delivery_status": {"enabled": False}, "_links": [],
        }

    @route("GET", "/3.0/automations")
    def automations(self, request: Request) -> Response:
        """None: journeys are not listed here either (observed: github.com issue mailchimp/mailchimp-client-lib-codegen#139)."""
        return self.told(request, {"automations": [], "total_items": 0, "_links": []})

    # --- reports

    @route("GET", "/3.0/reports")
    def all_reports(self, request: Request) -> Response:
        """Drafts have none."""
        self.mail.settle(self.clock.now())
        found = [one for one in self._between(request, ("send_time",)) if one.sent]
        page = [self._report(one) for one in found[asking.paging(request)]]
        return self.told(request, {"reports": page, "total_items": len(found), "_links": []})

    @route("GET", "/3.0/reports/{campaign}")
    def one_report(self, request: Request) -> Response:
        found = self.mail.campaigns[self._number(request)]
        if not found.sent:
            raise errors.missing()
        return self.told(request, self._report(found))

    def _report(self, one: Campaign) -> dict[str, Any]:
        """`last_open` and `last_click` are "" until the first; bounces and opt-outs are counts without a time
        (observed: estuary/connectors, source-mailchimp-native)."""
        sums = self.mail.sums(self.mail.campaigns.index(one))
        audience, counts, unique = self.audiences[one.audience], sums.counts, sums.unique
        return {
            "id": one.id, "campaign_title": one.title, "type": "regular", "list_id": audience.id, "list_is_active": True,
            "list_name": audience.name, "subject_line": one.title, "preview_text": "", "emails_sent": sums.recipients,
            "abuse_reports": counts[ABUSE], "unsubscribed": counts[UNSUBSCRIBE], "send_time": stamp(one.sent),
            "bounces": {"hard_bounces": sums.hard, "soft_bounces": counts[BOUNCE] - sums.hard, "syntax_errors": 0},
            "forwards": {"forwards_count": 0, "forwards_opens": 0},
            "opens": {"opens_total": counts[OPEN], "unique_opens": unique[OPEN],
                      "open_rate": share(unique[OPEN], sums.recipients), "last_open": stamp(sums.last[OPEN])},
            "clicks": {"clicks_total": counts[CLICK], "unique_clicks": unique[CLICK], "unique_subscriber_clicks": unique[CLICK],
                       "click_rate": share(unique[CLICK], sums.recipients), "last_click": stamp(sums.last[CLICK])},
            "list_stats": {"sub_rate": 0, "unsub_rate": 0, "open_rate": 0, "click_rate": 0},
            "ecommerce": {"total_orders": 0, "total_spent": 0, "total_revenue": 0, "currency_code": "USD"},
            "delivery_status": {"enabled": False}, "_links": [],
        }

    # --- activity

    def _recipients(self, number: int) -> Rows:
        found = self.mail.recipients_of(number)
        shown: Rows = found[self.people.rows["status"][self.mail.recipients["member"][found]] != GONE]
        return shown

    def _since(self, request: Request) -> Millis:
        """The exclusive bound, -1 without one. A fraction of a second is an error 500 (observed: github.com pull request
        airbytehq/airbyte#37434)."""
        text = request.one("since")
        if not text:
            return -1
        if "." in text:
            raise errors.refuse("InternalServerError")
        found = asking.moment(text)
        if found is None:
            raise errors.invalid_fields(since="This value is not a valid datetime.")
        return found

    @route("GET", "/3.0/reports/{campaign}/email-activity")
    def email_activity(self, request: Request) -> Response:
        """A row per recipient, whether or not something happened after `since`, which filters inside the rows only
        (observed: estuary/connectors, source-mailchimp-native)."""
        number = self._number(request)
        everybody = self._recipients(number)
        page = self._activity_rows(number, everybody[asking.paging(request)], self._since(request))
        return self.told(request, {"emails": page, "campaign_id": self.mail.campaigns[number].id,
                                   "total_items": len(everybody), "_links": []})

    @route("GET", "/3.0/reports/{campaign}/email-activity/{hash}")
    def activity_of_one(self, request: Request) -> Response:
        number = self._number(request)
        row = self.people.find(self.mail.campaigns[number].audience, request.params["hash"])
        mine = [one for one in self._recipients(number).tolist() if self.mail.recipients["member"][one] == row]
        if not mine:
            raise errors.missing()
        return self.told(request, self._activity_rows(number, np.array(mine), self._since(request))[0])

    def _activity_rows(self, number: int, recipients: Rows, since: Millis) -> list[dict[str, Any]]:
        acts = self.mail.of(recipients)
        kept = np.isin(acts["action"], (OPEN, CLICK, BOUNCE)) & (acts["at"] > since)
        acts = {name: column[kept] for name, column in acts.items()}
        done: list[list[dict[str, Any]]] = [[] for _ in recipients]
        times = stamps(acts["at"])
        columns = (acts[name].tolist() for name in ("slot", "action", "url", "ip", "hard"))
        for slot, action, url, ip, hard, at in zip(*columns, times, strict=True):
            done[slot].append(_act(action, at, url, ip, hard))
        rows = self._recipient_rows(number, recipients)
        for one, activity in zip(rows, done, strict=True):
            one["activity"] = activity
        return rows

    def _recipient_rows(self, number: int, recipients: Rows) -> list[dict[str, Any]]:
        """What every row about a recipient has."""
        campaign, people = self.mail.campaigns[number], self.people
        list_id = self.audiences[campaign.audience].id
        return [
            {"campaign_id": campaign.id, "list_id": list_id, "list_is_active": True, "email_id": people.hashes[row],
             "email_address": people.emails[row]}
            for row in self.mail.recipients["member"][recipients].tolist()
        ]

    def _full_rows(self, number: int, recipients: Rows) -> list[dict[str, Any]]:
        """The same with merge fields and vip."""
        audience = self.audiences[self.mail.campaigns[number].audience]
        members = self.mail.recipients["member"][recipients].tolist()
        rows = self._recipient_rows(number, recipients)
        for one, row in zip(rows, members, strict=True):
            one["merge_fields"] = self.merge_fields(row, audience)
            one["vip"] = bool(self.people.rows["vip"][row])
        return rows

    @route("GET", "/3.0/reports/{campaign}/sent-to")
    def sent_to(self, request: Request) -> Response:
        number = self._number(request)
        everybody = self._recipients(number)
        recipients = everybody[asking.paging(request)]
        rows = self._full_rows(number, recipients)
        acts = self.mail.of(recipients)
        for one, (status, opens, last) in zip(rows, _delivery(acts, len(recipients)), strict=True):
            one |= {"status": status, "open_count": opens, "last_open": stamp(last)}
        return self.told(request, {"sent_to": rows, "campaign_id": self.mail.campaigns[number].id,
                                   "total_items": len(everybody), "_links": []})

    @route("GET", "/3.0/reports/{campaign}/unsubscribed")
    def opted_out(self, request: Request) -> Response:
        number, rows, times, total = self._page_of(request, UNSUBSCRIBE)
        for one, at in zip(rows, times, strict=True):
            one |= {"timestamp": at, "reason": REASON}
        return self.told(request, {"unsubscribes": rows, "campaign_id": self.mail.campaigns[number].id,
                                   "total_items": total, "_links": []})

    @route("GET", "/3.0/reports/{campaign}/abuse-reports")
    def abuse_reports(self, request: Request) -> Response:
        """The vendor documents neither `count` nor `offset` here; both are taken, and without them everything comes (our
        choice)."""
        number, rows, times, total = self._page_of(request, ABUSE, asking.MOST)
        for one, at in zip(rows, times, strict=True):
            one |= {"id": int(token("abuse", one["campaign_id"], one["email_id"], length=7), 16), "date": at}
        return self.told(request, {"abuse_reports": rows, "campaign_id": self.mail.campaigns[number].id,
                                   "total_items": total, "_links": []})

    def _page_of(self, request: Request, action: int, default: int = 10) -> tuple[int, list[dict[str, Any]], list[str], int]:
        """Campaign, rows, times and total of those who did *action* (which happens once per recipient)."""
        number = self._number(request)
        recipients = self._recipients(number)
        acts = self.mail.of(recipients)
        mine = np.flatnonzero(acts["action"] == action)
        chosen = mine[asking.paging(request, default)]
        return number, self._full_rows(number, recipients[acts["slot"][chosen]]), stamps(acts["at"][chosen]), len(mine)

    @route("GET", "/3.0/reports/{campaign}/open-details")
    def open_details(self, request: Request) -> Response:
        number = self._number(request)
        recipients, acts = self._who(number, OPEN, self._since(request))
        everybody = recipients[np.unique(acts["slot"])] if len(acts["slot"]) else recipients[:0]
        page = everybody[asking.paging(request)]
        rows = self._full_rows(number, page)
        for one, recipient in zip(rows, page.tolist(), strict=True):
            times = acts["at"][recipients[acts["slot"]] == recipient]
            one |= {"opens_count": len(times), "opens": [{"timestamp": at} for at in stamps(times)],
                    "contact_status": self._contact_status(recipient)}
        return self.told(request, {"members": rows, "campaign_id": self.mail.campaigns[number].id, "_links": [],
                                   "total_opens": len(acts["at"]), "total_items": len(everybody)})

    def _who(self, number: int, action: int, since: Millis = -1) -> tuple[Rows, dict[str, npt.NDArray[Any]]]:
        recipients = self._recipients(number)
        acts = self.mail.of(recipients)
        kept = (acts["action"] == action) & (acts["at"] > since)
        return recipients, {name: column[kept] for name, column in acts.items()}

    def _contact_status(self, recipient: int) -> str:
        return STATUSES[self.people.status(int(self.mail.recipients["member"][recipient]))]

    @route("GET", "/3.0/reports/{campaign}/click-details")
    def click_details(self, request: Request) -> Response:
        number = self._number(request)
        campaign = self.mail.campaigns[number]
        _, acts = self._who(number, CLICK)
        total, rows = len(acts["at"]), []
        for n in np.unique(acts["url"]).tolist():
            mine = acts["url"] == n
            rows.append({
                "id": token("link", campaign.id, n), "url": URLS[n], "total_clicks": int(mine.sum()),
                "click_percentage": share(int(mine.sum()), total), "unique_clicks": len(np.unique(acts["slot"][mine])),
                "unique_click_percentage": share(len(np.unique(acts["slot"][mine])), total),
                "last_click": stamp(int(acts["at"][mine].max())), "campaign_id": campaign.id, "_links": [],
            })
        return self.told(request, {"urls_clicked": rows[asking.paging(request)], "campaign_id": campaign.id,
                                   "total_items": len(rows), "_links": []})

    @route("GET", "/3.0/reports/{campaign}/click-details/{url}/members")
    def clickers(self, request: Request) -> Response:
        number = self._number(request)
        campaign = self.mail.campaigns[number]
        url = next((n for n in range(len(URLS)) if token("link", campaign.id, n) == request.params["url"]), None)
        if url is None:
            raise errors.missing()
        recipients, acts = self._who(number, CLICK)
        slots, counts = np.unique(acts["slot"][acts["url"] == url], return_counts=True)
        part = asking.paging(request)
        rows = self._full_rows(number, recipients[slots[part]])
        for one, clicks, recipient in zip(rows, counts[part].tolist(), recipients[slots[part]].tolist(), strict=True):
            one |= {"clicks": clicks, "url_id": request.params["url"], "contact_status": self._contact_status(recipient)}
        return self.told(request, {"members": rows, "campaign_id": campaign.id, "total_items": len(slots), "_links": []})


def _act(action: int, at: str, url: int, ip: int, hard: bool) -> dict[str, Any]:
    if action == BOUNCE:
        return {"action": "bounce", "type": "hard" if hard else "soft", "timestamp": at}
    if action == CLICK:
        return {"action": "click", "timestamp": at, "url": URLS[url], "ip": address(ip)}
    return {"action": "open", "timestamp": at, "ip": address(ip)}


def _delivery(acts: dict[str, npt.NDArray[Any]], count: int) -> list[tuple[str, int, Millis]]:
    """Status, number of opens and last open per recipient."""
    found: list[tuple[str, int, Millis]] = [("sent", 0, 0)] * count
    columns = (acts[name].tolist() for name in ("slot", "action", "at", "hard"))
    for slot, action, at, hard in zip(*columns, strict=True):
        status, opens, last = found[slot]
        if action == OPEN:
            found[slot] = (status, opens + 1, max(last, at))
        elif action == BOUNCE:
            found[slot] = ("hard" if hard else "soft", opens, last)
    return found
