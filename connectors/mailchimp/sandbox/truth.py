"""The account as it is now, as Arrow tables: outside paging, lag and weather. What a comparison calls the truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from connectors.mailchimp.sandbox.asking import moment
from connectors.mailchimp.sandbox.commerce import Commerce, lines
from connectors.mailchimp.sandbox.mail import ACTIONS, BOUNCE, CLICK, KINDS, OPEN, SECONDS, URLS
from connectors.mailchimp.sandbox.people import ARCHIVED, CLEANED, GONE, STATUSES, UNSUBSCRIBED, Rows
from connectors.mailchimp.sandbox.reports import address
from connectors.mailchimp.sandbox.shop import CANCELLED, money
from connectors.sandbox.columns import Columns

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK = 5000
BESIDE = ("_links", "id", "contact_id", "list_id", "status", "unsubscribe_reason", "tags", "tags_count",
          "sms_phone_number", "sms_subscription_status", "sms_subscription_last_updated", "consents_to_one_to_one_messaging")


class Truth(Commerce):
    """`rows`: "profiles", "events", "members". Permanently deleted people are in none; archived ones carry no tag here, as
    no listing of a tag shows them, and are profiles that do not live."""

    def rows(self, table: str) -> pa.Table:
        """ValueError for a table there is not."""
        tables: dict[str, Callable[[], pa.Table]] = {
            "profiles": self._profile_rows, "events": self._event_rows, "members": self._member_rows}
        if table not in tables:
            raise ValueError(f"no table {table!r}; there are {', '.join(tables)}")
        return tables[table]()

    def profile_id(self, row: int) -> str:
        audience = self.audiences[int(self.people.rows["audience"][row])]
        return f"{audience.id}:{self.people.contacts[row]}"

    def _known(self) -> Rows:
        return np.flatnonzero(self.people.rows["status"] != GONE)

    def _profile_rows(self) -> pa.Table:
        import pyarrow as pa

        people, known = self.people, self._known()
        states = people.rows["status"][known]
        return pa.table({
            "person": pa.array(people.rows["person"][known], pa.int32()),
            "id": pa.array([self.profile_id(row) for row in known.tolist()], pa.string()),
            "audience": pa.array([self.audiences[n].id for n in people.rows["audience"][known].tolist()], pa.string()),
            "email": pa.array([people.emails[row] for row in known.tolist()], pa.string()),
            "live": pa.array(states != ARCHIVED),
            "state": pa.array([STATUSES[code] for code in states.tolist()], pa.string()),
            "barred": pa.array(np.isin(states, (UNSUBSCRIBED, CLEANED))),
            "fields": pa.array(self._fields(known), pa.string()),
        })

    def _fields(self, known: Rows) -> list[str]:
        found: dict[int, str] = {}
        for audience in range(len(self.audiences)):
            mine = known[self.people.rows["audience"][known] == audience]
            for start in range(0, len(mine), CHUNK):
                part = mine[start : start + CHUNK]
                texts = [orjson.dumps(one).decode() for one in self.members(part, leave=BESIDE)]
                found.update(zip(part.tolist(), texts, strict=True))
        return [found[row] for row in known.tolist()]

    def _member_rows(self) -> pa.Table:
        import pyarrow as pa

        columns: dict[str, list[Any]] = {name: [] for name in ("kind", "id", "name", "audience", "profile", "person")}
        for one in self.segments.by_id.values():
            rows = one.rows()
            rows = rows[self.people.rows["status"][rows] < ARCHIVED] if len(rows) else rows
            same = {"kind": "tag", "id": str(one.id), "name": one.name, "audience": self.audiences[one.audience].id}
            for name, value in same.items():
                columns[name] += [value] * len(rows)
            columns["profile"] += [self.profile_id(row) for row in rows.tolist()]
            columns["person"] += self.people.rows["person"][rows].tolist()
        return pa.table({
            name: pa.array(values, pa.int32() if name == "person" else pa.string()) for name, values in columns.items()})

    # --- events

    def _event_rows(self) -> pa.Table:
        import pyarrow as pa

        rows = chain(self._sent_rows(), self._act_rows(), self._orders_done(), self._carts_left(), self._custom())
        schema = pa.schema([("person", pa.int32()), ("id", pa.string()), ("native", pa.string()), ("at", pa.int64()),
                            ("kind", pa.string()), ("properties", pa.string())])
        batches = []
        while part := list(islice(rows, CHUNK)):
            columns = zip(*part, strict=True)
            batches.append(pa.record_batch([pa.array(one, field.type) for one, field in zip(columns, schema, strict=True)],
                                           schema=schema))
        return pa.Table.from_batches(batches, schema)

    def _people_of(self, member: Rows) -> tuple[list[int], list[str], Rows]:
        """Person and contact_id of each, and which of them are still known."""
        kept = np.flatnonzero(self.people.rows["status"][member] != GONE)
        rows = member[kept]
        return self.people.rows["person"][rows].tolist(), [self.people.contacts[row] for row in rows.tolist()], kept

    def _sent_rows(self) -> Iterator[tuple[Any, ...]]:
        """One per recipient, at the campaign's time."""
        persons, contacts, kept = self._people_of(self.mail.recipients["member"])
        for person, contact, number in zip(persons, contacts, self.mail.recipients["campaign"][kept].tolist(), strict=True):
            one = self.mail.campaigns[number]
            yield (person, f"sent|{one.id}|{contact}", "sent", one.sent, "email_sent", _about(one.id))

    def _act_rows(self) -> Iterator[tuple[Any, ...]]:
        acts = self.mail.all_acts()
        recipient = acts["key"] >> SECONDS
        persons, contacts, kept = self._people_of(self.mail.recipients["member"][recipient])
        campaigns = [self.mail.campaigns[n].id for n in self.mail.recipients["campaign"][recipient[kept]].tolist()]
        times = ((acts["key"][kept] & ((1 << SECONDS) - 1)) * 1000).tolist()
        columns = (acts[name][kept].tolist() for name in ("action", "url", "ip", "hard"))
        for n, (person, contact, campaign, at, action, url, ip, hard) in enumerate(
                zip(persons, contacts, campaigns, times, *columns, strict=True)):
            more = ""
            if action in (OPEN, CLICK):
                more = f',"ip":"{address(ip)}"' + (f',"url":"{URLS[url]}"' if action == CLICK else "")
            elif action == BOUNCE:
                kind = "hard" if hard else "soft"
                more = f',"type":"{kind}","kind":"{kind}"'
            name = ACTIONS[action]
            yield (person, f"{name}|{campaign}|{contact}|{at}|{n}", name, at, KINDS[action], _about(campaign, more))

    def _orders_done(self) -> Iterator[tuple[Any, ...]]:
        """Orders that were not cancelled."""
        kept = np.flatnonzero(self.shop.orders["state"] != CANCELLED)
        yield from self._sales_done(self.shop.orders, kept, "order", "order_placed")

    def _carts_left(self) -> Iterator[tuple[Any, ...]]:
        yield from self._sales_done(self.shop.carts, np.arange(len(self.shop.carts)), "cart", "cart_updated")

    def _sales_done(self, sales: Columns, rows: Rows, native: str, kind: str) -> Iterator[tuple[Any, ...]]:
        persons, _, kept = self._people_of(sales["member"][rows])
        rows = rows[kept]
        columns = (sales[name][rows].tolist() for name in ("number", "at", "value", "quantity", "category"))
        for person, number, at, value, quantity, category in zip(persons, *columns, strict=True):
            items = lines(number, value, quantity, category, order=native == "order")
            properties = orjson.dumps({
                f"{native}_id": str(number), "value": money(value), "currency": "USD", "quantity": quantity, "items": items,
                "id": str(number), "order_total": money(value), "currency_code": "USD", "lines": items,
            }).decode()
            yield (person, f"{native}:{number}", native, at, kind, properties)

    def _custom(self) -> Iterator[tuple[Any, ...]]:
        """Events sent by applications; the API shows them per person only."""
        for row, events in self.people.events.items():
            for n, one in enumerate(events):
                text = orjson.dumps(one.get("properties", {})).decode()
                yield (int(self.people.rows["person"][row]), f"custom|{self.people.contacts[row]}|{n}", one["name"],
                       moment(one["occurred_at"]), "", text)


def _about(campaign: str, more: str = "") -> str:
    return f'{{"campaign":"{campaign}","campaign_id":"{campaign}"{more}}}'
