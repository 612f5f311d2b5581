"""Where a property stands in a row of events, and how to get from its text to the property's own."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pyarrow as pa

from sync.language.values import Path, canonical, decode, look
from sync.store.columns import COLUMNS

Reader = Callable[[str | None], str | None]

_ODD = re.compile(r'["\\\x00-\x1f]')
_TEXTS = 4096                                       # handed to SQLite at once


def place(path: Path) -> tuple[str, Path]:
    """The column of events that holds *path*, and what is left of it inside that column's text."""
    return (path[0], path[1:]) if path[0] in COLUMNS else ("properties", path)


def in_sql(path: Path) -> tuple[str, tuple[str, ...], Reader | None]:
    """Where a property stands in a row of events: SQL, its values, and how to get from that text to the property's own."""
    column, rest = place(path)
    return (f"{column} -> ?", (json_path(rest),), reading(rest)) if rest else (column, (), None)


def json_path(path: Path) -> str:
    """SQLite's spelling of *path*; that of the whole record where it has none for one of its names (`reading`)."""
    return "$" + "".join(f'."{part}"' for part in path) if reading(path) is None else "$"


def reading(path: Path) -> Reader | None:
    """How to get from a whole record's text to that of the value under *path*; None where SQLite does it: it compares names as
    they stand in the text, so quotes, backslashes and control characters find nothing, and an empty name is an error."""
    if all(part and not _ODD.search(part) for part in path):
        return None

    def read(text: str | None) -> str | None:
        value = None if text is None else look(decode(text), path)
        return None if value is None else canonical(value)

    return read


def texts_under(db: sqlite3.Connection, column: Any, rest: Path) -> Any:
    """What a query over rows would find under *rest* in each text of *column* (an Arrow array of texts, encoded or not), as a
    dictionary array: SQLite itself is asked, once per distinct text, so that both ways give the same texts."""
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    if not rest:
        return encoded
    found = pa.array(list(_found(db, encoded.dictionary.to_pylist(), rest)), pa.string()).dictionary_encode()
    return pa.DictionaryArray.from_arrays(found.indices.take(encoded.indices), found.dictionary)


def _found(db: sqlite3.Connection, texts: list[str], rest: Path) -> Iterator[str | None]:
    read = reading(rest)
    if read is not None:
        yield from map(read, texts)
        return
    for start in range(0, len(texts), _TEXTS):
        asked = orjson.dumps(texts[start:start + _TEXTS]).decode()
        for (text,) in db.execute("select value -> ?1 from json_each(?2) order by key", (json_path(rest), asked)):
            yield text
