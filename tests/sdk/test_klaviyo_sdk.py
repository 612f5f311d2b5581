"""The vendor's own package, unmodified and on the machine's clock, reads the emulated Klaviyo.

`page_cursor` of klaviyo-api 25.0.0 unpacks only links that contain "https://" and breaks percent-encoded ones, so the test
takes the cursor out of `links.next` itself (see github.com issue klaviyo/klaviyo-api-python#9). Its event filter is written
by hand: the package's FilterBuilder removes blanks inside values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest

from connectors.clock import SystemClock
from connectors.klaviyo.sandbox.people import iso
from connectors.sandbox.control import Controls
from connectors.sandbox.server import Sandbox
from connectors.sandbox.world import random_world


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    clock = SystemClock()
    with Sandbox(clock, platforms=("klaviyo",)) as running:
        running.applications["klaviyo"].load(random_world(9, 2000, 20_000, clock.now()))
        yield running


@pytest.fixture(scope="module")
def api(sandbox: Sandbox) -> Any:
    from klaviyo_api import KlaviyoAPI

    return KlaviyoAPI("pk_sandbox_tester", test_host=sandbox.urls["klaviyo"])


@pytest.fixture(scope="module")
def controls(sandbox: Sandbox) -> Iterator[Controls]:
    made = Controls(sandbox.urls["control"])
    yield made
    made.close()


def everything(call: Callable[..., Any], *path: str, **query: Any) -> Iterator[Any]:
    """Pages of a call of the package, whether it answers with models or with dicts."""
    cursor = None
    while True:
        page = call(*path, **query, **({"page_cursor": cursor} if cursor else {}))
        yield page
        following = page["links"].get("next") if isinstance(page, dict) else page.links.next
        if not following:
            return
        cursor = parse_qs(urlsplit(following).query)["page[cursor]"][0]


def test_the_package_reads_everybody_as_the_control_endpoint_has_them(api: Any, controls: Controls) -> None:
    rows = {row["id"]: row for row in controls.rows("klaviyo", "profiles").to_pylist()}
    query = {"additional_fields_profile": ["subscriptions"], "page_size": 100, "sort": "updated"}
    read = [one for page in everything(api.Profiles.get_profiles, **query) for one in page.data]
    assert sorted(one.id for one in read) == sorted(rows)
    for one in read:
        row, told = rows[one.id], one.attributes
        marketing = told.subscriptions.email.marketing
        assert (told.email, marketing.consent) == (row["email"], row["state"])
        assert bool(marketing.suppression) == row["barred"]
        fields = orjson.loads(row["fields"])
        assert told.updated.isoformat() == fields["updated"]
        assert (told.first_name, told.phone_number, told.location.city, told.properties) == (
            fields["first_name"], fields["phone_number"], fields["location"]["city"], fields["properties"])


def test_the_package_reads_all_events_as_the_control_endpoint_has_them(api: Any, controls: Controls, sandbox: Sandbox) -> None:
    rows = {row["id"]: row for row in controls.rows("klaviyo", "events").to_pylist()}
    names, people, seen = dict[str, str](), dict[str, int](), 0
    owner = {row["id"]: row["person"] for row in controls.rows("klaviyo", "profiles").to_pylist()}
    until = iso(sandbox.clock.now() - 10_000).replace("+00:00", "Z")
    query = {"filter": f"less-than(datetime,{until})", "include": ["metric"], "sort": "datetime"}
    for page in everything(api.Events.get_events, **query):
        names |= {one["id"]: one["attributes"]["name"] for one in page.included}
        for one in page.data:
            row, told = rows[one.id], one.attributes
            people[one.id] = owner[one.relationships.profile.data.id]
            assert (names[one.relationships.metric.data.id], told.timestamp * 1000) == (row["native"], row["at"])
            assert told.event_properties == orjson.loads(row["properties"])
            assert int(told.datetime_.timestamp()) == told.timestamp
            seen += 1
    assert seen == len(rows) > 5000
    assert people == {identity: row["person"] for identity, row in rows.items()}


def test_the_package_reads_lists_segments_and_their_members(api: Any, controls: Controls) -> None:
    members = {(row["name"], row["profile"]) for row in controls.rows("klaviyo", "members").to_pylist()}
    read = set()
    for page in everything(api.Lists.get_lists):
        for one in page.data:
            ids = everything(api.Lists.get_profile_ids_for_list, one.id, page_size=100)
            read |= {(one.attributes.name, member.id) for found in ids for member in found.data}
            sparse = everything(api.Lists.get_profiles_for_list, one.id, page_size=100, fields_profile=["joined_group_at"])
            joined = {member["id"] for found in sparse for member in found["data"]}
            assert joined == {identity for name, identity in read if name == one.attributes.name}
    assert read == members
    segment = api.Segments.get_segments().data[0]
    found = everything(api.Segments.get_profiles_for_segment, segment.id, page_size=100)
    assert {one.id for page in found for one in page.data} == {identity for _, identity in members}


def test_the_package_reads_account_metrics_campaigns_and_tags(api: Any) -> None:
    assert api.Accounts.get_accounts().data[0].attributes.test_account is True
    metrics = [one.attributes.name for page in everything(api.Metrics.get_metrics) for one in page.data]
    assert {"Opened Email", "Placed Order"} <= set(metrics)
    campaigns = [one for page in everything(api.Campaigns.get_campaigns) for one in page.data]
    assert [one.attributes.definition.name for one in campaigns] == ["Newsletter 3", "Newsletter 6", "Newsletter 9", "Newsletter 12"]
    assert api.Tags.get_tags().data[0].attributes.name


def test_the_package_writes_an_event_and_a_list_and_takes_the_refusals_as_its_own(api: Any, controls: Controls) -> None:
    from openapi_client.exceptions import NotFoundException

    profile = controls.rows("klaviyo", "profiles").to_pylist()[0]
    made = api.Lists.create_list({"data": {"type": "list", "attributes": {"name": "from the package"}}})
    members = {"data": [{"type": "profile", "id": profile["id"]}]}
    assert api.Lists.add_profiles_to_list(made.data.id, members) is None
    rows = controls.rows("klaviyo", "members").to_pylist()
    assert ("from the package", profile["id"]) in [(row["name"], row["profile"]) for row in rows]
    event = {"data": {"type": "event", "attributes": {
        "properties": {"OrderId": "sdk-1"}, "value": 3.5, "unique_id": "sdk-1",
        "metric": {"data": {"type": "metric", "attributes": {"name": "Placed Order"}}},
        "profile": {"data": {"type": "profile", "attributes": {"email": profile["email"]}}}}}}
    assert api.Events.create_event(event) is None
    assert controls.rows("klaviyo", "events").to_pylist()[-1]["person"] == profile["person"]
    with pytest.raises(NotFoundException):
        api.Profiles.get_profile("01HNOBODY")
