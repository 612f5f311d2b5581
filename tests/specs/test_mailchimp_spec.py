"""Every operation of the emulated Mailchimp, held against the vendor's own description: what is sent and what comes back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema
import pytest

from connectors.clock import VirtualClock
from connectors.sandbox.keys import KEYS
from connectors.sandbox.server import Sandbox
from connectors.sandbox.world import random_world
from tests.specs.describe import Description, description

DESCRIBED = description("mailchimp")
DESCRIBED.lenient_empty = True                      # empty strings where a time or a choice is declared: observed in live answers
NOW = 1_700_000_000_000
RECIPIENT = {
    "email_id": {"type": "string"}, "email_address": {"type": "string"}, "merge_fields": {"type": "object"},
    "vip": {"type": "boolean"}, "campaign_id": {"type": "string"}, "list_id": {"type": "string"},
    "list_is_active": {"type": "boolean"},
}
# operations that the description does not hold, with what we know of their answers (vendor's reference, "Campaign Abuse" and
# "Automations"; the account without its slash)
OWN: dict[str, dict[str, Any]] = {
    "GET /3.0/reports/{campaign}/abuse-reports": {
        "type": "object", "required": ["abuse_reports", "campaign_id", "total_items"],
        "properties": {
            "campaign_id": {"type": "string"}, "total_items": {"type": "integer"},
            "abuse_reports": {"type": "array", "items": {
                "type": "object", "required": ["id", "email_address", "date"],
                "properties": {**RECIPIENT, "id": {"type": "integer"}, "date": {"type": "string", "minLength": 25}}}},
        },
    },
    "GET /3.0": {"type": "object", "required": ["account_id", "account_name", "role"]},
    "GET /3.0/automations": {
        "type": "object", "required": ["automations", "total_items"], "properties": {"automations": {"maxItems": 0}}},
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(VirtualClock(NOW), platforms=("mailchimp",)) as running:
        running.applications["mailchimp"].load(random_world(5, 300, 4000, NOW))
        yield running


@pytest.fixture(scope="module")
def client(sandbox: Sandbox) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=sandbox.urls["mailchimp"], auth=("x", KEYS["mailchimp"]["tester"]), trust_env=False) as made:
        yield made


class Replay:
    """Calls that are held against the description on their way out and back; remembers which routes they took."""

    def __init__(self, client: httpx.Client, sandbox: Sandbox) -> None:
        self.client, self.table, self.taken = client, sandbox.applications["mailchimp"].table, set[str]()

    def __call__(self, method: str, path: str, body: object = None, *, status: int | tuple[int, ...] = 200) -> Any:
        answer = self.client.request(method, f"/3.0{path}", json=body)
        expected = (status,) if isinstance(status, int) else status
        assert answer.status_code in expected, (method, path, answer.status_code, answer.text)
        route = next(one for one in self.table if one.method == method and one.pattern.fullmatch(answer.request.url.path))
        self.taken.add(route.name)
        self._hold(route.name, method, answer)
        return answer.json() if answer.content else None

    def _hold(self, route: str, method: str, answer: httpx.Response) -> None:
        operation = DESCRIBED.find(method, answer.request.url.path)
        if route in OWN:
            assert operation is None or route == "GET /3.0"
            jsonschema.validate(answer.json(), OWN[route])
            return
        assert operation is not None, f"{route} is neither described nor listed"
        asked = DESCRIBED.request_problems(operation, str(answer.request.url), answer.request.content)
        told = DESCRIBED.answer_problems(operation, answer.status_code, answer.content)
        assert not asked, (route, asked)
        assert not told, (route, told)


def test_every_operation_takes_and_gives_what_the_vendor_describes(client: httpx.Client, sandbox: Sandbox) -> None:
    call = Replay(client, sandbox)
    _account(call)
    list_id = call("GET", "/lists")["lists"][0]["id"]
    _audience(call, list_id)
    _members(call, list_id)
    _tags(call, list_id)
    _reports(call)
    _commerce(call)
    routes = {one.name for one in call.table}
    assert routes == call.taken
    assert set(OWN) <= routes


def _account(call: Replay) -> None:
    call("GET", "/")
    call("GET", "")
    call("GET", "/ping")
    call("GET", "/automations")
    call("GET", "/campaigns?count=2&status=sent&sort_field=send_time&sort_dir=DESC")
    call("GET", "/search-members?query=p00000")


def _audience(call: Replay, list_id: str) -> None:
    here = f"/lists/{list_id}"
    call("GET", f"{here}?include_total_contacts=true")
    made = call("POST", f"{here}/merge-fields", {"name": "Lifetime value", "tag": "LTV", "type": "number", "public": False})
    call("GET", f"{here}/merge-fields?type=number")
    call("GET", f"{here}/merge-fields/{made['merge_id']}")
    call("PATCH", f"{here}/merge-fields/{made['merge_id']}", {"name": "Value"})
    category = call("GET", f"{here}/interest-categories")["categories"][0]["id"]
    call("GET", f"{here}/interest-categories/{category}/interests")


def _members(call: Replay, list_id: str) -> None:
    here = f"/lists/{list_id}/members"
    page = call("GET", f"{here}?count=200&since_last_changed=2020-01-01T00:00:00%2B00:00&sort_field=last_changed&sort_dir=ASC")
    call("GET", f"{here}?status=archived&vip_only=false")
    made = call("POST", here, {"email_address": "new@shop.test", "status": "subscribed", "merge_fields": {"LTV": 12.5},
                               "tags": ["VIP"], "interests": {}, "timestamp_opt": "2023-01-01T00:00:00+00:00"})
    one = f"{here}/{made['id']}"
    call("GET", one)
    call("PUT", one, {"email_address": "new@shop.test", "status_if_new": "subscribed", "merge_fields": {"FNAME": "New"}})
    call("PATCH", one, {"vip": True})
    call("PATCH", one, {"email_address": "nobody"}, status=400)
    call("POST", f"{one}/events", {"name": "bought_again", "properties": {"colour": "red"}}, status=204)
    call("GET", f"{one}/events")
    call("POST", f"{one}/tags", {"tags": [{"name": "VIP", "status": "active"}], "is_syncing": True}, status=204)
    call("GET", f"{one}/tags")
    for member in page["members"][:5]:
        call("GET", f"{here}/{member['id']}/activity?action=open,click")
        call("GET", f"{here}/{member['id']}/activity-feed?count=100")
    call("POST", f"/lists/{list_id}", {"update_existing": True, "members": [
        {"email_address": "new@shop.test", "tags": ["b"]}, {"email_address": "more@shop.test", "status": "transactional"},
        {"email_address": "not an address", "status": "subscribed"}]})
    call("DELETE", one, status=204)
    call("DELETE", one, status=405)
    call("POST", f"{one}/actions/delete-permanent", status=204)
    call("GET", one, status=404)


def _tags(call: Replay, list_id: str) -> None:
    here = f"/lists/{list_id}/segments"
    people = [one["email_address"] for one in call("GET", f"/lists/{list_id}/members?count=20")["members"]]
    made = call("POST", here, {"name": "Winners", "static_segment": people[:3]})
    one = f"{here}/{made['id']}"
    call("GET", f"{here}?type=static&include_unsubscribed=true")
    call("GET", one)
    call("PATCH", one, {"name": "Best", "static_segment": people[:4]})
    call("POST", one, {"members_to_add": [*people[4:], "stranger@shop.test"], "members_to_remove": people[:2]})
    call("GET", f"{one}/members?include_unsubscribed=true&include_cleaned=true&include_transactional=true&count=100")
    member = call("POST", f"{one}/members", {"email_address": people[0]})
    call("DELETE", f"{one}/members/{member['id']}", status=204)
    call("GET", f"/lists/{list_id}/tag-search?name=be")
    call("DELETE", one, status=204)


def _reports(call: Replay) -> None:
    for report in call("GET", "/reports?count=100&since_send_time=2020-01-01T00:00:00Z")["reports"]:
        here = f"/reports/{report['id']}"
        call("GET", f"/campaigns/{report['id']}")
        call("GET", here)
        rows = call("GET", f"{here}/email-activity?count=1000&since=2020-01-01T00:00:00Z")["emails"]
        call("GET", f"{here}/email-activity/{rows[0]['email_id']}")
        call("GET", f"{here}/sent-to?count=1000")
        call("GET", f"{here}/unsubscribed")
        call("GET", f"{here}/abuse-reports")
        call("GET", f"{here}/open-details")
        for url in call("GET", f"{here}/click-details")["urls_clicked"][:2]:
            call("GET", f"{here}/click-details/{url['id']}/members")


def _commerce(call: Replay) -> None:
    store = call("GET", "/ecommerce/stores")["stores"][0]["id"]
    here = f"/ecommerce/stores/{store}"
    call("GET", here)
    customer = call("GET", f"{here}/customers?count=3")["customers"][0]
    call("GET", f"{here}/customers/{customer['id']}")
    call("PATCH", f"{here}/customers/{customer['id']}", {"first_name": "Ada"})
    call("PUT", f"{here}/customers/x1", {"id": "x1", "email_address": "buyer@shop.test", "opt_in_status": False})
    order = call("GET", f"{here}/orders?count=1000")["orders"][0]
    call("GET", f"{here}/orders/{order['id']}")
    call("GET", "/ecommerce/orders?count=5")
    call("GET", f"{here}/carts?count=1000")


def test_a_problem_document_is_what_the_vendor_describes(client: httpx.Client) -> None:
    answer = client.get("/3.0/lists/nothing")
    operation = DESCRIBED.find("GET", "/3.0/lists/nothing")
    assert operation is not None
    assert answer.status_code == 404
    assert not DESCRIBED.answer_problems(operation, 404, answer.content)


def test_the_description_refuses_what_is_wrong() -> None:
    """Else the test above would prove nothing."""
    operation = DESCRIBED.find("GET", "/3.0/lists/abc/members")
    assert isinstance(DESCRIBED, Description)
    assert operation is not None
    assert DESCRIBED.answer_problems(operation, 200, b'{"members": [{"id": 7}]}')
    assert DESCRIBED.answer_problems(operation, 200, b'{"members": [{"status": "happy"}]}')
    assert DESCRIBED.request_problems(operation, "http://x/3.0/lists/abc/members?count=many", b"")
    assert DESCRIBED.request_problems(operation, "http://x/3.0/lists/abc/members?colour=red", b"")
