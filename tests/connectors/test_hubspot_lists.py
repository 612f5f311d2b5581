"""HubSpot's lists: writing and telling their members, finding and making them."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.base import (
    BATCH_REFUSED,
    Accepted,
    Effect,
    FaultKind,
    Op,
    PlatformError,
    ProfileId,
    Rejected,
    RemoteChange,
    RemoteTarget,
    Stopped,
    TellsJoining,
    Transient,
)
from connectors.hubspot.connector import KIND
from connectors.hubspot.times import at
from tests.connectors.hubspot_ground import answers, contact, open_against
from tests.connectors.scripted import Said

LIST = RemoteTarget("list", "412", "Winter buyers")


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
