"""The vendor's own client, hubspot-api-client, unmodified and on the machine's clock, reads an emulated HubSpot as it is.

Its `get_all` follows cursors but holds everything in memory and cannot resume, so a walk by `after` stands beside it. Search has no
walk of its own. E-mail events have no class and go through its `api_request`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hubspot import HubSpot
from hubspot.crm.associations.v4.models import BatchInputPublicFetchAssociationsBatchRequest as Links
from hubspot.crm.associations.v4.models import PublicFetchAssociationsBatchRequest as Link
from hubspot.crm.contacts.models import PublicObjectSearchRequest
from hubspot.crm.lists import ListCreateRequest, MembershipChangeRequest

from connectors.clock import SystemClock
from connectors.sandbox.keys import KEYS
from connectors.sandbox.server import Sandbox
from connectors.sandbox.world import random_world

NAMES = ["email", "firstname", "city", "hs_email_optout", "hs_email_hard_bounce_reason_enum", "hs_email_open"]
ORDER = ["hs_external_order_id", "hs_total_price", "hs_currency_code", "hs_external_created_date", "quantity"]
CART = ["hs_external_cart_id", *ORDER[1:]]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    clock = SystemClock()
    with Sandbox(clock, platforms=("hubspot",)) as running:
        running.applications["hubspot"].load(random_world(11, 2000, 20_000, clock.now()))
        yield running


@pytest.fixture(scope="module")
def client(sandbox: Sandbox) -> HubSpot:
    """`api_request` reads another keyword for its address than the classes do."""
    base = sandbox.urls["hubspot"]
    return HubSpot(access_token=KEYS["hubspot"]["tester"], host=base, base_url=base)


def rows(sandbox: Sandbox, table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sandbox.applications["hubspot"].rows(table).to_pylist()
    return found


def walk(page: Callable[..., Any], *arguments: Any, **more: Any) -> list[Any]:
    """All rows of a listing, page by page."""
    found: list[Any] = []
    after = None
    while True:
        answer = page(*arguments, **more, **({"after": after} if after else {}))
        found += answer.results
        if answer.paging is None:
            return found
        after = answer.paging.next.after


def test_people_are_read_whole_by_list_by_its_own_walk_and_by_search(sandbox: Sandbox, client: HubSpot) -> None:
    truth = rows(sandbox, "profiles")
    page = client.crm.contacts.basic_api.get_page
    living = walk(page, limit=100, properties=NAMES)
    archived = walk(page, limit=100, properties=NAMES, archived=True)
    assert {one.id: one.properties["email"] for one in living} == {one["id"]: one["email"] for one in truth if one["live"]}
    assert {one.id: one.properties["email"] for one in archived} == {one["id"]: one["email"] for one in truth if not one["live"]}
    assert [one.id for one in client.crm.contacts.get_all(properties=NAMES)] == [one.id for one in living]
    fields = {one["id"]: json.loads(one["fields"]) for one in truth}
    for one in living:
        told = {name: value for name, value in one.properties.items() if value and name not in NAMES[3:5]}
        assert told.items() <= fields[one.id].items()
    out = {one.id for one in living if one.properties["hs_email_optout"] == "true" or one.properties["hs_email_hard_bounce_reason_enum"]}
    assert out == {one["id"] for one in truth if one["barred"] and one["live"]}
    assert _searched(client) == [one.id for one in living]


def _searched(client: HubSpot) -> list[str]:
    """By search, beyond the last id each time, no faster than five a second."""
    search, last, found = client.crm.contacts.search_api.do_search, "0", []
    while True:
        rule = {"propertyName": "hs_object_id", "operator": "GT", "value": last}
        order = [{"propertyName": "hs_object_id", "direction": "ASCENDING"}]
        wish = PublicObjectSearchRequest(filter_groups=[{"filters": [rule]}], sorts=order, limit=200, properties=["email"])
        answer = search(wish)
        found += [one.id for one in answer.results]
        if answer.paging is None:
            return found
        last = found[-1]
        time.sleep(0.21)


def test_mail_is_read_whole(sandbox: Sandbox, client: HubSpot) -> None:
    truth = {one["id"]: one for one in rows(sandbox, "events") if one["native"].isupper()}
    found, query = {}, {"limit": 1000}
    while True:
        answer = client.api_request({"method": "GET", "path": "/email/public/v1/events", "qs": query}).json()
        found |= {f"{one['created']}:{one['id']}": one for one in answer["events"]}
        if not answer["hasMore"]:
            break
        query = {"limit": 1000, "offset": answer["offset"]}
    assert set(found) == set(truth)
    emails = {one["person"]: one["email"] for one in rows(sandbox, "profiles")}
    for key, one in found.items():
        told = truth[key]
        assert (one["type"], one["created"]) == (told["native"], told["at"])
        assert one["type"] == "UNBOUNCE" or one["recipient"] == emails[told["person"]]
        assert one.get("filteredEvent", False) == json.loads(told["properties"]).get("filteredEvent", False)


@pytest.mark.parametrize(("kind", "native", "names"), [("orders", "order", ORDER), ("carts", "cart", CART)])
def test_sales_are_read_whole_with_their_people(sandbox: Sandbox, client: HubSpot, kind: str, native: str, names: list[str]) -> None:
    truth = {one["id"].split(":")[1]: one for one in rows(sandbox, "events") if one["native"] == native}
    found = walk(client.crm.objects.basic_api.get_page, kind, limit=100, properties=names)
    people = {one["person"]: one["id"] for one in rows(sandbox, "profiles")}
    linked: dict[str, str] = {}
    for start in range(0, len(found), 1000):
        inputs = Links(inputs=[Link(id=one.id) for one in found[start : start + 1000]])
        answer = client.crm.associations.v4.batch_api.get_page(kind, "contacts", inputs)
        linked |= {one._from.id: str(one.to[0].to_object_id) for one in answer.results}
    assert {one.id for one in found} == set(truth)
    for one in found:
        told = truth[one.id]
        assert linked[one.id] == people[told["person"]]
        assert {name: one.properties[name] for name in names}.items() <= json.loads(told["properties"]).items()


def test_a_list_is_made_filled_and_read(sandbox: Sandbox, client: HubSpot) -> None:
    lists, members = client.crm.lists.lists_api, client.crm.lists.memberships_api
    made = lists.create(ListCreateRequest(name="By the SDK", object_type_id="0-1", processing_type="MANUAL")).list
    who = [one["id"] for one in rows(sandbox, "profiles") if one["live"]][:300]
    answer = members.add_and_remove(made.list_id, MembershipChangeRequest(record_ids_to_add=who, record_ids_to_remove=[]))
    assert (answer.record_ids_missing, answer.records_ids_added) == ([], who)
    assert [one.record_id for one in walk(members.get_page, made.list_id, limit=250)] == who
    assert lists.get_by_name("by the sdk", "0-1").list.list_id == made.list_id
    named = [one["profile"] for one in rows(sandbox, "members") if one["name"] == "By the SDK"]
    assert named == who
