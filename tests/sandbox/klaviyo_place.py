"""A running Klaviyo sandbox for its tests: a client with the tester's key, and bodies to send."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx
import pytest

from connectors.clock import VirtualClock
from connectors.klaviyo.sandbox.application import KlaviyoSandbox
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


@cache
def small_world() -> World:
    return random_world(3, 400, 4000, NOW)


class OnKlaviyo:
    """Test classes inherit: each test has a place of its own."""

    @pytest.fixture
    def world(self) -> World:
        return small_world()

    @pytest.fixture
    def place(self, world: World) -> Iterator[Place]:
        clock = VirtualClock(NOW)
        with Sandbox(clock, platforms=("klaviyo",)) as sandbox:
            application = sandbox.applications["klaviyo"]
            assert isinstance(application, KlaviyoSandbox)
            application.load(world)
            headers = {"Authorization": "Klaviyo-API-Key pk_sandbox_tester", "revision": "2026-07-15"}
            made = httpx.Client(base_url=sandbox.urls["klaviyo"], headers=headers, trust_env=False, verify=False)
            with made as client:
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
