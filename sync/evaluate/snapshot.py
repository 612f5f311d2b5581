"""What the full pass reads: all contacts and events at one moment, as Arrow columns. The store fills it.

Contacts are dense ids 0 … n-1. Values are canonical JSON texts (`sync.language.values.canonical`), dictionary-encoded
because few are distinct; null is absent. Nothing here is copied unless it must be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from connectors.base import Millis
from sync.language.values import Path, path_text

Mask = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Packed = npt.NDArray[np.uint8]                      # a mask, eight contacts a byte
BEGINNING: Millis = -(2**63)

CONSENTS = pa.schema([
    ("contact", pa.int32()), ("connection", pa.string()), ("channel", pa.string()), ("scope", pa.string()),
    ("state", pa.string()), ("suppressed", pa.bool_()), ("at", pa.int64()),
])
ADDRESSES = pa.schema([("contact", pa.int32()), ("address", pa.string())])
MEMBERSHIPS = pa.schema([
    ("contact", pa.int32()), ("connection", pa.string()), ("audience", pa.string()), ("kind", pa.string()), ("name", pa.string()),
    ("at", pa.int64()),
])
PASTS = pa.schema([
    ("contact", pa.int32()), ("at", pa.int64()), ("value", pa.dictionary(pa.int32(), pa.string())), ("changed", pa.bool_()),
])
MOVES = pa.schema([("contact", pa.int32()), ("at", pa.int64()), ("entered", pa.bool_())])


def every(masks: Sequence[Mask]) -> Mask:
    """Where all of *masks* (at least one) hold."""
    found, *others = masks
    for other in others:
        found = found & other
    return found


def some(masks: Sequence[Mask]) -> Mask:
    """Where any of *masks* (at least one) holds."""
    found, *others = masks
    for other in others:
        found = found | other
    return found


def packed(mask: Mask) -> Packed:
    """*mask* in an eighth of the room."""
    return np.packbits(mask)


def unpacked(held: Packed, size: int) -> Mask:
    """The mask of *size* contacts again."""
    return np.unpackbits(held, count=size).view(np.bool_)


class Snapshot(Protocol):
    """One consistent view of the store. Each fact is in it once (the store drops duplicates as it takes them in)."""

    @property
    def alive(self) -> Mask:
        """One bool per contact id: False for ids that are erased, merged away or not given out."""

    @property
    def known_since(self) -> Ints:
        """Milliseconds UTC per contact id."""

    @property
    def sample_keys(self) -> Sequence[str]:
        """What sample and holdout hash, per contact id."""

    def fields(self, path: Path) -> Any:
        """`pa.DictionaryArray` (or chunked) of one text per contact id: the value under *path*, null where absent."""

    def consents(self) -> pa.Table:
        """Rows of `CONSENTS`; the texts may be dictionary-encoded."""

    def memberships(self) -> pa.Table:
        """Rows of `MEMBERSHIPS`; the texts may be dictionary-encoded."""

    def moves(self, segment: str) -> pa.Table:
        """Rows of `MOVES`, by time: who entered and left *segment* at a known moment."""

    def kept(self, segment: str) -> Ints | None:
        """Contacts that were in *segment* at its last evaluation, each once; None when it never was evaluated."""

    def pasts(self, path: Path) -> pa.Table:
        """Rows of `PASTS`, by contact, then by time: what the field held from then on, null for nothing."""

    def addresses(self) -> pa.Table:
        """Rows of `ADDRESSES`: each canonical address with the contact it leads to; erased and merged ones lead nowhere."""

    def event_types(self) -> Sequence[str]:
        """Every event type there is, sorted."""

    def events(self, types: Sequence[str], properties: Sequence[Path], after: Millis = BEGINNING) -> pa.Table:
        """Events of *types*, sorted by type and time: `contact` int32, `at` int64 milliseconds, `type`, and one column per
        property, dictionary-encoded and named by `path_text`. The full pass asks one type at a time to stay small. Those at or
        before *after* may be left out: nobody asks about them."""


@dataclass(frozen=True)
class ArrowSnapshot:
    """A snapshot of tables in memory. *event_table* is sorted by (type, at) and holds every property anybody asks for."""

    alive: Mask
    known_since: Ints
    sample_keys: Sequence[str]
    field_columns: Mapping[Path, Any]
    event_table: pa.Table
    consent_table: pa.Table = field(default_factory=CONSENTS.empty_table)
    membership_table: pa.Table = field(default_factory=MEMBERSHIPS.empty_table)
    move_tables: Mapping[str, pa.Table] = field(default_factory=dict)
    past_tables: Mapping[Path, pa.Table] = field(default_factory=dict)
    kept_members: Mapping[str, Ints] = field(default_factory=dict)
    address_table: pa.Table = field(default_factory=ADDRESSES.empty_table)

    def fields(self, path: Path) -> Any:
        if path in self.field_columns:
            return self.field_columns[path]
        return pa.nulls(len(self.alive), pa.string()).dictionary_encode()

    def consents(self) -> pa.Table:
        return self.consent_table

    def memberships(self) -> pa.Table:
        return self.membership_table

    def moves(self, segment: str) -> pa.Table:
        return self.move_tables[segment] if segment in self.move_tables else MOVES.empty_table()

    def kept(self, segment: str) -> Ints | None:
        return self.kept_members.get(segment)

    def pasts(self, path: Path) -> pa.Table:
        return self.past_tables[path] if path in self.past_tables else PASTS.empty_table()

    def addresses(self) -> pa.Table:
        return self.address_table

    def event_types(self) -> list[str]:
        return sorted(self._slices)

    def events(self, types: Sequence[str], properties: Sequence[Path], after: Millis = BEGINNING) -> pa.Table:
        parts = [self.event_table.slice(*self._slices[name]) for name in sorted(types) if name in self._slices]
        table = pa.concat_tables(parts) if parts else self.event_table.slice(0, 0)
        names = {path_text(path) for path in properties}
        for name in sorted(names - set(table.column_names)):
            table = table.append_column(name, pa.nulls(len(table), pa.string()).dictionary_encode())
        return table.select(["contact", "at", "type", *sorted(names)])

    @cached_property
    def _slices(self) -> dict[str, tuple[int, int]]:
        """Type → offset and length of its rows."""
        if not len(self.event_table):
            return {}
        column = self.event_table.column("type")
        encoded = (column if pa.types.is_dictionary(column.type) else column.dictionary_encode()).unify_dictionaries()
        codes = np.concatenate([chunk.indices.to_numpy() for chunk in encoded.chunks])
        starts = np.flatnonzero(np.append(True, codes[1:] != codes[:-1]))
        ends = np.append(starts[1:], len(codes))
        names = encoded.chunk(0).dictionary.to_pylist()
        return {names[codes[start]]: (int(start), int(end - start)) for start, end in zip(starts, ends, strict=True)}
