"""Definitions of properties: what each type of object carries, and what may be written into it.

Source: HubSpot API reference, Properties; HubSpot knowledge base, default properties of contacts, deals, orders and carts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from connectors.hubspot.sandbox.kinds import KINDS

FIELDS = {
    "string": "text", "number": "number", "datetime": "date", "date": "date", "bool": "booleancheckbox", "enumeration": "select",
    "phone_number": "phonenumber",
}
# name:type, `!` after it: nobody writes it through the API. The group stands in front.
_CONTACT = {
    "contactinformation": """email:string firstname:string lastname:string phone:phone_number mobilephone:string company:string
        jobtitle:string salutation:string gender:string date_of_birth:string website:string address:string city:string
        state:string zip:string country:string industry:string annualrevenue:number numemployees:string hs_language:enumeration
        hs_timezone:string hs_persona:enumeration hs_ip_timezone:string! hs_country_region_code:string hs_state_code:string
        hubspot_owner_id:string hubspotscore:number! createdate:datetime! lastmodifieddate:datetime! hs_object_id:number!
        hs_additional_emails:enumeration! hs_merged_object_ids:enumeration! hs_email_domain:string! hs_lead_status:enumeration
        lifecyclestage:enumeration hs_marketable_status:bool! hs_legal_basis:enumeration closedate:datetime
        notes_last_contacted:datetime! message:string""",
    "emailinformation": """hs_email_optout:bool! hs_email_bounce:number! hs_email_hard_bounce_reason_enum:enumeration!
        hs_email_quarantined:bool! hs_email_delivered:number! hs_email_open:number! hs_email_click:number!
        hs_email_sends_since_last_engagement:number! hs_email_first_send_date:datetime! hs_email_first_open_date:datetime!
        hs_email_first_click_date:datetime! hs_email_last_send_date:datetime! hs_email_last_open_date:datetime!
        hs_email_last_click_date:datetime! hs_email_last_email_name:string!""",
    "deal_information": """recent_deal_amount:number! recent_deal_close_date:datetime! total_revenue:number!
        num_associated_deals:number! first_deal_created_date:datetime!""",
    "analyticsinformation": """hs_analytics_source:enumeration! hs_analytics_first_timestamp:datetime!
        hs_analytics_last_timestamp:datetime! hs_analytics_num_page_views:number!""",
    "conversioninformation": "recent_conversion_date:datetime! recent_conversion_event_name:string! num_conversion_events:number!",
}
_STAMPS = "createdate:datetime! hs_createdate:datetime! hs_lastmodifieddate:datetime! hs_object_id:number! hubspot_owner_id:string "
_SHOP = """hs_total_price:number hs_currency_code:enumeration hs_external_created_date:datetime hs_source_store:string
    hs_tags:string hs_external_status:string """
_DEFINED: dict[str, dict[str, str]] = {
    "contacts": _CONTACT,
    "deals": {"dealinformation": _STAMPS + """dealname:string amount:number closedate:datetime dealstage:enumeration
        pipeline:enumeration deal_currency_code:enumeration hs_is_closed:bool! hs_is_closed_won:bool! dealtype:enumeration
        description:string"""},
    "orders": {"order_information": _STAMPS + _SHOP + """hs_order_name:string hs_external_order_id:string
        hs_external_order_status:string hs_fulfillment_status:string hs_refund_amount:number hs_order_discount:number
        hs_subtotal_price:number hs_tax:number"""},
    "carts": {"cart_information": _STAMPS + _SHOP + "hs_cart_name:string hs_external_cart_id:string hs_cart_url:string"},
    "line_items": {"lineiteminformation": _STAMPS + """name:string quantity:number price:number amount:number hs_sku:string
        hs_product_id:number description:string hs_line_item_currency_code:enumeration"""},
}
# what the shop's integration of this account added on its own
_CUSTOM = {"orders": "quantity:number category:string", "carts": "quantity:number category:string", "line_items": "category:string"}
STAGES = ("subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer", "evangelist", "other")
OPTIONS = {
    "lifecyclestage": STAGES, "dealstage": ("appointmentscheduled", "contractsent", "closedwon", "closedlost"),
    "pipeline": ("default",), "dealtype": ("newbusiness", "existingbusiness"),
    "hs_lead_status": ("NEW", "OPEN", "IN_PROGRESS", "CONNECTED", "UNQUALIFIED"),
}


class Definitions:
    """All definitions of the account, by type and name, and the groups they stand in."""

    def __init__(self, subscriptions: Iterable[int], since: str) -> None:
        """*subscriptions*: ids of the subscription types, each with an opt-out property on contacts; *since*: ISO time of the
        account's beginning."""
        self.by_kind: dict[str, dict[str, dict[str, Any]]] = {kind.plural: {} for kind in KINDS}
        self.groups: dict[str, dict[str, dict[str, Any]]] = {kind.plural: {} for kind in KINDS}
        for plural, groups in _DEFINED.items():
            for group, text in groups.items():
                self._defined(plural, group, text.split(), since, True)
        for plural, text in _CUSTOM.items():
            self._defined(plural, "shop", text.split(), since, False)
        self._defined("contacts", "emailinformation", [f"hs_email_optout_{n}:bool!" for n in subscriptions], since, True)

    def _defined(self, plural: str, group: str, words: Iterable[str], since: str, vendors: bool) -> None:
        self.groups[plural].setdefault(group, {"name": group, "label": group.replace("_", " "), "displayOrder": -1, "archived": False})
        for word in words:
            name, _, kind = word.rstrip("!").partition(":")
            wish = {
                "name": name, "label": name.removeprefix("hs_").replace("_", " ").capitalize(), "groupName": group, "type": kind,
                "fieldType": FIELDS[kind], "options": _options(name, kind),
            }
            self.by_kind[plural][name] = definition(wish, since, vendors, word.endswith("!"))

    def of(self, plural: str, name: str) -> dict[str, Any] | None:
        return self.by_kind[plural].get(name)

    def type_of(self, plural: str, name: str) -> str:
        found = self.of(plural, name)
        return found["type"] if found else "string"


def _options(name: str, kind: str) -> list[dict[str, Any]]:
    words = OPTIONS.get(name, ())
    if kind == "bool":
        return [{"label": "Yes", "value": "true", "hidden": False}, {"label": "No", "value": "false", "hidden": False}]
    return [{"label": one, "value": one, "displayOrder": n, "hidden": False} for n, one in enumerate(words)]


def definition(wish: Mapping[str, Any], at: str, vendors: bool = False, read_only: bool = False) -> dict[str, Any]:
    """A definition as the API shows it, from what a creator says."""
    return {
        "name": wish["name"], "label": wish["label"], "groupName": wish["groupName"], "type": wish["type"],
        "fieldType": wish["fieldType"], "description": wish.get("description", ""), "options": list(wish.get("options") or []),
        "formField": bool(wish.get("formField")), "createdAt": at, "updatedAt": at, "archived": False, "calculated": False,
        "externalOptions": False, "hasUniqueValue": bool(wish.get("hasUniqueValue")), "hidden": bool(wish.get("hidden")),
        "displayOrder": wish.get("displayOrder", -1), "hubspotDefined": vendors, "createdUserId": "900", "updatedUserId": "900",
        "modificationMetadata": {
            "archivable": not vendors, "readOnlyDefinition": vendors, "readOnlyValue": read_only, "readOnlyOptions": vendors,
        },
    }
