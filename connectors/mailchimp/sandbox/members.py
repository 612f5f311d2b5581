"""Reading members: the listing with its filters, one of them, searching, their history."""

from __future__ import annotations

from typing import Any

import numpy as np

from connectors.mailchimp.sandbox import asking, errors
from connectors.mailchimp.sandbox.asking import Shape
from connectors.mailchimp.sandbox.ground import stamp
from connectors.mailchimp.sandbox.people import ARCHIVED, GONE, STATUSES, Rows, token
from connectors.mailchimp.sandbox.records import Records
from connectors.sandbox.server import Request, Response, route

ASKABLE = STATUSES[: ARCHIVED + 1]
SORTS = ("timestamp_opt", "timestamp_signup", "last_changed")


class Members(Records):
    """GET /lists/{list}/members and below."""

    @route("GET", "/3.0/lists/{list}/members")
    def all_members(self, request: Request) -> Response:
        """Without `status`, archived members are absent (observed: estuary/connectors, source-mailchimp-native)."""
        number, audience = self.audience_of(request)
        shape = Shape.of(request)
        found = self._filtered(request, self._listed(request, number), number)
        page = self.members(found[asking.paging(request)], shape, listing=True)
        return self.told(request, {
            "members": page, "list_id": audience.id, "total_items": len(found),
            "_links": [self.link("self", f"/lists/{audience.id}/members", request)],
        })

    def _listed(self, request: Request, number: int) -> Rows:
        status = asking.choice(request, "status", ASKABLE)
        opted = asking.window(request, "timestamp_opt")
        if request.one("unsubscribed_since") and status != "unsubscribed":
            raise errors.invalid_fields(unsubscribed_since="This parameter can only be used with status=unsubscribed.")
        if asking.flag(request, "since_last_campaign") and not status:
            raise errors.invalid_fields(since_last_campaign="A status is required with this parameter.")
        return self.people.listed(
            number, self.clock.now(), status=STATUSES.index(status) if status else None,
            changed=self._changed(request), opted=opted, sort=asking.choice(request, "sort_field", SORTS),
            down=asking.choice(request, "sort_dir", ("ASC", "DESC")) == "DESC", vip=asking.flag(request, "vip_only"),
        )

    def _changed(self, request: Request) -> tuple[int | None, int | None]:
        """The window of last_changed; the two special "since" filters narrow it."""
        since, before = asking.window(request, "last_changed")
        more = [since, asking.moment(request.one("unsubscribed_since"))]
        if asking.flag(request, "since_last_campaign"):
            more.append(max((one.sent for one in self.mail.campaigns), default=0))
        return max((one for one in more if one is not None), default=None), before

    def _filtered(self, request: Request, found: Rows, number: int) -> Rows:
        """The rare filters, which look at each record."""
        wanted = request.one("unique_email_id")
        if wanted:
            hits = [row for row in found.tolist() if token("unique", self.people.hashes[row]) == wanted]
            found = np.array(hits, np.int64)
        ids = [one for one in request.one("interest_ids").split(",") if one]
        if ids:
            known = list(self.audiences[number].interests)
            if any(one not in known for one in ids):
                raise errors.invalid_fields(interest_ids="Unknown interest.")
            mask = sum(1 << known.index(one) for one in ids)
            bits = self.people.rows["interests"][found] & mask
            how = asking.choice(request, "interest_match", ("any", "all", "none")) or "any"
            found = found[{"any": bits != 0, "all": bits == mask, "none": bits == 0}[how]]
        return found

    @route("GET", "/3.0/lists/{list}/members/{hash}")
    def one_member(self, request: Request) -> Response:
        """An archived member is still found here (observed: grouparoo/grouparoo fixtures)."""
        return self.told(request, self.member(self.member_of(request)))

    @route("GET", "/3.0/search-members")
    def search_members(self, request: Request) -> Response:
        query = request.one("query").strip().lower()
        if not query:
            raise errors.invalid_fields(query="This value should not be blank.")
        audiences = [n for n, one in enumerate(self.audiences) if request.one("list_id") in ("", one.id)]
        states = self.people.rows["status"]
        exact = [row for n in audiences if (row := self.people.find(n, query)) is not None and states[row] != ARCHIVED]
        hits = [row for row, email in enumerate(self.people.emails)
                if query in email.lower() and states[row] not in (ARCHIVED, GONE)
                and self.people.rows["audience"][row] in audiences][:30]
        return self.told(request, {
            "exact_matches": {"members": [self.member(row) for row in exact], "total_items": len(exact)},
            "full_search": {"members": [self.member(row) for row in hits], "total_items": len(hits)}, "_links": [],
        })

    # --- custom events

    @route("GET", "/3.0/lists/{list}/members/{hash}/events")
    def events_of(self, request: Request) -> Response:
        """Newest first."""
        found = self.people.events.get(self.member_of(request), [])
        newest = sorted(found, key=lambda one: str(one["occurred_at"]), reverse=True)
        return self.told(request, {"events": newest[asking.paging(request)], "total_items": len(newest), "_links": []})

    @route("POST", "/3.0/lists/{list}/members/{hash}/events")
    def add_event(self, request: Request) -> Response:
        """Not idempotent: a repeat records it twice. Source: Mailchimp docs, "Track outside activity with events"."""
        row = self.member_of(request)
        sent = asking.body(request)
        asking.checked(sent, {"name": str, "properties": dict, "is_syncing": bool, "occurred_at": str}, ("name",))
        if not 2 <= len(sent["name"]) <= 30:
            raise errors.invalid_fields(name="This value should have between 2 and 30 characters.")
        if any(not isinstance(value, str) for value in sent.get("properties", {}).values()):
            raise errors.invalid_fields(properties="Property values should be strings.")
        at = asking.moment(sent.get("occurred_at", "")) if sent.get("occurred_at") else self.clock.now()
        if at is None:
            raise errors.invalid_fields(occurred_at="This value is not a valid datetime.")
        self.people.events.setdefault(row, []).append(_event(sent, at))
        return Response(204)


def _event(sent: dict[str, Any], at: int) -> dict[str, Any]:
    found: dict[str, Any] = {"occurred_at": stamp(at), "name": sent["name"]}
    return found | ({"properties": sent["properties"]} if "properties" in sent else {})
