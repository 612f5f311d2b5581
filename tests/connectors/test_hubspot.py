"""HubSpot's connector: what it asks for and makes of the answers, and the contract of all connectors against its sandbox."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, ClassVar

import pytest

from connectors.base import (
    BATCH_REFUSED,
    DAY,
    HOUR,
    Accepted,
    Connection,
    Connector,
    Consent,
    ConsentState,
    Cursor,
    Effect,
    FaultKind,
    Op,
    Page,
    PlatformError,
    ProfileId,
    Rejected,
    RemoteChange,
    RemoteTarget,
    Secret,
    Stopped,
    Stream,
    TellsJoining,
    Transient,
)
from connectors.clock import SECOND, VirtualClock
from connectors.hubspot import legacy
from connectors.hubspot.connector import CAPABILITIES, KIND
from connectors.hubspot.times import at
from connectors.registry import kind
from connectors.sandbox.control import Controls
from tests.connectors.contract import ConnectorContract
from tests.connectors.ground import Row
from tests.connectors.scripted import Asked, Platform, Said, scripted
from tests.connectors.test_hubspot_records import contact, mail, order

NOW = 1_795_000_000_000
LIST = RemoteTarget("list", "412", "Winter buyers")


# --- the contract -------------------------------------------------------------------------------------------------------------


class TestHubSpot(ConnectorContract):
    platform: ClassVar[str] = "hubspot"
    unknown: ClassVar[str] = "999999999999"

    def rows(self, controls: Controls, table: str = "profiles") -> list[Row]:
        """Of the events those that have a name here: reports of delivery are no fact about a person."""
        return [row for row in super().rows(controls, table) if table != "events" or row["native"] in CAPABILITIES.events]


# --- calls --------------------------------------------------------------------------------------------------------------------


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


def pull(connector: Connector, name: str, since: Cursor | None = None) -> list[Page]:
    return list(connector.pull(stream(name), since))


def finished(watermark: int, deep: int | None = None) -> Cursor:
    return Cursor(json.dumps({"w": watermark, "d": watermark if deep is None else deep}))


def test_changes_are_walked_by_key_and_never_by_offset() -> None:
    def search(asked: Asked) -> dict[str, Any]:
        last = int(asked.body["filterGroups"][0]["filters"][2]["value"])
        found = [contact(n) for n in range(1, 501) if n > last]
        return {"total": len(found), "results": found[:200]} | ({"paging": {"next": {"after": "200"}}} if found[200:] else {})

    with open_against(answers({"/contacts/search": search})) as (connector, platform):
        pages = pull(connector, "profiles", finished(NOW))
        bodies = [asked.body for asked in platform.calls if asked.path.endswith("/search")]
    assert [len(page.profiles) for page in pages] == [200, 200, 100]
    assert [page.last for page in pages] == [False, False, True]
    filters = [{one["propertyName"]: one for one in body["filterGroups"][0]["filters"]} for body in bodies]
    assert [one["hs_object_id"]["value"] for one in filters] == ["0", "200", "400"]
    assert all("after" not in body and body["limit"] == 200 for body in bodies)
    assert {"email", "segmentd_ltv", "hs_email_optout_77", "hs_email_optout_3001"} <= set(bodies[0]["properties"])
    assert "secret_note" not in bodies[0]["properties"]


def window_after(cursor: Cursor) -> tuple[int, int, dict[str, int]]:
    """The bounds that a pull after *cursor* asks for, and its last cursor."""
    with open_against(answers({"/contacts/search": {"total": 0, "results": []}})) as (connector, platform):
        (page,) = pull(connector, "profiles", cursor)
        low, high, _ = platform.calls[-1].body["filterGroups"][0]["filters"]
    assert (low["operator"], high["operator"]) == ("GTE", "LT")
    assert low["propertyName"] == "lastmodifieddate"
    assert page.watermark == int(high["value"])
    return int(low["value"]), int(high["value"]), json.loads(page.cursor)


def test_a_window_overlaps_by_an_hour_and_once_a_day_by_a_day() -> None:
    recent = NOW - 600 * SECOND
    low, high, state = window_after(finished(recent))
    assert high == NOW - 10 * SECOND                         # by the platform's own clock
    assert low == recent - HOUR
    assert state["d"] == recent
    low, later, state = window_after(finished(recent, high - DAY))
    assert low == recent - DAY
    assert state["d"] == later == state["w"]


def test_a_search_that_counts_more_than_it_shows_is_broken() -> None:
    with open_against(answers({"/contacts/search": {"total": 2, "results": [contact()]}})) as (connector, _), \
            pytest.raises(PlatformError) as caught:
        pull(connector, "profiles", finished(NOW))
    assert caught.value.kind is FaultKind.EDGE


@pytest.mark.parametrize("paging", [{"next": {"after": "200"}}, None])
def test_a_search_that_does_not_move_on_is_an_error(paging: dict[str, Any] | None) -> None:
    page = {"total": 1, "results": [contact(7)]} | ({"paging": paging} if paging else {})
    cursor = Cursor(json.dumps({"lo": 1, "hi": 2, "d": 2, "k": 7, "n": 0, "c": None}))
    with open_against(answers({"/contacts/search": page})) as (connector, _), pytest.raises(PlatformError) as caught:
        pull(connector, "profiles", cursor)
    assert caught.value.code == "no progress"


def listing(count: int, size: int = 2, archived: tuple[int, ...] = ()) -> Callable[[Asked], dict[str, Any]]:
    def page(asked: Asked) -> dict[str, Any]:
        ids = archived if asked.query["archived"] == "true" else tuple(range(1, count + 1))
        left = [n for n in ids if n >= int(asked.query.get("after", 0))]
        more = {"paging": {"next": {"after": str(left[size]), "link": "https://elsewhere.example/"}}} if left[size:] else {}
        return {"results": [contact(n) for n in left[:size]], **more}

    return page


def test_a_sweep_lists_the_living_then_the_archive_and_is_complete_when_the_count_agrees() -> None:
    told = {"/contacts/search": {"total": 5, "results": [contact(1)], "paging": {"next": {"after": "1"}}},
            "/objects/2026-09/contacts": listing(5, archived=(90, 91, 92))}
    with open_against(answers(told)) as (connector, _):
        pages = pull(connector, "profiles_complete")
    living = [(one.id, one.live) for page in pages for one in page.profiles]
    assert living == [(str(n), True) for n in range(1, 6)] + [(str(n), False) for n in (90, 91, 92)]
    assert pages[-1].last
    assert pages[-1].complete
    assert pages[0].total == 5


def counted(total: int, listed: int) -> dict[str, Any]:
    search = {"total": total, "results": [contact(1)], "paging": {"next": {"after": "1"}}}
    return {"/contacts/search": search, "/objects/2026-09/contacts": listing(listed, 10)}


def test_a_sweep_that_lists_fewer_than_are_counted_is_not_complete() -> None:
    with open_against(answers(counted(20, 19))) as (connector, _):
        pages = pull(connector, "profiles_complete")
    assert pages[-1].last
    assert not pages[-1].complete


@pytest.mark.parametrize("name", ["profiles", "profiles_complete"])
def test_a_list_that_ends_long_before_the_count_is_an_error(name: str) -> None:
    with open_against(answers(counted(20, 17))) as (connector, _), pytest.raises(PlatformError) as caught:
        pull(connector, name)
    assert (caught.value.kind, caught.value.code) == (FaultKind.EDGE, "17 rows where 20 were counted")


def test_a_place_in_the_list_that_is_refused_leads_back_to_its_beginning() -> None:
    honest = listing(5)

    def picky(asked: Asked) -> Any:
        return Said({"category": "VALIDATION_ERROR"}, 400) if asked.query.get("after") == "dead" else honest(asked)

    told = {"/contacts/search": {"total": 5, "results": [contact(1)], "paging": {"next": {"after": "1"}}},
            "/objects/2026-09/contacts": picky}
    state = {"at": NOW, "a": "dead", "n": 3, "c": 5, "z": False, "ok": False}
    with open_against(answers(told)) as (connector, _):
        pages = pull(connector, "profiles_complete", Cursor(json.dumps(state)))
    assert {one.id for page in pages for one in page.profiles} == {"1", "2", "3", "4", "5"}
    assert pages[-1].complete


def test_names_too_long_for_a_url_go_in_a_body() -> None:
    def read(asked: Asked) -> dict[str, Any]:
        assert len(asked.body["properties"]) > 300
        return {"status": "COMPLETE", "results": [contact(int(one["id"])) for one in reversed(asked.body["inputs"])]}

    told = {"/contacts/search": {"total": 3, "results": [contact(1)], "paging": {"next": {"after": "1"}}},
            "/objects/2026-09/contacts": listing(3), "/contacts/batch/read": read}
    many = [f"a_rather_long_name_of_a_property_{n}" for n in range(300)]
    with open_against(answers(told), properties=many) as (connector, platform):
        pages = pull(connector, "profiles")
        assert all(asked.query.get("properties") in (None, "hs_object_id") for asked in platform.calls)
    assert [one.id for page in pages for one in page.profiles] == ["1", "2", "3"]


def test_a_property_that_is_called_as_the_list_of_deals_is_not_read() -> None:
    told = {"/properties/2026-09/contacts": {"results": [{"name": "deals"}, {"name": "shoe_size"}]},
            "/contacts/search": {"total": 1, "results": [contact(7)]}}
    with open_against(answers(told), properties=["deals", "fax"]) as (connector, platform):
        pull(connector, "profiles", finished(NOW))
        asked = next(each.body["properties"] for each in platform.calls if each.path.endswith("/contacts/search"))
    assert {"shoe_size", "fax"} <= set(asked)
    assert "deals" not in asked


def test_statuses_tell_who_is_subscribed_where_the_plan_has_them() -> None:
    statuses = [{"subscriptionId": 3001, "status": "SUBSCRIBED", "timestamp": "2026-11-10T12:00:00Z"},
                {"subscriptionId": 3002, "status": "NOT_SPECIFIED"}, {"subscriptionId": 77, "status": "UNSUBSCRIBED"}]
    told = {"/contacts/search": {"total": 1, "results": [contact(7)]},
            "/statuses/batch/read": {"results": [{"subscriberIdString": "P7@shop.example", "statuses": statuses}]}}
    with open_against(answers(told), subscription_statuses=True) as (connector, _):
        (page,) = pull(connector, "profiles", finished(NOW))
    assert page.profiles[0].consent[1:] == (
        Consent("email", ConsentState.GRANTED, "3001", at=at("2026-11-10T12:00:00Z")),
        Consent("email", ConsentState.WITHDRAWN, "77"),
    )


def test_a_key_without_the_scope_for_the_types_still_learns_of_their_opt_outs() -> None:
    told = {"/definitions": Said({"category": "MISSING_SCOPES"}, 403),
            "/contacts/search": {"total": 1, "results": [contact(7, hs_email_optout_77="true")]}}
    with open_against(answers(told)) as (connector, _):
        (page,) = pull(connector, "profiles", finished(NOW))
    assert page.profiles[0].consent[1:] == (Consent("email", ConsentState.WITHDRAWN, "77"),)


# --- mail events --------------------------------------------------------------------------------------------------------------


def test_mail_is_pulled_in_slices_that_grow_while_one_page_is_enough() -> None:
    with open_against(answers({legacy.PATH: {"hasMore": False, "offset": "", "events": []}})) as (connector, platform):
        pages = pull(connector, "email_events")
        asked = [one.query for one in platform.calls if one.path == legacy.PATH]
    assert pages[-1].last
    assert len(asked) < 15
    bounds = [(int(one["startTimestamp"]), int(one["endTimestamp"])) for one in asked]
    assert bounds[0][0] == NOW - 400 * DAY
    assert all(later[0] == earlier[1] + 1 for earlier, later in pairwise(bounds))   # both bounds inclusive
    assert bounds[-1][1] == (pages[-1].watermark or 0) - 1
    assert all(one["limit"] == "1000" for one in asked)


def test_a_mail_token_that_died_leads_back_to_the_beginning_of_its_slice() -> None:
    def page(asked: Asked) -> Any:
        if asked.query.get("offset") == "dead":
            return Said({"message": "offset expired"}, 400)
        return {"hasMore": False, "offset": "", "events": [mail("OPEN")]}

    state = {"lo": NOW - DAY, "hi": NOW, "end": NOW, "d": NOW, "width": DAY, "token": "dead", "pages": 3}
    with open_against(answers({legacy.PATH: page})) as (connector, _):
        (last,) = pull(connector, "email_events", Cursor(json.dumps(state)))
    assert last.last
    assert len(last.events) == 1


@pytest.mark.parametrize(("status", "body", "expected"), [
    (403, {"category": "MISSING_SCOPES"}, FaultKind.SCOPE), (404, {"message": "gone"}, FaultKind.RETIRED),
    (404, "<html>Not Found</html>", FaultKind.RETIRED), (410, {"message": "gone"}, FaultKind.RETIRED),
])
def test_mail_ends_clearly_where_the_legacy_path_is_not_to_be_had(status: int, body: Any, expected: FaultKind) -> None:
    with open_against(answers({legacy.PATH: Said(body, status)})) as (connector, _), pytest.raises(PlatformError) as caught:
        pull(connector, "email_events")
    assert caught.value.kind is expected


# --- orders -------------------------------------------------------------------------------------------------------------------


def test_an_order_belongs_to_the_contact_it_is_linked_with() -> None:
    def links(asked: Asked) -> dict[str, Any]:
        assert [one["id"] for one in asked.body["inputs"]] == ["80001", "80002"]
        found = [{"from": {"id": "80001"}, "to": [{"toObjectId": "50102"}, {"toObjectId": 50101}]}]
        return {"status": "COMPLETE", "results": found}

    told = {"/orders/search": {"total": 2, "results": [order(80001), order(80002)]}, "/orders/contacts/batch/read": links}
    with open_against(answers(told)) as (connector, platform):
        (page,) = pull(connector, "orders")
        filters = platform.calls[1].body["filterGroups"][0]["filters"]
    assert [(one.id, one.profile) for one in page.events] == [("order:80001", "50101")]      # nobody's order waits for its contact
    assert filters[0] == {"propertyName": "hs_lastmodifieddate", "operator": "GTE", "value": str(NOW - 400 * DAY)}


def test_an_order_s_number_may_stand_in_another_property_and_its_lines_be_read() -> None:
    told = {
        "/orders/search": {"total": 1, "results": [order(80001, shop_number="A-7")]},
        "/orders/contacts/batch/read": {"results": [{"from": {"id": "80001"}, "to": [{"toObjectId": "50101"}]}]},
        "/orders/line_items/batch/read": {"results": [{"from": {"id": "80001"}, "to": [{"toObjectId": "1"}, {"toObjectId": "2"}]}]},
        "/line_items/batch/read": {"results": [{"id": str(n), "properties": {"quantity": str(n)}} for n in (1, 2)]},
    }
    with open_against(answers(told), order_id_property="shop_number", line_items=True) as (connector, platform):
        (page,) = pull(connector, "orders")
        assert "shop_number" in platform.calls[1].body["properties"]
    assert page.events[0].properties["order_id"] == "A-7"
    assert page.events[0].properties["quantity"] == 3


def test_an_archived_order_is_void_whoever_it_was_for() -> None:
    told = {"/objects/2026-09/orders": {"results": [order(80001) | {"archived": True}]}}
    with open_against(answers(told)) as (connector, platform):
        (page,) = pull(connector, "archived_orders")
        assert platform.calls[-1].query["archived"] == "true"
    assert [(one.id, one.removed) for one in page.events] == [("order:80001", True)]
    assert page.last


# --- lists --------------------------------------------------------------------------------------------------------------------


def changes(*ids: str, op: Op = Op.ADD) -> list[RemoteChange]:
    return [RemoteChange(op, ProfileId(one)) for one in ids]


WRITE = "/lists/2026-09/412/memberships/add-and-remove"


@pytest.mark.parametrize("spelling", ["recordsIdsAdded", "recordIdsAdded"])
def test_the_difference_that_a_write_answers_is_read_per_contact(spelling: str) -> None:
    told = {WRITE: {spelling: ["1"], "recordIdsRemoved": ["4"], "recordIdsMissing": ["3", "6"]}}
    batch = [*changes("1", "2", "3"), *changes("4", "5", "6", op=Op.REMOVE)]
    with open_against(answers(told)) as (connector, platform):
        verdicts = connector.push(LIST, batch)
        assert platform.calls[0].body == {"recordIdsToAdd": ["1", "2", "3"], "recordIdsToRemove": ["4", "5", "6"]}
    gone = Rejected("profile is gone")
    did, was = Accepted(Effect.CHANGED), Accepted(Effect.ALREADY)
    assert verdicts == [did, was, gone, did, was, gone]


def test_a_survivor_that_was_added_for_a_merged_contact_leaves_open_who_it_was_for() -> None:
    told = {WRITE: {"recordsIdsAdded": ["999"], "recordIdsRemoved": [], "recordIdsMissing": []}}
    with open_against(answers(told)) as (connector, _):
        assert connector.push(LIST, changes("1", "2")) == [Accepted(Effect.UNTOLD)] * 2


@pytest.mark.parametrize("body", [{}, [], None, {"recordsIdsAdded": "1"}])
def test_a_write_answered_in_another_shape_may_have_happened(body: Any) -> None:
    with open_against(answers({WRITE: body})) as (connector, _):
        assert connector.push(LIST, changes("1")) == [Transient("unexpected shape", maybe=True)]


def list_told(**said: Any) -> dict[str, Any]:
    return {"list": {"listId": "412", "name": "Winter buyers", "objectTypeId": "0-1", "processingType": "MANUAL", **said}}


@pytest.mark.parametrize(("told", "verdict"), [
    (list_told(), [Transient(BATCH_REFUSED)] * 2),
    (list_told(processingType="DYNAMIC"), [Stopped("list is DYNAMIC, not MANUAL")] * 2),
    (list_told(objectTypeId="0-53"), [Stopped("list is not one of contacts")] * 2),
    (Said({"subCategory": "ListError.LIST_NOT_FOUND"}, 404), [Stopped("ListError.LIST_NOT_FOUND")] * 2),
])
def test_a_refused_batch_is_the_list_s_fault_or_goes_in_halves(told: Any, verdict: list[Any]) -> None:
    refusal = Said({"category": "VALIDATION_ERROR"}, 400)
    with open_against(answers({WRITE: refusal, "/lists/2026-09/412": told})) as (connector, _):
        assert connector.push(LIST, changes("1", "2")) == verdict


def test_a_refusal_of_one_change_is_final() -> None:
    told = {WRITE: Said({"category": "VALIDATION_ERROR"}, 400), "/lists/2026-09/412": list_told()}
    with open_against(answers(told)) as (connector, _):
        assert connector.push(LIST, changes("1")) == [Rejected("VALIDATION_ERROR")]


def test_a_throttled_write_names_its_wait_and_did_not_happen() -> None:
    told = {WRITE: Said({"policyName": "TEN_SECONDLY_ROLLING"}, 429)}
    with open_against(answers(told)) as (connector, _):
        assert connector.push(LIST, changes("1")) == [Transient("TEN_SECONDLY_ROLLING", 10.0)]


@pytest.mark.parametrize(("total", "size", "complete"), [(2, 2, True), (3, 2, False), (None, 2, True)])
def test_a_listing_is_complete_when_its_count_agrees(total: int | None, size: int, complete: bool) -> None:
    rows = {"results": [{"recordId": str(n)} for n in range(size)]} | ({"total": total} if total is not None else {})
    with open_against(answers({"/412/memberships": rows, "/lists/2026-09/412": list_told(size=2)})) as (connector, _):
        (page,) = connector.members(LIST)
    assert page.last
    assert page.complete is complete


def test_an_empty_listing_of_a_list_that_has_members_is_not_complete() -> None:
    told = {"/412/memberships": {"results": []}, "/lists/2026-09/412": list_told(size=2)}
    with open_against(answers(told)) as (connector, _):
        (page,) = connector.members(LIST)
    assert not page.complete


def test_a_list_that_fills_itself_is_not_listed() -> None:
    told = {"/lists/2026-09/412": list_told(processingType="DYNAMIC")}
    with open_against(answers(told)) as (connector, _), pytest.raises(PlatformError) as caught:
        list(connector.members(LIST))
    assert caught.value.kind is FaultKind.INVALID


def test_looking_tells_members_from_others_and_leaves_out_who_is_gone() -> None:
    told = {
        "/records/memberships/batch/read": {"results": [
            {"recordId": "1", "recordListMemberships": [{"listId": "412"}]},
            {"recordId": "2", "recordListMemberships": [{"listId": "9"}]},
        ]},
        "/contacts/batch/read": {"results": [contact(2), contact(3)]},
    }
    with open_against(answers(told)) as (connector, _):
        found = connector.look(LIST, [ProfileId(str(n)) for n in range(1, 5)])
    assert found == {"1": True, "2": False, "3": False}


def test_a_membership_tells_when_it_began() -> None:
    told = {"/records/memberships/batch/read": {"results": [
        {"recordId": "1", "recordListMemberships": [
            {"listId": "9", "lastAddedTimestamp": "2026-01-01T00:00:00Z"},
            {"listId": "412", "firstAddedTimestamp": "2026-11-20T10:00:00Z", "lastAddedTimestamp": "2026-11-23T10:01:00Z"},
        ]},
        {"recordId": "2", "recordListMemberships": []},
    ]}}
    with open_against(answers(told)) as (connector, _):
        assert isinstance(connector, TellsJoining)
        assert connector.joined(LIST, [ProfileId("1"), ProfileId("2"), ProfileId("3")]) == {"1": at("2026-11-23T10:01:00Z")}


def test_looking_does_not_take_an_unanswered_contact_for_one_off_the_list() -> None:
    told = {
        "/records/memberships/batch/read": Said({"results": [], "errors": [{"category": "INTERNAL_ERROR"}]}, 207),
        "/contacts/batch/read": {"results": [contact(1)]},
    }
    with open_against(answers(told)) as (connector, _), pytest.raises(PlatformError) as caught:
        connector.look(LIST, [ProfileId("1")])
    assert caught.value.kind is FaultKind.TRANSIENT


def test_a_list_of_that_name_that_fills_itself_is_refused() -> None:
    with open_against(answers({"/name/VIP": list_told(name="VIP", processingType="DYNAMIC", listVersion=1)})) as (connector, _), \
            pytest.raises(PlatformError) as caught:
        connector.find("list", "VIP", "")
    assert (caught.value.kind, caught.value.code) == (FaultKind.INVALID, "list is DYNAMIC, not MANUAL")


@pytest.mark.parametrize("said", [Said({"message": "taken"}, 400), Said({"message": "taken"}, 409), Said({"message": "oops"}, 500)])
def test_a_list_that_somebody_else_made_meanwhile_is_found(said: Said) -> None:
    looks = iter([Said({"message": "none"}, 404), Said(list_told())])
    with open_against(answers({"/name/Winter%20buyers": lambda asked: next(looks), "/lists/": said})) as (connector, _):
        assert connector.create("list", "Winter buyers", "") == LIST


@pytest.mark.parametrize(("status", "body", "expected"), [
    (200, "<html>maintenance</html>", FaultKind.EDGE), (302, {}, FaultKind.UNSAFE), (401, {}, FaultKind.KEY),
    (404, "<html>Not Found</html>", FaultKind.RETIRED), (500, {"message": "anna@shop.example"}, FaultKind.TRANSIENT),
])
def test_what_the_sdk_is_refused_means_the_same(status: int, body: Any, expected: FaultKind) -> None:
    said = Said(body, status, {"Location": "http://127.0.0.2:9/"} if status == 302 else {})
    with open_against(answers({"/name/VIP": said})) as (connector, _), pytest.raises(PlatformError) as caught:
        connector.find("list", "VIP", "")
    assert caught.value.kind is expected
    assert "@" not in str(caught.value)


@pytest.mark.parametrize(("ref", "expected"), [("3001", "3001"), ("newsletter", "3001"), ("Offers", "3002")])
def test_a_subscription_type_is_known_by_id_or_name(ref: str, expected: str) -> None:
    with open_against(answers({})) as (connector, _):
        assert connector.subscription(ref) == expected
        with pytest.raises(PlatformError) as caught:
            connector.subscription("Weather")
    assert caught.value.kind is FaultKind.GONE


def test_asking_for_a_tag_or_an_audience_is_refused() -> None:
    with open_against(answers({})) as (connector, platform):
        assert connector.audience("") == ""
        for wrong in (lambda: connector.find("tag", "VIP", ""), lambda: connector.audience("de")):
            with pytest.raises(PlatformError):
                wrong()
        assert platform.calls == []
    assert "list:" in KIND.capabilities.refused["tag"]
