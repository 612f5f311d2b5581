"""The account as it is now, for whoever compares: outside paging, lag and weather."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from connectors.hubspot.sandbox.kinds import CONTACT
from connectors.hubspot.sandbox.mail import FIRST_CAMPAIGN, KINDS, TYPES, UNBOUNCE, event_id
from connectors.hubspot.sandbox.mail_calls import MailCalls
from connectors.hubspot.sandbox.people import SUBSCRIPTIONS
from connectors.hubspot.sandbox.records import ARCHIVED, LIVE, Rows
from connectors.hubspot.sandbox.shop import NOBODY, Sales
from connectors.hubspot.sandbox.times import moment

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK = 20_000
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

        types = {"person": pa.int32(), "id": pa.string(), "native": pa.string(), "at": pa.int64(), "kind": pa.string(),
                 "properties": pa.string()}
        parts = [self._mail_rows(), self._sale_rows(self.shop.orders, "order_placed"), self._sale_rows(self.shop.carts, "cart_updated")]
        tables = [
            pa.table({name: pa.array(column, kind) for (name, kind), column in zip(types.items(), columns, strict=True)})
            for part in parts for columns in part
        ]
        empty = pa.table({name: pa.array([], kind) for name, kind in types.items()})
        return pa.concat_tables([empty, *tables])

    def _mail_rows(self) -> Iterator[list[list[Any]]]:
        """Events that somebody would read; one that was replaced has no neutral kind."""
        events = self.mail.events.rows
        everybody = self.mail.whose(events["address"])
        for start in range(0, len(events), CHUNK):
            rows = np.flatnonzero(everybody[start : start + CHUNK] >= 0) + start
            one = {name: events[name][rows].tolist() for name in ("created", "serial", "campaign", "address", "kind", "successor")}
            ids = map(event_id, one["serial"], one["campaign"], one["address"])
            yield [
                self.people.rows["person"][everybody[rows]].tolist(), [f"{at}:{own}" for at, own in zip(one["created"], ids, strict=True)],
                [TYPES[kind] for kind in one["kind"]], one["created"],
                ["" if later else KINDS[kind] for kind, later in zip(one["kind"], one["successor"], strict=True)],
                list(map(self._mail_properties, rows.tolist(), one["kind"], one["campaign"])),
            ]

    def _mail_properties(self, row: int, kind: int, campaign: int) -> str:
        own = self._own_part(kind, row, "", campaign) if kind != UNBOUNCE else {}
        own.pop("requestedBy", None)
        if campaign >= 0:
            own |= {"emailCampaignId": FIRST_CAMPAIGN + campaign, "campaign": str(FIRST_CAMPAIGN + campaign)}
        return orjson.dumps(own).decode()

    def _sale_rows(self, sales: Sales, kind: str) -> Iterator[list[list[Any]]]:
        """Living records that are somebody's and were not cancelled, as what they are now."""
        contact = sales.rows["contact"]
        somebody = (contact != NOBODY) & (sales.rows["state"] == LIVE)
        if self.switches["archived_unlinked"]:
            somebody &= self.people.rows["state"][contact] == LIVE
        living = np.flatnonzero(somebody)
        for start in range(0, len(living), CHUNK):
            part = living[start : start + CHUNK]
            values = self._whole(sales, part)
            kept = [n for n, one in enumerate(values) if not any((one.get(name) or "").lower() in VOID for name in STATES)]
            rows, values = part[kept], [values[n] for n in kept]
            yield [
                self.people.rows["person"][sales.rows["contact"][rows]].tolist(),
                [f"{sales.native}:{sales.kind.id_of(row)}" for row in rows.tolist()], [sales.native] * len(kept),
                self._times(sales, rows), [kind] * len(kept),
                [orjson.dumps(self._sale_properties(sales, one)).decode() for one in values],
            ]

    @staticmethod
    def _times(sales: Sales, rows: Rows) -> list[int]:
        """When the shop made each, else when HubSpot did."""
        made: list[int] = np.where(sales.rows["number"][rows] >= 0, sales.rows["at"][rows], sales.rows["created"][rows]).tolist()
        said = (sales.extra.get(row, {}).get("hs_external_created_date") for row in rows.tolist())
        return [moment(text) or at if text else at for text, at in zip(said, made, strict=True)]

    def _whole(self, sales: Sales, part: Rows) -> list[dict[str, str | None]]:
        extra = {name for row in part.tolist() for name in sales.extra.get(row, ())}
        return sales.values(part.tolist(), sorted({*sales.made, *extra}))

    @staticmethod
    def _sale_properties(sales: Sales, values: dict[str, str | None]) -> dict[str, Any]:
        """The record's own properties, and beside them the neutral names."""
        kept: dict[str, Any] = {name: value for name, value in values.items() if value}
        number = kept.get(f"hs_external_{sales.native}_id")
        if number:
            kept[f"{sales.native}_id"] = number
        named = {"value": "hs_total_price", "currency": "hs_currency_code"}
        return kept | {name: kept[native] for name, native in named.items() if native in kept}
