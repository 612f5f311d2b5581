"""Full pass over sealed history: 40 and 400 segments against one DuckDB query per segment over the same Parquet files.

The events are taken into a real store and sealed by segmentd itself. Contacts' fields lie in memory, typed, on both sides, so that
the figures speak of events. What counts is CPU time (user and system, all threads), the median of the rounds' ratios; before that,
both must count the same members in every segment. The floor is the cheapest way found to fetch every event's contact from those
files, and one `bincount`. Peak memory is that of a process that does one pass, above what it held before, against the bytes of the
columns that the pass asks for: of 40, of 400, and of the 40 with patterns, traits and ranks beside them (`mixed`).

    python -m benchmarks.sealed_pass [--contacts 100000] [--events 5000000] [--rounds 3] [--ground FOLDER] [--verbose]

Filling takes longer than measuring. `--ground FOLDER` keeps the filled store in that folder, and measures over the one that is
there if it was filled with the same numbers; without it the store is made anew and thrown away.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from benchmarks.figures import figure
from benchmarks.full_pass import DAY, NOW, Segment, compare, cpu_of, event_table, parsed, query_all, world
from benchmarks.many_segments import many_segments
from benchmarks.mixed_segments import mixed_segments
from connectors.base import Millis
from sync.evaluate.from_store import StoreSnapshot
from sync.evaluate.full_pass import full_pass
from sync.evaluate.snapshot import BEGINNING, ArrowSnapshot
from sync.language.nodes import Node
from sync.store.sealing import seal
from sync.store.store import Store

BARS = {40: 0.30, 400: 0.08}
FLOORS = {40: 2.5, 400: 5.0}
INSERT = "insert into events (type, at, hash, contact, properties, value, category) values (?, ?, ?, ?, '{}', ?, ?)"


# --- the store --------------------------------------------------------------------------------------------------------------


@contextmanager
def ground(asked: argparse.Namespace) -> Iterator[Path]:
    """The store that was asked for, filled; thrown away afterwards unless it is kept."""
    with tempfile.TemporaryDirectory() as folder:
        place = (asked.ground or Path(folder)) / f"{asked.contacts}-{asked.events}"
        filled, path = place / "filled", place / "store.db"
        if not filled.exists():
            shutil.rmtree(place, ignore_errors=True)                    # what an interrupted filling left
            place.mkdir(parents=True)
            began = time.perf_counter()
            with Store.writer(path) as store:
                fill(store, event_table(np.random.default_rng(7), asked.contacts, asked.events), asked.contacts)
            filled.touch()
            if asked.verbose:
                print(f"  filled and sealed in {time.perf_counter() - began:.0f} s", file=sys.stderr)
        Store.writer(path).close()                                      # a kept one may be older than the code
        yield path


def fill(store: Store, table: pa.Table, contacts: int) -> None:
    """Take *table* (see `full_pass.event_table`) into *store* and seal it, a month at a time, as the years would."""
    names = table.column("type").chunk(0).dictionary.to_pylist()
    with store.transaction() as db:
        db.executemany("insert into event_types (id, name) values (?, ?)", enumerate(names, 1))
        db.executemany(
            "insert into contacts (id, sample_key, known_since) values (?, ?, ?)",
            ((number, f"person{number}@example.com", NOW - 548 * DAY) for number in range(contacts)),
        )
    order = np.argsort(table.column("at").to_numpy(), kind="stable")
    ascending = table.column("at").to_numpy()[order]
    for start in range(NOW - 548 * DAY, NOW, 30 * DAY):
        first, last = np.searchsorted(ascending, [start, start + 30 * DAY])
        _write(store, table.take(pa.array(np.sort(order[first:last]))), first)
        seal(store, lambda name: (), {}, start + 40 * DAY)              # no hot days are left: DuckDB sees the files alone


def _write(store: Store, rows: pa.Table, number: int) -> None:
    kinds, texts = rows.column("type").combine_chunks().indices, {}
    for name in ("value", "category"):
        texts[name] = rows.column(name).combine_chunks().cast(pa.string()).to_pylist()
    hashes = np.random.default_rng(number).integers(0, 2**62, len(rows)).tolist()
    columns = (pa.compute.add(kinds, 1).to_pylist(), rows.column("at").to_pylist(), hashes, rows.column("contact").to_pylist())
    with store.transaction() as db:
        db.executemany(INSERT, zip(*columns, texts["value"], texts["category"], strict=True))


@dataclass(frozen=True, kw_only=True)
class Sealed(ArrowSnapshot):
    """Contacts in memory, events in a store."""

    held: StoreSnapshot

    def event_types(self) -> list[str]:
        return list(self.held.event_types())

    def events(self, types: Any, properties: Any, after: Millis = BEGINNING) -> pa.Table:
        return self.held.events(types, properties, after)


def over(store: Store, memory: ArrowSnapshot) -> Callable[[], Sealed]:
    """Makes a snapshot that has computed nothing yet."""
    return lambda: Sealed(memory.alive, memory.known_since, memory.sample_keys, memory.field_columns, pa.table({}),
                          held=StoreSnapshot(store, {}, {}))


# --- the reference ----------------------------------------------------------------------------------------------------------


def reference(store: Store, people: pa.Table) -> duckdb.DuckDBPyConnection:
    """A connection in which `events` are the sealed files, amounts read from the same texts, and `people` the contacts."""
    files = [f"{store.path}.sealed/{name}" for (name,) in store.rows("select name from sealed")]
    connection = duckdb.connect()
    connection.register("people", people)
    connection.execute(
        f"create view events as select type, \"at\", contact, category, cast(cast(value as decimal(18, 2)) * 100 as bigint) as amount "
        f"from read_parquet({files!r})",
    )
    return connection


def floors(connection: duckdb.DuckDBPyConnection, store: Store, contacts: int) -> float:
    """CPU seconds of the cheaper of two ways to fetch and count everything once."""
    def by_duckdb() -> Any:
        return np.bincount(connection.execute("select contact from events").fetchnumpy()["contact"], minlength=contacts)

    def by_arrow() -> Any:
        held = StoreSnapshot(store, {}, {})
        ids = [held.events([name], []).column("contact").to_numpy() for name in held.event_types()]
        return np.bincount(np.concatenate(ids), minlength=contacts)

    return min(cpu_of(by_duckdb)[0], cpu_of(by_arrow)[0])


# --- memory -----------------------------------------------------------------------------------------------------------------


def asked_bytes(store: Store, nodes: dict[str, Node]) -> int:
    """Bytes of the columns that a pass over *nodes* reads: contact and time of every event it asks for, a code per property."""
    found = 0

    class Noted(Sealed):
        def events(self, types: Any, properties: Any, after: Millis = BEGINNING) -> pa.Table:
            nonlocal found
            table = super().events(types, properties, after)
            found += len(table) * (4 + 8 + 4 * len(properties))
            return table

    memory, _ = world(_contacts(store), 1000)
    full_pass(Noted(memory.alive, memory.known_since, memory.sample_keys, memory.field_columns, pa.table({}),
                    held=StoreSnapshot(store, {}, {})), nodes, NOW)
    return found + _contacts(store) * 4 * 4


def _contacts(store: Store) -> int:
    return int(store.rows("select count(*) from contacts")[0][0])


def resident() -> int:
    """Bytes of this process's memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def peak_of(work: Callable[[], Any]) -> int:
    """The most bytes that were held during *work* above those before; looked at every two milliseconds."""
    before, most, done = resident(), [0], threading.Event()

    def look() -> None:
        while not done.wait(0.002):
            most[0] = max(most[0], resident())

    watcher = threading.Thread(target=look)
    watcher.start()
    work()
    done.set()
    watcher.join()
    return most[0] - before


