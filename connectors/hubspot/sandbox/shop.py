"""Orders, carts and their line items, as a shop's integration writes them into HubSpot.

Source: HubSpot API reference, Orders and Carts; property names vary by account, `quantity` and `category` are this one's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from connectors.hubspot.sandbox.kinds import CART, DEAL, LINE, ORDER, Kind
from connectors.hubspot.sandbox.records import Records, Rows
from connectors.hubspot.sandbox.times import isos, money
from connectors.sandbox.world import CATEGORIES

NAMED = ("", *CATEGORIES)
SALE = {"contact": "i4", "number": "i8", "at": "i8", "value": "i8", "quantity": "i4", "category": "u1", "line": "i4"}
NOBODY = -1
CURRENCY = "USD"


class Deals(Records):
    """Deals. Whether one is closed, and won, is computed from its stage. Source: HubSpot knowledge base, default deal properties."""

    def __init__(self) -> None:
        super().__init__(DEAL, {"contact": "i4"})
        self.made |= {
            "hs_is_closed": lambda rows: self._stage_in(rows, ("closedwon", "closedlost")),
            "hs_is_closed_won": lambda rows: self._stage_in(rows, ("closedwon",)),
        }

    def _stage_in(self, rows: Rows, stages: Sequence[str]) -> list[str | None]:
        return [str(stage in stages).lower() for stage in self.column("dealstage", rows)]


class Sales(Records):
    """Orders or carts. Column *contact* is the associated contact's row or NOBODY; records made through the API have no
    *number* (-1), their values stand apart; *line*: row of the line item plus 1."""

    def __init__(self, kind: Kind) -> None:
        super().__init__(kind, SALE)
        self.native = kind.singular
        number = f"hs_external_{kind.singular}_id"
        self.made |= {
            "hs_createdate": lambda rows: isos(self.rows["created"][rows]),
            number: self._if_sold(lambda rows: list(map(str, self.rows["number"][rows].tolist()))),
            f"hs_{kind.singular}_name": self._if_sold(lambda rows: [f"#{n}" for n in self.rows["number"][rows].tolist()]),
            "hs_total_price": self._if_sold(lambda rows: list(map(money, self.rows["value"][rows].tolist()))),
            "hs_currency_code": self._if_sold(lambda rows: [CURRENCY] * len(rows)),
            "hs_external_created_date": self._if_sold(lambda rows: isos(self.rows["at"][rows])),
            "hs_source_store": self._if_sold(lambda rows: ["shop.example"] * len(rows)),
            "quantity": self._if_sold(lambda rows: list(map(str, self.rows["quantity"][rows].tolist()))),
            "category": self._if_sold(lambda rows: [NAMED[n] for n in self.rows["category"][rows].tolist()]),
        }

    def _if_sold(self, make: Any) -> Any:
        def made(rows: Rows) -> Sequence[str | None]:
            sold = (self.rows["number"][rows] >= 0).tolist()
            return [value or None if there else None for value, there in zip(make(rows), sold, strict=True)]

        return made

    def named(self, number: int) -> int:
        """The row of the shop's own number, or -1."""
        found = np.flatnonzero(self.rows["number"] == number)
        return int(found[-1]) if len(found) else -1


class Lines(Records):
    """Line items: one for each order and each cart. Column *sale*: its row; *cart*: whether it is a cart's."""

    def __init__(self) -> None:
        super().__init__(LINE, {"sale": "i4", "cart": "u1", "value": "i8", "quantity": "i4", "category": "u1", "real": "u1"})
        self.made |= {
            "hs_createdate": lambda rows: isos(self.rows["created"][rows]),
            "name": self._real(lambda rows: [NAMED[n].replace("-", " ").capitalize() for n in self.rows["category"][rows].tolist()]),
            "quantity": self._real(lambda rows: list(map(str, self.rows["quantity"][rows].tolist()))),
            "amount": self._real(lambda rows: list(map(money, self.rows["value"][rows].tolist()))),
            "price": self._real(self._prices),
            "hs_sku": self._real(lambda rows: [f"SKU-{n}" for n in self.rows["category"][rows].tolist()]),
            "category": self._real(lambda rows: [NAMED[n] for n in self.rows["category"][rows].tolist()]),
        }

    def _prices(self, rows: Rows) -> list[str]:
        each = self.rows["value"][rows] // np.maximum(self.rows["quantity"][rows], 1)
        return list(map(money, each.tolist()))

    def _real(self, make: Any) -> Any:
        def made(rows: Rows) -> Sequence[str | None]:
            real = self.rows["real"][rows].tolist()
            return [value or None if there else None for value, there in zip(make(rows), real, strict=True)]

        return made


class Shop:
    """Everything that was put in carts and bought."""

    def __init__(self) -> None:
        self.orders, self.carts, self.lines = Sales(ORDER), Sales(CART), Lines()

    def load(self, sales: Sales, columns: dict[str, Any]) -> None:
        """Append many orders or carts, each with its line item."""
        count, first, line = len(columns["at"]), len(sales), len(self.lines)
        stamps = {"created": columns["at"], "modified": columns["modified"]}
        sales.rows.extend(**columns, created=columns["at"], line=np.arange(line + 1, line + 1 + count))
        self.lines.rows.extend(
            **stamps, sale=np.arange(first, first + count), cart=np.full(count, sales is self.carts), real=np.ones(count, np.uint8),
            **{name: columns[name] for name in ("value", "quantity", "category")},
        )
