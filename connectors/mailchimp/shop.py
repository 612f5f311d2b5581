"""Orders and carts of the account's stores. No listing filters by time, so they are read whole.

Source: Mailchimp Marketing API reference, E-commerce.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from connectors.base import Event, Json, Millis
from connectors.mailchimp.api import Listings, read
from connectors.mailchimp.nested import Found, Listing, Parent, Window
from connectors.mailchimp.times import moment

ORDER_FIELDS = (
    "campaign_id", "financial_status", "fulfillment_status", "currency_code", "order_total", "discount_total", "tax_total",
    "shipping_total",
)
CART_FIELDS = ("campaign_id", "checkout_url", "currency_code", "order_total", "tax_total")
LINE_FIELDS = ("product_id", "product_title", "product_variant_id", "product_variant_title", "quantity", "price", "discount")
KEPT_OF_ORDERS, KEPT_OF_CARTS = frozenset({"id", "lines", *ORDER_FIELDS}), frozenset({"id", "lines", *CART_FIELDS})
ORDER_TIMES = ("processed_at_foreign", "cancelled_at_foreign", "updated_at_foreign")
CART_TIMES = ("updated_at", "created_at")


@dataclass(frozen=True, slots=True)
class Shop:
    """The stream of "orders" or of "carts", of the stores that belong to *audiences* (all, when empty)."""

    name: str
    audiences: frozenset[str]

    def parents(self, api: Listings, window: Window, memos: Mapping[str, int]) -> Found:
        rows, end = api.everything("/ecommerce/stores", "stores", {"fields": "stores.id,stores.list_id,total_items"})
        stores = read("GET /ecommerce/stores", lambda: {str(row["id"]): row.get("list_id") or "" for row in rows})
        ours = [name for name, list_id in stores.items() if not self.audiences or list_id in self.audiences]
        return Found([Parent(0, name) for name in ours], end)

    def listing(self, parent: Parent, window: Window) -> Listing:
        own = (*ORDER_FIELDS, *ORDER_TIMES) if self.name == "orders" else (*CART_FIELDS, *CART_TIMES)
        wanted = ("id", "customer.email_address", *own, *(f"lines.{name}" for name in LINE_FIELDS))
        fields = ",".join((*(f"{self.name}.{name}" for name in wanted), "total_items"))
        path = f"/ecommerce/stores/{quote(parent.id, safe='')}/{self.name}"
        return Listing(path, self.name, f"/ecommerce/stores/{{store_id}}/{self.name}", {"fields": fields})

    def events(self, rows: Sequence[Json], parent: Parent, window: Window) -> list[Event]:
        translate = _order if self.name == "orders" else _cart
        first, last = window.since * 1000, window.end * 1000 + 999
        facts = [translate(row, parent.id) for row in rows]
        return [fact for fact in facts if fact and first <= fact.at <= last]


def _order(row: Json, store: str) -> Event | None:
    """An order at the time the shop processed it; cancelled ones are void. Ids are unique within a store."""
    cancelled = bool(row.get("cancelled_at_foreign")) or row.get("financial_status") == "cancelled"
    at = moment(row.get("processed_at_foreign")) or moment(row.get("updated_at_foreign"))
    return _event("order", row, store, at, KEPT_OF_ORDERS, cancelled)


def _cart(row: Json, store: str) -> Event | None:
    """A cart at its latest change."""
    return _event("cart", row, store, moment(row.get("updated_at")) or moment(row.get("created_at")), KEPT_OF_CARTS, False)


def _event(native: str, row: Json, store: str, at: Millis | None, kept: frozenset[str], removed: bool) -> Event | None:
    """None for a record without a time or an address: it is no dated fact about somebody."""
    email = row["customer"].get("email_address")
    if at is None or not email:
        return None
    properties: dict[str, Json] = {name: value for name, value in row.items() if name in kept and value is not None and value != ""}
    properties["store_id"] = store
    properties["quantity"] = sum([line.get("quantity") or 0 for line in row["lines"]])
    return Event(f"{native}:{store}:{row['id']}", native, at, properties, None, email, True, removed)
