"""The emulated HubSpot as it is read: versions, keys, limits, the object list and search, over real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from connectors.clock import DAY, HOUR, SECOND
from connectors.hubspot.sandbox.times import iso, moment
from connectors.sandbox.weather import Climate
from connectors.sandbox.world import random_world
from tests.sandbox.hubspot_place import CONTACTS, LISTS, NOW, Place, condition
from tests.sandbox.hubspot_place import place as running


@pytest.fixture
def hub() -> Iterator[Place]:
    with running() as found:
        yield found


@pytest.fixture
def empty() -> Iterator[Place]:
    with running(None) as found:
        yield found


# --- versions, keys, types


@pytest.mark.parametrize("path", [
    "/crm/objects/2026-09/contacts", "/crm/objects/2026-03/contacts/", "/crm/v3/objects/contacts", "/crm/v3/objects/contacts/",
    "/crm/v3/objects/contact", "/crm/objects/2026-09/0-1"])
def test_every_version_and_name_reads_one_store(hub: Place, path: str) -> None:
    assert [one["id"] for one in hub.get(path, limit=5)["results"]] == [one["id"] for one in hub.get(CONTACTS, limit=5)["results"]]


def test_unknown_versions_paths_and_the_lists_of_v1_are_404_pages(hub: Place) -> None:
    for path in ("/crm/objects/2025-09/contacts", "/crm/nothing", "/contacts/v1/lists", "/crm/objects/2026-09"):
        answer = hub.client.get(path)
        assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (404, "text/html")


def test_unknown_ids_are_404_json_and_unknown_types_are_invalid(hub: Place) -> None:
    assert "category" not in hub.refused(404, "GET", f"{CONTACTS}/1")
    assert hub.refused(404, "GET", f"{LISTS}/99")["subCategory"] == "ListError.LIST_NOT_FOUND"
    assert hub.refused(400, "GET", "/crm/objects/2026-09/unicorns")["category"] == "VALIDATION_ERROR"


def test_what_strangers_ask_for_and_nobody_has_is_a_missing_scope(hub: Place) -> None:
    for path in ("/companies/v2/properties", "/crm/v3/properties/tickets", "/crm/v3/owners/", "/engagements/v1/engagements/paged"):
        assert hub.refused(403, "GET", path)["category"] == "MISSING_SCOPES"


def test_keys_are_needed_known_and_may_lose_scopes(hub: Place) -> None:
    hub.client.headers["Authorization"] = "Bearer pat-na1-nobody"
    assert hub.refused(401, "GET", CONTACTS)["category"] == "INVALID_AUTHENTICATION"
    hub.act("switch", name="malformed_key_530", value=True)
    hub.client.headers["Authorization"] = "Bearer oops"
    assert hub.client.get(CONTACTS).status_code == 530
    hub.client.headers["Authorization"] = "Bearer pat-na1-sandbox-tester"
    hub.act("drop_scope", scope="crm.objects.orders.read", role="tester")
    error = hub.refused(403, "GET", "/crm/objects/2026-09/orders")
    assert error["errors"][0]["context"]["requiredScopes"] == ["crm.objects.orders.read"]
    hub.get(CONTACTS)
    hub.act("restore_key", role="tester")
    hub.get("/crm/objects/2026-09/orders")
    hub.act("revoke_key", role="tester")
    hub.refused(401, "GET", CONTACTS)


def test_the_account_can_be_another_behind_the_same_key(hub: Place) -> None:
    before = hub.get("/account-info/2026-09/details")
    assert (before["portalId"], before["utcOffset"], before["utcOffsetMilliseconds"]) == (1_000_001, "+01:00", HOUR)
    hub.act("swap_account", id="77", name="Other")
    assert hub.get("/integrations/v1/me")["portalId"] == hub.get("/account-info/v3/details")["portalId"] == 77


# --- limits


def test_a_key_has_190_calls_in_any_ten_seconds_and_sees_them_fall(hub: Place) -> None:
    headers = [hub.client.get(f"{LISTS}/401").headers for _ in range(190)]
    assert [int(one["X-HubSpot-RateLimit-Remaining"]) for one in headers] == list(range(189, -1, -1))
    refused = hub.client.get(f"{LISTS}/401")
    assert (refused.status_code, refused.json()["policyName"], refused.json()["errorType"]) == (429, "TEN_SECONDLY_ROLLING", "RATE_LIMIT")
    assert "Retry-After" not in refused.headers
    other = hub.client.get(f"{LISTS}/401", headers={"Authorization": "Bearer pat-na1-sandbox-connector"})
    assert other.status_code == 200
    hub.clock.advance(9.999)
    assert hub.client.get(f"{LISTS}/401").status_code == 429
    hub.clock.advance(0.001)
    assert hub.client.get(f"{LISTS}/401").status_code == 200


def test_all_keys_share_five_searches_a_second_without_rate_headers(hub: Place) -> None:
    keys = ["tester", "connector"] * 3
    answers = [hub.client.post(f"{CONTACTS}/search", json={}, headers={"Authorization": f"Bearer pat-na1-sandbox-{key}"}) for key in keys]
    assert [one.status_code for one in answers] == [200] * 5 + [429]
    assert answers[-1].json()["policyName"] == "SECONDLY"
    assert not any(name.lower().startswith("x-hubspot") for one in answers for name in one.headers)
    hub.clock.advance(1)
    assert hub.client.post(f"{CONTACTS}/search", json={}).status_code == 200


def test_the_day_is_counted_for_the_account_and_ends_at_its_midnight(hub: Place) -> None:
    hub.act("daily", calls=3)
    usage = "/account-info/2026-09/api-usage/daily/private-apps"
    assert hub.get(usage)["results"][0]["resetsAt"] == "2026-11-18T23:00:00.000Z"
    hub.get(usage)
    hub.search()
    assert hub.refused(429, "GET", usage)["policyName"] == "DAILY"
    hub.clock.set(NOW + 12 * HOUR)
    assert hub.get(usage)["results"][0]["currentUsage"] == 1


@pytest.mark.parametrize(("kind", "status"), [("429", 429), ("423", 423), ("477", 477), ("500", 500), ("502", 502), ("503", 503),
                                              ("504", 504), ("524", 524), ("401", 401), ("403", 403), ("html403", 403)])
def test_calls_fail_on_order(hub: Place, kind: str, status: int) -> None:
    hub.sandbox.sky.order("hubspot", kind)
    answer = hub.client.get(CONTACTS)
    assert answer.status_code == status
    assert ("Retry-After" in answer.headers) == (kind == "477")
    assert hub.client.get(CONTACTS).status_code == 200


# --- the object list


def test_the_list_shows_everybody_once_in_order_of_ids_and_ends_without_paging(hub: Place) -> None:
    ids: list[str] = []
    page = hub.get(CONTACTS, limit=100)
    while "paging" in page:
        ids += [one["id"] for one in page["results"]]
        assert page["paging"]["next"]["link"].startswith(hub.sandbox.urls["hubspot"] + CONTACTS + "?limit=100")
        page = hub.get(page["paging"]["next"]["link"])
    ids += [one["id"] for one in page["results"]]
    assert ids == sorted(ids, key=int) == [one["id"] for one in hub.rows("profiles") if one["live"]]


def test_a_link_keeps_all_parameters_and_a_newcomer_shows_up_during_the_walk(hub: Place) -> None:
    page = hub.get(CONTACTS, limit=2, properties="city", archived="False")
    assert "properties=city&archived=False&after=" in page["paging"]["next"]["link"]
    made = hub.create("new@shop.example")
    assert hub.get(CONTACTS, limit=100, after=made)["results"][0]["id"] == made


def test_limits_of_a_page_are_10_by_default_100_at_most_and_50_with_history(hub: Place) -> None:
    assert len(hub.get(CONTACTS)["results"]) == 10
    hub.refused(400, "GET", CONTACTS, limit=101)
    hub.refused(400, "GET", CONTACTS, limit=51, propertiesWithHistory="email")
    one = hub.get(CONTACTS, limit=1, propertiesWithHistory="email")["results"][0]
    assert one["propertiesWithHistory"]["email"][0]["value"] == one["properties"]["email"]


def test_properties_are_asked_for_joined_or_repeated_and_unknown_ones_are_passed_over(hub: Place) -> None:
    always = {"createdate", "hs_object_id", "lastmodifieddate"}
    answer = hub.client.get(f"{CONTACTS}?limit=1&properties=email,phone&properties=city&properties=nonsense&whatever=1").json()
    assert set(answer["results"][0]["properties"]) == always | {"email", "phone", "city"}
    assert answer["results"][0]["properties"]["phone"] is None
    assert set(hub.get(CONTACTS, limit=1)["results"][0]["properties"]) == always | {"email", "firstname", "lastname"}


def test_a_query_over_16_kb_is_too_long(hub: Place) -> None:
    assert hub.client.get(CONTACTS, params={"properties": "x" * 17_000}).status_code == 414


def test_archived_people_are_listed_apart_and_found_by_nobody_else(hub: Place) -> None:
    archived = {one["id"] for one in hub.rows("profiles") if not one["live"]}
    page = hub.get(CONTACTS, archived="true", limit=100)["results"]
    assert archived
    assert {one["id"] for one in page} == archived
    assert all(one["archived"] and one["archivedAt"] for one in page)
    identity = page[0]["id"]
    hub.refused(404, "GET", f"{CONTACTS}/{identity}")
    assert hub.get(f"{CONTACTS}/{identity}", archived="true")["archived"] is True
    assert hub.found(condition("hs_object_id", "EQ", identity)) == []
    assert hub.post(f"{CONTACTS}/batch/read", {"inputs": [{"id": identity}]}, archived="true")["results"][0]["id"] == identity


def test_links_come_with_the_list_and_in_batches_as_text_or_as_numbers(hub: Place) -> None:
    orders = hub.get("/crm/objects/2026-09/orders", limit=50, associations="contacts,companies")["results"]
    linked = {one["id"]: one["associations"]["contacts"]["results"][0]["id"] for one in orders}
    inputs = {"inputs": [{"id": one} for one in linked]}
    dated = hub.post("/crm/associations/2026-09/orders/contacts/batch/read", inputs)
    assert {one["from"]["id"]: one["to"][0]["toObjectId"] for one in dated["results"]} == linked
    older = hub.post("/crm/v4/associations/order/contact/batch/read", inputs)
    assert {one["from"]["id"]: str(one["to"][0]["toObjectId"]) for one in older["results"]} == linked
    assert isinstance(older["results"][0]["to"][0]["toObjectId"], int)
    who = next(iter(linked.values()))
    back = hub.post("/crm/v4/associations/contacts/orders/batch/read", {"inputs": [{"id": who}]})["results"][0]["to"]
    assert {next(one for one, to in linked.items() if to == who)} <= {str(one["toObjectId"]) for one in back}
    assert hub.post("/crm/v4/associations/contact/companies/batch/read", {"inputs": [{"id": who}]})["results"] == []


def test_orders_hold_the_shops_number_and_their_lines(hub: Place) -> None:
    order = hub.get("/crm/objects/2026-09/orders", limit=1, associations="line_items",
                    properties="hs_external_order_id,hs_total_price,hs_currency_code,quantity,category")["results"][0]
    line = order["associations"]["line_items"]["results"][0]["id"]
    told = hub.get(f"/crm/objects/2026-09/line_items/{line}", properties="quantity,amount,name")["properties"]
    own = order["properties"]
    assert own["hs_external_order_id"].isdigit()
    assert (own["hs_currency_code"], told["amount"], told["quantity"]) == ("USD", own["hs_total_price"], own["quantity"])
    truth = next(one for one in hub.rows("events") if one["id"] == f"order:{order['id']}")
    assert truth["kind"] == "order_placed"


def test_batch_read_names_all_missing_in_one_error(hub: Place) -> None:
    here = hub.some("SUBSCRIBED")[0]
    body = {"inputs": [{"id": here["email"].upper()}, {"id": "x@nowhere.example"}, {"id": "y@nowhere.example"}], "idProperty": "email"}
    answer = hub.post(f"{CONTACTS}/batch/read", body, 207)
    assert [one["id"] for one in answer["results"]] == [here["id"]]
    assert answer["numErrors"] == 1
    assert answer["errors"][0]["context"]["ids"] == ["x@nowhere.example", "y@nowhere.example"]
    hub.refused(400, "POST", f"{CONTACTS}/batch/read", {"inputs": [{"id": "1"}] * 101})


def test_engagement_on_the_record_counts_what_happened(hub: Place) -> None:
    opened: dict[int, int] = {}
    for one in hub.rows("events"):
        if one["kind"] == "email_opened":
            opened[one["person"]] = opened.get(one["person"], 0) + 1
    person, count = max(opened.items(), key=lambda pair: pair[1])
    who = next(one for one in hub.rows("profiles") if one["person"] == person)
    assert hub.contact(who["id"], "hs_email_open")["hs_email_open"] == str(count)
    hub.act("happen", email=who["email"], kind="email_opened")
    told = hub.contact(who["id"], "hs_email_open", "hs_email_last_open_date", "lastmodifieddate")
    assert told["hs_email_open"] == str(count + 1)
    assert told["lastmodifieddate"] == told["hs_email_last_open_date"] == iso(hub.clock.now() - 60)


# --- search


def test_search_pages_by_offset_and_counts_all(hub: Place) -> None:
    everybody = [one["id"] for one in hub.rows("profiles") if one["live"]]
    page = hub.post(f"{CONTACTS}/search", {"limit": 100})
    assert (page["total"], page["paging"]["next"]["after"]) == (len(everybody), "100")
    ids = [one["id"] for one in page["results"]]
    while "paging" in page:
        page = hub.post(f"{CONTACTS}/search", {"limit": 100, "after": page["paging"]["next"]["after"]})
        ids += [one["id"] for one in page["results"]]
    assert ids == everybody
    assert len(hub.search(after=None)["results"]) == len(hub.search(after="")["results"]) == len(hub.search(after=0)["results"]) == 10


def test_search_refuses_what_is_too_much(hub: Place) -> None:
    path, one = f"{CONTACTS}/search", condition("email", "HAS_PROPERTY")
    refused: list[dict[str, Any]] = [
        {"limit": 201}, {"limit": 100, "after": "9950"}, {"filterGroups": [{"filters": [one]}] * 6}, {"filters": [one] * 7},
        {"query": "x" * 3001}, {"filters": [condition("nonsense", "EQ", "1")]}, {"filters": [condition("email", "LIKE", "1")]},
    ]
    for body in refused:
        assert hub.refused(400, "POST", path, body)["category"] == "VALIDATION_ERROR"
    assert hub.post(path, {"limit": 50, "after": 9950, "properties": ["x" * 100] * 500})["results"] == []


def test_filters_are_grouped_bare_or_absent_and_values_text_or_number(hub: Place) -> None:
    ids = [int(one["id"]) for one in hub.rows("profiles") if one["live"]]
    middle = sorted(ids)[len(ids) // 2]
    above = {str(one) for one in ids if one > middle}
    rule = condition("hs_object_id", "GT", middle)
    for filters in ({"filters": [rule]}, {"filterGroups": [{"filters": [{**rule, "value": str(middle)}]}]}):
        body = {"limit": 200, "sorts": [{"propertyName": "hs_object_id", "direction": "DESCENDING"}], **filters}
        found = [one["id"] for one in hub.post(f"{CONTACTS}/search", body)["results"]]
        assert set(found) == above
        assert found == sorted(found, key=int, reverse=True)


def test_time_filters_take_milliseconds_or_iso_and_are_exact(hub: Place) -> None:
    one = hub.get(CONTACTS, limit=1)["results"][0]
    moved = one["updatedAt"]
    found = hub.found(condition("lastmodifieddate", "EQ", moved))
    assert one["id"] in found
    at = moment(moved)
    assert at is not None
    assert found == hub.found(condition("lastmodifieddate", "EQ", str(at))) == hub.found(condition("lastmodifieddate", "EQ", at))
    assert one["id"] not in hub.found(condition("lastmodifieddate", "GT", at), condition("hs_object_id", "EQ", one["id"]))
    assert one["id"] not in hub.found(condition("lastmodifieddate", "LT", at), condition("hs_object_id", "EQ", one["id"]))
    assert one["id"] in hub.found(condition("lastmodifieddate", "BETWEEN", at, highValue=at), condition("hs_object_id", "EQ", one["id"]))
    hub.refused(500, "POST", f"{CONTACTS}/search", {"filters": [condition("lastmodifieddate", "GTE", 0)]})


def test_contacts_have_no_hs_lastmodifieddate_and_say_so_by_silence(hub: Place) -> None:
    since = condition("hs_lastmodifieddate", "GTE", NOW - 900 * DAY)
    assert hub.search(since)["total"] == 0
    assert hub.search(since, kind="orders")["total"] == hub.search(kind="orders")["total"] > 0
    assert hub.search(condition("lastmodifieddate", "GTE", NOW - 900 * DAY), kind="orders")["total"] == 0


def test_every_operator_does_what_it_says(empty: Place) -> None:
    ids = {city: empty.create(f"p{n}@shop.example", city=city, annualrevenue=n)
           for n, city in enumerate(("New York", "York", "Bern", ""))}
    empty.clock.advance(5)

    def cities(*filters: dict[str, Any]) -> set[str]:
        found = empty.found(*filters)
        return {city for city, identity in ids.items() if identity in found}

    assert cities(condition("city", "EQ", "york")) == {"York"}
    assert cities(condition("city", "NEQ", "York")) == {"New York", "Bern"}
    assert cities(condition("city", "IN", values=["york", "Bern"])) == {"York"}, "what is not lower case never matches"
    assert cities(condition("city", "NOT_IN", values=["york"])) == {"New York", "Bern"}
    assert cities(condition("city", "HAS_PROPERTY")) == {"New York", "York", "Bern"}
    assert cities(condition("city", "NOT_HAS_PROPERTY")) == {""}
    assert cities(condition("city", "CONTAINS_TOKEN", "york")) == {"New York", "York"}
    assert cities(condition("city", "CONTAINS_TOKEN", "y*k")) == {"New York", "York"}
    assert cities(condition("city", "NOT_CONTAINS_TOKEN", "new")) == {"York", "Bern"}
    assert cities(condition("annualrevenue", "GTE", "1"), condition("annualrevenue", "LT", 3)) == {"York", "Bern"}
    assert cities(condition("annualrevenue", "BETWEEN", "0", highValue="1")) == {"New York", "York"}
    assert len(empty.post(f"{CONTACTS}/search", {"query": "P1@Shop"})["results"]) == 1


def test_search_knows_a_write_late_and_shows_the_old_values_until_then(empty: Place) -> None:
    identity = empty.create("a@shop.example", city="Bern")
    assert empty.contact(identity, "city")["city"] == "Bern", "the record itself is there at once"
    assert empty.found(condition("city", "EQ", "Bern")) == []
    empty.clock.advance(1)
    assert empty.found(condition("city", "EQ", "Bern")) == [identity]
    empty.asked("PATCH", f"{CONTACTS}/{identity}", {"properties": {"city": "Wien"}})
    old = empty.search(condition("city", "EQ", "Bern"), properties=["city"])["results"][0]
    assert old["properties"]["city"] == "Bern"
    assert old["updatedAt"] < empty.get(f"{CONTACTS}/{identity}")["updatedAt"]
    assert empty.found(condition("city", "EQ", "Wien")) == []
    empty.clock.advance(1)
    assert empty.found(condition("city", "EQ", "Wien")) == [identity]
    assert empty.found(condition("city", "EQ", "Bern")) == []


def test_in_a_storm_fresh_records_come_out_of_order(empty: Place) -> None:
    sky = empty.sandbox.sky
    sky.weather, sky.climate = "stormy", Climate({}, {"search": 90 * SECOND})
    for n in range(12):
        empty.application.create_contact(f"p{n}@shop.example")
        empty.clock.advance(1)
    empty.clock.advance(20)
    seen = [int(one) for one in empty.found()]
    assert 0 < len(seen) < 12
    assert seen != list(range(seen[0], seen[0] + 7 * len(seen), 7)), "not simply the first ones"
    empty.clock.advance(90)
    assert len(empty.found()) == 12


def test_many_contacts_of_one_millisecond_are_passed_by_id(empty: Place) -> None:
    empty.application.load(random_world(2, 16_000, 200, NOW))
    count = len(empty.application.people)
    empty.act("same_time", count=count, at=NOW - DAY)
    when = condition("lastmodifieddate", "EQ", NOW - DAY)
    total, last, seen = empty.search(when)["total"], 0, 0
    assert total > 10_000
    for _ in range(3):
        page = empty.search(when, condition("hs_object_id", "GT", last), limit=200)
        seen += len(page["results"])
        assert page["total"] == total - seen + 200
        last = int(page["results"][-1]["id"])


def test_deals_can_be_searched_by_their_contact(hub: Place) -> None:
    deal = hub.get("/crm/objects/2026-09/deals", limit=1, associations="contacts")["results"][0]
    who = deal["associations"]["contacts"]["results"][0]["id"]
    assert deal["id"] in hub.found(condition("associations.contact", "EQ", who), kind="deals")
    old = hub.get("/deals/v1/deal/paged", limit=1, includeAssociations="True", includeAllProperties="True")
    assert str(old["deals"][0]["dealId"]) == deal["id"]
    assert old["deals"][0]["associations"]["associatedVids"] == [int(who)]
