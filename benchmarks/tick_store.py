"""The tick over a real store, as the daemon runs it: from the commit of a thousand events until who entered and left is committed.

The history lies in memory, as `benchmarks.tick` has it, so that no store of 50 million rows has to be filled; contacts, all that
arrives, memberships and their record are in the store, on the disk of the system's folder for temporary files.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import orjson
import pyarrow as pa

from benchmarks.full_pass import NOW, SPAN, Segment
from sync.config.load import load
from sync.evaluate.following import Followed
from sync.evaluate.live import Live
from sync.evaluate.snapshot import Ints, Snapshot
from sync.evaluate.source import Changes, Properties, Source
from sync.language import values
from sync.source import origins
from sync.store.store import Store

INSERT = "insert or ignore into events (type, at, hash, contact, properties, value, category) values (?, ?, ?, ?, '{}', ?, ?)"
SETTINGS = {
    "version": 1, "settings": {"timezone": "UTC", "store": "store.db"}, "connections": {"klaviyo": {"key": {"env": "K"}}},
    "events": {name: {"from": {"klaviyo": name}} for name in ("session_started", "review_written")},
}


class Remembered:
    """A source whose history is *held* in memory, and whose changes are those of a store."""

    def __init__(self, held: Source, store: Followed) -> None:
        self._held, self._store = held, store

    def whole(self) -> Snapshot:
        return self._held.whole()

    def of(self, contacts: Ints) -> Snapshot:
        return self._held.of(contacts)

    def between(self, name: str, properties: Sequence[values.Path], after: int, upto: int) -> pa.Table:
        return self._held.between(name, properties, after, upto)

    @contextmanager
    def changes(self, properties: Properties) -> Iterator[Changes | None]:
        with self._store.changes(properties) as heard:
            yield heard


class Kept:
    """A store in *folder* with as many *contacts*, and what keeps its memberships true."""

    def __init__(self, folder: Path, held: Source, definitions: Mapping[str, Segment], types: Sequence[str], contacts: int) -> None:
        path = folder / "config.yaml"
        path.write_bytes(orjson.dumps({**SETTINGS, "segments": {name: each.rule for name, each in definitions.items()}}))
        config, problems = load(path)
        if config is None:
            raise SystemExit("\n".join(map(str, problems)))
        self.store = Store.writer(folder / "store.db")
        self.store.connection("klaviyo", "klaviyo")
        self._people(types, contacts)
        self._numbers = {name: number for number, name in enumerate(types, 1)}
        self.live = Live(self.store, config, origins(config, self.store))
        self.live.source = Remembered(held, self.live.source)
        self.live.evaluation(config, NOW)

    def _people(self, types: Sequence[str], contacts: int) -> None:
        with self.store.transaction() as db:
            db.executemany("insert into event_types (id, name) values (?, ?)", enumerate(types, 1))
            db.executemany(
                "insert into contacts (id, sample_key, known_since) values (?, ?, ?)",
                ((number, f"person{number}@example.com", NOW - SPAN) for number in range(contacts)),
            )

    def told(self, table: pa.Table, now: int) -> float:
        """Milliseconds from the commit of *table* until the changes it makes are committed."""
        columns = {name: table.column(name).cast(kind).to_pylist() for name, kind in (
            ("type", pa.string()), ("at", pa.int64()), ("id", pa.int64()), ("contact", pa.int32()), ("value", pa.string()),
            ("category", pa.string()),
        )}
        columns["type"] = [self._numbers[name] for name in columns["type"]]
        with self.store.transaction() as db:
            db.executemany(INSERT, zip(*columns.values(), strict=True))
            began = time.perf_counter()
        self.live.tick(now)
        return (time.perf_counter() - began) * 1000
