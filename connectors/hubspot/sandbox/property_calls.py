"""Definitions of properties over HTTP, in the dated shape, v3, and the bare arrays of v1 and v2.

Source: HubSpot API reference 2026-09, Properties; v1 and v2 shapes as singer-io/tap-hubspot and airbytehq/airbyte read them.
"""

from __future__ import annotations

import re
from typing import Any

from connectors.hubspot.sandbox.definitions import definition
from connectors.hubspot.sandbox.errors import error, invalid, not_there
from connectors.hubspot.sandbox.ground import Ground, twin
from connectors.hubspot.sandbox.kinds import BY_NAME
from connectors.hubspot.sandbox.times import iso, yes
from connectors.sandbox.server import Refusal, Request, Response, json_response, route

READ, WRITE = ("crm.schemas.{type}.read",), ("crm.schemas.{type}.write",)
NEEDED = ("name", "label", "groupName", "type", "fieldType")


class PropertyCalls(Ground):
    """`/crm/properties/{version}/{type}` ↔ `/crm/v3/properties/{type}`"""

    def _defined(self, request: Request) -> dict[str, dict[str, Any]]:
        return self.definitions.by_kind[BY_NAME[request.params["type"]].plural]

    @twin("GET", "/crm/properties/{version}/{type}", "/crm/v3/properties/{type}", scopes=READ)
    def list_properties(self, request: Request) -> Response:
        """Not paged. Nothing is ever archived here."""
        found = [] if yes(request.one("archived")) else list(self._defined(request).values())
        return json_response(200, {"results": found})

    @twin("POST", "/crm/properties/{version}/{type}", "/crm/v3/properties/{type}", scopes=WRITE)
    def create_property(self, request: Request) -> Response:
        """201; 409 when the name exists. Names are lower case and never change."""
        wish, known = self.body(request), self._defined(request)
        missing = [name for name in NEEDED if not wish.get(name)]
        if missing:
            invalid(f"Some required fields were not set: [{', '.join(missing)}]")
        if not re.fullmatch(r"[a-z][a-z0-9_]*", str(wish["name"])):
            invalid(f"Property name {wish['name']} is not valid")
        if wish["groupName"] not in self._groups(request):
            invalid(f"Property group {wish['groupName']} does not exist")
        if wish["name"] in known:
            raise Refusal(error(409, f"A property named {wish['name']} already exists", "CONFLICT"))
        known[wish["name"]] = definition(wish, iso(self.clock.now()))
        return json_response(201, known[wish["name"]])

    @twin("GET", "/crm/properties/{version}/{type}/{name}", "/crm/v3/properties/{type}/{name}", scopes=READ)
    def get_property(self, request: Request) -> Response:
        return json_response(200, self._one(request))

    @twin("PATCH", "/crm/properties/{version}/{type}/{name}", "/crm/v3/properties/{type}/{name}", scopes=WRITE)
    def update_property(self, request: Request) -> Response:
        """`options` replaces the whole list; values that used a dropped one stay readable."""
        told, wish = self._one(request), self.body(request)
        if told["modificationMetadata"]["readOnlyDefinition"]:
            invalid(f"Property {told['name']} is read only")
        for name in ("label", "groupName", "type", "fieldType", "description", "options", "displayOrder", "hidden", "formField"):
            if name in wish:
                told[name] = wish[name]
        told["updatedAt"] = iso(self.clock.now())
        return json_response(200, told)

    def _one(self, request: Request) -> dict[str, Any]:
        found = self._defined(request).get(request.params["name"])
        if found is None:
            not_there()
        return found

    # --- groups

    def _groups(self, request: Request) -> dict[str, dict[str, Any]]:
        return self.definitions.groups[BY_NAME[request.params["type"]].plural]

    @twin("GET", "/crm/properties/{version}/{type}/groups", "/crm/v3/properties/{type}/groups", scopes=READ)
    def list_groups(self, request: Request) -> Response:
        return json_response(200, {"results": list(self._groups(request).values())})

    @twin("POST", "/crm/properties/{version}/{type}/groups", "/crm/v3/properties/{type}/groups", scopes=WRITE)
    def create_group(self, request: Request) -> Response:
        wish, known = self.body(request), self._groups(request)
        if not wish.get("name") or not wish.get("label"):
            invalid("Some required fields were not set: [name, label]")
        if wish["name"] in known:
            raise Refusal(error(409, f"A property group named {wish['name']} already exists", "CONFLICT"))
        known[wish["name"]] = {
            "name": wish["name"], "label": wish["label"], "displayOrder": wish.get("displayOrder", -1), "archived": False,
        }
        return json_response(201, known[wish["name"]])

    # --- older shapes

    @route("GET", "/properties/v1/{type}/properties", scopes=READ)
    @route("GET", "/properties/v2/{type}/properties", scopes=READ)
    def bare_properties(self, request: Request) -> Response:
        """The same definitions as an array."""
        return json_response(200, list(self._defined(request).values()))

    @route("GET", "/crm/v3/schemas")
    def schemas(self, request: Request) -> Response:
        """The account's own object types: none."""
        return json_response(200, {"results": []})
