"""The catalogue of sealed events, and its files: found, checked, read, searched, swept.

A file lies in the folder `<store>.sealed` and never changes. Its sha256 stands in the catalogue and is checked before a process
first uses it: a flipped bit in a Parquet file is otherwise a wrong number without an error. What the catalogue no longer names
is deleted when no reader can still be at it (`sweep`).
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path as FilePath
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from connectors.base import HOUR, Millis
from sync.model import StoreError
from sync.store.columns import Key
from sync.store.periods import Period

GRACE: Millis = HOUR                                # a reader that was told of a file opens it long before this is over
KEYS_KEPT = 96 * 1024 * 1024                        # bytes of keys of sealed events that a writer remembers

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class File:
    """One sealed file, as the catalogue has it."""

    id: int
    name: str
    start: Millis
    until: Millis
    rows: int
    bytes: int
    digest: str


@dataclass(frozen=True, slots=True)
class Slice:
    """The events of one type in one *file*, by time and hash. *first*, *last*: their times; *groups*: row groups (from, to);
    *columns*: properties that have a column of their own."""

    file: File
    type: int
    rows: int
    first: Millis
    last: Millis
    groups: tuple[int, int]
    columns: frozenset[str]


# --- the catalogue --------------------------------------------------------------------------------------------------------


def files(db: sqlite3.Connection) -> list[File]:
    """All sealed files, in order of time."""
    return [File(*row) for row in db.execute("select id, name, start, until, rows, bytes, digest from sealed order by start")]


def slices(db: sqlite3.Connection, kind: int | None = None) -> list[Slice]:
    """The slices of one type, or all; in order of time."""
    rows: Iterable[tuple[Any, ...]] = db.execute(
        "select f.id, f.name, f.start, f.until, f.rows, f.bytes, f.digest, s.type, s.rows, s.first, s.last, s.from_group, "
        "s.to_group, s.columns from slices s join sealed f on f.id = s.file where ?1 is null or s.type = ?1 order by s.first", (kind,),
    )
    return [
        Slice(File(*row[:7]), row[7], row[8], row[9], row[10], (row[11], row[12]), frozenset(orjson.loads(row[13]))) for row in rows
    ]


def sealed_until(db: sqlite3.Connection) -> Millis | None:
    """Nothing that happened from here on is sealed; None when nothing is at all."""
    (until,) = db.execute("select max(until) from sealed").fetchone()
    return None if until is None else int(until)


def floors(db: sqlite3.Connection) -> dict[int, Millis]:
    """Type → events from before are not kept; only types of which not all are."""
    return dict(db.execute("select id, floor from event_types where floor is not null").fetchall())


def folder(db: sqlite3.Connection) -> FilePath:
    """Where the files lie. A store that is moved takes this folder with it."""
    (path,) = [row[2] for row in db.execute("pragma database_list") if row[1] == "main"]
    return FilePath(f"{path}.sealed")


def merged(db: sqlite3.Connection) -> Ints | None:
    """Contact id → the contact it is by now; None when nobody was merged. A sealed event keeps the id it was sealed with."""
    pairs = db.execute("select id, merged_into from contacts where merged_into is not null").fetchall()
    if not pairs:
        return None
    (size,) = db.execute("select max(id) + 1 from contacts").fetchone()
    into = np.arange(size)
    into[[old for old, _ in pairs]] = [new for _, new in pairs]
    return into


# --- files ----------------------------------------------------------------------------------------------------------------


def path_of(db: sqlite3.Connection, file: File) -> FilePath:
    return folder(db) / file.name


def digest_of_file(path: FilePath) -> str:
    """sha256 of a file, as hex."""
    with path.open("rb") as held:
        return hashlib.file_digest(held, "sha256").hexdigest()


def damaged(path: FilePath, why: str) -> StoreError:
    return StoreError(
        f"the sealed events in {path} cannot be used ({why}); nothing was changed. Put back a copy of this file, or move the store "
        f"and {path.parent.name} away and run `segmentd plan`: everything is pulled again"
    )


@contextmanager
def naming_file(path: FilePath) -> Iterator[None]:
    """What is wrong with a sealed file becomes a StoreError that names it."""
    from pyarrow import ArrowException

    try:
        yield
    except FileNotFoundError:
        raise damaged(path, "it is missing") from None
    except (OSError, ArrowException) as error:
        raise damaged(path, str(error).partition("\n")[0]) from error


@lru_cache(maxsize=1024)
def _footer(path: FilePath, digest: str) -> Any:
    """What a file says of itself; only of one that is what was sealed."""
    import pyarrow.parquet as pq

    if digest_of_file(path) != digest:
        raise damaged(path, "its content has changed since it was sealed")
    return pq.read_metadata(path)


def read(place: FilePath, part: Slice, columns: Sequence[str]) -> Any:
    """*columns* of the events of *part*, whose file lies in *place*; null in a file from before there was such a column.

    Raises StoreError.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = place / part.file.name
    with naming_file(path), pa.OSFile(str(path)) as raw:    # a path would be resolved anew each time, at half the price of a small read
        file = pq.ParquetFile(raw, metadata=_footer(path, part.file.digest))
        table = file.read_row_groups(list(range(*part.groups)), columns=list(columns), use_threads=False)
    for name in columns:
        if name not in table.column_names:
            table = table.append_column(name, pa.nulls(part.rows))
    return table.select(list(columns))


