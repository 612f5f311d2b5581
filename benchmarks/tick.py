"""The tick over 100,000 contacts and 5,000,000 events, with 40 and 400 segments: its cost beside one full pass, and how soon it knows.

    tick_…_against_full_pass            CPU of a busy tick beside that of a full pass
    tick_…_known_p99                    from the commit of the events until memberships are committed (`benchmarks.tick_store`)
    tick_…_engine_p99                   the part of it that counts and answers, over a record in memory
    tick_…_idle_against_busy            CPU of a tick in which time alone passes
    tick_…_rows_read_for_each_due       events read in an hour and a half of idle ticks, for each that entered or left a window or will
                                        within what was read ahead
    tick_…_memberships_that_differ      segments whose members are not those of a full pass in the end, of both

Each busy tick takes in 1,000 events of the last five seconds, by activity; of these 2 % are up to 90 days late, and 10 % more are told
a second time, which the record drops by their ids before it tells them on. Between busy ticks time passes alone. In the end every
membership is compared with a full pass: none may differ.

A full pass costs by all events and a tick by those that arrived, so their ratio is that of a size: 1/50 is the bar for a million
contacts and 50 million events, 1/4 for a tenth of that.

    python -m benchmarks.tick [--contacts 100000] [--events 5000000] [--ticks 100]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.figures import figure
from benchmarks.full_pass import NOW, TYPES, Segment, cpu_of, event_table, parsed, vars_of, world
from benchmarks.many_segments import many_segments
from benchmarks.tick_store import Kept
from sync.evaluate.full_pass import full_pass
from sync.evaluate.recall import joined, slim
from sync.evaluate.snapshot import ArrowSnapshot, Ints, Snapshot
from sync.evaluate.source import Changes, Restricted
from sync.evaluate.tick import TickEngine
from sync.language.nodes import Node
from sync.language.values import Path, path_text
from sync.store.segments import standing

EACH = 1000                                                                 # events of a busy tick
STEP = 5000                                                                 # milliseconds between two
MINUTE = 60_000
DAY = 86_400_000
LARGE = 50_000_000
BARS = {40: 100.0, 400: 200.0}                                              # milliseconds until changes are known, at the 99th percentile


class Record:
    """All events in memory, as a source; what arrives is appended."""

    def __init__(self, snapshot: ArrowSnapshot) -> None:
        self._base, self._late = snapshot, list[pa.Table]()
        self._known = 0                                                     # ids up to here are in
        self.reads = 0

    def whole(self) -> Snapshot:
        if not self._late:
            return self._base
        table = pa.concat_tables([self._base.event_table, *self._late]).unify_dictionaries().combine_chunks()
        kinds = table.column("type").chunk(0).indices.to_numpy()            # of names that are sorted
        order = np.lexsort((table.column("at").to_numpy(), kinds))
        return ArrowSnapshot(**{**vars_of(self._base), "event_table": table.take(pa.array(order))})

    def of(self, contacts: Ints) -> Snapshot:
        return Restricted(self._base, contacts)

    def between(self, name: str, properties: Sequence[Path], after: int, upto: int) -> pa.Table:
        table = self._base.events([name], properties)
        start, end = np.searchsorted(table.column("at").to_numpy(), (after, upto), side="right").tolist()
        late = [_of_type(each, name, properties) for each in self._late]
        at = [each.column("at").to_numpy() for each in late]
        parts = [each.filter(pa.array((when > after) & (when <= upto))) for each, when in zip(late, at, strict=True)]
        found = joined([table.slice(start, end - start), *parts]).sort_by("at")
        self.reads += len(found)
        return found

    def take(self, table: pa.Table) -> pa.Table:
        """Take in what is not there already of *table*; that."""
        ids = table.column("id").to_numpy()
        table = table.filter(pa.array(ids >= self._known)).drop_columns(["id"])
        self._known = max(self._known, int(ids.max()) + 1)
        self._late.append(table)
        return table

    def told(self, table: pa.Table, wanted: Any) -> Changes:
        """What a commit of *table* tells."""
        names = table.column("type").unique().to_pylist()
        arrived = {name: _of_type(table, name, sorted(paths)) for name in names if (paths := wanted(name)) is not None}
        return Changes(len(self._base.alive), arrived=arrived)


def _of_type(table: pa.Table, name: str, properties: Sequence[Path]) -> pa.Table:
    found = table.filter(pc.equal(table.column("type").cast(pa.string()), name)).sort_by("at")
    for absent in {path_text(path) for path in properties} - {*found.column_names}:
        found = found.append_column(absent, pa.nulls(len(found), pa.string()).dictionary_encode())
    return slim(found.select(["contact", "at", "type", *sorted(map(path_text, properties))]))


def arriving(rng: np.random.Generator, contacts: int, now: int, before: pa.Table | None) -> pa.Table:
    """1,000 new events, and 100 of those *before* again."""
    table = event_table(rng, contacts, EACH)
    late = rng.random(len(table)) < 0.02
    at = np.where(late, now - rng.integers(0, 90 * DAY, len(table)), now - rng.integers(0, STEP, len(table)))
    first = 0 if before is None else pc.max(before.column("id")).as_py() + 1
    table = table.set_column(1, "at", pa.array(at)).append_column("id", pa.array(np.arange(first, first + EACH)))
    again = [] if before is None else [before.take(pa.array(rng.integers(0, len(before), EACH // 10)))]
    return pa.concat_tables([table, *again]).unify_dictionaries()


@dataclass
class Costs:
    """CPU seconds of a busy tick and of an idle one, wall milliseconds of each busy one, and rows read for each that was due."""

    busy: float
    idle: float
    walls: list[float]
    read: float


def alone(record: Record, nodes: Mapping[str, Node], contacts: int, ticks: int) -> tuple[Costs, set[str]]:
    """The engine alone over a record in memory; and the segments in which it differs from a full pass."""
    rng, now, told = np.random.default_rng(3), NOW, None
    engine = TickEngine(record, nodes, NOW)
    while now < NOW + 90 * MINUTE:
        now += MINUTE
        engine.advance(now)
    read, busy, idle, walls = engine.rows_read / max(1, engine.rows_due), [], [], []
    for _ in range(ticks):
        now += STEP
        told = arriving(rng, contacts, now, told)
        changes = record.told(record.take(told), engine.properties)
        before = time.perf_counter()
        busy.append(cpu_of(engine.advance, now, changes)[0])
        walls.append((time.perf_counter() - before) * 1000)
        now += STEP
        idle.append(cpu_of(engine.advance, now)[0])
    result = full_pass(record.whole(), nodes, engine.frontier.now)
    wrong = {name for name in nodes if (engine.members[name] != result.members[name]).any()}
    return Costs(statistics.median(busy), statistics.median(idle), walls, read), wrong


def kept(record: Record, definitions: Mapping[str, Segment], contacts: int, ticks: int) -> tuple[list[float], set[str]]:
    """Milliseconds until each of *ticks* is known over a store; and the segments in which that differs from a full pass."""
    rng, now, told, walls = np.random.default_rng(3), NOW, None, []
    types = sorted(name for name, _ in TYPES)
    with tempfile.TemporaryDirectory() as folder:
        held = Kept(FilePath(folder), record, definitions, types, contacts)
        for _ in range(ticks):
            now += STEP
            told = arriving(rng, contacts, now, told)
            record.take(told)
            walls.append(held.told(told, now))
        result = full_pass(record.whole(), parsed(dict(definitions)), now)
        found = {name: each.members.tolist() for name, each in standing(held.store).items()}
        held.store.close()
    return walls, {name for name in definitions if found[name] != np.flatnonzero(result.members[name]).tolist()}


def measure(number: int, snapshot: ArrowSnapshot, ticks: int) -> bool:
    """Print the figures of *number* segments; whether all hold."""
    contacts, events = len(snapshot.alive), len(snapshot.event_table)
    definitions = many_segments(number)
    nodes = parsed(definitions)
    costs, wrong = alone(Record(snapshot), nodes, contacts, ticks)
    walls, more = kept(Record(snapshot), definitions, contacts, ticks)
    full = statistics.median(cpu_of(lambda: full_pass(ArrowSnapshot(**vars_of(snapshot)), nodes, NOW))[0] for _ in range(3))
    if wrong | more:
        print(f"memberships differ from a full pass: {', '.join(sorted(wrong | more))}", file=sys.stderr)
    print(f"  {number} segments: full pass {full:.2f} s, tick {costs.busy * 1000:.1f} ms, idle {costs.idle * 1000:.2f} ms CPU; "
          f"until known {statistics.median(walls):.1f} ms at the median", file=sys.stderr)
    held = [
        figure(f"tick_{number}_against_full_pass", costs.busy / full, 1 / 50 if events >= LARGE else 1 / 4),
        figure(f"tick_{number}_known_p99", float(np.percentile(walls, 99)), BARS[number], " ms"),
        figure(f"tick_{number}_engine_p99", float(np.percentile(costs.walls, 99)), BARS[number], " ms"),
        figure(f"tick_{number}_idle_against_busy", costs.idle / costs.busy, 0.1),
        figure(f"tick_{number}_rows_read_for_each_due", costs.read, 1),
        figure(f"tick_{number}_memberships_that_differ", len(wrong | more), 0),
    ]
    return all(held)


def main() -> int:
    """Print the figures; 1 when one is short."""
    parser = argparse.ArgumentParser(description="the tick beside a full pass")
    parser.add_argument("--contacts", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--ticks", type=int, default=100)
    asked = parser.parse_args()
    snapshot, _ = world(asked.contacts, asked.events)
    held = [measure(number, snapshot, asked.ticks) for number in BARS]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
