"""The store as the tick reads it: the whole, some contacts, a stretch of time, and what its transactions changed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import orjson
import pyarrow as pa

from connectors.base import Millis
from sync.evaluate.from_store import StoreSnapshot, address_table, consents_of, member_table, past_table, typed
from sync.evaluate.snapshot import Ints, Mask, Snapshot
from sync.evaluate.source import Changes, Properties, Source, renumbered
from sync.language.values import Path, path_text
from sync.store import changes, fields, history
from sync.store.changes import Heard


class Lost(Exception):
    """More changed than was written down: the engine is to be filled anew."""


class Followed(Source, Protocol):
    """A source that tells what its transactions changed."""

    def changes(self, properties: Properties) -> AbstractContextManager[Changes | None]:
        """What changed since the last time, None for nothing; forgotten when the block ends well. Raises Lost."""


@dataclass(frozen=True, slots=True)
class StoreSource:
    """A `sync.evaluate.source.Source`. *make*: the snapshot of what the rules may read, as of now."""

    make: Callable[[], StoreSnapshot]

    def whole(self) -> Snapshot:
        return self.make()

    def of(self, contacts: Ints) -> Snapshot:
        return SomeOf(self.make(), contacts)

    def between(self, name: str, properties: Sequence[Path], after: Millis, upto: Millis) -> pa.Table:
        snapshot = self.make()
        number = snapshot.store.one("select id from event_types where name = ?", name)
        if number is None:
            return typed(name, history.no_events(_ordered(properties)))
        return typed(name, history.table(snapshot.store, number[0], _ordered(properties), after, upto))

    @contextmanager
    def changes(self, properties: Properties) -> Iterator[Changes | None]:
        """What changed since the last time, None for nothing; forgotten when the block ends well. Raises Lost."""
        store = self.make().store
        with changes.taken(store.db) as heard:
            if heard.lost:
                raise Lost
            yield self._told(heard, properties) if heard else None

    def _told(self, heard: Heard, properties: Properties) -> Changes:
        db = self.make().store.db
        (size,) = db.execute("select coalesce(max(id), -1) + 1 from contacts").fetchone()
        names = dict(db.execute("select id, name from event_types"))

        def tables(numbers: Collection[int], table: str) -> Mapping[str, pa.Table]:
            wanted = {number: paths for number in numbers if (paths := properties(names[number])) is not None}
            return {
                names[number]: typed(names[number], history.rows_of(
                    db, f"{table} where type = ?", (number,), _ordered(paths),
                )) for number, paths in wanted.items()
            }

        arrived, removed = tables(heard.arrived, "heard_arrived"), tables(heard.removed, "heard_removed")
        resolved = {name: _resolved(table, heard.merged) for name, table in removed.items()}
        return Changes(size, heard.last, np.array(heard.touched, np.int64), heard.merged, arrived, resolved)


def _resolved(table: pa.Table, merged: Mapping[int, int]) -> pa.Table:
    """*table* with contacts as they are by now: it may tell of a row from before a merge."""
    contacts = [merged.get(contact, contact) for contact in table.column("contact").to_pylist()]
    return table.set_column(0, "contact", pa.array(contacts, pa.int32()))


def _ordered(properties: Collection[Path]) -> list[Path]:
    return sorted(properties, key=path_text)


class SomeOf:
    """Some contacts of a store, numbered by their place in *contacts* (ascending, each once). It knows none of their events."""

    def __init__(self, whole: StoreSnapshot, contacts: Ints) -> None:
        self._whole, self._contacts = whole, contacts
        self._ids = orjson.dumps(contacts.tolist()).decode()

    @cached_property
    def _people(self) -> list[tuple[Any, ...]]:
        return self._whole.store.rows(
            "select merged_into is null, known_since, sample_key from json_each(?) k cross join contacts c on c.id = k.value "
            "order by k.key", self._ids,
        )

    @property
    def alive(self) -> Mask:
        return np.array([bool(row[0]) for row in self._people], bool)

    @property
    def known_since(self) -> Ints:
        return np.array([row[1] for row in self._people], np.int64)

    @property
    def sample_keys(self) -> Sequence[str]:
        return [row[2] for row in self._people]

    def fields(self, path: Path) -> Any:
        found = fields.values(self._whole.store.db, self._whole.sources.get(path, ()), self._contacts.tolist())
        texts = [found[contact][0] if contact in found else None for contact in self._contacts.tolist()]
        return pa.array(texts, pa.string()).dictionary_encode()

    def consents(self) -> pa.Table:
        return self._renumbered(consents_of(self._whole.store, self._ids))

    def memberships(self) -> pa.Table:
        return self._renumbered(member_table(self._whole, self._ids))

    def addresses(self) -> pa.Table:
        return self._renumbered(address_table(self._whole, self._ids))

    def moves(self, segment: str) -> pa.Table:
        return self._renumbered(self._whole.moves(segment))

    def kept(self, segment: str) -> Ints | None:
        members = self._whole.kept(segment)
        return None if members is None else np.flatnonzero(np.isin(self._contacts, members))

    def pasts(self, path: Path) -> pa.Table:
        return past_table(self._whole.store, path, self.alive, self.known_since, self._ids)

    def event_types(self) -> Sequence[str]:
        return ()

    def events(self, types: Sequence[str], properties: Sequence[Path], after: Millis = 0) -> pa.Table:
        return typed("", history.no_events(_ordered(properties)))

    def _renumbered(self, table: pa.Table) -> pa.Table:
        return renumbered(table, self._contacts)
