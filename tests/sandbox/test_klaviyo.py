"""The emulated Klaviyo, behaviour by behaviour, over real sockets with the tester's key."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from connectors.clock import DAY, MINUTE, SECOND, VirtualClock
from connectors.klaviyo.sandbox.application import KlaviyoSandbox
from connectors.klaviyo.sandbox.people import iso
from connectors.sandbox.server import Sandbox
from connectors.sandbox.world import World, random_world

NOW = 1_795_000_000_000         # 2026-11-18T11:06:40Z
SUBSCRIPTIONS = "additional-fields[profile]"
SUPPRESSED_AT = "subscriptions.email.marketing.suppression.timestamp"


@dataclass
class Place:
    """A running sandbox and a client with the tester's key."""

    sandbox: Sandbox
    application: KlaviyoSandbox
    client: httpx.Client
    clock: VirtualClock

    def get(self, path: str, **query: Any) -> Any:
        answer = self.client.get(path, params=query or None)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refused(self, status: int, path: str, **query: Any) -> dict[str, Any]:
        answer = self.client.get(path, params=query or None)
        assert answer.status_code == status, answer.text
        error: dict[str, Any] = answer.json()["errors"][0]
        return error

    def send(self, method: str, path: str, body: Any) -> httpx.Response:
        return self.client.request(method, path, json=body, headers={"Content-Type": "application/vnd.api+json"})

    def all(self, path: str, **query: Any) -> list[Any]:
        """Every resource, following `next`; the clock moves on so that limits do not stand in the way."""
        found, page = [], self.get(path, **query)
        while True:
            found += page["data"]
            following = page["links"].get("next")
            if not following:
                return found
            self.clock.advance(0.02)
            page = self.get(following)

    def act(self, deed: str, **values: Any) -> Any:
        return self.application.act(deed, **values)

    def emails(self, state: str = "NEVER_SUBSCRIBED") -> list[str]:
        rows = self.application.rows("profiles").to_pylist()
        return [row["email"] for row in rows if row["state"] == state and not row["barred"]]

    def id_of(self, email: str) -> str:
        found: str = self.get("/api/profiles", filter=f'equals(email,"{email}")')["data"][0]["id"]
        return found

    def list_id(self, name: str) -> str:
        made = self.send("POST", "/api/lists", {"data": {"type": "list", "attributes": {"name": name}}})
        assert made.status_code == 201, made.text
        identity: str = made.json()["data"]["id"]
        return identity

    def change(self, method: str, target: str, ids: list[str]) -> httpx.Response:
        body = {"data": [{"type": "profile", "id": one} for one in ids]}
        return self.send(method, f"/api/lists/{target}/relationships/profiles", body)

    def members(self, target: str) -> set[str]:
        return {one["id"] for one in self.all(f"/api/lists/{target}/relationships/profiles")}


@pytest.fixture(scope="module")
def world() -> World:
    return random_world(3, 400, 4000, NOW)


@pytest.fixture
def place(world: World) -> Iterator[Place]:
    clock = VirtualClock(NOW)
    with Sandbox(clock, platforms=("klaviyo",)) as sandbox:
        application = sandbox.applications["klaviyo"]
        assert isinstance(application, KlaviyoSandbox)
        application.load(world)
        headers = {"Authorization": "Klaviyo-API-Key pk_sandbox_tester", "revision": "2026-07-15"}
        with httpx.Client(base_url=sandbox.urls["klaviyo"], headers=headers, trust_env=False, verify=False) as client:
            yield Place(sandbox, application, client, clock)


def event_body(email: str, unique_id: str | None = None, metric: str = "Placed Order", **more: Any) -> dict[str, Any]:
    attributes = {
        "properties": {"OrderId": unique_id, "Nothing": 0, "Empty": ""}, "value": 12.5, "value_currency": "USD",
        "metric": {"data": {"type": "metric", "attributes": {"name": metric}}},
        "profile": {"data": {"type": "profile", "attributes": {"email": email}}}, **more,
    }
    return {"data": {"type": "event", "attributes": attributes | ({"unique_id": unique_id} if unique_id else {})}}


def consent_body(kind: str, profiles: list[dict[str, Any]], target: str = "", **more: Any) -> dict[str, Any]:
    data = {"type": kind, "attributes": {"profiles": {"data": [{"type": "profile", "attributes": one} for one in profiles]}, **more}}
    return {"data": data | ({"relationships": {"list": {"data": {"type": "list", "id": target}}}} if target else {})}


