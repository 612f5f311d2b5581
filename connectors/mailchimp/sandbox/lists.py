"""The account and its audiences: `/`, `/ping`, `/lists`, merge fields, interests, activity of no person."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from connectors.mailchimp.sandbox import asking, errors
from connectors.mailchimp.sandbox.audiences import FIELD_TYPES, Audience, MergeField
from connectors.mailchimp.sandbox.ground import Ground, stamp
from connectors.mailchimp.sandbox.people import ARCHIVED, CLEANED, GONE, SUBSCRIBED, UNSUBSCRIBED
from connectors.sandbox.server import Request, Response, route

COMPANY = {"company": "Sandbox Inc", "address1": "1 Sand Street", "address2": "", "city": "Beach", "state": "NY",
           "zip": "10001", "country": "US", "phone": ""}
FIELD_BODY = {"name": str, "type": str, "tag": str, "required": bool, "default_value": str, "public": bool, "options": dict,
              "help_text": str, "display_order": int}


class Lists(Ground):
    """Handlers that concern no single person."""

    @route("GET", "/3.0/")
    @route("GET", "/3.0")
    def account_root(self, request: Request) -> Response:
        live = np.isin(self.people.rows["status"], (ARCHIVED, GONE), invert=True)
        return self.told(request, {
            "account_id": self.account["id"], "login_id": self.account["id"] + "01", "account_name": self.account["name"],
            "email": "owner@example.com", "first_name": "Sandy", "last_name": "Box", "username": "sandbox",
            "avatar_url": "", "role": "owner", "member_since": stamp(self.audiences[0].created),
            "pricing_plan_type": "monthly", "first_payment": "", "account_timezone": "UTC", "account_industry": "ecommerce",
            "contact": {"company": "Sandbox Inc", "addr1": "1 Sand Street", "addr2": "", "city": "Beach", "state": "NY",
                        "zip": "10001", "country": "US"},
            "pro_enabled": False, "last_login": stamp(self.clock.now()), "total_subscribers": int(live.sum()),
            "industry_stats": {"open_rate": 0.21, "bounce_rate": 0.01, "click_rate": 0.03},
        })

    @route("GET", "/3.0/ping")
    def ping(self, request: Request) -> Response:
        return self.told(request, {"health_status": "Everything's Chimpy!"})

    @route("GET", "/3.0/lists")
    def all_lists(self, request: Request) -> Response:
        since, before = asking.window(request, "date_created")
        found = [n for n, one in enumerate(self.audiences)
                 if (since is None or one.created > since) and (before is None or one.created <= before)]
        if request.one("email"):
            found = [n for n in found if self.people.find(n, request.one("email")) is not None]
        page = [self._list(n, one) for n, one in enumerate(self.audiences) if n in found[asking.paging(request)]]
        many = len(self.audiences)
        return self.told(request, {
            "lists": page, "total_items": len(found), "_links": [self.link("self", "/lists", request)],
            "constraints": {"may_create": False, "max_instances": many, "current_total_instances": many},
        })

    @route("GET", "/3.0/lists/{list}")
    def one_list(self, request: Request) -> Response:
        return self.told(request, self._list(*self.audience_of(request)))

    def _list(self, number: int, one: Audience) -> dict[str, Any]:
        return {
            "id": one.id, "web_id": 600_001 + number, "name": one.name, "contact": COMPANY,
            "permission_reminder": "You opted in in our shop.", "use_archive_bar": True,
            "campaign_defaults": {"from_name": "Sandbox", "from_email": "news@example.com", "subject": "", "language": "en"},
            "notify_on_subscribe": "", "notify_on_unsubscribe": "", "date_created": stamp(one.created), "list_rating": 3,
            "email_type_option": False, "subscribe_url_short": "http://eep.example/s",
            "subscribe_url_long": f"https://sandbox.us1.list-manage.example/subscribe?u=0&id={one.id}",
            "beamer_address": f"us1-{one.id}@inbound.example", "visibility": "prv",
            "double_optin": one.double_optin or self.switches["double_optin"], "has_welcome": False,
            "marketing_permissions": False, "modules": [], "stats": self._list_stats(number, one), "_links": [],
        }

    def _list_stats(self, number: int, one: Audience) -> dict[str, Any]:
        here = self.people.rows["audience"] == number
        counts = np.bincount(self.people.rows["status"][here], minlength=GONE + 1)
        sent = [campaign.sent for campaign in self.mail.campaigns if campaign.audience == number and campaign.sent]
        opted = self.people.rows["opted"][here]
        return {
            "member_count": int(counts[SUBSCRIBED]), "total_contacts": int(counts.sum() - counts[GONE]),
            "unsubscribe_count": int(counts[UNSUBSCRIBED]), "cleaned_count": int(counts[CLEANED]),
            "member_count_since_send": 0, "unsubscribe_count_since_send": 0, "cleaned_count_since_send": 0,
            "campaign_count": len(sent), "campaign_last_sent": stamp(max(sent, default=0)),
            "merge_field_count": len(one.fields), "avg_sub_rate": 0, "avg_unsub_rate": 0, "target_sub_rate": 0,
            "open_rate": 0, "click_rate": 0, "last_sub_date": stamp(int(opted.max()) if len(opted) else 0),
            "last_unsub_date": "",
        }

    # --- merge fields

    @route("GET", "/3.0/lists/{list}/merge-fields")
    def merge_fields_of(self, request: Request) -> Response:
        _, audience = self.audience_of(request)
        kind = asking.choice(request, "type", FIELD_TYPES)
        found = [one for one in audience.fields if not kind or one.kind == kind]
        if request.one("required"):
            found = [one for one in found if one.required == asking.flag(request, "required")]
        page = [one.record(audience.id) for one in found[asking.paging(request)]]
        return self.told(request, {"merge_fields": page, "list_id": audience.id, "total_items": len(found), "_links": []})

    @route("POST", "/3.0/lists/{list}/merge-fields")
    def add_merge_field(self, request: Request) -> Response:
        """A tag that is taken is refused (the vendor does not document it; our choice)."""
        _, audience = self.audience_of(request)
        sent = asking.body(request)
        asking.checked(sent, FIELD_BODY, ("name", "type"))
        if sent["type"] not in FIELD_TYPES:
            raise errors.invalid_fields(type="The value you selected is not a valid choice.")
        tag = sent.get("tag") or re.sub(r"\W", "", sent["name"]).upper()[:10]
        if len(tag) > 10:
            raise errors.invalid_fields(tag="This value is too long. It should have 10 characters or less.")
        if audience.field_of(tag.upper()):
            raise errors.invalid(f"A Merge Field with the tag \"{tag.upper()}\" already exists for this list.")
        made = audience.add_field(
            tag.upper(), sent["name"], sent["type"], required=sent.get("required", False), public=sent.get("public", False),
            default=sent.get("default_value", ""), help=sent.get("help_text", ""),
            choices=list(sent.get("options", {}).get("choices", [])),
        )
        return self.told(request, made.record(audience.id))

    def _merge_field(self, request: Request) -> tuple[Audience, MergeField]:
        _, audience = self.audience_of(request)
        found = next((one for one in audience.fields if str(one.id) == request.params["merge"]), None)
        if found is None:
            raise errors.missing()
        return audience, found

    @route("GET", "/3.0/lists/{list}/merge-fields/{merge}")
    def one_merge_field(self, request: Request) -> Response:
        audience, found = self._merge_field(request)
        return self.told(request, found.record(audience.id))

    @route("PATCH", "/3.0/lists/{list}/merge-fields/{merge}")
    def change_merge_field(self, request: Request) -> Response:
        audience, found = self._merge_field(request)
        sent = asking.body(request)
        asking.checked(sent, FIELD_BODY)
        found.name, found.required = sent.get("name", found.name), sent.get("required", found.required)
        found.public, found.default = sent.get("public", found.public), sent.get("default_value", found.default)
        found.help = sent.get("help_text", found.help)
        found.choices = sent.get("options", {}).get("choices", found.choices)
        return self.told(request, found.record(audience.id))

    # --- interests

    @route("GET", "/3.0/lists/{list}/interest-categories")
    def interest_categories(self, request: Request) -> Response:
        _, audience = self.audience_of(request)
        found = [{"list_id": audience.id, "id": audience.category, "title": "Topics", "display_order": 0,
                  "type": "checkboxes", "_links": []}] if audience.interests else []
        return self.told(request, {
            "list_id": audience.id, "categories": found[asking.paging(request)], "total_items": len(found), "_links": []})

    @route("GET", "/3.0/lists/{list}/interest-categories/{category}/interests")
    def interests_of(self, request: Request) -> Response:
        """`subscriber_count` is a text (observed: estuary/connectors, source-mailchimp-native)."""
        number, audience = self.audience_of(request)
        if not audience.interests or request.params["category"] != audience.category:
            raise errors.missing()
        bits = self.people.rows["interests"][self.people.listed(number, self.clock.now())]
        found = [
            {"category_id": audience.category, "list_id": audience.id, "id": one, "name": name,
             "subscriber_count": str(int((bits >> n & 1).sum())), "display_order": n + 1, "_links": []}
            for n, (one, name) in enumerate(audience.interests.items())
        ]
        return self.told(request, {"interests": found[asking.paging(request)], "list_id": audience.id,
                                   "category_id": audience.category, "total_items": len(found), "_links": []})

