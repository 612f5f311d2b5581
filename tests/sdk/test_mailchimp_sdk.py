"""The vendor's own client, mailchimp-marketing 3.0.80, unmodified and on the machine's clock, reads a whole world.

It has no paging of its own: each listing is walked here by `count` and `offset` until a page is short. The host is set after
construction, as the client replaces the word "server" in the whole URL and offers no other way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from mailchimp_marketing import Client
from mailchimp_marketing.api_client import ApiClientError

from connectors.clock import SystemClock, instant
from connectors.sandbox.control import Controls
from connectors.sandbox.keys import KEYS
from connectors.sandbox.server import Sandbox
from connectors.sandbox.world import random_world

PAGE = 1000


@dataclass
class Reading:
    """The vendor's client, and the control endpoint that knows the truth."""

    client: Any
    controls: Controls

    def rows(self, table: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.controls.rows("mailchimp", table).to_pylist()
        return found


@pytest.fixture(scope="module")
def reading() -> Iterator[Reading]:
    clock = SystemClock()
    with Sandbox(clock, platforms=("mailchimp",)) as sandbox:
        controls = Controls(sandbox.urls["control"])
        controls.load(random_world(7, 2000, 20_000, clock.now()))
        client = Client({"api_key": KEYS["mailchimp"]["tester"], "server": "us1", "timeout": 30})
        client.api_client.host = sandbox.urls["mailchimp"] + "/3.0"
        yield Reading(client, controls)
        controls.close()


def walked(ask: Callable[..., Any], item: str, *path: str, **more: Any) -> list[dict[str, Any]]:
    """All rows of a listing: until a page is shorter than asked for."""
    found: list[dict[str, Any]] = []
    while True:
        page = ask(*path, count=PAGE, offset=len(found), **more)[item]
        found += page
        if len(page) < PAGE:
            return found


def shop_of(client: Any) -> str:
    found = next(one["id"] for one in client.lists.get_all_lists()["lists"] if one["name"] == "Sandbox shop")
    return str(found)


def stamp(at: int) -> str:
    return instant(at).strftime("%Y-%m-%dT%H:%M:%S+00:00")


def test_the_client_reads_the_account_and_says_what_is_wrong(reading: Reading) -> None:
    assert reading.client.root.get_root()["account_name"] == "Sandbox Inc"
    assert reading.client.ping.get()["health_status"]
    with pytest.raises(ApiClientError) as caught:
        reading.client.lists.get_list("nothing")
    assert caught.value.status_code == 404
    assert "Resource Not Found" in caught.value.text


def test_the_client_reads_everybody(reading: Reading) -> None:
    audience = shop_of(reading.client)
    found = walked(reading.client.lists.get_list_members_info, "members", audience, exclude_fields=["members._links", "_links"])
    found += walked(reading.client.lists.get_list_members_info, "members", audience, status="archived")
    told = {(f"{one['list_id']}:{one['contact_id']}", one["email_address"], one["status"]) for one in found}
    truth = {(row["id"], row["email"], row["state"]) for row in reading.rows("profiles")}
    assert len(found) == len(told) > 1000
    assert told == truth


def test_the_client_reads_everything_that_happened(reading: Reading) -> None:
    started = time.monotonic()
    contacts = {row["person"]: row["email"] for row in reading.rows("profiles")}
    told = sorted([*mail_of(reading.client), *sales_of(reading.client)])
    truth = sorted((row["native"], stamp(row["at"]), contacts[row["person"]]) for row in reading.rows("events"))
    assert len(told) > 4000
    assert told == truth
    assert {native for native, _, _ in told} == {
        "sent", "open", "click", "bounce", "unsubscribe", "abuse", "order", "cart"}
    assert time.monotonic() - started < 15


def mail_of(client: Any) -> Iterator[tuple[str, str, str]]:
    """Kind, time and address of every mail event. The client writes booleans as "True" and times as they are given."""
    reports = client.reports
    for report in walked(reports.get_all_campaign_reports, "reports"):
        campaign = report["id"]
        for row in walked(reports.get_campaign_recipients, "sent_to", campaign):
            yield "sent", report["send_time"], row["email_address"]
        for row in walked(reports.get_email_activity_for_campaign, "emails", campaign, since="2000-01-01T00:00:00+00:00"):
            for act in row["activity"]:
                yield act["action"], act["timestamp"], row["email_address"]
        for row in walked(reports.get_unsubscribed_list_for_campaign, "unsubscribes", campaign):
            yield "unsubscribe", row["timestamp"], row["email_address"]
        for row in reports.get_campaign_abuse_reports(campaign)["abuse_reports"]:      # takes neither count nor offset
            yield "abuse", row["date"], row["email_address"]


def sales_of(client: Any) -> Iterator[tuple[str, str, str]]:
    for store in walked(client.ecommerce.stores, "stores"):
        for order in walked(client.ecommerce.get_store_orders, "orders", store["id"]):
            yield "order", order["processed_at_foreign"], order["customer"]["email_address"]
        for cart in walked(client.ecommerce.get_store_carts, "carts", store["id"]):
            yield "cart", cart["created_at"], cart["customer"]["email_address"]


def test_the_client_tags_people_and_reads_the_tag_back(reading: Reading) -> None:
    client, audience = reading.client, shop_of(reading.client)
    people = client.lists.get_list_members_info(audience, count=40)["members"]
    made = client.lists.create_segment(audience, {"name": "Read by the client", "static_segment": []})
    addresses = [one["email_address"] for one in people]
    told = client.lists.batch_segment_members({"members_to_add": addresses}, audience, made["id"])
    assert told["total_added"] == len(people)
    back = walked(client.lists.get_segment_members_list, "members", audience, made["id"], include_unsubscribed=True,
                  include_cleaned=True, include_transactional=True)
    profiles = {row["profile"] for row in reading.rows("members")}
    assert {f"{audience}:{one['contact_id']}" for one in back} == profiles == {
        f"{audience}:{one['contact_id']}" for one in people}
    assert [one["id"] for one in client.lists.tag_search(audience, name="read by")["tags"]] == [made["id"]]
