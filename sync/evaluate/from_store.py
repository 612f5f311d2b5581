"""The store as the full pass reads it: columns of contacts and events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from connectors.base import Millis
from sync.evaluate.snapshot import ADDRESSES, BEGINNING, CONSENTS, MEMBERSHIPS, MOVES, PASTS, Ints, Mask
from sync.language.values import Path, path_text
from sync.store import consents, entries, fields, history, pasts, segments
from sync.store.fields import FieldSource
from sync.store.store import Store


@dataclass(frozen=True)
class StoreSnapshot:
    """A `sync.evaluate.snapshot.Snapshot` over one store. *sources*: path as written in a rule → where to look, first first.
    *watched*: target number → connection, audience (the config's word), kind and name, for `member_of`."""

    store: Store
    sources: Mapping[Path, Sequence[FieldSource]]
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
        for contact, (text, _) in fields.values(self.store.db, self.sources.get(path, ())).items():
            texts[contact] = text
        return pa.array(texts, pa.string()).dictionary_encode()

    def kept(self, segment: str) -> Ints | None:
        found = segments.last_members(self.store, segment)
        return None if found is None else np.unique(found).astype(np.int64)

    def pasts(self, path: Path) -> pa.Table:
        return past_table(self.store, path, self.alive, self.known_since)

    def consents(self) -> pa.Table:
        return self._consents

    @cached_property
    def _consents(self) -> pa.Table:
        """Read once, however many conditions ask."""
        with self.store.reading() as db:
            told = consents.of_everybody(db)
            names = dict(db.execute("select id, name from connections order by id"))
        channels, scopes, states, suppressed = zip(*told.words, strict=True) if told.words else ((),) * 4
        return pa.table([
            pa.array(told.contacts, pa.int32()), _picked(list(names.values()), np.searchsorted(list(names), told.connections)),
            *(_picked(words, told.kinds) for words in (channels, scopes, states)),
            pa.array(suppressed, pa.int64()).take(pa.array(told.kinds)).cast(pa.bool_()), pa.array(told.at),
        ], names=CONSENTS.names)

    def memberships(self) -> pa.Table:
        return self._memberships

    @cached_property
    def _memberships(self) -> pa.Table:
        return member_table(self)

    def moves(self, segment: str) -> pa.Table:
        found = entries.changes(self.store, segment)
        return pa.table([found.contacts, found.at, found.entered], schema=MOVES)

    def addresses(self) -> pa.Table:
        return address_table(self)

    @cached_property
    def _types(self) -> dict[str, int]:
        return history.types(self.store)

    def event_types(self) -> Sequence[str]:
        return sorted(self._types)

    def events(self, types: Sequence[str], properties: Sequence[Path], after: Millis = BEGINNING) -> pa.Table:
        ordered = sorted(set(properties), key=path_text)
        tables = [
            typed(name, history.table(self.store, self._types[name], ordered, after)) for name in sorted(types) if name in self._types
        ]
        return pa.concat_tables(tables) if tables else typed("", history.no_events(ordered))


def past_table(store: Store, path: Path, alive: Mask, known_since: Ints, some: str = "") -> pa.Table:
    """Rows of `PASTS`; of *some* contacts alone, where a JSON list of them is given, numbered by their places in it."""
    contacts, at, values, changed = pasts.histories(store.db, path_text(path), alive, known_since, some)
    return pa.table([contacts, at, pa.array(values, pa.string()).dictionary_encode(), changed], schema=PASTS)


def consents_of(store: Store, contacts: str) -> pa.Table:
    """Rows of `CONSENTS` of *contacts* alone, a JSON list."""
    with store.reading() as db:
        rows = consents.of_some(db, contacts)
    return _table([(*row[:5], bool(row[5]), row[6]) for row in rows], CONSENTS)


def address_table(snapshot: StoreSnapshot, contacts: str = "") -> pa.Table:
    """Rows of `ADDRESSES`; of *contacts* alone, where a JSON list of them is given."""
    return _table(snapshot.store.rows(
        "select contact, address from addresses where ?1 = '' or contact in (select value from json_each(?1)) order by contact, address",
        contacts,
    ), ADDRESSES)


def member_table(snapshot: StoreSnapshot, contacts: str = "") -> pa.Table:
    """Rows of `MEMBERSHIPS`; of *contacts* alone, where a JSON list of them is given."""
    rows: list[tuple[Any, ...]] = []
    for target, (connection, audience, kind, name) in snapshot.watched.items():
        found = snapshot.store.rows(
            "select p.contact, m.since from members m join targets t on t.id = m.target "
            "join profiles p on p.connection = t.connection and p.id = m.profile where m.target = ?1 "
            "and (?2 = '' or p.contact in (select value from json_each(?2)))", target, contacts,
        )
        rows += [(contact, connection, audience, kind, name, since) for contact, since in found]
    return _table(rows, MEMBERSHIPS)


def typed(name: str, table: pa.Table) -> pa.Table:
    """*table* with the column that says its events' type."""
    kind = pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(table), np.int32)), pa.array([name]))
    return table.add_column(2, "type", kind)


def _picked(words: Sequence[str], places: Ints) -> pa.DictionaryArray:
    """The word at each of *places*."""
    return pa.array(words, pa.string()).dictionary_encode().take(pa.array(places))


def _table(rows: Sequence[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    return pa.table([pa.array(column, kind.type) for column, kind in zip(columns, schema, strict=True)], schema=schema)