def memory(path: Path, which: str) -> None:
    """In a process of its own: print the peak of one pass and the bytes of its columns."""
    with Store.reader(path) as store:
        held, _ = world(_contacts(store), 1000)
        nodes, fresh = mixed_segments() if which == "mixed" else parsed(many_segments(int(which))), over(store, held)
        full_pass(held, nodes, NOW)                                     # imports what it needs
        StoreSnapshot(store, {}, {}).events(["review_written"], [])
        peak = peak_of(lambda: full_pass(fresh(), nodes, NOW))
        print(peak, asked_bytes(store, nodes))


# --- figures ----------------------------------------------------------------------------------------------------------------


def rounds(asked: argparse.Namespace, connection: Any, fresh: Callable[[], Sealed], definitions: dict[str, Segment]) -> list[float] | None:
    """Ratios to DuckDB, alternated; None when the two disagree about anybody."""
    nodes = parsed(definitions)
    if wrong := compare(full_pass(fresh(), nodes, NOW), query_all(connection, definitions)):
        print("\n".join(["the two disagree:", *wrong]), file=sys.stderr)
        return None
    ratios = []
    for _ in range(asked.rounds):
        theirs, _ = cpu_of(lambda: query_all(connection, definitions))
        ours, _ = cpu_of(lambda: full_pass(fresh(), nodes, NOW))
        ratios.append(ours / theirs)
        if asked.verbose:
            print(f"  {len(nodes)} segments: ours {ours:.2f} s, DuckDB {theirs:.2f} s CPU", file=sys.stderr)
    return ratios


