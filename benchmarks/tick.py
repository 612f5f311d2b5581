"""The tick over 100,000 contacts and 5,000,000 events, with 40 and 400 segments: its cost beside one full pass, and how soon it knows.

Each busy tick takes in 1,000 events of the last five seconds, by activity; of these 2 % are up to 90 days late, and 10 % more are told
a second time, which the record drops by their ids before it tells them on. Between busy ticks time passes alone. In the end every
membership is compared with a full pass: none may differ. The record is in memory; what a commit costs is `benchmarks.load_events`'s
to say.

A full pass costs by all events and a tick by those that arrived, so their ratio is that of a size: 1/50 is the bar for a million
contacts and 50 million events, 1/4 for a tenth of that.

    python -m benchmarks.tick [--contacts 100000] [--events 5000000] [--ticks 100]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.figures import figure
from benchmarks.full_pass import NOW, cpu_of, event_table, parsed, vars_of, world
from benchmarks.many_segments import many_segments
from sync.evaluate.full_pass import full_pass
from sync.evaluate.recall import joined, slim
from sync.evaluate.snapshot import ArrowSnapshot, Ints, Snapshot
from sync.evaluate.source import Changes, Restricted
from sync.evaluate.tick import TickEngine
from sync.language.values import Path, path_text

EACH = 1000                                                                 # events of a busy tick
STEP = 5000                                                                 # milliseconds between two
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

    def take(self, table: pa.Table, wanted: Any) -> Changes:
        """What a commit of *table* tells: rows that are there already are none."""
        ids = table.column("id").to_numpy()
        table = table.filter(pa.array(ids >= self._known)).drop_columns(["id"])
        self._known = max(self._known, int(ids.max()) + 1)
        self._late.append(table)
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


def measure(number: int, contacts: int, events: int, ticks: int) -> bool:
    """Print the figures of *number* segments; whether all hold."""
    snapshot, _ = world(contacts, events)
    nodes = parsed(many_segments(number))
    record, rng, now = Record(snapshot), np.random.default_rng(3), NOW
    filled, engine = cpu_of(lambda: TickEngine(record, nodes, NOW))
    engine.advance(now + 1)                                                 # reads an hour ahead
    busy, idle, walls, told = [], [], [], None
    for _ in range(ticks):
        now += STEP
        told = arriving(rng, contacts, now, told)
        changes = record.take(told, engine.properties)
        before = time.perf_counter()
        used, diff = cpu_of(lambda: engine.advance(now, changes))           # noqa: B023 - called at once
        walls.append((time.perf_counter() - before) * 1000)
        busy.append(used)
        now += STEP
        idle.append(cpu_of(lambda: engine.advance(now))[0])                 # noqa: B023 - called at once
    result = full_pass(record.whole(), nodes, engine.frontier.now)
    rounds = [cpu_of(lambda: full_pass(ArrowSnapshot(**vars_of(snapshot)), nodes, NOW))[0] for _ in range(3)]
    wrong = [name for name in nodes if (engine.members[name] != result.members[name]).any()]
    if wrong:
        print(f"memberships differ from a full pass: {', '.join(wrong)}", file=sys.stderr)
    full, tick = statistics.median(rounds), statistics.median(busy)
    print(f"  {number} segments: filled in {filled:.2f} s, full pass {full:.2f} s, tick {tick * 1000:.1f} ms, idle "
          f"{statistics.median(idle) * 1000:.2f} ms CPU; {len(diff.segments)} segments changed in the last", file=sys.stderr)
    held = [
        figure(f"tick_{number}_against_full_pass", tick / full, 1 / 50 if events >= LARGE else 1 / 4),
        figure(f"tick_{number}_known_p99", float(np.percentile(walls, 99)), BARS[number], " ms"),
        figure(f"tick_{number}_idle_against_busy", statistics.median(idle) / tick, 0.1),
        figure(f"tick_{number}_memberships_that_differ", len(wrong), 0),
    ]
    return all(held)


def main() -> int:
    """Print the figures; 1 when one is short."""
    parser = argparse.ArgumentParser(description="the tick beside a full pass")
    parser.add_argument("--contacts", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--ticks", type=int, default=100)
    asked = parser.parse_args()
    held = [measure(number, asked.contacts, asked.events, asked.ticks) for number in BARS]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
