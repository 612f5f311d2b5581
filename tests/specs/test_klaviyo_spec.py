"""Every operation of the emulated Klaviyo, held against the vendor's own description: what is sent, what comes back, and what
it says of limits, scopes, orders, page sizes and filters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import jsonschema
import orjson
import pytest

from connectors.clock import VirtualClock
from connectors.klaviyo.sandbox.application import KlaviyoSandbox
from connectors.klaviyo.sandbox.limits import TIERS
from connectors.sandbox.server import Sandbox
from connectors.sandbox.world import random_world
from tests.specs.describe import Operation, description

DESCRIBED = description("klaviyo")
NOW = 1_795_000_000_000
PAST = "2026-01-01T00:00:00Z"


def collection(kind: str) -> dict[str, Any]:
    """Schema of a page of resources."""
    return {"type": "object", "required": ["data", "links"], "properties": {"data": {"type": "array", "items": resource_of(kind)}}}


def single(kind: str, *attributes: str) -> dict[str, Any]:
    """Schema of one resource that has these attributes."""
    return {"type": "object", "required": ["data", "links"], "properties": {"data": resource_of(kind, *attributes)}}


def resource_of(kind: str, *attributes: str) -> dict[str, Any]:
    return {
        "type": "object", "required": ["type", "id", "attributes", "links"],
        "properties": {"type": {"const": kind}, "attributes": {"type": "object", "required": list(attributes)}},
    }


# operations that the description here does not hold, which other clients read; shapes: klaviyo-api 25.0.0
OWN: dict[str, dict[str, Any]] = {
    "GET /api/flows": collection("flow"), "GET /api/templates": collection("template"),
    "GET /api/campaigns/{id}": single("campaign", "name", "status"),
    "GET /api/campaigns/{id}/campaign-messages": collection("campaign-message"),
    "GET /api/campaign-recipient-estimations/{id}": single("campaign-recipient-estimation", "estimated_recipient_count"),
}
SAMPLES = {"text": ("'x'", "['x']"), "date": (PAST,), "number": ("1700000000",), "flag": ("true",), "none": ("",)}
KIND_OF = {"datetime": "date", "created": "date", "updated": "date", "created_at": "date", "updated_at": "date",
           "scheduled_at": "date", "joined_group_at": "date", "timestamp": "number", "archived": "flag", "is_active": "flag",
           "is_starred": "flag", "profile": "none", "metric": "none"}
OPERATORS = ("any", "equals", "contains", "ends-with", "starts-with", "greater-or-equal", "greater-than", "less-or-equal", "less-than",
             "has")


def loosen_alternatives(part: Any) -> None:
    """`send_options` is described as exactly one of three objects that have the same members, which nothing can be: any will do."""
    for name, one in list(part.items()) if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ():
        if name == "send_options" and "oneOf" in one:
            one["anyOf"] = one.pop("oneOf")
        loosen_alternatives(one)


loosen_alternatives(DESCRIBED.document["components"])


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(VirtualClock(NOW), platforms=("klaviyo",)) as running:
        running.applications["klaviyo"].load(random_world(5, 300, 4000, NOW))
        running.applications["klaviyo"].act("limits", off=True)
        yield running


@pytest.fixture(scope="module")
def client(sandbox: Sandbox) -> Iterator[httpx.Client]:
    headers = {"Authorization": "Klaviyo-API-Key pk_sandbox_tester", "revision": "2026-07-15"}
    with httpx.Client(base_url=sandbox.urls["klaviyo"], headers=headers, trust_env=False, verify=False) as made:
        yield made


def application(sandbox: Sandbox) -> KlaviyoSandbox:
    found = sandbox.applications["klaviyo"]
    assert isinstance(found, KlaviyoSandbox)
    return found


def without_known_nulls(body: bytes) -> bytes:
    """Live answers hold null where the description has plain text: `next` and `prev` at the ends, and coordinates.

    Observed: github.com issue klaviyo/klaviyo-api-python#64.
    """
    def cleaned(part: Any) -> Any:
        if isinstance(part, list):
            return [cleaned(one) for one in part]
        if not isinstance(part, dict):
            return part
        nulls = {"next", "prev", "latitude", "longitude"}
        return {name: cleaned(one) for name, one in part.items() if not (one is None and name in nulls)}

    return orjson.dumps(cleaned(orjson.loads(body))) if body else b""


class Replay:
    """Calls that are held against the description on their way out and back; remembers which routes they took."""

    def __init__(self, client: httpx.Client, sandbox: Sandbox) -> None:
        self.client, self.table, self.taken = client, sandbox.applications["klaviyo"].table, set[str]()

    def __call__(self, method: str, path: str, body: object = None, *, status: int = 200, **query: Any) -> Any:
        content = None if body is None else orjson.dumps(body)
        headers = {"Content-Type": "application/vnd.api+json"} if body is not None else {}
        answer = self.client.request(method, path, content=content, headers=headers, params=query or None)
        assert answer.status_code == status, (method, path, answer.status_code, answer.text)
        route = next(one for one in self.table if one.method == method and one.pattern.fullmatch(answer.request.url.path))
        self.taken.add(route.name)
        self._hold(route.name, method, answer)
        return answer.json() if answer.content else None

    def _hold(self, route: str, method: str, answer: httpx.Response) -> None:
        operation = DESCRIBED.find(method, answer.request.url.path)
        if route in OWN:
            assert operation is None
            jsonschema.validate(answer.json(), OWN[route])
            return
        assert operation is not None, f"{route} is neither described nor listed"
        problems = DESCRIBED.request_problems(operation, str(answer.request.url), answer.request.content)
        wrong = DESCRIBED.answer_problems(operation, answer.status_code, without_known_nulls(answer.content))
        sparse = any(name.startswith("fields[") for name in answer.request.url.params)      # leaves out required attributes
        problems += [one for one in wrong if not (sparse and "is a required property" in one)]
        assert not problems, (route, problems)


def resource(kind: str, attributes: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"data": {"type": kind, **({"attributes": attributes} if attributes is not None else {}), **more}}


def profiles(*attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {"data": [{"type": "profile", "attributes": one} for one in attributes]}


def test_every_operation_keeps_to_the_description(sandbox: Sandbox, client: httpx.Client) -> None:
    replay = Replay(client, sandbox)
    for part in (reading, profiles_and_lists, events, jobs):
        part(replay, sandbox)
    assert {route.name for route in replay.table} == replay.taken
    assert set(OWN) <= replay.taken


def reading(replay: Replay, sandbox: Sandbox) -> None:
    account = replay("GET", "/api/accounts")["data"][0]["id"]
    replay("GET", f"/api/accounts/{account}", **{"fields[account]": "timezone,test_account"})
    page = replay("GET", "/api/profiles", **{"page[size]": 100, "sort": "updated", "additional-fields[profile]": "subscriptions"})
    replay("GET", page["links"]["next"])
    replay("GET", "/api/profiles", **{"filter": f"greater-than(updated,{PAST})", "fields[profile]": "email,updated"})
    replay("GET", "/api/profiles", **{"additional-fields[profile]": "predictive_analytics"})
    one = page["data"][0]["id"]
    replay("GET", f"/api/profiles/{one}", include="lists,segments")
    replay("GET", f"/api/profiles/{one}/relationships/lists")
    replay("GET", f"/api/profiles/{one}/relationships/segments")
    segment = replay("GET", "/api/segments", include="tags,flow-triggers")["data"][0]["id"]
    replay("GET", f"/api/segments/{segment}", **{"additional-fields[segment]": "profile_count"})
    replay("GET", f"/api/segments/{segment}/profiles", **{"page[size]": 100})
    replay("GET", f"/api/segments/{segment}/relationships/profiles", sort="-joined_group_at")
    campaign = replay("GET", "/api/campaigns", filter="equals(messages.channel,'email')")["data"][0]["id"]
    for path in (f"campaigns/{campaign}", f"campaigns/{campaign}/campaign-messages", f"campaign-recipient-estimations/{campaign}"):
        replay("GET", f"/api/{path}")
    replay("GET", "/api/flows")
    replay("GET", "/api/templates")


def profiles_and_lists(replay: Replay, sandbox: Sandbox) -> None:
    new = {"email": "new@shop.example", "properties": {"plan": "gold"}, "location": {"city": "Lyon"}}
    one = replay("POST", "/api/profiles", resource("profile", new), status=201)["data"]["id"]
    replay("POST", "/api/profiles", resource("profile", new), status=409)
    replay("PATCH", f"/api/profiles/{one}", resource("profile", {"title": None}, id=one))
    replay("POST", "/api/profile-import", resource("profile", new))
    other = replay("POST", "/api/profile-import", resource("profile", {"email": "other@shop.example"}), status=201)["data"]["id"]
    target = replay("POST", "/api/lists", resource("list", {"name": "buyers", "opt_in_process": "single_opt_in"}), status=201)["data"]["id"]
    replay("PATCH", f"/api/lists/{target}", resource("list", {"name": "recent buyers"}, id=target))
    ids = {"data": [{"type": "profile", "id": one}, {"type": "profile", "id": other}]}
    replay("POST", f"/api/lists/{target}/relationships/profiles", ids, status=204)
    replay("GET", f"/api/lists/{target}/profiles", **{"fields[profile]": "joined_group_at", "sort": "joined_group_at"})
    replay("GET", f"/api/lists/{target}/profiles", **{"additional-fields[profile]": "subscriptions"})
    replay("GET", f"/api/lists/{target}/relationships/profiles", **{"page[size]": 1})
    replay("DELETE", f"/api/lists/{target}/relationships/profiles", ids, status=204)
    tag = replay("GET", "/api/tags")["data"][0]["id"]
    replay("POST", f"/api/tags/{tag}/relationships/lists", {"data": [{"type": "list", "id": target}]}, status=204)
    application(sandbox).act("create_flow", target="recent buyers", name="Welcome")
    replay("GET", "/api/lists", filter="equals(name,'recent buyers')", include="tags,flow-triggers")
    replay("GET", f"/api/lists/{target}", **{"additional-fields[list]": "profile_count", "include": "tags"})
    replay("GET", f"/api/lists/{target}/flow-triggers")
    replay("DELETE", f"/api/lists/{target}", status=204)
    sources = {"profiles": {"data": [{"type": "profile", "id": other}]}}
    replay("POST", "/api/profile-merge", resource("profile-merge", id=one, relationships=sources), status=201)


def events(replay: Replay, sandbox: Sandbox) -> None:
    metric = replay("GET", "/api/metrics")["data"][0]["id"]
    replay("GET", "/api/metrics", filter="equals(integration.category,'Internal')", include="flow-triggers")
    replay("GET", f"/api/metrics/{metric}")
    replay("GET", f"/api/metrics/{metric}/flow-triggers")
    page = replay("GET", "/api/events", include="metric,profile", sort="datetime", **{"page[size]": 200})
    replay("GET", page["links"]["next"])
    replay("GET", "/api/events", **{"fields[event]": "uuid", "filter": f"greater-or-equal(datetime,{PAST})"})
    replay("GET", f"/api/events/{page['data'][0]['id']}", include="metric,attributions")
    named = {"data": {"type": "metric", "attributes": {"name": "Placed Order"}}}
    happened = {"properties": {"OrderId": "1"}, "value": 9.5, "value_currency": "USD", "unique_id": "1", "metric": named}
    who = {"data": {"type": "profile", "attributes": {"email": "new@shop.example"}}}
    replay("POST", "/api/events", resource("event", {**happened, "profile": who, "time": PAST}), status=202)
    entry = {"type": "event-bulk-create", "attributes": {
        "profile": who, "events": {"data": [{"type": "event", "attributes": {**happened, "unique_id": "2"}}]}}}
    job = resource("event-bulk-create-job", {"events-bulk-create": {"data": [entry]}})
    replay("POST", "/api/event-bulk-create-jobs", job, status=202)


def jobs(replay: Replay, sandbox: Sandbox) -> None:
    replay("POST", "/api/profile-import", resource("profile", {"email": "first@shop.example", "external_id": "crm-1"}), status=201)
    body = profiles({"email": "third@shop.example"}, {"email": "new@shop.example", "external_id": "crm-1"})
    path = "/api/profile-bulk-import-jobs"
    job = replay("POST", path, resource("profile-bulk-import-job", {"profiles": body}), status=202)["data"]["id"]
    sandbox.virtual().advance(60)
    replay("GET", path, filter="any(status,['complete'])", sort="-created_at")
    replay("GET", f"{path}/{job}", include="lists")
    replay("GET", f"{path}/{job}/relationships/profiles")
    assert len(replay("GET", f"{path}/{job}/import-errors")["data"]) == 1
    for word, consent in (("create", "SUBSCRIBED"), ("delete", "UNSUBSCRIBED")):
        who = profiles({"email": "third@shop.example", "subscriptions": {"email": {"marketing": {"consent": consent}}}})
        kind = f"profile-subscription-bulk-{word}-job"
        replay("POST", f"/api/{kind}s", resource(kind, {"profiles": who}), status=202)
        kind = f"profile-suppression-bulk-{word}-job"
        body = resource(kind, {"profiles": profiles({"email": "third@shop.example"})})
        made = replay("POST", f"/api/{kind}s", body, status=202)["data"]["id"]
        replay("GET", f"/api/{kind}s/{made}")
    replay("GET", "/api/profile-suppression-bulk-create-jobs", filter="equals(status,'complete')")
    gone = {"data": {"type": "profile", "attributes": {"email": "third@shop.example"}}}
    replay("POST", "/api/data-privacy-deletion-jobs", resource("data-privacy-deletion-job", {"profile": gone}), status=202)


def told(operation: Operation) -> Mapping[str, Any]:
    found: Mapping[str, Any] = DESCRIBED.document["paths"][operation.template][operation.method.lower()]
    return found


def test_limits_and_scopes_are_those_of_the_description(sandbox: Sandbox) -> None:
    for route in application(sandbox).table:
        operation = DESCRIBED.find(route.method, route.template.replace("{", "").replace("}", ""))
        if route.name in OWN:
            continue
        assert operation is not None, route.name
        burst, steady = TIERS[route.data["tier"]]
        rates = told(operation)["x-klaviyo-ratelimit"]
        assert {"burst": f"{burst}/s", "steady": f"{steady}/m"}.items() <= rates.items(), route.name
        assert rates.get("daily", "0/d") == f"{route.data.get('daily', 0)}/d", route.name
        assert sorted(route.data["scopes"]) == sorted(told(operation)["x-klaviyo-scopes"]), route.name


def readable(sandbox: Sandbox, client: httpx.Client) -> list[tuple[str, Operation]]:
    """Paths of all described GETs, with ids that exist."""
    lists, segments = (client.get(f"/api/{kind}").json()["data"][0]["id"] for kind in ("lists", "segments"))
    body = resource("profile-bulk-import-job", {"profiles": profiles({"email": "some@shop.example"})})
    job = client.post("/api/profile-bulk-import-jobs", json=body).json()["data"]["id"]
    sandbox.virtual().advance(60)
    ids = {"/api/lists/": lists, "/api/segments/": segments, "/api/profile-bulk-import-jobs/": job}
    found = []
    for route in application(sandbox).table:
        known = next((one for start, one in ids.items() if route.template.startswith(start)), None)
        if route.method == "GET" and route.name not in OWN and ("{" not in route.template or known):
            path = route.template.replace("{id}", known or "").replace("{job_id}", known or "")
            operation = DESCRIBED.find("GET", path)
            assert operation is not None
            found.append((path, operation))
    return found


def statuses(client: httpx.Client, path: str, **query: Any) -> int:
    if path == "/api/campaigns" and "filter" not in query:
        query["filter"] = "equals(messages.channel,'email')"
    return client.get(path, params=query).status_code


def test_orders_includes_fields_and_page_sizes_are_those_of_the_description(sandbox: Sandbox, client: httpx.Client) -> None:
    checked = 0
    for path, operation in readable(sandbox, client):
        for parameter in operation.parameters:
            name, schema = parameter["name"], parameter["schema"]
            values = [*schema.get("enum", ()), *schema.get("items", {}).get("enum", ())]
            if name == "page[size]":
                values = [schema["minimum"], schema["maximum"]]
                assert statuses(client, path, **{name: schema["maximum"] + 1}) == 400, (path, name)
            if parameter["in"] != "query" or (name.startswith("fields[") and len(values) > 30):
                continue
            for value in values:
                assert statuses(client, path, **{name: value}) == 200, (path, name, value)
                checked += 1
    assert checked > 200


def test_filters_are_those_of_the_description(sandbox: Sandbox, client: httpx.Client) -> None:
    checked = 0
    for path, operation in readable(sandbox, client):
        for field, rules in (told(operation).get("x-klaviyo-filters") or {}).items():
            allowed = {operator for operators in rules["operators"].values() for operator in operators}
            kind = KIND_OF.get(field, "date" if field.endswith(".timestamp") else "text")
            for operator in OPERATORS:
                sample = SAMPLES[kind][-1 if operator == "any" else 0]
                sample = f"[{sample}]" if operator == "any" and sample[:1] != "[" else sample
                text = f"{operator}({field}{',' if sample else ''}{sample})"
                if path == "/api/campaigns" and field != "messages.channel":
                    text += ",equals(messages.channel,'email')"
                assert statuses(client, path, filter=text) == (200 if operator in allowed else 400), (path, text)
                checked += 1
    assert checked > 300
