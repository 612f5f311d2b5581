"""Full pass of 40 segments over sealed events against one DuckDB query per segment over the same Parquet files.

The events of `benchmarks.full_pass` go month by month into a store as rows and are sealed there, as the daemon does it. DuckDB
reads copies of the very files, row group by row group, that have amounts as numbers beside the texts, because that is what it is
fastest on. What counts is CPU time (user and system, all threads), the median of the rounds' ratios; the files' sha256 is checked
once per process, before the rounds. Both must count the same members in every segment.

    python -m benchmarks.sealed [--rounds 5] [--contacts 100000] [--events 5000000] [--verbose]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.figures import figure
from benchmarks.full_pass import DAY, NOW, SPAN, compare, cpu_of, parsed, query_all, segments, world
from sync.evaluate.from_store import StoreSnapshot
from sync.evaluate.full_pass import full_pass
from sync.evaluate.snapshot import ArrowSnapshot
from sync.store import archive
from sync.store.periods import month_of
from sync.store.sealing import seal
from sync.store.store import Store

BAR = 0.30


def fill(store: Store, table: pa.Table) -> tuple[float, float]:
    """Write the events of *table* as rows and seal them, month by month; CPU seconds of writing and of sealing."""
    at = table.column("at").to_numpy()
    with store.transaction() as db:
        names = table.column("type").chunk(0).dictionary.to_pylist()
        db.executemany("insert into event_types (name) values (?)", [(name,) for name in names])
        db.executemany("insert into contacts values (?, ?, ?, null)", ((n, NOW - SPAN, str(n)) for n in range(_people(table))))
    numbers = dict(store.rows("select name, id from event_types"))
    start, written, sealed = NOW - SPAN, 0.0, 0.0
    while start <= NOW:
        month = month_of(start)
        part = table.filter(pa.array((at >= month.start) & (at < month.until)))
        written += cpu_of(lambda part=part: _write(store, part, numbers))[0]
        sealed += cpu_of(lambda month=month: seal(store, lambda name: (), {}, min(NOW, month.until + 4 * DAY)))[0]
        start = month.until
    return written, sealed


def _people(table: pa.Table) -> int:
    return int(pc.max(table.column("contact")).as_py()) + 1


def _write(store: Store, part: pa.Table, numbers: dict[str, int]) -> None:
    rows = zip(
        (numbers[name] for name in part.column("type").to_pylist()), part.column("at").to_pylist(),
        np.random.default_rng(len(part)).integers(0, 2**62, len(part)).tolist(), part.column("contact").to_pylist(),
        part.column("value").to_pylist(), part.column("category").to_pylist(), strict=True,
    )
    with store.transaction() as db:
        db.executemany("insert into events (type, at, hash, contact, properties, value, category) values (?, ?, ?, ?, '{}', ?, ?)", rows)


def copies(store: Store, folder: Path) -> None:
    """The sealed files once more, with `amount` in cents as a number."""
    folder.mkdir()
    for path in sorted(archive.folder(store.db).iterdir()):
        held = pq.ParquetFile(path)
        tables = [_with_amount(held.read_row_group(number)) for number in range(held.num_row_groups)]
        with pq.ParquetWriter(folder / path.name, tables[0].schema, compression="zstd", column_encoding={"at": "DELTA_BINARY_PACKED"},
                              use_dictionary=["type", "value", "category"]) as writer:
            for table in tables:
                writer.write_table(table)


def _with_amount(table: pa.Table) -> pa.Table:
    cents = pc.multiply(pc.cast(pc.cast(table.column("value"), pa.string()), pa.decimal128(18, 2)), pa.scalar(100, pa.decimal128(3, 0)))
    return table.select(["type", "at", "contact", "value", "category"]).append_column("amount", pc.cast(cents, pa.int64()))


@dataclass(frozen=True)
class Mixed:
    """People from memory, as for DuckDB; events from the store."""

    people: ArrowSnapshot
    store: StoreSnapshot

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store if name in ("events", "event_types") else self.people, name)


def main() -> int:
    """Print the figure; 1 when it is short or the two disagree."""
    parser = argparse.ArgumentParser(description="full pass over sealed events against one DuckDB query per segment")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--contacts", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--verbose", action="store_true", help="print each round's CPU seconds, and what filling cost")
    asked = parser.parse_args()
    snapshot, people = world(asked.contacts, asked.events)
    with tempfile.TemporaryDirectory() as folder, Store.writer(Path(folder) / "store.db") as store:
        written, sealed = fill(store, snapshot.event_table)
        copies(store, Path(folder) / "copies")
        if asked.verbose:
            size = sum(file.bytes for file in archive.files(store.db))
            (left,) = store.rows("select count(*) from events")[0]
            print(f"  rows {written:.1f} s, sealing {sealed:.1f} s CPU; {len(archive.files(store.db))} files of {size / 1e6:.0f} MB, "
                  f"{left} rows not sealed", file=sys.stderr)
        return measured(snapshot, people, store, Path(folder) / "copies", asked)


def measured(snapshot: ArrowSnapshot, people: pa.Table, store: Store, folder: Path, asked: argparse.Namespace) -> int:
    definitions, connection = segments(), duckdb.connect()
    nodes = parsed(definitions)
    connection.register("people", people)
    connection.register("hot", _hot(store))
    connection.execute(f"create view events as select type, \"at\", contact, category, amount from read_parquet('{folder}/*.parquet') "
                       "union all select type, \"at\", contact, category, amount from hot")

    def ours() -> Any:
        return full_pass(Mixed(snapshot, StoreSnapshot(store, {}, {}, {})), nodes, NOW)

    counted, result = query_all(connection, definitions), ours()
    if wrong := compare(result, counted):
        print("\n".join(["the two disagree:", *wrong]), file=sys.stderr)
        return 1
    ratios = []
    for _ in range(asked.rounds):
        theirs, mine = cpu_of(lambda: query_all(connection, definitions))[0], cpu_of(ours)[0]
        ratios.append(mine / theirs)
        if asked.verbose:
            print(f"  ours {mine:.3f} s, DuckDB {theirs:.3f} s CPU", file=sys.stderr)
    return 0 if figure("sealed_full_pass_40_segments", statistics.median(ratios), BAR) else 1


def _hot(store: Store) -> pa.Table:
    """The rows that are not sealed yet, for DuckDB."""
    names = dict(store.rows("select id, name from event_types"))
    rows = store.rows("select type, at, contact, category, cast(round(value * 100) as integer) from events")
    columns = list(zip(*rows, strict=True)) if rows else [()] * 5
    return pa.table({
        "type": pa.array([names[kind] for kind in columns[0]], pa.string()), "at": pa.array(columns[1], pa.int64()),
        "contact": pa.array(columns[2], pa.int32()), "category": pa.array(columns[3], pa.string()),
        "amount": pa.array(columns[4], pa.int64()),
    })


if __name__ == "__main__":
    sys.exit(main())
