"""A running emulated HubSpot and a client with the tester's key, for the tests of its behaviours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from connectors.clock import VirtualClock
from connectors.hubspot.sandbox.application import HubSpotSandbox
from connectors.sandbox.keys import KEYS
from connectors.sandbox.server import Sandbox
from connectors.sandbox.world import World, random_world

NOW = 1_795_000_000_000         # 2026-11-18T11:06:40Z
CONTACTS, LISTS = "/crm/objects/2026-09/contacts", "/crm/lists/2026-09"
WORLD = random_world(3, 400, 6000, NOW)


@dataclass
class Place:
    """A running sandbox and a client with the tester's key."""

    sandbox: Sandbox
    application: HubSpotSandbox
    client: httpx.Client
    clock: VirtualClock

    def get(self, path: str, **query: Any) -> Any:
        return self.asked("GET", path, query=query)

    def post(self, path: str, body: Any, status: int = 200, **query: Any) -> Any:
        return self.asked("POST", path, body, status, query)

    def asked(self, method: str, path: str, body: Any = None, status: int = 200, query: Any = None) -> Any:
        """The JSON of an answer with that status; a little time passes, so that limits do not stand in the way."""
        self.clock.advance(0.06 if "/search" not in path else 0.21)
        answer = self.client.request(method, path, params=query or None, json=body)
        assert answer.status_code == status, (method, path, answer.status_code, answer.text)
        return answer.json() if answer.content and "json" in answer.headers["content-type"] else None

    def refused(self, status: int, method: str, path: str, body: Any = None, **query: Any) -> dict[str, Any]:
        error: dict[str, Any] = self.asked(method, path, body, status, query)
        return error

    def act(self, deed: str, **values: Any) -> Any:
        return self.application.act(deed, **values)

    def rows(self, table: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.application.rows(table).to_pylist()
        return found

    # shortcuts

    def create(self, email: str, **properties: Any) -> str:
        return str(self.post(CONTACTS, {"properties": {"email": email, **properties}}, 201)["id"])

    def contact(self, identity: str, *properties: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"{CONTACTS}/{identity}", properties=",".join(properties))["properties"]
        return found

    def manual(self, name: str = "VIP") -> str:
        wish = {"name": name, "objectTypeId": "0-1", "processingType": "MANUAL"}
        return str(self.post(LISTS, wish)["list"]["listId"])

    def search(self, *filters: dict[str, Any], kind: str = "contacts", **more: Any) -> Any:
        return self.post(f"/crm/objects/2026-09/{kind}/search", {"filterGroups": [{"filters": list(filters)}], **more})

    def found(self, *filters: dict[str, Any], kind: str = "contacts", **more: Any) -> list[str]:
        return [one["id"] for one in self.search(*filters, kind=kind, limit=200, **more)["results"]]

    def some(self, state: str, count: int = 1) -> list[dict[str, Any]]:
        """Living people whose permission has that native word."""
        return [one for one in self.rows("profiles") if one["state"] == state and one["live"]][:count]


def condition(name: str, operator: str, value: Any = None, **more: Any) -> dict[str, Any]:
    """One condition of a search."""
    return {"propertyName": name, "operator": operator, **({} if value is None else {"value": value}), **more}


@contextmanager
def place(world: World | None = WORLD) -> Iterator[Place]:
    clock = VirtualClock(NOW)
    with Sandbox(clock, platforms=("hubspot",)) as sandbox:
        application = sandbox.applications["hubspot"]
        assert isinstance(application, HubSpotSandbox)
        if world is not None:
            application.load(world)
        headers = {"Authorization": f"Bearer {KEYS['hubspot']['tester']}"}
        with httpx.Client(base_url=sandbox.urls["hubspot"], headers=headers, trust_env=False) as client:
            yield Place(sandbox, application, client, clock)
