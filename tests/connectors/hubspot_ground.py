"""A HubSpot that answers as it is told, and records as it writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from connectors.base import DAY, Connection, Connector, Secret, Stream
from connectors.clock import VirtualClock
from connectors.hubspot.connector import CAPABILITIES
from connectors.registry import kind
from tests.connectors.scripted import Asked, Platform, Said, scripted

NOW = 1_795_000_000_000


@contextmanager
def open_against(answer: Callable[[Asked], Said], **options: Any) -> Iterator[tuple[Connector, Platform]]:
    with scripted(answer, NOW) as platform:
        connection = Connection(
            "here", "hubspot", Secret("pat-na1-00000000"), NOW - 400 * DAY, base_url=platform.url, options=options,
        )
        connector = kind("hubspot").open(connection, VirtualClock(NOW))
        try:
            yield connector, platform
        finally:
            connector.close()


def stream(name: str) -> Stream:
    return next(one for one in CAPABILITIES.streams if one.name == name)


def answers(told: Mapping[str, Any]) -> Callable[[Asked], Said]:
    """Answers by the end of the path; a function there gets what was asked."""
    usual: dict[str, Any] = {
        "/account-info/2026-09/details": {"portalId": 1, "uiDomain": "app.hubspot.com", "utcOffsetMilliseconds": 0},
        "/definitions": {"results": [{"id": "3001", "name": "Newsletter"}, {"id": "3002", "name": "Offers"}]},
        "/properties/2026-09/contacts": {"results": [
            {"name": "email", "hubspotDefined": True}, {"name": "segmentd_ltv", "hubspotDefined": False},
            {"name": "secret_note", "hubspotDefined": False, "dataSensitivity": "sensitive"},
            {"name": "hs_email_optout_77", "hubspotDefined": True},
        ]},
        "/properties/2026-09/orders": {"results": []},
    }

    def answer(asked: Asked) -> Said:
        for end, said in (*told.items(), *usual.items()):
            if asked.path.endswith(end):
                found = said(asked) if callable(said) else said
                return found if isinstance(found, Said) else Said(found)
        return Said({"message": "not found"}, 404)

    return answer


def contact(own: int = 50101, **said: str | None) -> dict[str, Any]:
    stamps = {"createdate": "2026-03-02T09:15:27.120Z", "lastmodifieddate": "2026-11-20T14:03:11.482Z"}
    base = {"email": f"p{own}@shop.example", "hs_object_id": str(own), "hs_email_optout": None, **stamps}
    return {"id": str(own), "properties": base | said, "createdAt": stamps["createdate"], "archived": False,
            "updatedAt": stamps["lastmodifieddate"]}


def mail(type_: str, **more: Any) -> dict[str, Any]:
    return {"id": "00000000-0000-4000-8000-0000000000aa", "created": NOW, "type": type_, "recipient": "a@shop.example",
            "emailCampaignId": 4001, **more}


def order(own: int = 80001, **said: str | None) -> dict[str, Any]:
    base = {"hs_external_created_date": "2026-11-10T12:00:00Z", "hs_total_price": "59.90", "hs_currency_code": "EUR",
            "hs_external_order_id": "SO-1001"}
    return {"id": str(own), "properties": base | said, "createdAt": "2026-10-01T08:00:00.000Z", "archived": False}
