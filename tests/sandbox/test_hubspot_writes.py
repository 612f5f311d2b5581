"""The emulated HubSpot as it is written to: records, properties, lists and members, merges, over real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from connectors.clock import DAY
from tests.sandbox.hubspot_place import CONTACTS, LISTS, Place, condition
from tests.sandbox.hubspot_place import place as running

PROPERTIES = "/crm/properties/2026-09/contacts"
MEMBERS = "/memberships"


@pytest.fixture
def hub() -> Iterator[Place]:
    with running() as found:
        yield found


@pytest.fixture
def empty() -> Iterator[Place]:
    with running(None) as found:
        yield found


def change(hub: Place, listed: str, add: list[Any], remove: list[Any], status: int = 200) -> Any:
    body = {"recordIdsToAdd": add, "recordIdsToRemove": remove}
    return hub.asked("PUT", f"{LISTS}/{listed}{MEMBERS}/add-and-remove", body, status)


def members(hub: Place, listed: str, **query: Any) -> list[str]:
    found, page = [], hub.get(f"{LISTS}/{listed}{MEMBERS}", **query)
    while "paging" in page:
        found += [one["recordId"] for one in page["results"]]
        page = hub.get(f"{LISTS}/{listed}{MEMBERS}", **query, after=page["paging"]["next"]["after"])
    return found + [one["recordId"] for one in page["results"]]


def segments(hub: Place) -> None:
    """A property of the account's own for names of segments."""
    hub.post(f"{PROPERTIES}/groups", {"name": "segmentd", "label": "segmentd"}, 201)
    hub.post(PROPERTIES, {
        "name": "segments", "label": "Segments", "groupName": "segmentd", "type": "enumeration", "fieldType": "checkbox",
        "options": [{"label": one, "value": one} for one in ("vip", "lapsed")]}, 201)


# --- lists


def test_a_lists_name_is_taken_in_any_case_and_found_in_any_case(hub: Place) -> None:
    listed = hub.manual("Big spenders")
    wish = {"name": "BIG spenders", "objectTypeId": "0-1", "processingType": "MANUAL"}
    assert hub.refused(400, "POST", LISTS, wish)["category"] == "VALIDATION_ERROR"
    assert hub.get(f"{LISTS}/object-type-id/0-1/name/big%20SPENDERS")["list"]["listId"] == listed
    assert hub.refused(404, "GET", f"{LISTS}/object-type-id/0-1/name/free")["subCategory"] == "ListError.LIST_NOT_FOUND"
    renamed = hub.asked("PUT", f"{LISTS}/{listed}/update-list-name", query={"listName": "Spenders"})["updatedList"]
    assert (renamed["name"], renamed["listId"]) == ("Spenders", listed)


def test_a_deleted_list_vanishes_and_comes_back_with_its_members(hub: Place) -> None:
    listed, who = hub.manual(), hub.some("SUBSCRIBED")[0]["id"]
    change(hub, listed, [who], [])
    hub.asked("DELETE", f"{LISTS}/{listed}", status=204)
    hub.refused(404, "GET", f"{LISTS}/{listed}")
    assert listed not in [one["listId"] for one in hub.post(f"{LISTS}/search", {})["lists"]]
    hub.asked("PUT", f"{LISTS}/{listed}/restore", status=204)
    assert members(hub, listed) == [who]
    hub.asked("DELETE", f"{LISTS}/{listed}", status=204)
    hub.clock.advance(91 * DAY / 1000)
    hub.refused(404, "PUT", f"{LISTS}/{listed}/restore")


