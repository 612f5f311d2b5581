"""The store as the full pass reads it: columns of contacts and events, straight from SQLite."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa

from sync.evaluate.snapshot import CONSENTS, MEMBERSHIPS, Ints, Mask
from sync.language.values import Path, canonical, decode, look, path_text
from sync.store.columns import COLUMNS
from sync.store.store import Store

CHUNK = 131_072
_ODD = re.compile(r'["\\\x00-\x1f]')


@dataclass(frozen=True, slots=True)
class FieldSource:
    """Where a field may be found: *path* in the profiles of connection number *connection*. *neutral*: "" is no value."""

    connection: int
    path: Path
    neutral: bool


@dataclass(frozen=True)
class StoreSnapshot:
    """A `sync.evaluate.snapshot.Snapshot` over one store. *sources*: path as written in a rule → where to look, first first.
    *watched*: target number → connection, audience (the config's word), kind and name, for `member_of`."""

    store: Store
    sources: Mapping[Path, Sequence[FieldSource]]
    connections: Mapping[int, str]
    watched: Mapping[int, tuple[str, str, str, str]]

    @cached_property
    def _contacts(self) -> tuple[Mask, Ints, list[str]]:
        rows = self.store.rows("select id, known_since, sample_key, merged_into from contacts order by id")
        if not rows:
            return np.zeros(0, bool), np.zeros(0, np.int64), []
        ids, since, keys, merged = zip(*rows, strict=True)
        if ids[-1] != len(ids) - 1:
            raise ValueError("contact ids are not dense")
        return np.array([m is None for m in merged]), np.array(since, np.int64), list(keys)

    @property
    def alive(self) -> Mask:
        return self._contacts[0]

    @property
    def known_since(self) -> Ints:
        return self._contacts[1]

    @property
    def sample_keys(self) -> Sequence[str]:
        return self._contacts[2]

    def fields(self, path: Path) -> Any:
        texts: list[str | None] = [None] * len(self.alive)
        for source in reversed(self.sources.get(path, ())):
            for contact, text in self._field(source):
                texts[contact] = text
        return pa.array(texts, pa.string()).dictionary_encode()

    def _field(self, source: FieldSource) -> list[tuple[int, str]]:
        """(contact, JSON text) where there is a value; of several profiles of a contact the newest mailable one comes last."""
        read = reading(source.path)
        rows = self.store.rows(
            "select contact, text from (select contact, mailable, updated, id, state = 'live' as live, fields -> ?1 as text "
            "from profiles where connection = ?2 and state != 'gone') where text is not null and text != 'null' "
            "and not (?3 and text = '\"\"') order by live, mailable, updated, id",
            json_path(source.path), source.connection, source.neutral and read is None,
        )
        if read is None:
            return rows
        found = ((contact, read(text)) for contact, text in rows)
        return [(contact, text) for contact, text in found if text is not None and not (source.neutral and text == '""')]

    def consents(self) -> pa.Table:
        rows = self.store.rows(
            "select p.contact, c.name, s.channel, s.scope, s.state, s.suppressed, s.at from consents s "
            "join profiles p on p.connection = s.connection and p.id = s.profile join connections c on c.id = s.connection "
            "where p.state != 'gone'",
        )
        return _table([(*row[:5], bool(row[5]), row[6]) for row in rows], CONSENTS)

    def memberships(self) -> pa.Table:
        rows: list[tuple[Any, ...]] = []
        for target, (connection, audience, kind, name) in self.watched.items():
            rows += [
                (contact, connection, audience, kind, name)
                for (contact,) in self.store.rows(
                    "select p.contact from members m join targets t on t.id = m.target "
                    "join profiles p on p.connection = t.connection and p.id = m.profile where m.target = ?", target,
                )
            ]
        return _table(rows, MEMBERSHIPS)

    @cached_property
    def _types(self) -> dict[str, int]:
        rows = self.store.rows("select name, id from event_types e where exists (select 1 from events where type = e.id)")
        return dict(rows)

    def event_types(self) -> Sequence[str]:
        return sorted(self._types)

    def events(self, types: Sequence[str], properties: Sequence[Path]) -> pa.Table:
        names = {path_text(path): path for path in properties}
        ordered = sorted(names)
        tables = [
            self._events(name, self._types[name], [names[column] for column in ordered], ordered)
            for name in sorted(types) if name in self._types
        ]
        return pa.concat_tables(tables) if tables else _no_events(ordered)

    def _events(self, name: str, number: int, paths: Sequence[Path], columns: Sequence[str]) -> pa.Table:
        """Events of one type, by time: the primary key's own order."""
        places = [_place(path) for path in paths]
        wanted = "".join(f", {sql}" for sql, _, _ in places)
        cursor = self.store.db.execute(
            f"select contact, at{wanted} from events where type = ? order by at, hash",  # noqa: S608 - our own names
            (*(value for _, values, _ in places for value in values), number),
        )
        chunks = [_chunk(name, rows, columns, [read for _, _, read in places]) for rows in _chunks(cursor, len(places))]
        return pa.concat_tables(chunks).unify_dictionaries().combine_chunks() if chunks else _no_events(columns)


Reader = Callable[[str | None], str | None]


def _place(path: Path) -> tuple[str, tuple[str, ...], Reader | None]:
    """Where a property stands in a row of events: SQL, its values, and how to get from that text to the property's own."""
    column, rest = (path[0], path[1:]) if path[0] in COLUMNS else ("properties", path)
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


def _chunks(cursor: Any, properties: int) -> Iterator[Any]:
    """Rows as arrays with the fields contact, at, 0, 1 …; no row of Python's is kept, so the garbage collector sleeps."""
    kind = np.dtype([("contact", np.int32), ("at", np.int64), *((str(number), object) for number in range(properties))])
    while len(rows := np.fromiter(islice(cursor, CHUNK), kind)):
        yield rows


def _chunk(name: str, rows: Any, columns: Sequence[str], readers: Sequence[Reader | None]) -> pa.Table:
    kind = pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(rows), np.int32)), pa.array([name]))
    arrays = [pa.array(np.ascontiguousarray(rows["contact"])), pa.array(np.ascontiguousarray(rows["at"])), kind]
    for number, read in enumerate(readers):
        texts = rows[str(number)]
        found = texts if read is None else list(map(read, texts))
        arrays.append(pa.array(found, pa.string()).dictionary_encode())
    return pa.table(arrays, names=["contact", "at", "type", *columns])


def _no_events(columns: Sequence[str]) -> pa.Table:
    word = pa.dictionary(pa.int32(), pa.string())
    schema = [("contact", pa.int32()), ("at", pa.int64()), ("type", word), *((column, word) for column in columns)]
    return pa.schema(schema).empty_table()


def _table(rows: Sequence[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    return pa.table([pa.array(column, kind.type) for column, kind in zip(columns, schema, strict=True)], schema=schema)
