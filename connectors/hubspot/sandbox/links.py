"""Associations between contacts, deals, orders, carts and line items.

Source: HubSpot API reference 2026-09, Associations, batch read; v4 answers integers where dated versions answer text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from connectors.hubspot.sandbox.errors import invalid
from connectors.hubspot.sandbox.ground import batch, twin
from connectors.hubspot.sandbox.kinds import BY_NAME, LINKS
from connectors.hubspot.sandbox.objects import READ, Objects, missing_error
from connectors.hubspot.sandbox.records import ARCHIVED, LIVE, Records
from connectors.hubspot.sandbox.shop import Lines, Sales
from connectors.sandbox.server import Request, Response, json_response

MOST = 1000
PAGE = 500                                          # linked records of one answer and record; not documented
Ints = npt.NDArray[np.int64]


class Links(Objects):
    """Links are columns: of a sale its contact and its line, of a line its sale."""

    @twin("POST", "/crm/associations/{version}/{type}/{to}/batch/read", "/crm/v4/associations/{type}/{to}/batch/read", scopes=READ)
    def batch_read_links(self, request: Request) -> Response:
        """Records without links are absent; those that are not there are errors."""
        store, to = self.store(request), request.params["to"]
        inputs = self.inputs(self.body(request), MOST)
        kind = self.kind_of(to)
        rows = {str(one["id"]): store.find(one["id"]) for one in inputs}
        known = [row for row in rows.values() if row >= 0]
        linked = self.linked(store, self.stores[kind.plural], known) if kind else {}
        results = [found for one in inputs if (found := self._found(request, store, one, linked.get(rows[str(one["id"])], [])))]
        missing = [one for one, row in rows.items() if row < 0]
        answer = batch(self.clock.now(), results, [missing_error(store, missing)] if missing else None)
        return json_response(207 if missing else 200, answer)

    def _found(self, request: Request, store: Records, one: dict[str, Any], linked: list[int]) -> dict[str, Any] | None:
        """The links of one input from its own `after` on; None without any."""
        if not linked:
            return None
        kind = BY_NAME[request.params["to"]]
        start = int(one.get("after") or 0)
        word = str if "version" in request.params else int
        types = [{"category": "HUBSPOT_DEFINED", "typeId": LINKS.get((store.kind.plural, kind.plural), 1), "label": None}]
        page = linked[start : start + PAGE]
        found: dict[str, Any] = {
            "from": {"id": str(one["id"])},
            "to": [{"toObjectId": word(kind.id_of(row)), "associationTypes": types} for row in page],
        }
        if len(linked) > start + PAGE:
            found["paging"] = {"next": {"after": str(start + PAGE)}}
        return found

    def linked(self, store: Records, other: Records, rows: Sequence[int]) -> dict[int, list[int]]:
        """Row → living rows of *other*, ascending."""
        if not rows:
            return {}
        if store is self.people and "contact" in other.rows.types:
            return _joined(_backwards(np.asarray(rows), other.rows["contact"], other), self._also_backwards(rows, other))
        if other is self.people and "contact" in store.rows.types:
            return _joined(self._forwards(rows, store.rows["contact"], other), self._also_forwards(rows, store))
        if isinstance(store, Sales) and isinstance(other, Lines):
            return self._forwards(rows, store.rows["line"] - 1, other)
        if isinstance(store, Lines) and isinstance(other, Sales):
            mine = store.rows["cart"] == (other is self.shop.carts)
            return self._forwards(rows, np.where(mine & (store.rows["real"] > 0), store.rows["sale"], -1), other)
        return {}

    def _forwards(self, rows: Sequence[int], column: npt.NDArray[Any], other: Records) -> dict[int, list[int]]:
        """Links survive in the archive, unless switched otherwise (not documented)."""
        last = LIVE if self.switches["archived_unlinked"] else ARCHIVED
        to = ((row, int(column[row])) for row in rows)
        return {row: [one] for row, one in to if one >= 0 and other.rows["state"][one] <= last}

    def _also_forwards(self, rows: Sequence[int], store: Records) -> dict[int, list[int]]:
        """Further contacts of a record, as `_forwards` shows the first."""
        last = LIVE if self.switches["archived_unlinked"] else ARCHIVED
        return {row: [one for one in sorted(store.also[row]) if self.people.rows["state"][one] <= last]
                for row in rows if row in store.also}

    def _also_backwards(self, rows: Sequence[int], other: Records) -> dict[int, list[int]]:
        return {row: [one for one, people in sorted(other.also.items()) if row in people and other.rows["state"][one] == LIVE]
                for row in (rows if other.also else ())}

    def link(self, store: Records, row: int, associations: object) -> None:
        """Associations given with a new record; only those with contacts are kept, the last one as its first."""
        for one in associations if isinstance(associations, list) else []:
            to = one.get("to", {}).get("id") if isinstance(one, dict) else None
            contact = self.people.live(to)
            if contact < 0:
                invalid("One or more associations are not valid: the record does not exist")
            if "contact" in store.rows.types:
                before = int(store.rows["contact"][row])
                if before >= 0:
                    store.also.setdefault(row, set()).add(before)
                store.rows["contact"][row] = contact


def _joined(one: dict[int, list[int]], other: dict[int, list[int]]) -> dict[int, list[int]]:
    """Both, each list ascending and without repeats."""
    if not other:
        return one
    both = {row: sorted({*one.get(row, ()), *other.get(row, ())}) for row in (*one, *other)}
    return {row: found for row, found in both.items() if found}


def _backwards(rows: Ints, column: npt.NDArray[Any], other: Records) -> dict[int, list[int]]:
    """Who points at each of *rows*."""
    found = np.flatnonzero(np.isin(column, rows) & (other.rows["state"] == LIVE))
    linked: dict[int, list[int]] = {}
    for row, one in zip(column[found].tolist(), found.tolist(), strict=True):
        linked.setdefault(row, []).append(one)
    return linked