def test_lists_are_searched_by_offset_and_all_of_them_by_cursor(hub: Place) -> None:
    made = [hub.manual(f"L{n}") for n in range(7)]
    page = hub.post("/crm/v3/lists/search/", {"query": "l", "processingTypes": ["MANUAL"], "offset": 0, "count": 3})
    assert (page["offset"], page["hasMore"], page["total"]) == (3, True, 7)
    assert all(isinstance(one["additionalProperties"]["hs_list_size"], str) for one in page["lists"])
    assert hub.post(f"{LISTS}/search", {"count": 1000})["hasMore"] is False
    hub.refused(400, "POST", f"{LISTS}/search", {"offset": 10_001})
    found, body = [], {"objectTypeId": "0-1", "processingTypes": ["MANUAL"], "count": 3}
    page = hub.post(f"{LISTS}/all", body)
    while "paging" in page:
        found += [one["listId"] for one in page["results"]]
        page = hub.post(f"{LISTS}/all", {**body, "after": page["paging"]["next"]["after"]})
    assert found + [one["listId"] for one in page["results"]] == made
    wrong = {"objectTypeId": "0-1", "after": hub.post(f"{LISTS}/all", body)["paging"]["next"]["after"]}
    assert hub.refused(400, "POST", f"{LISTS}/all", wrong)["subCategory"] == "ListError.INVALID_CURSOR"
    assert [one["listId"] for one in hub.get(LISTS, listIds=made[:2])["lists"]] == made[:2]


def test_a_list_of_a_type_nobody_has_refuses_to_show_members(hub: Place) -> None:
    odd = next(one for one in hub.post(f"{LISTS}/search", {})["lists"] if one["objectTypeId"] == "0-53")
    error = hub.refused(400, "GET", f"{LISTS}/{odd['listId']}{MEMBERS}")
    assert error["subCategory"] == "ListError.INVALID_OBJECT_TYPE_FOR_LIST"


def test_a_lists_size_is_up_to_a_minute_late(hub: Place) -> None:
    listed, who = hub.manual(), hub.some("SUBSCRIBED", 5)
    change(hub, listed, [one["id"] for one in who], [])
    assert hub.get(f"{LISTS}/{listed}")["list"]["size"] == 0
    hub.clock.advance(60)
    assert hub.get(f"{LISTS}/{listed}")["list"]["size"] == 5


# --- members


def test_the_answer_is_the_difference_and_a_repetition_makes_none(hub: Place) -> None:
    listed = hub.manual()
    first, second, third = (one["id"] for one in hub.some("SUBSCRIBED", 3))
    assert change(hub, listed, [first, int(second), first], []) == {
        "recordsIdsAdded": [first, second], "recordIdsRemoved": [], "recordIdsMissing": []}
    assert change(hub, listed, [second, third, "99999999"], [first, "nonsense"]) == {
        "recordsIdsAdded": [third], "recordIdsRemoved": [first], "recordIdsMissing": ["99999999", "nonsense"]}
    again = change(hub, listed, [second, third], [first])
    assert again == {"recordsIdsAdded": [], "recordIdsRemoved": [], "recordIdsMissing": []}
    assert members(hub, listed, limit=1) == [second, third]
    assert hub.asked("PUT", f"{LISTS}/{listed}{MEMBERS}/add", [first])["recordsIdsAdded"] == [first]
    assert hub.asked("PUT", f"/crm/v3/lists/{listed}{MEMBERS}/remove", [first])["recordIdsRemoved"] == [first]
    named = [one["profile"] for one in hub.rows("members") if one["name"] == "VIP"]
    assert named == [second, third]


def test_both_keys_are_needed_and_only_lists_of_ids_are_taken(hub: Place) -> None:
    listed = hub.manual()
    path = f"{LISTS}/{listed}{MEMBERS}/add-and-remove"
    hub.refused(400, "PUT", path, {"recordIdsToAdd": ["1"]})
    hub.refused(400, "PUT", path, {"recordIdsToAdd": ["1"], "recordIdsToRemove": None})
    hub.refused(400, "PUT", f"{LISTS}/{listed}{MEMBERS}/add", {"ids": []})
    change(hub, listed, [str(n) for n in range(100_001)], [], 400)
    assert len(change(hub, listed, [str(n) for n in range(1, 100_001)], [])["recordIdsMissing"]) > 99_000


def test_a_dynamic_list_takes_nobody(hub: Place) -> None:
    change(hub, "401", [hub.some("NOT_SPECIFIED")[0]["id"]], [], 400)


