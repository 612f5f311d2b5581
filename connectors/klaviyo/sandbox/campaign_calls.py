"""Campaigns, in both of their shapes, and what other clients read beside them: messages, estimates, templates, flows.

All campaigns here are e-mail campaigns that were sent and that nobody archived.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from connectors.klaviyo.sandbox import fieldsets
from connectors.klaviyo.sandbox.documents import Ask, Reads, everyone, page, picked, related, single, walk
from connectors.klaviyo.sandbox.errors import bad_parameter, missing
from connectors.klaviyo.sandbox.filters import DATE, TEXT, bounds, rule, wanted
from connectors.klaviyo.sandbox.group_calls import FIELDS, GroupCalls
from connectors.klaviyo.sandbox.happenings import Campaign
from connectors.klaviyo.sandbox.people import iso
from connectors.klaviyo.sandbox.state import OMNICHANNEL
from connectors.sandbox.server import Request, Response, route

_CAMPAIGN_RULES = {
    "id": rule("text", "any"), "name": rule("text", "contains"), "archived": rule("flag", "equals"), "created_at": DATE,
    "updated_at": DATE,
}
CAMPAIGNS = Reads(
    size=(100, 100), sorts=("created_at", "id", "name", "scheduled_at", "updated_at"), includes=("campaign-messages", "tags"),
    fields={"campaign": fieldsets.CAMPAIGN, "campaign-message": fieldsets.MESSAGE, "tag": fieldsets.TAG},
    rules={**_CAMPAIGN_RULES, "messages.channel": rule("text", "equals"), "status": TEXT, "scheduled_at": DATE},
    needs_filter=True, young=True,
)
OMNI_CAMPAIGNS = Reads(
    size=(100, 100), sorts=("created_at", "id", "name", "updated_at"), includes=("campaign-audiences", "tags"),
    fields={**CAMPAIGNS.fields, "campaign": fieldsets.OMNI_CAMPAIGN, "campaign-audience": frozenset(("definition",))},
    rules={**_CAMPAIGN_RULES, "builder": rule("text", "equals")}, young=True,
)
ONE_CAMPAIGN = Reads(includes=CAMPAIGNS.includes, fields=CAMPAIGNS.fields)
MESSAGES = Reads(includes=("campaign", "template"), fields=CAMPAIGNS.fields)
_NAMED = rule("text", "contains", "ends-with", "equals", "starts-with")
FLOWS = Reads(
    size=(50, 50), sorts=("created", "id", "name", "status", "trigger_type", "updated"), fields=FIELDS, includes=("tags",),
    rules={"id": rule("text", "any"), "name": _NAMED, "status": rule("text", "equals"), "archived": rule("flag", "equals"),
           "created": DATE, "updated": DATE},
    young=True,
)
TEMPLATES = Reads(
    size=(10, 10), sorts=("created", "id", "name", "updated"), fields={"template": frozenset(("name",))},
    rules={"id": TEXT, "name": _NAMED, "created": DATE, "updated": DATE}, young=True,
)


class CampaignCalls(GroupCalls):
    """/api/campaigns, /api/flows, /api/templates."""

    @route("GET", "/api/campaigns", tier="M", scopes=("campaigns:read",))
    def get_campaigns(self, request: Request) -> Response:
        omni = self.revision(request) >= OMNICHANNEL
        wish = self.ask(request, OMNI_CAMPAIGNS if omni else CAMPAIGNS)
        if not omni and wanted(wish.found, "messages.channel") is None:
            bad_parameter("filter", "A filter on messages.channel is required.")
        campaigns = sorted(self.events.campaigns.values(), key=lambda campaign: campaign.id)
        kept = [n for n, campaign in enumerate(campaigns) if _campaign_kept(campaign, wish)]
        keys = [_campaign_key(campaign, wish.sort) for campaign in campaigns]
        found = walk(np.array(sorted(kept, key=lambda n: (keys[n], n)), np.int64), lambda n: keys[n], wish, everyone)
        shape = _omni_campaign if omni else _campaign
        data = [self._campaign(request, campaigns[n], shape(campaigns[n], self._newsletter()), wish) for n in found.rows]
        return page(request, data, found.cursor, [] if wish.include else None)

    def _newsletter(self) -> str:
        return next(iter(self.lists.by_id), "")

    @staticmethod
    def _campaign(request: Request, campaign: Campaign, attributes: dict[str, Any], wish: Ask) -> dict[str, Any]:
        return {
            "type": "campaign", "id": campaign.id, "attributes": picked(attributes, wish.fields.get("campaign")),
            "relationships": related(request.base, "campaigns", campaign.id, "campaign-messages", "tags"),
            "links": {"self": f"{request.base}/api/campaigns/{campaign.id}/"},
        }

    @route("GET", "/api/campaigns/{id}", tier="M", scopes=("campaigns:read",))
    def get_campaign(self, request: Request) -> Response:
        wish = self.ask(request, ONE_CAMPAIGN)
        campaign = self._campaign_of(request)
        shape = _omni_campaign if self.revision(request) >= OMNICHANNEL else _campaign
        return single(request, self._campaign(request, campaign, shape(campaign, self._newsletter()), wish))

    @route("GET", "/api/campaigns/{id}/campaign-messages", tier="M", scopes=("campaigns:read",))
    def get_messages(self, request: Request) -> Response:
        """One message per campaign, under the campaign's own id: what mail events hold as `$message`."""
        self.ask(request, MESSAGES)
        campaign = self._campaign_of(request)
        content = {"subject": campaign.name, "from_email": "hello@shop.example"}
        definition = {"channel": "email", "label": campaign.name, "content": content}
        return page(request, [{
            "type": "campaign-message", "id": campaign.id, "links": {"self": f"{request.base}/api/campaign-messages/{campaign.id}/"},
            "attributes": {"definition": definition, "created_at": iso(campaign.at), "updated_at": iso(campaign.at)},
        }], "")

    @route("GET", "/api/campaign-recipient-estimations/{id}", tier="M", scopes=("campaigns:read",))
    def get_estimate(self, request: Request) -> Response:
        self.ask(request, Reads(fields={"campaign-recipient-estimation": frozenset(("estimated_recipient_count",))}))
        campaign = self._campaign_of(request)
        columns = self.events.columns
        number = next(n for n, known in self.events.campaigns.items() if known is campaign)
        sent = (columns["campaign"] == number) & (columns["metric"] == self.events.by_name["Received Email"])
        return single(request, {
            "type": "campaign-recipient-estimation", "id": campaign.id,
            "attributes": {"estimated_recipient_count": int(np.count_nonzero(sent))},
            "links": {"self": f"{request.base}/api/campaign-recipient-estimations/{campaign.id}/"},
        })

    def _campaign_of(self, request: Request) -> Campaign:
        found = [campaign for campaign in self.events.campaigns.values() if campaign.id == request.params["id"]]
        if not found:
            missing("campaign", request.params["id"])
        return found[0]

    @route("GET", "/api/templates", tier="L", scopes=("templates:read",))
    def get_templates(self, request: Request) -> Response:
        """There are none."""
        self.ask(request, TEMPLATES)
        return page(request, [], "")

    @route("GET", "/api/flows", tier="S", scopes=("flows:read",))
    def get_flows(self, request: Request) -> Response:
        wish = self.ask(request, FLOWS)
        shown = [] if wanted(wish.found, "archived") == [True] else list(self.flows)
        return page(request, [self._flow(request, flow) for flow in shown], "")


