"""Writing members: create, upsert, patch, archive, delete for good, and 500 at once.

What changes somebody's permission is counted apart (`Route.consent`, `consent_touched`).
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from connectors.mailchimp.sandbox import asking, errors
from connectors.mailchimp.sandbox.errors import problem
from connectors.mailchimp.sandbox.people import (
    ARCHIVED,
    CLEANED,
    PENDING,
    STATUSES,
    SUBSCRIBED,
    TRANSACTIONAL,
    hash_of,
)
from connectors.mailchimp.sandbox.tags import MOST, Tags
from connectors.sandbox.server import Refusal, Request, Response, route

WRITABLE = STATUSES[:ARCHIVED]
ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
FACTS = ("email_type", "language", "location", "ip_signup", "ip_opt")
TIMES = {"timestamp_signup": "signup", "timestamp_opt": "opted"}
BODY = {
    "email_address": str, "status": str, "status_if_new": str, "email_type": str, "merge_fields": dict, "interests": dict,
    "language": str, "vip": bool, "location": dict, "ip_signup": str, "timestamp_signup": str, "ip_opt": str,
    "timestamp_opt": str, "tags": list, "marketing_permissions": list,
}


class Writing(Tags):
    """Handlers of POST, PUT, PATCH and DELETE below /lists/{list}/members, and of POST /lists/{list}."""

    # --- one by one

    @route("POST", "/3.0/lists/{list}/members", consent=True)
    def add_member(self, request: Request) -> Response:
        """An archived address comes back with its tags and contact_id; a live one is refused (observed: grouparoo)."""
        number, _ = self.audience_of(request)
        sent = asking.body(request)
        asking.checked(sent, BODY, ("email_address", "status"))
        row = self.people.find(number, hash_of(sent["email_address"]))
        if row is not None and self.people.status(row) != ARCHIVED:
            raise _exists(sent["email_address"])
        row = self._upsert(request, number, row, sent, sent["status"])
        return self.told(request, self.member(row))

    @route("PUT", "/3.0/lists/{list}/members/{hash}")
    def put_member(self, request: Request) -> Response:
        """`status_if_new` counts for new members only; known ones are taken without it and without an address (observed:
        grouparoo/grouparoo fixtures). Identical values leave last_changed alone."""
        number, _ = self.audience_of(request)
        sent = asking.body(request)
        row = self.people.find(number, request.params["hash"])
        if row is None or "status" in sent:
            self.consent_touched(request)
        asking.checked(sent, BODY, () if row is not None else ("email_address",))
        if row is None:
            self._new_hash(request, number, sent)
        status = sent.get("status") or (sent.get("status_if_new", "") if row is None else "")
        row = self._upsert(request, number, row, sent, status)
        return self.told(request, self.member(row))

    def _new_hash(self, request: Request, number: int, sent: dict[str, Any]) -> None:
        """Refuse a new member whose address belongs to another path, or that has no status."""
        if self.people.find(number, hash_of(sent["email_address"])) is not None:
            raise _exists(sent["email_address"])
        key = request.params["hash"]
        if (hash_of(key) if "@" in key else key) != hash_of(sent["email_address"]):
            raise errors.invalid("The resource in the path does not match the email address in the body.")
        if not sent.get("status_if_new") and not sent.get("status"):
            raise errors.invalid_fields(status_if_new="This value should not be blank.")

    @route("PATCH", "/3.0/lists/{list}/members/{hash}")
    def patch_member(self, request: Request) -> Response:
        row = self.member_of(request)
        number, _ = self.audience_of(request)
        sent = asking.body(request)
        if "status" in sent:
            self.consent_touched(request)
        asking.checked(sent, BODY)
        self._upsert(request, number, row, sent, sent.get("status", ""))
        return self.told(request, self.member(row))

    @route("DELETE", "/3.0/lists/{list}/members/{hash}", consent=True)
    def archive_member(self, request: Request) -> Response:
        """405 for those who cannot be archived, or are (observed: grouparoo/grouparoo fixtures)."""
        row = self.member_of(request)
        if self.people.status(row) in (CLEANED, PENDING, ARCHIVED):
            raise Refusal(problem(405, "Method Not Allowed", "This list member cannot be removed. Can not archive a contact that "
                                  "is bounced, pending or archived"))
        self.people.set_status(row, ARCHIVED, self.clock.now(), self.lag("members"))
        return Response(204)

    @route("POST", "/3.0/lists/{list}/members/{hash}/actions/delete-permanent", consent=True)
    def delete_member(self, request: Request) -> Response:
        """The address cannot be imported again."""
        row = self.member_of(request)
        self.segments.drop_rows([row])
        self.people.erase(row)
        return Response(204)

    # --- what one write does

    def _upsert(self, request: Request, number: int, row: int | None, sent: dict[str, Any], status: str) -> int:
        """Check everything, then change everything; the row. Raises Refusal with nothing changed."""
        address = sent.get("email_address", "") or (self.people.emails[row] if row is not None else "")
        self._check_address(number, row, address)
        code = self._check_status(number, row, address, status)
        values = self._check_merge(request, number, row, sent.get("merge_fields", {}))
        self._check_interests(number, sent.get("interests", {}))
        self._check_times(sent)
        now, lag = self.clock.now(), self.lag("members")
        if row is None:
            row = self.people.add(number, address, code, self.person_of(address), now, lag)
        elif code != self.people.status(row):
            self.people.set_status(row, code, now, lag)
        if self.people.emails[row] != address:
            self.people.readdress(row, address, now, lag)
        if self._write(row, number, values, sent):
            self.people.touch([row], now, lag)
        self._inline_tags(row, number, sent if request.method == "POST" else {})
        return row

    def _check_address(self, number: int, row: int | None, address: str) -> None:
        if not ADDRESS.fullmatch(address):
            raise errors.invalid("Please provide a valid email address.")
        if address.lower().rpartition("@")[2].split(".")[0] == "fake" or address.lower().startswith("fake@"):
            raise errors.invalid(f"{address} looks fake or invalid, please enter a real email address.")
        other = self.people.find(number, hash_of(address))
        if row is not None and other is not None and other != row:
            status = STATUSES[self.people.status(other)]
            raise errors.invalid(f"{address} is already in this list with a status of \"{status}\".")
        if other is None and (number, hash_of(address)) in self.people.forgotten:
            raise Refusal(problem(400, "Forgotten Email Not Subscribed", f"{address} was permanently deleted and cannot be "
                                  "re-imported. The contact must re-subscribe to get back on the list."))

    def _check_status(self, number: int, row: int | None, address: str, status: str) -> int:
        """The status to set: the present one when none is asked for."""
        if not status:
            return self.people.status(row) if row is not None else TRANSACTIONAL
        if status not in WRITABLE:
            raise errors.invalid_fields(status="The value you selected is not a valid choice.")
        code = STATUSES.index(status)
        if row is not None and code == SUBSCRIBED != self.people.status(row) and self.people.rows["compliance"][row]:
            raise Refusal(problem(400, "Member In Compliance State", f"{address} is in a compliance state due to unsubscribe, "
                                  "bounce, or compliance review and cannot be subscribed."))
        return code

    def _check_merge(self, request: Request, number: int, row: int | None, sent: dict[str, Any]) -> dict[str, Any]:
        """Values to store; unknown tags are dropped silently, a wrong type refuses the whole write (both observed:
        grouparoo/grouparoo fixtures). Required fields may be left out with `skip_merge_validation`."""
        audience = self.audiences[number]
        fields = [(found, value) for tag, value in sent.items() if (found := audience.field_of(tag))]
        wrong = [{"field": one.tag, "message": message} for one, value in fields if (message := one.refused(value))]
        if row is None and not asking.flag(request, "skip_merge_validation"):
            wrong += [{"field": one.tag, "message": "This value should not be blank."}
                      for one in audience.fields if one.required and not sent.get(one.tag)]
        if wrong:
            raise errors.invalid_merge(wrong)
        return {one.tag: one.kept(value) for one, value in fields}

    def _check_interests(self, number: int, sent: dict[str, Any]) -> None:
        unknown = [one for one in sent if one not in self.audiences[number].interests]
        if unknown:
            raise errors.invalid(f"Invalid interest ID: \"{unknown[0]}\".")

    def _check_times(self, sent: dict[str, Any]) -> None:
        given = [name for name in TIMES if sent.get(name)]
        wrong = {name: "This value is not a valid datetime." for name in given if asking.moment(sent[name]) is None}
        if wrong:
            raise errors.invalid_fields(**wrong)

    def _write(self, row: int, number: int, values: dict[str, Any], sent: dict[str, Any]) -> bool:
        """Store what is not status, address or tag; whether any of it differs from what was there."""
        audience, people = self.audiences[number], self.people
        known = self.merge_fields(row, audience)
        changed = {tag: value for tag, value in values.items() if known.get(tag, "") != value}
        if changed:
            people.merged.setdefault(row, {}).update(changed)
        facts = {name: sent[name] for name in FACTS if name in sent and people.facts.get(row, {}).get(name) != sent[name]}
        if facts:
            people.facts.setdefault(row, {}).update(facts)
        bits = int(people.rows["interests"][row])
        for n, one in enumerate(audience.interests):
            if one in sent.get("interests", {}):
                bits = bits | 1 << n if sent["interests"][one] else bits & ~(1 << n)
        cells = {"interests": bits, "vip": sent.get("vip", bool(people.rows["vip"][row]))}
        cells |= {column: asking.moment(sent[name]) or 0 for name, column in TIMES.items() if sent.get(name)}
        moved = [name for name, value in cells.items() if people.rows[name][row] != value]
        for name in moved:
            people.rows[name][row] = cells[name]
        return bool(changed or facts or moved)

    def _inline_tags(self, row: int, number: int, sent: dict[str, Any]) -> None:
        """Tags by name in the body: of POST and of the batch only; PUT and PATCH ignore them (observed: github.com issue
        VingtCinq/python-mailchimp#203)."""
        now = self.clock.now()
        for name in sent.get("tags", []):
            found = self.segments.named(number, name) or self.segments.create(number, name, now)
            self._change(found, [row], True)

    # --- many at once

    @route("POST", "/3.0/lists/{list}", consent=True)
    def batch_members(self, request: Request) -> Response:
        """Up to 500 members; 200 even when every one of them failed. Source: vendor's Swagger; release note 2022-08-03."""
        number, _ = self.audience_of(request)
        sent = asking.body(request)
        asking.checked(sent, {"members": list, "update_existing": bool, "sync_tags": bool}, ("members",))
        if len(sent["members"]) > MOST:
            raise errors.invalid_fields(members=f"Number of members cannot exceed {MOST}.")
        made: list[int] = []
        updated: list[int] = []
        refused: list[dict[str, str]] = []
        for one in sent["members"]:
            try:
                row, fresh = self._one_of_batch(request, number, one, sent)
                (made if fresh else updated).append(row)
            except Refusal as refusal:
                refused.append(_refused(one, refusal))
        return self.told(request, {
            "new_members": [self.member(row) for row in made], "updated_members": [self.member(row) for row in updated],
            "errors": refused, "total_created": len(made), "total_updated": len(updated), "error_count": len(refused),
            "_links": [],
        })

    def _one_of_batch(self, request: Request, number: int, one: Any, sent: dict[str, Any]) -> tuple[int, bool]:
        """Row, and whether it is new (or came back from the archive)."""
        if not isinstance(one, dict) or not one.get("email_address"):
            raise errors.invalid("Please provide a valid email address.")
        asking.checked(one, BODY)
        row = self.people.find(number, hash_of(one["email_address"]))
        fresh = row is None or self.people.status(row) == ARCHIVED
        if not fresh and not sent.get("update_existing"):
            raise _exists(one["email_address"])
        if fresh and not one.get("status"):
            raise errors.invalid("Please provide a status.")
        row = self._upsert(request, number, row, one, one.get("status", ""))
        if sent.get("sync_tags") and "tags" in one:
            kept = {name.casefold() for name in one["tags"]}
            for segment in self.segments.of(number):
                if segment.name.casefold() not in kept:
                    self._change(segment, [row], False)
        return row, fresh


def _exists(address: str) -> Refusal:
    detail = f"{address} is already a list member. Use PUT to insert or update list members."
    return Refusal(problem(400, "Member Exists", detail))


def _refused(one: Any, refusal: Refusal) -> dict[str, str]:
    """A member's own error inside a 200."""
    told = orjson.loads(refusal.response.body)
    address = str(one.get("email_address", "")) if isinstance(one, dict) else ""
    text, code = told["detail"], "ERROR_GENERIC"
    if told["title"] == "Member Exists":
        code = "ERROR_CONTACT_EXISTS"
        text = (f"{address} is already a list member, do you want to update? please provide update_existing:true in the "
                "request body")
    field = (told.get("errors") or [{}])[0]
    return {"email_address": address, "error": text, "error_code": code, "field": str(field.get("field", "")),
            "field_message": str(field.get("message", ""))}