def test_archived_and_erased_people_leave_lists_and_are_missing(hub: Place) -> None:
    listed = hub.manual()
    archived, erased, stays = hub.some("SUBSCRIBED", 3)
    change(hub, listed, [archived["id"], erased["id"], stays["id"]], [])
    hub.asked("DELETE", f"{CONTACTS}/{archived['id']}", status=204)
    hub.post(f"{CONTACTS}/gdpr-delete", {"objectId": erased["email"], "idProperty": "email"}, 204)
    assert members(hub, listed) == [stays["id"]]
    assert change(hub, listed, [archived["id"], erased["id"]], [])["recordIdsMissing"] == [archived["id"], erased["id"]]


def test_members_pages_are_250_at_most_and_join_order_is_newest_first(hub: Place) -> None:
    listed, who = hub.manual(), [one["id"] for one in hub.some("SUBSCRIBED", 4)]
    for one in reversed(who):
        change(hub, listed, [one], [])
    hub.refused(400, "GET", f"{LISTS}/{listed}{MEMBERS}", limit=251)
    page = hub.get(f"{LISTS}/{listed}{MEMBERS}", limit=3)
    assert ([one["recordId"] for one in page["results"]], page["total"]) == (who[:3], 4)
    path = f"{LISTS}/{listed}{MEMBERS}/join-order"
    page = hub.get(path, limit=3)
    last = hub.get(path, limit=3, after=page["paging"]["next"]["after"])
    assert [one["recordId"] for one in [*page["results"], *last["results"]]] == who
    hub.act("switch", name="join_order_ascending", value=True)
    assert [one["recordId"] for one in hub.get(path)["results"]] == who[::-1]


def test_readers_see_members_when_their_lag_is_over(hub: Place) -> None:
    listed, who = hub.manual(), hub.some("SUBSCRIBED")[0]["id"]
    hub.sandbox.sky.lags["members"] = 5000
    assert change(hub, listed, [who], [])["recordsIdsAdded"] == [who]
    assert members(hub, listed) == []
    assert change(hub, listed, [who], [])["recordsIdsAdded"] == [], "what was accepted is known at once"
    hub.clock.advance(5)
    assert members(hub, listed) == [who]


def test_the_lists_of_one_and_of_many_records(hub: Place) -> None:
    listed = hub.manual()
    on, off = hub.some("NOT_SPECIFIED", 2)
    change(hub, listed, [on["id"]], [])
    assert [one["listId"] for one in hub.get(f"{LISTS}/records/0-1/{on['id']}/memberships")["results"]] == [listed]
    inputs = [{"objectTypeId": "0-1", "recordId": one} for one in (on["id"], off["id"], "7")]
    answer = hub.post(f"{LISTS}/records/memberships/batch/read", {"inputs": inputs}, 207)
    told = {one["recordId"]: [joined["listId"] for joined in one["recordListMemberships"]] for one in answer["results"]}
    assert told == {on["id"]: [listed], off["id"]: []}
    assert answer["errors"][0]["context"]["ids"] == ["7"]
    hub.refused(400, "POST", f"{LISTS}/records/memberships/batch/read", {"inputs": inputs * 40})


def test_members_are_copied_and_all_removed(hub: Place) -> None:
    listed, other, who = hub.manual("A"), hub.manual("B"), [one["id"] for one in hub.some("SUBSCRIBED", 3)]
    change(hub, listed, who, [])
    hub.asked("PUT", f"{LISTS}/{other}{MEMBERS}/add-from/{listed}", status=204)
    hub.asked("DELETE", f"{LISTS}/{listed}{MEMBERS}", status=204)
    assert (members(hub, listed), members(hub, other)) == ([], who)
    assert hub.get(f"{LISTS}/idmapping", legacyListId=int(other) - 300)["listId"] == other


# --- merges and erasure


