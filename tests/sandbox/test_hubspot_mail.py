"""The emulated HubSpot's mail and what people said to it: events, timeline, campaigns, permission, over real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.clock import DAY, HOUR, MINUTE, SECOND
from tests.sandbox.hubspot_place import LISTS, NOW, Place
from tests.sandbox.hubspot_place import place as running

EVENTS, TIMELINE = "/email/public/v1/events", "/email/public/v1/subscriptions/timeline"
STATUSES = "/communication-preferences/2026-09/statuses"


@pytest.fixture
def hub() -> Iterator[Place]:
    with running() as found:
        yield found


# --- mail


def _walk(hub: Place, path: str, name: str, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    page = hub.get(path, **query)
    while True:
        found += page[name]
        if not page["hasMore"]:
            return found
        page = hub.get(path, **query, offset=page["offset"])


def test_mail_events_come_newest_first_and_are_those_that_happened(hub: Place) -> None:
    found = _walk(hub, EVENTS, "events", limit=100)
    times = [one["created"] for one in found]
    assert times == sorted(times, reverse=True)
    truth = {one["id"]: one for one in hub.rows("events") if one["native"].isupper()}
    assert {f"{one['created']}:{one['id']}" for one in found} == set(truth)
    assert len(hub.get(EVENTS)["events"]) == 10
    hub.refused(400, "GET", EVENTS, limit=1001)
    machines = [one for one in found if one.get("filteredEvent")]
    assert machines
    assert len(_walk(hub, EVENTS, "events", limit=500, excludeFilteredEvents="true")) == len(found) - len(machines)


def test_an_event_that_was_replaced_names_its_successor_and_shares_its_id(hub: Place) -> None:
    found = _walk(hub, EVENTS, "events", limit=1000)
    replaced = [one for one in found if "obsoletedBy" in one]
    keys = {(one["id"], one["created"]) for one in found}
    assert replaced
    assert len(keys) == len(found) > len({one["id"] for one in found})
    assert all((one["obsoletedBy"]["id"], one["obsoletedBy"]["created"]) in keys for one in replaced)


def test_bounds_are_inclusive_and_filters_hold(hub: Place) -> None:
    found = _walk(hub, EVENTS, "events", limit=1000)
    one = found[len(found) // 2]
    only = hub.get(EVENTS, startTimestamp=one["created"], endTimestamp=one["created"], limit=1000)["events"]
    assert one in only
    assert all(other["created"] == one["created"] for other in only)
    for name, value, key in (("recipient", one["recipient"], "recipient"), ("campaignId", one["emailCampaignId"], "emailCampaignId"),
                             ("eventType", one["type"], "type")):
        assert _walk(hub, EVENTS, "events", limit=1000, **{name: value}) == [other for other in found if other.get(key) == value]


def test_an_offset_dies_after_ten_minutes_and_with_other_parameters(hub: Place) -> None:
    offset = hub.get(EVENTS, limit=5)["offset"]
    hub.refused(400, "GET", EVENTS, limit=6, offset=offset)
    hub.get(EVENTS, limit=5, offset=offset)
    hub.clock.advance(10 * MINUTE / SECOND)
    hub.refused(400, "GET", EVENTS, limit=5, offset=offset)


def test_late_events_are_inserted_with_an_older_time(hub: Place) -> None:
    who = hub.some("SUBSCRIBED")[0]["email"]
    count = len(_walk(hub, EVENTS, "events", limit=1000))
    made = hub.act("late_event", email=who, kind="email_opened", at=NOW - 90 * DAY, visible=NOW + HOUR)
    assert len(_walk(hub, EVENTS, "events", limit=1000)) == count
    hub.clock.set(NOW + HOUR)
    found = _walk(hub, EVENTS, "events", limit=1000)
    assert made["id"] in [one["id"] for one in found[1:]]
    assert [one["created"] for one in found] == sorted((one["created"] for one in found), reverse=True)


def test_the_timeline_has_a_time_of_its_own_only_without_a_cause(hub: Place) -> None:
    found = _walk(hub, TIMELINE, "timeline", limit=50)
    changes = [change for one in found for change in one["changes"]]
    assert {"UNSUBSCRIBED", "BOUNCED"} <= {one["change"] for one in changes}
    assert all(("timestamp" in one) != ("causedByEvent" in one) for one in changes)
    assert {one["change"] for one in _walk(hub, TIMELINE, "timeline", changeType="PORTAL_BOUNCE")
            for one in one["changes"]} == {"BOUNCED"}


def test_campaigns_and_marketing_emails_are_two_numbers_of_one_mailing(hub: Place) -> None:
    email = hub.get("/marketing/emails/2026-09", includeStats="true")["results"][0]
    campaign = hub.get(f"/email/public/v1/campaigns/{email['primaryEmailCampaignId']}")
    assert campaign["name"] == email["name"]
    sent = len(_walk(hub, EVENTS, "events", limit=1000, eventType="SENT", campaignId=email["primaryEmailCampaignId"]))
    assert email["stats"]["counters"]["sent"] == campaign["counters"]["sent"] == sent > 0
    total = hub.get("/marketing/v3/emails/statistics/list", emailIds=email["id"])
    assert total["aggregate"]["counters"] == email["stats"]["counters"]
    assert len(hub.get("/email/public/v1/campaigns/by-id", limit=100)["campaigns"]) == hub.get("/marketing/v3/emails")["total"]


# --- permission


def test_the_worlds_standings_are_native_states(hub: Place) -> None:
    names = ("hs_email_optout", "hs_email_hard_bounce_reason_enum", "hs_email_optout_3001")
    expected = {
        "SUBSCRIBED": (None, None), "NOT_SPECIFIED": (None, None), "UNSUBSCRIBED": ("true", None), "BOUNCED": (None, "UNKNOWN_USER"),
    }
    for state, (optout, bounce) in expected.items():
        who = hub.some(state)[0]
        told = hub.contact(who["id"], *names)
        assert (told["hs_email_optout"], told["hs_email_hard_bounce_reason_enum"]) == (optout, bounce)
        assert who["barred"] == bool(optout or bounce)
        status = {one["subscriptionId"]: one["status"] for one in hub.get(f"{STATUSES}/{who['email']}", channel="EMAIL")["results"]}
        assert status[3001] == (state if state != "BOUNCED" else "NOT_SPECIFIED")
        wide = hub.get(f"{STATUSES}/{who['email']}/unsubscribe-all", channel="EMAIL")["results"]
        assert bool(wide) == (state == "UNSUBSCRIBED")


def test_consent_changes_leave_their_traces_and_are_counted(hub: Place) -> None:
    who, tally = hub.some("NOT_SPECIFIED")[0], hub.application.tallies
    path = f"{STATUSES}/{who['email']}"
    hub.post(path, {"channel": "EMAIL", "statusState": "SUBSCRIBED", "subscriptionId": 3001})
    assert hub.get(f"{LISTS}/records/0-1/{who['id']}/memberships")["results"][0]["listId"] == "401"
    hub.post(f"{path}/unsubscribe-all", None, channel="EMAIL")
    assert hub.contact(who["id"], "hs_email_optout")["hs_email_optout"] == "true"
    assert hub.get(TIMELINE, limit=1)["timeline"][0]["recipient"] == who["email"]
    assert hub.get(EVENTS, limit=1)["events"][0]["portalSubscriptionStatus"] == "UNSUBSCRIBED"
    assert tally["tester"].consent == 2
    many = hub.post(f"{STATUSES}/batch/read", {"inputs": [who["email"]]}, channel="EMAIL")["results"][0]
    assert {one["status"] for one in many["statuses"]} == {"UNSUBSCRIBED"}
    hub.act("grant", email=who["email"])
    assert hub.contact(who["id"], "hs_email_optout")["hs_email_optout"] == "false"
    hub.act("unreadable", email=who["email"])
    assert hub.contact(who["id"], "hs_email_optout")["hs_email_optout"] == "paused"


def test_types_and_forms_are_told(hub: Place) -> None:
    types = hub.get("/communication-preferences/v4/definitions")["results"]
    assert [(one["id"], one["name"]) for one in types] == [("3001", "Newsletter"), ("3002", "Product news")]
    forms = hub.get("/marketing/v3/forms")["results"]
    path = f"/form-integrations/v1/submissions/forms/{forms[0]['id']}"
    times, page = [], hub.get(path, limit=5)
    while "paging" in page:
        times += [one["submittedAt"] for one in page["results"]]
        page = hub.get(path, limit=5, after=page["paging"]["next"]["after"])
    assert times == sorted(times, reverse=True)
    assert hub.refused(400, "GET", f"/form-integrations/v1/submissions/forms/{forms[1]['id']}")["category"] == "VALIDATION_ERROR"


def test_every_deed_and_switch_is_written_down(hub: Place) -> None:
    text = (Path(__file__).parents[2] / "docs" / "sandbox-hubspot.md").read_text()
    deeds = [name.removeprefix("deed_") for name in dir(hub.application) if name.startswith("deed_")]
    assert [name for name in [*deeds, *hub.application.switches] if name not in text] == []
