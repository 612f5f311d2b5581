"""The emulated Klaviyo: events, read and sent, metrics and campaigns."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from connectors.clock import DAY, MINUTE
from connectors.klaviyo.sandbox.people import iso
from connectors.sandbox.world import World
from tests.sandbox.klaviyo_place import (
    NOW,
    OnKlaviyo,
    Place,
    event_body,
)


class TestEvents(OnKlaviyo):
    def test_everything_that_happened_is_read_once_and_equals_the_control_endpoint(self, place: Place) -> None:
        names = {one["id"]: one["attributes"]["name"] for one in place.all("/api/metrics")}
        found = place.all("/api/events", sort="datetime")
        rows = {row["id"]: row for row in place.application.rows("events").to_pylist()}
        assert {one["id"] for one in found} == set(rows)
        assert len(found) == len(rows)
        for one in found:
            row = rows[one["id"]]
            assert names[one["relationships"]["metric"]["data"]["id"]] == row["native"]
            assert one["attributes"]["timestamp"] * 1000 == row["at"]

    def test_an_order_has_its_number_and_its_exact_value(self, place: Place, world: World) -> None:
        orders = [row for row in world.part("klaviyo")[1].to_pylist() if row["kind"] == "order_placed"]
        metric = next(one["id"] for one in place.all("/api/metrics") if one["attributes"]["name"] == "Placed Order")
        found = place.all("/api/events", filter=f'equals(metric_id,"{metric}")', sort="datetime")
        told = {one["attributes"]["event_properties"]["OrderId"]: one["attributes"]["event_properties"]["$value"] for one in found}
        assert told == {str(row["number"]): row["value"] / 1_000_000 for row in orders}

    def test_include_brings_each_metric_and_profile_once(self, place: Place) -> None:
        page = place.get("/api/events", include="metric,profile")
        for kind in ("metric", "profile"):
            needed = {one["relationships"][kind]["data"]["id"] for one in page["data"]}
            beside = [one["id"] for one in page["included"] if one["type"] == kind]
            assert sorted(beside) == sorted(needed)

    def test_times_bound_what_is_read_and_ties_are_not_lost_between_pages(self, place: Place) -> None:
        rows = sorted(place.application.rows("events")["at"].to_pylist())
        low, high = rows[500], rows[1500]
        query = {"sort": "-datetime", "page[size]": 7, "filter": f"greater-or-equal(datetime,{iso(low)}),less-than(datetime,{iso(high)})"}
        found = place.all("/api/events", **query)
        assert [one["attributes"]["timestamp"] * 1000 for one in found] == [at for at in reversed(rows) if low <= at < high]
        stamped = place.all("/api/events", filter=f"greater-than(timestamp,{low // 1000}),less-or-equal(timestamp,{high // 1000})")
        assert len(stamped) == len([at for at in rows if low < at <= high])

    def test_has_metric_and_lists_of_metrics_are_understood(self, place: Place) -> None:
        ids = [one["id"] for one in place.all("/api/metrics")][:2]
        wanted = ",".join(f'"{one}"' for one in ids)
        found = place.all("/api/events", filter=f"has(metric),equals(metric_id,[{wanted}])")
        assert {one["relationships"]["metric"]["data"]["id"] for one in found} <= set(ids)
        assert found
        assert place.get("/api/events", filter='equals(metric_id,"NoMetr")')["data"] == []

    def test_the_uuid_is_of_version_one_and_holds_the_second(self, place: Place) -> None:
        one = place.get("/api/events")["data"][0]["attributes"]
        read = uuid.UUID(one["uuid"])
        assert read.version == 1
        assert (read.time - 0x01B21DD213814000) // 10_000_000 == one["timestamp"]

    def test_one_event_is_read_by_its_id(self, place: Place) -> None:
        one = place.get("/api/events")["data"][7]
        assert place.get(f"/api/events/{one['id']}")["data"] == one
        place.refused(404, "/api/events/4AAAAAAAAAA")

    def test_an_event_sent_is_known_at_once_and_seen_when_its_lag_is_over(self, place: Place) -> None:
        place.sandbox.sky.lags["events"] = 50 * MINUTE
        email = place.emails()[0]
        before = place.application.rows("events").num_rows
        answer = place.send("POST", "/api/events", event_body(email, "order-1"))
        assert (answer.status_code, answer.content) == (202, b"")
        row = place.application.rows("events").to_pylist()[-1]
        person = next(one["person"] for one in place.application.rows("profiles").to_pylist() if one["email"] == email)
        assert (row["native"], row["kind"], row["person"]) == ("Placed Order", "order_placed", person)
        assert place.application.rows("events").num_rows == before + 1
        mine = {"filter": f'equals(profile_id,"{place.id_of(email)}")', "sort": "-datetime", "include": "metric"}
        seen = len(place.get("/api/events", **mine)["data"])
        place.clock.advance(50 * 60)
        page = place.get("/api/events", **mine)
        assert len(page["data"]) == seen + 1
        properties = page["data"][0]["attributes"]["event_properties"]
        assert properties == {"OrderId": "order-1", "$value": 12.5, "$currency_code": "USD", "$event_id": "order-1"}

    def test_the_first_of_a_unique_id_wins(self, place: Place) -> None:
        email = place.emails()[0]
        before = place.application.rows("events").num_rows
        for value in (1, 2):
            assert place.send("POST", "/api/events", event_body(email, "order-1", value=value)).status_code == 202
        rows = place.application.rows("events").to_pylist()[before:]
        assert len(rows) == 1
        assert '"$value":1' in rows[0]["properties"]

    def test_without_a_unique_id_one_event_a_second_is_kept(self, place: Place) -> None:
        email = place.emails()[0]
        before = place.application.rows("events").num_rows
        for seconds in (0, 0, 1):
            place.clock.advance(seconds)
            place.send("POST", "/api/events", event_body(email))
        assert place.application.rows("events").num_rows == before + 2

    def test_an_order_of_the_world_is_not_recorded_twice(self, place: Place) -> None:
        rows = place.application.rows("events").to_pylist()
        order = next(row for row in rows if row["kind"] == "order_placed")
        email = next(row["email"] for row in place.application.rows("profiles").to_pylist() if row["person"] == order["person"])
        number = order["properties"].split('"OrderId":"')[1].split('"')[0]
        place.send("POST", "/api/events", event_body(email, number))
        assert place.application.rows("events").num_rows == len(rows)

    def test_an_event_of_an_unknown_address_makes_a_profile_of_the_person_who_has_it(self, place: Place, world: World) -> None:
        known = next(row for row in world.people.to_pylist() if not row["klaviyo"])
        for email in (known["email"], "stranger@shop.example"):
            place.send("POST", "/api/events", event_body(email, "order-1"))
        people = {row["email"]: row["person"] for row in place.application.rows("profiles").to_pylist()}
        assert people[known["email"]] == known["person"]
        assert people["stranger@shop.example"] == -1

    def test_a_new_metric_is_made_on_first_use(self, place: Place) -> None:
        place.send("POST", "/api/events", event_body(place.emails()[0], metric="segmentd: entered vip"))
        made = place.get("/api/metrics", filter='equals(integration.name,"API")')["data"]
        assert [one["attributes"]["name"] for one in made] == ["segmentd: entered vip"]

    def test_metrics_come_two_hundred_to_a_page(self, place: Place) -> None:
        for number in range(200):
            place.application.events.metric(f"metric {number}", NOW)
        assert len(place.get("/api/metrics")["data"]) == 200
        assert len(place.all("/api/metrics")) == len(place.application.events.metrics)

    @pytest.mark.parametrize(("change", "pointer"), [
        ({"time": "2027-12-01T00:00:00Z"}, "/data/attributes/time"), ({"time": "1989-01-01T00:00:00Z"}, "/data/attributes/time"),
        ({"properties": None}, "/data/attributes/properties"), ({"value": "12"}, "/data/attributes/value"),
        ({"profile": {"data": {"type": "profile", "attributes": {}}}}, "/data/attributes/profile/data"),
        ({"metric": {"data": {"type": "metric", "attributes": {"name": "x" * 128}}}}, "/data/attributes/metric/data/attributes/name"),
    ])
    def test_a_wrong_event_is_400_with_its_place(self, place: Place, change: dict[str, Any], pointer: str) -> None:
        body = event_body(place.emails()[0])
        body["data"]["attributes"] |= change
        answer = place.send("POST", "/api/events", body)
        assert (answer.status_code, answer.json()["errors"][0]["source"]) == (400, {"pointer": pointer})

    def test_events_may_lie_in_the_future_and_in_the_far_past(self, place: Place) -> None:
        email = place.emails()[0]
        for time in ("2027-06-01T00:00:00Z", "1995-01-01T00:00:00Z"):
            assert place.send("POST", "/api/events", event_body(email, time, time=time)).status_code == 202
        found = place.all("/api/events", sort="datetime")
        assert found[0]["attributes"]["datetime"].startswith("1995-01-01")
        assert found[-1]["attributes"]["datetime"].startswith("2027-06-01")

    def test_a_thousand_events_go_in_one_job_and_a_repeat_refuses_it_whole(self, place: Place) -> None:
        event = event_body(place.emails()[0])["data"]
        profile = event["attributes"].pop("profile")

        def job(ids: list[str]) -> dict[str, Any]:
            events = [{**event, "attributes": {**event["attributes"], "unique_id": one}} for one in ids]
            entry = {"type": "event-bulk-create", "attributes": {"profile": profile, "events": {"data": events}}}
            return {"data": {"type": "event-bulk-create-job", "attributes": {"events-bulk-create": {"data": [entry]}}}}

        before = place.application.rows("events").num_rows
        assert place.send("POST", "/api/event-bulk-create-jobs", job([f"a{n}" for n in range(1000)])).status_code == 202
        assert place.send("POST", "/api/event-bulk-create-jobs", job([f"b{n}" for n in range(1001)])).status_code == 400
        assert place.send("POST", "/api/event-bulk-create-jobs", job(["c", "a7"])).status_code == 409
        assert place.send("POST", "/api/event-bulk-create-jobs", job(["d", "d"])).status_code == 409
        assert place.application.rows("events").num_rows == before + 1000

    def test_things_happen_on_the_platform_by_deed(self, place: Place) -> None:
        email = place.emails()[0]
        place.act("happen", email=email, kind="order_placed", value=9_990_000, number=77, at=NOW - DAY)
        place.act("happen", email=email, kind="email_opened", campaign=2)
        orders = place.application.rows("events").to_pylist()[-2:]
        assert [row["kind"] for row in orders] == ["order_placed", "email_opened"]
        assert '"OrderId":"77"' in orders[0]["properties"]
        assert orders[0]["at"] == NOW - DAY
        assert '"Campaign Name":"Newsletter 3"' in orders[1]["properties"]


class TestCampaigns(OnKlaviyo):
    def test_a_channel_is_required_before_2026_10_15_and_unknown_from_there_on(self, place: Place) -> None:
        channel = "equals(messages.channel,'email')"
        place.refused(400, "/api/campaigns")
        place.refused(400, "/api/campaigns", filter="equals(archived,false)")
        found = place.get("/api/campaigns", filter=channel)["data"]
        assert [one["attributes"]["name"] for one in found] == ["Newsletter 3", "Newsletter 6", "Newsletter 9", "Newsletter 12"]
        assert place.get("/api/campaigns", filter=f"and({channel},equals(archived,true))")["data"] == []
        place.client.headers["revision"] = "2026-10-15"
        place.refused(400, "/api/campaigns", filter=channel)
        later = place.get("/api/campaigns")["data"]
        assert set(later[0]["attributes"]) == {"created_at", "updated_at", "definition"}

    def test_mail_events_name_their_campaign(self, place: Place) -> None:
        found = place.get("/api/campaigns", filter="equals(messages.channel,'email')")["data"]
        names = {one["id"]: one["attributes"]["name"] for one in found}
        told = [one["attributes"]["event_properties"] for one in place.all("/api/events")]
        assert {(one["$message"], one["Campaign Name"]) for one in told if "$message" in one} == set(names.items())
