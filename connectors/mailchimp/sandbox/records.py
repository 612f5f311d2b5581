"""Members as Mailchimp writes them, a column at a time: only the wanted fields of a page are made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from connectors.mailchimp.sandbox.asking import Shape
from connectors.mailchimp.sandbox.audiences import Audience
from connectors.mailchimp.sandbox.ground import Ground, stamps
from connectors.mailchimp.sandbox.people import STATUSES, SUBSCRIBED, UNSUBSCRIBED, Rows, token
from connectors.mailchimp.sandbox.shop import money

INLINE_TAGS = 50                                    # of a member's tags, its record shows at most these (vendor's Swagger)
NOT_ON_SEGMENTS = ("tags", "tags_count", "source")
Column = list[Any]


class Records(Ground):
    """Renders rows of `people`; *rows* are of one audience."""

    _rates_of: tuple[int, int] | None = None
    _rates: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]

    def members(self, rows: Rows, shape: Shape | None = None, item: str = "members", *, listing: bool = False,
                leave: tuple[str, ...] = ()) -> list[dict[str, Any]]:
        """The records of *rows*. *listing*: last_changed as the listing's index has it, which may be late."""
        rows = np.asarray(rows, np.int64)
        if not len(rows):
            return []
        columns = self._columns(rows, listing)
        wanted = [name for name in columns if name not in leave and (shape is None or shape.wants(item, name))]
        made = {name: columns[name]() for name in wanted}
        found = [dict(zip(wanted, values, strict=True)) for values in zip(*made.values(), strict=True)] if wanted else \
            [{} for _ in rows]
        self._strip(rows, found)
        return found

    def member(self, row: int) -> dict[str, Any]:
        return self.members(np.array([row]))[0]

    def _columns(self, rows: Rows, listing: bool) -> dict[str, Callable[[], Column]]:
        people, table = self.people, self.people.rows
        numbers = rows.tolist()
        audience = self.audiences[int(table["audience"][numbers[0]])]
        facts = people.facts

        def fact(name: str, default: Any) -> Column:
            return [facts[n].get(name, default) if n in facts else default for n in numbers]

        return {
            "id": lambda: [people.hashes[n] for n in numbers],
            "email_address": lambda: [people.emails[n] for n in numbers],
            "unique_email_id": lambda: [token("unique", people.hashes[n]) for n in numbers],
            "contact_id": lambda: [people.contacts[n] for n in numbers],
            "full_name": lambda: [self._full_name(n) for n in numbers],
            "web_id": lambda: [360_000_001 + n for n in numbers],
            "email_type": lambda: fact("email_type", "html"),
            "status": lambda: [STATUSES[code] for code in table["status"][rows].tolist()],
            "unsubscribe_reason": lambda: [
                "N/A (Unsubscribed by the contact)" if code == UNSUBSCRIBED else None for code in table["status"][rows].tolist()],
            "consents_to_one_to_one_messaging": lambda: (table["status"][rows] == SUBSCRIBED).tolist(),
            "sms_phone_number": lambda: [""] * len(numbers),
            "sms_subscription_status": lambda: [""] * len(numbers),
            "sms_subscription_last_updated": lambda: [""] * len(numbers),
            "merge_fields": lambda: [self.merge_fields(n, audience) for n in numbers],
            "interests": lambda: self._interests(rows, audience),
            "stats": lambda: self._stats(rows),
            "ip_signup": lambda: fact("ip_signup", ""),
            "timestamp_signup": lambda: stamps(table["signup"][rows]),
            "ip_opt": lambda: fact("ip_opt", "192.0.2.10"),
            "timestamp_opt": lambda: stamps(table["opted"][rows]),
            "member_rating": lambda: [2] * len(numbers),
            "last_changed": lambda: stamps(table["indexed" if listing else "changed"][rows]),
            "language": lambda: fact("language", ""),
            "vip": lambda: table["vip"][rows].tolist(),
            "email_client": lambda: [""] * len(numbers),
            "location": lambda: [self._location(n) for n in numbers],
            "source": lambda: ["API - Generic"] * len(numbers),
            "tags_count": lambda: [len(tags) for tags in self._tags(rows)],
            "tags": lambda: [tags[:INLINE_TAGS] for tags in self._tags(rows)],
            "list_id": lambda: [audience.id] * len(numbers),
            "_links": lambda: [self._links(audience.id, people.hashes[n]) for n in numbers],
        }

    def _strip(self, rows: Rows, found: list[dict[str, Any]]) -> None:
        """Leave out what only some members have."""
        for one in found:
            if one.get("unsubscribe_reason", "") is None:
                del one["unsubscribe_reason"]
            if one.get("interests", "") is None:
                del one["interests"]

    def _full_name(self, row: int) -> str:
        written = self.people.merged.get(row, {})
        first, last = written.get("FNAME", self.people.first[row]), written.get("LNAME", self.people.last[row])
        return f"{first} {last}".strip()

    def merge_fields(self, row: int, audience: Audience) -> dict[str, Any]:
        """Every field of the audience; "" where there is no value."""
        people, place = self.people, self.people.places[row]
        found: dict[str, Any] = {
            "FNAME": people.first[row], "LNAME": people.last[row],
            "ADDRESS": {"addr1": "", "addr2": "", "city": place.city, "state": "", "zip": "", "country": place.country}
            if place.country else "",
            "CITY": place.city,
        }
        written = people.merged.get(row)
        if written:
            found.update(written)
        return {one.tag: found.get(one.tag, "") for one in audience.fields}

    def _location(self, row: int) -> dict[str, Any]:
        written = self.people.facts.get(row, {}).get("location", {})
        return {
            "latitude": written.get("latitude", 0), "longitude": written.get("longitude", 0), "gmtoff": 0, "dstoff": 0,
            "country_code": self.people.places[row].country, "timezone": "", "region": "",
        }

    def _interests(self, rows: Rows, audience: Audience) -> Column:
        if not audience.interests:
            return [None] * len(rows)
        bits = self.people.rows["interests"][rows].tolist()
        return [{one: bool(bit >> n & 1) for n, one in enumerate(audience.interests)} for bit in bits]

    def _stats(self, rows: Rows) -> Column:
        """Rates drift with opens and clicks and do not move last_changed (the vendor does not say; our choice)."""
        opened, clicked = self.rates()
        _, orders, spent = self.shop.customers()
        found = []
        for row, opens, clicks in zip(rows.tolist(), opened[rows].tolist(), clicked[rows].tolist(), strict=True):
            one: dict[str, Any] = {"avg_open_rate": round(opens, 4), "avg_click_rate": round(clicks, 4)}
            if row < len(orders) and orders[row]:
                one["ecommerce_data"] = {
                    "total_revenue": money(int(spent[row])), "number_of_orders": int(orders[row]), "currency_code": "USD"}
            found.append(one)
        return found

    def rates(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Share of campaigns opened and clicked per member; counted anew when something happened."""
        key = (self.mail.version, len(self.people))
        if self._rates_of != key:
            self._rates_of, self._rates = key, self.mail.rates(len(self.people))
        return self._rates

    def _tags(self, rows: Rows) -> list[list[dict[str, Any]]]:
        found: list[list[dict[str, Any]]] = [[] for _ in rows]
        audience = int(self.people.rows["audience"][rows[0]])
        for segment in self.segments.of(audience):
            tag = {"id": segment.id, "name": segment.name}
            for n in np.flatnonzero(segment.when(rows)).tolist():
                found[n].append(tag)
        return found

    def _links(self, list_id: str, member: str) -> list[dict[str, str]]:
        here = f"https://us1.api.mailchimp.com/3.0/lists/{list_id}/members"
        return [
            {"rel": "self", "href": f"{here}/{member}", "method": "GET"},
            {"rel": "parent", "href": here, "method": "GET"},
            {"rel": "update", "href": f"{here}/{member}", "method": "PATCH"},
            {"rel": "upsert", "href": f"{here}/{member}", "method": "PUT"},
            {"rel": "delete", "href": f"{here}/{member}", "method": "DELETE"},
            {"rel": "activity", "href": f"{here}/{member}/activity", "method": "GET"},
        ]
