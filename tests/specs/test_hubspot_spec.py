"""Every operation of the emulated HubSpot, held against the description: what is sent and what comes back.

The whole scenario runs twice: on the dated paths, and on their twins in v3 and v4, which the description names.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import jsonschema
import pytest

from connectors.clock import VirtualClock
from connectors.sandbox.keys import KEYS
from connectors.sandbox.server import Sandbox
from connectors.sandbox.world import random_world
from tests.specs.describe import Description, description

DESCRIBED: Description = description("hubspot")
NOW = 1_795_000_000_000
TWINS = {
    "/crm/objects/2026-09": "/crm/v3/objects", "/crm/associations/2026-09": "/crm/v4/associations",
    "/crm/properties/2026-09": "/crm/v3/properties", "/crm/lists/2026-09": "/crm/v3/lists",
    "/communication-preferences/2026-09": "/communication-preferences/v4", "/marketing/emails/2026-09": "/marketing/v3/emails",
    "/account-info/2026-09": "/account-info/v3",
}
OBJECTS, CONTACTS, LISTS = "/crm/objects/2026-09", "/crm/objects/2026-09/contacts", "/crm/lists/2026-09"
PROPERTIES, CONSENT = "/crm/properties/2026-09/contacts", "/communication-preferences/2026-09"
MAIL, EMAILS = "/email/public/v1", "/marketing/emails/2026-09"
BARE = {"type": "array", "minItems": 1, "items": {"type": "object", "required": ["name", "type", "options"]}}
CAMPAIGN = {"type": "object", "required": ["id", "appId"], "properties": {"id": {"type": "integer"}}}
# operations that the description does not hold, with what their clients read of the answers (singer-io/tap-hubspot,
# airbytehq/airbyte) or the vendor's own pages say
OWN: dict[str, dict[str, Any]] = {
    "POST /crm/lists/{version}/all": {
        "type": "object", "required": ["results"],
        "properties": {"results": {"items": {"required": ["listId", "name", "processingType", "additionalProperties"]}}}},
    "GET /integrations/v1/me": {"type": "object", "required": ["portalId", "timeZone"]},
    "GET /crm/v3/schemas": {"type": "object", "required": ["results"], "properties": {"results": {"maxItems": 0}}},
    "GET /properties/v1/{type}/properties": BARE,
    "GET /properties/v2/{type}/properties": BARE,
    "GET /deals/v1/deal/paged": {
        "type": "object", "required": ["deals", "hasMore", "offset"],
        "properties": {"hasMore": {"type": "boolean"}, "deals": {"minItems": 1, "items": {
            "required": ["portalId", "dealId", "isDeleted", "associations", "properties"],
            "properties": {"dealId": {"type": "integer"}, "associations": {"required": ["associatedVids"]}, "properties": {
                "additionalProperties": {"required": ["value", "timestamp", "source"]}}}}}}},
    "GET /forms/v2/forms": {"type": "array", "items": {"required": ["guid", "name", "updatedAt"]}},
    "GET /marketing/v3/forms": {"type": "object", "required": ["results"], "properties": {"results": {"items": {"required": ["id"]}}}},
    "GET /email/public/v1/campaigns": {
        "type": "object", "required": ["hasMore", "offset", "campaigns"], "properties": {"campaigns": {"items": CAMPAIGN}}},
    "GET /email/public/v1/campaigns/by-id": {
        "type": "object", "required": ["hasMore", "offset", "campaigns"], "properties": {"campaigns": {"items": CAMPAIGN}}},
    "GET /email/public/v1/campaigns/{campaign}": {
        **CAMPAIGN, "required": ["id", "appId", "name", "subject", "counters"]},
    "GET /email/public/v1/subscriptions": {
        "type": "object", "required": ["subscriptionDefinitions"],
        "properties": {"subscriptionDefinitions": {"items": {"required": ["id", "name", "active"]}}}},
}


class Replay:
    """Calls that are held against the description on their way out and back; remembers which routes they took."""

    def __init__(self, sandbox: Sandbox, client: httpx.Client, legacy: bool, taken: set[str]) -> None:
        self.sandbox, self.client, self.legacy, self.taken = sandbox, client, legacy, taken
        self.people = sandbox.applications["hubspot"].rows("profiles").to_pylist()

    def __call__(self, method: str, path: str, body: object = None, *, status: int | tuple[int, ...] = 200, **query: Any) -> Any:
        self.sandbox.virtual().advance(0.25)
        dated = next((one for one in TWINS if path == one or path.startswith(one + "/")), "")
        asked = TWINS[dated] + path[len(dated):] if self.legacy and dated else path
        answer = self.client.request(method, asked, json=body, params=query or None)
        expected = (status,) if isinstance(status, int) else status
        assert answer.status_code in expected, (method, asked, answer.status_code, answer.text)
        found = next(one for one in self.sandbox.applications["hubspot"].table
                     if one.method == method and one.pattern.fullmatch(answer.request.url.raw_path.decode().partition("?")[0]))
        self.taken.add(found.name)
        self._hold(found.name, method, path, answer)
        return answer.json() if answer.content else None

    def _hold(self, route: str, method: str, path: str, answer: httpx.Response) -> None:
        operation = DESCRIBED.find(method, path)
        if route in OWN:
            jsonschema.validate(answer.json(), OWN[route])
            return
        assert operation is not None, f"{route} is neither described nor listed"
        asked = DESCRIBED.request_problems(operation, str(answer.request.url), answer.request.content)
        told = DESCRIBED.answer_problems(operation, answer.status_code, answer.content)
        assert not asked + told, (route, answer.status_code, asked, told)

    def living(self, state: str, count: int) -> list[dict[str, Any]]:
        return [one for one in self.people if one["live"] and one["state"] == state][:count]


@contextmanager
def running() -> Iterator[tuple[Sandbox, httpx.Client]]:
    with Sandbox(VirtualClock(NOW), platforms=("hubspot",)) as sandbox:
        sandbox.applications["hubspot"].load(random_world(5, 300, 4000, NOW))
        headers = {"Authorization": f"Bearer {KEYS['hubspot']['tester']}"}
        with httpx.Client(base_url=sandbox.urls["hubspot"], headers=headers, trust_env=False) as client:
            yield sandbox, client


def read_objects(call: Replay) -> None:
    """Lists, single records, batches, links."""
    for kind in ("contacts", "orders", "carts", "deals", "line_items"):
        page = call("GET", f"{OBJECTS}/{kind}", limit=3, archived="false")
        one = page["results"][0]["id"]
        call("GET", f"{OBJECTS}/{kind}/{one}", propertiesWithHistory="createdate")
        call("POST", f"{OBJECTS}/{kind}/search", {"limit": 2, "sorts": [{"propertyName": "hs_object_id", "direction": "DESCENDING"}]})
    page = call("GET", CONTACTS, limit=100, properties="email,city", associations="orders,deals", after=page["results"][0]["id"][:1])
    ids = [one["id"] for one in page["results"]]
    call("GET", f"{CONTACTS}/1", status=404)
    call("POST", f"{CONTACTS}/batch/read", {"inputs": [{"id": ids[0]}], "properties": ["email"], "propertiesWithHistory": []})
    call("POST", f"{CONTACTS}/batch/read", {"inputs": [{"id": ids[0]}, {"id": "1"}]}, status=207)
    links = "/crm/associations/2026-09/contacts/orders/batch/read"
    call("POST", links, {"inputs": [{"id": one} for one in ids]})
    call("POST", links, {"inputs": [{"id": ids[0]}, {"id": "1"}]}, status=207)
    group = {"filters": [{"propertyName": "lastmodifieddate", "operator": "BETWEEN", "value": "1", "highValue": str(NOW)}]}
    call("POST", f"{CONTACTS}/search", {"filterGroups": [group], "properties": ["email"], "limit": 200, "after": "0"})
    call("POST", f"{CONTACTS}/search", {"limit": 200, "after": "9999"}, status=400)


def write_objects(call: Replay) -> None:
    """Create, update, merge, erase; batches whole and in part."""
    made = call("POST", CONTACTS, {"properties": {"email": "n0@shop.example", "city": "Bern"}}, status=201)["id"]
    call("POST", CONTACTS, {"properties": {"email": "n0@shop.example"}}, status=409)
    call("PATCH", f"{CONTACTS}/{made}", {"properties": {"city": None, "annualrevenue": 3}})
    call("PATCH", f"{CONTACTS}/n0@shop.example", {"properties": {"city": "Wien"}}, idProperty="email")
    inputs = [{"properties": {"email": f"b{n}@shop.example"}, "objectWriteTraceId": str(n)} for n in range(3)]
    batch = call("POST", f"{CONTACTS}/batch/create", {"inputs": inputs}, status=201)["results"]
    inputs.append({"properties": {"email": "b9@shop.example"}, "objectWriteTraceId": "9"})
    call("POST", f"{CONTACTS}/batch/create", {"inputs": inputs}, status=207)
    ids = [one["id"] for one in batch]
    updates = [{"id": one, "properties": {"city": "Bern"}, "objectWriteTraceId": one} for one in [*ids, "1"]]
    call("POST", f"{CONTACTS}/batch/update", {"inputs": updates[:-1]})
    call("POST", f"{CONTACTS}/batch/update", {"inputs": updates}, status=207)
    upserts = [{"id": f"u{n}@shop.example", "idProperty": "email", "properties": {"city": "Bern"}} for n in range(2)]
    call("POST", f"{CONTACTS}/batch/upsert", {"inputs": upserts})
    call("POST", f"{CONTACTS}/merge", {"primaryObjectId": ids[0], "objectIdToMerge": ids[1]})
    call("DELETE", f"{CONTACTS}/{ids[2]}", status=204)
    call("POST", f"{CONTACTS}/batch/archive", {"inputs": [{"id": made}]}, status=204)
    call("GET", CONTACTS, archived="true", limit=100)
    call("POST", f"{CONTACTS}/gdpr-delete", {"objectId": "u0@shop.example", "idProperty": "email"}, status=204)


def properties(call: Replay) -> None:
    call("GET", PROPERTIES)
    call("POST", f"{PROPERTIES}/groups", {"name": "own", "label": "Own"}, status=201)
    call("GET", f"{PROPERTIES}/groups")
    options = [{"label": "VIP", "value": "vip", "displayOrder": 0, "hidden": False}]
    wish = {"name": "marks", "label": "Marks", "groupName": "own", "type": "enumeration", "fieldType": "checkbox", "options": options}
    call("POST", PROPERTIES, wish, status=201)
    call("POST", PROPERTIES, wish, status=409)
    call("PATCH", f"{PROPERTIES}/marks", {"options": options, "label": "Mark"})
    call("GET", f"{PROPERTIES}/marks")
    for path in ("/properties/v1/deals/properties", "/properties/v2/contact/properties", "/crm/v3/schemas"):
        call("GET", path)


def lists(call: Replay) -> None:
    wish = {"name": "VIP", "objectTypeId": "0-1", "processingType": "MANUAL"}
    listed = call("POST", LISTS, wish)["list"]["listId"]
    other = call("POST", LISTS, {**wish, "name": "Other"})["list"]["listId"]
    call("POST", LISTS, wish, status=400)
    ids = [one["id"] for one in call.living("SUBSCRIBED", 3)]
    call("PUT", f"{LISTS}/{listed}/memberships/add", ids)
    call("PUT", f"{LISTS}/{listed}/memberships/remove", ids[:1])
    call("PUT", f"{LISTS}/{listed}/memberships/add-and-remove", {"recordIdsToAdd": [ids[0]], "recordIdsToRemove": ["1"]})
    call("PUT", f"{LISTS}/{other}/memberships/add-from/{listed}", status=204)
    for path in ("memberships", "memberships/join-order"):
        page = call("GET", f"{LISTS}/{listed}/{path}", limit=2)
        call("GET", f"{LISTS}/{listed}/{path}", limit=2, after=page["paging"]["next"]["after"])
    call("GET", f"{LISTS}/records/0-1/{ids[0]}/memberships")
    for more, status in (([], 200), (["1"], 207)):
        inputs = [{"objectTypeId": "0-1", "recordId": one} for one in [*ids, *more]]
        call("POST", f"{LISTS}/records/memberships/batch/read", {"inputs": inputs}, status=status)
    call("GET", f"{LISTS}/{listed}", includeFilters="false")
    call("GET", LISTS, listIds=[listed, other])
    call("GET", f"{LISTS}/object-type-id/0-1/name/vip")
    call("GET", f"{LISTS}/object-type-id/0-1/name/nothing", status=404)
    call("GET", f"{LISTS}/idmapping", legacyListId=str(int(listed) - 300))
    call("POST", f"{LISTS}/search", {"query": "v", "processingTypes": ["MANUAL"], "offset": 0, "count": 500, "sort": "HS_UPDATED_AT"})
    if not call.legacy:
        call("POST", f"{LISTS}/all", {"objectTypeId": "0-1", "count": 1})
    call("PUT", f"{LISTS}/{other}/update-list-name", listName="Others")
    call("DELETE", f"{LISTS}/{other}/memberships", status=204)
    call("DELETE", f"{LISTS}/{other}", status=204)
    call("PUT", f"{LISTS}/{other}/restore", status=204)


def consent(call: Replay) -> None:
    who, out = call.living("SUBSCRIBED", 1)[0]["email"], call.living("UNSUBSCRIBED", 1)[0]["email"]
    call("GET", f"{CONSENT}/definitions")
    call("GET", f"{MAIL}/subscriptions")
    for email in (who, out):
        call("GET", f"{CONSENT}/statuses/{email}", channel="EMAIL")
        call("GET", f"{CONSENT}/statuses/{email}/unsubscribe-all", channel="EMAIL")
    call("POST", f"{CONSENT}/statuses/batch/read", {"inputs": [who, out]}, channel="EMAIL")
    call("POST", f"{CONSENT}/statuses/batch/unsubscribe-all/read", {"inputs": [who, out]}, channel="EMAIL")
    call("POST", f"{CONSENT}/statuses/{who}", {"channel": "EMAIL", "statusState": "UNSUBSCRIBED", "subscriptionId": 3002})
    call("POST", f"{CONSENT}/statuses/{who}/unsubscribe-all", channel="EMAIL")


def mail(call: Replay) -> None:
    page = call("GET", f"{MAIL}/events", limit=1000, startTimestamp=1, endTimestamp=NOW)
    call("GET", f"{MAIL}/events", limit=1000, startTimestamp=1, endTimestamp=NOW, offset=page["offset"])
    for kind in ("BOUNCE", "UNBOUNCE", "STATUSCHANGE", "SPAMREPORT", "CLICK", "DELIVERED"):
        call("GET", f"{MAIL}/events", limit=10, eventType=kind)
    call("GET", f"{MAIL}/subscriptions/timeline", limit=1000)
    one = call("GET", EMAILS, includeStats="true", limit=100)["results"][0]
    call("GET", f"{EMAILS}/statistics/list", emailIds=one["id"])
    call("GET", f"{MAIL}/campaigns")
    found = call("GET", f"{MAIL}/campaigns/by-id", limit=5)["campaigns"][0]
    call("GET", f"{MAIL}/campaigns/{found['id']}")


def others(call: Replay) -> None:
    call("GET", "/account-info/2026-09/details")
    call("GET", "/account-info/2026-09/api-usage/daily/private-apps")
    call("GET", "/integrations/v1/me")
    call("GET", "/deals/v1/deal/paged", limit=2)
    forms = call("GET", "/forms/v2/forms")
    call("GET", "/marketing/v3/forms")
    page = call("GET", f"/form-integrations/v1/submissions/forms/{forms[0]['guid']}", limit=2)
    call("GET", f"/form-integrations/v1/submissions/forms/{forms[0]['guid']}", limit=2, after=page["paging"]["next"]["after"])
    call("GET", f"/form-integrations/v1/submissions/forms/{forms[1]['guid']}", status=400)


def test_every_operation_takes_and_gives_what_is_described() -> None:
    taken: set[str] = set()
    routes: set[str] = set()
    for legacy in (False, True):
        with running() as (sandbox, client):
            call = Replay(sandbox, client, legacy, taken)
            for scenario in (read_objects, write_objects, properties, lists, consent, mail, others):
                scenario(call)
            routes |= {one.name for one in sandbox.applications["hubspot"].table}
    assert routes == taken
    assert set(OWN) <= routes


@pytest.mark.parametrize("path", [CONTACTS + "/1", LISTS + "/1", CONTACTS + "?limit=1000", CONSENT + "/statuses/x@shop.example"])
def test_a_refusal_is_as_described(path: str) -> None:
    with running() as (_, client):
        answer = client.get(path)
    operation = DESCRIBED.find("GET", path.partition("?")[0])
    assert operation is not None
    assert answer.status_code in (400, 404)
    assert not DESCRIBED.answer_problems(operation, answer.status_code, answer.content)


def test_the_description_refuses_what_is_wrong() -> None:
    """Else the tests above would prove nothing."""
    operation = DESCRIBED.find("GET", CONTACTS)
    assert operation is not None
    assert DESCRIBED.answer_problems(operation, 200, b'{"results": [{"id": 7}]}')
    assert DESCRIBED.answer_problems(operation, 200, b'{"contacts": []}')
    assert DESCRIBED.request_problems(operation, f"http://x{CONTACTS}?limit=many", b"")
    assert DESCRIBED.request_problems(operation, f"http://x{CONTACTS}?colour=red", b"")