SUBSCRIBE = {"email": {"marketing": {"consent": "SUBSCRIBED"}}}
UNSUBSCRIBE = {"email": {"marketing": {"consent": "UNSUBSCRIBED"}}}


class TestKeyAndRevision:
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


class TestDocuments:
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


class TestProfiles:
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


class TestWritingProfiles:
    def test_import_creates_with_201_and_updates_with_200(self, place: Place) -> None:
        body = {"data": {"type": "profile", "attributes": {"email": "new@shop.example", "title": "Dr", "properties": {"a": 1, "b": 2}}}}
        made = place.send("POST", "/api/profile-import", body)
        body["data"]["attributes"] = {"email": "NEW@shop.example", "title": None, "properties": {"b": None, "c": 3}}
        again = place.send("POST", "/api/profile-import", body)
        assert (made.status_code, again.status_code) == (201, 200)
        assert made.json()["data"]["id"] == again.json()["data"]["id"]
        attributes = again.json()["data"]["attributes"]
        assert (attributes["title"], attributes["properties"]) == (None, {"a": 1, "c": 3})

    def test_patch_properties_append_take_away_and_unset(self, place: Place) -> None:
        attributes = {"email": "new@shop.example", "properties": {"tags": ["a", "b"], "old": 1}}
        place.send("POST", "/api/profile-import", {"data": {"type": "profile", "attributes": attributes}})
        patch = {"append": {"tags": ["b", "c"]}, "unappend": {"tags": "a"}, "unset": "old"}
        body = {"data": {"type": "profile", "attributes": {"email": "new@shop.example"}, "meta": {"patch_properties": patch}}}
        answer = place.send("POST", "/api/profile-import", body)
        assert answer.json()["data"]["attributes"]["properties"] == {"tags": ["b", "c"]}

    def test_creating_an_address_that_exists_is_409_and_names_the_other(self, place: Place) -> None:
        email = place.emails()[0]
        answer = place.send("POST", "/api/profiles", {"data": {"type": "profile", "attributes": {"email": email}}})
        assert answer.status_code == 409
        assert answer.json()["errors"][0]["meta"] == {"duplicate_profile_id": place.id_of(email)}

    def test_identifiers_of_two_people_are_409_on_create_update_and_import(self, place: Place) -> None:
        first, second = place.emails()[:2]
        body = {"data": {"type": "profile", "attributes": {"email": first, "external_id": "crm-1"}}}
        assert place.send("POST", "/api/profile-import", body).status_code == 200
        body["data"]["attributes"]["email"] = second
        answers = [place.send("POST", "/api/profiles", body), place.send("POST", "/api/profile-import", body)]
        identity = place.id_of(second)
        changed = {"data": {"type": "profile", "id": identity, "attributes": {"external_id": "crm-1"}}}
        answers.append(place.send("PATCH", f"/api/profiles/{identity}", changed))
        assert [answer.status_code for answer in answers] == [409, 409, 409]
        assert answers[2].json()["errors"][0]["code"] == "duplicate_profile"

    def test_a_bad_phone_beside_an_address_is_dropped_and_a_header_says_so(self, place: Place) -> None:
        attributes = {"email": "new@shop.example", "phone_number": "555-0100"}
        answer = place.send("POST", "/api/profile-import", {"data": {"type": "profile", "attributes": attributes}})
        assert (answer.status_code, answer.headers["X-Klaviyo-Partial-Failure"]) == (201, "phone_number")
        assert answer.json()["data"]["attributes"]["phone_number"] is None
        alone = {"data": {"type": "profile", "attributes": {"phone_number": "555-0100"}}}
        assert place.send("POST", "/api/profile-import", alone).status_code == 400

    def test_a_bad_address_is_400_with_its_place(self, place: Place) -> None:
        answer = place.send("POST", "/api/profiles", {"data": {"type": "profile", "attributes": {"email": "nowhere"}}})
        assert answer.json()["errors"][0]["source"] == {"pointer": "/data/attributes/email"}

    def test_a_profile_over_its_size_is_413(self, place: Place) -> None:
        attributes = {"email": "new@shop.example", "properties": {"x": "x" * 100_000}}
        assert place.send("POST", "/api/profile-import", {"data": {"type": "profile", "attributes": attributes}}).status_code == 413

    def test_merging_takes_its_time_and_then_the_old_id_is_404_and_its_facts_are_the_winners(self, place: Place) -> None:
        winner, loser = place.emails("SUBSCRIBED")[:2]
        ids = place.id_of(winner), place.id_of(loser)
        each = [len(place.all("/api/events", filter=f'equals(profile_id,"{one}")')) for one in ids]
        body = {"data": {"type": "profile-merge", "id": ids[0], "relationships": {"profiles": {"data": [
            {"type": "profile", "id": ids[1]}]}}}}
        assert place.send("POST", "/api/profile-merge", body).status_code == 201
        place.get(f"/api/profiles/{ids[1]}")
        place.clock.advance(3)
        place.refused(404, f"/api/profiles/{ids[1]}")
        assert len(place.all("/api/events", filter=f'equals(profile_id,"{ids[0]}")')) == sum(each)
        assert place.get("/api/profiles", filter=f'equals(email,"{loser}")')["data"] == []
        assert place.send("POST", "/api/profile-merge", body).status_code == 404

    def test_a_merge_by_the_platform_itself_is_at_once(self, place: Place) -> None:
        winner, loser = place.emails()[:2]
        ids = place.act("merge", winner=winner, loser=loser)
        place.refused(404, f"/api/profiles/{ids['loser']}")


