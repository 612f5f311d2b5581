"""All events, sealed or not, as one: whoever reads them need not know which are which.

Every answer is of one moment: catalogue, notes of what was taken back and rows are read in one transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path as FilePath
from typing import Any

import numpy as np
import pyarrow as pa

from connectors.base import Millis
from sync.language.values import Path, path_text
from sync.store import archive
from sync.store.archive import Slice
from sync.store.columns import Key
from sync.store.properties import in_sql, place, texts_under
from sync.store.store import Store

CHUNK = 131_072                                     # rows that are read at once
LAST = 2**63 - 1                                    # no hash is greater
BEGINNING: Millis = -(2**63)
END: Millis = 2**63 - 1
WORD = pa.dictionary(pa.int32(), pa.string())
Spot = tuple[Millis, int]                           # of the events of one type: when, and the hash


# --- one type, everybody --------------------------------------------------------------------------------------------------


def types(store: Store) -> dict[str, int]:
    """Every event type that has an event, and its number."""
    return dict(store.rows(
        "select name, id from event_types t where exists (select 1 from events where type = t.id) or "
        "(select sum(rows) from slices where type = t.id) > (select count(*) from taken_back where type = t.id)",
    ))


def table(store: Store, kind: int, paths: Sequence[Path], after: Millis = BEGINNING, upto: Millis | None = None) -> pa.Table:
    """Events of one type by time: `contact` int32, `at` int64 and a dictionary column per path, called by `path_text`.

    Those at or before *after* may be left out; whole files that hold no others are not read. Where *upto* is given, they are left
    out, and so are those after *upto*.
    """
    if upto is not None:
        found = _table_until(store, kind, paths, after, upto)
        at = found.column("at").to_numpy()
        start, end = np.searchsorted(at, (after, upto), side="right").tolist()
        return found.slice(start, max(0, end - start))
    return _table_until(store, kind, paths, after, END)


def _table_until(store: Store, kind: int, paths: Sequence[Path], after: Millis, upto: Millis) -> pa.Table:
    with store.reading() as db:
        parts = [part for part in archive.slices(db, kind) if part.last > after and part.first <= upto]
        rows = _rows(db, kind, paths, after, upto, keyed=bool(parts))
        shown = ["contact", "at", *map(path_text, paths)]
        pieces = [piece.select(shown) for piece in _in_order(db, kind, parts, paths, rows) if len(piece)]
        columns = list((pa.concat_tables(pieces) if pieces else no_events(paths)).columns)
        pieces.clear()
        for number, column in enumerate(columns):   # one after the other, so that only one is held twice
            columns[number] = column.unify_dictionaries().combine_chunks()
        whole = pa.table(columns, names=shown)
        into = archive.merged(db) if parts else None
    return whole if into is None else whole.set_column(0, "contact", pa.array(into[whole.column(0).to_numpy()], pa.int32()))


def _in_order(
    db: sqlite3.Connection, kind: int, parts: Sequence[Slice], paths: Sequence[Path], rows: pa.Table,
) -> Iterator[pa.Table]:
    """The slices and, each in its place, the *rows* that are not sealed: what came late stands among what is sealed already."""
    at = rows.column("at").to_numpy()
    done = 0
    for part in parts:
        start, end = int(np.searchsorted(at, part.first, "left")), int(np.searchsorted(at, part.last, "right"))
        back = taken_back(db, part)
        yield rows.slice(done, start - done)
        yield mixed(_sealed(db, part, paths, keyed=end > start or bool(back)), rows.slice(start, end - start), back)
        done = end
    yield rows.slice(done)


def mixed(sealed: pa.Table, late: pa.Table, back: Sequence[int]) -> pa.Table:
    """A slice without what was taken *back*, and with what came *late*; by time and hash, as it will be sealed."""
    if back:
        sealed = sealed.filter(pa.array(~np.isin(sealed.column("hash").to_numpy(), back)))
    if not len(late):
        return sealed
    both = pa.concat_tables([sealed, late]).unify_dictionaries()
    return both.take(pa.array(np.lexsort((both.column("hash").to_numpy(), both.column("at").to_numpy()))))


def taken_back(db: sqlite3.Connection, part: Slice) -> list[int]:
    """Hashes of the events of a slice that were taken back."""
    rows = db.execute("select hash from taken_back where type = ? and at between ? and ?", (part.type, part.first, part.last))
    return [hash_ for (hash_,) in rows]


def _sealed(db: sqlite3.Connection, part: Slice, paths: Sequence[Path], *, keyed: bool) -> pa.Table:
    """A slice as it stands in its file, in the shape of `_rows`."""
    names = {path: _column(part, path) for path in paths}
    wanted = ["contact", "at", *(["hash"] if keyed else []), *sorted({*names.values()})]
    found = archive.read(archive.folder(db), part, wanted)
    made = [found.column(name) for name in wanted[:3 if keyed else 2]]
    for path, name in names.items():
        column = found.column(name)
        made.append(_encoded(column) if name == f"properties.{path_text(path)}" else under(db, column, place(path)[1]))
    return _table(made, paths, keyed)


def _column(part: Slice, path: Path) -> str:
    """Where a slice has the property *path*: a column of its own, or the one whose text holds it."""
    text = path_text(path)
    return f"properties.{text}" if text in part.columns else place(path)[0]


def _encoded(column: Any) -> Any:
    return column if pa.types.is_dictionary(column.type) else column.dictionary_encode()


def under(db: sqlite3.Connection, column: Any, rest: Path) -> Any:
    """What stands under *rest* in each text of a chunked *column*, dictionary-encoded."""
    if not rest:
        return _encoded(column)
    return pa.chunked_array([texts_under(db, chunk, rest) for chunk in column.chunks], WORD)


def _table(columns: Sequence[Any], paths: Sequence[Path], keyed: bool) -> pa.Table:
    return pa.table(list(columns), names=["contact", "at", *(["hash"] if keyed else []), *map(path_text, paths)])


def _rows(db: sqlite3.Connection, kind: int, paths: Sequence[Path], after: Millis, upto: Millis, *, keyed: bool) -> pa.Table:
    """Events of one type that are not sealed, by time and hash: the primary key's own order."""
    block = "events where type = ? and (at, hash) > (?, ?) and (at, hash) <= (?, ?)"
    return pa.concat_tables([
        rows_of(db, block, (kind, *start, *end), paths, keyed=keyed) for start, end in _blocks(db, kind, after, upto)
    ])


