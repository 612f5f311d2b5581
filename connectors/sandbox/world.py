"""Made-up (or long past) people and what they did, before any platform has them.

A world is three Arrow tables that every sandbox loads its own part of. *person* is the generator's index of a person, the
same on all platforms: that is what "the same human being" means in a comparison, and no platform shows it.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from connectors.clock import DAY, Millis

PLATFORMS = ("mailchimp", "hubspot", "klaviyo")
STANDINGS = ("", "granted", "unknown", "withdrawn", "suppressed", "archived")   # "" = no profile there
KINDS = (
    "email_sent", "email_opened", "email_clicked", "email_bounced", "email_unsubscribed", "email_complained", "order_placed",
    "order_refunded", "cart_updated", "checkout_started", "product_viewed", "page_viewed",
)
CATEGORIES = ("music", "winter-coats", "winter-boots", "shoes", "books", "garden")

_WORD = pa.dictionary(pa.int8(), pa.string())
PEOPLE = pa.schema([
    ("person", pa.int32()), ("email", pa.string()), ("first_name", pa.string()), ("last_name", pa.string()),
    ("country", pa.string()),                       # ISO 3166 alpha-2, or ""
    ("city", pa.string()),
    ("created", pa.int64()),                        # milliseconds UTC
    *((platform, _WORD) for platform in PLATFORMS),  # the standing there, one of STANDINGS
])
EVENTS = pa.schema([
    ("person", pa.int32()), ("at", pa.int64()), ("kind", _WORD),
    ("campaign", pa.int32()),                       # of mail events, else -1
    ("value", pa.int64()),                          # millionths of a dollar, else 0
    ("quantity", pa.int32()),
    ("number", pa.int64()),                         # order, cart or view number, unique per kind; -1 for mail
    ("category", _WORD),                            # of orders, carts and views, else ""
    ("machine", pa.bool_()),                        # an open or click made by a proxy or bot
    *((platform, pa.bool_()) for platform in PLATFORMS),   # who holds this fact; mail has exactly one
])
CAMPAIGNS = pa.schema([("campaign", pa.int32()), ("platform", _WORD), ("at", pa.int64()), ("title", pa.string())])


@dataclass(frozen=True, slots=True)
class World:
    """Tables of the schemas above. People are sorted by *person* (0, 1, 2 …), events by *at*."""

    people: pa.Table
    events: pa.Table
    campaigns: pa.Table

    def part(self, platform: str) -> tuple[pa.Table, pa.Table, pa.Table]:
        """People with a profile on *platform*, the events it holds (of those people), its campaigns."""
        import pyarrow.compute as pc

        people = self.people.filter(pc.not_equal(self.people[platform].cast(pa.string()), ""))
        events = self.events.filter(self.events[platform])
        return people, events, self.campaigns.filter(pc.equal(self.campaigns["platform"].cast(pa.string()), platform))

    def to_bytes(self) -> bytes:
        """The three tables as Arrow IPC streams, one after the other: what the control endpoint takes."""
        sink = io.BytesIO()
        for table in (self.people, self.events, self.campaigns):
            part = to_ipc(table)
            sink.write(len(part).to_bytes(8, "big") + part)
        return sink.getvalue()

    @staticmethod
    def from_bytes(data: bytes) -> World:
        tables = []
        view = memoryview(data)
        while len(view):
            length = int.from_bytes(view[:8], "big")
            tables.append(pa.ipc.open_stream(view[8 : 8 + length]).read_all())
            view = view[8 + length :]
        people, events, campaigns = tables
        return World(people, events, campaigns)


def to_ipc(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def words(values: Sequence[str], codes: npt.NDArray[Any]) -> pa.Array:
    """A dictionary column from *codes* into *values*."""
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int8)), pa.array(values))


FIRST = ("Ada", "Ben", "Cleo", "Dora", "Emil", "Finn", "Greta", "Hugo", "Ida", "Jon", "Kaya", "Lars", "Mia", "Nils", "Olga")
LAST = ("Albers", "Brandt", "Claasen", "Dietz", "Ebert", "Falk", "Gruber", "Hansen", "Ihde", "Jansen", "Koch", "Lenz", "Maurer")
COUNTRIES = ("DE", "AT", "CH", "FR", "NL", "US", "")
CITIES = ("Berlin", "Wien", "Zürich", "Lyon", "Utrecht", "Portland", "")


def people_table(count: int, created: npt.NDArray[np.int64], standings: dict[str, npt.NDArray[Any]], domain: str) -> pa.Table:
    """*count* generic people `p0000001@domain` …; *standings*: platform → index into STANDINGS per person."""
    person = np.arange(count)
    where = person * 7 // 3 % len(COUNTRIES)
    columns = {
        "person": pa.array(person.astype(np.int32)),
        "email": pa.array([f"p{n:07d}@{domain}" for n in range(count)]),
        "first_name": pa.array([FIRST[n % len(FIRST)] for n in range(count)]),
        "last_name": pa.array([LAST[n // 3 % len(LAST)] for n in range(count)]),
        "country": pa.array(np.array(COUNTRIES)[where].tolist(), pa.string()),
        "city": pa.array(np.array(CITIES)[where].tolist(), pa.string()),
        "created": pa.array(created.astype(np.int64)),
        **{platform: words(STANDINGS, standings[platform]) for platform in PLATFORMS},
    }
    return pa.table(columns, schema=PEOPLE)


def campaigns_table(rows: Sequence[tuple[str, Millis]]) -> pa.Table:
    """Campaigns 0, 1, 2 … of (platform, time sent)."""
    return pa.table(
        {
            "campaign": pa.array(range(len(rows)), pa.int32()),
            "platform": words(PLATFORMS, np.array([PLATFORMS.index(platform) for platform, _ in rows], np.int8)),
            "at": pa.array([at for _, at in rows], pa.int64()),
            "title": pa.array([f"Newsletter {n + 1}" for n in range(len(rows))]),
        },
        schema=CAMPAIGNS,
    )


def events_table(**columns: npt.NDArray[Any]) -> pa.Table:
    """Events from plain columns (kind and category as indexes), whole seconds, sorted by time; missing columns are empty."""
    count = len(columns["at"])
    empty = {"campaign": -1, "value": 0, "quantity": 0, "number": -1, "category": 0, "machine": False}
    full = {name: columns.get(name, np.full(count, value)) for name, value in empty.items()} | columns
    order = np.argsort(full["at"], kind="stable")
    full = {name: np.asarray(column)[order] for name, column in full.items()}
    arrays = {
        name: words(KINDS if name == "kind" else ("", *CATEGORIES), column) if name in ("kind", "category") else pa.array(column)
        for name, column in full.items()
    }
    return pa.table({f.name: arrays[f.name].cast(f.type) for f in EVENTS}, schema=EVENTS)


def random_world(seed: int, people: int, events: int, now: Millis, *, days: int = 365, campaigns: int = 12) -> World:
    """A world of *people* and about *events* events in the *days* before *now*, the same for the same arguments.

    Seven in ten people have a profile on each platform (everybody has one somewhere); a tenth of them withdrew or are
    suppressed, a fiftieth are archived. Activity is log-normal. A sixth of the orders are held by two platforms.
    """
    rng = np.random.default_rng(seed)
    start = now - days * DAY
    standings = _standings(rng, people)
    created = start - rng.integers(0, 200, people) * DAY
    sent = [(PLATFORMS[n % 3], int(start + (n + 1) * days * DAY // (campaigns + 1))) for n in range(campaigns)]
    mail = _mail(rng, standings, sent, events * 7 // 10, now)
    shop = _shop(rng, standings, events - len(mail["at"]), start, now)
    both = {name: np.concatenate([mail[name], shop[name]]) for name in mail}
    both["at"] = both["at"] // 1000 * 1000
    return World(people_table(people, created, standings, "shop.example"), events_table(**both), campaigns_table(sent))


def _standings(rng: np.random.Generator, people: int) -> dict[str, npt.NDArray[Any]]:
    drawn = {platform: rng.choice(6, people, p=[0.30, 0.38, 0.23, 0.05, 0.03, 0.01]) for platform in PLATFORMS}
    nowhere = np.all([column == 0 for column in drawn.values()], axis=0)
    drawn["klaviyo"][nowhere] = 1
    return drawn


def _mail(
    rng: np.random.Generator, standings: dict[str, npt.NDArray[Any]], sent: Sequence[tuple[str, Millis]], events: int,
    now: Millis,
) -> dict[str, npt.NDArray[Any]]:
    each = max(1, events // max(1, len(sent)))
    parts: list[dict[str, npt.NDArray[Any]]] = []
    for number, (platform, at) in enumerate(sent):
        there = np.flatnonzero((standings[platform] > 0) & (standings[platform] < 5))
        weight = rng.lognormal(0, 1, len(there))
        receivers = rng.choice(there, min(len(there), each // 2), replace=False)
        acting = rng.choice(there, each - len(receivers), p=weight / weight.sum())
        kinds = rng.choice(5, len(acting), p=[0.72, 0.24, 0.02, 0.015, 0.005]) + 1
        later = np.minimum(at + rng.exponential(2 * DAY, len(acting)).astype(np.int64), now - 1000)
        parts.append(_facts(
            person=np.concatenate([receivers, acting]), at=np.concatenate([np.full(len(receivers), at), later]),
            kind=np.concatenate([np.zeros(len(receivers)), kinds]), campaign=np.full(each, number),
            machine=np.concatenate([np.zeros(len(receivers)), (kinds == 1) & (rng.random(len(acting)) < 0.1)]),
            holders={platform: np.ones(each, bool)},
        ))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _shop(
    rng: np.random.Generator, standings: dict[str, npt.NDArray[Any]], count: int, start: Millis, now: Millis,
) -> dict[str, npt.NDArray[Any]]:
    people = len(standings["klaviyo"])
    weight = rng.lognormal(0, 1, people)
    person = rng.choice(people, count, p=weight / weight.sum())
    kind = rng.choice([6, 8, 9, 10], count, p=[0.35, 0.1, 0.1, 0.45])
    there = np.stack([standings[platform][person] > 0 for platform in PLATFORMS])
    first = np.argmax(there * rng.random(there.shape), axis=0)
    second = np.argmax(there * rng.random(there.shape), axis=0)
    twice = (kind == 6) & (rng.random(count) < 0.33)
    klaviyo = PLATFORMS.index("klaviyo")
    browsing = (kind > 8) & there[klaviyo]          # only Klaviyo hears of views and checkouts
    lone = (kind > 8) & ~browsing
    kind = np.where(lone, 6, kind)
    holders = {
        platform: np.where(browsing, n == klaviyo, (first == n) | (twice & (second == n))) & there[n]
        for n, platform in enumerate(PLATFORMS)
    }
    return _facts(
        person=person, at=rng.integers(start, now - 1000, count), kind=kind, campaign=np.full(count, -1),
        machine=np.zeros(count, bool), holders=holders, value=rng.integers(100, 20_000, count) * 10_000,
        quantity=rng.integers(1, 5, count), number=np.arange(count), category=rng.integers(1, len(CATEGORIES) + 1, count),
    )


def _facts(holders: dict[str, npt.NDArray[Any]], **columns: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    count = len(columns["at"])
    empty = {"value": np.zeros(count, np.int64), "quantity": np.zeros(count, np.int64), "number": np.full(count, -1),
             "category": np.zeros(count, np.int64)}
    return {**empty, **columns, "machine": columns["machine"].astype(bool),
            **{platform: holders.get(platform, np.zeros(count, bool)) for platform in PLATFORMS}}
