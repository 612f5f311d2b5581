"""The emulated Klaviyo: writing profiles and lists, and what jobs do."""

from __future__ import annotations

from typing import Any

import httpx

from connectors.clock import MINUTE, SECOND
from connectors.klaviyo.sandbox.people import iso
from tests.sandbox.klaviyo_place import (
    NOW,
    SUBSCRIBE,
    SUBSCRIPTIONS,
    UNSUBSCRIBE,
    OnKlaviyo,
    Place,
    consent_body,
)


class TestWritingProfiles(OnKlaviyo):
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


class TestLists(OnKlaviyo):
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


class TestJobs(OnKlaviyo):
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
