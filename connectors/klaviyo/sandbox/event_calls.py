"""Events, metrics and the account: reading them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from connectors.klaviyo.sandbox import fieldsets
from connectors.klaviyo.sandbox.campaign_calls import CampaignCalls
from connectors.klaviyo.sandbox.documents import Ask, Found, Keep, Reads, Rows, everyone, page, picked, related, single, walk
from connectors.klaviyo.sandbox.errors import missing
from connectors.klaviyo.sandbox.filters import DATE, RANGES, bounds, rule, wanted
from connectors.klaviyo.sandbox.happenings import SHIFT
from connectors.klaviyo.sandbox.identity import event_id, event_row
from connectors.klaviyo.sandbox.people import iso
from connectors.sandbox.server import Request, Response, route

EVENT_FIELDS = {
    "event": fieldsets.EVENT, "metric": fieldsets.METRIC, "profile": frozenset(fieldsets.PLAIN), "attribution": frozenset(()),
}
INCLUDES = ("attributions", "metric", "profile")
ONE_EVENT = Reads(includes=INCLUDES, fields=EVENT_FIELDS)
METRICS = Reads(
    paged=True, includes=("flow-triggers",), fields={"metric": fieldsets.METRIC, "flow": fieldsets.FLOW},
    rules={"integration.name": rule("text", "equals"), "integration.category": rule("text", "equals")},
)
ONE_METRIC = Reads(includes=("flow-triggers",), fields=METRICS.fields)
METRIC_FLOWS = Reads(fields={"flow": fieldsets.FLOW})
ACCOUNTS = Reads(fields={"account": fieldsets.ACCOUNT})


class EventCalls(CampaignCalls):
    """/api/events, /api/metrics, /api/accounts."""

    @route("GET", "/api/events", tier="XL", scopes=("events:read",))
    def get_events(self, request: Request) -> Response:
        wish = self.ask(request, self._event_reads())
        found = self._events(wish)
        data = [self.event(request, row, wish) for row in found.rows]
        return page(request, data, found.cursor, self._beside(request, found.rows, wish))

    def _event_reads(self) -> Reads:
        """Source: Klaviyo OpenAPI, get_events. The most per page is 1000 there and 200 in the prose: a switch."""
        return Reads(
            size=(200, self.switches["event_page_most"]), sorts=("datetime", "timestamp"), includes=INCLUDES, fields=EVENT_FIELDS,
            rules={
                "metric_id": rule("text", "equals"), "profile_id": rule("text", "equals"), "profile": rule("none", "has"),
                "metric": rule("none", "has"), "datetime": DATE, "timestamp": rule("number", *RANGES),
            },
        )

    def _events(self, wish: Ask) -> Found:
        """Rows of a page. One profile's events, or one metric's, are found through an order of their own."""
        columns = self.events.columns
        within = bounds(wish.found, "datetime", "timestamp")
        profiles, metrics = wanted(wish.found, "profile_id"), wanted(wish.found, "metric_id")
        profile = None if profiles is None else [row for row in map(self.people.find, profiles) if row >= 0]
        metric = None if metrics is None else [n for n in map(self.events.metric_index, metrics) if n >= 0]
        if profile == [] or metric == []:
            return Found([])
        column, first = "at", 0
        if profile:
            column, first = "profile_at", profile[0]
        elif metric and len(metric) == 1:
            column, first = "metric_at", metric[0]
        values = columns[column]
        base = first << SHIFT if column != "at" else 0
        least = 0 if column == "at" else base
        most = None if column == "at" else (first + 1) << SHIFT
        low, high = max(base + within.low, least), base + within.high
        return walk(
            columns.order(column), lambda row: int(values[row]), wish, self._events_kept(metric), low,
            high if most is None else min(high, most),
        )

    def _events_kept(self, metric: list[int] | None) -> Keep:
        columns, alive, now = self.events.columns, self.people.columns["alive"], self.clock.now()
        profile, visible, metrics = columns["profile"], columns["visible"], columns["metric"]

        def keep(rows: Rows) -> npt.NDArray[np.bool_]:
            kept: npt.NDArray[np.bool_] = alive[profile[rows]] & (visible[rows] <= now)
            return kept if metric is None else kept & np.isin(metrics[rows], metric)

        return keep

    @route("GET", "/api/events/{id}", tier="M", scopes=("events:read",))
    def get_event(self, request: Request) -> Response:
        wish = self.ask(request, ONE_EVENT)
        row = event_row(request.params["id"])
        if not 0 <= row < len(self.events) or not self._events_kept(None)(np.array([row]))[0]:
            missing("event", request.params["id"])
        return single(request, self.event(request, row, wish), included=self._beside(request, [row], wish))

    def event(self, request: Request, row: int, wish: Ask) -> dict[str, Any]:
        """The resource. Its relationships stay with a sparse fieldset: they hold the ids of profile and metric."""
        columns = self.events.columns
        identity, root = event_id(row), f"{request.base}/api/events/"
        metric, profile = self.events.metrics[columns["metric"][row]].id, self.people.ids[columns["profile"][row]]
        names = wish.fields.get("event")
        relations = {
            kind: {
                "data": {"type": kind, "id": other},
                "links": {"self": f"{root}{identity}/relationships/{kind}/", "related": f"{root}{identity}/{kind}/"},
            } for kind, other in (("profile", profile), ("metric", metric))
        }
        return {
            "type": "event", "id": identity, "attributes": picked(self.events.attributes(row), names), "relationships": relations,
            "links": {"self": f"{root}{identity}/"},
        }

    def _beside(self, request: Request, rows: list[int], wish: Ask) -> list[Any] | None:
        """What `include` brings along, each resource once."""
        if not wish.include:
            return None
        columns, made = self.events.columns, []
        if "metric" in wish.include:
            made += [self.metric(request, int(n), wish) for n in np.unique(columns["metric"][rows])] if rows else []
        if "profile" in wish.include:
            made += [self.profile(request, int(n), wish) for n in np.unique(columns["profile"][rows])] if rows else []
        return made

    @route("GET", "/api/metrics", tier="M", scopes=("metrics:read",))
    def get_metrics(self, request: Request) -> Response:
        wish = self.ask(request, METRICS)
        kept = [
            n for n, metric in enumerate(self.events.metrics)
            if all(metric.integration[condition.field.split(".")[1]] == condition.values[0] for condition in wish.found)
        ]
        found = walk(np.array(kept, np.int64), int, wish, everyone)
        return page(request, [self.metric(request, n, wish) for n in found.rows], found.cursor, [] if wish.include else None)

    @route("GET", "/api/metrics/{id}", tier="M", scopes=("metrics:read",))
    def get_metric(self, request: Request) -> Response:
        wish = self.ask(request, ONE_METRIC)
        return single(request, self.metric(request, self._metric_of(request), wish))

    @route("GET", "/api/metrics/{id}/flow-triggers", tier="M", scopes=("flows:read", "metrics:read"))
    def get_metric_flows(self, request: Request) -> Response:
        self.ask(request, METRIC_FLOWS)
        self._metric_of(request)
        return page(request, [], "")

    def _metric_of(self, request: Request) -> int:
        index = self.events.metric_index(request.params["id"])
        if index < 0:
            missing("metric", request.params["id"])
        return index

    def metric(self, request: Request, index: int, wish: Ask) -> dict[str, Any]:
        metric = self.events.metrics[index]
        attributes = {
            "name": metric.name, "created": iso(metric.created), "updated": iso(metric.created),
            "integration": dict(metric.integration),
        }
        names = wish.fields.get("metric")
        made = {"type": "metric", "id": metric.id, "attributes": picked(attributes, names)}
        if names is None:
            made["relationships"] = related(request.base, "metrics", metric.id, "flow-triggers")
        return made | {"links": {"self": f"{request.base}/api/metrics/{metric.id}/"}}

    # the account

    @route("GET", "/api/accounts", tier="XS", scopes=("accounts:read",))
    def get_accounts(self, request: Request) -> Response:
        wish = self.ask(request, ACCOUNTS)
        return page(request, [self._account(request, wish)], "")

    @route("GET", "/api/accounts/{id}", tier="XS", scopes=("accounts:read",))
    def get_account(self, request: Request) -> Response:
        wish = self.ask(request, ACCOUNTS)
        if request.params["id"] != self.account["id"]:
            missing("account", request.params["id"])
        return single(request, self._account(request, wish))

    def _account(self, request: Request, wish: Ask) -> dict[str, Any]:
        identity, name = self.account["id"], self.account["name"]
        attributes = {
            "test_account": True,
            "contact_information": {
                "default_sender_name": name, "default_sender_email": "hello@shop.example", "website_url": "https://shop.example",
                "organization_name": name,
                "street_address": {
                    "address1": "1 Example Street", "address2": "", "city": "Exampletown", "region": "", "country": "", "zip": "",
                },
            },
            "industry": None, "timezone": "UTC", "preferred_currency": "USD", "public_api_key": identity, "locale": "en-US",
        }
        return {"type": "account", "id": identity, "attributes": picked(attributes, wish.fields.get("account")),
                "links": {"self": f"{request.base}/api/accounts/{identity}/"}}