class TestLists:
    def test_a_list_is_found_by_its_name_and_names_need_not_be_unique(self, place: Place) -> None:
        ids = {place.list_id("vip, very"), place.list_id("vip, very")}
        found = place.get("/api/lists", filter='equals(name,"vip, very")')["data"]
        assert {one["id"] for one in found} == ids
        assert place.get("/api/lists", filter='equals(name,["vip"])')["data"] == []

    def test_lists_come_ten_to_a_page(self, place: Place) -> None:
        for number in range(10):
            place.act("create_target", name=f"list {number:02d}")
        assert len(place.get("/api/lists")["data"]) == 10
        names = [one["attributes"]["name"] for one in place.all("/api/lists", sort="name")]
        assert (len(names), names) == (11, sorted(names))

    def test_only_150_lists_may_be_created_in_a_day(self, place: Place) -> None:
        for number in range(150):
            place.list_id(f"list {number}")
            place.clock.advance(1)
        answer = place.send("POST", "/api/lists", {"data": {"type": "list", "attributes": {"name": "one more"}}})
        assert answer.status_code == 429
        assert int(answer.headers["Retry-After"]) > 3600

    def test_adding_and_removing_is_204_and_repeatable(self, place: Place) -> None:
        target = place.list_id("buyers")
        ids = [place.id_of(email) for email in place.emails()[:3]]
        for method, left in (("POST", set(ids)), ("POST", set(ids)), ("DELETE", {ids[2]}), ("DELETE", {ids[2]})):
            answer = place.change(method, target, ids if method == "POST" else ids[:2])
            assert (answer.status_code, answer.content) == (204, b"")
            assert place.members(target) == left

    def test_a_thousand_at_once_and_not_one_more(self, place: Place) -> None:
        target = place.list_id("buyers")
        known = place.application.rows("profiles")["id"].to_pylist()
        body = (known * 4)[:1001]
        assert place.change("POST", target, body).status_code == 400
        assert place.change("POST", target, body[:1000]).status_code == 204
        assert place.change("POST", target, []).status_code == 400

    def test_one_stale_id_refuses_the_whole_batch(self, place: Place) -> None:
        target = place.list_id("buyers")
        good, gone = place.emails()[:2]
        ids = [place.id_of(good), place.id_of(gone)]
        place.act("erase", email=gone)
        assert place.change("POST", target, ids).status_code == 404
        assert place.members(target) == set()
        assert place.change("POST", "NoList", ids[:1]).status_code == 404

    def test_adding_changes_no_consent(self, place: Place) -> None:
        target = place.list_id("buyers")
        before = place.application.rows("profiles").to_pylist()
        place.change("POST", target, [row["id"] for row in before])
        assert place.application.rows("profiles").to_pylist() == before

    def test_the_cheap_read_gives_ids_and_since_when_alone(self, place: Place) -> None:
        target = place.list_id("buyers")
        place.change("POST", target, [place.id_of(place.emails()[0])])
        query = {"fields[profile]": "joined_group_at", "sort": "-joined_group_at", "page[size]": 100}
        one = place.get(f"/api/lists/{target}/profiles", **query)["data"][0]
        assert one["attributes"] == {"joined_group_at": iso(NOW)}

    def test_joining_again_shows_by_its_time_and_leaving_leaves_no_trace(self, place: Place) -> None:
        target = place.list_id("buyers")
        ids = [place.id_of(email) for email in place.emails()[:2]]
        place.change("POST", target, ids)
        place.clock.advance(100)
        place.change("DELETE", target, ids[:1])
        joined = f"greater-or-equal(joined_group_at,{iso(NOW)})"
        assert [one["id"] for one in place.get(f"/api/lists/{target}/profiles", filter=joined)["data"]] == ids[1:]
        place.clock.advance(100)
        place.change("POST", target, ids)
        place.clock.advance(10)
        found = place.get(f"/api/lists/{target}/profiles", filter=f"greater-than(joined_group_at,{iso(NOW + MINUTE)})")
        assert [one["id"] for one in found["data"]] == ids[:1]

    def test_a_change_is_seen_when_its_lag_is_over_and_known_to_the_control_endpoint_at_once(self, place: Place) -> None:
        place.sandbox.sky.lags["members"] = 20 * SECOND
        target = place.list_id("buyers")
        profile = place.id_of(place.emails()[0])
        place.change("POST", target, [profile])
        assert place.members(target) == set()
        assert ("buyers", profile) in [(row["name"], row["profile"]) for row in place.application.rows("members").to_pylist()]
        place.clock.advance(20)
        assert place.members(target) == {profile}
        place.change("DELETE", target, [profile])
        place.change("POST", target, [profile])
        place.clock.advance(20)
        assert place.members(target) == {profile}

    def test_paging_through_members_survives_removals(self, place: Place) -> None:
        newsletter = place.get("/api/lists")["data"][0]["id"]
        everybody = place.members(newsletter)
        first = place.get(f"/api/lists/{newsletter}/relationships/profiles", **{"page[size]": 20})
        gone = [one["id"] for one in first["data"]]
        place.change("DELETE", newsletter, gone)
        rest = {one["id"] for one in place.all(first["links"]["next"])}
        assert rest == everybody - set(gone)

    def test_people_add_and_remove_by_hand(self, place: Place) -> None:
        email = place.emails()[0]
        place.act("create_target", name="by hand")
        target = place.get("/api/lists", filter='equals(name,"by hand")')["data"][0]["id"]
        place.act("add_by_hand", email=email, target="by hand")
        assert place.members(target) == {place.id_of(email)}
        assert [one["id"] for one in place.get(f"/api/profiles/{place.id_of(email)}/relationships/lists")["data"]] == [target]
        place.act("remove_by_hand", email=email, target="by hand")
        assert place.members(target) == set()
        place.act("delete_target", name="by hand")
        place.refused(404, f"/api/lists/{target}/profiles")

    def test_a_list_can_be_renamed_counted_tagged_and_deleted(self, place: Place) -> None:
        target = place.list_id("buyers")
        body = {"data": {"type": "list", "id": target, "attributes": {"name": "recent buyers"}}}
        assert place.send("PATCH", f"/api/lists/{target}", body).json()["data"]["attributes"]["name"] == "recent buyers"
        place.change("POST", target, [place.id_of(place.emails()[0])])
        counted = place.get(f"/api/lists/{target}", **{"additional-fields[list]": "profile_count"})
        assert counted["data"]["attributes"]["profile_count"] == 1
        tag = place.get("/api/tags")["data"][0]["id"]
        tagged = place.send("POST", f"/api/tags/{tag}/relationships/lists", {"data": [{"type": "list", "id": target}]})
        assert tagged.status_code == 204
        assert [one["id"] for one in place.get(f"/api/lists/{target}", include="tags")["included"]] == [tag]
        assert place.client.delete(f"/api/lists/{target}").status_code == 204
        place.refused(404, f"/api/lists/{target}")

    def test_a_flow_that_starts_on_joining_is_told(self, place: Place) -> None:
        target = place.list_id("buyers")
        assert place.get(f"/api/lists/{target}/flow-triggers")["data"] == []
        place.act("create_flow", target="buyers", name="Welcome")
        assert place.get(f"/api/lists/{target}/flow-triggers")["data"][0]["attributes"]["name"] == "Welcome"

    def test_a_segment_is_read_like_a_list_and_written_by_nobody(self, place: Place) -> None:
        segment = place.get("/api/segments")["data"][0]
        members = place.all(f"/api/segments/{segment['id']}/profiles", **{"page[size]": 100})
        assert {one["attributes"]["email"] for one in members} >= set(place.emails("SUBSCRIBED"))
        body = {"data": [{"type": "profile", "id": members[0]["id"]}]}
        assert place.send("POST", f"/api/segments/{segment['id']}/relationships/profiles", body).status_code == 405


