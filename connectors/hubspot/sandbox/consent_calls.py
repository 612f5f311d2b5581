"""Subscription types and what each address said to them.

Source: HubSpot API reference 2026-09, Subscription preferences. Reading many at once needs Marketing Hub Enterprise.
"""

from __future__ import annotations

from typing import Any

from connectors.hubspot.sandbox.errors import error, invalid, missing_scopes
from connectors.hubspot.sandbox.ground import batch, twin
from connectors.hubspot.sandbox.people import OPTED_OUT, STATUSES, SUBSCRIBED, SUBSCRIPTIONS, UNSUBSCRIBED
from connectors.hubspot.sandbox.permission import Permission
from connectors.hubspot.sandbox.times import iso
from connectors.sandbox.server import Refusal, Request, Response, json_response, route

READ, WRITE, MANY = ("communication_preferences.read",), ("communication_preferences.write",), (
    "communication_preferences.statuses.batch.read",)
MOST = 100
BASE, OLD = "/communication-preferences/{version}", "/communication-preferences/v4"


class ConsentCalls(Permission):
    """`/communication-preferences/{version}` ↔ `/communication-preferences/v4`"""

    @twin("GET", BASE + "/definitions", OLD + "/definitions", scopes=READ)
    def subscription_types(self, request: Request) -> Response:
        now = self.clock.now()
        answer = batch(now, [self._type(one, name) for one, name in SUBSCRIPTIONS.items()])
        return json_response(200, answer)

    def _type(self, identity: int, name: str) -> dict[str, Any]:
        return {
            "id": str(identity), "name": name, "description": f"{name} by e-mail", "purpose": "Marketing",
            "communicationMethod": "Email", "isActive": True, "isDefault": False, "isInternal": False, "businessUnitId": 0,
            "createdAt": iso(self.since), "updatedAt": iso(self.since),
        }

    @route("GET", "/email/public/v1/subscriptions", scopes=READ)
    def legacy_types(self, request: Request) -> Response:
        """The same in the legacy shape. Source: HubSpot legacy API docs, Email subscriptions."""
        found = [
            {"id": one, "portalId": self.account["id"], "name": name, "description": f"{name} by e-mail", "active": True,
             "internal": False, "category": "Marketing", "channel": "Email", "businessUnitId": 0}
            for one, name in SUBSCRIPTIONS.items()
        ]
        return json_response(200, {"subscriptionDefinitions": found})

    # --- one address

    @twin("GET", BASE + "/statuses/{email}", OLD + "/statuses/{email}", scopes=READ)
    def statuses(self, request: Request) -> Response:
        self._email_only(request.one("channel"))
        return json_response(200, batch(self.clock.now(), self._statuses(request.params["email"])))

    @twin("POST", BASE + "/statuses/{email}", OLD + "/statuses/{email}", consent=True, scopes=WRITE)
    def set_status(self, request: Request) -> Response:
        """Subscribing somebody again lifts an opt-out of everything."""
        wish = self.body(request)
        self._email_only(str(wish.get("channel", "")))
        subscription, state = wish.get("subscriptionId"), wish.get("statusState")
        if subscription not in SUBSCRIPTIONS or state not in STATUSES:
            invalid("subscriptionId or statusState is not valid")
        row = self._row(request)
        self.change_status(row, subscription, STATUSES.index(state))
        answered = [one for one in self._statuses(request.params["email"]) if one["subscriptionId"] == subscription]
        return json_response(200, batch(self.clock.now(), answered))

    @twin("GET", BASE + "/statuses/{email}/unsubscribe-all", OLD + "/statuses/{email}/unsubscribe-all", scopes=READ)
    def opt_out_status(self, request: Request) -> Response:
        """Empty when not opted out of everything; that is no permission."""
        self._email_only(request.one("channel"))
        return json_response(200, batch(self.clock.now(), self._wide(request.params["email"])))

    @twin("POST", BASE + "/statuses/{email}/unsubscribe-all", OLD + "/statuses/{email}/unsubscribe-all", consent=True, scopes=WRITE)
    def opt_out_all(self, request: Request) -> Response:
        self._email_only(request.one("channel"))
        self.opt_out(self._row(request))
        return json_response(200, batch(self.clock.now(), self._statuses(request.params["email"])))

    # --- many

    @twin("POST", BASE + "/statuses/batch/read", OLD + "/statuses/batch/read", scopes=MANY)
    def batch_statuses(self, request: Request) -> Response:
        found = [{"subscriberIdString": one, "statuses": self._statuses(one)} for one in self._addresses(request)]
        return json_response(200, batch(self.clock.now(), found))

    @twin("POST", BASE + "/statuses/batch/unsubscribe-all/read", OLD + "/statuses/batch/unsubscribe-all/read", scopes=MANY)
    def batch_opt_out_status(self, request: Request) -> Response:
        found = [{"subscriberIdString": one, "wideStatuses": self._wide(one)} for one in self._addresses(request)]
        return json_response(200, batch(self.clock.now(), found))

    def _addresses(self, request: Request) -> list[str]:
        self._email_only(request.one("channel"))
        if self.switches["no_batch_statuses"]:
            raise Refusal(missing_scopes(MANY))
        inputs = self.body(request).get("inputs")
        if not isinstance(inputs, list) or not inputs or len(inputs) > MOST:
            invalid(f"inputs must be a list of at most {MOST} addresses")
        return [str(one) for one in inputs]

    # --- help

    @staticmethod
    def _email_only(channel: str) -> None:
        if channel != "EMAIL":
            invalid("channel must be EMAIL")

    def _row(self, request: Request) -> int:
        row = self.people.at_address(request.params["email"])
        if row < 0:
            raise Refusal(error(404, "No contact has that address", "OBJECT_NOT_FOUND"))
        return row

    def _statuses(self, email: str) -> list[dict[str, Any]]:
        """One per subscription type; an unknown address said nothing."""
        row, rows = self.people.at_address(email), self.people.rows
        out = row >= 0 and rows["optout"][row] == OPTED_OUT
        found = []
        for subscription, name in SUBSCRIPTIONS.items():
            code = int(rows[f"status_{subscription}"][row]) if row >= 0 else 0
            at = int(rows["optout_at" if out else f"status_at_{subscription}"][row]) if row >= 0 else 0
            one: dict[str, Any] = {
                "channel": "EMAIL", "subscriberIdString": email, "subscriptionId": subscription, "subscriptionName": name,
                "status": STATUSES[UNSUBSCRIBED if out else code], "source": "Preferences page" if code or out else "",
                "timestamp": iso(at or self.since), "businessUnitId": 0,
            }
            if code == SUBSCRIBED and not out:
                one |= {"legalBasis": "CONSENT_WITH_NOTICE", "legalBasisExplanation": "Signed up on the website"}
            found.append(one)
        return found

    def _wide(self, email: str) -> list[dict[str, Any]]:
        row = self.people.at_address(email)
        if row < 0 or self.people.rows["optout"][row] != OPTED_OUT:
            return []
        return [{
            "channel": "EMAIL", "subscriberIdString": email, "status": STATUSES[UNSUBSCRIBED], "wideStatusType": "PORTAL_WIDE",
            "timestamp": iso(int(self.people.rows["optout_at"][row])),
        }]
