"""From a world to an account, and from the account to the rows that a comparison reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from connectors.clock import DAY, SECOND
from connectors.mailchimp.sandbox.people import ARCHIVED, CLEANED, PENDING, SUBSCRIBED, TRANSACTIONAL, UNSUBSCRIBED, Place
from connectors.mailchimp.sandbox.records import Records
from connectors.sandbox.world import CATEGORIES, KINDS, STANDINGS

if TYPE_CHECKING:
    import pyarrow as pa

    from connectors.sandbox.world import World

STATUS_OF = {
    "": TRANSACTIONAL, "granted": SUBSCRIBED, "unknown": TRANSACTIONAL, "withdrawn": UNSUBSCRIBED, "suppressed": CLEANED,
    "archived": ARCHIVED,
}
MAIL_KINDS = KINDS[:6]                              # sent, then in the order of mail.ACTIONS
CARTS = ("cart_updated", "checkout_started")
PENDING_EACH = 17                                   # one in so many of those who never opted in is waiting to confirm


def codes(column: pa.ChunkedArray, words: tuple[str, ...]) -> npt.NDArray[np.int64]:
    """A text or dictionary column as indexes into *words*."""
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = column.cast(pa.string())
    found: npt.NDArray[np.int64] = pc.index_in(texts, value_set=pa.array(words)).to_numpy().astype(np.int64)
    return found


class Loading(Records):
    """`load`: columns in, columns out."""

    def load(self, world: World) -> None:
        """Fill the first audience, the campaigns and the store; whatever was there is gone."""
        import pyarrow.compute as pc

        self.clear()
        people, events, campaigns = world.part(self.name)
        self.everybody = pc.utf8_lower(world.people["email"])       # a copy: the world itself may go
        self._load_people(people)
        row_of = np.full(world.people.num_rows + 1, -1, np.int64)
        row_of[people["person"].to_numpy()] = np.arange(people.num_rows)
        for number, at, title in zip(*(campaigns[name].to_pylist() for name in ("campaign", "at", "title")), strict=True):
            self.mail.add_campaign(title, at, number)
        kind, member = codes(events["kind"], KINDS), row_of[events["person"].to_numpy()]
        self._load_mail(events, kind, member)
        for which, kinds in (("orders", ("order_placed",)), ("carts", CARTS)):
            self._load_sales(which, events, np.isin(kind, [KINDS.index(one) for one in kinds]) & (member >= 0), member)

    def _load_people(self, people: pa.Table) -> None:
        person, standing = people["person"].to_numpy().astype(np.int64), codes(people[self.name], STANDINGS)
        status = np.array([STATUS_OF[one] for one in STANDINGS])[standing]
        status = np.where((status == TRANSACTIONAL) & (person % PENDING_EACH == 0), PENDING, status)
        now = self.clock.now() // SECOND * SECOND
        for audience in self.audiences:
            audience.created = min(now, int(people["created"].to_numpy().min(initial=now)) // SECOND * SECOND)
        created = np.minimum(people["created"].to_numpy() // SECOND * SECOND, now)
        changed = np.minimum(created + person % 90 * DAY + person % 86_400 * SECOND, now)
        before = np.where(status == ARCHIVED, SUBSCRIBED, status)
        places: dict[tuple[str, str], Place] = {}
        where = zip(people["city"].to_pylist(), people["country"].to_pylist(), strict=True)
        self.people.load(
            emails=people["email"].to_pylist(), names=(people["first_name"].to_pylist(), people["last_name"].to_pylist()),
            places=[places.setdefault(one, Place(*one)) for one in where],
            columns={
                "person": person, "status": status, "before": before, "created": created, "changed": changed,
                "opted": np.where(status == SUBSCRIBED, created, 0), "interests": person % 4,
                "compliance": np.isin(status, (UNSUBSCRIBED, CLEANED)), "vip": person % 97 == 0,
            },
        )

    def _load_mail(self, events: pa.Table, kind: npt.NDArray[Any], member: npt.NDArray[Any]) -> None:
        wanted = (kind < len(MAIL_KINDS)) & (member >= 0)
        numbers = np.array([one.number for one in self.mail.campaigns], np.int64)
        index_of = np.full(int(numbers.max(initial=0)) + 2, -1, np.int64)
        index_of[numbers] = np.arange(len(numbers))
        campaign = index_of[np.minimum(events["campaign"].to_numpy(), len(index_of) - 1)]
        wanted &= campaign >= 0
        hard = self.people.rows["status"] == CLEANED
        self.mail.load(campaign[wanted], member[wanted], kind[wanted], events["at"].to_numpy()[wanted],
                       events["machine"].to_numpy(zero_copy_only=False)[wanted], hard)

    def _load_sales(self, which: str, events: pa.Table, wanted: npt.NDArray[np.bool_], member: npt.NDArray[Any]) -> None:
        category = codes(events["category"], ("", *CATEGORIES))
        self.shop.load(
            which, member=member[wanted], category=category[wanted],
            **{name: events[name].to_numpy()[wanted] for name in ("at", "value", "quantity", "number")},
        )

