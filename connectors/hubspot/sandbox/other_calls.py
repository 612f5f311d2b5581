"""The account, its daily usage, forms, and deals in their oldest shape.

Source: HubSpot API reference 2026-09, Account information; legacy docs, Forms and Form integrations, Deals v1 (as
singer-io/tap-hubspot reads them).
"""

from __future__ import annotations

from typing import Any

from connectors.hubspot.sandbox.errors import invalid, not_there
from connectors.hubspot.sandbox.ground import twin
from connectors.hubspot.sandbox.links import Links
from connectors.hubspot.sandbox.paging import sealed, unsealed
from connectors.hubspot.sandbox.records import ARCHIVED, LIVE
from connectors.hubspot.sandbox.times import iso
from connectors.sandbox.server import Request, Response, json_response, route

SIGNUP, BLOG = "0f0d8f2e-1111-4000-8000-000000000001", "0f0d8f2e-2222-4000-8000-000000000002"
FORMS = {SIGNUP: ("Newsletter sign-up", "hubspot"), BLOG: ("Blog comments", "blog_comment")}
EACH = 20                                           # one contact in so many came by the form
MOST_SUBMISSIONS = 50


class OtherCalls(Links):
    """What is left."""

    # --- the account

    @route("GET", "/integrations/v1/me")
    @twin("GET", "/account-info/{version}/details", "/account-info/v3/details")
    def details(self, request: Request) -> Response:
        """HubSpot's accounts have no name."""
        ahead = self.limits.offset(self.clock.now())
        return json_response(200, {
            "portalId": self.account["id"], "accountType": "STANDARD", "timeZone": self.zone.key,
            "utcOffset": f"{'-' if ahead < 0 else '+'}{abs(ahead) // 3_600_000:02d}:{abs(ahead) // 60_000 % 60:02d}",
            "utcOffsetMilliseconds": ahead, "companyCurrency": "USD", "additionalCurrencies": [], "uiDomain": "app-eu1.hubspot.com",
            "dataHostingLocation": "eu1",
        })

    @twin("GET", "/account-info/{version}/api-usage/daily/private-apps", "/account-info/v3/api-usage/daily/private-apps")
    def daily_usage(self, request: Request) -> Response:
        """Collected every five minutes."""
        now = self.clock.now()
        at, used = self.limits.told(now)
        return json_response(200, {"results": [{
            "name": "private-apps-api-calls-daily", "usageLimit": self.limits.daily, "currentUsage": used, "collectedAt": iso(at),
            "fetchStatus": "SUCCESS", "resetsAt": iso(self.limits.midnight(now)),
        }]})

    # --- forms

    @route("GET", "/forms/v2/forms", scopes=("forms",))
    def bare_forms(self, request: Request) -> Response:
        """An array."""
        found = [
            {"guid": guid, "portalId": self.account["id"], "name": name, "formType": kind.upper(), "createdAt": self.since,
             "updatedAt": self.since, "deletedAt": 0, "formFieldGroups": []}
            for guid, (name, kind) in FORMS.items()
        ]
        return json_response(200, found)

    @route("GET", "/marketing/v3/forms", scopes=("forms",))
    def forms(self, request: Request) -> Response:
        found = [
            {"id": guid, "name": name, "formType": kind, "createdAt": iso(self.since), "updatedAt": iso(self.since), "archived": False}
            for guid, (name, kind) in FORMS.items()
        ]
        return json_response(200, {"results": found})

    @route("GET", "/form-integrations/v1/submissions/forms/{form}", scopes=("forms",))
    def submissions(self, request: Request) -> Response:
        """Newest first, at most 50; comments of a blog are refused."""
        form, limit = request.params["form"], self.limit_of(request, MOST_SUBMISSIONS, MOST_SUBMISSIONS)
        if form not in FORMS:
            not_there()
        if FORMS[form][1] == "blog_comment":
            invalid(f"Form {form} is of a type whose submissions cannot be read", errors=[
                {"message": "The form type is not allowed", "code": "FORM_TYPE_NOT_ALLOWED"}])
        place = unsealed(request.one("after")) or [0]
        rows = self._submitters()
        page = rows[place[0] : place[0] + limit]
        answer: dict[str, Any] = {"results": [self._submission(row) for row in page]}
        if place[0] + limit < len(rows):
            answer["paging"] = {"next": {"after": sealed([place[0] + limit])}}
        return json_response(200, answer)

    def _submitters(self) -> list[int]:
        people = self.people
        rows = [row for row in range(0, len(people), EACH) if people.rows["state"][row] == LIVE]
        return sorted(rows, key=lambda row: (-int(people.rows["created"][row]), -row))

    def _submission(self, row: int) -> dict[str, Any]:
        people = self.people
        values = [{"name": name, "value": people.text[name][row], "objectTypeId": people.kind.type_id}
                  for name in ("email", "firstname") if people.text[name][row]]
        return {
            "conversionId": f"00000000-0000-4000-8000-{row:012x}", "submittedAt": int(people.rows["created"][row]),
            "pageUrl": "https://shop.example/signup", "values": values,
        }

    # --- deals as of v1

    @route("GET", "/deals/v1/deal/paged", scopes=("crm.objects.deals.read",))
    def deals_paged(self, request: Request) -> Response:
        """Ascending ids, each property with when and by what it was set."""
        limit, start = self.limit_of(request, 20, 250), request.one("offset")
        rows = self.deals.following(int(start) if start.isdigit() else 0, limit + 1, LIVE)
        found = [self._old_deal(row) for row in rows[:limit]]
        offset = rows[limit] if len(rows) > limit else len(self.deals)
        return json_response(200, {"deals": found, "hasMore": len(rows) > limit, "offset": offset})

    def _old_deal(self, row: int) -> dict[str, Any]:
        deals, people = self.deals, self.people
        at, contact = int(deals.rows["modified"][row]), int(deals.rows["contact"][row])
        return {
            "portalId": self.account["id"], "dealId": int(deals.kind.id_of(row)),
            "isDeleted": bool(deals.rows["state"][row] == ARCHIVED),
            "associations": {
                "associatedVids": [int(people.kind.id_of(contact))] if contact >= 0 else [], "associatedCompanyIds": [],
                "associatedDealIds": [], "associatedTicketIds": [],
            },
            "properties": {
                name: {"value": value, "timestamp": at, "source": "API", "sourceId": None, "versions": []}
                for name, value in deals.properties(row).items()
            },
        }
