"""The events and their metrics: columns for two million rows, properties made when a page is written.

Mail metrics: Received Email, Opened Email, Clicked Email, Bounced Email, Unsubscribed from Email Marketing, Marked Email as
Spam. Shop metrics: Placed Order, Refunded Order, Started Checkout, Added to Cart, Viewed Product, Active on Site.
Source: Klaviyo API docs, "Events API overview"; help page "Understanding metrics".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from connectors.clock import Millis
from connectors.klaviyo.sandbox.identity import event_id, event_uuid, long_ids, short_id
from connectors.klaviyo.sandbox.people import codes_of, iso, whole, whole_column
from connectors.sandbox.columns import Columns
from connectors.sandbox.world import KINDS

# neutral kind → metric, in the order of KINDS
NAMES = dict(zip(KINDS, (
    "Received Email", "Opened Email", "Clicked Email", "Bounced Email", "Unsubscribed from Email Marketing",
    "Marked Email as Spam", "Placed Order", "Refunded Order", "Added to Cart", "Started Checkout", "Viewed Product",
    "Active on Site"), strict=True))
KIND_OF = {name: kind for kind, name in NAMES.items()}
MAIL = frozenset(kind for kind in KINDS if kind.startswith("email_"))
SUBSCRIBED_TO = "Subscribed to Email Marketing"
SUPPRESSED_BY_HAND = "Manually Suppressed from Email Marketing"
BUILT_IN = (*NAMES.values(), SUBSCRIBED_TO, SUPPRESSED_BY_HAND)

KLAVIYO = {"object": "integration", "id": "0rG4eQ", "name": "Klaviyo", "category": "Internal"}
SHOP = {"object": "integration", "id": "6GrLkM", "name": "Example Shop", "category": "eCommerce"}
API = {"object": "integration", "id": "7FtS4J", "name": "API", "category": "API"}
SITE = "https://shop.example"
SHIFT = 44                      # a key of two columns: the first above, the instant below


@dataclass(frozen=True, slots=True)
class Metric:
    id: str
    name: str
    created: Millis
    integration: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Campaign:
    id: str
    name: str
    at: Millis


@dataclass(slots=True)
class Extra:
    """What an event that came over the API (or from a person's deed) holds instead of the generated properties."""

    properties: dict[str, Any]
    unique_id: str


@dataclass(slots=True)
class Happenings:
    """All events. A row is never taken away: those of dead profiles are passed over by who reads."""

    metrics: list[Metric] = field(default_factory=list)
    campaigns: dict[int, Campaign] = field(default_factory=dict)
    columns: Columns = field(default_factory=lambda: Columns({
        "profile": "i4", "at": "i8", "metric": "i2", "campaign": "i4", "value": "i8", "quantity": "i4", "number": "i8",
        "category": "i1", "machine": "?", "visible": "i8", "metric_at": "i8", "profile_at": "i8",
    }))
    categories: list[str] = field(default_factory=lambda: [""])
    extra: dict[int, Extra] = field(default_factory=dict)
    taken: dict[tuple[int, int, str], int] = field(default_factory=dict)   # profile, metric, unique_id → row; not of the loaded
    by_name: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.columns)

    def load(self, events: pa.Table, campaigns: pa.Table, rows_of: npt.NDArray[np.int64], now: Millis) -> None:
        """Fill from a world's part; *rows_of*: person → profile row, or -1."""
        started = int(events["at"][0].as_py()) if len(events) else now
        for name in BUILT_IN:
            self.metric(name, started)
        numbers = campaigns["campaign"].to_pylist()
        ids = long_ids(np.array(numbers, np.int64) + (1 << 33)) if numbers else []
        self.campaigns = {
            number: Campaign(identity, title, at)
            for number, identity, title, at in zip(
                numbers, ids, campaigns["title"].to_pylist(), campaigns["at"].to_pylist(), strict=True)
        }
        self._load_rows(events, rows_of)

    def _load_rows(self, events: pa.Table, rows_of: npt.NDArray[np.int64]) -> None:
        kinds, kind = codes_of(events["kind"])
        self.categories, category = codes_of(events["category"])
        metric = np.array([self.by_name[NAMES[name]] if name in NAMES else -1 for name in kinds], np.int64)[kind]
        profile = rows_of[events["person"].to_numpy()]
        keep = (metric >= 0) & (profile >= 0)
        at = whole_column(events["at"].to_numpy())[keep]
        metric, profile = metric[keep], profile[keep]
        self.columns.extend(
            profile=profile, at=at, metric=metric, category=category[keep], metric_at=metric << SHIFT | at,
            profile_at=profile << SHIFT | at, machine=events["machine"].to_numpy(zero_copy_only=False)[keep],
            **{name: events[name].to_numpy()[keep] for name in ("campaign", "value", "quantity", "number")},
        )

    def metric(self, name: str, now: Millis) -> int:
        """The index of the metric called *name*, made when it is new."""
        if name not in self.by_name:
            kind = KIND_OF.get(name, "")
            known = KLAVIYO if kind in MAIL or name in BUILT_IN[len(NAMES):] else SHOP if kind else API
            self.by_name[name] = len(self.metrics)
            self.metrics.append(Metric(short_id(len(self.metrics), 2), name, whole(now), known))
        return self.by_name[name]

    def metric_index(self, identity: str) -> int:
        """The index of a metric's id, or -1."""
        return next((index for index, metric in enumerate(self.metrics) if metric.id == identity), -1)

    def add(self, profile: int, metric: int, at: Millis, visible: Millis, extra: Extra | None = None, **more: Any) -> int:
        """One event more, shown from *visible* on; its row."""
        at = whole(at)
        row = self.columns.append(
            profile=profile, at=at, metric=metric, visible=visible, metric_at=metric << SHIFT | at,
            profile_at=profile << SHIFT | at, **{"campaign": -1, "number": -1, **more},
        )
        if extra:
            self.extra[row] = extra
            self.taken[(profile, metric, extra.unique_id)] = row
        return row

    def holds(self, profile: int, metric: int, unique_id: str) -> bool:
        """Whether this profile has an event of that metric under that unique_id."""
        if (profile, metric, unique_id) in self.taken:
            return True
        order = self.columns.order("profile_at")
        key = self.columns["profile_at"]
        low, high = np.searchsorted(key, [profile << SHIFT, (profile + 1) << SHIFT], sorter=order)
        return any(self.columns["metric"][row] == metric and self.unique_id(int(row)) == unique_id for row in order[low:high])

    def replace(self, old: int, new: int) -> None:
        """A merge: the survivor has done it all."""
        rows = np.flatnonzero(self.columns["profile"] == old)
        self.columns["profile"][rows] = new
        self.columns["profile_at"][rows] = new << SHIFT | self.columns["at"][rows]
        self.columns.moved()
        self.taken.update({(new, metric, unique): row for (who, metric, unique), row in self.taken.items() if who == old})

    def unique_id(self, row: int) -> str:
        """What stands in `$event_id`: the caller's unique_id, the shop's number, else the second."""
        extra = self.extra.get(row)
        if extra:
            return extra.unique_id
        number = int(self.columns["number"][row])
        return str(number) if number >= 0 else str(int(self.columns["at"][row]) // 1000)

    def properties(self, row: int) -> dict[str, Any]:
        """The event_properties, less what Klaviyo drops (0, null and empty text)."""
        extra = self.extra.get(row)
        made = dict(extra.properties) if extra else self._generated(row)
        made["$event_id"] = self.unique_id(row)
        return made

    def _generated(self, row: int) -> dict[str, Any]:
        kind = KIND_OF.get(self.metrics[self.columns["metric"][row]].name, "")
        if kind in MAIL:
            return self._mail(row, kind)
        if not kind:
            return {}
        number, quantity = int(self.columns["number"][row]), int(self.columns["quantity"][row])
        made = _bought(
            kind, number, int(self.columns["value"][row]) / 1_000_000, quantity, self.categories[self.columns["category"][row]],
        )
        return {name: value for name, value in made.items() if value not in (0, "", None)}

    def _mail(self, row: int, kind: str) -> dict[str, Any]:
        made: dict[str, Any] = {}
        campaign = self.campaigns.get(int(self.columns["campaign"][row]))
        if campaign:
            made = {"Campaign Name": campaign.name, "$message": campaign.id, "Subject": campaign.name}
        if kind == "email_clicked":
            made["URL"] = f"{SITE}/news/{int(self.columns['campaign'][row])}"
        if kind == "email_bounced":
            made["Bounce Type"] = "Hard"
        if self.columns["machine"][row]:
            made["Bot Click" if kind == "email_clicked" else "machine_open"] = True
        return made

    def attributes(self, row: int) -> dict[str, Any]:
        """One event in four spells its datetime with a space, as live answers do. Source: observed in public connectors."""
        at = int(self.columns["at"][row])
        return {
            "timestamp": at // 1000, "event_properties": self.properties(row), "datetime": iso(at, space=row % 4 == 3),
            "uuid": event_uuid(row, at // 1000),
        }

    def identity(self, row: int) -> str:
        return event_id(row)


def _bought(kind: str, number: int, value: float, quantity: int, category: str) -> dict[str, Any]:
    """Properties of a shop's event; *value* in dollars."""
    product = f"{category or 'thing'}-{number % 40}"
    if kind == "page_viewed":
        return {"page": f"{SITE}/{category}", "Category": category}
    if kind == "product_viewed":
        return {"ProductID": product, "ProductName": product, "Categories": [category], "Price": value, "$value": value,
                "URL": f"{SITE}/p/{product}"}
    lines = [{
        "ProductID": product, "ProductName": product, "Categories": [category], "Quantity": quantity, "RowTotal": value,
    }]
    shared = {"$value": value, "$currency_code": "USD", "ItemNames": [product], "Categories": [category], "Items": lines,
              "quantity": quantity}
    if kind in ("order_placed", "order_refunded"):
        return {"OrderId": str(number), **shared}
    if kind == "cart_updated":
        return {"CartId": str(number), "AddedItemProductName": product, "AddedItemQuantity": quantity, **shared}
    return {"CartId": str(number), "CheckoutURL": f"{SITE}/checkout/{number}", **shared}