def test_a_merge_makes_a_new_id_and_everything_moves_along(hub: Place) -> None:
    winner, loser = hub.some("SUBSCRIBED")[0], hub.some("UNSUBSCRIBED")[0]
    listed = hub.manual()
    change(hub, listed, [loser["id"]], [])
    hub.asked("PATCH", f"{CONTACTS}/{winner['id']}", {"properties": {"phone": "1"}})
    hub.asked("PATCH", f"{CONTACTS}/{loser['id']}", {"properties": {"phone": "2", "company": "Shop"}})
    new = hub.post(f"{CONTACTS}/merge", {"primaryObjectId": winner["id"], "objectIdToMerge": loser["id"]})["id"]
    assert new not in (winner["id"], loser["id"])
    told = hub.contact(loser["id"], "email", "hs_additional_emails", "hs_merged_object_ids", "hs_email_optout", "phone", "company")
    assert told["hs_object_id"] == new
    assert (told["email"], told["hs_additional_emails"]) == (winner["email"], loser["email"])
    assert set(told["hs_merged_object_ids"].split(";")) == {winner["id"], loser["id"]}
    assert (told["hs_email_optout"], told["phone"], told["company"]) == ("true", "1", "Shop")
    assert members(hub, listed) == [new]
    living = [one["id"] for one in hub.rows("profiles")]
    assert new in living
    assert not {winner["id"], loser["id"]} & set(living)
    assert hub.found(condition("hs_object_id", "IN", values=[winner["id"], loser["id"]])) == []
    hub.clock.advance(1)
    assert hub.found(condition("hs_object_id", "EQ", new)) == [new]
    sales = [one for one in hub.rows("events") if one["native"] == "order" and one["person"] == loser["person"]]
    assert not sales, "what the loser bought is the survivor's"


def test_ids_of_a_second_merge_hold_those_of_the_first(hub: Place) -> None:
    first, second, third = (one["email"] for one in hub.some("SUBSCRIBED", 3))
    one, two = hub.act("merge", winner=first, loser=second), hub.act("merge", winner=third, loser=second)
    told = hub.contact(one["winner"], "hs_merged_object_ids", "email")
    assert (told["hs_object_id"], told["email"]) == (two["id"], third)
    assert set(told["hs_merged_object_ids"].split(";")) == {one["winner"], one["loser"], one["id"], two["winner"]}


def test_old_ids_in_memberships_mean_the_survivor_or_by_switch_nobody(hub: Place) -> None:
    listed = hub.manual()
    winner, loser = hub.some("SUBSCRIBED", 2)
    ids = hub.act("merge", winner=winner["email"], loser=loser["email"])
    assert change(hub, listed, [ids["winner"], ids["loser"]], [])["recordsIdsAdded"] == [ids["id"]]
    hub.act("switch", name="merged_ids_missing", value=True)
    assert change(hub, listed, [], [ids["winner"]])["recordIdsMissing"] == [ids["winner"]]


def test_an_account_in_the_beta_keeps_the_primary_id(hub: Place) -> None:
    hub.act("switch", name="merge_keeps_id", value=True)
    winner, loser = hub.some("SUBSCRIBED", 2)
    assert hub.act("merge", winner=winner["email"], loser=loser["email"])["id"] == winner["id"]
    assert hub.contact(loser["id"], "hs_merged_object_ids")["hs_merged_object_ids"] == loser["id"]


def test_what_is_erased_is_nowhere(hub: Place) -> None:
    who = hub.some("SUBSCRIBED")[0]
    hub.act("happen", email=who["email"], kind="email_opened")
    hub.act("erase", email=who["email"])
    hub.clock.advance(2)
    for archived in ("true", "false"):
        hub.refused(404, "GET", f"{CONTACTS}/{who['id']}", archived=archived)
    assert hub.found(condition("email", "EQ", who["email"])) == []
    assert who["person"] not in {one["person"] for table in ("profiles", "events", "members") for one in hub.rows(table)}
    assert hub.get("/email/public/v1/events", recipient=who["email"])["events"] == []


def test_people_move_in_and_out_of_the_archive(hub: Place) -> None:
    who = hub.some("SUBSCRIBED")[0]
    hub.act("archive", email=who["email"])
    hub.refused(404, "GET", f"{CONTACTS}/{who['email']}", idProperty="email")
    hub.act("unarchive", email=who["email"])
    assert hub.get(f"{CONTACTS}/{who['email'].upper()}", idProperty="email")["id"] == who["id"]


# --- values


def test_a_leading_semicolon_appends_and_empty_text_clears(hub: Place) -> None:
    segments(hub)
    identity = hub.create("x@shop.example", segments="vip")
    path = f"{CONTACTS}/{identity}"
    for written, kept in ((";lapsed", "vip;lapsed"), (";vip", "vip;lapsed"), ("lapsed", "lapsed"), ("", None)):
        hub.asked("PATCH", path, {"properties": {"segments": written}})
        assert hub.contact(identity, "segments")["segments"] == kept


