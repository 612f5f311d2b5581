"""The emulated Klaviyo, behaviour by behaviour, over real sockets: keys, documents, profiles, limits, faults."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from connectors.clock import DAY, MINUTE, SECOND
from connectors.klaviyo.sandbox.people import iso
from connectors.sandbox.world import World
from tests.sandbox.klaviyo_place import (
    NOW,
    SUBSCRIPTIONS,
    SUPPRESSED_AT,
    OnKlaviyo,
    Place,
)


class TestKeyAndRevision(OnKlaviyo):
    def test_a_call_without_a_key_is_401_not_authenticated(self, place: Place) -> None:
        answer = httpx.get(place.sandbox.urls["klaviyo"] + "/api/accounts", headers={"revision": "2026-07-15"}, trust_env=False)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (401, "not_authenticated")

    @pytest.mark.parametrize("key", ["Klaviyo-API-Key pk_wrong", "Bearer pk_sandbox_tester", "pk_sandbox_tester"])
    def test_a_wrong_key_is_401_authentication_failed(self, place: Place, key: str) -> None:
        answer = place.client.get("/api/accounts", headers={"Authorization": key})
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (401, "authentication_failed")

    def test_a_revoked_key_is_401_until_it_is_restored(self, place: Place) -> None:
        place.act("revoke_key", role="tester")
        place.refused(401, "/api/lists")
        place.act("restore_key", role="tester")
        place.get("/api/lists")

    def test_a_missing_scope_is_403_and_names_it(self, place: Place) -> None:
        place.act("drop_scope", scope="events:read", role="tester")
        error = place.refused(403, "/api/events")
        assert error["code"] == "permission_denied"
        assert "events:read" in error["detail"]
        place.get("/api/metrics")

    def test_another_account_can_answer_behind_the_same_key(self, place: Place) -> None:
        before = place.get("/api/accounts")["data"][0]
        place.act("swap_account", id="OtHer1", name="Another Shop")
        place.clock.advance(1)
        after = place.get("/api/accounts")["data"][0]
        assert before["id"] != after["id"] == "OtHer1"
        assert after["attributes"]["contact_information"]["organization_name"] == "Another Shop"

    def test_the_revision_header_is_required(self, place: Place) -> None:
        del place.client.headers["revision"]
        assert place.refused(400, "/api/lists")["source"] == {"parameter": "revision"}

    def test_a_retired_revision_falls_forward(self, place: Place) -> None:
        assert place.client.get("/api/lists", headers={"revision": "2023-02-22"}).status_code == 200

    @pytest.mark.parametrize(("revision", "status"), [("2024-10-15", 410), ("2026-08-01", 400), ("today", 400), ("2026-10-15", 200)])
    def test_with_the_opt_out_a_retired_revision_is_410_and_an_unknown_one_400(
        self, place: Place, revision: str, status: int,
    ) -> None:
        headers = {"revision": revision, "X-Klaviyo-Revision-Fall-Forward-Opt-Out": "1"}
        assert place.client.get("/api/lists", headers=headers).status_code == status


class TestDocuments(OnKlaviyo):
    def test_paths_are_known_with_and_without_trailing_slash(self, place: Place) -> None:
        assert place.get("/api/lists")["data"] == place.get("/api/lists/")["data"]

    def test_unknown_paths_are_404_and_wrong_methods_405(self, place: Place) -> None:
        place.refused(404, "/api/nowhere")
        place.refused(404, "/lists")
        assert place.client.put("/api/lists", json={}).status_code == 405

    def test_a_body_of_another_media_type_is_415(self, place: Place) -> None:
        assert place.client.post("/api/lists", content=b"name=x").status_code == 415

    def test_a_body_that_is_no_json_or_another_type_is_400(self, place: Place) -> None:
        headers = {"Content-Type": "application/json"}
        assert place.client.post("/api/lists", content=b"{", headers=headers).status_code == 400
        assert place.send("POST", "/api/lists", {"data": {"type": "profile", "attributes": {}}}).status_code == 400

    def test_next_has_the_hosts_own_name_and_percent_encoded_names(self, place: Place) -> None:
        page = place.get("/api/profiles", **{"page[size]": 10, SUBSCRIPTIONS: "subscriptions", "sort": "updated"})
        following = page["links"]["next"]
        assert following.startswith(place.sandbox.urls["klaviyo"] + "/api/profiles?")
        assert "page%5Bcursor%5D=" in following
        assert "[" not in following
        asked = parse_qs(urlsplit(following).query)
        assert asked["sort"] == ["updated"]
        assert base64.b64decode(asked["page[cursor]"][0]).startswith(b"next::")

    def test_the_last_page_says_null_or_nothing(self, place: Place) -> None:
        assert place.get("/api/tags")["links"].get("next", "absent") == "absent"
        place.list_id("a second list")
        assert place.get("/api/lists")["links"]["next"] is None

    @pytest.mark.parametrize(("path", "most"), [
        ("/api/profiles", 100), ("/api/lists", 10), ("/api/segments", 10), ("/api/events", 1000), ("/api/tags", 50),
    ])
    def test_a_page_over_the_cap_is_400(self, place: Place, path: str, most: int) -> None:
        place.get(path, **{"page[size]": most})
        place.refused(400, path, **{"page[size]": most + 1})
        place.clock.advance(1)
        place.refused(400, path, **{"page[size]": 0})
        place.refused(400, path, **{"page[size]": "many"})

    def test_a_bad_cursor_is_400_and_so_is_one_of_another_order_or_a_whole_link(self, place: Place) -> None:
        following = place.get("/api/profiles", **{"page[size]": 1, "sort": "created"})["links"]["next"]
        cursor = parse_qs(urlsplit(following).query)["page[cursor]"][0]
        for wrong, sort in (("rubbish", "created"), ("=" + cursor, "created"), (following, "created"), (cursor, "updated")):
            error = place.refused(400, "/api/profiles", **{"page[cursor]": wrong, "sort": sort})
            assert error["detail"] == "Invalid cursor provided."

    @pytest.mark.parametrize(("path", "query"), [
        ("/api/profiles", {"sort": "first_name"}), ("/api/profiles", {"include": "profiless"}),
        ("/api/profiles", {"fields[profile]": "emial"}), ("/api/profiles", {SUBSCRIPTIONS: "everything"}),
        ("/api/metrics", {"page[size]": 10}), ("/api/lists", {"offset": 3}), ("/api/events", {"sort": "uuid"}),
    ])
    def test_what_an_endpoint_does_not_know_is_400_and_named(self, place: Place, path: str, query: dict[str, Any]) -> None:
        error = place.refused(400, path, **query)
        assert error["source"] == {"parameter": next(iter(query))}


class TestProfiles(OnKlaviyo):
    def test_paging_gives_everybody_once_in_order(self, place: Place) -> None:
        for sort in ("", "id", "email", "created", "-updated"):
            found = place.all("/api/profiles", **{"page[size]": 37} | ({"sort": sort} if sort else {}))
            assert {one["id"] for one in found} == set(place.application.rows("profiles")["id"].to_pylist())
            assert len(found) == place.application.rows("profiles").num_rows
            values = [one["id"] if sort == "id" else one["attributes"][sort.strip("-")] for one in found] if sort else []
            assert values == sorted(values, reverse=sort.startswith("-"))

    def test_a_profile_changed_between_two_pages_of_updated_is_seen_again_and_nobody_is_missed(self, place: Place) -> None:
        first = place.get("/api/profiles", **{"page[size]": 50, "sort": "updated"})
        moved = first["data"][3]
        body = {"data": {"type": "profile", "id": moved["id"], "attributes": {"title": "Captain"}}}
        assert place.send("PATCH", f"/api/profiles/{moved['id']}", body).status_code == 200
        rest = place.all(first["links"]["next"])
        seen = [one["id"] for one in first["data"] + rest]
        assert len(seen) == len(set(seen)) + 1
        assert rest[-1]["id"] == moved["id"]

    def test_subscriptions_are_absent_unless_asked_for(self, place: Place) -> None:
        assert "subscriptions" not in place.get("/api/profiles")["data"][0]["attributes"]
        asked = place.get("/api/profiles", **{SUBSCRIPTIONS: "subscriptions"})["data"][0]
        assert asked["attributes"]["subscriptions"]["email"]["marketing"]["consent"]

    def test_who_never_subscribed_can_receive_all_the_same(self, place: Place) -> None:
        email = place.emails("NEVER_SUBSCRIBED")[0]
        found = place.get("/api/profiles", **{"filter": f'equals(email,"{email}")', SUBSCRIPTIONS: "subscriptions"})
        marketing = found["data"][0]["attributes"]["subscriptions"]["email"]["marketing"]
        assert (marketing["consent"], marketing["can_receive_email_marketing"]) == ("NEVER_SUBSCRIBED", True)

    def test_every_standing_of_the_world_has_its_state(self, place: Place, world: World) -> None:
        standing = dict(zip(world.people["email"].to_pylist(), world.people["klaviyo"].to_pylist(), strict=True))
        states = {"granted": "SUBSCRIBED", "archived": "SUBSCRIBED", "unknown": "NEVER_SUBSCRIBED", "withdrawn": "UNSUBSCRIBED",
                  "suppressed": "SUBSCRIBED"}
        found = place.all("/api/profiles", **{"page[size]": 100, SUBSCRIPTIONS: "subscriptions"})
        assert len(found) == sum(1 for word in standing.values() if word)
        for one in found:
            marketing = one["attributes"]["subscriptions"]["email"]["marketing"]
            word = standing[one["attributes"]["email"]]
            assert marketing["consent"] == states[word]
            assert bool(marketing["suppression"]) == (word in ("withdrawn", "suppressed")) != marketing["can_receive_email_marketing"]

    def test_timestamps_come_with_a_space_too_and_old_phones_unformatted(self, place: Place) -> None:
        found = place.all("/api/profiles", **{"page[size]": 100, SUBSCRIPTIONS: "subscriptions"})
        spelled = {(one["attributes"]["subscriptions"]["email"]["marketing"]["consent_timestamp"] or "T")[10:11] for one in found}
        assert spelled >= {" ", "T"}
        phones = {(one["attributes"]["phone_number"] or " ")[0] for one in found}
        assert phones == {"+", "(", " "}

    def test_a_sparse_fieldset_leaves_the_rest_out(self, place: Place) -> None:
        asked = "email,location.city,subscriptions.email.marketing.consent"
        one = place.get("/api/profiles", **{"fields[profile]": asked, "page[size]": 1})["data"][0]
        assert set(one) == {"type", "id", "attributes", "links"}
        assert set(one["attributes"]) == {"email", "location", "subscriptions"}
        assert set(one["attributes"]["location"]) == {"city"}
        assert set(one["attributes"]["subscriptions"]["email"]["marketing"]) == {"consent"}

    def test_suppressions_are_found_by_their_own_time_because_updated_does_not_move(self, place: Place) -> None:
        email = place.emails("SUBSCRIBED")[0]
        profile = place.id_of(email)
        before = place.get(f"/api/profiles/{profile}")["data"]["attributes"]["updated"]
        place.act("withdraw", email=email)
        place.clock.advance(60)
        after = place.get(f"/api/profiles/{profile}")["data"]["attributes"]["updated"]
        found = place.get("/api/profiles", filter=f"greater-or-equal({SUPPRESSED_AT},{iso(NOW)})", sort=SUPPRESSED_AT)
        assert (after, [one["id"] for one in found["data"]]) == (before, [profile])

    def test_updated_moves_with_consent_by_switch(self, place: Place) -> None:
        place.act("switch", name="updated_on_consent", value=1)
        email = place.emails("SUBSCRIBED")[0]
        place.act("withdraw", email=email)
        place.clock.advance(60)
        found = place.get("/api/profiles", filter=f"greater-than(updated,{iso(NOW - SECOND)})")
        assert [one["attributes"]["email"] for one in found["data"]] == [email]

    def test_filters_by_identifier_take_one_or_any(self, place: Place) -> None:
        one, two = place.emails()[:2]
        both = place.get("/api/profiles", filter=f'any(email,["{one}","{two.upper()}","nobody@shop.example"])')["data"]
        assert {profile["attributes"]["email"] for profile in both} == {one, two}
        ids = ",".join(f"'{profile['id']}'" for profile in both)
        assert len(place.get("/api/profiles", filter=f"any(id,[{ids}])")["data"]) == 2
        assert place.get("/api/profiles", filter=f"equals(email,'{one}'),equals(id,'x')")["data"] == []

    def test_updated_takes_strict_bounds_only(self, place: Place) -> None:
        middle = sorted(one["attributes"]["updated"] for one in place.all("/api/profiles", **{"page[size]": 100}))[100]
        text = middle.replace("+00:00", "Z")
        above = place.all("/api/profiles", **{"filter": f"greater-than(updated,{text})", "sort": "updated", "page[size]": 100})
        below = place.all("/api/profiles", **{"filter": f"and(less-than(updated,{text}))", "page[size]": 100})
        assert all(one["attributes"]["updated"] > middle for one in above)
        assert all(one["attributes"]["updated"] < middle for one in below)
        assert len(above) + len(below) < place.application.rows("profiles").num_rows
        for operator in ("greater-or-equal", "less-or-equal", "equals"):
            place.refused(400, "/api/profiles", filter=f"{operator}(updated,{text})")

    @pytest.mark.parametrize("text", [
        'greater-than(updated,"2026-01-01T00:00:00Z")', "equals(email,p0000001@shop.example)", "equals(email)", "any(email,'x')",
        "or(equals(email,'x'))", "equals(email,'x'", "equals(email,'x'))", "equals(first_name,'x')", "greater-than(updated,soon)",
        "greater-than(updated,2026-01-01T00:00:00 00:00)", "equals(email,'x') equals(id,'y')", "§",
    ])
    def test_what_is_not_in_the_grammar_is_400(self, place: Place, text: str) -> None:
        assert place.refused(400, "/api/profiles", filter=text)["source"] == {"parameter": "filter"}

    @pytest.mark.parametrize("ahead", [-4 * SECOND, 0, DAY])
    def test_a_bound_in_the_future_or_within_seconds_of_now_is_400(self, place: Place, ahead: int) -> None:
        place.refused(400, "/api/profiles", filter=f"less-than(updated,{iso(NOW + ahead)})")
        place.get("/api/profiles", filter=f"less-than(updated,{iso(NOW - 10 * SECOND)})")

    def test_an_address_can_change_and_the_profile_stays(self, place: Place) -> None:
        email = place.emails()[0]
        profile = place.id_of(email)
        place.act("change_email", email=email, to="moved@shop.example")
        assert place.id_of("moved@shop.example") == profile
        assert place.get("/api/profiles", filter=f'equals(email,"{email}")')["data"] == []
        people = {row["id"]: row["person"] for row in place.application.rows("profiles").to_pylist()}
        assert people[profile] >= 0

    def test_an_erased_profile_vanishes_with_its_events(self, place: Place) -> None:
        email = place.emails("SUBSCRIBED")[0]
        profile = place.id_of(email)
        place.act("erase", email=email)
        place.refused(404, f"/api/profiles/{profile}")
        assert place.get("/api/events", filter=f'equals(profile_id,"{profile}")')["data"] == []
        assert profile not in place.application.rows("members")["profile"].to_pylist()

    def test_a_consent_that_nobody_knows_is_served_as_it_is(self, place: Place) -> None:
        email = place.emails()[0]
        place.act("unreadable", email=email)
        found = place.get("/api/profiles", **{"filter": f'equals(email,"{email}")', SUBSCRIPTIONS: "subscriptions"})["data"][0]
        assert found["attributes"]["subscriptions"]["email"]["marketing"]["consent"] not in (
            "SUBSCRIBED", "UNSUBSCRIBED", "NEVER_SUBSCRIBED")


class TestLimits(OnKlaviyo):
    def test_headers_tell_the_steady_window(self, place: Place) -> None:
        headers = place.client.get("/api/lists").headers
        assert (headers["RateLimit-Limit"], headers["RateLimit-Remaining"]) == ("750", "749")
        assert 0 < int(headers["RateLimit-Reset"]) <= 60
        assert "Retry-After" not in headers

    def test_bursts_end_in_429_with_retry_after_instead_and_pass_in_the_next_second(self, place: Place) -> None:
        place.clock.set(NOW - NOW % MINUTE)
        answers = [place.client.get("/api/metrics") for _ in range(11)]
        assert [answer.status_code for answer in answers] == [200] * 10 + [429]
        assert answers[-1].headers["Retry-After"] == "1"
        assert not [name for name in answers[-1].headers if name.startswith("ratelimit")]
        assert answers[-1].json()["errors"][0]["code"] == "throttled"
        place.clock.advance(1)
        assert place.client.get("/api/metrics").status_code == 200

    def test_the_minute_has_its_own_bound(self, place: Place) -> None:
        place.clock.set(NOW - NOW % MINUTE)
        for _ in range(15):
            place.get("/api/accounts")
            place.clock.advance(1)
        answer = place.client.get("/api/accounts")
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "45")
        place.clock.advance(45)
        place.get("/api/accounts")

    def test_each_endpoint_has_its_own_windows_and_all_keys_share_them(self, place: Place) -> None:
        place.get("/api/accounts")
        other = place.client.get("/api/accounts", headers={"Authorization": "Klaviyo-API-Key pk_sandbox_connector"})
        assert other.status_code == 429
        place.get("/api/lists")

    def test_some_parameters_are_stricter_wherever_they_are_used(self, place: Place) -> None:
        ids = [place.id_of(email) for email in place.emails()[:2]]
        assert place.client.get(f"/api/profiles/{ids[0]}", params={"include": "lists"}).headers["RateLimit-Limit"] == "15"
        place.refused(429, f"/api/profiles/{ids[1]}", include="segments")
        place.get(f"/api/profiles/{ids[1]}")
        predicted = place.client.get("/api/profiles", params={SUBSCRIPTIONS: "predictive_analytics"})
        assert predicted.headers["RateLimit-Limit"] == "150"

    def test_limits_can_be_put_off_to_measure_loading(self, place: Place) -> None:
        place.act("limits", off=True)
        assert {place.client.get("/api/accounts").status_code for _ in range(5)} == {200}


class TestWeather(OnKlaviyo):
    @pytest.mark.parametrize(("kind", "status"), [("401", 401), ("403", 403), ("429", 429), ("500", 500), ("502", 502), ("503", 503)])
    def test_faults_look_as_the_vendors(self, place: Place, kind: str, status: int) -> None:
        place.sandbox.sky.order("klaviyo", kind)
        answer = place.client.get("/api/lists")
        assert answer.status_code == status
        assert ("Retry-After" in answer.headers) == (kind == "429")
        place.get("/api/lists")

    def test_the_edge_challenges_with_html(self, place: Place) -> None:
        place.sandbox.sky.order("klaviyo", "html403")
        answer = place.client.get("/api/lists")
        assert (answer.status_code, answer.headers["cf-mitigated"]) == (403, "challenge")
        assert answer.headers["Content-Type"].startswith("text/html")

    def test_a_connection_can_drop_after_the_effect(self, place: Place) -> None:
        target = place.list_id("buyers")
        profile = place.id_of(place.emails()[0])
        place.sandbox.sky.order("klaviyo", "drop_after", match="POST /api/lists")
        with pytest.raises(httpx.TransportError):
            place.change("POST", target, [profile])
        assert place.members(target) == {profile}

    def test_an_unknown_deed_is_refused_with_the_list(self, place: Place) -> None:
        with pytest.raises(ValueError, match=r"add_by_hand.*withdraw"):
            place.act("archive", email="p0000001@shop.example")

    def test_the_same_world_has_the_same_ids(self, place: Place, world: World) -> None:
        before = {table: place.application.rows(table) for table in ("profiles", "events", "members")}
        place.application.load(world)
        for table, rows in before.items():
            assert place.application.rows(table).equals(rows)


class TestStrangers(OnKlaviyo):
    """What Airbyte's source asks, as it asks it: a retired revision, plain JSON, offsets without a colon, bounds up to now."""

    @pytest.mark.parametrize(("path", "query"), [
        ("profiles", {SUBSCRIPTIONS: "subscriptions,predictive_analytics", "filter": "greater-than(updated,2012-01-01T00:00:00+0000)",
                      "sort": "updated", "page[size]": "100"}),
        ("events", {"fields[event]": "event_properties,timestamp,uuid,datetime", "fields[metric]": "name,created,updated,integration",
                    "include": "metric,attributions", "sort": "datetime",
                    "filter": "greater-or-equal(datetime,2026-01-01T00:00:00+0000),less-than(datetime,2026-06-01T00:00:00+0000)"}),
        ("campaigns", {"sort": "updated_at", "filter": "and(greater-or-equal(updated_at,2012-01-01T00:00:00+0000),less-or-equal("
                       "updated_at,2026-11-18T11:06:40+0000),equals(messages.channel,'sms'),equals(archived,true))"}),
        ("flows", {"sort": "updated", "filter": "and(greater-or-equal(updated,2012-01-01T00:00:00+0000),less-or-equal("
                   "updated,2026-11-18T11:06:40+0000),equals(archived,false))"}),
        ("templates", {"sort": "updated", "filter": "greater-than(updated,2012-01-01T00:00:00+0000)"}),
        ("metrics", {}), ("lists", {}),
    ])
    def test_their_reads_are_answered(self, place: Place, path: str, query: dict[str, str]) -> None:
        headers = {"Accept": "application/json", "Revision": "2024-10-15"}
        assert place.client.get(f"/api/{path}", params=query, headers=headers).status_code == 200

    def test_how_near_to_now_a_bound_may_be_is_a_switch(self, place: Place) -> None:
        bound = f"less-than(datetime,{iso(NOW)})"
        place.refused(400, "/api/events", filter=bound)
        place.act("switch", name="bound_margin", value=0)
        place.get("/api/events", filter=bound)
