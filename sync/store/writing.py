"""One sealed file: every event of a period, by type, time and hash, each type in row groups of its own."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path as FilePath
from typing import Any

import numpy as np
import pyarrow as pa

from connectors.base import Millis
from sync.crash import crash_point
from sync.language.values import Path, path_text
from sync.model import StoreFull
from sync.store import archive, history
from sync.store.archive import File, Slice
from sync.store.columns import COLUMNS
from sync.store.periods import Period
from sync.store.properties import place

GROUP = 1_000_000                                   # rows of a row group

Own = Mapping[str, Path]                            # properties with a column of their own, by `path_text`


@dataclass(frozen=True, slots=True)
class Made:
    """*file* is None when the period holds nothing. *fresh*: how many of its events were rows before."""

    file: File | None
    slices: list[Slice]
    fresh: int


def promoted(paths: Collection[Path]) -> dict[str, Path]:
    """Those of *paths* that get a column of their own: every row has one for the rest already."""
    return {path_text(path): path for path in paths if path[0] not in COLUMNS or len(path) > 1}


def write(
    db: sqlite3.Connection, period: Period, sources: Sequence[File], names: Mapping[int, str], own: Mapping[int, Own],
) -> Made:
    """The file of *period*, on disk under its name: what its *sources* hold and its rows. *names*, *own*: by type.

    Raises StoreFull when the disk does not take it.
    """
    place_ = archive.folder(db)
    path = place_ / f"{period.name}.{archive.next_id(db)}.parquet"
    raw = path.with_suffix(".new")
    with _naming_room(path):
        place_.mkdir(mode=0o700, exist_ok=True)
        groups = _Groups(db, period, sources, names, own)
        groups.write(raw)
        if not groups.rows:
            raw.unlink()
            return Made(None, [], 0)
        _to_disk(raw)
        file = File(
            archive.next_id(db), path.name, period.start, period.until, groups.rows, raw.stat().st_size, archive.digest_of_file(raw),
        )
        crash_point("seal.after_write")
        raw.rename(path)
        crash_point("seal.after_rename")
        _to_disk(place_)
    return Made(file, [Slice(file, *held) for held in groups.slices], groups.fresh)


@contextmanager
def _naming_room(path: FilePath) -> Any:
    try:
        yield
    except OSError as error:
        path.with_suffix(".new").unlink(missing_ok=True)
        raise StoreFull(
            f"{path.parent} takes no file ({error.strerror or error}); nothing was half done. Make room and run it again",
        ) from error


def _to_disk(path: FilePath) -> None:
    """What was written, or renamed in a folder, survives a power cut when this returns."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


