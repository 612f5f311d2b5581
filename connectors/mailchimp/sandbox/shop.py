"""The store's orders and carts. Money is int millionths here, exact decimals outside."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from connectors.clock import Millis
from connectors.mailchimp.sandbox.people import whole
from connectors.sandbox.columns import Columns
from connectors.sandbox.world import CATEGORIES

SALE_TYPES = {
    "member": "i4", "at": "i8", "updated": "i8", "value": "i8", "quantity": "i4", "number": "i8", "category": "i1", "state": "i1",
}
PAID, REFUNDED, CANCELLED = range(3)
STATES = ("paid", "refunded", "cancelled")
TITLES = ("Sundries", *(name.replace("-", " ").capitalize() for name in CATEGORIES))
STORE_ID, STORE_NAME = "sandbox-shop", "Sandbox shop"


def money(millionths: int) -> float:
    """The nearest double, whose shortest form is the exact decimal."""
    return millionths / 1_000_000


@dataclass(slots=True)
class Shop:
    """One store, which belongs to the first audience."""

    orders: Columns = field(default_factory=lambda: Columns(SALE_TYPES))
    carts: Columns = field(default_factory=lambda: Columns(SALE_TYPES))
    opened: Millis = 0
    version: int = 0
    opted: dict[int, bool] = field(default_factory=dict)            # opt_in_status written over the API
    _customers: tuple[int, npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]] | None = None

    def load(self, which: str, **columns: npt.NDArray[Any]) -> None:
        at = columns.pop("at") // 1000 * 1000
        getattr(self, which).extend(at=at, updated=at, **columns)
        self.version += 1

    def sell(self, which: str, member: int, at: Millis, value: int, quantity: int, number: int | None, category: int) -> int:
        """One more order or cart; its number (made up when None)."""
        sales: Columns = getattr(self, which)
        taken = int(sales["number"].max()) if len(sales) else 0
        wanted = max(taken + 1, 1_000_000_000) if number is None else number
        sales.append(member=member, at=whole(at), updated=whole(at), value=value, quantity=max(quantity, 1), number=wanted,
                     category=category)
        self.version += 1
        return wanted

    def settle_order(self, number: int, state: int, now: Millis) -> bool:
        """Refund or cancel order *number*; False when there is none."""
        rows = np.flatnonzero(self.orders["number"] == number)
        for row in rows:
            self.orders["state"][row], self.orders["updated"][row] = state, whole(now)
        self.version += 1
        return bool(len(rows))

    def customers(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Members with orders or carts (ascending), and orders and money spent for every member up to the last of them."""
        if self._customers is None or self._customers[0] != self.version:
            paid = self.orders["state"] == PAID
            size = 1 + max([int(sales["member"].max()) for sales in (self.orders, self.carts) if len(sales)], default=-1)
            size = max([size, *(row + 1 for row in self.opted)])
            who = self.orders["member"][paid]
            count = np.bincount(who, minlength=size)
            spent = np.zeros(size, np.int64)
            np.add.at(spent, who, self.orders["value"][paid])
            members = np.unique(np.concatenate([self.orders["member"], self.carts["member"], list(self.opted)])).astype(np.int64)
            self._customers = (self.version, members, count, spent)
        return self._customers[1:]
