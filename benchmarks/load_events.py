"""Loading the event table from SQLite into Arrow columns: microseconds of CPU a row.

The rows are orders of some 200 bytes as Klaviyo has them, written by the same function that a pull writes them with.

    python -m benchmarks.load_events [ROWS]
"""

from __future__ import annotations

import itertools
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.figures import figure
from benchmarks.stage import NOW
from connectors.base import Consent, ConsentState, Event, Profile, ProfileId
from connectors.registry import kind
from sync.evaluate.from_store import StoreSnapshot
from sync.language.values import Path as Name
from sync.store.facts import write_events
from sync.store.naming import Naming
from sync.store.people import write_profiles
from sync.store.store import Store

ROUNDS = 5
BASE, EACH = 1.2, 0.6                               # µs a row for contact, type and time; for each property more
PEOPLE = 20_000
PROPERTIES: tuple[Name, ...] = (("value",), ("quantity",), ("category",))
WORDS = ("Music", "Winter coats", "Winter boots", "Shoes", "Books", "Garden")


def orders(count: int, seed: int = 3) -> Iterator[Event]:
    """Placed orders in the order of time."""
    draw = random.Random(seed)
    at = NOW - count * 30_000
    for number in range(count):
        at += draw.randrange(1, 60_000)
        properties = {
            "OrderId": f"{number}", "$event_id": f"order-{number}", "$value": draw.randrange(100, 20_000) / 100,
            "$currency_code": "USD", "quantity": draw.randrange(1, 5), "Categories": [draw.choice(WORDS)],
            "Items": [{"ProductID": f"sku-{draw.randrange(5000)}", "Quantity": 1, "ItemPrice": draw.randrange(100, 9999) / 100}],
        }
        yield Event(f"e{number}", "Placed Order", at, properties, profile=ProfileId(f"p{draw.randrange(PEOPLE)}"))


def fill(store: Store, rows: int) -> None:
    """Write people and orders as a pull does, in larger transactions."""
    number = store.connection("klaviyo", "klaviyo")
    naming = Naming("klaviyo", kind("klaviyo").capabilities.events)
    granted = (Consent("email", ConsentState.GRANTED),)
    people = [Profile(ProfileId(f"p{n}"), f"p{n}@shop.example", {}, granted) for n in range(PEOPLE)]
    with store.transaction() as db:
        write_profiles(db, number, "klaviyo", people, NOW, 0)
    told = orders(rows)
    while page := list(itertools.islice(told, 10_000)):
        with store.transaction() as db:
            write_events(db, number, page, naming)


def loaded(store: Store, properties: Sequence[Name], rows: int) -> float:
    """CPU seconds of one load."""
    snapshot = StoreSnapshot(store, {}, {})
    began = time.process_time()
    table = snapshot.events(snapshot.event_types(), properties)
    seconds = time.process_time() - began
    if table.num_rows != rows:
        raise SystemExit(f"{table.num_rows} rows of {rows}")
    return seconds


def main() -> int:
    """Print the figures; 1 when one is short."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000 if os.environ.get("BENCH_FAST") == "1" else 1_000_000
    with tempfile.TemporaryDirectory() as folder, Store.writer(Path(folder) / "store.db") as store:
        fill(store, rows)
        costs: list[list[float]] = [[] for _ in range(len(PROPERTIES) + 1)]
        for _ in range(ROUNDS):
            for many, cost in enumerate(costs):
                cost.append(loaded(store, PROPERTIES[:many], rows) / rows * 1e6)
    base, *more = (statistics.median(cost) for cost in costs)
    held = [figure("load_events", base, BASE, " µs")]
    for many, cost in enumerate(more, 1):
        held.append(figure(f"load_events_{many}_propert{'y' if many == 1 else 'ies'}_each", (cost - base) / many, EACH, " µs"))
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
