"""Types of objects: their names, their ids, and what tells them apart.

Source: HubSpot API reference, object type ids. Contacts carry `lastmodifieddate`, everything else `hs_lastmodifieddate`
(observed: github.com issue amp-labs/connectors#45).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """One type. Record *n* has the id `first + n * step`: ascending, with gaps. *moved*: the property that says when a record
    changed; *defaults*: properties of an answer to a read that asks for none."""

    plural: str
    singular: str
    type_id: str
    first: int
    step: int
    moved: str
    defaults: tuple[str, ...]

    @property
    def always(self) -> tuple[str, ...]:
        """Properties of every answer, asked for or not."""
        return ("createdate", "hs_object_id", self.moved)

    def id_of(self, row: int) -> str:
        return str(self.first + row * self.step)

    def row_of(self, text: object, count: int) -> int:
        """The row of an id among *count*, or -1."""
        if not str(text).isdigit() or len(str(text)) > 18:
            return -1
        row, rest = divmod(int(str(text)) - self.first, self.step)
        return row if rest == 0 and 0 <= row < count else -1


def _other(plural: str, singular: str, type_id: str, first: int, *names: str) -> Kind:
    return Kind(plural, singular, type_id, first, 3, "hs_lastmodifieddate", ("createdate", "hs_lastmodifieddate", "hs_object_id", *names))


CONTACT = Kind(
    "contacts", "contact", "0-1", 50_101, 7, "lastmodifieddate",
    ("createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname"),
)
DEAL = _other("deals", "deal", "0-3", 70_000_001, "amount", "closedate", "dealname", "dealstage", "pipeline")
ORDER = _other("orders", "order", "0-123", 300_000_017, "hs_order_name", "hs_total_price", "hs_currency_code")
CART = _other("carts", "cart", "0-142", 500_000_003, "hs_cart_name", "hs_total_price", "hs_currency_code")
LINE = _other("line_items", "line_item", "0-8", 700_000_009, "amount", "name", "price", "quantity")
KINDS = (CONTACT, DEAL, ORDER, CART, LINE)
CLOSED = frozenset({                                # there are such objects, but this account's keys may not see them
    "companies", "company", "0-2", "tickets", "ticket", "0-5", "products", "product", "0-7", "quotes", "quote", "0-14",
})
BY_NAME = {name: kind for kind in KINDS for name in (kind.plural, kind.singular, kind.type_id)}

# type ids of the associations. Source: HubSpot API reference, association type ids
LINKS = {
    ("contacts", "deals"): 4, ("deals", "contacts"): 3, ("contacts", "orders"): 508, ("orders", "contacts"): 507,
    ("contacts", "carts"): 587, ("carts", "contacts"): 586, ("orders", "line_items"): 513, ("line_items", "orders"): 514,
    ("carts", "line_items"): 590, ("line_items", "carts"): 591, ("deals", "line_items"): 19, ("line_items", "deals"): 20,
}
