"""A snapshot that is asked again and again, of other moments or by other rules: everything is read once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from connectors.base import Millis
from sync.evaluate.snapshot import BEGINNING, Snapshot
from sync.language.values import Path


class Kept:
    """Answers like the snapshot it was made of, and remembers. Ask of the earliest moment first: events that may be left out are
    read again when they may not."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._known: dict[tuple[Any, ...], Any] = {}
        self._tables: dict[tuple[Any, ...], tuple[Millis, Any]] = {}

    def events(self, types: Sequence[str], properties: Sequence[Path], after: Millis = BEGINNING) -> Any:
        key = (tuple(types), tuple(properties))
        if key not in self._tables or after < self._tables[key][0]:
            self._tables[key] = after, self._snapshot.events(types, properties, after)
        return self._tables[key][1]

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._snapshot, name)
        if not callable(found):
            return found

        def ask(*asked: Any) -> Any:
            if (name, *asked) not in self._known:
                self._known[name, *asked] = found(*asked)
            return self._known[name, *asked]

        return ask


def kept(snapshot: Snapshot) -> Snapshot:
    """*snapshot*, each part of it read once."""
    return cast(Snapshot, Kept(snapshot))
