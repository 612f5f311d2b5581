"""Lists and segments: finding them, their members, and adding and removing members of a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from connectors.klaviyo.sandbox import fieldsets, shapes
from connectors.klaviyo.sandbox.documents import Ask, Found, Reads, document, everyone, inside, page, single, walk
from connectors.klaviyo.sandbox.errors import invalid, missing
from connectors.klaviyo.sandbox.filters import DATE, TEXT, bounds, rule, wanted
from connectors.klaviyo.sandbox.groups import Group, Groups
from connectors.klaviyo.sandbox.people import iso
from connectors.klaviyo.sandbox.profile_reads import ADDITIONAL, ProfileReads
from connectors.sandbox.server import Request, Response, route

MOST = 1000                     # profiles in one add or remove. Source: Klaviyo OpenAPI, add_profiles_to_list
AFTER = rule("date", "greater-than")        # lists and segments know no upper bound
FIELDS = {"list": fieldsets.LIST, "segment": fieldsets.SEGMENT, "tag": fieldsets.TAG, "flow": fieldsets.FLOW}
COUNT = frozenset(("profile_count",))

LISTS = Reads(
    size=(10, 10), sorts=("created", "id", "name", "updated"), includes=("flow-triggers", "tags"), fields=FIELDS,
    rules={"name": TEXT, "id": TEXT, "created": AFTER, "updated": AFTER},
)
SEGMENTS = Reads(
    size=(10, 10), sorts=LISTS.sorts, includes=LISTS.includes, fields=FIELDS,
    rules={**LISTS.rules, "is_active": rule("flag", "any", "equals"), "is_starred": rule("flag", "equals")},
)
ONE_LIST = Reads(includes=LISTS.includes, fields=FIELDS, additional={"list": COUNT})
ONE_SEGMENT = Reads(includes=LISTS.includes, fields=FIELDS, additional={"segment": COUNT})
_MEMBER_RULES = {"email": TEXT, "phone_number": TEXT, "push_token": TEXT, "_kx": rule("text", "equals"), "joined_group_at": DATE}
MEMBER_IDS = Reads(size=(20, 100), sorts=("joined_group_at",), rules=_MEMBER_RULES)
MEMBERS = Reads(
    size=(20, 100), sorts=("joined_group_at",), rules=_MEMBER_RULES, additional=ADDITIONAL,
    fields={"profile": fieldsets.PROFILE | {"joined_group_at"}},
)
SEGMENT_MEMBER_IDS = Reads(size=(20, 100), sorts=("joined_group_at",), rules={**_MEMBER_RULES, "profile_id": TEXT})
SEGMENT_MEMBERS = Reads(
    size=(20, 100), sorts=MEMBERS.sorts, rules=SEGMENT_MEMBER_IDS.rules, additional=ADDITIONAL, fields=MEMBERS.fields,
)
TAGS = Reads(
    size=(50, 50), sorts=("id", "name"), includes=("tag-group",),
    fields={"tag": fieldsets.TAG, "tag-group": fieldsets.TAG_GROUP},
    rules={"name": rule("text", "contains", "ends-with", "equals", "starts-with")},
)


class GroupCalls(ProfileReads):
    """/api/lists, /api/segments, /api/tags."""

    @route("GET", "/api/lists", tier="L", scopes=("lists:read",))
    def get_lists(self, request: Request) -> Response:
        return self._groups(request, self.lists, LISTS)

    @route("GET", "/api/segments", tier="L", scopes=("segments:read",))
    def get_segments(self, request: Request) -> Response:
        return self._groups(request, self.segments, SEGMENTS)

    def _groups(self, request: Request, groups: Groups, reads: Reads) -> Response:
        wish = self.ask(request, reads)
        everything = groups.rows()
        kept = [n for n, group in enumerate(everything) if self._wanted_group(group, wish)]
        keys = [_group_key(group, wish.sort) for group in everything]
        order = np.array(sorted(kept, key=lambda n: (keys[n], n)), np.int64)
        found = walk(order, lambda n: keys[n], wish, everyone)
        chosen = [everything[n] for n in found.rows]
        included = self._included(request, chosen, wish)
        return page(request, [self.group(request, group, wish) for group in chosen], found.cursor, included)

    @staticmethod
    def _wanted_group(group: Group, wish: Ask) -> bool:
        facts = {"name": group.name, "id": group.id, "is_active": True, "is_starred": False}
        for field, value in facts.items():
            values = wanted(wish.found, field)
            if values is not None and value not in values:
                return False
        created, updated = bounds(wish.found, "created"), bounds(wish.found, "updated")
        return created.low <= group.created and updated.low <= group.updated

    def _included(self, request: Request, groups: Sequence[Group], wish: Ask) -> list[Any] | None:
        if not wish.include:
            return None
        made = []
        if "tags" in wish.include:
            for identity in sorted({tag for group in groups for tag in group.tags}):
                made.append(self._tag(request, identity))
        if "flow-triggers" in wish.include:
            ids = {group.id for group in groups}
            made += [self._flow(request, flow) for flow, (_, trigger) in self.flows.items() if trigger in ids]
        return made

    @route("GET", "/api/lists/{id}", tier="L", scopes=("lists:read",))
    def get_list(self, request: Request) -> Response:
        wish = self.ask(request, ONE_LIST)
        group = self.group_of(request, self.lists)
        return single(request, self.group(request, group, wish), included=self._included(request, [group], wish))

    @route("GET", "/api/segments/{id}", tier="L", scopes=("segments:read",))
    def get_segment(self, request: Request) -> Response:
        wish = self.ask(request, ONE_SEGMENT)
        group = self.group_of(request, self.segments)
        return single(request, self.group(request, group, wish), included=self._included(request, [group], wish))

    def group_of(self, request: Request, groups: Groups) -> Group:
        """The list or segment in the path; 404 when there is none."""
        identity = request.params["id"]
        if identity not in groups.by_id:
            missing("list" if groups is self.lists else "segment", identity)
        group = groups.by_id[identity]
        group.fit(len(self.people))
        return group

    @route("POST", "/api/lists", tier="M", scopes=("lists:write",), daily=150)
    def create_list(self, request: Request) -> Response:
        data = document(request, "list", shapes.LIST)
        name = _list_name(data["attributes"].get("name"))
        opt_in = _opt_in(inside(data, "attributes", "opt_in_process", default="double_opt_in"))
        wish = self.ask(request, Reads(fields=FIELDS))
        return single(request, self.group(request, self.add_list(name, opt_in), wish), 201)

    @route("PATCH", "/api/lists/{id}", tier="M", scopes=("lists:write",))
    def update_list(self, request: Request) -> Response:
        group = self.group_of(request, self.lists)
        data = document(request, "list", shapes.LIST)
        if data.get("id") != group.id:
            invalid("The id in the body must be that in the path.", "/data/id")
        wish = self.ask(request, Reads(fields=FIELDS))
        group.name = _list_name(inside(data, "attributes", "name", default=group.name))
        group.opt_in = _opt_in(inside(data, "attributes", "opt_in_process", default=group.opt_in))
        group.updated = self.clock.now() // 1000 * 1000
        return single(request, self.group(request, group, wish))

    @route("DELETE", "/api/lists/{id}", tier="M", scopes=("lists:write",))
    def delete_list(self, request: Request) -> Response:
        del self.lists.by_id[self.group_of(request, self.lists).id]
        return Response(204)

    # members

    @route("GET", "/api/lists/{id}/profiles", tier="L", scopes=("lists:read", "profiles:read"))
    def get_list_profiles(self, request: Request) -> Response:
        return self._members(request, self.lists, MEMBERS)

    @route("GET", "/api/segments/{id}/profiles", tier="L", scopes=("profiles:read", "segments:read"))
    def get_segment_profiles(self, request: Request) -> Response:
        return self._members(request, self.segments, SEGMENT_MEMBERS)

    def _members(self, request: Request, groups: Groups, reads: Reads) -> Response:
        wish = self.ask(request, reads)
        group = self.group_of(request, groups)
        found = self._member_rows(group, wish)
        return page(request, [self.profile(request, row, wish, int(group.shown[row])) for row in found.rows], found.cursor)

    @route("GET", "/api/lists/{id}/relationships/profiles", tier="L", scopes=("lists:read", "profiles:read"))
    def get_list_profile_ids(self, request: Request) -> Response:
        return self._member_ids(request, self.lists, MEMBER_IDS)

    @route("GET", "/api/segments/{id}/relationships/profiles", tier="L", scopes=("profiles:read", "segments:read"))
    def get_segment_profile_ids(self, request: Request) -> Response:
        return self._member_ids(request, self.segments, SEGMENT_MEMBER_IDS)

    def _member_ids(self, request: Request, groups: Groups, reads: Reads) -> Response:
        wish = self.ask(request, reads)
        found = self._member_rows(self.group_of(request, groups), wish)
        return page(request, [{"type": "profile", "id": self.people.ids[row]} for row in found.rows], found.cursor)

    def _member_rows(self, group: Group, wish: Ask) -> Found:
        within = bounds(wish.found, "joined_group_at")
        named = self._named([condition for condition in wish.found if condition.field != "joined_group_at"])
        profiles = wanted(wish.found, "profile_id")
        if profiles is not None:
            found = np.array(sorted(self.people.find(one) for one in profiles), np.int64)
            named = found if named is None else np.intersect1d(found, named)
        if wanted(wish.found, "push_token") is not None:
            named = np.zeros(0, np.int64)
        alive, shown = self.people.columns["alive"], group.shown
        listing = group.listing("joined" if wish.sort else "row")
        order = listing if named is None else listing[np.isin(listing, named)]

        def keep(rows: Any) -> Any:
            return alive[rows] & (shown[rows] >= within.low) & (shown[rows] < within.high)

        return walk(order, (lambda row: int(shown[row])) if wish.sort else int, wish, keep)

    @route("POST", "/api/lists/{id}/relationships/profiles", tier="M", scopes=("lists:write", "profiles:write"))
    def add_list_profiles(self, request: Request) -> Response:
        return self._change(request, joining=True)

    @route("DELETE", "/api/lists/{id}/relationships/profiles", tier="M", scopes=("lists:write", "profiles:write"))
    def remove_list_profiles(self, request: Request) -> Response:
        return self._change(request, joining=False)

    def _change(self, request: Request, joining: bool) -> Response:
        """All or nothing: one id that does not exist (any more) is 404 for the whole call. Removing who is not a member and
        adding who is one are no errors. Source: Klaviyo OpenAPI; atomicity is not documented, this is the careful reading."""
        group = self.group_of(request, self.lists)
        rows = [self.row_of(identity) for identity in _ids(request, "profile", MOST)]
        self.change_members(group, rows, joining)
        return Response(204)

    # flows and tags

    @route("GET", "/api/lists/{id}/flow-triggers", tier="S", scopes=("flows:read", "lists:read"))
    def get_list_flows(self, request: Request) -> Response:
        self.ask(request, Reads(fields={"flow": fieldsets.FLOW}))
        group = self.group_of(request, self.lists)
        return page(request, [self._flow(request, flow) for flow, (_, trigger) in self.flows.items() if trigger == group.id], "")

    def _flow(self, request: Request, identity: str) -> dict[str, Any]:
        at = iso(self.clock.now())
        return {
            "type": "flow", "id": identity, "links": {"self": f"{request.base}/api/flows/{identity}/"},
            "attributes": {"name": self.flows[identity][0], "status": "live", "archived": False, "created": at, "updated": at,
                           "trigger_type": "Added to List"},
        }

    @route("GET", "/api/tags", tier="S", scopes=("tags:read",))
    def get_tags(self, request: Request) -> Response:
        wish = self.ask(request, TAGS)
        kept = [identity for identity, name in self.tags.items() if all(_fits(name, c.operator, c.values[0]) for c in wish.found)]
        keys = [self.tags[identity] if wish.sort == "name" else identity for identity in kept]
        order = np.array(sorted(range(len(kept)), key=lambda n: keys[n]), np.int64)
        found = walk(order, lambda n: keys[n], wish, everyone)
        return page(request, [self._tag(request, kept[n]) for n in found.rows], found.cursor, [] if wish.include else None)

    def _tag(self, request: Request, identity: str) -> dict[str, Any]:
        return {"type": "tag", "id": identity, "attributes": {"name": self.tags[identity]},
                "links": {"self": f"{request.base}/api/tags/{identity}/"}}

    @route("POST", "/api/tags/{id}/relationships/lists", tier="S", scopes=("lists:write", "tags:write"))
    def tag_lists(self, request: Request) -> Response:
        tag = request.params["id"]
        if tag not in self.tags:
            missing("tag", tag)
        ids = _ids(request, "list", 100)
        for identity in ids:
            if identity not in self.lists.by_id:
                missing("list", identity)
        for identity in ids:
            tags = self.lists.by_id[identity].tags
            tags += [] if tag in tags else [tag]
        return Response(204)


def _ids(request: Request, kind: str, most: int) -> list[str]:
    """The ids in a body of resource identifiers; 400 for another type, none, or too many."""
    try:
        body = request.json()
    except ValueError:
        invalid("JSON parse error.", "")
    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, list) or not data:
        invalid("This field may not be empty.", "/data")
    if len(data) > most:
        invalid(f"No more than {most} {kind}s may be given.", "/data")
    for number, one in enumerate(data):
        if not isinstance(one, dict) or one.get("type") != kind or not isinstance(one.get("id"), str):
            invalid(f"A resource identifier of type '{kind}' is expected.", f"/data/{number}")
    return list(dict.fromkeys(one["id"] for one in data))


def _list_name(name: Any) -> str:
    if not isinstance(name, str) or not name.strip():
        invalid("A list needs a name.", "/data/attributes/name")
    return name


def _opt_in(value: Any) -> str:
    if value not in ("double_opt_in", "single_opt_in"):
        invalid("opt_in_process must be single_opt_in or double_opt_in.", "/data/attributes/opt_in_process")
    return str(value)


def _group_key(group: Group, sort: str) -> Any:
    return {"name": group.name, "created": group.created, "updated": group.updated}.get(sort, group.id)


def _fits(name: str, operator: str, value: str) -> bool:
    return {"contains": value in name, "ends-with": name.endswith(value), "starts-with": name.startswith(value),
            "equals": name == value}[operator]


