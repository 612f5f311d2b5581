"""Reading records: the list, one, many by id. All three see the record itself, a write at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from connectors.hubspot.sandbox.errors import invalid, not_there
from connectors.hubspot.sandbox.ground import Ground, batch, twin
from connectors.hubspot.sandbox.records import ARCHIVED, LIVE, Records
from connectors.hubspot.sandbox.times import yes
from connectors.sandbox.server import Request, Response, json_response

PAGE, MOST, MOST_HISTORY = 10, 100, 50
READ = ("crm.objects.{type}.read",)


def words(request: Request, name: str) -> list[str]:
    """A list in the query: joined by commas, repeated, or both."""
    return [word for text in request.all(name) for word in text.split(",") if word]


class Objects(Ground):
    """`/crm/objects/{version}/{type}` ↔ `/crm/v3/objects/{type}`. Source: HubSpot API reference 2026-09, Contacts, Orders, …"""

    @twin("GET", "/crm/objects/{version}/{type}", "/crm/v3/objects/{type}", scopes=READ)
    def list_records(self, request: Request) -> Response:
        """Ascending ids; `after` is the next one's; no `paging` on the last page."""
        store, history = self.store(request), words(request, "propertiesWithHistory")
        limit = self.limit_of(request, PAGE, MOST_HISTORY if history else MOST)
        state = ARCHIVED if yes(request.one("archived")) else LIVE
        rows = store.following(self._place_of(store, request.one("after")), limit + 1, state)
        results = self.documents(store, rows[:limit], words(request, "properties"), history)
        self._associate(store, rows[:limit], results, words(request, "associations"))
        answer: dict[str, Any] = {"results": results}
        if len(rows) > limit:
            answer["paging"] = {"next": self._next(request, store.kind.id_of(rows[limit]))}
        return json_response(200, answer)

    @staticmethod
    def _place_of(store: Records, after: str) -> int:
        if not after:
            return 0
        if not after.isdigit():
            invalid("The after parameter is not valid")
        return max(0, -(-(int(after) - store.kind.first) // store.kind.step))

    @staticmethod
    def _next(request: Request, after: str) -> dict[str, str]:
        query = [(name, value) for name, value in request.query if name != "after"]
        return {"after": after, "link": f"{request.base}{request.path}?{urlencode([*query, ('after', after)])}"}

    @twin("GET", "/crm/objects/{version}/{type}/{record}", "/crm/v3/objects/{type}/{record}", scopes=READ)
    def get_record(self, request: Request) -> Response:
        """By id, a merged one's survivor; by address with `idProperty=email`; archived ones only with `archived=true`."""
        store = self.store(request)
        row = self.row_by(store, request.params["record"], request.one("idProperty"), yes(request.one("archived")))
        if row < 0:
            not_there()
        found = self.documents(store, [row], words(request, "properties"), words(request, "propertiesWithHistory"))
        self._associate(store, [row], found, words(request, "associations"))
        return json_response(200, found[0])

    @twin("POST", "/crm/objects/{version}/{type}/batch/read", "/crm/v3/objects/{type}/batch/read", scopes=READ)
    def batch_read(self, request: Request) -> Response:
        """Up to 100; those not there in one error, 207. How errors are counted is not documented."""
        store, wish = self.store(request), self.body(request)
        history = list(wish.get("propertiesWithHistory") or [])
        asked = [str(one["id"]) for one in self.inputs(wish, MOST)]
        if history and len(asked) > MOST_HISTORY:
            invalid(
                "The maximum number of inputs supported in a batch request for property histories is 50. "
                "Please reduce the number of items and try again"
            )
        archived = yes(request.one("archived"))
        found = {one: self.row_by(store, one, wish.get("idProperty") or "", archived) for one in asked}
        rows = sorted({row for row in found.values() if row >= 0})
        missing = [one for one, row in found.items() if row < 0]
        results = self.documents(store, rows, list(wish.get("properties") or []), history)
        answer = batch(self.clock.now(), results, [missing_error(store, missing)] if missing else None)
        return json_response(207 if missing else 200, answer)

    def inputs(self, wish: dict[str, Any], most: int) -> list[dict[str, Any]]:
        """The inputs of a batch; 400 for none, for too many, and for what is no object with an id or properties."""
        found = wish.get("inputs")
        if not isinstance(found, list) or not all(isinstance(one, dict) and ("id" in one or "properties" in one) for one in found):
            invalid("Invalid input JSON: inputs must be a list of objects")
        if len(found) > most:
            invalid(f"The maximum number of inputs supported in a batch request is {most}. Please reduce the number of items.")
        return found

    def row_by(self, store: Records, identity: str, by: str = "", archived: bool = False) -> int:
        """The row that an id, an address or another unique property's value means; -1 for none of the wanted state."""
        if by in ("", "hs_object_id"):
            row = store.find(identity)
            wanted = ARCHIVED if archived else LIVE
            return row if row >= 0 and store.rows["state"][row] == wanted else -1
        if by == "email" and store is self.people:
            return self.people.at_address(identity)
        told = self.definitions.of(store.kind.plural, by)
        if told is None or not told["hasUniqueValue"]:
            invalid(f"Property {by} is not a unique identifier property")
        return next((row for row, extra in store.extra.items()
                     if extra.get(by) == identity and store.rows["state"][row] == LIVE), -1)

    # --- rendering

    def names(self, store: Records, asked: Sequence[str]) -> list[str]:
        """What an answer carries: what was asked for and exists, and what always comes along."""
        known = self.definitions.by_kind[store.kind.plural]
        wanted = [name for name in dict.fromkeys(asked) if name in known] if asked else store.kind.defaults
        return sorted({*wanted, *store.kind.always})

    def documents(
        self, store: Records, rows: Sequence[int], asked: Sequence[str], history: Sequence[str] = (),
    ) -> list[dict[str, Any]]:
        """Records as the API shows them; no history is kept but the value of now."""
        found = store.values(rows, self.names(store, [*asked, *history]))
        documents = [
            {"id": store.kind.id_of(row), "properties": values, **store.stamps(row), "url": self._url(store, row)}
            for row, values in zip(rows, found, strict=True)
        ]
        if history:
            for document in documents:
                document["propertiesWithHistory"] = {name: _history(document, name) for name in history}
        return documents

    def _url(self, store: Records, row: int) -> str:
        return f"https://app.hubspot.com/contacts/{self.account['id']}/record/{store.kind.type_id}/{store.kind.id_of(row)}"

    def _associate(self, store: Records, rows: Sequence[int], documents: list[dict[str, Any]], others: Sequence[str]) -> None:
        for name in others:
            kind = self.kind_of(name)
            if kind is None:
                continue
            linked = self.linked(store, self.stores[kind.plural], rows)
            for row, document in zip(rows, documents, strict=True):
                if linked.get(row):
                    to = [{"id": kind.id_of(one), "type": f"{store.kind.singular}_to_{kind.singular}"} for one in linked[row]]
                    document.setdefault("associations", {})[kind.plural] = {"results": to[:MOST]}

    def linked(self, store: Records, other: Records, rows: Sequence[int]) -> dict[int, list[int]]:
        """Row → rows of *other* linked with it."""
        raise NotImplementedError


def _history(document: dict[str, Any], name: str) -> list[dict[str, Any]]:
    value = document["properties"].get(name)
    return [{"value": value, "timestamp": document["updatedAt"], "sourceType": "CRM_UI"}] if value else []


def missing_error(store: Records, ids: Sequence[str]) -> dict[str, Any]:
    """The one error that names all inputs that are not there."""
    return {
        "status": "error", "category": "OBJECT_NOT_FOUND", "context": {"ids": list(ids)},
        "message": f"Could not get some {store.kind.singular.upper()} objects, they may be deleted or not exist.",
    }


