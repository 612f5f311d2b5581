"""Lists themselves: made, found, renamed, deleted and restored.

Source: HubSpot API reference 2026-09, Lists (now also called segments).
"""

from __future__ import annotations

from typing import Any

from connectors.clock import DAY
from connectors.hubspot.sandbox.errors import error, invalid, no_list
from connectors.hubspot.sandbox.ground import Ground, twin
from connectors.hubspot.sandbox.kinds import CONTACT
from connectors.hubspot.sandbox.members import DYNAMIC, MANUAL, SNAPSHOT, List, shown
from connectors.hubspot.sandbox.paging import sealed, unsealed
from connectors.sandbox.server import Refusal, Request, Response, json_response

READ, WRITE = ("crm.lists.read",), ("crm.lists.read", "crm.lists.write")
USUAL, MOST, FARTHEST = 20, 500, 10_000
KEPT = 90 * DAY


class ListCalls(Ground):
    """`/crm/lists/{version}` ↔ `/crm/v3/lists`"""

    def the_list(self, request: Request, name: str = "list") -> List:
        """The list of the path; 404 when there is none, or it is deleted."""
        found = self.lists.get(request.params[name])
        if found is None:
            no_list(request.params[name])
        found.settle(self.clock.now())
        found.fit(len(self.people))
        return found

    def _shown(self, one: List) -> dict[str, Any]:
        return shown(one, self.clock.now()) | {"size": one.size(self.clock.now())}

    @twin("POST", "/crm/lists/{version}", "/crm/v3/lists", scopes=WRITE)
    def create_list(self, request: Request) -> Response:
        """200. A name that is taken, in any case, is refused (status and wording are not documented)."""
        wish = self.body(request)
        missing = [name for name in ("name", "objectTypeId", "processingType") if not wish.get(name)]
        if missing:
            invalid(f"Some required fields were not set: [{', '.join(missing)}]")
        if wish["processingType"] not in (MANUAL, DYNAMIC, SNAPSHOT):
            invalid(f"Invalid processingType {wish['processingType']}")
        if wish["objectTypeId"] != CONTACT.type_id:
            self._odd_type(str(wish["objectTypeId"]))
        if self.lists.named(str(wish["name"])):
            invalid(f"A list named {wish['name']} already exists")
        made = self.lists.add(str(wish["name"]), wish["processingType"], self.clock.now())
        made.fit(len(self.people))
        return json_response(200, {"list": self._shown(made)})

    @staticmethod
    def _odd_type(type_id: str) -> None:
        message = f"The objectTypeId {type_id} provided for the list is not valid for this portal."
        invalid(message, subCategory="ListError.INVALID_OBJECT_TYPE_FOR_LIST")

    @twin("GET", "/crm/lists/{version}", "/crm/v3/lists", scopes=READ)
    def lists_by_id(self, request: Request) -> Response:
        """Those of `listIds` that are there."""
        asked = [one for text in request.all("listIds") for one in text.split(",")]
        return json_response(200, {"lists": [self._shown(found) for one in asked if (found := self.lists.get(one))]})

    @twin("GET", "/crm/lists/{version}/{list}", "/crm/v3/lists/{list}", scopes=READ)
    def get_list(self, request: Request) -> Response:
        return json_response(200, {"list": self._shown(self.the_list(request))})

    @twin(
        "GET", "/crm/lists/{version}/object-type-id/{typeId}/name/{name}", "/crm/v3/lists/object-type-id/{typeId}/name/{name}",
        scopes=READ,
    )
    def list_by_name(self, request: Request) -> Response:
        """In any case; 404 when the name is free."""
        found = self.lists.named(request.params["name"])
        if found is None or found.type_id != request.params["typeId"]:
            message = f"List does not exist with name {request.params['name']} and object type ID {request.params['typeId']}."
            raise Refusal(error(404, message, "OBJECT_NOT_FOUND", subCategory="ListError.LIST_NOT_FOUND"))
        return json_response(200, {"list": self._shown(found)})

    @twin("DELETE", "/crm/lists/{version}/{list}", "/crm/v3/lists/{list}", scopes=WRITE)
    def delete_list(self, request: Request) -> Response:
        self.the_list(request).deleted = self.clock.now()
        return Response(204)

    @twin("PUT", "/crm/lists/{version}/{list}/restore", "/crm/v3/lists/{list}/restore", scopes=WRITE)
    def restore_list(self, request: Request) -> Response:
        """With its members, for 90 days."""
        text = request.params["list"]
        found = self.lists.by_id.get(int(text)) if text.isdigit() else None
        if found is None or (found.deleted and self.clock.now() - found.deleted > KEPT):
            no_list(text)
        found.deleted = 0
        return Response(204)

    @twin("PUT", "/crm/lists/{version}/{list}/update-list-name", "/crm/v3/lists/{list}/update-list-name", scopes=WRITE)
    def rename_list(self, request: Request) -> Response:
        found, name = self.the_list(request), request.one("listName")
        taken = self.lists.named(name)
        if not name or (taken and taken is not found):
            invalid(f"A list named {name} already exists" if name else "listName is missing")
        found.name, found.updated, found.version = name, self.clock.now(), found.version + 1
        return json_response(200, {"updatedList": self._shown(found)})

    # --- many

    @twin("POST", "/crm/lists/{version}/search", "/crm/v3/lists/search", scopes=READ)
    def search_lists(self, request: Request) -> Response:
        """By offset, which stops at 10,000; a count over 500 is taken as 500 (observed: clients send 1,000)."""
        wish = self.body(request)
        start, count = int(wish.get("offset") or 0), min(int(wish.get("count") or USUAL), MOST)
        if start > FARTHEST:
            invalid(f"offset must not be greater than {FARTHEST}")
        found = self._chosen(wish)
        if wish.get("sort") in ("HS_UPDATED_AT", "-HS_UPDATED_AT"):
            found.sort(key=lambda one: one.updated, reverse=wish["sort"].startswith("-"))
        page = found[start : start + count]
        return json_response(200, {
            "offset": start + len(page), "hasMore": start + count < len(found), "total": len(found),
            "lists": [self._result(one) for one in page],
        })

    @twin("POST", "/crm/lists/{version}/all", scopes=READ)
    def all_lists(self, request: Request) -> Response:
        """Ascending by id, by a cursor that is tied to what is asked."""
        wish = self.body(request)
        count = min(int(wish.get("count") or USUAL), MOST)
        tied = [wish.get("objectTypeId"), wish.get("processingTypes")]
        place = unsealed(wish["after"], tied) if wish.get("after") else [0]
        if place is None:
            invalid("The cursor is not valid", subCategory="ListError.INVALID_CURSOR")
        found = [one for one in self._chosen(wish) if one.id > place[0]]
        answer: dict[str, Any] = {"results": [self._result(one) for one in found[:count]]}
        if len(found) > count:
            answer["paging"] = {"next": {"after": sealed([found[count - 1].id], tied)}}
        return json_response(200, answer)

    def _chosen(self, wish: dict[str, Any]) -> list[List]:
        """Living lists that the body asks for, ascending by id."""
        kinds, ids, query = wish.get("processingTypes"), wish.get("listIds"), str(wish.get("query") or "").casefold()
        return [
            one for one in self.lists.living()
            if (not kinds or one.processing in kinds) and (not ids or str(one.id) in map(str, ids))
            and query in one.name.casefold() and wish.get("objectTypeId") in (None, "", one.type_id)
        ]

    def _result(self, one: List) -> dict[str, Any]:
        told = {"hs_list_size": str(one.size(self.clock.now())), "hs_list_reference_count": "0"}
        return shown(one, self.clock.now()) | {"additionalProperties": told}

    @twin("GET", "/crm/lists/{version}/idmapping", "/crm/v3/lists/idmapping", scopes=READ)
    def map_list_id(self, request: Request) -> Response:
        """Ids of v1 were others: here 300 less."""
        old = request.one("legacyListId")
        found = self.lists.get(int(old) + 300) if old.isdigit() else None
        if found is None:
            no_list(old)
        return json_response(200, {"listId": str(found.id), "legacyListId": old})