def _blocks(db: sqlite3.Connection, kind: int, after: Millis, upto: Millis) -> Iterator[tuple[Spot, Spot]]:
    """Between which spots of the key, the first left out, at most CHUNK events of one type stand each: together all with
    after < at ≤ upto."""
    start: Spot = (after, LAST)
    end: Spot | None = start
    while end is not None:
        end = db.execute(
            "select at, hash from events where type = ? and (at, hash) > (?, ?) and at <= ? order by at, hash limit 1 offset ?",
            (kind, *start, upto, CHUNK - 1),
        ).fetchone()
        yield start, end or (upto, LAST)
        start = end or start


def rows_of(
    db: sqlite3.Connection, where: str, bound: Sequence[int], paths: Sequence[Path], *, keyed: bool = False,
) -> pa.Table:
    """What stands in a table that has the columns and the key of events, in the shape of `table` and the key's order. *where*: SQL from
    its name on, and *bound* to its marks, of one type; *keyed*: with the column `hash`.

    Each column leaves SQLite as one text, which takes half of what Python's rows do: numbers apart by spaces; JSON texts by line feeds,
    of which they have none, and empty where there is none. So at most some CHUNK rows at once. No subquery puts them in order, since
    that costs as much again: SQLite walks the key, and what does not come in its order is refused.
    """
    places = [in_sql(path) for path in paths]
    numbers = ["contact", "at", *(["hash"] if keyed else [])]
    wanted = [f"group_concat({name}, ' ')" for name in numbers]
    wanted += [f"group_concat(coalesce({sql}, ''), char(10))" for sql, _, _ in places]
    told = db.execute(
        f"select {', '.join(wanted)} from {where}",  # noqa: S608 - our own names
        (*(value for _, values, _ in places for value in values), *bound),
    ).fetchone()
    if told[0] is None:
        return no_events(paths, keyed=keyed)
    contacts, *others = (np.fromstring(text, np.int64, sep=" ") for text in told[:len(numbers)])
    if (np.diff(others[0]) < 0).any():
        raise ValueError("events were not read in the order of time")
    columns = [contacts.astype(np.int32), *others]
    for text, (_, _, read) in zip(told[len(numbers):], places, strict=True):
        lines = _lines(text)
        columns.append((lines if read is None else pa.array(map(read, lines.to_pylist()), pa.string())).dictionary_encode())
    return _table(columns, paths, keyed)