class TestEvents:
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


class TestJobs:
    def bulk(self, place: Place, profiles: list[dict[str, Any]], target: str = "") -> httpx.Response:
        data: dict[str, Any] = {"type": "profile-bulk-import-job", "attributes": {
            "profiles": {"data": [{"type": "profile", "attributes": one} for one in profiles]}}}
        if target:
            data["relationships"] = {"lists": {"data": [{"type": "list", "id": target}]}}
        return place.send("POST", "/api/profile-bulk-import-jobs", {"data": data})

    def test_one_bad_address_refuses_the_whole_import_and_is_pointed_at(self, place: Place) -> None:
        answer = self.bulk(place, [{"email": "new@shop.example"}, {"email": "bad"}])
        assert answer.json()["errors"][0]["source"] == {"pointer": "/data/attributes/profiles/data/1/attributes/email"}
        place.clock.advance(60)
        assert place.get("/api/profiles", filter='equals(email,"new@shop.example")')["data"] == []

    def test_an_import_is_queued_processed_and_complete_and_tells_what_failed(self, place: Place) -> None:
        place.sandbox.sky.lags["jobs"] = 30 * SECOND
        first, second = place.emails()[:2]
        place.send("POST", "/api/profile-import", {"data": {"type": "profile", "attributes": {"email": first, "external_id": "crm-1"}}})
        target = place.list_id("imported")
        answer = self.bulk(place, [{"email": "new@shop.example"}, {"email": second, "external_id": "crm-1"}], target)
        assert answer.status_code == 202
        job = f"/api/profile-bulk-import-jobs/{answer.json()['data']['id']}"
        states = []
        for seconds in (0, 15, 15):
            place.clock.advance(seconds)
            states.append(place.get(job)["data"]["attributes"]["status"])
        assert states == ["queued", "processing", "complete"]
        counts = place.get(job)["data"]["attributes"]
        assert (counts["completed_count"], counts["failed_count"]) == (1, 1)
        failed = place.get(f"{job}/import-errors")["data"]
        assert [one["attributes"]["original_payload"]["email"] for one in failed] == [second]
        made = place.id_of("new@shop.example")
        assert [one["id"] for one in place.get(f"{job}/relationships/profiles")["data"]] == [made]
        assert place.members(target) == {made}
        assert len(place.get("/api/profile-bulk-import-jobs", filter='equals(status,"complete")')["data"]) == 1

    def test_ten_thousand_and_one_profiles_are_too_many(self, place: Place) -> None:
        assert self.bulk(place, [{"external_id": str(n)} for n in range(10_001)]).status_code == 400

    def test_subscribing_grants_lifts_and_puts_on_the_list(self, place: Place) -> None:
        email = next(row["email"] for row in place.application.rows("profiles").to_pylist() if row["state"] == "UNSUBSCRIBED")
        target = place.act("create_target", name="news")["id"]
        place.application.lists.by_id[target].opt_in = "single_opt_in"
        body = consent_body("profile-subscription-bulk-create-job", [{"email": email, "subscriptions": SUBSCRIBE}], target)
        answer = place.send("POST", "/api/profile-subscription-bulk-create-jobs", body)
        assert (answer.status_code, answer.content) == (202, b"")
        assert email not in place.emails("SUBSCRIBED")
        place.clock.advance(2)
        assert email in place.emails("SUBSCRIBED")
        assert place.members(target) == {place.id_of(email)}
        assert place.application.rows("events").to_pylist()[-1]["native"] == "Subscribed to Email Marketing"

    def test_subscribing_to_a_double_opt_in_list_changes_nothing_yet(self, place: Place) -> None:
        email = place.emails()[0]
        body = consent_body("profile-subscription-bulk-create-job", [{"email": email, "subscriptions": SUBSCRIBE}], place.list_id("news"))
        place.send("POST", "/api/profile-subscription-bulk-create-jobs", body)
        place.clock.advance(60)
        assert email in place.emails("NEVER_SUBSCRIBED")

    def test_consented_at_goes_with_a_historical_import_only(self, place: Place) -> None:
        at = "/api/profile-subscription-bulk-create-jobs"
        dated = {"email": {"marketing": {"consent": "SUBSCRIBED", "consented_at": "2025-05-01T10:00:00Z"}}}
        for subscriptions, historical, status in ((dated, False, 400), (SUBSCRIBE, True, 400), (dated, True, 202)):
            profile = {"email": place.emails()[0], "subscriptions": subscriptions}
            body = consent_body("profile-subscription-bulk-create-job", [profile], historical_import=historical)
            assert place.send("POST", at, body).status_code == status
        sms = {"email": place.emails()[0], "subscriptions": {"sms": {"marketing": {"consent": "SUBSCRIBED"}}}}
        answer = place.send("POST", at, consent_body("profile-subscription-bulk-create-job", [sms]))
        assert answer.json()["errors"][0]["source"]["pointer"].endswith("/0/attributes/phone_number")

    def test_unsubscribing_from_a_list_is_global_for_who_is_not_on_it(self, place: Place) -> None:
        member, other = place.emails("SUBSCRIBED")[:2]
        target = place.list_id("news")
        place.change("POST", target, [place.id_of(member)])
        profiles = [{"email": email, "subscriptions": UNSUBSCRIBE} for email in (member, other)]
        body = consent_body("profile-subscription-bulk-delete-job", profiles, target)
        assert place.send("POST", "/api/profile-subscription-bulk-delete-jobs", body).status_code == 202
        place.clock.advance(2)
        assert member in place.emails("SUBSCRIBED")
        assert other not in place.emails("SUBSCRIBED")
        assert place.members(target) == set()
        found = place.get("/api/profiles", **{
            "filter": f"equals(subscriptions.email.marketing.list_suppressions.list_id,'{target}')", SUBSCRIPTIONS: "subscriptions"})
        assert [one["attributes"]["email"] for one in found["data"]] == [member]

    def test_suppression_by_hand_is_a_job_and_lifting_lifts_nothing_else(self, place: Place) -> None:
        free = place.emails()[0]
        gone = next(row["email"] for row in place.application.rows("profiles").to_pylist() if row["state"] == "UNSUBSCRIBED")
        emails = [{"email": email} for email in (free, gone, "nobody@shop.example")]
        for word, counts in (("create", (2, 1)), ("delete", (2, 1))):
            kind = f"profile-suppression-bulk-{word}-job"
            answer = place.send("POST", f"/api/{kind}s", consent_body(kind, emails))
            assert answer.status_code == 202
            place.clock.advance(2)
            told = place.get(f"/api/{kind}s/{answer.json()['data']['id']}")["data"]["attributes"]
            assert (told["status"], told["completed_count"], told["skipped_count"]) == ("complete", *counts)
            barred = {row["email"] for row in place.application.rows("profiles").to_pylist() if row["barred"]}
            assert (free in barred) == (word == "create")
            assert gone in barred
        too_many = consent_body("profile-suppression-bulk-create-job", [{"email": f"x{n}@shop.example"} for n in range(101)])
        assert place.send("POST", "/api/profile-suppression-bulk-create-jobs", too_many).status_code == 400

    def test_a_deletion_request_erases_later(self, place: Place) -> None:
        email = place.emails()[0]
        profile = {"data": {"type": "profile", "attributes": {"email": email}}}
        body = {"data": {"type": "data-privacy-deletion-job", "attributes": {"profile": profile}}}
        assert place.send("POST", "/api/data-privacy-deletion-jobs", body).status_code == 202
        place.clock.advance(2)
        assert place.get("/api/profiles", filter=f'equals(email,"{email}")')["data"] == []

    def test_calls_that_could_change_consent_are_counted_and_list_changes_are_not(self, place: Place) -> None:
        target = place.list_id("buyers")
        place.change("POST", target, [place.id_of(place.emails()[0])])
        tally = place.application.tallies["tester"]
        assert tally.consent == 0
        body = consent_body("profile-subscription-bulk-delete-job", [{"email": place.emails()[0], "subscriptions": UNSUBSCRIBE}])
        place.send("POST", "/api/profile-subscription-bulk-delete-jobs", body)
        place.send("POST", "/api/profile-suppression-bulk-create-jobs", {})
        assert tally.consent == 2


class TestLimits:
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


class TestWeather:
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


class TestCampaigns:
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


class TestStrangers:
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
