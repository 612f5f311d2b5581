"""From what a platform says of an event to the texts of its row, quickly.

Meaning and words are `Naming.properties` and `columns.apart`. Here both are one step, and what can be known before is known
before: where each property of an event of one name and with just these keys goes (its shape), and the texts of properties
that repeat from event to event, as those of mail do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from connectors.base import EventName, Json
from sync.store import border
from sync.store.columns import COLUMNS, Apart, apart
from sync.store.naming import Naming

FEW = 3                                             # so few properties repeat from event to event
MOST = 1000                                         # shapes kept at once


@dataclass(frozen=True, slots=True)
class Shape:
    """Where the properties of one native event with one set of keys go. *kept*: keys that stay in the row's one text; *moved*:
    (neutral name, key) of what else stands there; *columns*: (column, key, whether it was moved) in the order of the row, and
    their *names*; *entered*: keys that a path leads into, should there be a record under them."""

    kept: tuple[str, ...]
    moved: tuple[tuple[str, str], ...]
    columns: tuple[tuple[str, str, bool], ...]
    names: tuple[str, ...]
    entered: tuple[str, ...]


def shape_of(known: EventName | None, keys: tuple[str, ...]) -> Shape:
    paths = known.properties if known else {}
    there = {neutral: path for neutral, path in paths.items() if path in keys}
    heads = {path.partition(".")[0] for path in paths.values() if path not in keys}
    taken = {*paths, *paths.values()}
    kept = tuple(key for key in keys if key not in taken)
    columns = tuple(
        (name, there.get(name, name), name in there) for name in COLUMNS if name in there or name in kept
    )
    return Shape(
        tuple(key for key in kept if key not in COLUMNS),
        tuple((neutral, path) for neutral, path in there.items() if neutral not in COLUMNS),
        columns, tuple(name for name, _, _ in columns), tuple(key for key in keys if key in heads),
    )


@dataclass(slots=True)
class Shapes:
    """What one page has met so far."""

    naming: Naming
    _shapes: dict[tuple[str, tuple[str, ...]], Shape] = field(default_factory=dict)
    _repeated: dict[tuple[str, bytes], Apart] = field(default_factory=dict)

    def apart(self, native: str, raw: Mapping[str, Json]) -> Apart:
        """The texts of the row of an event with the properties *raw*."""
        try:
            if len(raw) <= FEW:
                return self._repeating(native, raw)
            shape = self._shapes.get((native, keys := tuple(raw))) or self._new(native, keys)
            if not (shape.entered and any(isinstance(raw[key], dict) for key in shape.entered)):
                return _texts(shape, raw)
        except TypeError:                           # something in it cannot be JSON as it is
            pass
        return self._at_length(native, raw)

    def _repeating(self, native: str, raw: Mapping[str, Json]) -> Apart:
        key = (native, orjson.dumps(raw))
        found = self._repeated.get(key)
        if found is None:
            found = self._repeated[key] = self._at_length(native, raw)
        return found

    def _new(self, native: str, keys: tuple[str, ...]) -> Shape:
        if len(self._shapes) > MOST:
            self._shapes.clear()
        shape = self._shapes[native, keys] = shape_of(self.naming.names.get(native), keys)
        return shape

    def _at_length(self, native: str, raw: Mapping[str, Json]) -> Apart:
        return apart(self.naming.properties(native, raw))


def _texts(shape: Shape, raw: Mapping[str, Json]) -> Apart:
    """Raises TypeError for what cannot be JSON as it is."""
    rest = {key: raw[key] for key in shape.kept}
    for neutral, key in shape.moved:
        if not _absent(value := raw[key]):
            rest[neutral] = value
    texts = [orjson.dumps(rest).decode()]
    names = shape.names
    for name, key, moved in shape.columns:
        value = raw[key]
        if moved and _absent(value):
            names = tuple(each for each in names if each != name)
        else:
            texts.append(orjson.dumps(value).decode())
    return names, tuple(texts)


def _absent(value: Json) -> bool:
    return value is None or not border.is_number_at_all(value)