def _lines(text: str) -> pa.Array:
    """The lines of *text*, null for the empty ones."""
    import pyarrow.compute as pc

    lines = pc.split_pattern(pa.array([text], pa.string()), "\n").values
    return pc.if_else(pc.equal(lines, ""), None, lines)


def no_events(paths: Sequence[Path], *, keyed: bool = False) -> pa.Table:
    """A table of `table` without a row."""
    numbers = [("contact", pa.int32()), ("at", pa.int64()), *([("hash", pa.int64())] if keyed else [])]
    return pa.schema([*numbers, *((path_text(path), WORD) for path in paths)]).empty_table()


# --- one contact ----------------------------------------------------------------------------------------------------------

Row = tuple[Any, ...]


def of_contact(store: Store, contact: int, columns: Sequence[str]) -> list[Row]:
    """(type's name, time, hash, *columns* of `events` …) of every event of *contact*, by time and hash."""
    with store.reading() as db:
        names = dict(db.execute("select id, name from event_types"))
        who = [contact, *(old for (old,) in db.execute("select id from contacts where merged_into = ?", (contact,)))]
        sealed = [row for part in archive.slices(db) for row in _of_contact(archive.folder(db), part, who, columns)]
        gone = archive.taken_back(db, {row[:3] for row in sealed})
        rows: list[Row] = db.execute(
            f"select type, at, hash, {', '.join(columns)} from events where contact = ?", (contact,),  # noqa: S608 - our own names
        ).fetchall()
    rows += [row for row in sealed if row[:3] not in gone]
    return sorted(((names[row[0]], *row[1:]) for row in rows), key=lambda row: (row[1], row[2]))


def _of_contact(folder: FilePath, part: Slice, who: Sequence[int], columns: Sequence[str]) -> Iterator[Row]:
    """Rows of `of_contact` that stand in one slice, their type as a number."""
    spots = np.flatnonzero(np.isin(archive.read(folder, part, ["contact"]).column(0).to_numpy(), who))
    if len(spots):
        found = archive.read(folder, part, ["at", "hash", *columns]).take(pa.array(spots))
        values = (column.to_pylist() for column in found.columns)
        yield from zip([part.type] * len(spots), *values, strict=True)


def sealed_events(db: sqlite3.Connection, keys: Collection[Key], columns: Sequence[str]) -> Iterator[Row]:
    """(type, time, hash, contact, *columns* after the contact …) of the sealed events with these *keys*, taken back or not; the
    contact is the one that it went into."""
    into = archive.merged(db) if keys else None
    for part in archive.slices(db) if keys else []:
        near = {key for key in keys if key[0] == part.type and part.first <= key[1] <= part.last}
        if near:
            held = archive.read(archive.folder(db), part, ["at", "hash", *columns])
            spots = np.flatnonzero(np.isin(held.column("hash").to_numpy(), [key[2] for key in near]))
            values = (column.to_pylist() for column in held.take(pa.array(spots)).columns)
            for at, hash_, contact, *rest in zip(*values, strict=True):
                if (part.type, at, hash_) in near:
                    yield (part.type, at, hash_, contact if into is None else int(into[contact]), *rest)


# --- how many -------------------------------------------------------------------------------------------------------------


def totals(store: Store) -> list[tuple[str, int, Millis, Millis]]:
    """(type, how many events, the first, the last), by type."""
    with store.reading() as db:
        found = {kind: [counted] for kind, *counted in db.execute("select type, count(*), min(at), max(at) from events group by type")}
        for part in archive.slices(db):
            counted = _counted(db, part)
            if counted[0]:
                found.setdefault(part.type, []).append(counted)
        names = dict(db.execute("select id, name from event_types"))
    return sorted(
        (names[kind], sum(c for c, _, _ in parts), min(first for _, first, _ in parts), max(last for _, _, last in parts))
        for kind, parts in found.items()
    )


def _counted(db: sqlite3.Connection, part: Slice) -> list[int]:
    """How many events of a slice are left, and the times of the first and last of them."""
    back = taken_back(db, part)
    if not back:
        return [part.rows, part.first, part.last]
    left = mixed(archive.read(archive.folder(db), part, ["at", "hash"]), no_events([]), back).column("at").to_numpy()
    return [len(left), int(left[0]), int(left[-1])] if len(left) else [0, 0, 0]
