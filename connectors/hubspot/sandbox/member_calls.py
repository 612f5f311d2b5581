"""Members of lists: read, added, removed.

Source: HubSpot API reference 2026-09, Lists, memberships: the answer to a write is the difference it made; an id that was so before
stands nowhere, an unknown one under `recordIdsMissing`.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

import numpy as np
import orjson

from connectors.hubspot.sandbox.errors import invalid, not_there
from connectors.hubspot.sandbox.ground import batch, twin
from connectors.hubspot.sandbox.kinds import CONTACT
from connectors.hubspot.sandbox.list_calls import READ, WRITE, ListCalls
from connectors.hubspot.sandbox.members import DYNAMIC, Joined, List
from connectors.hubspot.sandbox.objects import missing_error
from connectors.hubspot.sandbox.records import LIVE
from connectors.hubspot.sandbox.times import iso, isos
from connectors.sandbox.server import Request, Response, json_response

USUAL, MOST, MOST_INPUTS = 100, 250, 100
MOST_IDS = 100_000                                  # of one call; the real maximum is not documented
MOST_COPIED = 100_000


class MemberCalls(ListCalls):
    """`/crm/lists/{version}/{list}/memberships…`"""

    # --- reading

    @twin("GET", "/crm/lists/{version}/{list}/memberships", "/crm/v3/lists/{list}/memberships", scopes=READ)
    def list_members(self, request: Request) -> Response:
        """Ascending ids; `after` is opaque."""
        one, limit = self._readable(request)
        rows = one.members()
        after = _unpacked(request.one("after"))
        start = 0 if after is None else int(np.searchsorted(rows, after[0], "right"))
        return self._page(request, one, rows, start, limit, lambda row: [row])

    @twin("GET", "/crm/lists/{version}/{list}/memberships/join-order", "/crm/v3/lists/{list}/memberships/join-order", scopes=READ)
    def list_members_by_join(self, request: Request) -> Response:
        """By when they joined: newest first, or by switch oldest first (sources disagree)."""
        one, limit = self._readable(request)
        rows = one.members()
        sign = 1 if self.switches["join_order_ascending"] else -1
        rows = rows[np.lexsort([rows * sign, one.shown[rows] * sign])]
        after, start = _unpacked(request.one("after")), 0
        if after is not None:
            place = (sign * after[0], sign * after[1])
            start = next((n for n, row in enumerate(rows.tolist()) if (sign * int(one.shown[row]), sign * row) > place), len(rows))
        return self._page(request, one, rows, start, limit, lambda row: [int(one.shown[row]), row])

    def _readable(self, request: Request) -> tuple[List, int]:
        one, limit = self.the_list(request), self.limit_of(request, USUAL, MOST)
        if one.type_id != CONTACT.type_id:
            self._odd_type(one.type_id)
        return one, limit

    def _page(self, request: Request, one: List, rows: Joined, start: int, limit: int, key: Any) -> Response:
        page = rows[start : start + limit]
        results = [
            {"recordId": CONTACT.id_of(row), "membershipTimestamp": at}
            for row, at in zip(page.tolist(), isos(one.shown[page]), strict=True)
        ]
        answer: dict[str, Any] = {"results": results, "total": len(rows)}
        if start + limit < len(rows):
            after = _packed(key(int(page[-1])))
            link = f"{request.base}{request.path}?limit={limit}&after={after.replace('=', '%3D')}"
            answer["paging"] = {"next": {"after": after, "link": link}}
        return json_response(200, answer)

    @twin(
        "GET", "/crm/lists/{version}/records/{typeId}/{record}/memberships", "/crm/v3/lists/records/{typeId}/{record}/memberships",
        scopes=READ,
    )
    def record_members(self, request: Request) -> Response:
        """The lists of one contact."""
        row = self._contact(request.params["typeId"], request.params["record"])
        if row < 0:
            not_there()
        found = self._lists_of(row)
        return json_response(200, {"results": found, "total": len(found)})

    @twin("POST", "/crm/lists/{version}/records/memberships/batch/read", "/crm/v3/lists/records/memberships/batch/read", scopes=READ)
    def batch_read_members(self, request: Request) -> Response:
        """Up to 100 records; the unknown ones in one error. A contact on no list has an empty array (not documented)."""
        inputs = self.body(request).get("inputs")
        if not isinstance(inputs, list) or len(inputs) > MOST_INPUTS or not all(isinstance(one, dict) for one in inputs):
            invalid(f"inputs must be a list of at most {MOST_INPUTS} records")
        rows = [(one, self._contact(str(one.get("objectTypeId")), one.get("recordId"))) for one in inputs]
        results = [
            {"objectTypeId": CONTACT.type_id, "recordId": str(one["recordId"]), "recordListMemberships": self._lists_of(row)}
            for one, row in rows if row >= 0
        ]
        missing = [str(one.get("recordId")) for one, row in rows if row < 0]
        answer = batch(self.clock.now(), results, [missing_error(self.people, missing)] if missing else None)
        return json_response(207 if missing else 200, answer)

    def _contact(self, type_id: str, record: object) -> int:
        return self.people.live(record) if self.kind_of(type_id) is CONTACT else -1

    def _lists_of(self, row: int) -> list[dict[str, Any]]:
        found = []
        for one in self.lists.living():
            one.settle(self.clock.now())
            if row < len(one.shown) and one.shown[row]:
                at = int(one.shown[row])
                found.append({
                    "listId": str(one.id), "listVersion": one.version, "isPublicList": False,
                    "firstAddedTimestamp": iso(one.first_joined.get(row, at)), "lastAddedTimestamp": iso(at),
                })
        return found

    # --- writing

    @twin("PUT", "/crm/lists/{version}/{list}/memberships/add", "/crm/v3/lists/{list}/memberships/add", scopes=WRITE)
    def add_members(self, request: Request) -> Response:
        return self._changed(request, _ids(_sent(request)), [])

    @twin("PUT", "/crm/lists/{version}/{list}/memberships/remove", "/crm/v3/lists/{list}/memberships/remove", scopes=WRITE)
    def remove_members(self, request: Request) -> Response:
        return self._changed(request, [], _ids(_sent(request)))

    @twin(
        "PUT", "/crm/lists/{version}/{list}/memberships/add-and-remove", "/crm/v3/lists/{list}/memberships/add-and-remove",
        scopes=WRITE,
    )
    def change_members(self, request: Request) -> Response:
        """Both keys are required."""
        wish = self.body(request)
        for name in ("recordIdsToAdd", "recordIdsToRemove"):
            if name not in wish:
                invalid(f"Some required fields were not set: [{name}]")
        return self._changed(request, _ids(wish["recordIdsToAdd"]), _ids(wish["recordIdsToRemove"]))

    def _changed(self, request: Request, adding: list[str], removing: list[str]) -> Response:
        one = self._writable(request)
        if len(adding) + len(removing) > MOST_IDS:
            invalid(f"No more than {MOST_IDS} records can be changed at once")
        joining, unknown = self._known(adding)
        leaving, strange = self._known(removing)
        added = [row for row in joining if not one.joined[row]]
        self.let(one, added, True)
        removed = [row for row in leaving if one.joined[row]]
        self.let(one, removed, False)
        return json_response(200, {
            "recordsIdsAdded": [CONTACT.id_of(row) for row in added], "recordIdsRemoved": [CONTACT.id_of(row) for row in removed],
            "recordIdsMissing": list(dict.fromkeys([*unknown, *strange])),
        })

    def _writable(self, request: Request, name: str = "list") -> List:
        one = self.the_list(request, name)
        if one.processing == DYNAMIC:
            invalid(f"List {one.id} is not a manual list: its processing type is {one.processing}")
        return one

    def _known(self, ids: list[str]) -> tuple[list[int], list[str]]:
        """Rows of living contacts, each once, and the ids of those that are not there. An old id of a merged contact means its
        survivor, or by switch nobody (not documented)."""
        rows: dict[int, None] = {}
        missing = []
        strict = self.switches["merged_ids_missing"]
        for identity in ids:
            row = self.people.kind.row_of(identity, len(self.people)) if strict else self.people.find(identity)
            if row >= 0 and self.people.rows["state"][row] == LIVE:
                rows[row] = None
            else:
                missing.append(identity)
        return list(rows), missing

    def let(self, one: List, rows: list[int], joining: bool) -> None:
        """Let contacts in or out now; readers see each when its lag is over."""
        now = self.clock.now()
        one.fit(len(self.people))
        for row in rows:
            one.change(row, now if joining else 0, now + self.sky.lag("members"))

    @twin("DELETE", "/crm/lists/{version}/{list}/memberships", "/crm/v3/lists/{list}/memberships", scopes=WRITE)
    def remove_all_members(self, request: Request) -> Response:
        one = self._writable(request)
        rows = np.flatnonzero(one.joined).tolist()
        if len(rows) >= MOST_COPIED:
            invalid("The list has too many members to remove them all at once")
        self.let(one, rows, False)
        return Response(204)

    @twin(
        "PUT", "/crm/lists/{version}/{list}/memberships/add-from/{source}", "/crm/v3/lists/{list}/memberships/add-from/{source}",
        scopes=WRITE,
    )
    def copy_members(self, request: Request) -> Response:
        one, source = self._writable(request), self.the_list(request, "source")
        rows = source.members()
        if len(rows) >= MOST_COPIED:
            invalid("The source list has too many members")
        self.let(one, [row for row in rows.tolist() if not one.joined[row]], True)
        return Response(204)


def _sent(request: Request) -> object:
    try:
        return request.json()
    except ValueError:
        return None


def _ids(value: object) -> list[str]:
    """Ids of records, as text or as numbers; 400 for anything else."""
    if not isinstance(value, list) or not all(isinstance(one, str | int) and not isinstance(one, bool) for one in value):
        invalid("Invalid input JSON: a list of record ids is expected")
    return [str(one) for one in value]


def _packed(place: list[int]) -> str:
    return base64.b64encode(orjson.dumps(place)).decode()


def _unpacked(text: str) -> list[int] | None:
    """The place in an `after`, None without one; 400 for what is none of ours."""
    if not text:
        return None
    try:
        place = orjson.loads(base64.b64decode(text))
    except (ValueError, binascii.Error):
        place = None
    if not isinstance(place, list):
        invalid("The after parameter is not valid")
    return place