# --- single events --------------------------------------------------------------------------------------------------------


def known(db: sqlite3.Connection, keys: Iterable[Key]) -> set[Key]:
    """Those of *keys* that are sealed and were not taken back."""
    edge = sealed_until(db)
    if edge is None:
        return set()
    old: dict[int, list[Key]] = {}
    for key in keys:
        if key[1] < edge:
            old.setdefault(key[0], []).append(key)
    found = {key for kind, asked in old.items() for key in _sealed(db, kind, sorted(asked))}
    return found - taken_back(db, found)


def taken_back(db: sqlite3.Connection, keys: Collection[Key]) -> set[Key]:
    """Those of *keys* that are noted as taken back."""
    if not keys:
        return set()
    return set(db.execute(
        "select t.type, t.at, t.hash from json_each(?) k cross join taken_back t "
        "on t.type = k.value ->> 0 and t.at = k.value ->> 1 and t.hash = k.value ->> 2", (orjson.dumps(list(keys)).decode(),),
    ).fetchall())


def take_back(db: sqlite3.Connection, keys: Collection[Key]) -> None:
    """These events are no more, wherever they are."""
    db.executemany("delete from events where type = ? and at = ? and hash = ?", keys)
    db.executemany("insert into taken_back values (?, ?, ?)", sorted(known(db, keys)))


def _sealed(db: sqlite3.Connection, kind: int, keys: Sequence[Key]) -> Iterator[Key]:
    """Those of *keys*, all of one type and ascending, that some file holds."""
    place = folder(db)
    for part in slices(db, kind):
        near = [key for key in keys if part.first <= key[1] <= part.last]
        if near:
            at, hashes = _keys.of(place, part)
            starts = np.searchsorted(at, [key[1] for key in near], "left").tolist()
            ends = np.searchsorted(at, [key[1] for key in near], "right").tolist()
            for key, start, end in zip(near, starts, ends, strict=True):
                spot = start + int(np.searchsorted(hashes[start:end], key[2]))
                if spot < end and hashes[spot] == key[2]:
                    yield key