@pytest.mark.parametrize(("name", "value", "code"), [
    ("segments", "gold", "INVALID_OPTION"), ("missing", "1", "PROPERTY_DOESNT_EXIST"), ("hs_email_optout", "true", "READ_ONLY_VALUE"),
    ("email", "not-an-address", "INVALID_EMAIL"), ("annualrevenue", "1,000", "INVALID_NUMBER"), ("closedate", "soon", "INVALID_DATE")])
def test_values_that_cannot_be_are_refused_with_a_code(hub: Place, name: str, value: str, code: str) -> None:
    segments(hub)
    error = hub.refused(400, "PATCH", f"{CONTACTS}/{hub.some('SUBSCRIBED')[0]['id']}", {"properties": {name: value}})
    assert error["category"] == "VALIDATION_ERROR"
    assert f'"error":"{code}"' in error["message"]


def test_a_write_that_changes_nothing_moves_no_time_unless_switched(hub: Place) -> None:
    identity = hub.create("x@shop.example", city="Bern")
    before = hub.contact(identity)["lastmodifieddate"]
    hub.asked("PATCH", f"{CONTACTS}/{identity}", {"properties": {"city": "Bern"}})
    assert hub.contact(identity)["lastmodifieddate"] == before
    hub.act("switch", name="noop_moves", value=True)
    hub.asked("PATCH", f"{CONTACTS}/{identity}", {"properties": {"city": "Bern"}})
    assert hub.contact(identity)["lastmodifieddate"] > before


def test_options_are_replaced_whole_and_old_values_stay_readable(hub: Place) -> None:
    segments(hub)
    identity = hub.create("x@shop.example", segments="vip")
    hub.asked("PATCH", f"{PROPERTIES}/segments", {"options": [{"label": "New", "value": "new"}]})
    assert [one["value"] for one in hub.get(f"{PROPERTIES}/segments")["options"]] == ["new"]
    assert hub.contact(identity, "segments")["segments"] == "vip"
    hub.refused(400, "PATCH", f"{CONTACTS}/{identity}", {"properties": {"segments": "vip;new"}})


def test_properties_are_listed_made_once_and_told_in_older_shapes(hub: Place) -> None:
    segments(hub)
    names = [one["name"] for one in hub.get(PROPERTIES)["results"]]
    assert {"email", "segments", "hs_email_optout_3001"} <= set(names)
    for path in ("/properties/v2/contact/properties", "/properties/v1/contacts/properties"):
        assert [one["name"] for one in hub.get(path)] == names
    wish = {"name": "segments", "label": "S", "groupName": "segmentd", "type": "string", "fieldType": "text"}
    assert hub.refused(409, "POST", PROPERTIES, wish)["category"] == "CONFLICT"
    assert hub.refused(409, "POST", f"{PROPERTIES}/groups", {"name": "segmentd", "label": "x"})["category"] == "CONFLICT"
    hub.refused(404, "GET", f"{PROPERTIES}/nothing")
    assert hub.get("/crm/v3/schemas") == {"results": []}


def test_a_rule_of_the_account_holds_for_dated_writes_only(hub: Place) -> None:
    hub.act("switch", name="required_property", value="company")
    identity = hub.some("SUBSCRIBED")[0]["id"]
    error = hub.refused(400, "PATCH", f"{CONTACTS}/{identity}", {"properties": {"city": "Bern"}})
    assert error["errors"][0]["code"] == "REQUIRED_FIELD"
    hub.asked("PATCH", f"/crm/v3/objects/contacts/{identity}", {"properties": {"city": "Bern"}})
    hub.asked("PATCH", f"{CONTACTS}/{identity}", {"properties": {"city": "Wien", "company": "Shop"}})


# --- creating, batches


