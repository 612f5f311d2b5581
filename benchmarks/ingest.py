"""Taking facts in, counted once, against `sqlite3.executemany` of the same rows into an ascending integer key.

Both write to a file with a -wal, synced at the end of each page as a pull gathers them. Ours starts from events as a connector
gives them: names, owners, texts and hashes are part of it, and a tenth of the events is told twice. Python's collector is as calm
as in a command. The figure is our time a row over the bare one: 2.5 is 0.4 of the bare rows in a second. The median of the ratios of
alternated rounds counts.

    python -m benchmarks.ingest [ROWS]
"""

from __future__ import annotations

import os
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.figures import figure
from benchmarks.stage import NOW
from connectors.base import Consent, ConsentState, Event, Profile, ProfileId
from connectors.registry import kind
from sync.calm import calm_collector
from sync.ingest.pull import ENOUGH
from sync.store.facts import write_events
from sync.store.naming import Naming
from sync.store.owners import Owners
from sync.store.people import write_profiles
from sync.store.store import Store

BAR = 2.5
ROUNDS = 7
PEOPLE = 20_000
COLUMNS = "type, at, contact, connection, source, properties, campaign"


def mail(count: int, seed: int = 7) -> list[list[Event]]:
    """Opened mails in the order of time, in pages; a tenth of them comes twice."""
    draw = random.Random(seed)
    at, told = NOW - count * 30_000, list[Event]()
    while len(told) < count:
        at += draw.randrange(1, 60_000)
        person, campaign = draw.randrange(PEOPLE), f"c{draw.randrange(40)}"
        told.append(Event(f"{campaign}|{person:08x}|open|{at // 1000}", "open", at, {"campaign_id": campaign}, ProfileId(f"p{person}")))
        if draw.random() < 0.1:
            told.append(draw.choice(told[-1000:]))
    return [told[start:start + ENOUGH] for start in range(0, count, ENOUGH)]


def ours(path: Path, pages: Sequence[Sequence[Event]]) -> float:
    """Seconds for all pages, into a store that knows the people."""
    with Store.writer(path) as store:
        number = store.connection("mailchimp", "mailchimp")
        granted = (Consent("email", ConsentState.GRANTED),)
        people = [Profile(ProfileId(f"p{n}"), f"p{n}@shop.example", {}, granted) for n in range(PEOPLE)]
        with store.transaction() as db:
            write_profiles(db, number, "mailchimp", people, NOW, 0)
        naming, owners = Naming("mailchimp", kind("mailchimp").capabilities.events), Owners()
        began = time.perf_counter()
        for page in pages:
            with store.transaction() as db:
                write_events(db, number, page, naming, owners)
        return time.perf_counter() - began


def bare(path: Path, pages: Sequence[Sequence[tuple[object, ...]]]) -> float:
    """Seconds for the same rows, ready made."""
    db = sqlite3.connect(path, isolation_level=None)
    for setting in ("journal_mode = wal", "synchronous = full", "wal_autocheckpoint = 0", "cache_size = -32768"):
        db.execute(f"pragma {setting}")
    db.execute(f"create table events (id integer primary key, {COLUMNS})")
    began = time.perf_counter()
    for page in pages:
        db.execute("begin immediate")
        db.executemany("insert into events values (?, ?, ?, ?, ?, ?, ?, ?)", page)
        db.execute("commit")
    seconds = time.perf_counter() - began
    db.close()
    return seconds


def rows_of(pages: Sequence[Sequence[Event]]) -> list[list[tuple[object, ...]]]:
    """The rows of *pages* as they will stand in the store."""
    numbers = iter(range(sum(map(len, pages))))
    return [
        [(next(numbers), 1, e.at, int((e.profile or "p0")[1:]), 1, e.id, "{}", f'"{e.properties["campaign_id"]}"') for e in page]
        for page in pages
    ]


def main() -> int:
    """Print the figure; 1 when it is short."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000 if os.environ.get("BENCH_FAST") == "1" else 200_000
    pages = mail(count)
    rows = rows_of(pages)
    ratios = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder, calm_collector():
            ratios.append(ours(Path(folder) / "store.db", pages) / bare(Path(folder) / "bare.db", rows))
    return 0 if figure("ingest", statistics.median(ratios), BAR) else 1


if __name__ == "__main__":
    sys.exit(main())
