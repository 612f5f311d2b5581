"""Creating, changing and merging profiles: one by one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from connectors.klaviyo.sandbox import fieldsets, shapes
from connectors.klaviyo.sandbox.documents import Reads, document, reply, single
from connectors.klaviyo.sandbox.errors import duplicate, invalid, refuse
from connectors.klaviyo.sandbox.event_calls import EventCalls
from connectors.klaviyo.sandbox.profile_reads import ADDITIONAL
from connectors.sandbox.server import Request, Response, route

PROFILE_BYTES = 100_000         # Source: Klaviyo API docs, profile import
EMAIL = re.compile(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+\.[^@\s,;<>\".]+")
E164 = re.compile(r"\+[1-9]\d{6,14}")
WRITES = Reads(fields={"profile": fieldsets.PROFILE}, additional=ADDITIONAL)
MERGE = Reads(fields={"profile": frozenset(())})
IDENTIFIERS = ("email", "phone_number", "external_id")
NAMES = ("first_name", "last_name")
OTHERS = ("organization", "locale", "title", "image")
PARTIAL = {"X-Klaviyo-Partial-Failure": "phone_number"}


class ProfileWrites(EventCalls):
    """POST and PATCH of profiles, profile-import, profile-merge."""

    @route("POST", "/api/profiles", creates=True, tier="L", scopes=("profiles:write",))
    def create_profile(self, request: Request) -> Response:
        data = self._profile_document(request)
        attributes = data["attributes"]
        dropped = self.check_attributes(attributes)
        found = self._holders(attributes)
        if found:
            duplicate(self.people.ids[min(found)])
        if not any(attributes.get(name) for name in IDENTIFIERS):
            invalid("One of email, phone_number, external_id is required.", "/data/attributes")
        row = self.people.create(self.clock.now())
        self.apply(row, attributes, data.get("meta") or {})
        return self._written(request, row, 201, dropped)

    @route("PATCH", "/api/profiles/{id}", tier="L", scopes=("profiles:write",))
    def update_profile(self, request: Request) -> Response:
        row = self.row_of(request.params["id"])
        data = self._profile_document(request)
        if data.get("id") != request.params["id"]:
            invalid("The id in the body must be that in the path.", "/data/id")
        attributes = data["attributes"]
        dropped = self.check_attributes(attributes)
        others = self._holders(attributes) - {row}
        if others:
            duplicate(self.people.ids[min(others)])
        self.apply(row, attributes, data.get("meta") or {})
        return self._written(request, row, 200, dropped)

    @route("POST", "/api/profile-import", creates=True, tier="L", scopes=("profiles:write",))
    def import_profile(self, request: Request) -> Response:
        """Create or update: 201 or 200."""
        data = self._profile_document(request)
        attributes = data["attributes"]
        dropped = self.check_attributes(attributes)
        row, fresh = self.upsert(data)
        return self._written(request, row, 201 if fresh else 200, dropped)

    def _profile_document(self, request: Request) -> dict[str, Any]:
        if len(request.body) > PROFILE_BYTES:
            refuse(413, "The request payload exceeds the maximum size.")
        return document(request, "profile", shapes.PROFILE)

    def check_attributes(self, attributes: dict[str, Any], at: str = "/data") -> bool:
        """Refuse what is no address and what profiles do not have. True when a phone number was taken out because it is not in
        E.164 and another identifier is there: the call goes on and says so in a header.

        Source: community.klaviyo.com topic 18034.
        """
        email, phone = attributes.get("email"), attributes.get("phone_number")
        if email is not None and not EMAIL.fullmatch(email.strip()):
            invalid("Invalid email address", f"{at}/attributes/email")
        unknown = set(attributes) - {*IDENTIFIERS, *NAMES, *OTHERS, "location", "properties", "_kx", "anonymous_id", "meta"}
        if unknown:
            invalid(f"'{min(unknown)}' is not a valid field for the resource 'profile'.", f"{at}/attributes/{min(unknown)}")
        if phone is None or E164.fullmatch(phone):
            return False
        if phone == "" or not (email or attributes.get("external_id")):
            invalid("Invalid phone number format (Example of a valid format: +12345678901)", f"{at}/attributes/phone_number")
        del attributes["phone_number"]
        return True

    def _holders(self, attributes: Mapping[str, Any]) -> set[int]:
        return self.people.found_by(**{name: str(attributes.get(name) or "") for name in IDENTIFIERS})

    def upsert(self, data: Mapping[str, Any]) -> tuple[int, bool]:
        """The profile that *data* names, changed; made when there is none (then True).

        409 when its identifiers belong to two. Observed: github.com issue klaviyo/klaviyo-api-node#75.
        """
        attributes = data["attributes"]
        found = self.resolve(data)
        if not found and not any(attributes.get(name) for name in IDENTIFIERS):
            invalid("One of id, email, phone_number, external_id is required.", "/data/attributes")
        row = min(found) if found else self.people.create(self.clock.now())
        self.apply(row, attributes, data.get("meta") or attributes.get("meta") or {})
        return row, not found

    def resolve(self, data: Mapping[str, Any]) -> set[int]:
        """The row that *data* names by id or identifiers, if any; 404 for an id that is gone, 409 when they name two."""
        found = self._holders(data["attributes"])
        if data.get("id"):
            row = self.row_of(data["id"])
            if found - {row}:
                duplicate(self.people.ids[min(found - {row})])
            return {row}
        if len(found) > 1:
            duplicate(self.people.ids[max(found)])
        return found

    def apply(self, row: int, attributes: Mapping[str, Any], meta: Mapping[str, Any]) -> None:
        """Write checked attributes: null clears, absent keeps; `updated` moves."""
        people = self.people
        extra = people.extra.setdefault(row, {})
        for name in (*IDENTIFIERS, *NAMES):
            if name in attributes:
                people.name(row, name, (attributes[name] or "").strip())
        extra.update({name: attributes[name] for name in OTHERS if name in attributes})
        place = dict(attributes.get("location") or {})
        for name in ("city", "country"):
            if name in place:
                people.name(row, name, place.pop(name) or "")
        extra["location"] = {**extra.get("location", {}), **place}
        properties = {**extra.get("properties", {}), **(attributes.get("properties") or {})}
        extra["properties"] = _patched(properties, meta.get("patch_properties") or {})
        people.touch(row, self.clock.now())

    def _written(self, request: Request, row: int, status: int, dropped: bool) -> Response:
        wish = self.ask(request, WRITES)
        response = single(request, self.profile(request, row, wish), status)
        response.headers.update(PARTIAL if dropped else {})
        return response

    @route("POST", "/api/profile-merge", consent=True, tier="M", scopes=("profiles:write",))
    def merge_profiles(self, request: Request) -> Response:
        """One source into one destination, when the job's time has come; then the source's id is 404."""
        self.ask(request, MERGE)
        data = document(request, "profile-merge", shapes.MERGE)
        sources = data["relationships"]["profiles"]["data"]
        if len(sources) != 1:
            invalid("Exactly one source profile is expected.", "/data/relationships/profiles/data")
        winner, loser = self.row_of(data["id"]), self.row_of(sources[0]["id"])
        if winner == loser:
            invalid("A profile cannot be merged into itself.", "/data/relationships/profiles/data/0/id")
        self.later(self.sky.lag("jobs"), lambda: self.merge(winner, loser))
        identity = self.people.ids[winner]
        resource = {"type": "profile", "id": identity, "links": {"self": f"{request.base}/api/profiles/{identity}/"}}
        return reply(201, {"data": resource, "links": {"self": f"{request.base}/api/profile-merge/"}})

    def merge(self, winner: int, loser: int) -> None:
        """*loser* is no more; its events, memberships, suppressions and what the winner lacked are the winner's."""
        people = self.people
        if not people.columns["alive"][winner] or not people.columns["alive"][loser]:
            return
        self.events.replace(loser, winner)
        for group in (*self.lists.rows(), *self.segments.rows()):
            group.fit(len(people))
            group.replace(loser, winner)
        for reason, at in people.suppressions.get(loser, {}).items():
            people.suppress(winner, reason, at)
        held = {name: people.text[name][loser] for name in people.text if name != "email"}
        properties = people.extra.get(loser, {}).get("properties", {})
        email = people.text["email"][loser]
        people.bury(loser)
        for name, value in {**held, "email": email}.items():
            if value and not people.text[name][winner]:
                people.name(winner, name, value)
        extra = people.extra.setdefault(winner, {})
        extra["properties"] = {**properties, **extra.get("properties", {})}
        last = people.columns["last_event"]
        last[winner] = np.maximum(last[winner], last[loser])
        people.touch(winner, self.clock.now())

    def erase(self, row: int) -> None:
        """The profile vanishes, with its events and memberships; nothing tells that it was there."""
        now = self.clock.now()
        for group in (*self.lists.rows(), *self.segments.rows()):
            group.fit(len(self.people))
            group.change([row], 0, [0], now)
        self.people.bury(row)


def _patched(properties: dict[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """append adds to an array what is not in it (whether twice: not documented), unappend takes out, unset drops the key."""
    for name, value in (patch.get("append") or {}).items():
        before = _listed(properties.get(name))
        properties[name] = before + [item for item in _listed(value) if item not in before]
    for name, value in (patch.get("unappend") or {}).items():
        if name in properties:
            properties[name] = [item for item in _listed(properties[name]) if item not in _listed(value)]
    for name in _listed(patch.get("unset")):
        properties.pop(name, None)
    return {name: value for name, value in properties.items() if value is not None}


def _listed(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]
