"""What the tick reads: the whole at one moment, some contacts of it, events of a stretch of time; and what changed since."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from connectors.base import Millis
from sync.evaluate.cells import NOBODY
from sync.evaluate.snapshot import BEGINNING, Ints, Mask, Snapshot
from sync.language.values import Path

Properties = Callable[[str], Collection[Path] | None]           # event type → what is asked of its events; None: nothing is


@dataclass(frozen=True, slots=True)
class Changes:
    """What became different, each fact once, duplicates left out.

    *touched*: contacts that are new, or about whom anything but events changed. *merged*: contact → the one it went into.
    *arrived* and *removed*: by type, events as `Snapshot.events` gives them, sorted by time; an event that changed is in both.
    *size*: contact ids given out so far. *sequence*: number of the last change.
    """

    size: int
    sequence: int = 0
    touched: Ints = field(default_factory=lambda: NOBODY)
    merged: Mapping[int, int] = field(default_factory=dict)
    arrived: Mapping[str, pa.Table] = field(default_factory=dict)
    removed: Mapping[str, pa.Table] = field(default_factory=dict)


class Source(Protocol):
    """The record as of the last change that was given out."""

    def whole(self) -> Snapshot:
        """Everything."""

    def of(self, contacts: Ints) -> Snapshot:
        """Those *contacts* (ascending, each once) alone, numbered by their place in it; its events may be left out."""

    def between(self, name: str, properties: Sequence[Path], after: Millis, upto: Millis) -> pa.Table:
        """Events of one type with after < at ≤ upto, as `Snapshot.events` gives them."""


class Restricted:
    """Some contacts of a snapshot, numbered by their place in *contacts* (ascending, each once)."""

    def __init__(self, whole: Snapshot, contacts: Ints) -> None:
        self._whole, self._contacts = whole, contacts

    @property
    def alive(self) -> Mask:
        return self._whole.alive[self._contacts]

    @property
    def known_since(self) -> Ints:
        return self._whole.known_since[self._contacts]

    @property
    def sample_keys(self) -> Sequence[str]:
        keys = self._whole.sample_keys
        return [keys[contact] for contact in self._contacts.tolist()]

    def fields(self, path: Path) -> Any:
        return compact(self._whole.fields(path).take(pa.array(self._contacts)))

    def consents(self) -> pa.Table:
        return self._rows(self._whole.consents())

    def memberships(self) -> pa.Table:
        return self._rows(self._whole.memberships())

    def moves(self, segment: str) -> pa.Table:
        return self._rows(self._whole.moves(segment))

    def kept(self, segment: str) -> Ints | None:
        members = self._whole.kept(segment)
        return None if members is None else np.flatnonzero(np.isin(self._contacts, members))

    def pasts(self, path: Path) -> pa.Table:
        return self._rows(self._whole.pasts(path))

    def addresses(self) -> pa.Table:
        return self._rows(self._whole.addresses())

    def event_types(self) -> Sequence[str]:
        return self._whole.event_types()

    def events(self, types: Sequence[str], properties: Sequence[Path], after: Millis = BEGINNING) -> pa.Table:
        return self._rows(self._whole.events(types, properties, after))

    def _rows(self, table: pa.Table) -> pa.Table:
        return renumbered(table, self._contacts)


def renumbered(table: pa.Table, contacts: Ints) -> pa.Table:
    """The rows of *contacts* (ascending, each once), whose numbers become their places."""
    column = table.column("contact").to_numpy()
    place = np.searchsorted(contacts, column).clip(max=max(len(contacts) - 1, 0))
    mine = contacts[place] == column if len(contacts) else np.zeros(len(column), bool)
    found = table.filter(pa.array(mine))
    numbers = pa.array(place[mine].astype(np.int32))
    return found.set_column(table.column_names.index("contact"), "contact", numbers)


def compact(column: Any) -> Any:
    """A dictionary column that knows no values but those it holds: questions are asked of these only."""
    if isinstance(column, pa.ChunkedArray):
        column = column.unify_dictionaries().combine_chunks()
        column = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
    if not pa.types.is_dictionary(column.type) or len(column.dictionary) <= len(column) // 4:
        return column
    codes = column.indices.to_numpy(zero_copy_only=False) if not column.indices.null_count else None
    if codes is None:
        return column.cast(column.type.value_type).dictionary_encode()
    used, places = np.unique(codes, return_inverse=True)
    return pa.DictionaryArray.from_arrays(pa.array(places.astype(np.int32)), column.dictionary.take(pa.array(used)))
