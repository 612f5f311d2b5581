"""Klaviyo's records, one by one: what each shape of consent, time, event and refusal means."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from connectors.base import Consent, ConsentState, FaultKind, instant
from connectors.http import Answer
from connectors.klaviyo import events, faults, profiles, times
from connectors.klaviyo.calls import text_filter
from connectors.klaviyo.place import Place, place_of

AT = 1_782_173_723_000
GRANTED, WITHDRAWN, UNKNOWN, UNREADABLE = (
    ConsentState.GRANTED, ConsentState.WITHDRAWN, ConsentState.UNKNOWN, ConsentState.UNREADABLE)


def marketing(**changes: Any) -> dict[str, Any]:
    return {"consent": "SUBSCRIBED", "can_receive_email_marketing": True, "suppression": [], "list_suppressions": []} | changes


def suppressed(reason: str) -> list[dict[str, str]]:
    return [{"reason": reason, "timestamp": "2026-06-23 00:15:23.918411+00:00"}]


@pytest.mark.parametrize(("email", "state", "barred"), [
    (marketing(), GRANTED, False),
    (marketing(consent="NEVER_SUBSCRIBED"), UNKNOWN, False),
    (marketing(consent="UNSUBSCRIBED", can_receive_email_marketing=False), WITHDRAWN, False),
    (marketing(suppression=suppressed("UNSUBSCRIBE"), can_receive_email_marketing=False), WITHDRAWN, False),
    (marketing(suppression=suppressed("HARD_BOUNCE"), can_receive_email_marketing=False), GRANTED, True),
    (marketing(suppression=suppressed("SPAM_COMPLAINT")), GRANTED, True),
    (marketing(suppression=suppressed("SPAM_REPORT")), GRANTED, True),
    (marketing(consent="NEVER_SUBSCRIBED", suppression=suppressed("USER_SUPPRESSED")), UNKNOWN, True),
    (marketing(suppression=suppressed("A_REASON_OF_NEXT_YEAR")), GRANTED, True),
    (marketing(can_receive_email_marketing=False), GRANTED, True),
    (marketing(consent="PENDING_SINCE_NEXT_YEAR"), UNREADABLE, False),
    (marketing(consent="PENDING_SINCE_NEXT_YEAR", suppression=suppressed("UNSUBSCRIBE")), UNREADABLE, False),
    (marketing(consent=None), UNREADABLE, False),
    ({}, UNREADABLE, False),
])
def test_permission_and_suppression_are_read_apart(email: dict[str, Any], state: ConsentState, barred: bool) -> None:
    (consent,) = profiles.consents({"email": "a@shop.example", "subscriptions": {"email": {"marketing": email}}})
    assert (consent.channel, consent.scope, consent.state, consent.suppressed) == ("email", "", state, barred)


@pytest.mark.parametrize("subscriptions", [None, {}, {"email": None}, {"email": {"marketing": None}}, "SUBSCRIBED"])
def test_an_address_without_subscriptions_is_unreadable_not_unsubscribed(subscriptions: Any) -> None:
    (consent,) = profiles.consents({"email": "a@shop.example", "subscriptions": subscriptions})
    assert consent.state is UNREADABLE


def test_whoever_has_no_address_has_no_say_about_e_mail() -> None:
    assert profiles.consents({"email": None, "subscriptions": {}}) == ()


def test_a_list_somebody_left_bars_under_that_list_s_id() -> None:
    left = {"list_id": "LiSt07", "reason": "UNSUBSCRIBE", "timestamp": "2026-06-23T00:15:23Z"}
    found = profiles.consents({
        "email": "a@shop.example", "subscriptions": {"email": {"marketing": marketing(list_suppressions=[left, left])}},
    })
    assert found == (
        Consent("email", GRANTED), Consent("email", WITHDRAWN, scope="LiSt07", suppressed=True, at=AT),
    )


def test_the_newest_suppression_dates_the_consent() -> None:
    both = [{"reason": "HARD_BOUNCE", "timestamp": "2026-01-01T00:00:00Z"}, *suppressed("UNSUBSCRIBE")]
    (consent,) = profiles.consents({"email": "a@shop.example", "subscriptions": {"email": {"marketing": marketing(
        suppression=both, consent_timestamp="2025-01-01T00:00:00Z")}}})
    assert consent.at == AT + 918


def test_sms_stands_beside_e_mail() -> None:
    found = profiles.consents({
        "email": "a@shop.example", "phone_number": "+15005550006",
        "subscriptions": {"email": {"marketing": marketing()}, "sms": {"marketing": {"consent": "UNSUBSCRIBED"}}},
    })
    assert [(consent.channel, consent.state) for consent in found] == [("email", GRANTED), ("sms", WITHDRAWN)]


def test_fields_are_the_record_without_consent() -> None:
    found = profiles.profile({"id": "01JZ", "type": "profile", "attributes": {
        "email": "a@shop.example", "created": "2026-06-23 00:15:23+00:00", "updated": None, "location": {"country": "DE"},
        "properties": {"plan": "gold", "$consent": ["email"], "$consent_timestamp": "2020-01-01"},
        "subscriptions": {"email": {"marketing": marketing()}},
    }})
    assert found.fields == {
        "email": "a@shop.example", "created": "2026-06-23T00:15:23+00:00", "updated": None, "location": {"country": "DE"},
        "properties": {"plan": "gold"},
    }
    assert (found.created, found.updated, found.live) == (AT, None, True)


@pytest.mark.parametrize("text", [
    "2026-06-23T00:15:23Z", "2026-06-23T00:15:23+00:00", "2026-06-23 00:15:23+00:00", "2026-06-23T02:15:23+02:00",
    "2026-06-23T00:15:23", "2026-06-23T00:15:23.000123+00:00",
])
def test_every_spelling_of_an_instant_is_read(text: str) -> None:
    assert times.read(text) == AT


@pytest.mark.parametrize("text", [None, "", "yesterday", 1_782_173_723, "2026-13-01"])
def test_what_is_no_instant_is_none(text: object) -> None:
    assert times.read(text) is None


def test_filters_hold_whole_seconds_with_a_z() -> None:
    assert times.write(AT + 999) == "2026-06-23T00:15:23Z"
    assert times.read(times.write(AT + 999)) == AT
    assert instant(AT).year == 2026


def record(**changes: Any) -> dict[str, Any]:
    return {
        "type": "event", "id": "4Ev1", "attributes": {"datetime": "2026-06-23T00:15:23.500Z", "timestamp": AT // 1000,
                                                      "event_properties": {"$value": 12.5}},
        "relationships": {"profile": {"data": {"type": "profile", "id": "01JZ"}}, "metric": {"data": {"type": "metric", "id": "M"}}},
    } | changes


def test_an_event_has_its_metric_s_name_and_its_own_time() -> None:
    found = events.event(record(), {"M": "Placed Order"})
    assert found is not None
    assert (found.id, found.native, found.at, found.profile, found.properties) == (
        "4Ev1", "Placed Order", AT + 500, "01JZ", {"$value": 12.5})


@pytest.mark.parametrize("missing", ["profile", "metric"])
def test_an_event_about_nobody_or_of_no_metric_is_left_out(missing: str) -> None:
    there = record()["relationships"]
    for nothing in ({}, {"data": None}, None):
        assert events.event(record(relationships=there | {missing: nothing}), {"M": "Placed Order"}) is None


def test_a_metric_that_is_not_included_keeps_its_id() -> None:
    found = events.event(record(), {})
    assert found is not None
    assert found.native == "M"


def test_the_second_stands_in_for_a_missing_datetime() -> None:
    found = events.event(record(attributes={"timestamp": AT // 1000}), {})
    assert found is not None
    assert found.at == AT


@pytest.mark.parametrize(("lines", "quantity"), [
    ([{"Quantity": 2}, {"Quantity": 3}], 5), ([{"Quantity": 2}, {}], None), ([], None), (None, None), ([{"Quantity": "2"}], None),
])
def test_quantity_is_the_sum_of_whole_lines_or_unknown(lines: Any, quantity: int | None) -> None:
    assert events.properties({"Items": lines}).get("quantity") == quantity


def answer(status: int, body: Any, kind: str = "application/vnd.api+json") -> Answer:
    text = body if isinstance(body, bytes) else orjson.dumps(body)
    return Answer(status, {"content-type": kind}, text, orjson.loads(text) if "json" in kind else None)


def refusal(status: int, code: str = "invalid", detail: str = "", pointer: str = "/data/") -> Answer:
    error = {"id": "00000000-0000-4000-8000-000000000400", "status": status, "code": code, "title": "t", "detail": detail,
             "source": {"pointer": pointer}, "links": {}, "meta": {}}
    return answer(status, {"errors": [error]})


@pytest.mark.parametrize(("given", "kind"), [
    (refusal(400), FaultKind.INVALID),
    (refusal(400, detail="Invalid cursor provided."), FaultKind.CURSOR),
    (refusal(401, "authentication_failed"), FaultKind.KEY),
    (refusal(403, "permission_denied"), FaultKind.SCOPE),
    (answer(403, b"<html></html>", "text/html"), FaultKind.EDGE),
    (refusal(404, "not_found"), FaultKind.GONE),
    (refusal(409, "duplicate_profile"), FaultKind.INVALID),
    (refusal(410), FaultKind.RETIRED),
    (refusal(429, "throttled"), FaultKind.THROTTLED),
    (answer(500, b"oops", "text/plain"), FaultKind.TRANSIENT),
    (answer(503, b"<html></html>", "text/html"), FaultKind.TRANSIENT),
    (answer(524, b"", "text/html"), FaultKind.TRANSIENT),
    (answer(302, b"", "text/html"), FaultKind.UNSAFE),
    (answer(200, b"<html></html>", "text/html"), FaultKind.EDGE),
    (answer(200, {}), FaultKind.EDGE),
    (answer(200, []), FaultKind.EDGE),
    (answer(200, {"data": None}), FaultKind.EDGE),
])
def test_each_answer_means_one_thing(given: Answer, kind: FaultKind) -> None:
    fault = faults.classify(given)
    assert fault is not None
    assert fault.kind is kind


@pytest.mark.parametrize("given", [answer(200, {"data": []}), answer(201, {"data": {}}), Answer(204, {}, b""), Answer(202, {}, b"")])
def test_a_good_answer_is_no_fault(given: Answer) -> None:
    assert faults.classify(given) is None


def test_a_fault_names_places_and_scopes_but_no_address() -> None:
    fault = faults.classify(refusal(400, detail="someone@shop.example is bad", pointer="/data/17/id"))
    assert fault is not None
    assert (fault.code, fault.request_id) == ("invalid /data/17/id", "00000000-0000-4000-8000-000000000400")
    assert faults.named(fault.code) == [17]
    fault = faults.classify(refusal(400, code="someone@shop.example", pointer="/data/someone@shop.example"))
    assert fault is not None
    assert fault.code == "refused"
    fault = faults.classify(refusal(403, detail="Your API key is missing required scopes: profiles:write, lists:write"))
    assert fault is not None
    assert fault.code == "missing scope profiles:write, lists:write"


@pytest.mark.parametrize(("values", "expected"), [
    (["VIP  customers"], 'equals(name,"VIP  customers")'),
    (['5" pipe'], "equals(name,'5\" pipe')"),
    (["it's"], 'equals(name,"it\'s")'),
    (["5\" and it's"], None),
    (["back\\slash"], None),
])
def test_text_is_quoted_as_documented_or_not_at_all(values: list[str], expected: str | None) -> None:
    assert text_filter("equals", "name", values) == expected


def test_a_place_survives_its_cursor() -> None:
    for place in (Place(), Place(mark=AT, swept=AT, ended=True), Place(post=AT, phase=2, rows=7, page="bmV4dA", last=AT, low=0)):
        again = place_of(place.cursor())
        assert again == Place(**{**{n: getattr(place, n) for n in Place.__slots__}, "low": place.low or None})
