"""HubSpot's connector: what it asks for and makes of the answers, and the contract of all connectors against its sandbox."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any, ClassVar

import pytest

from connectors.base import (
    DAY,
    HOUR,
    Connector,
    Consent,
    ConsentState,
    Cursor,
    FaultKind,
    Page,
    PlatformError,
)
from connectors.clock import SECOND
from connectors.hubspot import legacy
from connectors.hubspot.connector import CAPABILITIES
from connectors.hubspot.times import at
from connectors.sandbox.control import Controls
from tests.connectors.contract import ConnectorContract
from tests.connectors.ground import Row
from tests.connectors.hubspot_ground import NOW, answers, contact, mail, open_against, order, stream
from tests.connectors.scripted import Asked, Said

# --- the contract -------------------------------------------------------------------------------------------------------------


class TestHubSpot(ConnectorContract):
    platform: ClassVar[str] = "hubspot"
    unknown: ClassVar[str] = "999999999999"

    def rows(self, controls: Controls, table: str = "profiles") -> list[Row]:
        """Of the events those that have a name here: reports of delivery are no fact about a person."""
        return [row for row in super().rows(controls, table) if table != "events" or row["native"] in CAPABILITIES.events]


# --- calls --------------------------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("value", [10**30, -(10**30), "9" * 5000, "9" * 16, True, "no date", ""])
def test_what_no_calendar_holds_is_no_instant(value: Any) -> None:
    assert at(value) is None