def _campaign_kept(campaign: Campaign, wish: Ask) -> bool:
    """All campaigns are sent e-mail campaigns that nobody archived."""
    facts = {"id": campaign.id, "messages.channel": "email", "archived": False, "status": "Sent"}
    for field, value in facts.items():
        values = wanted(wish.found, field)
        if values is not None and value not in values:
            return False
    if any(condition.field == "name" and condition.values[0] not in campaign.name for condition in wish.found):
        return False
    within = bounds(wish.found, "created_at", "updated_at", "scheduled_at")
    return within.low <= campaign.at < within.high


def _campaign_key(campaign: Campaign, sort: str) -> Any:
    return campaign.name if sort == "name" else campaign.at if sort.endswith("_at") else campaign.id


def _campaign(campaign: Campaign, audience: str) -> dict[str, Any]:
    at = iso(campaign.at)
    return {
        "name": campaign.name, "status": "Sent", "archived": False, "audiences": {"included": [audience], "excluded": []},
        "send_options": {"use_smart_sending": True}, "tracking_options": None, "send_strategy": {"method": "immediate"},
        "created_at": at, "scheduled_at": at, "updated_at": at, "send_time": at,
    }


def _omni_campaign(campaign: Campaign, audience: str) -> dict[str, Any]:
    """The shape from revision 2026-10-15 on. Source: klaviyo-api 25.0.0."""
    at = iso(campaign.at)
    return {"created_at": at, "updated_at": at, "definition": {"name": campaign.name, "builder": "wizard", "archived": False}}
