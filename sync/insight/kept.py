"""A snapshot that is asked again and again, of other moments or by other rules: everything is read once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import pyarrow as pa

from connectors.base import Millis
from sync.evaluate.snapshot import BEGINNING, Snapshot
from sync.language.needs import needs
from sync.language.nodes import Node
from sync.language.values import Path, path_text


@dataclass(frozen=True, slots=True)
class Table:
    """Events that were read, and how."""

    properties: frozenset[Path]
    after: Millis
    rows: pa.Table


class Kept:
    """Answers like the snapshot it was made of, and remembers; of event types only those that *remembers* names. Ask of the earliest
    moment first: events that were left out are read again when they may not be."""

    def __init__(self, snapshot: Snapshot, remembers: Callable[[str], bool]) -> None:
        self._snapshot, self._remembers = snapshot, remembers
        self._known: dict[tuple[Any, ...], Any] = {}
        self._tables: dict[str, Table] = {}

    def events(self, types: Sequence[str], properties: Sequence[Path], after: Millis = BEGINNING) -> pa.Table:
        if len(types) != 1 or not self._remembers(types[0]):
            return self._snapshot.events(types, properties, after)
        held, wanted = self._tables.get(types[0]), frozenset(properties)
        if held is None or after < held.after or not wanted <= held.properties:
            if held is not None:
                wanted, after = wanted | held.properties, min(after, held.after)
            held = self._tables[types[0]] = Table(wanted, after, self._snapshot.events(types, sorted(wanted), after))
        return held.rows.select(["contact", "at", "type", *map(path_text, sorted(properties))])

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._snapshot, name)
        if not callable(found):
            return found

        def ask(*asked: Any) -> Any:
            if (name, *asked) not in self._known:
                self._known[name, *asked] = found(*asked)
            return self._known[name, *asked]

        return ask


def kept(snapshot: Snapshot, rules: Iterable[Node] | None = None) -> Snapshot:
    """*snapshot*, each part of it read once; of the events those that *rules* read (None: all)."""
    if rules is None:
        return cast(Snapshot, Kept(snapshot, lambda name: True))
    asked = [need.names for rule in rules for need in needs(rule).events]
    return cast(Snapshot, Kept(snapshot, lambda name: any(names.takes(name) for names in asked)))
