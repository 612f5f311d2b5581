"""From a world to an account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from connectors.clock import DAY, SECOND
from connectors.hubspot.sandbox.ground import Ground
from connectors.hubspot.sandbox.mail import BOUNCE, CLICK, OPEN, SENT, SPAMREPORT, Campaign
from connectors.hubspot.sandbox.people import NEWSLETTER, OPTED_OUT, SUBSCRIBED, TEXTS
from connectors.hubspot.sandbox.records import ARCHIVED, LIVE
from connectors.hubspot.sandbox.shop import Sales
from connectors.hubspot.sandbox.times import iso, money
from connectors.sandbox.world import CATEGORIES, KINDS, STANDINGS

if TYPE_CHECKING:
    import pyarrow as pa

    from connectors.sandbox.world import World

Ints = npt.NDArray[np.int64]
ORDERS, CARTS = ("order_placed",), ("cart_updated", "checkout_started")
DEALS_EACH = 50                                     # one order in so many was also a deal that was won
STANDING = {name: n for n, name in enumerate(STANDINGS)}


def codes(column: pa.ChunkedArray, words: tuple[str, ...]) -> Ints:
    """A text or dictionary column as indexes into *words*."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found: Ints = pc.index_in(column.cast(pa.string()), value_set=pa.array(words)).to_numpy().astype(np.int64)
    return found


def shared(column: pa.ChunkedArray) -> list[str]:
    """Text in which equal values are one object."""
    coded = column.combine_chunks().dictionary_encode()
    known = coded.dictionary.to_pylist()
    return [known[code] for code in coded.indices.to_pylist()]


