"""HubSpot's records and refusals, one by one: what each shape of contact, mail event, order, time and error means."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.base import (
    HOUR,
    Consent,
    ConsentState,
    FaultKind,
    PlatformError,
    ProfileId,
    instant,
)
from connectors.clock import VirtualClock, millis
from connectors.http import Answer
from connectors.hubspot import legacy
from connectors.hubspot.commerce import ORDERS, event
from connectors.hubspot.faults import Faults
from connectors.hubspot.profiles import Shape, profile
from connectors.hubspot.times import at
from tests.connectors.hubspot_ground import NOW, contact, mail, order

SHAPE = Shape(("email",), {"hs_email_optout_3001": "3001"}, frozenset({"hs_email_optout", "hs_email_optout_3001"}))


# --- records ------------------------------------------------------------------------------------------------------------------


def test_a_contact_keeps_its_own_words_and_loses_what_is_empty() -> None:
    found = profile(contact(lifecyclestage="customer", phone=None, segmentd_ltv="412.50"), SHAPE, True)
    assert found.id == "50101"
    assert found.email == "p50101@shop.example"
    assert found.fields["segmentd_ltv"] == "412.50"
    assert "phone" not in found.fields
    assert "hs_email_optout" not in found.fields
    assert found.updated == at("2026-11-20T14:03:11.482Z")
    assert found.live


def test_further_addresses_are_aliases_and_merged_ids_are_absorbed() -> None:
    said = {"hs_additional_emails": "old@shop.example; alt@shop.example", "hs_merged_object_ids": "50077;50078;50101"}
    found = profile(contact(**said), SHAPE, True)
    assert found.aliases == ("old@shop.example", "alt@shop.example")
    assert found.absorbed == ("50077", "50078")


@pytest.mark.parametrize(("said", "state", "suppressed"), [
    ({"hs_email_optout": None}, ConsentState.UNKNOWN, False),
    ({"hs_email_optout": "false"}, ConsentState.UNKNOWN, False),
    ({"hs_email_optout": "true"}, ConsentState.WITHDRAWN, False),
    ({"hs_email_optout": "perhaps"}, ConsentState.UNREADABLE, False),
    ({"hs_email_hard_bounce_reason_enum": "UNKNOWN_USER"}, ConsentState.UNKNOWN, True),
    ({"hs_email_quarantined": "true"}, ConsentState.UNKNOWN, True),
    ({"hs_email_quarantined": "perhaps"}, ConsentState.UNREADABLE, False),
    ({"hs_email_quarantined": "perhaps", "hs_email_optout": "true"}, ConsentState.WITHDRAWN, False),
])
def test_no_opt_out_is_not_permission(said: dict[str, str | None], state: ConsentState, suppressed: bool) -> None:
    assert profile(contact(**said), SHAPE, True).consent == (Consent("email", state, suppressed=suppressed),)


def test_an_answer_without_the_opt_out_that_was_asked_for_freezes() -> None:
    record = contact()
    del record["properties"]["hs_email_optout"]
    assert profile(record, SHAPE, True).consent[0].state is ConsentState.UNREADABLE


@pytest.mark.parametrize(("value", "expected"), [("true", ConsentState.WITHDRAWN), ("what", ConsentState.UNREADABLE)])
def test_an_opt_out_of_one_type_has_that_type_as_scope(value: str, expected: ConsentState) -> None:
    found = profile(contact(hs_email_optout_3001=value), SHAPE, True).consent
    assert found[1:] == (Consent("email", expected, "3001"),)
    assert found[0].state is ConsentState.UNKNOWN


def test_a_record_without_properties_is_no_contact() -> None:
    with pytest.raises(PlatformError) as caught:
        profile({"id": "1"}, SHAPE, True)
    assert caught.value.kind is FaultKind.EDGE


def test_an_open_knows_its_campaign_and_whether_a_machine_made_it() -> None:
    (found,) = legacy.events([mail("OPEN", filteredEvent=True, response="250 a@shop.example", ignored=1)])
    assert (found.id, found.native, found.at) == (f"{NOW}:00000000-0000-4000-8000-0000000000aa", "OPEN", NOW)
    assert found.email == "a@shop.example"
    assert found.properties == {"emailCampaignId": 4001, "filteredEvent": True}


@pytest.mark.parametrize(("more", "counts"), [
    ({"portalSubscriptionStatus": "UNSUBSCRIBED", "bounced": False}, True),
    ({"subscriptions": [{"id": 3001, "status": "UNSUBSCRIBED"}]}, True),
    ({"portalSubscriptionStatus": "UNSUBSCRIBED", "bounced": True}, False),
    ({"portalSubscriptionStatus": "SUBSCRIBED"}, False),
])
def test_only_an_opt_out_is_told_of_the_changes_of_status(more: dict[str, Any], counts: bool) -> None:
    assert bool(legacy.events([mail("STATUSCHANGE", **more)])) is counts


def test_reports_of_delivery_and_events_about_nobody_are_left_out() -> None:
    nobody = mail("OPEN")
    del nobody["recipient"]
    assert legacy.events([mail("DELIVERED"), mail("PROCESSED"), {"id": "1", "created": 1, "type": "UNBOUNCE"}, nobody]) == []


def test_a_mail_event_that_a_later_one_replaces_is_void() -> None:
    (found,) = legacy.events([mail("OPEN", obsoletedBy={"id": "x", "created": NOW + 5})])
    assert found.removed
    assert found.mutable


def test_an_order_keeps_its_amount_as_written_and_its_shop_s_number() -> None:
    found = event(ORDERS, order(), ProfileId("50101"))
    assert (found.id, found.native, found.profile, found.mutable) == ("order:80001", "order", "50101", True)
    assert found.at == at("2026-11-10T12:00:00Z")
    assert found.properties["hs_total_price"] == "59.90"
    assert found.properties["order_id"] == "SO-1001"
    assert not found.removed


def test_an_order_without_the_shop_s_number_has_no_order_id() -> None:
    assert "order_id" not in event(ORDERS, order(hs_external_order_id=None), ProfileId("50101")).properties


@pytest.mark.parametrize("state", ["Cancelled", "CANCELED"])
def test_a_cancelled_order_is_void(state: str) -> None:
    assert event(ORDERS, order(hs_external_order_status=state), ProfileId("50101")).removed


def test_an_order_s_quantity_is_the_exact_sum_of_its_lines() -> None:
    lines = [{"id": "1", "properties": {"quantity": one, "name": "Boots"}} for one in ("0.1", "0.2", "1")]
    assert event(ORDERS, order(), ProfileId("50101"), lines).properties["quantity"] == "1.3"
    assert event(ORDERS, order(), ProfileId("50101"), lines[2:]).properties["quantity"] == 1


@pytest.mark.parametrize(("value", "expected"), [
    ("2026-11-10T12:00:00Z", 1_794_312_000_000), ("2026-11-10T12:00:00.250Z", 1_794_312_000_250),
    ("2026-11-10", 1_794_268_800_000), (1_794_312_000_000, 1_794_312_000_000), ("1794312000000", 1_794_312_000_000),
    (None, None), ("", None), ("soon", None), (True, None),
])
def test_instants_are_read_in_all_of_hubspot_s_forms(value: object, expected: int | None) -> None:
    assert at(value) == expected


# --- refusals -----------------------------------------------------------------------------------------------------------------

JSON = {"content-type": "application/json;charset=utf-8"}


@pytest.mark.parametrize(("status", "body", "expected", "wait"), [
    (429, {"policyName": "SECONDLY"}, FaultKind.THROTTLED, 1.0),
    (429, {"policyName": "TEN_SECONDLY_ROLLING"}, FaultKind.THROTTLED, 10.0),
    (429, {"category": "RATE_LIMITS"}, FaultKind.THROTTLED, 10.0),
    (401, {"category": "INVALID_AUTHENTICATION"}, FaultKind.KEY, None),
    (403, {"category": "MISSING_SCOPES"}, FaultKind.SCOPE, None),
    (403, {"message": "This oauth-token does not have proper permissions!"}, FaultKind.SCOPE, None),
    (404, {"category": "OBJECT_NOT_FOUND"}, FaultKind.GONE, None),
    (404, None, FaultKind.RETIRED, None),
    (400, {"category": "VALIDATION_ERROR"}, FaultKind.INVALID, None),
    (414, None, FaultKind.INVALID, None),
    (423, {"message": "Locked"}, FaultKind.TRANSIENT, 2.0),
    (477, {"message": "Migration in progress"}, FaultKind.THROTTLED, 3600.0),
    (502, None, FaultKind.TRANSIENT, None),
    (530, None, FaultKind.KEY, None),
    (200, None, FaultKind.EDGE, None),
])
def test_each_refusal_is_told_apart(status: int, body: dict[str, str] | None, expected: FaultKind, wait: float | None) -> None:
    headers = {"content-type": "text/html"} if body is None else JSON
    fault = Faults(VirtualClock(NOW))(Answer(status, headers, b"", body))
    assert fault is not None
    assert (fault.kind, fault.retry_after) == (expected, wait)


LACKING = {"category": "MISSING_SCOPES", "correlationId": "11111111-2222-3333-4444-555555555555"}


@pytest.mark.parametrize(("errors", "code"), [
    ([{"message": "…", "context": {"requiredScopes": ["crm.lists.write"]}}], "MISSING_SCOPES: crm.lists.write"),
    ([{"context": {"requiredGranularScopes": ["crm.lists.read", "crm.lists.write"]}}, {"context": {"requiredScopes": ["crm.lists.read"]}}],
     "MISSING_SCOPES: crm.lists.read, crm.lists.write"),
    ([{"context": {"requiredScopes": ["ann@example.com", "<b>", "x" * 70, 7, None, "content\n", "content"]}}], "MISSING_SCOPES: content"),
    ([{"context": {"requiredScopes": [f"scope.{number}" for number in range(9)]}}],
     "MISSING_SCOPES: scope.0, scope.1, scope.2, scope.3, scope.4"),
    (None, "MISSING_SCOPES"), ({}, "MISSING_SCOPES"),
    ([7, {"context": None}, {"context": {"requiredScopes": "content"}}], "MISSING_SCOPES"),
])
def test_a_missing_scope_is_told_by_its_name_and_nothing_else_of_the_body(errors: object, code: str) -> None:
    fault = Faults(VirtualClock(NOW))(Answer(403, JSON, b"", {**LACKING, "errors": errors}))
    assert fault is not None
    assert (fault.kind, fault.code) == (FaultKind.SCOPE, code)
    other = Faults(VirtualClock(NOW))(Answer(400, JSON, b"", {"category": "VALIDATION_ERROR", "errors": errors}))
    assert other is not None
    assert other.code == "VALIDATION_ERROR"


def test_the_day_s_limit_lasts_until_midnight_in_the_account_s_zone() -> None:
    evening = millis(instant(NOW).replace(hour=21, minute=30, second=0, microsecond=0))
    faults = Faults(VirtualClock(evening))
    faults.day_shift = HOUR
    fault = faults(Answer(429, JSON, b"", {"policyName": "DAILY"}))
    assert fault is not None
    assert fault.retry_after == 1.5 * 3600


def test_an_error_repeats_codes_and_never_prose() -> None:
    body = {"message": "anna@shop.example is bad", "category": "anna@shop.example", "correlationId": "1111-2222"}
    fault = Faults(VirtualClock(NOW))(Answer(400, JSON, b"", body))
    assert fault is not None
    assert (fault.code, fault.request_id) == ("request refused", "1111-2222")
