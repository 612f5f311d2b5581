"""Writing records one by one: create, update, archive, merge, erase; and what each input of a batch goes through.

Source: HubSpot API reference 2026-09, Contacts; HubSpot changelog, "CRM API Write Validation Enforcement Starting with the 2026-09
API Version".
"""

from __future__ import annotations

from typing import Any

from connectors.hubspot.sandbox.changing import Changing
from connectors.hubspot.sandbox.errors import bad_values, body, invalid, not_there
from connectors.hubspot.sandbox.ground import STRICT, twin
from connectors.hubspot.sandbox.records import LIVE, Records
from connectors.hubspot.sandbox.values import Problem, cleaned
from connectors.sandbox.server import Refusal, Request, Response, json_response

WRITE = ("crm.objects.{type}.write",)
CONSENT = ("hs_legal_basis", "hs_marketable_status")


class Unfit(Exception):
    """One input cannot be carried out: the status and body that a single call would answer."""

    def __init__(self, status: int, message: str, category: str, **more: Any) -> None:
        super().__init__(message)
        self.status, self.told = status, body(message, category, **more)


class Writes(Changing):
    """`POST`, `PATCH`, `DELETE` of single records, and the merge and erasure of contacts."""

    @twin("POST", "/crm/objects/{version}/{type}", "/crm/v3/objects/{type}", creates=True, scopes=WRITE)
    def create_record(self, request: Request) -> Response:
        """201; 409 with the id in the text when somebody has the address."""
        store, wish = self.store(request), self.body(request)
        try:
            row = self.create(request, store, wish)
        except Unfit as unfit:
            raise refusal(unfit) from None
        return json_response(201, self.documents(store, [row], [*wish["properties"]])[0])

    @twin("PATCH", "/crm/objects/{version}/{type}/{record}", "/crm/v3/objects/{type}/{record}", scopes=WRITE)
    def update_record(self, request: Request) -> Response:
        store, wish = self.store(request), self.body(request)
        row = self.row_by(store, request.params["record"], request.one("idProperty"))
        if row < 0:
            not_there()
        try:
            self.write(request, store, row, wish)
        except Unfit as unfit:
            raise refusal(unfit) from None
        return json_response(200, self.documents(store, [row], [*wish["properties"]])[0])

    @twin("DELETE", "/crm/objects/{version}/{type}/{record}", "/crm/v3/objects/{type}/{record}", scopes=WRITE)
    def archive_record(self, request: Request) -> Response:
        store = self.store(request)
        row = store.live(request.params["record"])
        if row < 0:
            not_there()
        self.archive_row(store, row)
        return Response(204)

    @twin("POST", "/crm/objects/{version}/{type}/merge", "/crm/v3/objects/{type}/merge", scopes=WRITE, consent=True)
    def merge_records(self, request: Request) -> Response:
        """Only contacts can be merged here. The opt-out of either is the survivor's."""
        store, wish = self.store(request), self.body(request)
        rows = [store.live(wish.get(name)) for name in ("primaryObjectId", "objectIdToMerge")]
        if store is not self.people or -1 in rows or rows[0] == rows[1]:
            invalid("The records cannot be merged")
        row = self.merge_rows(*rows)
        return json_response(200, self.documents(store, [row], [*store.kind.defaults, "hs_merged_object_ids"])[0])

    @twin("POST", "/crm/objects/{version}/{type}/gdpr-delete", "/crm/v3/objects/{type}/gdpr-delete", scopes=WRITE, consent=True)
    def gdpr_delete(self, request: Request) -> Response:
        """204 in any case: an unknown address is blocked all the same."""
        store, wish = self.store(request), self.body(request)
        if store is not self.people or not wish.get("objectId"):
            invalid("objectId is missing, or the type is not contacts")
        identity, by = str(wish["objectId"]), wish.get("idProperty") or ""
        row = self.row_by(store, identity, by)
        row = row if row >= 0 else self.row_by(store, identity, by, archived=True)
        if row >= 0:
            self.erase_row(row)
        elif by == "email":
            self.blocked.add(identity.lower())
        return Response(204)

    # --- one input

    def create(self, request: Request, store: Records, wish: dict[str, Any]) -> int:
        """A new record of what is wished; `Unfit` leaves nothing behind."""
        values = self.checked(request, store, -1, wish)
        if store is not self.people:
            row = self.added(store, store.add(self.clock.now(), **_nobody(store)))
        else:
            self._free(values.get("email", ""), -1)
            row = self.create_contact(values.pop("email", ""))
        self.link(store, row, wish.get("associations"))
        for name, value in values.items():
            store.set(row, name, value)
        return row

    def write(self, request: Request, store: Records, row: int, wish: dict[str, Any]) -> None:
        """Change a record; one that says what is already so changes nothing, unless switched otherwise."""
        values = self.checked(request, store, row, wish)
        if store is self.people and values.get("email"):
            self._free(values["email"], row)
        moved = {name: value for name, value in values.items() if store.get(row, name) != value}
        if not moved and not self.switches["noop_moves"]:
            return
        with self.change(store, row):
            for name, value in moved.items():
                if store is self.people and name == "email":
                    self.set_email(row, value)
                else:
                    store.set(row, name, value)

    def checked(self, request: Request, store: Records, row: int, wish: dict[str, Any]) -> dict[str, str]:
        """The values to set on *row* (-1: a new one). `Unfit` when one of them cannot be."""
        given = wish.get("properties")
        if not isinstance(given, dict):
            raise Unfit(400, "Invalid input JSON: properties must be an object", "VALIDATION_ERROR")
        if any(name in CONSENT for name in given):
            self.consent_touched(self.role(request))
        problems: list[Problem] = []
        values = {}
        for name, value in given.items():
            told = self.definitions.of(store.kind.plural, name)
            values[name], problem = cleaned(told, name, value, store.get(row, name) if row >= 0 else "")
            problems += [problem] if problem else []
        if problems:
            raise Unfit(400, bad_values(problems), "VALIDATION_ERROR")
        self._required(request, store, row, values)
        return values

    def _required(self, request: Request, store: Records, row: int, values: dict[str, str]) -> None:
        rule = self.switches["required_property"]
        if not rule or request.params.get("version") != STRICT or self.definitions.of(store.kind.plural, rule) is None:
            return
        if not values.get(rule, store.get(row, rule) if row >= 0 else ""):
            why = {"message": "A conditional rule requires this property", "code": "REQUIRED_FIELD", "context": {"propertyName": [rule]}}
            raise Unfit(400, "Required properties are missing", "VALIDATION_ERROR", errors=[why])

    def _free(self, email: str, row: int) -> None:
        """Refuse an address that is another contact's own or additional one."""
        owner = self.people.at_address(email) if email else -1
        if owner >= 0 and owner != row:
            raise Unfit(409, f"Contact already exists. Existing ID: {self.people.kind.id_of(owner)}", "CONFLICT")

    def alive(self, row: int) -> bool:
        return bool(self.people.rows["state"][row] == LIVE)


def refusal(unfit: Unfit) -> Refusal:
    return Refusal(json_response(unfit.status, unfit.told, "application/json;charset=utf-8"))


def _nobody(store: Records) -> dict[str, int]:
    """Columns of a record made through the API: nobody's yet, and no sale of the shop's integration."""
    usual = {"contact": -1, "number": -1, "line": 0, "sale": -1}
    return {name: value for name, value in usual.items() if name in store.rows.types}
