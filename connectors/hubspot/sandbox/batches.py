"""Writing up to 100 records at once.

Source: HubSpot API reference 2026-09, batch create, update, upsert and archive. With an `objectWriteTraceId` on every input, failures
are told one by one (207); without, the first one fails the batch (documented for create, assumed for update). Observed: a batch
update by address is refused, HubSpot/hubspot-api-nodejs#548.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connectors.hubspot.sandbox.errors import body, invalid
from connectors.hubspot.sandbox.ground import batch, twin
from connectors.hubspot.sandbox.objects import MOST, missing_error
from connectors.hubspot.sandbox.records import Records
from connectors.hubspot.sandbox.writes import WRITE, Unfit, Writes, refusal
from connectors.sandbox.server import Request, Response, json_response

Input = dict[str, Any]
Check = Callable[[Input], Any]
Apply = Callable[[Input], tuple[int, bool]]


class Batches(Writes):
    """`POST …/batch/…`"""

    @twin("POST", "/crm/objects/{version}/{type}/batch/create", "/crm/v3/objects/{type}/batch/create", creates=True, scopes=WRITE)
    def batch_create(self, request: Request) -> Response:
        store = self.store(request)
        inputs = self.inputs(self.body(request), MOST)
        names = [str(one.get("properties", {}).get("email", "")).lower() for one in inputs]
        self._no_twice([name for name in names if name])
        return self._each(
            request, store, inputs, 201,
            lambda one: self._can_create(request, store, one), lambda one: (self.create(request, store, one), True),
        )

    @twin("POST", "/crm/objects/{version}/{type}/batch/update", "/crm/v3/objects/{type}/batch/update", scopes=WRITE)
    def batch_update(self, request: Request) -> Response:
        store = self.store(request)
        inputs = self.inputs(self.body(request), MOST)
        if any(one.get("idProperty") == "email" for one in inputs):
            invalid(f"Unable to perform update/upsert by non-unique {store.kind.type_id} property")
        self._no_twice([str(one.get("id")) for one in inputs])
        rows = {id(one): self.row_by(store, str(one.get("id")), one.get("idProperty") or "") for one in inputs}

        def check(one: Input) -> None:
            if rows[id(one)] < 0:
                raise Unfit(404, missing_error(store, [])["message"], "OBJECT_NOT_FOUND", context={"ids": [str(one.get("id"))]})
            self.checked(request, store, rows[id(one)], one)

        def apply(one: Input) -> tuple[int, bool]:
            self.write(request, store, rows[id(one)], one)
            return rows[id(one)], False

        return self._each(request, store, inputs, 200, check, apply)

    @twin("POST", "/crm/objects/{version}/{type}/batch/upsert", "/crm/v3/objects/{type}/batch/upsert", creates=True, scopes=WRITE)
    def batch_upsert(self, request: Request) -> Response:
        """By address: creates whom it does not find, and fails whole on one bad input."""
        store = self.store(request)
        inputs = self.inputs(self.body(request), MOST)
        self._no_twice([str(one.get("id", "")).lower() for one in inputs])
        by = {str(one.get("idProperty") or "") for one in inputs}
        if len(by) != 1 or by <= {"", "hs_object_id"}:
            invalid("An upsert needs the same unique idProperty in each input")
        whole = "email" in by
        for one in inputs:
            if whole and isinstance(one.get("properties"), dict):
                one["properties"].setdefault("email", one.get("id"))

        def found(one: Input) -> int:
            return self.row_by(store, str(one.get("id")), str(one["idProperty"]))

        def check(one: Input) -> None:
            row = found(one)
            if row < 0:
                self._can_create(request, store, one)
            else:
                self.checked(request, store, row, one)

        def apply(one: Input) -> tuple[int, bool]:
            row = found(one)
            if row < 0:
                return self.create(request, store, one), True
            if whole:                                # found by an additional address: the contact's own stays
                one["properties"].pop("email", None)
            self.write(request, store, row, one)
            return row, False

        return self._each(request, store, inputs, 200, check, apply, upsert=True, whole=whole)

    @twin("POST", "/crm/objects/{version}/{type}/batch/archive", "/crm/v3/objects/{type}/batch/archive", scopes=WRITE)
    def batch_archive(self, request: Request) -> Response:
        """204, whether they were there or not."""
        store = self.store(request)
        for one in self.inputs(self.body(request), MOST):
            row = store.live(one.get("id"))
            if row >= 0:
                self.archive_row(store, row)
        return Response(204)

    # --- each input

    def _no_twice(self, ids: list[str]) -> None:
        if len(set(ids)) != len(ids):
            invalid("Duplicate IDs found in batch input")

    def _can_create(self, request: Request, store: Records, one: Input) -> None:
        values = self.checked(request, store, -1, one)
        if store is self.people:
            self._free(values.get("email", ""), -1)

    def _each(
        self, request: Request, store: Records, inputs: list[Input], good: int, check: Check, apply: Apply, *,
        upsert: bool = False, whole: bool = False,
    ) -> Response:
        """Carry out what passes its *check*; the whole batch or nothing when an input bears no trace id or with *whole*."""
        traced = not whole and all(one.get("objectWriteTraceId") for one in inputs)
        fit, errors = [], []
        for one in inputs:
            try:
                check(one)
                fit.append(one)
            except Unfit as unfit:
                if not traced:
                    raise refusal(unfit) from None
                errors.append(_error(unfit, one))
        results = []
        for one in fit:
            row, new = apply(one)
            document = self.documents(store, [row], [*one["properties"]])[0]
            trace = {"objectWriteTraceId": one["objectWriteTraceId"]} if one.get("objectWriteTraceId") else {}
            results.append(document | trace | ({"new": new} if upsert else {}))
        return json_response(207 if errors else good, batch(self.clock.now(), results, errors))


def _error(unfit: Unfit, one: Input) -> dict[str, Any]:
    told = {name: value for name, value in unfit.told.items() if name != "correlationId"}
    context = {**told.get("context", {}), "objectWriteTraceId": [one["objectWriteTraceId"]]}
    return {**body("", ""), **told, "context": context}
