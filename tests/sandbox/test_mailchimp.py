"""The emulated Mailchimp behaves as the vendor says, one behaviour at a time, over real sockets."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import pytest

from connectors.clock import HOUR, MINUTE, SECOND, VirtualClock, instant
from connectors.sandbox.control import Controls
from connectors.sandbox.keys import KEYS
from connectors.sandbox.server import Application, Sandbox
from connectors.sandbox.world import World, random_world

NOW = 1_700_000_000_000
WORLD = random_world(11, 240, 3000, NOW)
STORE = "/ecommerce/stores/sandbox-shop"


@dataclass
class Shop:
    """The sandbox, a tester's client and the audience that holds everybody."""

    sandbox: Sandbox
    client: httpx.Client
    list_id: str = ""
    second: str = ""

    @property
    def app(self) -> Any:
        return self.sandbox.applications["mailchimp"]

    @property
    def clock(self) -> VirtualClock:
        return self.sandbox.virtual()

    def call(self, method: str, path: str, body: object = None, **headers: str) -> httpx.Response:
        return self.client.request(method, f"/3.0{path}", json=body, headers=headers)

    def get(self, path: str, **params: Any) -> Any:
        answer = self.client.get(f"/3.0{path}", params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: object) -> Any:
        answer = self.call("POST", path, body)
        assert answer.status_code in (200, 204), answer.text
        return answer.json() if answer.content else None

    def members(self, **params: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get(f"/lists/{self.list_id}/members", **{"count": 1000, **params})["members"]
        return found

    def some(self, status: str, count: int = 1) -> list[dict[str, Any]]:
        found = self.members(status=status)[:count]
        assert len(found) == count
        return found

    def path(self, member: dict[str, Any]) -> str:
        return f"/lists/{self.list_id}/members/{member['id']}"

    def tag(self, name: str, *addresses: str) -> int:
        return int(self.post(f"/lists/{self.list_id}/segments", {"name": name, "static_segment": list(addresses)})["id"])

    def segment(self, tag: int) -> str:
        return f"/lists/{self.list_id}/segments/{tag}"

    def act(self, deed: str, **values: Any) -> Any:
        with self.app.lock:
            return self.app.act(deed, **values)

    def rows(self, table: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.app.rows(table).to_pylist()
        return found


def iso(at: int) -> str:
    return instant(at).strftime("%Y-%m-%dT%H:%M:%S+00:00")


@pytest.fixture(scope="module")
def running() -> Iterator[Shop]:
    with Sandbox(VirtualClock(NOW), platforms=("mailchimp",)) as sandbox:
        key = ("x", KEYS["mailchimp"]["tester"])
        with httpx.Client(base_url=sandbox.urls["mailchimp"], auth=key, trust_env=False) as client:
            yield Shop(sandbox, client)


@pytest.fixture
def shop(running: Shop) -> Shop:
    """The same server for all, with everything else as it was in the beginning."""
    running.clock.set(NOW)
    running.sandbox.sky.change("calm", 1)
    running.sandbox.sky.lags.clear()
    running.sandbox.sky.orders.clear()
    running.app.load(WORLD)
    running.list_id, running.second = (one["id"] for one in running.get("/lists")["lists"])
    running.app.tallies.clear()
    return running


# --- who asks


def test_a_key_is_taken_as_basic_password_and_as_bearer_token(shop: Shop) -> None:
    key = KEYS["mailchimp"]["connector"]
    url = shop.sandbox.urls["mailchimp"] + "/3.0/"
    assert httpx.get(url, auth=("whoever", key), trust_env=False).json()["account_name"] == "Sandbox Inc"
    assert httpx.get(url, headers={"Authorization": f"Bearer {key}"}, trust_env=False).status_code == 200
    with shop.app.lock:
        assert shop.app.tallies["connector"].calls == 2


def test_a_missing_and_a_wrong_key_are_told_apart(shop: Shop) -> None:
    url = shop.sandbox.urls["mailchimp"] + "/3.0/"
    none, wrong = httpx.get(url, trust_env=False), httpx.get(url, auth=("x", "nonsense-us1"), trust_env=False)
    assert (none.status_code, none.json()["title"]) == (401, "API Key Missing")
    assert (wrong.status_code, wrong.json()["title"]) == (401, "API Key Invalid")


def test_a_problem_document_carries_the_request_id_of_its_header(shop: Shop) -> None:
    answer = shop.call("GET", "/lists/nothing")
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json; charset=utf-8"
    assert answer.json()["instance"] == answer.headers["X-Request-Id"]
    assert 'rel="describedBy"' in answer.headers["Link"]
    assert shop.call("GET", "/ping").headers["X-Request-Id"] != answer.headers["X-Request-Id"]


def test_unknown_paths_are_404_and_other_methods_405_with_allow(shop: Shop) -> None:
    assert shop.call("GET", "/unknown").status_code == 404
    answer = shop.call("DELETE", f"/lists/{shop.list_id}/segments")
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, POST"


def test_the_error_drill_answers_the_error_it_names(shop: Shop) -> None:
    answer = shop.call("GET", "/ping", **{"X-Trigger-Error": "UserDisabled"})
    assert (answer.status_code, answer.json()["title"]) == (403, "User Disabled")


def test_the_method_override_works_with_post_only(shop: Shop) -> None:
    assert shop.call("POST", "/ping", **{"X-HTTP-Method-Override": "GET"}).status_code == 200
    assert shop.call("GET", "/ping", **{"X-HTTP-Method-Override": "GET"}).status_code == 422


@pytest.mark.parametrize("bare", [False, True])
def test_the_eleventh_call_at_once_is_refused(shop: Shop, bare: bool) -> None:
    shop.act("switch", name="bare_429", value=bare)
    answers: list[httpx.Response] = []

    def ask() -> None:
        answers.append(httpx.get(f"{shop.client.base_url}/3.0/ping", auth=shop.client.auth, trust_env=False))

    with shop.app.lock:                             # nobody is answered while we hold it, so all of them are in progress
        threads = [threading.Thread(target=ask) for _ in range(13)]
        for thread in threads:
            thread.start()
        _wait(lambda: shop.app.busy == 13)
    for thread in threads:
        thread.join()
    refused = [one for one in answers if one.status_code == 429]
    assert refused
    assert all((not one.content) if bare else "10 simultaneous" in one.json()["detail"] for one in refused)
    assert shop.call("GET", "/ping").status_code == 200


def _wait(ready: Any) -> None:
    gate = threading.Event()
    for _ in range(2000):
        if ready():
            return
        gate.wait(0.005)
    raise AssertionError("it never came")


def test_the_limit_can_be_lifted_for_measurements(shop: Shop) -> None:
    shop.act("limits", off=True)
    shop.app.busy = 50
    answer = shop.call("GET", "/ping")
    shop.app.busy = 0
    assert answer.status_code == 200


# --- pages and fields


def test_a_collection_gives_ten_rows_and_at_most_a_thousand(shop: Shop) -> None:
    page = shop.get(f"/lists/{shop.list_id}/members")
    assert len(page["members"]) == 10
    assert page["total_items"] > 10
    assert len(shop.members(count=100_000)) == page["total_items"]


def test_an_offset_past_the_end_gives_an_empty_page_and_the_same_total(shop: Shop) -> None:
    page = shop.get(f"/lists/{shop.list_id}/members", offset=5000)
    assert page["members"] == []
    assert page["total_items"] > 0


def test_paging_gives_everybody_once(shop: Shop) -> None:
    ids = [one["id"] for start in range(0, 400, 50) for one in shop.members(count=50, offset=start)]
    assert len(ids) == len(set(ids)) == len(shop.members())


def test_a_count_that_is_no_number_is_refused_by_name(shop: Shop) -> None:
    answer = shop.call("GET", f"/lists/{shop.list_id}/members?count=many")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "count"


def test_fields_are_rooted_at_the_item_key(shop: Shop) -> None:
    path = f"/lists/{shop.list_id}/members"
    page = shop.get(path, fields="members.id,members.merge_fields.FNAME,total_items")
    assert set(page) == {"members", "total_items"}
    assert set(page["members"][0]) == {"id", "merge_fields"}
    assert set(page["members"][0]["merge_fields"]) == {"FNAME"}
    assert shop.get(path, fields="id,email_address") == {}


def test_excluded_fields_go_and_absent_ones_are_ignored(shop: Shop) -> None:
    page = shop.get(f"/lists/{shop.list_id}/members", exclude_fields="members._links,_links,members.nothing")
    assert "_links" not in page
    assert "_links" not in page["members"][0]
    assert page["members"][0]["email_address"]


def test_both_projections_at_once_are_refused(shop: Shop) -> None:
    assert shop.call("GET", "/lists?fields=lists.id&exclude_fields=lists.name").status_code == 400


# --- the listing of members


def test_every_standing_of_the_world_has_its_status(shop: Shop) -> None:
    people = {one["person"]: one["mailchimp"] for one in WORLD.people.to_pylist()}
    states = {(people[one["person"]], one["state"]) for one in shop.rows("profiles")}
    assert states == {("granted", "subscribed"), ("unknown", "transactional"), ("unknown", "pending"),
                      ("withdrawn", "unsubscribed"), ("suppressed", "cleaned"), ("archived", "archived")}


def test_archived_members_are_listed_only_when_asked_for(shop: Shop) -> None:
    bare, archived = shop.members(), shop.members(status="archived")
    assert archived
    assert {one["status"] for one in bare} == {"subscribed", "unsubscribed", "cleaned", "pending", "transactional"}
    assert {one["status"] for one in archived} == {"archived"}
    assert not {one["id"] for one in bare} & {one["id"] for one in archived}


def test_an_id_is_the_md5_of_the_lower_cased_address(shop: Shop) -> None:
    made = shop.post(f"/lists/{shop.list_id}/members", {"email_address": "Ada.B@Shop.Test", "status": "transactional"})
    assert made["id"] == hashlib.md5(b"ada.b@shop.test").hexdigest()
    assert made["email_address"] == "Ada.B@Shop.Test"
    for key in (made["id"], "ada.b@shop.test", made["contact_id"]):
        assert shop.get(f"/lists/{shop.list_id}/members/{key}")["id"] == made["id"]


def test_what_has_not_happened_is_an_empty_string(shop: Shop) -> None:
    one = shop.some("transactional")[0]
    assert one["timestamp_signup"] == one["timestamp_opt"] == one["sms_subscription_status"] == ""
    assert "unsubscribe_reason" not in one
    assert shop.some("unsubscribed")[0]["unsubscribe_reason"]


def test_the_window_of_last_changed_is_half_open_at_whole_seconds(shop: Shop) -> None:
    one = shop.some("subscribed")[0]
    shop.clock.advance(100.4)
    shop.call("PATCH", shop.path(one), {"merge_fields": {"FNAME": "Moved"}})
    at = shop.clock.now() // 1000 * 1000
    assert shop.get(shop.path(one))["last_changed"] == iso(at)

    def ids(since: int, before: int) -> list[str]:
        return [m["id"] for m in shop.members(since_last_changed=iso(since), before_last_changed=iso(before))]

    assert ids(at - SECOND, at) == [one["id"]]      # since is exclusive, before inclusive
    assert ids(at, at + HOUR) == []
    assert ids(NOW, at - SECOND) == []


def test_windows_tile(shop: Shop) -> None:
    times = sorted({one["last_changed"] for one in shop.members()})
    edges = ["2000-01-01T00:00:00+00:00", *times[:: len(times) // 4], times[-1]]
    parts = [[m["id"] for m in shop.members(since_last_changed=a, before_last_changed=b)] for a, b in zip(edges, edges[1:])]  # noqa: B905, RUF007
    together = [one for part in parts for one in part]
    assert sorted(together) == sorted(one["id"] for one in shop.members())


def test_a_time_with_a_fraction_is_ignored_and_everybody_comes(shop: Shop) -> None:
    everybody = len(shop.members())
    assert len(shop.members(since_last_changed="2023-11-14T00:00:00.000+00:00")) == everybody
    assert len(shop.members(since_last_changed="2023-11-14T22:13:20+00:00")) < everybody


def test_members_can_be_sorted_by_last_changed_in_both_directions(shop: Shop) -> None:
    up = [one["last_changed"] for one in shop.members(sort_field="last_changed", sort_dir="ASC")]
    assert up == sorted(up)
    assert [one["last_changed"] for one in shop.members(sort_field="last_changed", sort_dir="DESC")] == up[::-1]


def test_an_unknown_status_is_refused(shop: Shop) -> None:
    assert shop.call("GET", f"/lists/{shop.list_id}/members?status=happy").status_code == 400
    assert shop.call("GET", f"/lists/{shop.list_id}/members?unsubscribed_since=2020-01-01T00:00:00Z").status_code == 400


def test_members_can_be_found_by_interest_vip_and_unique_id(shop: Shop) -> None:
    interest = next(iter(shop.members()[0]["interests"]))
    found = shop.members(interest_ids=interest, interest_category_id="any", interest_match="none")
    assert found
    assert not any(one["interests"][interest] for one in found)
    assert all(one["vip"] for one in shop.members(vip_only="true"))
    one = shop.members()[3]
    assert [m["id"] for m in shop.members(unique_email_id=one["unique_email_id"])] == [one["id"]]


def test_the_second_audience_is_empty_and_its_members_have_no_interests(shop: Shop) -> None:
    path = f"/lists/{shop.second}/members"
    assert shop.get(path)["total_items"] == 0
    assert "interests" not in shop.post(path, {"email_address": "two@shop.test", "status": "subscribed"})
    assert shop.call("GET", f"/lists/{shop.list_id}/members/two@shop.test").status_code == 404


# --- what moves last_changed


def test_a_put_with_the_same_values_moves_nothing(shop: Shop) -> None:
    one = shop.some("subscribed")[0]
    shop.clock.advance(3600)
    body = {"email_address": one["email_address"], "status_if_new": "pending", "merge_fields": one["merge_fields"] | {"ADDRESS": ""},
            "vip": one["vip"]}
    body["merge_fields"].pop("ADDRESS")
    again = shop.call("PUT", shop.path(one), body).json()
    assert (again["last_changed"], again["status"]) == (one["last_changed"], "subscribed")


def test_tag_changes_move_last_changed_and_an_empty_list_does_not(shop: Shop) -> None:
    one = shop.some("subscribed")[0]
    shop.clock.advance(60)
    shop.post(f"{shop.path(one)}/tags", {"tags": []})
    assert shop.get(shop.path(one))["last_changed"] == one["last_changed"]
    for status in ("active", "inactive"):
        shop.clock.advance(60)
        shop.post(f"{shop.path(one)}/tags", {"tags": [{"name": "Spring", "status": status}]})
        assert shop.get(shop.path(one))["last_changed"] == iso(shop.clock.now())


def test_opens_do_not_move_last_changed(shop: Shop) -> None:
    one = shop.some("subscribed")[0]
    shop.clock.advance(60)
    shop.act("happen", email=one["email_address"], kind="email_opened")
    assert shop.get(shop.path(one))["last_changed"] == one["last_changed"]


# --- writing


def test_creating_a_live_address_is_refused_and_an_archived_one_comes_back_with_its_tags(shop: Shop) -> None:
    one = shop.some("subscribed")[0]
    body = {"email_address": one["email_address"], "status": "subscribed"}
    refused = shop.call("POST", f"/lists/{shop.list_id}/members", body)
    assert (refused.status_code, refused.json()["title"]) == (400, "Member Exists")
    shop.post(f"{shop.path(one)}/tags", {"tags": [{"name": "Kept", "status": "active"}]})
    assert shop.call("DELETE", shop.path(one)).status_code == 204
    assert shop.get(shop.path(one))["status"] == "archived"
    again = shop.post(f"/lists/{shop.list_id}/members", body)
    assert again["contact_id"] == one["contact_id"]
    assert [tag["name"] for tag in again["tags"]] == ["Kept"]


@pytest.mark.parametrize("status", ["archived", "cleaned", "pending"])
def test_who_cannot_be_archived_is_told_so(shop: Shop, status: str) -> None:
    answer = shop.call("DELETE", shop.path(shop.some(status)[0]))
    assert answer.status_code == 405
    assert "Can not archive" in answer.json()["detail"]


def test_an_address_change_moves_the_hash_and_keeps_the_contact(shop: Shop) -> None:
    one, other = shop.some("subscribed", 2)
    moved = shop.call("PATCH", shop.path(one), {"email_address": "moved@shop.test"}).json()
    assert moved["contact_id"] == one["contact_id"]
    assert moved["id"] == hashlib.md5(b"moved@shop.test").hexdigest()
    assert shop.call("GET", shop.path(one)).status_code == 404
    taken = shop.call("PATCH", shop.path(moved), {"email_address": other["email_address"]})
    assert taken.status_code == 400
    assert 'is already in this list with a status of "subscribed"' in taken.json()["detail"]


def test_merge_fields_of_no_name_are_dropped_and_of_a_wrong_type_refuse_everything(shop: Shop) -> None:
    one = shop.some("subscribed")[0]
    shop.post(f"/lists/{shop.list_id}/merge-fields", {"name": "Value", "type": "number", "tag": "LTV"})
    done = shop.call("PATCH", shop.path(one), {"merge_fields": {"LTV": "12.5", "NOTHING": "x"}}).json()
    assert done["merge_fields"]["LTV"] == 12.5
    assert "NOTHING" not in done["merge_fields"]
    refused = shop.call("PATCH", shop.path(one), {"merge_fields": {"FNAME": "New", "LTV": "much"}})
    assert refused.json()["errors"] == [{"field": "LTV", "message": "Please enter a number"}]
    assert shop.get(shop.path(one))["merge_fields"]["FNAME"] == one["merge_fields"]["FNAME"]
    assert shop.call("PATCH", shop.path(one), {"merge_fields": {"LTV": ""}}).json()["merge_fields"]["LTV"] == ""


def test_who_opted_out_in_person_cannot_be_subscribed_but_who_was_by_api_can(shop: Shop) -> None:
    gone, here = shop.some("unsubscribed")[0], shop.some("subscribed")[0]
    refused = shop.call("PATCH", shop.path(gone), {"status": "subscribed"})
    assert refused.json()["title"] == "Member In Compliance State"
    assert shop.call("PATCH", shop.path(gone), {"status": "pending"}).status_code == 200
    for status in ("unsubscribed", "subscribed"):
        assert shop.call("PUT", shop.path(here), {"email_address": here["email_address"], "status": status}).json()["status"] == status


def test_a_permanently_deleted_address_vanishes_and_cannot_be_imported(shop: Shop) -> None:
    one = shop.some("subscribed")[0]
    tag = shop.tag("Gone", one["email_address"])
    assert shop.call("POST", f"{shop.path(one)}/actions/delete-permanent").status_code == 204
    assert shop.call("GET", shop.path(one)).status_code == 404
    assert one["id"] not in {m["id"] for m in shop.members()}
    assert shop.get(f"{shop.segment(tag)}/members")["members"] == []
    for status in ("subscribed", "pending"):
        body = {"email_address": one["email_address"], "status": status}
        assert shop.call("POST", f"/lists/{shop.list_id}/members", body).json()["title"] == "Forgotten Email Not Subscribed"
    assert one["email_address"] not in {row["email"] for row in shop.rows("profiles")}


def test_a_body_that_is_no_json_or_no_object_is_refused(shop: Shop) -> None:
    path = f"/3.0/lists/{shop.list_id}/members"
    assert shop.client.post(path, content=b"{").json()["title"] == "JSON Parse Exception"
    assert "array found instead" in shop.client.post(path, json=[1]).json()["errors"][0]["message"]
    missing = shop.client.post(path, json={"status": "subscribed"}).json()
    assert missing["errors"][0]["field"] == "email_address"


def test_a_batch_answers_200_with_an_error_per_member(shop: Shop) -> None:
    here = shop.some("subscribed")[0]["email_address"]
    batch = [{"email_address": "a@shop.test", "status": "subscribed"}, {"email_address": here, "status": "subscribed"},
             {"email_address": "nonsense", "status": "subscribed"}]
    told = shop.post(f"/lists/{shop.list_id}", {"members": batch})
    assert (told["total_created"], told["total_updated"], told["error_count"]) == (1, 0, 2)
    assert [one["error_code"] for one in told["errors"]] == ["ERROR_CONTACT_EXISTS", "ERROR_GENERIC"]
    again = shop.post(f"/lists/{shop.list_id}", {"members": batch[:2], "update_existing": True})
    assert again["total_updated"] == 2
    many = [{"email_address": f"n{n}@shop.test", "status": "subscribed"} for n in range(501)]
    assert shop.call("POST", f"/lists/{shop.list_id}", {"members": many}).status_code == 400


def test_sync_tags_replaces_all_tags_of_the_member(shop: Shop) -> None:
    one = shop.some("subscribed")[0]
    shop.tag("Mine", one["email_address"])
    member = {"email_address": one["email_address"], "tags": ["Theirs"]}
    shop.post(f"/lists/{shop.list_id}", {"members": [member], "update_existing": True})
    assert {tag["name"] for tag in shop.get(shop.path(one))["tags"]} == {"Mine", "Theirs"}
    shop.post(f"/lists/{shop.list_id}", {"members": [member], "update_existing": True, "sync_tags": True})
    assert {tag["name"] for tag in shop.get(shop.path(one))["tags"]} == {"Theirs"}


# --- tags


def test_a_tag_is_a_static_segment_with_the_same_id(shop: Shop) -> None:
    one = shop.some("subscribed")[0]
    shop.post(f"{shop.path(one)}/tags", {"tags": [{"name": "Winter", "status": "active"}]})
    tag = shop.get(shop.path(one))["tags"][0]
    assert isinstance(tag["id"], int)
    assert shop.get(shop.segment(tag["id"]))["type"] == "static"
    assert shop.get(f"/lists/{shop.list_id}/tag-search", name="win")["tags"] == [tag]
    assert [found["id"] for found in shop.get(f"/lists/{shop.list_id}/segments", type="static")["segments"]] == [tag["id"]]


def test_tag_names_differ_by_more_than_case(shop: Shop) -> None:
    one, two = shop.some("subscribed", 2)
    shop.post(f"{shop.path(one)}/tags", {"tags": [{"name": "Big Spender", "status": "active"}]})
    shop.post(f"{shop.path(two)}/tags", {"tags": [{"name": "BIG SPENDER", "status": "active"}]})
    assert [tag["name"] for tag in shop.get(shop.path(two))["tags"]] == ["Big Spender"]
    assert shop.call("POST", f"/lists/{shop.list_id}/segments", {"name": "big spender", "static_segment": []}).status_code == 400


def test_an_unknown_tag_made_inactive_is_ignored(shop: Shop) -> None:
    one = shop.some("subscribed")[0]
    shop.post(f"{shop.path(one)}/tags", {"tags": [{"name": "Never", "status": "inactive"}]})
    assert shop.get(f"/lists/{shop.list_id}/tag-search")["tags"] == []


def test_an_archived_member_takes_tags_and_a_stranger_does_not(shop: Shop) -> None:
    one = shop.some("archived")[0]
    tags = {"tags": [{"name": "T", "status": "active"}]}
    assert shop.call("POST", f"{shop.path(one)}/tags", tags).status_code == 204
    assert shop.call("POST", f"/lists/{shop.list_id}/members/{'0' * 32}/tags", tags).status_code == 404
    assert shop.get(f"{shop.path(one)}/tags")["tags"][0]["date_added"]
    assert shop.rows("members") == []               # no listing of a tag shows archived people


def test_a_segment_batch_tells_what_changed_and_who_is_not_there(shop: Shop) -> None:
    one, two, three = (m["email_address"] for m in shop.some("subscribed", 3))
    away = shop.some("archived")[0]["email_address"]
    tag = shop.tag("Batch", one)
    told = shop.post(shop.segment(tag), {"members_to_add": [one, two.upper(), "stranger@shop.test", away],
                                         "members_to_remove": [three]})
    assert [m["email_address"] for m in told["members_added"]] == [two]     # who was in already is not listed: our choice
    assert (told["total_added"], told["total_removed"], told["error_count"]) == (1, 0, 1)
    assert told["errors"][0]["email_addresses"] == ["stranger@shop.test", away]
    told = shop.post(shop.segment(tag), {"members_to_remove": [one, three]})
    assert [m["email_address"] for m in told["members_removed"]] == [one]


def test_a_batch_of_501_is_refused_whole(shop: Shop) -> None:
    tag = shop.tag("Full")
    many = [f"n{n}@shop.test" for n in range(501)]
    for field in ("members_to_add", "members_to_remove"):
        answer = shop.call("POST", shop.segment(tag), {field: many})
        assert answer.status_code == 400
        assert "at most 500 items" in answer.json()["detail"]
    assert shop.call("POST", shop.segment(tag), {"members_to_add": many[:500], "members_to_remove": many[:500]}).status_code == 200


def test_segment_members_hide_some_states_and_the_total_never_counts_them(shop: Shop) -> None:
    chosen = [shop.some(status)[0] for status in ("subscribed", "pending", "unsubscribed", "cleaned", "transactional")]
    tag = shop.tag("Mixed", *(one["email_address"] for one in chosen))
    bare = shop.get(f"{shop.segment(tag)}/members")
    assert {one["status"] for one in bare["members"]} == {"subscribed", "pending"}
    flags = {f"include_{name}": "true" for name in ("unsubscribed", "cleaned", "transactional")}
    full = shop.get(f"{shop.segment(tag)}/members", **flags)
    assert len(full["members"]) == 5
    assert full["total_items"] == bare["total_items"] == 2
    assert shop.get(shop.segment(tag))["member_count"] == 2
    assert shop.get(shop.segment(tag), **flags)["member_count"] == 5


def test_an_unknown_segment_type_gives_an_empty_200(shop: Shop) -> None:
    shop.tag("There")
    assert shop.get(f"/lists/{shop.list_id}/segments", type="garbage")["segments"] == []


def test_an_empty_static_segment_empties_the_tag(shop: Shop) -> None:
    tag = shop.tag("Emptied", *(one["email_address"] for one in shop.some("subscribed", 3)))
    assert shop.call("PATCH", shop.segment(tag), {"name": "Emptied"}).json()["member_count"] == 3
    assert shop.call("PATCH", shop.segment(tag), {"name": "Emptied", "static_segment": []}).json()["member_count"] == 0


def test_a_deleted_tag_is_gone_from_its_members(shop: Shop) -> None:
    one = shop.some("subscribed")[0]
    tag = shop.tag("Short", one["email_address"])
    assert shop.call("DELETE", shop.segment(tag)).status_code == 204
    assert shop.call("DELETE", shop.segment(tag)).status_code == 404
    assert shop.get(shop.path(one))["tags"] == []


def test_a_record_shows_fifty_tags_and_counts_them_all(shop: Shop) -> None:
    one = shop.some("subscribed")[0]
    shop.post(f"{shop.path(one)}/tags", {"tags": [{"name": f"T{n}", "status": "active"} for n in range(60)]})
    found = shop.get(shop.path(one))
    assert (len(found["tags"]), found["tags_count"]) == (50, 60)
    assert len(shop.get(f"{shop.path(one)}/tags", count=100)["tags"]) == 60


# --- mail


def test_a_report_says_when_the_last_open_and_click_were(shop: Shop) -> None:
    report = shop.get("/reports", count=100)["reports"][0]
    rows = shop.get(f"/reports/{report['id']}/email-activity", count=1000)["emails"]
    opens = [act["timestamp"] for row in rows for act in row["activity"] if act["action"] == "open"]
    assert report["opens"]["last_open"] == max(opens)
    assert report["opens"]["opens_total"] == len(opens)
    assert report["emails_sent"] == len(rows)


def test_a_campaign_without_opens_has_empty_times(shop: Shop) -> None:
    told = shop.act("happen", email=shop.some("subscribed")[0]["email_address"], kind="email_sent", campaign="fresh")
    report = shop.get(f"/reports/{told['campaign']}")
    assert report["opens"]["last_open"] == report["clicks"]["last_click"] == ""
    assert report["emails_sent"] == 1


def test_since_filters_inside_the_rows_and_not_the_rows(shop: Shop) -> None:
    report = shop.get("/reports")["reports"][0]
    path = f"/reports/{report['id']}/email-activity"
    everything = shop.get(path, count=1000)
    last = report["opens"]["last_open"]
    after = shop.get(path, count=1000, since=last)
    assert len(after["emails"]) == len(everything["emails"]) == after["total_items"]
    assert any(row["activity"] == [] for row in after["emails"])
    assert all(act["timestamp"] > last for row in after["emails"] for act in row["activity"])


def test_a_fraction_of_a_second_in_since_is_an_error_500(shop: Shop) -> None:
    report = shop.get("/reports")["reports"][0]["id"]
    assert shop.call("GET", f"/reports/{report}/email-activity?since=2023-01-01T00:00:00.000000Z").status_code == 500


def test_what_a_report_lists_equals_the_truth(shop: Shop) -> None:
    told: list[tuple[str, str, str]] = []
    for report in shop.get("/reports", count=100)["reports"]:
        here = f"/reports/{report['id']}"
        for row in shop.get(f"{here}/email-activity", count=1000)["emails"]:
            told += [(act["action"], act["timestamp"], row["email_address"]) for act in row["activity"]]
        for row in shop.get(f"{here}/sent-to", count=1000)["sent_to"]:
            told.append(("sent", report["send_time"], row["email_address"]))
        for row in shop.get(f"{here}/unsubscribed", count=1000)["unsubscribes"]:
            told.append(("unsubscribe", row["timestamp"], row["email_address"]))
        for row in shop.get(f"{here}/abuse-reports", count=1000)["abuse_reports"]:
            told.append(("abuse", row["date"], row["email_address"]))
    addresses = {row["person"]: row["email"] for row in shop.rows("profiles")}
    truth = [(row["native"], iso(row["at"]), addresses[row["person"]]) for row in shop.rows("events")
             if row["native"] not in ("order", "cart")]
    assert sorted(told) == sorted(truth)
    assert {kind for kind, _, _ in told} == {"sent", "open", "click", "bounce", "unsubscribe", "abuse"}


def test_a_recipient_bounces_and_opts_out_of_a_campaign_once(shop: Shop) -> None:
    one = shop.some("subscribed")[0]["email_address"]
    for _ in range(2):
        shop.clock.advance(60)
        told = shop.act("happen", email=one, kind="email_bounced", campaign="last")
    assert [one["campaign_title"] for one in shop.get("/reports", count=100)["reports"]].count("Newsletter last") == 1
    row = shop.get(f"/reports/{told['campaign']}/email-activity/{hashlib.md5(one.encode()).hexdigest()}")
    assert [(act["action"], act["type"]) for act in row["activity"]] == [("bounce", "soft")]


def test_opting_out_through_a_mail_changes_the_status_and_is_no_activity(shop: Shop) -> None:
    one = shop.some("subscribed")[0]
    shop.clock.advance(60)
    told = shop.act("happen", email=one["email_address"], kind="email_unsubscribed", campaign="farewell")
    assert shop.get(shop.path(one))["status"] == "unsubscribed"
    assert shop.get(f"/reports/{told['campaign']}/unsubscribed")["unsubscribes"][0]["timestamp"] == iso(shop.clock.now())
    assert shop.get(f"/reports/{told['campaign']}/email-activity")["emails"][0]["activity"] == []
    assert shop.call("PATCH", shop.path(one), {"status": "subscribed"}).status_code == 400


def test_activity_comes_late_when_told_so_and_the_truth_does_not_wait(shop: Shop) -> None:
    shop.sandbox.sky.lags["events"] = 5 * MINUTE
    one = shop.some("subscribed")[0]["email_address"]
    before = len(shop.rows("events"))
    told = shop.act("happen", email=one, kind="email_opened", campaign="late")
    at = iso(shop.clock.now())
    assert len(shop.rows("events")) == before + 2   # the mail and its open
    assert shop.get(f"/reports/{told['campaign']}")["opens"]["last_open"] == ""
    shop.clock.advance(301)
    assert shop.get(f"/reports/{told['campaign']}")["opens"]["last_open"] == at
    assert shop.get(f"/reports/{told['campaign']}/email-activity")["emails"][0]["activity"][0]["timestamp"] == at


def test_reports_lag_less_than_a_storm_over_other_platforms(shop: Shop) -> None:
    shop.sandbox.sky.change("stormy", 3)
    with shop.app.lock:
        lags = [shop.app.lag("events") for _ in range(200)]
    assert 0 <= min(lags) < max(lags) <= 9 * MINUTE


def test_the_feed_of_a_member_is_newest_first_and_holds_orders_and_events(shop: Shop) -> None:
    one = shop.some("subscribed")[0]
    shop.act("happen", email=one["email_address"], kind="order_placed", value=12_340_000, number=77_000_001)
    shop.clock.advance(60)
    shop.post(f"{shop.path(one)}/events", {"name": "looked_around"})
    feed = shop.get(f"{shop.path(one)}/activity-feed", count=500)
    times = [item["created_at_timestamp"] for item in feed["activity"]]
    assert times == sorted(times, reverse=True)
    assert [item["activity_type"] for item in feed["activity"][:2]] == ["event", "order"]
    assert "total_items" not in feed
    only = shop.get(f"{shop.path(one)}/activity-feed", activity_filters="order")["activity"]
    assert {item["activity_type"] for item in only} == {"order"}
    assert only[0]["order_total"] == "12.34"


def test_an_event_is_recorded_twice_when_sent_twice(shop: Shop) -> None:
    path = f"{shop.path(shop.some('subscribed')[0])}/events"
    for _ in range(2):
        shop.post(path, {"name": "signed_in", "properties": {"where": "app"}})
    assert shop.get(path)["total_items"] == 2
    assert shop.call("POST", path, {"name": "x"}).status_code == 400
    assert shop.call("POST", path, {"name": "ok_then", "properties": {"n": 1}}).status_code == 400


def test_campaigns_are_filtered_by_time_of_sending_and_by_status(shop: Shop) -> None:
    sent = [one["send_time"] for one in shop.get("/campaigns", count=100, sort_field="send_time", sort_dir="ASC")["campaigns"]]
    assert sent == sorted(sent)
    later = shop.get("/campaigns", since_send_time=sent[0], before_send_time=sent[-1])["campaigns"]
    assert [one["send_time"] for one in later] == sent[1:]
    assert shop.get("/campaigns", status="save")["campaigns"] == []


# --- the shop


def test_orders_and_carts_equal_the_truth_to_the_cent(shop: Shop) -> None:
    truth = {kind: {row["id"].partition(":")[2]: orjson.loads(row["properties"])["value"] for row in shop.rows("events")
                    if row["native"] == kind} for kind in ("order", "cart")}
    orders = shop.get(f"{STORE}/orders", count=1000)["orders"]
    carts = shop.get(f"{STORE}/carts", count=1000)["carts"]
    assert {one["id"]: one["order_total"] for one in orders} == truth["order"]
    assert {one["id"]: one["order_total"] for one in carts} == truth["cart"]
    values = {str(row["number"]): row["value"] for row in WORLD.events.to_pylist() if row["mailchimp"] and row["kind"] == "order_placed"}
    assert {number: round(total * 1_000_000) for number, total in truth["order"].items()} == values


def test_an_order_names_its_customer_and_its_line(shop: Shop) -> None:
    order = shop.get(f"{STORE}/orders", count=1)["orders"][0]
    assert shop.get(f"{STORE}/orders/{order['id']}") == order
    assert order["lines"][0]["quantity"] > 0
    mine = shop.get(f"{STORE}/orders", customer_id=order["customer"]["id"], count=1000)["orders"]
    assert order["id"] in {one["id"] for one in mine}
    assert len(mine) == order["customer"]["orders_count"]
    found = shop.get(f"{STORE}/customers", email_address=order["customer"]["email_address"])["customers"]
    assert found == [order["customer"]]


def test_a_cancelled_order_stays_listed_and_leaves_the_truth(shop: Shop) -> None:
    order = shop.get(f"{STORE}/orders")["orders"][0]
    shop.clock.advance(60)
    shop.act("happen", email=order["customer"]["email_address"], kind="order_cancelled", number=int(order["id"]))
    now = shop.get(f"{STORE}/orders/{order['id']}")
    assert (now["financial_status"], now["cancelled_at_foreign"]) == ("cancelled", iso(shop.clock.now()))
    assert f"order:{order['id']}" not in {row["id"] for row in shop.rows("events")}


def test_a_customer_written_over_the_api_makes_a_contact_and_never_loses_consent(shop: Shop) -> None:
    made = shop.call("PUT", f"{STORE}/customers/k1", {"id": "k1", "email_address": "k@shop.test", "opt_in_status": True})
    assert made.status_code == 200
    path = f"/lists/{shop.list_id}/members/k@shop.test"
    assert shop.get(path)["status"] == "subscribed"
    shop.call("PUT", f"{STORE}/customers/k1", {"id": "k1", "email_address": "k@shop.test", "opt_in_status": False})
    assert shop.get(path)["status"] == "subscribed"


def test_an_unknown_store_is_404(shop: Shop) -> None:
    assert shop.call("GET", "/ecommerce/stores/observer-shop/orders").status_code == 404


# --- consent is counted


def test_calls_that_could_change_consent_are_counted(shop: Shop) -> None:
    one = shop.some("subscribed")[0]
    address = one["email_address"]

    def counted() -> int:
        with shop.app.lock:
            return int(shop.app.tallies["tester"].consent)

    tag = shop.tag("T")
    harmless = [
        ("PUT", shop.path(one), {"email_address": address, "status_if_new": "pending"}),
        ("PATCH", shop.path(one), {"merge_fields": {"FNAME": "A"}}), ("POST", f"{shop.path(one)}/tags", {"tags": []}),
        ("POST", shop.segment(tag), {"members_to_add": [address]}), ("POST", f"{shop.path(one)}/events", {"name": "ab"}),
    ]
    for method, path, body in harmless:
        assert shop.call(method, path, body).status_code in (200, 204)
    assert counted() == 0
    touching = [
        ("PUT", shop.path(one), {"status": "subscribed"}), ("PATCH", shop.path(one), {"status": "subscribed"}),
        ("PUT", f"/lists/{shop.list_id}/members/n@shop.test", {"email_address": "n@shop.test", "status_if_new": "transactional"}),
        ("POST", f"/lists/{shop.list_id}/members", {"email_address": "m@shop.test", "status": "transactional"}),
        ("POST", f"/lists/{shop.list_id}", {"members": []}), ("DELETE", shop.path(one), None),
    ]
    for method, path, body in touching:
        assert shop.call(method, path, body).status_code in (200, 204), path
    assert counted() == len(touching)


# --- deeds and weather


def test_people_act_and_the_api_shows_it(shop: Shop) -> None:
    one = shop.some("subscribed")[0]
    email = one["email_address"]
    for deed, status in (("withdraw", "unsubscribed"), ("grant", "subscribed"), ("suppress", "cleaned"), ("archive", "archived"),
                         ("unarchive", "cleaned"), ("unreadable", "on_hold")):
        shop.clock.advance(10)
        shop.act(deed, email=email)
        found = shop.get(shop.path(one))
        assert (found["status"], found["last_changed"]) == (status, iso(shop.clock.now()))
    shop.act("change_email", email=email, to="else@shop.test")
    assert shop.get(f"/lists/{shop.list_id}/members/else@shop.test")["contact_id"] == one["contact_id"]
    shop.act("erase", email="else@shop.test")
    assert shop.call("GET", f"/lists/{shop.list_id}/members/else@shop.test").status_code == 404


def test_somebody_entered_by_hand_is_the_person_with_that_address(shop: Shop) -> None:
    people = {one["email"]: one["person"] for one in WORLD.people.to_pylist()}
    here = {row["email"] for row in shop.rows("profiles")}
    elsewhere = next(email for email in people if email not in here)
    made = shop.act("create_profile", email=elsewhere, standing="granted")
    shop.act("create_profile", email="stranger@shop.test", standing="withdrawn", audience="Sandbox second")
    rows = {row["email"]: row for row in shop.rows("profiles")}
    assert (rows[elsewhere]["person"], rows[elsewhere]["id"]) == (people[elsewhere], made["id"])
    assert rows["stranger@shop.test"]["person"] == -1
    assert rows["stranger@shop.test"]["audience"] == shop.second
    assert rows["stranger@shop.test"]["barred"]


def test_hands_on_the_product_change_tags(shop: Shop) -> None:
    one = shop.some("subscribed")[0]
    made = shop.act("create_target", name="By hand")
    shop.act("add_by_hand", email=one["email_address"], target="by HAND")
    assert shop.rows("members") == [{
        "kind": "tag", "id": made["id"], "name": "By hand", "audience": shop.list_id,
        "profile": f"{shop.list_id}:{one['contact_id']}", "person": shop.rows("members")[0]["person"]}]
    shop.act("remove_by_hand", email=one["email_address"], target="By hand")
    assert shop.rows("members") == []
    shop.act("delete_target", name="By hand")
    assert shop.get(f"/lists/{shop.list_id}/tag-search")["tags"] == []


def test_keys_are_revoked_and_restored_and_roles_lowered(shop: Shop) -> None:
    shop.act("revoke_key", role="tester")
    assert shop.call("GET", "/ping").status_code == 401
    shop.act("restore_key", role="tester")
    shop.act("drop_scope", scope="reports")
    assert shop.call("GET", "/reports").status_code == 403
    assert shop.call("GET", "/ping").status_code == 200
    shop.act("swap_account", id="otherone00", name="Somebody else")
    assert shop.get("/")["account_id"] == "otherone00"


def test_an_unknown_deed_is_refused_with_the_list(shop: Shop) -> None:
    with pytest.raises(ValueError, match="unarchive"):
        shop.act("dance")


def test_changes_of_members_show_late_in_listings_but_at_once_by_id(shop: Shop) -> None:
    shop.sandbox.sky.lags["members"] = 20 * SECOND
    one, two = shop.some("subscribed", 2)
    tag = shop.tag("Slow")
    shop.clock.advance(60)
    since = iso(shop.clock.now() - SECOND)
    shop.post(shop.segment(tag), {"members_to_add": [one["email_address"]]})
    shop.call("PATCH", shop.path(two), {"merge_fields": {"FNAME": "Late"}})
    made = shop.post(f"/lists/{shop.list_id}/members", {"email_address": "late@shop.test", "status": "subscribed"})
    assert shop.get(shop.path(two))["merge_fields"]["FNAME"] == "Late"
    assert shop.members(since_last_changed=since) == []
    assert shop.get(f"{shop.segment(tag)}/members")["members"] == []
    assert len(shop.rows("members")) == 1
    shop.clock.advance(21)
    assert {m["id"] for m in shop.members(since_last_changed=since)} == {one["id"], two["id"], made["id"]}
    assert [m["id"] for m in shop.get(f"{shop.segment(tag)}/members")["members"]] == [one["id"]]


@pytest.mark.parametrize(("kind", "status", "content"), [
    ("401", 401, "problem+json"), ("403", 403, "problem+json"), ("html403", 403, "text/html"), ("429", 429, "problem+json"),
    ("500", 500, "problem+json"), ("502", 502, "text/html"), ("503", 503, "text/html"), ("504", 504, "text/html"),
    ("bare429", 429, ""), ("bare403", 403, ""), ("compliance503", 503, "problem+json"),
])
def test_a_failure_on_order_looks_like_the_vendors_and_has_no_effect(shop: Shop, kind: str, status: int, content: str) -> None:
    one = shop.some("subscribed")[0]
    shop.sandbox.sky.order("mailchimp", kind, match="PATCH")
    answer = shop.call("PATCH", shop.path(one), {"merge_fields": {"FNAME": "Never"}})
    assert answer.status_code == status
    assert content in answer.headers.get("Content-Type", "")
    assert bool(answer.content) == bool(content)
    assert shop.get(shop.path(one))["merge_fields"]["FNAME"] != "Never"


def test_two_loads_of_one_world_make_the_same_ids(shop: Shop) -> None:
    first = shop.rows("profiles")
    shop.app.load(WORLD)
    assert [(row["id"], row["email"], row["state"]) for row in shop.rows("profiles")] == [
        (row["id"], row["email"], row["state"]) for row in first]


def test_the_control_endpoint_loads_and_tells_the_same_rows(shop: Shop) -> None:
    controls = Controls(shop.sandbox.urls["control"])
    controls.load(World.from_bytes(WORLD.to_bytes()))
    for table in ("profiles", "events", "members"):
        assert controls.rows("mailchimp", table).to_pylist() == shop.rows(table)
    controls.act("mailchimp", "create_target", name="Over there")
    shop.get("/ping")
    assert controls.calls("mailchimp")["tester"]["calls"] == 1
    controls.close()


def test_every_handler_stands_in_the_table_once(shop: Shop) -> None:
    names = [route.name for route in type(shop.app).table]
    assert len(names) == len(set(names))
    assert issubclass(type(shop.app), Application)