class _Keys:
    """Times and hashes of slices that were searched lately; at most KEYS_KEPT bytes, and one slice more."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[FilePath, str, int], tuple[Ints, Ints]] = OrderedDict()
        self._bytes = 0

    def of(self, place: FilePath, part: Slice) -> tuple[Ints, Ints]:
        name = (place / part.file.name, part.file.digest, part.type)
        if name in self._held:
            self._held.move_to_end(name)
            return self._held[name]
        table = read(place, part, ["at", "hash"])
        found = (table.column("at").to_numpy(), table.column("hash").to_numpy())
        self._bytes += 16 * len(table)
        while self._held and self._bytes > KEYS_KEPT:
            self._bytes -= 16 * len(self._held.popitem(last=False)[1][0])
        self._held[name] = found
        return found


_keys = _Keys()


# --- change ---------------------------------------------------------------------------------------------------------------


def replace(
    db: sqlite3.Connection, period: Period, sources: Sequence[File], file: File | None, parts: Sequence[Slice], kinds: Iterable[int],
) -> None:
    """*file* with its *parts* stands for the *sources* and for all rows of *kinds* in *period* from now on (None: nothing does)."""
    if file is not None:
        db.execute(
            "insert into sealed values (?, ?, ?, ?, ?, ?, ?)",
            (file.id, file.name, file.start, file.until, file.rows, file.bytes, file.digest),
        )
    db.executemany("insert into slices values (?, ?, ?, ?, ?, ?, ?, ?)", [
        (part.file.id, part.type, part.rows, part.first, part.last, *part.groups, orjson.dumps(sorted(part.columns)).decode())
        for part in parts
    ])
    for kind in kinds:
        db.execute("delete from events where type = ? and at >= ? and at < ?", (kind, period.start, period.until))
        db.execute("delete from taken_back where type = ? and at >= ? and at < ?", (kind, period.start, period.until))
    give_up(db, sources)


def give_up(db: sqlite3.Connection, gone: Iterable[File]) -> None:
    """The catalogue names these files no longer."""
    for file in gone:
        db.execute("delete from slices where file = ?", (file.id,))
        db.execute("delete from sealed where id = ?", (file.id,))
        db.execute("insert or ignore into outworn values (?, null)", (file.name,))


def forget_all(db: sqlite3.Connection) -> None:
    """No event is sealed any more."""
    give_up(db, files(db))
    db.execute("delete from taken_back")


def next_id(db: sqlite3.Connection) -> int:
    """The number of the next file: larger than that of any file that ever stood in the catalogue."""
    row = db.execute("select seq from sqlite_sequence where name = 'sealed'").fetchone()
    return int(row[0]) + 1 if row else 1


# --- order ----------------------------------------------------------------------------------------------------------------


def check(db: sqlite3.Connection) -> None:
    """Every file is there and as long as it was; what no sealing finished is deleted. For the one writer, when it opens the
    store. Raises StoreError."""
    place = folder(db)
    there = _sizes(place)
    for file in files(db):
        if file.name not in there:
            raise damaged(place / file.name, "it is missing")
        if there[file.name] != file.bytes:
            raise damaged(place / file.name, "it is not as long as it was")
    named = {name for (name,) in db.execute("select name from sealed union select name from outworn")}
    for name in there.keys() - named:
        (place / name).unlink(missing_ok=True)


def sweep(db: sqlite3.Connection, now: Millis) -> int:
    """Delete the files that were outworn an hour ago or longer, so that whoever was reading them is done; how many.

    The hour is counted from the first sweep that meets them: until then they lie, and cost only room.
    """
    place = folder(db)
    ready = [name for (name,) in db.execute("select name from outworn where since <= ?", (now - GRACE,))]
    for name in ready:
        (place / name).unlink(missing_ok=True)
    db.executemany("delete from outworn where name = ?", [(name,) for name in ready])
    db.execute("update outworn set since = ?1 where since is null or since > ?1", (now,))
    return len(ready)


def _sizes(place: FilePath) -> Mapping[str, int]:
    if not place.is_dir():
        return {}
    with naming_file(place):
        return {path.name: path.stat().st_size for path in place.iterdir()}
