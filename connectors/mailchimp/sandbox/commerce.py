"""E-commerce: the store, its customers, orders and carts. No listing can be filtered by time: the API has none that can."""

from __future__ import annotations

from typing import Any

import numpy as np

from connectors.mailchimp.sandbox import asking, errors
from connectors.mailchimp.sandbox.ground import stamp, stamps
from connectors.mailchimp.sandbox.people import GONE, SUBSCRIBED, TRANSACTIONAL, Rows, token
from connectors.mailchimp.sandbox.records import Records
from connectors.mailchimp.sandbox.shop import CANCELLED, STATES, STORE_ID, STORE_NAME, TITLES, money
from connectors.sandbox.columns import Columns
from connectors.sandbox.server import Request, Response, route
from connectors.sandbox.world import CATEGORIES

ADDRESS = {"address1": "", "address2": "", "city": "", "province": "", "province_code": "", "postal_code": "", "country": "",
           "country_code": ""}
CUSTOMER_BODY = {"id": str, "email_address": str, "opt_in_status": bool, "company": str, "first_name": str, "last_name": str,
                 "address": dict}


class Commerce(Records):
    """Handlers of `/ecommerce`. Orders of permanently deleted people are gone with them (our choice)."""

    def _store(self, request: Request) -> None:
        if request.params["store"] != STORE_ID:
            raise errors.missing()

    def _store_record(self) -> dict[str, Any]:
        return {
            "id": STORE_ID, "list_id": self.audiences[0].id, "name": STORE_NAME, "platform": "Sandbox", "domain": "shop.example",
            "is_syncing": False, "email_address": "owner@example.com", "currency_code": "USD", "money_format": "$",
            "primary_locale": "en", "timezone": "UTC", "phone": "", "address": {**ADDRESS, "longitude": 0, "latitude": 0},
            "connected_site": {}, "automations": {}, "list_is_active": True, "created_at": stamp(self.shop.opened),
            "updated_at": stamp(self.shop.opened), "_links": [],
        }

    @route("GET", "/3.0/ecommerce/stores")
    def all_stores(self, request: Request) -> Response:
        found = [self._store_record()]
        return self.told(request, {"stores": found[asking.paging(request)], "total_items": len(found), "_links": []})

    @route("GET", "/3.0/ecommerce/stores/{store}")
    def one_store(self, request: Request) -> Response:
        self._store(request)
        return self.told(request, self._store_record())

    # --- customers

    def _customers(self) -> Rows:
        members, _, _ = self.shop.customers()
        shown: Rows = members[self.people.rows["status"][members] != GONE]
        return shown

    def _customer_id(self, row: int) -> str:
        return f"c{token('customer', self.people.contacts[row], length=12)}"

    def _customer_records(self, rows: Rows) -> list[dict[str, Any]]:
        _, orders, spent = self.shop.customers()
        people, opted = self.people, self.shop.opted
        subscribed = (people.rows["status"][rows] == SUBSCRIBED).tolist()
        columns = (rows.tolist(), subscribed, orders[rows].tolist(), spent[rows].tolist(), stamps(people.rows["created"][rows]))
        return [
            {
                "id": self._customer_id(row), "email_address": people.emails[row], "opt_in_status": opted.get(row, known),
                "company": "", "first_name": people.first[row], "last_name": people.last[row], "orders_count": count,
                "total_spent": money(total), "address": {**ADDRESS, "country_code": people.places[row].country},
                "created_at": at, "updated_at": at,
            }
            for row, known, count, total, at in zip(*columns, strict=True)
        ]

    def _customer(self, row: int) -> dict[str, Any]:
        return self._customer_records(np.array([row]))[0]

    @route("GET", "/3.0/ecommerce/stores/{store}/customers")
    def all_customers(self, request: Request) -> Response:
        self._store(request)
        found = self._customers()
        if request.one("email_address"):
            row = self.people.find(0, request.one("email_address"))
            found = found[found == (-1 if row is None else row)]
        page = self._customer_records(found[asking.paging(request)])
        return self.told(request, {"store_id": STORE_ID, "customers": page, "total_items": len(found), "_links": []})

    def _find_customer(self, customer: str) -> int | None:
        return next((row for row in self._customers().tolist() if self._customer_id(row) == customer), None)

    @route("GET", "/3.0/ecommerce/stores/{store}/customers/{customer}")
    def one_customer(self, request: Request) -> Response:
        self._store(request)
        row = self._find_customer(request.params["customer"])
        if row is None:
            raise errors.missing()
        return self.told(request, self._customer(row))

    @route("PUT", "/3.0/ecommerce/stores/{store}/customers/{customer}", consent=True)
    def put_customer(self, request: Request) -> Response:
        """Makes a contact when there is none, subscribed or transactional as `opt_in_status` says; false never downgrades.

        A new customer's id is made here, whatever the caller calls it. Source: Mailchimp docs, "Set consent correctly".
        """
        self._store(request)
        sent = asking.body(request)
        asking.checked(sent, CUSTOMER_BODY, ("id", "email_address", "opt_in_status"))
        row = self.people.find(0, sent["email_address"])
        if row is None:
            status = SUBSCRIBED if sent["opt_in_status"] else TRANSACTIONAL
            address = sent["email_address"]
            row = self.people.add(0, address, status, self.person_of(address), self.clock.now(), self.lag("members"))
        return self._written(request, row, sent)

    @route("PATCH", "/3.0/ecommerce/stores/{store}/customers/{customer}", consent=True)
    def patch_customer(self, request: Request) -> Response:
        self._store(request)
        row = self._find_customer(request.params["customer"])
        if row is None:
            raise errors.missing()
        sent = asking.body(request)
        asking.checked(sent, CUSTOMER_BODY)
        return self._written(request, row, sent)

    def _written(self, request: Request, row: int, sent: dict[str, Any]) -> Response:
        self.people.first[row] = sent.get("first_name", self.people.first[row])
        self.people.last[row] = sent.get("last_name", self.people.last[row])
        self.shop.opted[row] = sent.get("opt_in_status", self.shop.opted.get(row, False))
        self.shop.version += 1
        if self.shop.opted[row] and self.people.status(row) == TRANSACTIONAL:
            self.people.set_status(row, SUBSCRIBED, self.clock.now(), self.lag("members"))
        return self.told(request, self._customer(row))

    # --- orders and carts

    def _sales(self, sales: Columns, request: Request) -> Rows:
        """Rows of a listing, oldest entry first."""
        found: Rows = np.arange(len(sales))
        found = found[self.people.rows["status"][sales["member"]] != GONE]
        if request.one("customer_id"):
            row = self._find_customer(request.one("customer_id"))
            found = found[sales["member"][found] == (-1 if row is None else row)]
        if request.one("campaign_id") or request.one("outreach_id") or asking.flag(request, "has_outreach"):
            found = found[:0]                           # orders here come from no campaign
        return found

    @route("GET", "/3.0/ecommerce/orders")
    def orders_anywhere(self, request: Request) -> Response:
        return self._orders(request, {})

    @route("GET", "/3.0/ecommerce/stores/{store}/orders")
    def orders_of_store(self, request: Request) -> Response:
        self._store(request)
        return self._orders(request, {"store_id": STORE_ID})

    def _orders(self, request: Request, head: dict[str, Any]) -> Response:
        found = self._sales(self.shop.orders, request)
        page = self.order_records(found[asking.paging(request)])
        return self.told(request, {**head, "orders": page, "total_items": len(found), "_links": []})

    @route("GET", "/3.0/ecommerce/stores/{store}/orders/{order}")
    def one_order(self, request: Request) -> Response:
        self._store(request)
        wanted = request.params["order"]
        rows = np.flatnonzero(self.shop.orders["number"] == (int(wanted) if wanted.isdigit() else -1))
        if not len(rows):
            raise errors.missing()
        return self.told(request, self.order_records(rows)[0])

    def order_records(self, rows: Rows) -> list[dict[str, Any]]:
        orders = self.shop.orders
        columns = (orders[name][rows].tolist() for name in ("number", "value", "quantity", "category", "state"))
        buyers = self._customer_records(orders["member"][rows])
        placed, updated = stamps(orders["at"][rows]), stamps(orders["updated"][rows])
        return [
            {
                "id": str(number), "customer": buyer, "store_id": STORE_ID, "campaign_id": "",
                "landing_site": "", "financial_status": STATES[state], "fulfillment_status": "shipped", "currency_code": "USD",
                "order_total": money(value), "order_url": f"https://shop.example/orders/{number}", "discount_total": 0,
                "tax_total": 0, "shipping_total": 0, "processed_at_foreign": at,
                "cancelled_at_foreign": changed if state == CANCELLED else "", "updated_at_foreign": changed, "promos": [],
                "lines": lines(number, value, quantity, category, order=True), "_links": [],
            }
            for number, value, quantity, category, state, buyer, at, changed in zip(
                *columns, buyers, placed, updated, strict=True)
        ]

    @route("GET", "/3.0/ecommerce/stores/{store}/carts")
    def carts_of_store(self, request: Request) -> Response:
        self._store(request)
        found = self._sales(self.shop.carts, request)
        page = self.cart_records(found[asking.paging(request)])
        return self.told(request, {"store_id": STORE_ID, "carts": page, "total_items": len(found), "_links": []})

    def cart_records(self, rows: Rows) -> list[dict[str, Any]]:
        carts = self.shop.carts
        columns = (carts[name][rows].tolist() for name in ("number", "value", "quantity", "category"))
        buyers = self._customer_records(carts["member"][rows])
        made, updated = stamps(carts["at"][rows]), stamps(carts["updated"][rows])
        return [
            {
                "id": str(number), "customer": buyer, "campaign_id": "",
                "checkout_url": f"https://shop.example/carts/{number}", "currency_code": "USD", "order_total": money(value),
                "tax_total": 0, "lines": lines(number, value, quantity, category), "created_at": at, "updated_at": changed,
                "_links": [],
            }
            for number, value, quantity, category, buyer, at, changed in zip(*columns, buyers, made, updated, strict=True)
        ]


def lines(number: int, value: int, quantity: int, category: int, *, order: bool = False) -> list[dict[str, Any]]:
    """One line; lines have no category, so the product is named after it. *order*: orders' lines tell a discount, too."""
    product = CATEGORIES[category - 1] if category else "sundries"
    one: dict[str, Any] = {
        "id": f"{number}-1", "product_id": product, "product_title": TITLES[category], "product_variant_id": f"{product}-1",
        "product_variant_title": TITLES[category], "image_url": "", "quantity": quantity,
        "price": round(money(value) / quantity, 2) if quantity else money(value), "_links": [],
    }
    if not order:
        del one["image_url"]
    return [one | ({"discount": 0} if order else {})]