def test_a_known_address_conflicts_even_as_an_additional_one(hub: Place) -> None:
    winner, loser = hub.some("SUBSCRIBED", 2)
    ids = hub.act("merge", winner=winner["email"], loser=loser["email"])
    for email in (winner["email"].upper(), loser["email"]):
        error = hub.refused(409, "POST", CONTACTS, {"properties": {"email": email}})
        assert (error["category"], error["message"]) == ("CONFLICT", f"Contact already exists. Existing ID: {ids['id']}")


def test_a_batch_with_trace_ids_tells_failures_one_by_one(hub: Place) -> None:
    good, bad = hub.some("SUBSCRIBED", 2)
    inputs = [
        {"id": good["id"], "properties": {"city": "Bern"}, "objectWriteTraceId": "a"},
        {"id": bad["id"], "properties": {"missing": "1"}, "objectWriteTraceId": "b"},
        {"id": "7", "properties": {"city": "Bern"}, "objectWriteTraceId": "c"},
    ]
    answer = hub.post(f"{CONTACTS}/batch/update", {"inputs": inputs}, 207)
    assert [(one["id"], one["objectWriteTraceId"]) for one in answer["results"]] == [(good["id"], "a")]
    assert [one["context"]["objectWriteTraceId"] for one in answer["errors"]] == [["b"], ["c"]]
    for one in inputs:
        del one["objectWriteTraceId"]
    inputs[0]["properties"] = {"city": "Wien"}
    hub.refused(400, "POST", f"{CONTACTS}/batch/update", {"inputs": inputs[:2]})
    assert hub.contact(good["id"], "city")["city"] == "Bern", "nothing is applied"
    hub.refused(400, "POST", f"{CONTACTS}/batch/update", {"inputs": [inputs[0], inputs[0]]})
    hub.refused(400, "POST", f"{CONTACTS}/batch/update", {"inputs": [inputs[0]] * 101})


def test_update_by_address_is_refused_and_upsert_by_address_creates(hub: Place) -> None:
    known = hub.some("SUBSCRIBED")[0]
    inputs = [{"id": email, "idProperty": "email", "properties": {"city": "Bern"}} for email in (known["email"], "new@shop.example")]
    assert "non-unique 0-1 property" in hub.refused(400, "POST", f"{CONTACTS}/batch/update", {"inputs": inputs})["message"]
    answer = hub.post(f"{CONTACTS}/batch/upsert", {"inputs": inputs})
    assert [one["new"] for one in answer["results"]] == [False, True]
    assert answer["results"][0]["id"] == known["id"]
    inputs = [{**inputs[0], "properties": {"city": "Wien"}}, {**inputs[1], "properties": {"missing": "1"}}]
    hub.refused(400, "POST", f"{CONTACTS}/batch/upsert", {"inputs": inputs})
    assert hub.contact(known["id"], "city")["city"] == "Bern", "one bad input fails all"


def test_batches_create_and_archive(hub: Place) -> None:
    inputs = [{"properties": {"email": f"n{n}@shop.example"}} for n in range(3)]
    made = hub.post(f"{CONTACTS}/batch/create", {"inputs": inputs}, 201)["results"]
    assert [one["properties"]["email"] for one in made] == ["n0@shop.example", "n1@shop.example", "n2@shop.example"]
    hub.refused(409, "POST", f"{CONTACTS}/batch/create", {"inputs": [{"properties": {"email": "new@shop.example"}}, inputs[0]]})
    assert hub.client.get(f"{CONTACTS}/new@shop.example?idProperty=email").status_code == 404
    hub.post(f"{CONTACTS}/batch/archive", {"inputs": [{"id": one["id"]} for one in made]}, 204)
    assert {one["id"] for one in made} <= {one["id"] for one in hub.get(CONTACTS, archived="true", limit=100)["results"]}


def test_a_deal_is_made_with_its_contact(hub: Place) -> None:
    who = hub.some("SUBSCRIBED")[0]["id"]
    wish = {"dealname": "Coat", "amount": 12.5, "dealstage": "closedwon"}
    made = hub.post("/crm/v3/objects/deals", {"properties": wish, "associations": [{"to": {"id": who}, "types": []}]}, 201)
    linked = hub.post("/crm/v4/associations/contacts/deals/batch/read", {"inputs": [{"id": who}]})["results"][0]["to"]
    assert int(made["id"]) in [one["toObjectId"] for one in linked]
    assert hub.get(f"/crm/v3/objects/deals/{made['id']}")["properties"]["amount"] == "12.5"


