"""The events that conditions look at again, by contact, in memory: a few contacts' histories without reading the record.

Only types and properties that some condition asks for are held. Rows lie in chunks: one large one sorted by contact, and
those that arrived since, which are sorted in when they have become many.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pyarrow as pa

from connectors.base import Millis
from sync.evaluate.snapshot import BEGINNING, Ints, Mask, Snapshot
from sync.evaluate.source import compact, renumbered
from sync.language.values import Path, path_text

MANY = 65_536                                       # rows that arrived, at which they are sorted in (or an eighth of all)


class Chunk:
    """Rows sorted by contact; *gone* ones are passed over."""

    def __init__(self, table: pa.Table) -> None:
        contacts = table.column("contact").to_numpy()
        if len(contacts) and (np.diff(contacts) < 0).any():
            table = table.take(pa.array(np.argsort(contacts, kind="stable")))
            contacts = table.column("contact").to_numpy()
        self.table, self._contacts = table, contacts
        self._gone: Mask | None = None

    def __len__(self) -> int:
        return len(self._contacts)

    def rows(self, contacts: Ints) -> Ints:
        """The rows of *contacts*."""
        starts = np.searchsorted(self._contacts, contacts, side="left")
        lengths = np.searchsorted(self._contacts, contacts, side="right") - starts
        before = np.cumsum(lengths) - lengths
        found: Ints = np.arange(int(lengths.sum())) + np.repeat(starts - before, lengths)
        return found if self._gone is None else found[~self._gone[found]]

    def taken(self, rows: Ints) -> pa.Table:
        return slim(self.table.take(pa.array(rows)))

    def drop(self, rows: Ints) -> None:
        """Pass over *rows* from here on."""
        if self._gone is None:
            self._gone = np.zeros(len(self._contacts), bool)
        self._gone[rows] = True

    def left(self) -> pa.Table:
        """The rows that are not gone."""
        return self.table if self._gone is None else self.table.filter(pa.array(~self._gone))


class Recalled:
    """All events of one type, with the properties that somebody asks for."""

    def __init__(self, table: pa.Table, properties: frozenset[Path]) -> None:
        self.properties = properties
        self._columns = ["contact", "at", "type", *map(path_text, sorted(properties))]
        self._chunks = [Chunk(table.select(self._columns))]
        self._late = 0

    def add(self, table: pa.Table) -> None:
        self._chunks.append(Chunk(table.select(self._columns)))
        self._late += len(table)
        if self._late > max(MANY, len(self._chunks[0]) // 8):
            self._chunks = [Chunk(joined([chunk.left() for chunk in self._chunks]))]
            self._late = 0
        elif len(self._chunks) > 32:                                    # many small ones: one of middle size
            self._chunks[1:] = [Chunk(joined([chunk.left() for chunk in self._chunks[1:]]))]

    def remove(self, table: pa.Table) -> None:
        """Forget one row for each of *table* that looks like it: rows that look alike are the same to every condition."""
        for row in table.select(self._columns).to_pylist():
            for chunk in self._chunks:
                mine = chunk.rows(np.array([row["contact"]], np.int64))
                alike = [place for place, each in zip(mine, chunk.taken(mine).to_pylist(), strict=True) if each == row]
                if alike:
                    chunk.drop(np.array(alike[:1], np.int64))
                    break

    def move(self, giving: int, taking: int) -> None:
        """The events of one contact are the other's."""
        found = self.of(np.array([giving], np.int64))
        for chunk in self._chunks:
            chunk.drop(chunk.rows(np.array([giving], np.int64)))
        if len(found):
            place = found.column_names.index("contact")
            self.add(found.set_column(place, "contact", pa.array(np.full(len(found), taking, np.int32))))

    def narrowed(self, properties: frozenset[Path]) -> Recalled:
        """The same with fewer *properties*."""
        if properties == self.properties:
            return self
        return Recalled(joined([chunk.left() for chunk in self._chunks]), properties)

    def of(self, contacts: Ints | None) -> pa.Table:
        """The events of *contacts* (None: all), by time."""
        if contacts is None:
            parts = [chunk.left() for chunk in self._chunks]
        else:
            parts = [chunk.taken(rows) for chunk in self._chunks if len(rows := chunk.rows(contacts))]
        table = joined(parts) if parts else self._chunks[0].table.slice(0, 0)
        order = np.argsort(table.column("at").to_numpy(), kind="stable")
        return table.take(pa.array(order))


class Recall:
    """Events by type."""

    def __init__(self) -> None:
        self._types: dict[str, Recalled] = {}

    def want(self, wanted: Mapping[str, frozenset[Path]], snapshot: Snapshot) -> None:
        """Hold events of these types with these properties, and of no others; reads those that are not held so yet."""
        known, self._types = self._types, {}
        for name, properties in wanted.items():
            if name in known and properties <= known[name].properties:
                self._types[name] = known[name].narrowed(properties)
            else:
                self._types[name] = Recalled(snapshot.events([name], sorted(properties)), properties)

    def add(self, name: str, table: pa.Table, properties: frozenset[Path]) -> None:
        """Events of type *name*, of which *properties* are asked, arrived."""
        if name in self._types:
            self._types[name].add(table)
        else:
            self._types[name] = Recalled(table, properties)

    def remove(self, name: str, table: pa.Table) -> None:
        if name in self._types:
            self._types[name].remove(table)

    def move(self, giving: int, taking: int) -> None:
        for held in self._types.values():
            held.move(giving, taking)

    def types(self) -> list[str]:
        return sorted(self._types)

    def events(self, name: str, properties: Collection[Path], contacts: Ints | None) -> pa.Table:
        """The events of *contacts* (None: all) as `Snapshot.events` gives them; the contacts keep their numbers."""
        table = self._types[name].of(contacts)
        return table.select(["contact", "at", "type", *map(path_text, sorted(properties))])


class Remembering:
    """A snapshot of *contacts* (ascending, each once; None: all) whose events come out of a `Recall`, and all else out of *people*."""

    def __init__(self, people: Snapshot, recall: Recall, contacts: Ints | None) -> None:
        self._people, self._recall, self._contacts = people, recall, contacts

    def __getattr__(self, name: str) -> object:
        return getattr(self._people, name)

    def event_types(self) -> Sequence[str]:
        return self._recall.types()

    def events(self, types: Sequence[str], properties: Sequence[Path], after: Millis = BEGINNING) -> pa.Table:
        tables = [self._recall.events(name, properties, self._contacts) for name in types if name in self._recall.types()]
        if not tables:
            return no_events(properties)
        table = joined(tables)
        return table if self._contacts is None else renumbered(table, self._contacts)


def joined(tables: Sequence[pa.Table]) -> pa.Table:
    """*tables* of the same columns as one, in which each dictionary column knows only values that it holds."""
    return slim(pa.concat_tables(tables).unify_dictionaries().combine_chunks())


def slim(table: pa.Table) -> pa.Table:
    """*table* without dictionary entries that no row has."""
    columns = [compact(column) if pa.types.is_dictionary(column.type) else column for column in table.columns]
    return pa.table(columns, names=table.column_names)


def no_events(properties: Sequence[Path]) -> pa.Table:
    word = pa.dictionary(pa.int32(), pa.string())
    columns = [("contact", pa.int32()), ("at", pa.int64()), ("type", word), *((path_text(path), word) for path in sorted(properties))]
    return pa.schema(columns).empty_table()
