"""Records of one type: columns for what everybody has, text shared between records, and the odd value apart.

A row's number is its identity and its id; rows are never removed. Rendering goes by column, for a page at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from connectors.clock import Millis
from connectors.hubspot.sandbox.indexing import Index, Snapshot
from connectors.hubspot.sandbox.kinds import Kind
from connectors.hubspot.sandbox.times import iso, isos
from connectors.sandbox.columns import Columns

LIVE, ARCHIVED, ERASED, MERGED = range(4)
Rows = npt.NDArray[np.int64]
Maker = Callable[[Rows], Sequence[str | None]]
COMMON = {"created": "i8", "modified": "i8", "archived": "i8", "state": "u1"}


class Records:
    """One type. Subclasses add columns and, in `made`, the properties that are computed from them."""

    def __init__(self, kind: Kind, columns: dict[str, str] | None = None, text: Sequence[str] = ()) -> None:
        self.kind = kind
        self.rows = Columns({**COMMON, **(columns or {})})
        self.text: dict[str, list[str]] = {name: [] for name in text}       # "" is no value
        self.extra: dict[int, dict[str, str]] = {}
        self.survivor: dict[int, int] = {}                                  # merged row → the row that took it in
        self.also: dict[int, set[int]] = {}                                 # row → contacts beside the one in its column
        self.index = Index(self.properties)
        self.made: dict[str, Maker] = {
            "hs_object_id": lambda rows: [self.kind.id_of(row) for row in rows.tolist()],
            "createdate": lambda rows: isos(self.rows["created"][rows]),
            kind.moved: lambda rows: isos(self.rows["modified"][rows]),
        }

    def __len__(self) -> int:
        return len(self.rows)

    # --- finding

    def find(self, identity: object) -> int:
        """The row of an id, of a merged one its survivor's; -1 when there never was such a record."""
        row = self.kind.row_of(identity, len(self))
        while row in self.survivor:
            row = self.survivor[row]
        return row

    def live(self, identity: object) -> int:
        """Like `find`, -1 also for what is archived or erased."""
        row = self.find(identity)
        return row if row >= 0 and self.rows["state"][row] == LIVE else -1

    def following(self, row: int, count: int, state: int) -> list[int]:
        """At most *count* rows of *state* from *row* on, ascending."""
        found: list[int] = (np.flatnonzero(self.rows["state"][row:] == state)[:count] + row).tolist()
        return found

    # --- reading

    def column(self, name: str, rows: Rows) -> Sequence[str | None]:
        """One property of many records; None where it has no value."""
        if name in self.made:
            values = self.made[name](rows)
        elif name in self.text:
            text = self.text[name]
            values = [text[row] or None for row in rows.tolist()]
        else:
            values = [None] * len(rows)
        if not self.extra:
            return values
        return [self.extra[row].get(name, value) or None if row in self.extra else value
                for row, value in zip(rows.tolist(), values, strict=True)]

    def values(self, rows: Sequence[int], names: Iterable[str]) -> list[dict[str, str | None]]:
        """The named properties of each record."""
        wanted, where = list(names), np.asarray(rows, np.int64)
        if not len(where):
            return []
        columns = [self.column(name, where) for name in wanted]
        return [dict(zip(wanted, row, strict=True)) for row in zip(*columns, strict=True)]

    def properties(self, row: int) -> Snapshot:
        """All properties of a record that have a value."""
        names = {*self.made, *self.text, *self.extra.get(row, ())}
        return {name: value for name, value in self.values([row], sorted(names))[0].items() if value}

    def get(self, row: int, name: str) -> str:
        """One property, "" without a value."""
        return self.column(name, np.array([row]))[0] or ""

    def numbers(self, name: str) -> npt.NDArray[Any] | None:
        """A property of all records as integers, for the few that a search mostly asks for."""
        if name == "hs_object_id":
            return self.kind.first + np.arange(len(self), dtype=np.int64) * self.kind.step
        column = {"createdate": "created", self.kind.moved: "modified"}.get(name)
        return self.rows[column] if column else None

    def stamps(self, row: int) -> dict[str, Any]:
        """What stands beside the properties of a record."""
        found: dict[str, Any] = {
            "createdAt": iso(int(self.rows["created"][row])), "updatedAt": iso(int(self.rows["modified"][row])),
            "archived": bool(self.rows["state"][row] == ARCHIVED),
        }
        if found["archived"]:
            found["archivedAt"] = iso(int(self.rows["archived"][row]))
        return found

    # --- writing

    def add(self, at: Millis, /, **columns: Any) -> int:
        """A new record, empty but for *columns*; its row."""
        for text in self.text.values():
            text.append("")
        return self.rows.append(created=at, modified=at, **columns)

    def set(self, row: int, name: str, value: str) -> None:
        """Set one property ("" clears it), without touching the times."""
        if name in self.text:
            self.text[name][row] = value
        else:
            self.extra.setdefault(row, {})[name] = value

    def clear(self, row: int) -> None:
        """Forget everything about a record but that there was one."""
        for text in self.text.values():
            text[row] = ""
        self.extra.pop(row, None)
