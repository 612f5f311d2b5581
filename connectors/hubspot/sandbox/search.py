"""Search: another view of the records, late, capped, and paged by an offset.

Source: HubSpot developer docs, Search the CRM: at most 200 rows a page, nothing beyond the 10,000th.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from connectors.hubspot.sandbox.errors import error, invalid
from connectors.hubspot.sandbox.filters import LONGEST, Filter, key_of, read
from connectors.hubspot.sandbox.ground import twin
from connectors.hubspot.sandbox.indexing import Snapshot
from connectors.hubspot.sandbox.limits import SEARCH
from connectors.hubspot.sandbox.links import Links
from connectors.hubspot.sandbox.objects import READ
from connectors.hubspot.sandbox.records import LIVE, Records, Rows
from connectors.sandbox.server import Refusal, Request, Response, json_response

USUAL, MOST, CAP = 10, 200, 10_000
QUERIED = ("email", "firstname", "lastname", "phone", "company", "hs_additional_emails", "dealname", "hs_order_name")
TIMES = ("lastmodifieddate", "hs_lastmodifieddate")
LINKED = "associations."


class Search(Links):
    """`POST …/search`."""

    @twin("POST", "/crm/objects/{version}/{type}/search", "/crm/v3/objects/{type}/search", rate=SEARCH, scopes=READ)
    def search_records(self, request: Request) -> Response:
        """Rows of the index as it is now; `total` is not capped."""
        store, wish = self.store(request), self.body(request)
        store.index.settle(self.clock.now())
        limit, start = _window(wish)
        groups = read(wish, lambda name: self._type_of(store, name))
        self._epoch(groups)
        query = str(wish.get("query") or "")
        if len(query) > LONGEST:
            invalid(f"The query is longer than {LONGEST} characters")
        found = self._sorted(store, self._matching(store, groups, query), wish.get("sorts"))
        page = found[start : start + limit].tolist()
        answer: dict[str, Any] = {"total": len(found), "results": self._indexed(store, page, list(wish.get("properties") or []))}
        if start + limit < len(found):
            answer["paging"] = {"next": {"after": str(start + limit)}}
        return json_response(200, answer)

    def _type_of(self, store: Records, name: str) -> str:
        """The type of a property to filter by. That of the modification time is known under the other types' name too, and has
        no value there (observed: github.com issue amp-labs/connectors#45)."""
        if name in TIMES:
            return "datetime"
        if name.startswith(LINKED):
            return "number"
        told = self.definitions.of(store.kind.plural, name)
        if told is None:
            invalid(f"There was a problem with the request: property {name} does not exist")
        kind: str = told["type"]
        return kind

    def _epoch(self, groups: list[list[Filter]]) -> None:
        """Observed: a search from time 0 fails, estuary/connectors source-hubspot-native."""
        if self.switches["epoch_fails"] and any(one.kind == "datetime" and 0 in one.values for group in groups for one in group):
            raise Refusal(error(500, "internal error"))

    # --- finding

    def _matching(self, store: Records, groups: list[list[Filter]], query: str) -> Rows:
        """Rows that search shows, ascending: by what the index holds of each."""
        fresh = store.rows["state"] == LIVE
        old = {row: snap for row, snap in store.index.old.items() if fresh[row]}
        fresh[list(old)] = False
        rows = np.flatnonzero(fresh)
        matched = [self._group(store, rows, group) for group in groups]
        found = matched[0] if len(matched) == 1 else np.unique(np.concatenate(matched))
        if query:
            found = self._queried(store, found, query)
        late = [row for row, snap in old.items() if snap is not None and self._old_matches(store, row, snap, groups, query)]
        return np.union1d(found, np.array(late, np.int64)) if late else found

    def _group(self, store: Records, rows: Rows, group: list[Filter]) -> Rows:
        quick = {one: column for one in group if one.by_column and (column := store.numbers(one.name)) is not None}
        for one, column in quick.items():
            rows = rows[one.mask(column[rows])]
        for one in group:
            if one not in quick and len(rows):
                rows = rows[self._one_by_one(store, rows, one)]
        return rows

    def _one_by_one(self, store: Records, rows: Rows, one: Filter) -> np.ndarray[Any, np.dtype[np.bool_]]:
        if one.name.startswith(LINKED):
            return np.array([one.matches(value) for value in self._linked_ids(store, one.name, rows)])
        if one.name in store.text and one.operator == "EQ":     # the usual lookup by address: no call for each of all rows
            wanted, text = one.values[0], store.text[one.name]
            return np.array([text[row].lower() == wanted for row in rows.tolist()]) & (wanted != "")
        return np.array([one.matches(value) for value in store.column(one.name, rows)])

    def _linked_ids(self, store: Records, name: str, rows: Rows) -> list[str | None]:
        """For each row the id of the first record linked with it."""
        kind = self.kind_of(name.removeprefix(LINKED))
        linked = self.linked(store, self.stores[kind.plural], rows.tolist()) if kind else {}
        return [kind.id_of(linked[row][0]) if kind and row in linked else None for row in rows.tolist()]

    def _queried(self, store: Records, rows: Rows, query: str) -> Rows:
        parts = [store.column(name, rows) for name in QUERIED]
        kept = [any(value and query.lower() in value.lower() for value in values) for values in zip(*parts, strict=True)]
        return rows[np.array(kept, bool)] if len(rows) else rows

    def _old_matches(self, store: Records, row: int, snap: Snapshot, groups: list[list[Filter]], query: str) -> bool:
        def holds(one: Filter) -> bool:
            if one.name.startswith(LINKED):
                return one.matches(self._linked_ids(store, one.name, np.array([row]))[0])
            return one.matches(snap.get(one.name))

        asked = not query or any(query.lower() in snap.get(name, "").lower() for name in QUERIED)
        return asked and any(all(map(holds, group)) for group in groups)

    # --- showing

    def _sorted(self, store: Records, rows: Rows, sorts: object) -> Rows:
        """By one rule; without any, ascending by id (not documented). Ties in order of ids."""
        if not isinstance(sorts, list) or not sorts:
            return rows
        if len(sorts) > 1:
            invalid("Only one sort is allowed")
        rule = sorts[0]
        name = rule.lstrip("-") if isinstance(rule, str) else str(rule.get("propertyName", ""))
        down = rule.startswith("-") if isinstance(rule, str) else rule.get("direction") == "DESCENDING"
        if name == "hs_object_id":
            return rows[::-1] if down else rows
        kind, old, column = self._type_of(store, name), store.index.old, store.numbers(name)
        values = column[rows].tolist() if column is not None else store.column(name, rows)
        keys = [key_of((old[row] or {}).get(name) if row in old else value, kind)
                for row, value in zip(rows.tolist(), values, strict=True)]
        ranked = sorted(range(len(keys)), key=lambda n: keys[n], reverse=down)
        return rows[ranked]

    def _indexed(self, store: Records, rows: list[int], asked: list[str]) -> list[dict[str, Any]]:
        """Records as the index shows them."""
        documents = self.documents(store, rows, asked)
        for row, document in zip(rows, documents, strict=True):
            snap = store.index.old.get(row)
            if snap is not None:
                document["properties"] = {name: snap.get(name) for name in document["properties"]}
                document["updatedAt"] = snap[store.kind.moved]
        return documents


def _window(wish: dict[str, Any]) -> tuple[int, int]:
    """Size and start of the page; 400 beyond the limits."""
    limit, after = wish.get("limit"), wish.get("after")
    limit = USUAL if limit is None else limit
    if not isinstance(limit, int) or not 0 < limit <= MOST:
        invalid(f"limit must be between 1 and {MOST}")
    text = "0" if after in (None, "") else str(after)
    if not text.isdigit():
        invalid("Invalid input JSON: after is not a number")
    if int(text) + limit > CAP:
        invalid("Paging beyond 10,000 results is not supported")
    return limit, int(text)