def test_permission_is_touched_only_by_calls_that_can(hub: Place) -> None:
    who = hub.some("SUBSCRIBED")[0]["id"]
    hub.asked("PATCH", f"{CONTACTS}/{who}", {"properties": {"city": "Bern"}})
    hub.create("x@shop.example")
    assert hub.application.tallies["tester"].consent == 0
    hub.asked("PATCH", f"{CONTACTS}/{who}", {"properties": {"hs_legal_basis": "Not applicable"}})
    hub.post(f"{CONTACTS}/gdpr-delete", {"objectId": "nobody@shop.example", "idProperty": "email"}, 204)
    assert hub.application.tallies["tester"].consent == 2


# --- deeds


def test_people_act(hub: Place) -> None:
    who, other = hub.some("SUBSCRIBED", 2)
    hub.act("change_email", email=who["email"], to="moved@shop.example")
    assert hub.contact(who["id"], "email")["email"] == "moved@shop.example"
    order = hub.act("happen", email="moved@shop.example", kind="order_placed", value=12_340_000, number=777, quantity=2)
    told = next(one for one in hub.rows("events") if one["id"] == f"order:{order['id']}")
    assert (told["person"], told["at"]) == (who["person"], hub.clock.now())
    hub.clock.advance(1)
    assert hub.found(condition("hs_external_order_id", "EQ", "777"), kind="orders") == [order["id"]]
    hub.act("happen", email=other["email"], kind="email_unsubscribed")
    hub.act("suppress", email="moved@shop.example")
    state = {one["id"]: one["state"] for one in hub.rows("profiles")}
    assert (state[who["id"]], state[other["id"]]) == ("BOUNCED", "UNSUBSCRIBED")
    made = hub.act("create_profile", email=who["email"], standing="withdrawn")
    back = next(one for one in hub.rows("profiles") if one["id"] == made["id"])
    assert (back["person"], back["barred"]) == (who["person"], True), "an address of the world is that person's"
    stranger = hub.create("stranger@shop.example")
    assert next(one["person"] for one in hub.rows("profiles") if one["id"] == stranger) == -1


def test_what_an_archived_contact_bought_stays_linked_unless_switched(hub: Place) -> None:
    who = hub.some("SUBSCRIBED")[0]
    order = hub.act("happen", email=who["email"], kind="order_placed", value=1_000_000)["id"]
    hub.act("archive", email=who["email"])
    path, body = "/crm/associations/2026-09/orders/contacts/batch/read", {"inputs": [{"id": order}]}
    assert hub.post(path, body)["results"][0]["to"][0]["toObjectId"] == who["id"]
    hub.act("switch", name="archived_unlinked", value=True)
    assert hub.post(path, body)["results"] == []
    assert f"order:{order}" not in [one["id"] for one in hub.rows("events")]


def test_hands_and_switches(hub: Place) -> None:
    hub.act("create_target", name="By hand")
    who = hub.some("SUBSCRIBED")[0]
    hub.act("add_by_hand", email=who["email"], target="by HAND")
    assert [one["profile"] for one in hub.rows("members") if one["name"] == "By hand"] == [who["id"]]
    hub.act("remove_by_hand", email=who["email"], target="By hand")
    hub.act("delete_target", name="By hand")
    assert "By hand" not in [one["name"] for one in hub.rows("members")]
    for deed, values in (("dance", {}), ("withdraw", {"email": "nobody@shop.example"}), ("switch", {"name": "x", "value": 1}),
                         ("happen", {"email": who["email"], "kind": "page_viewed"})):
        with pytest.raises(ValueError, match="no"):
            hub.act(deed, **values)


def test_the_effect_of_a_dropped_call_stays(hub: Place) -> None:
    listed, who = hub.manual(), hub.some("SUBSCRIBED")[0]["id"]
    hub.sandbox.sky.order("hubspot", "drop_after", match="PUT")
    with pytest.raises(httpx.TransportError):
        change(hub, listed, [who], [])
    assert members(hub, listed) == [who]
