"""The account as it is now, for whoever compares: outside paging, lag and weather."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from connectors.hubspot.sandbox.kinds import CONTACT
from connectors.hubspot.sandbox.mail import FIRST_CAMPAIGN, KINDS, TYPES
from connectors.hubspot.sandbox.mail_calls import MailCalls
from connectors.hubspot.sandbox.people import SUBSCRIPTIONS
from connectors.hubspot.sandbox.records import ARCHIVED, LIVE, Rows
from connectors.hubspot.sandbox.shop import NOBODY, Sales

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK = 5000
BESIDE = frozenset({
    "hs_additional_emails", "hs_merged_object_ids", "hs_email_optout", "hs_email_hard_bounce_reason_enum", "hs_email_quarantined",
    *(f"hs_email_optout_{one}" for one in SUBSCRIPTIONS),
})
VOID = frozenset({"cancelled", "canceled"})
STATES = ("hs_external_order_status", "hs_fulfillment_status", "hs_external_status")


class Truth(MailCalls):
    """`rows`: "profiles" (living and archived), "events" (mail as it stands, living orders and carts of somebody), "members"."""

    def rows(self, table: str) -> pa.Table:
        """ValueError for a table there is not."""
        tables: dict[str, Callable[[], pa.Table]] = {
            "profiles": self._profile_rows, "events": self._event_rows, "members": self._member_rows}
        if table not in tables:
            raise ValueError(f"no table {table!r}; there are {', '.join(tables)}")
        return tables[table]()

    def _profile_rows(self) -> pa.Table:
        import pyarrow as pa

        people = self.people
        rows = np.flatnonzero(people.rows["state"] <= ARCHIVED)
        listed = rows.tolist()
        return pa.table({
            "person": pa.array(people.rows["person"][rows], pa.int32()),
            "id": pa.array([CONTACT.id_of(row) for row in listed], pa.string()),
            "audience": pa.array([""] * len(listed), pa.string()),
            "email": pa.array([people.text["email"][row] for row in listed], pa.string()),
            "live": pa.array(people.rows["state"][rows] == LIVE, pa.bool_()),
            "state": pa.array([people.state(row) for row in listed], pa.string()),
            "barred": pa.array([people.barred(row) for row in listed], pa.bool_()),
            "fields": pa.array(self._fields(rows), pa.string()),
        })

    def _fields(self, rows: Rows) -> list[str]:
        people, found = self.people, []
        for start in range(0, len(rows), CHUNK):
            part = rows[start : start + CHUNK]
            extra = {name for row in part.tolist() for name in people.extra.get(row, ())}
            names = sorted({*people.made, *people.text, *extra} - BESIDE)
            for values in people.values(part.tolist(), names):
                found.append(orjson.dumps({name: value for name, value in values.items() if value}).decode())
        return found

    def _member_rows(self) -> pa.Table:
        import pyarrow as pa

        columns: dict[str, list[Any]] = {name: [] for name in ("kind", "id", "name", "audience", "profile", "person")}
        for one in self.lists.living():
            rows = np.flatnonzero(one.joined[: len(self.people)])
            for name, value in {"kind": "list", "id": str(one.id), "name": one.name, "audience": ""}.items():
                columns[name] += [value] * len(rows)
            columns["profile"] += [CONTACT.id_of(row) for row in rows.tolist()]
            columns["person"] += self.people.rows["person"][rows].tolist()
        return pa.table({
            name: pa.array(values, pa.int32() if name == "person" else pa.string()) for name, values in columns.items()})

    # --- events

    def _event_rows(self) -> pa.Table:
        import pyarrow as pa

        parts = [self._mail_rows(), self._sale_rows(self.shop.orders, "order_placed"), self._sale_rows(self.shop.carts, "cart_updated")]
        types = {"person": pa.int32(), "id": pa.string(), "native": pa.string(), "at": pa.int64(), "kind": pa.string(),
                 "properties": pa.string()}
        return pa.table({name: pa.array([one for part in parts for one in part[n]], kind)
                         for n, (name, kind) in enumerate(types.items())})

    def _mail_rows(self) -> list[list[Any]]:
        """Events that somebody would read; one that was replaced has no neutral kind."""
        events = self.mail.events.rows
        contact = self.mail.whose(events["address"])
        rows = np.flatnonzero(contact >= 0)
        kinds, successor = events["kind"][rows].tolist(), events["successor"][rows].tolist()
        identities = [self.mail.identity(row) for row in rows.tolist()]
        return [
            self.people.rows["person"][contact[rows]].tolist(), [f"{one['created']}:{one['id']}" for one in identities],
            [TYPES[kind] for kind in kinds], events["created"][rows].tolist(),
            ["" if later else KINDS[kind] for kind, later in zip(kinds, successor, strict=True)],
            [self._mail_properties(row, kind) for row, kind in zip(rows.tolist(), kinds, strict=True)],
        ]

    def _mail_properties(self, row: int, kind: int) -> str:
        events = self.mail.events.rows
        campaign = int(events["campaign"][row])
        own = self._own_part(kind, row, "", campaign) if kind != 7 else {}
        own.pop("requestedBy", None)
        if campaign >= 0:
            own |= {"emailCampaignId": FIRST_CAMPAIGN + campaign, "campaign": str(FIRST_CAMPAIGN + campaign)}
        return orjson.dumps(own).decode()

    def _sale_rows(self, sales: Sales, kind: str) -> list[list[Any]]:
        """Living records that are somebody's and were not cancelled."""
        rows = np.flatnonzero((sales.rows["state"] == LIVE) & (sales.rows["contact"] != NOBODY))
        found: list[list[Any]] = [[], [], [], [], [], []]
        for start in range(0, len(rows), CHUNK):
            part = rows[start : start + CHUNK]
            for row, values in zip(part.tolist(), self._whole(sales, part), strict=True):
                if any((values.get(name) or "").lower() in VOID for name in STATES):
                    continue
                person = int(self.people.rows["person"][sales.rows["contact"][row]])
                one = [person, f"{sales.native}:{sales.kind.id_of(row)}", sales.native, self.sale_time(sales, row), kind,
                       orjson.dumps(self._sale_properties(sales, values)).decode()]
                for column, value in zip(found, one, strict=True):
                    column.append(value)
        return found

    def _whole(self, sales: Sales, part: Rows) -> list[dict[str, str | None]]:
        extra = {name for row in part.tolist() for name in sales.extra.get(row, ())}
        return sales.values(part.tolist(), sorted({*sales.made, *extra}))

    @staticmethod
    def sale_time(sales: Sales, row: int) -> int:
        """When the shop made it, else when HubSpot did."""
        from connectors.hubspot.sandbox.times import moment

        return moment(sales.get(row, "hs_external_created_date")) or int(sales.rows["created"][row])

    @staticmethod
    def _sale_properties(sales: Sales, values: dict[str, str | None]) -> dict[str, Any]:
        """The record's own properties, and beside them the neutral names."""
        kept: dict[str, Any] = {name: value for name, value in values.items() if value}
        number = kept.get(f"hs_external_{sales.native}_id")
        if number:
            kept[f"{sales.native}_id"] = number
        named = {"value": "hs_total_price", "currency": "hs_currency_code"}
        return kept | {name: kept[native] for name, native in named.items() if native in kept}