class _Groups:
    """The row groups of one file, and what the catalogue will say of them."""

    def __init__(
        self, db: sqlite3.Connection, period: Period, sources: Sequence[File], names: Mapping[int, str], own: Mapping[int, Own],
    ) -> None:
        self.db, self.period, self.names, self.own = db, period, names, own
        self.folder = archive.folder(db)
        self.parts = [part for part in archive.slices(db) if part.file in sources]
        self.into = archive.merged(db)
        self.columns = columns_of(db)
        texts = sorted({text for each in own.values() for text in each})
        self.schema = pa.schema([("type", history.WORD), *self.columns, *((f"properties.{text}", history.WORD) for text in texts)])
        self.rows = self.fresh = 0
        self.slices: list[tuple[int, int, Millis, Millis, tuple[int, int], frozenset[str]]] = []

    def write(self, path: FilePath) -> None:
        import pyarrow.parquet as pq

        # Differences take less room than the numbers, and half the time to read: contacts, too, though they are in no order.
        words = [field.name for field in self.schema if field.type == history.WORD]
        with pq.ParquetWriter(
            path, self.schema, compression="zstd", use_dictionary=words, dictionary_pagesize_limit=64 * 1024 * 1024,
            write_statistics=["type", "at"], write_page_checksum=True,
            column_encoding=dict.fromkeys(("at", "contact"), "DELTA_BINARY_PACKED"),
        ) as writer:
            for kind in sorted(self.names, key=self.names.__getitem__):
                table = self._events(kind)
                if len(table):
                    writer.write_table(table, row_group_size=GROUP)
                    self._note(kind, table.column("at"))

    def _note(self, kind: int, at: Any) -> None:
        first = self.slices[-1][4][1] if self.slices else 0
        groups = (first, first + -(-len(at) // GROUP))
        self.slices.append((kind, len(at), at[0].as_py(), at[-1].as_py(), groups, frozenset(self.own[kind])))
        self.rows += len(at)

    def _events(self, kind: int) -> pa.Table:
        """All there is of one type in the period, in the file's shape."""
        sealed = [self._sealed(part) for part in self.parts if part.type == kind]
        rows = rows_of(self.db, kind, self.period, self.columns)
        self.fresh += len(rows)
        own = {text: _own(self.db, rows, path) for text, path in self.own[kind].items()}
        table = pa.concat_tables([*(each for each in sealed if len(each)), self._shaped(rows, kind, own)]).unify_dictionaries()
        if len(table) > len(rows) > 0:
            table = table.take(pa.array(np.lexsort((table.column("hash").to_numpy(), table.column("at").to_numpy()))))
        if self.into is not None:
            contacts = pa.array(self.into[table.column("contact").to_numpy()], pa.int32())
            table = table.set_column(table.column_names.index("contact"), "contact", contacts)
        return table

    def _sealed(self, part: Slice) -> pa.Table:
        """A slice without what was taken back, and without what only its dictionaries would still hold of that."""
        there = [text for text in self.own[part.type] if text in part.columns]
        table = archive.read(self.folder, part, [field.name for field in self.columns] + [f"properties.{text}" for text in there])
        back = history.taken_back(self.db, part)
        if back:
            table = history.mixed(table, table.slice(0, 0), back)
            table = table.cast(_plain(table.schema)).cast(table.schema)
        own = {text: table.column(f"properties.{text}") if text in there else _own(self.db, table, path)
               for text, path in self.own[part.type].items()}
        return self._shaped(table, part.type, own)

    def _shaped(self, table: pa.Table, kind: int, own: Mapping[str, Any]) -> pa.Table:
        """*table* with all columns of the file; those that its type has not are null."""
        held = dict(zip(table.column_names, table.columns, strict=True)) | {f"properties.{text}": each for text, each in own.items()}
        held["type"] = pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(table), np.int32)), pa.array([self.names[kind]]))
        return pa.table([
            held[field.name] if field.name in held and not pa.types.is_null(held[field.name].type) else pa.nulls(len(table), field.type)
            for field in self.schema
        ], schema=self.schema)


def _own(db: sqlite3.Connection, table: pa.Table, path: Path) -> Any:
    column, rest = place(path)
    return history.under(db, table.column(column), rest)


def _plain(schema: pa.Schema) -> pa.Schema:
    return pa.schema([(field.name, pa.string() if field.type == history.WORD else field.type) for field in schema])


# --- whole rows -----------------------------------------------------------------------------------------------------------


def columns_of(db: sqlite3.Connection) -> list[pa.Field]:
    """The columns of `events` but for the type, as a file holds them."""
    found = []
    for _, name, declared, *_ in db.execute("pragma table_info(events)"):
        number = pa.int32() if name == "contact" else pa.int64()
        text = history.WORD if name in COLUMNS else pa.string()
        found.append(pa.field(name, number if declared.upper() == "INTEGER" else text))
    return [field for field in found if field.name != "type"]


def rows_of(db: sqlite3.Connection, kind: int, period: Period, columns: Sequence[pa.Field]) -> pa.Table:
    """The rows of one type in *period* that are not sealed, whole, by time and hash."""
    cursor = db.execute(
        f"select {', '.join(field.name for field in columns)} from events "  # noqa: S608 - our own names
        "where type = ? and at >= ? and at < ? order by at, hash", (kind, period.start, period.until),
    )
    schema = pa.schema(columns)
    tables = [_table(rows, schema) for rows in _chunks(cursor, len(columns))]
    return pa.concat_tables(tables).unify_dictionaries() if tables else schema.empty_table()


def _chunks(cursor: Iterable[Any], width: int) -> Iterator[Any]:
    """Rows as arrays with the fields 0, 1 …; no row of Python's is kept, so the garbage collector sleeps."""
    kind = np.dtype([(str(place), object) for place in range(width)])
    rows = iter(cursor)
    while len(found := np.fromiter(islice(rows, history.CHUNK), kind)):
        yield found


def _table(rows: Any, schema: pa.Schema) -> pa.Table:
    made = []
    for number, field in enumerate(schema):
        plain = pa.array(rows[str(number)], pa.string() if field.type == history.WORD else field.type)
        made.append(plain.dictionary_encode() if field.type == history.WORD else plain)
    return pa.table(made, schema=schema)
