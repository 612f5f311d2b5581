"""The emulated Klaviyo under bodies of any shape: it refuses as the vendor does and never breaks."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from connectors.clock import VirtualClock
from connectors.klaviyo.sandbox.application import KlaviyoSandbox
from connectors.sandbox.server import Request
from connectors.sandbox.weather import Sky
from tests.sandbox.klaviyo_place import NOW, SUBSCRIBE, consent_body, small_world

HEADERS = {"authorization": "Klaviyo-API-Key pk_sandbox_tester", "revision": "2026-07-15", "content-type": "application/json"}
WRONG = (None, 0, "", "x", [], {}, [1], {"a": 1}, True, 1.5)


@pytest.fixture(scope="module")
def application() -> KlaviyoSandbox:
    made = KlaviyoSandbox(VirtualClock(NOW), Sky())
    made.load(small_world())
    made.act("limits", off=True)
    return made


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every path into *value*."""
    yield path
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in members:
        yield from places(one, (*path, name))


def replaced(value: Any, path: tuple[Any, ...], by: Any) -> Any:
    if not path:
        return by
    made = copy.deepcopy(value)
    here = made
    for step in path[:-1]:
        here = here[step]
    here[path[-1]] = by
    return made


def bodies(application: KlaviyoSandbox) -> Iterator[tuple[str, str, Any]]:
    """One good body for each kind of write."""
    ids, emails, target = application.people.ids, application.people.text["email"], next(iter(application.lists.by_id))
    meta = {"patch_properties": {"append": {"a": 2}, "unappend": {"a": 1}, "unset": ["b"]}}
    attributes = {"email": emails[3], "phone_number": "+15550009999", "location": {"city": "Lyon"}, "properties": {"a": [1]}}
    profile = {"type": "profile", "attributes": attributes, "meta": meta}
    event = {"properties": {"a": 1}, "time": "2026-01-01T00:00:00Z", "value": 1.5, "unique_id": "u",
             "metric": {"data": {"type": "metric", "attributes": {"name": "Something"}}}}
    entry = {"type": "event-bulk-create", "attributes": {
        "profile": {"data": profile}, "events": {"data": [{"type": "event", "attributes": event}]}}}
    yield "POST", "/api/profiles", {"data": profile}
    yield "PATCH", f"/api/profiles/{ids[3]}", {"data": {**profile, "id": ids[3]}}
    yield "POST", "/api/profile-import", {"data": profile}
    yield "POST", "/api/events", {"data": {"type": "event", "attributes": {**event, "profile": {"data": profile}}}}
    yield "POST", "/api/event-bulk-create-jobs", {
        "data": {"type": "event-bulk-create-job", "attributes": {"events-bulk-create": {"data": [entry]}}}}
    yield "POST", "/api/lists", {"data": {"type": "list", "attributes": {"name": "n", "opt_in_process": "single_opt_in"}}}
    yield "POST", f"/api/lists/{target}/relationships/profiles", {"data": [{"type": "profile", "id": ids[5]}]}
    yield "POST", "/api/profile-bulk-import-jobs", consent_body("profile-bulk-import-job", [attributes])
    person = {"email": emails[4], "subscriptions": SUBSCRIBE}
    for word in ("create", "delete"):
        kind = f"profile-subscription-bulk-{word}-job"
        yield "POST", f"/api/{kind}s", consent_body(kind, [person], target, historical_import=False)
    kind = "profile-suppression-bulk-create-job"
    yield "POST", f"/api/{kind}s", consent_body(kind, [{"email": emails[6]}])
    merged = {"profiles": {"data": [{"type": "profile", "id": ids[8]}]}}
    yield "POST", "/api/profile-merge", {"data": {"type": "profile-merge", "id": ids[7], "relationships": merged}}
    gone = {"data": {"type": "profile", "attributes": {"email": emails[9]}}}
    yield "POST", "/api/data-privacy-deletion-jobs", {"data": {"type": "data-privacy-deletion-job", "attributes": {"profile": gone}}}


def test_a_body_with_anything_wrong_in_any_place_is_answered_in_the_vendors_words(application: KlaviyoSandbox) -> None:
    refused = 0
    for method, path, body in bodies(application):
        for place in places(body):
            for value in WRONG:
                sent = orjson.dumps(replaced(body, place, value))
                response, _ = application.answer(Request(method, path, [], HEADERS, sent, "http://127.0.0.1:1"))
                assert response.status in (200, 201, 202, 204, 400, 404, 409), (path, place, value)
                if response.status >= 400:
                    refused += 1
                    assert orjson.loads(response.body)["errors"][0]["source"]
    assert refused > 1000


def test_what_came_of_it_can_still_be_read(application: KlaviyoSandbox) -> None:
    assert isinstance(application.clock, VirtualClock)
    application.clock.advance(60)
    for table in ("profiles", "events", "members"):
        assert application.rows(table).num_rows
