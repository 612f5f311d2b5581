"""Mailchimp's records, answers and addresses as we read them, without a network."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import orjson
import pytest

from connectors.base import Connection, ConsentState, FaultKind, PlatformError, Secret
from connectors.http import Answer
from connectors.mailchimp.api import Rows, Spot
from connectors.mailchimp.campaigns import EmailActivity
from connectors.mailchimp.connector import CAPABILITIES, base_url
from connectors.mailchimp.faults import classify
from connectors.mailchimp.nested import Parent, Window
from connectors.mailchimp.profiles import profiles
from connectors.mailchimp.shop import Shop
from connectors.mailchimp.times import moment, written

EVER = Window(-1, 0, 4_000_000_000)
JUNE = 1_780_000_000_000


def member(**changes: Any) -> dict[str, Any]:
    return {
        "id": "0" * 32, "contact_id": "c1", "email_address": "Kim@Example.org", "status": "subscribed", "list_id": "l1",
        "merge_fields": {"FNAME": "Kim", "ADDRESS": {"city": "Graz", "zip": "8010"}}, "interests": {"i": True}, "vip": False,
        "timestamp_signup": "", "timestamp_opt": "2026-05-28T20:26:40+00:00", "last_changed": "2026-05-28T22:26:41+02:00",
        "location": {"country_code": "AT", "timezone": "Europe/Vienna", "region": ""}, "language": "de", "ip_opt": "192.0.2.1",
        "tags_count": 1, "tags": [{"id": 7, "name": "VIP"}], "_links": [], "sms_subscription_status": "", **changes,
    }


def at_path(value: Any, path: str) -> Any:
    for part in path.split("."):
        value = value[part]
    return value


def test_a_member_becomes_a_profile_under_an_id_that_outlives_its_address() -> None:
    (found,) = profiles([member()], "l1")
    assert (found.id, found.email, found.audience, found.live) == ("l1:c1", "Kim@Example.org", "l1", True)
    assert (found.created, found.updated) == (JUNE, JUNE + 1000)
    (moved,) = profiles([member(email_address="kim@example.net", id="1" * 32)], "l1")
    assert moved.id == found.id


def test_fields_are_the_record_less_what_stands_beside_it_and_what_nobody_needs() -> None:
    (found,) = profiles([member()], "l1")
    assert not {"_links", "ip_opt", "status", "last_changed", "contact_id", "id"} & found.fields.keys()
    expected = {"email": "Kim@Example.org", "first_name": "Kim", "city": "Graz", "postcode": "8010", "country": "AT",
                "timezone": "Europe/Vienna", "language": "de"}
    assert {name: at_path(found.fields, CAPABILITIES.fields[name]) for name in expected} == expected


@pytest.mark.parametrize(("status", "state", "suppressed", "live"), [
    ("subscribed", ConsentState.GRANTED, False, True),
    ("unsubscribed", ConsentState.WITHDRAWN, False, True),
    ("cleaned", ConsentState.UNKNOWN, True, True),
    ("pending", ConsentState.UNKNOWN, False, True),
    ("transactional", ConsentState.UNKNOWN, False, True),
    ("archived", ConsentState.UNKNOWN, False, False),
    ("something new", ConsentState.UNREADABLE, False, True),
    ("", ConsentState.UNREADABLE, False, True),
])
def test_each_status_says_what_is_permitted(status: str, state: ConsentState, suppressed: bool, live: bool) -> None:
    (found,) = profiles([member(status=status)], "l1")
    (mail,) = found.consent
    assert (mail.channel, mail.state, mail.suppressed, found.live) == ("email", state, suppressed, live)
    assert mail.at == (JUNE if state is ConsentState.GRANTED else None)


def test_permission_for_text_messages_is_another_channel() -> None:
    (found,) = profiles([member(sms_subscription_status="unsubscribed")], "l1")
    assert [(consent.channel, consent.state) for consent in found.consent] == [
        ("email", ConsentState.GRANTED), ("sms", ConsentState.WITHDRAWN),
    ]


@pytest.mark.parametrize("change", [{"contact_id": ""}, {"last_changed": ""}, {"last_changed": 5}, {"last_changed": "soon"}])
def test_a_member_without_identity_or_time_is_no_member(change: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        profiles([member(**change)], "l1")


def test_times_are_whole_seconds_with_an_offset_and_empty_texts_are_no_time() -> None:
    assert moment("") is moment(None) is None
    assert moment("2026-05-28T20:26:40+00:00") == moment("2026-05-28T20:26:40") == JUNE
    assert written(JUNE // 1000) == "2026-05-28T20:26:40+00:00"


# --- mail


def recipient(*activity: dict[str, str], **changes: Any) -> dict[str, Any]:
    return {"email_id": "e1", "email_address": "kim@example.org", "activity": list(activity), **changes}


def opened(second: int, action: str = "open", **more: str) -> dict[str, str]:
    return {"action": action, "timestamp": written(second), "ip": "192.0.2.1", **more}


def deeds(rows: list[dict[str, Any]], window: Window = EVER) -> list[Any]:
    return EmailActivity(frozenset()).events(rows, Parent(0, "c9"), window)


def test_equal_opens_of_one_second_are_two_facts_with_ids_that_stay() -> None:
    rows = [recipient(opened(100), opened(100), opened(101), opened(100, "click", url="https://example.org/a"))]
    first, second = deeds(rows), deeds(rows)
    assert len({fact.id for fact in first}) == 4
    assert [fact.id for fact in first] == [fact.id for fact in second]
    later = deeds([recipient(opened(100), opened(100), opened(101))], Window(-1, 101, 200))
    assert [fact.id for fact in later] == [first[2].id]


def test_activity_keeps_its_campaign_its_link_and_its_kind_and_not_the_network_address() -> None:
    rows = [recipient(opened(100, "click", url="https://example.org/a"), opened(101, "bounce", type="hard")), recipient()]
    assert [dict(fact.properties) for fact in deeds(rows)] == [
        {"campaign_id": "c9", "url": "https://example.org/a"}, {"campaign_id": "c9", "type": "hard"},
    ]


def test_activity_outside_the_window_is_left_for_another_pull() -> None:
    rows = [recipient(opened(99), opened(100), opened(200), opened(201))]
    assert [fact.at for fact in deeds(rows, Window(-1, 100, 200))] == [100_000, 200_000]


def test_somebody_whose_address_was_erased_did_nothing_we_could_keep() -> None:
    assert deeds([recipient(opened(100), email_address="")]) == []


# --- orders


def order(**changes: Any) -> dict[str, Any]:
    return {
        "id": "A7", "customer": {"email_address": "kim@example.org"}, "currency_code": "EUR", "order_total": 19.99,
        "processed_at_foreign": written(500), "updated_at_foreign": written(600), "cancelled_at_foreign": "", "campaign_id": "",
        "lines": [{"id": "1", "product_title": "Cap", "quantity": 2, "price": 5}, {"id": "2", "quantity": 1, "price": 9.99}],
        "_links": [], **changes,
    }


def test_an_order_is_one_fact_that_may_change() -> None:
    (fact,) = Shop("orders", frozenset()).events([order()], Parent(0, "s1"), EVER)
    assert (fact.id, fact.native, fact.at, fact.email) == ("order:s1:A7", "order", 500_000, "kim@example.org")
    assert fact.mutable
    assert not fact.removed
    names = CAPABILITIES.events["order"].properties
    assert {name: fact.properties[names[name]] for name in ("order_id", "value", "currency", "quantity")} == {
        "order_id": "A7", "value": 19.99, "currency": "EUR", "quantity": 3,
    }
    assert orjson.dumps(fact.properties["order_total"]) == b"19.99"


@pytest.mark.parametrize("change", [{"cancelled_at_foreign": written(700)}, {"financial_status": "cancelled"}])
def test_a_cancelled_order_is_void(change: dict[str, Any]) -> None:
    (fact,) = Shop("orders", frozenset()).events([order(**change)], Parent(0, "s1"), EVER)
    assert fact.removed


@pytest.mark.parametrize("change", [
    {"customer": {"email_address": ""}}, {"processed_at_foreign": "", "updated_at_foreign": ""},
])
def test_an_order_of_nobody_or_at_no_time_is_no_dated_fact(change: dict[str, Any]) -> None:
    assert Shop("orders", frozenset()).events([order(**change)], Parent(0, "s1"), EVER) == []


def test_a_cart_is_dated_by_its_latest_change() -> None:
    row = order(created_at=written(100), updated_at=written(300))
    (fact,) = Shop("carts", frozenset()).events([row], Parent(0, "s1"), EVER)
    assert (fact.id, fact.native, fact.at) == ("cart:s1:A7", "cart", 300_000)


# --- answers


def answered(status: int, title: str | None = "", kind: str = "application/problem+json") -> Answer:
    body = b"" if title is None else orjson.dumps({"title": title, "status": status, "detail": "kim@example.org …"})
    headers = {"content-type": kind, "x-request-id": "r-1"} if title is not None else {}
    return Answer(status, headers, body, orjson.loads(body) if body and "json" in kind else None)


@pytest.mark.parametrize(("answer", "kind"), [
    (answered(401, "API Key Invalid"), FaultKind.KEY),
    (answered(403, "Forbidden"), FaultKind.SCOPE),
    (answered(403, "User Disabled"), FaultKind.KEY),
    (answered(403, None), FaultKind.EDGE),
    (answered(404, "Resource Not Found"), FaultKind.GONE),
    (answered(400, "Invalid Resource"), FaultKind.INVALID),
    (answered(405, "Method Not Allowed"), FaultKind.INVALID),
    (answered(429, "TooManyRequests"), FaultKind.THROTTLED),
    (answered(429, None), FaultKind.THROTTLED),
    (answered(500, "InternalServerError"), FaultKind.TRANSIENT),
    (answered(502, "x", "text/html"), FaultKind.EDGE),
    (answered(503, "ComplianceRelated"), FaultKind.KEY),
    (answered(503, "Request Blocked", "text/html"), FaultKind.EDGE),
    (answered(200, "x", "text/html"), FaultKind.EDGE),
])
def test_each_refusal_has_its_meaning(answer: Answer, kind: FaultKind) -> None:
    fault = classify(answer)
    assert fault is not None
    assert fault.kind is kind
    assert "@" not in fault.code


def test_a_title_outside_the_glossary_is_not_repeated() -> None:
    fault = classify(answered(400, "kim@example.org is odd"))
    assert fault is not None
    assert (fault.code, fault.request_id) == ("request refused", "r-1")


# --- walking by offset


def page(rows: int, total: int, *, full: bool) -> Rows:
    return Rows([{}] * rows, total, full, None)


def test_a_listing_ends_with_a_page_that_is_not_full() -> None:
    assert Spot().after(page(10, 15, full=True), "GET x") == Spot(10, 15)
    assert Spot(10, 15).after(page(5, 15, full=False), "GET x") is None
    assert Spot().after(page(3, 2, full=False), "GET x") is None        # it may count too few


def test_a_listing_that_shrank_is_walked_again() -> None:
    assert Spot(10, 15).after(page(4, 14, full=False), "GET x") == Spot(0, 14)


@pytest.mark.parametrize(("spot", "rows"), [(Spot(10, 20), page(5, 20, full=False)), (Spot(20, 20), page(10, 20, full=True))])
def test_a_listing_that_ends_too_early_or_never_is_an_error(spot: Spot, rows: Rows) -> None:
    with pytest.raises(PlatformError):
        spot.after(rows, "GET x")


# --- the address


@pytest.mark.parametrize(("key", "given", "url"), [
    ("0123-us6", None, "https://us6.api.mailchimp.com/3.0"),
    ("01-23-us21", None, "https://us21.api.mailchimp.com/3.0"),
    ("0123-us6", "http://127.0.0.1:8771", "http://127.0.0.1:8771/3.0"),
    ("token", "https://us6.api.mailchimp.com/3.0/", "https://us6.api.mailchimp.com/3.0"),
])
def test_the_key_names_the_data_centre_unless_an_address_is_given(key: str, given: str | None, url: str) -> None:
    assert base_url(Connection("here", "mailchimp", Secret(key), 0, base_url=given)) == url


@pytest.mark.parametrize("key", ["", "token", "token-", "token-evil.example/us1", "token-us1.example.org"])
def test_a_key_that_names_no_data_centre_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(PlatformError) as caught:
        base_url(Connection("here", "mailchimp", Secret(key), 0))
    assert caught.value.kind is FaultKind.KEY
    assert "token" not in str(caught.value)


def test_asking_for_capabilities_loads_no_network_code() -> None:
    code = ("import sys, connectors.mailchimp.connector; "
            "print([name for name in ('httpx', 'requests', 'mailchimp_marketing', 'orjson') if name in sys.modules])")
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