class Loading(Ground):
    """`load`: columns in, columns out."""

    def load(self, world: World) -> None:
        """Contacts, mail, orders, carts and a few deals; whatever was there is gone."""
        self.clear()
        people, events, campaigns = world.part(self.name)
        self.everybody = world.people["email"].combine_chunks()
        self.blocked.clear()
        row_of = np.full(world.people.num_rows + 1, -1, np.int64)
        row_of[people["person"].to_numpy()] = np.arange(people.num_rows)
        kind, row = codes(events["kind"], KINDS), row_of[events["person"].to_numpy()]
        self._load_people(people)
        self._load_mail(people, events, campaigns, kind, row)
        for sales, kinds in ((self.shop.orders, ORDERS), (self.shop.carts, CARTS)):
            self._load_sales(sales, events, np.isin(kind, [KINDS.index(one) for one in kinds]) & (row >= 0), row)
        self._load_deals()
        self._settle_people()

    def _load_people(self, people: pa.Table) -> None:
        now, count = self.clock.now(), people.num_rows
        standing, person = codes(people[self.name], STANDINGS), people["person"].to_numpy()
        created = np.minimum(people["created"].to_numpy(), now)
        if count:
            self.since = min(now, int(created.min())) // DAY * DAY
        self.lists.dynamic.created = self.lists.odd.created = self.since
        modified = np.minimum(created + person % 90 * DAY + person % 86_400 * SECOND + person % 1000, now)
        granted, archived = standing == STANDING["granted"], standing == STANDING["archived"]
        subscribed = granted | archived
        self.people.load(
            {
                "created": created, "modified": modified, "person": person,
                "state": np.where(archived, ARCHIVED, LIVE), "archived": np.where(archived, modified, 0),
                "optout": np.where(standing == STANDING["withdrawn"], OPTED_OUT, 0),
                "optout_at": np.where(standing == STANDING["withdrawn"], modified, 0),
                "hard": standing == STANDING["suppressed"],
                f"status_{NEWSLETTER}": np.where(subscribed, SUBSCRIBED, 0), f"status_at_{NEWSLETTER}": np.where(subscribed, created, 0),
            },
            {
                **{name: [""] * count for name in TEXTS}, "email": people["email"].to_pylist(),
                "firstname": shared(people["first_name"]), "lastname": shared(people["last_name"]),
                "city": shared(people["city"]), "country": shared(people["country"]),
            },
        )

    # --- mail

    def _load_mail(self, people: pa.Table, events: pa.Table, campaigns: pa.Table, kind: Ints, row: Ints) -> None:
        known = [Campaign(*one) for one in zip(*(campaigns[name].to_pylist() for name in ("campaign", "title", "at")), strict=True)]
        self.people.letters = [one.title for one in known]
        place = np.full(max((one.number for one in known), default=0) + 2, -1, np.int64)
        place[[one.number for one in known]] = np.arange(len(known))
        campaign = place[np.minimum(events["campaign"].to_numpy(), len(place) - 1)]
        wanted = (kind <= SPAMREPORT) & (row >= 0)
        columns = {
            "created": events["at"].to_numpy()[wanted], "kind": kind[wanted], "campaign": campaign[wanted], "address": row[wanted],
            "machine": events["machine"].to_numpy(zero_copy_only=False)[wanted],
        }
        columns["hard"] = (columns["kind"] == BOUNCE) & (self.people.rows["hard"][columns["address"]] > 0)
        self.mail.load(people["email"].to_pylist(), known, columns)
        self._count_engagement(columns)

    def _count_engagement(self, columns: dict[str, npt.NDArray[Any]]) -> None:
        """Engagement on the record; each event moved its contact's time."""
        rows, kind, who, at = self.people.rows, columns["kind"], columns["address"], columns["created"]
        for name, code in (("sent", SENT), ("opened", OPEN), ("clicked", CLICK), ("bounced", BOUNCE)):
            mine = kind == code
            rows[name][:] = np.bincount(who[mine], minlength=len(rows))
            if name != "bounced":
                np.maximum.at(rows[f"last_{name}"], who[mine], at[mine])
                first = np.full(len(rows), np.iinfo(np.int64).max)
                np.minimum.at(first, who[mine], at[mine])
                rows[f"first_{name}"][:] = np.where(rows[f"last_{name}"] > 0, first, 0)
        rows["last_mail"][who] = columns["campaign"] + 1        # in order of time: the last one stays
        np.maximum.at(rows["modified"], who, np.minimum(at, self.clock.now()))

    # --- the shop

    def _load_sales(self, sales: Sales, events: pa.Table, wanted: npt.NDArray[np.bool_], row: Ints) -> None:
        at = events["at"].to_numpy()[wanted]
        self.shop.load(sales, {
            "contact": row[wanted], "at": at, "modified": np.minimum(at, self.clock.now()),
            "category": codes(events["category"], ("", *CATEGORIES))[wanted],
            **{name: events[name].to_numpy()[wanted] for name in ("value", "quantity", "number")},
        })

    def _load_deals(self) -> None:
        orders = self.shop.orders.rows
        for row in range(0, len(orders), DEALS_EACH):
            at = int(orders["at"][row])
            deal = self.deals.add(at, contact=int(orders["contact"][row]))
            self.deals.extra[deal] = {
                "dealname": f"Deal {deal + 1}", "amount": money(int(orders["value"][row])), "dealstage": "closedwon", "pipeline": "default",
                "closedate": iso(at), "deal_currency_code": "USD",
            }

    def _settle_people(self) -> None:
        """What follows from the rest: customers, the timeline of opt-outs, the DYNAMIC list."""
        people = self.people
        stage = people.text["lifecyclestage"]
        for row in np.unique(self.shop.orders.rows["contact"]).tolist():
            stage[row] = "customer"
        self._untold(np.flatnonzero(people.rows["optout"] == OPTED_OUT), "optout_at", 1, 1)
        told = self.mail.events.rows
        bounced = np.unique(told["address"][(told["kind"] == BOUNCE) & (told["hard"] > 0)])
        self._untold(np.setdiff1d(np.flatnonzero(people.rows["hard"]), bounced), "modified", 2, 2)
        one = self.lists.dynamic
        one.fit(len(people))
        on = (people.rows[f"status_{NEWSLETTER}"] == SUBSCRIBED) & (people.rows["state"] == LIVE)
        for column in (one.joined, one.shown):
            column[: len(people)] = np.where(on, people.rows[f"status_at_{NEWSLETTER}"], 0)

    def _untold(self, rows: Ints, at: str, change: int, what: int) -> None:
        """Entries of the timeline that no event caused; *at*: the column with their time."""
        if len(rows):
            times = self.people.rows[at][rows]
            self.mail.changes.rows.extend(
                created=times, visible=times, address=rows, change=np.full(len(rows), change), what=np.full(len(rows), what))