def measure(asked: argparse.Namespace, path: Path, store: Store, memory_: ArrowSnapshot, people: pa.Table) -> list[bool]:
    """Print every figure; which of them hold."""
    connection = reference(store, people)
    fresh, held = over(store, memory_), []
    floor = statistics.median(floors(connection, store, asked.contacts) for _ in range(3))
    alone = {}
    for number in BARS:
        definitions = many_segments(number)
        ratios = rounds(asked, connection, fresh, definitions)
        if ratios is None:
            return [False]
        nodes = parsed(definitions)
        alone[number] = statistics.median(cpu_of(lambda nodes=nodes: full_pass(fresh(), nodes, NOW))[0] for _ in range(3))
        held.append(figure(f"sealed_pass_{number}_segments", statistics.median(ratios), BARS[number]))
        held.append(figure(f"sealed_pass_{number}_to_floor", alone[number] / floor, FLOORS[number]))
    held.append(figure("sealed_pass_400_to_40", alone[400] / alone[40], 4.0))
    return held + [lean(path, which, asked.verbose) for which in ("40", "400", "mixed")]


def lean(path: Path, which: str, verbose: bool) -> bool:
    """Print the figure of one pass's peak memory; whether it holds."""
    command = [sys.executable, "-m", "benchmarks.sealed_pass", "--memory", str(path), which]
    peak, columns = map(int, subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())
    if verbose:
        print(f"  {which} segments: peak {peak / 2**20:,.0f} MiB, columns {columns / 2**20:,.0f} MiB", file=sys.stderr)
    return figure(f"sealed_pass_{which}_peak", peak / columns, 3.0)


def main() -> int:
    """Print the figures; 1 when one is short or the two disagree."""
    parser = argparse.ArgumentParser(description="full pass over sealed files against one DuckDB query per segment")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--contacts", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--ground", type=Path, help="folder that keeps the filled store for the next time")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--memory", nargs=2)
    asked = parser.parse_args()
    if asked.memory:
        memory(Path(asked.memory[0]), asked.memory[1])
        return 0
    snapshot, people = world(asked.contacts, 1000)                      # the events are the store's
    with ground(asked) as path, Store.reader(path) as store:
        held = measure(asked, path, store, snapshot, people)
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
