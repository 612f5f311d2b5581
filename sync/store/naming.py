"""How one connection's native events and their properties are called here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from operator import methodcaller
from typing import TypeAlias

from connectors.base import EventName, Json
from sync.store import border

Reader: TypeAlias = Callable[[Mapping[str, Json]], Json]


@dataclass(frozen=True, slots=True)
class Moves:
    """How one native event's properties become neutral ones: (neutral, path, whether it may nest); names that are *taken*."""

    paths: tuple[tuple[str, str, bool], ...]
    taken: frozenset[str]

    @staticmethod
    def of(known: EventName) -> Moves:
        paths = tuple((neutral, path, "." in path) for neutral, path in known.properties.items())
        return Moves(paths, frozenset(known.properties) | frozenset(known.properties.values()))


@dataclass(frozen=True, slots=True)
class Naming:
    """How one connection's native events are called here.

    *names*: native → neutral name and properties; *prefix*: what every other name gets (the connection's own name);
    *same*: neutral name → the property that says two records are one fact; *ignored*: neutral names another connection tells.
    """

    prefix: str
    names: Mapping[str, EventName]
    same: Mapping[str, str] = field(default_factory=dict)
    ignored: frozenset[str] = frozenset()
    _moves: dict[str, Moves] = field(default_factory=dict, init=False, repr=False, compare=False)

    def name(self, native: str) -> str:
        known = self.names.get(native)
        return known.name if known else f"{self.prefix}.{native}"

    def properties(self, native: str, raw: Mapping[str, Json]) -> dict[str, Json]:
        """The platform's own properties, and the neutral ones beside them; absent ones stay absent. A neutral name means the
        property it was given and no other: one that merely happens to be called so is left out."""
        known = self.names.get(native)
        if known is None:
            return dict(raw)
        moves = self._moves.get(native) or self._moves.setdefault(native, Moves.of(known))
        taken = moves.taken
        kept = {key: value for key, value in raw.items() if key not in taken}
        for neutral, path, dotted in moves.paths:
            value = raw.get(path)
            if value is None and dotted:
                value = at_path(raw, path)
            if value is not None and border.is_number_at_all(value):
                kept[neutral] = value
        return kept

    def reader(self, native: str, name: str) -> Reader | None:
        """What reads from an event's own properties the one that `properties` calls *name*; None where there is none."""
        known = self.names.get(native)
        path = known.properties.get(name) if known else None
        if path is None and name and not (known and name in known.properties.values()):
            return methodcaller("get", name)
        if path is not None and "." not in path:
            return methodcaller("get", path)
        return partial(at_path, path=path) if path else None


def at_path(record: Mapping[str, Json], path: str) -> Json:
    """The value under a dotted *path* (a key that holds dots counts whole first), or None."""
    if path in record:
        return record[path]
    head, dot, rest = path.partition(".")
    inner = record.get(head) if dot else None
    return at_path(inner, rest) if isinstance(inner, dict) else None
