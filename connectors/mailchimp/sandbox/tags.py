"""Tags and static segments: reading them, and changing who carries them, one by one and 500 at a time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from connectors.mailchimp.sandbox import asking, errors
from connectors.mailchimp.sandbox.asking import Shape
from connectors.mailchimp.sandbox.ground import stamp
from connectors.mailchimp.sandbox.people import ARCHIVED, GONE, HIDDEN_ON_SEGMENTS, Rows
from connectors.mailchimp.sandbox.records import Records
from connectors.mailchimp.sandbox.segments import Segment
from connectors.sandbox.server import Request, Response, route

MOST = 500                                          # addresses per field of a batch. Source: vendor's Swagger
NAME_LIMIT = 100                                    # as in the product; the API's own limit is not documented
OVER = ("Maximum allowed member items exceeded, please provide at most 500 items in members_to_add field or "
        "members_to_remove field")
NOT_THERE = "Email addresses were not found on this list"
LEFT_OUT = ("tags", "tags_count", "source", "web_id")   # which members of a segment do not have (vendor's Swagger)


class Tags(Records):
    """Handlers of `/segments`, `/tag-search` and the tags of a member."""

    # --- of one member

    @route("GET", "/3.0/lists/{list}/members/{hash}/tags")
    def tags_of(self, request: Request) -> Response:
        row = self.member_of(request)
        number, _ = self.audience_of(request)
        found = [
            {"id": one.id, "name": one.name, "date_added": stamp(int(one.added[row]))}
            for one in self.segments.of(number) if one.holds(row)
        ]
        return self.told(request, {"tags": found[asking.paging(request)], "total_items": len(found), "_links": []})

    @route("POST", "/3.0/lists/{list}/members/{hash}/tags")
    def change_tags(self, request: Request) -> Response:
        """Only the named ones change; an unknown active name is created, an unknown inactive one ignored.

        Source: Mailchimp docs, "Organize contacts with tags"; an archived member takes tags (observed: grouparoo fixtures).
        """
        row = self.member_of(request)
        number, _ = self.audience_of(request)
        wanted = self._wanted_tags(asking.body(request))
        now = self.clock.now()
        for name, active in wanted:
            found = self.segments.named(number, name)
            if found is None and active:
                found = self.segments.create(number, name, now)
            if found is not None:
                found.change(row, active, now, self.lag("members"))
        if wanted:
            self.people.touch([row], now, self.lag("members"))
        return Response(204)

    def _wanted_tags(self, sent: dict[str, Any]) -> list[tuple[str, bool]]:
        asking.checked(sent, {"tags": list, "is_syncing": bool})
        if "tags" not in sent:
            raise errors.invalid_fields(tags="This value should not be blank.")
        found = []
        for n, one in enumerate(sent["tags"]):
            whole = isinstance(one, dict) and isinstance(one.get("name"), str) and one.get("status") in ("active", "inactive")
            if not whole:
                raise errors.invalid_fields(**{f"tags__item:{n}": "Schema describes object with name and status"})
            self._check_name(one["name"])
            found.append((one["name"], one["status"] == "active"))
        return found

    def _check_name(self, name: object) -> None:
        if not isinstance(name, str) or not name.strip():
            raise errors.invalid_fields(name="This value should not be blank.")
        if len(name) > NAME_LIMIT:
            raise errors.invalid_fields(name=f"This value is too long. It should have {NAME_LIMIT} characters or less.")

    # --- of an audience

    @route("GET", "/3.0/lists/{list}/tag-search")
    def tag_search(self, request: Request) -> Response:
        """Names that begin with `name`, whatever the case; all of them without it (observed: estuary/connectors)."""
        number, _ = self.audience_of(request)
        start = request.one("name").casefold()
        found = [one for one in self.segments.of(number) if one.name.casefold().startswith(start)]
        page = [{"id": one.id, "name": one.name} for one in found[asking.paging(request, asking.MOST)]]
        return self.told(request, {"tags": page, "total_items": len(found), "_links": []})

    @route("GET", "/3.0/lists/{list}/segments")
    def all_segments(self, request: Request) -> Response:
        """An unknown `type` gives an empty 200 (observed: estuary/connectors, source-mailchimp-native)."""
        number, audience = self.audience_of(request)
        found = self.segments.of(number) if request.one("type") in ("", "static") else []
        for name in ("created", "updated"):
            since, before = asking.window(request, f"{name}_at")
            found = [one for one in found if (since is None or getattr(one, name) > since)
                     and (before is None or getattr(one, name) <= before)]
        page = [self._segment(one, request) for one in found[asking.paging(request)]]
        return self.told(request, {"segments": page, "list_id": audience.id, "total_items": len(found), "_links": []})

    @route("POST", "/3.0/lists/{list}/segments")
    def add_segment(self, request: Request) -> Response:
        """A name that is taken is refused (expected, not documented); conditions are not emulated."""
        number, _ = self.audience_of(request)
        sent = asking.body(request)
        asking.checked(sent, {"name": str, "static_segment": list, "options": dict}, ("name",))
        self._check_name(sent["name"])
        if "options" in sent or "static_segment" not in sent:
            raise errors.invalid("This sandbox keeps static segments only; send static_segment.")
        if self.segments.named(number, sent["name"]):
            raise errors.bad_request("Sorry, that tag already exists.")
        made = self.segments.create(number, sent["name"], self.clock.now())
        rows, _ = self._rows_of(sent["static_segment"], number)
        self._change(made, rows, True)
        return self.told(request, self._segment(made, request))

    @route("GET", "/3.0/lists/{list}/segments/{segment}")
    def one_segment(self, request: Request) -> Response:
        return self.told(request, self._segment(self.segment_of(request), request))

    @route("PATCH", "/3.0/lists/{list}/segments/{segment}")
    def change_segment(self, request: Request) -> Response:
        """`static_segment` replaces everybody: an empty one empties the tag."""
        found = self.segment_of(request)
        number, _ = self.audience_of(request)
        sent = asking.body(request)
        asking.checked(sent, {"name": str, "static_segment": list}, ("name",))
        self._check_name(sent["name"])
        other = self.segments.named(number, sent["name"])
        if other is not None and other is not found:
            raise errors.bad_request("Sorry, that tag already exists.")
        found.name = sent["name"].strip()
        if "static_segment" in sent:
            rows, _ = self._rows_of(sent["static_segment"], number)
            self._change(found, [row for row in found.rows().tolist() if row not in rows], False)
            self._change(found, rows, True)
        return self.told(request, self._segment(found, request))

    @route("DELETE", "/3.0/lists/{list}/segments/{segment}")
    def drop_segment(self, request: Request) -> Response:
        del self.segments.by_id[self.segment_of(request).id]
        return Response(204)

    # --- who carries a tag

    @route("POST", "/3.0/lists/{list}/segments/{segment}")
    def change_members(self, request: Request) -> Response:
        """Up to 500 added and 500 removed; addresses that are not there come back in `errors`, with status 200.

        The limit's wording was observed: github.com issue hitobito/hitobito#1819. Our choices where the vendor is silent:
        who is in already is not listed in members_added, archived people are "not found", opted-out people can be added.
        """
        found = self.segment_of(request)
        number, _ = self.audience_of(request)
        sent = asking.body(request)
        asking.checked(sent, {"members_to_add": list, "members_to_remove": list})
        adds, removes = sent.get("members_to_add") or [], sent.get("members_to_remove") or []
        if max(len(adds), len(removes)) > MOST:
            raise errors.invalid(OVER)
        add_rows, unknown = self._rows_of(adds, number)
        remove_rows, unknown_too = self._rows_of(removes, number)
        added, removed = self._change(found, add_rows, True), self._change(found, remove_rows, False)
        strangers = unknown + unknown_too
        refused = [{"email_addresses": strangers, "error": NOT_THERE}] if strangers else []
        return self.told(request, {
            "members_added": self.members(added, Shape.of(request), "members_added", leave=LEFT_OUT[2:]),
            "members_removed": self.members(removed, Shape.of(request), "members_removed", leave=LEFT_OUT[2:]),
            "errors": refused, "total_added": len(added), "total_removed": len(removed), "error_count": len(refused),
            "_links": [],
        })

    def _rows_of(self, addresses: Iterable[object], number: int) -> tuple[list[int], list[str]]:
        """Rows of known, not archived people in the order sent, each once; and the addresses of nobody."""
        rows: dict[int, None] = {}
        strangers = []
        for one in addresses:
            row = self.people.find(number, one) if isinstance(one, str) and "@" in one else None
            if row is None or self.people.status(row) == ARCHIVED:
                strangers.append(str(one))
            else:
                rows[row] = None
        return list(rows), strangers

    def _change(self, segment: Segment, rows: Iterable[int], held: bool) -> Rows:
        """Add or remove; those for whom that changed something, whose last_changed moves."""
        now = self.clock.now()
        changed = [row for row in rows if segment.change(row, held, now, self.lag("members"))]
        if changed:
            self.people.touch(changed, now, self.lag("members"))
        return np.array(changed, np.int64)

    @route("GET", "/3.0/lists/{list}/segments/{segment}/members")
    def members_on(self, request: Request) -> Response:
        """Opted-out, cleaned and transactional members show only when asked for, and `total_items` never counts them
        (observed: estuary/connectors: three rows, total_items 2). Archived members never show."""
        found = self.segment_of(request)
        everybody = found.listed(self.clock.now())
        shown = self._shown(everybody, request)[asking.paging(request)]
        page = self.members(shown, Shape.of(request), listing=True, leave=LEFT_OUT)
        return self.told(request, {"members": page, "total_items": len(self._shown(everybody)), "_links": []})

    def _shown(self, rows: Rows, request: Request | None = None) -> Rows:
        states = self.people.rows["status"][rows]
        hidden = [status for name, status in HIDDEN_ON_SEGMENTS.items() if request is None or not asking.flag(request, name)]
        shown: Rows = rows[np.isin(states, [*hidden, ARCHIVED, GONE], invert=True)]
        return shown

    @route("POST", "/3.0/lists/{list}/segments/{segment}/members")
    def add_member_to(self, request: Request) -> Response:
        found = self.segment_of(request)
        sent = asking.body(request)
        asking.checked(sent, {"email_address": str}, ("email_address",))
        rows, strangers = self._rows_of([sent["email_address"]], self.audience_of(request)[0])
        if strangers:
            raise errors.missing()
        self._change(found, rows, True)
        return self.told(request, self.members(np.array(rows), leave=LEFT_OUT)[0])

    @route("DELETE", "/3.0/lists/{list}/segments/{segment}/members/{hash}")
    def drop_member_from(self, request: Request) -> Response:
        found, row = self.segment_of(request), self.member_of(request)
        if not found.holds(row):
            raise errors.missing()
        self._change(found, [row], False)
        return Response(204)

    def _segment(self, one: Segment, request: Request) -> dict[str, Any]:
        audience = self.audiences[one.audience]
        return {
            "id": one.id, "name": one.name, "member_count": len(self._shown(one.listed(self.clock.now()), request)),
            "type": "static", "created_at": stamp(one.created), "updated_at": stamp(one.updated), "list_id": audience.id,
            "_links": [self.link("self", f"/lists/{audience.id}/segments/{one.id}", request)],
        }
