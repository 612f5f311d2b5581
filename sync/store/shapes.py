"""From what a platform says of an event to the texts of its row, quickly.

Meaning and words are `Naming.properties` and `columns.apart`. Here both are one step, and what can be known before is known
before: where each property of an event of one name and with just these keys goes (its shape), and the texts of properties
that repeat from event to event, as those of mail do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

import orjson

from connectors.base import EventName, Json
from sync.store.columns import COLUMNS, Apart, apart
from sync.store.naming import Naming

FEW = 5                                             # so few properties repeat from event to event
MOST = 1000                                         # shapes kept at once

Values = Callable[[Mapping[str, Json]], tuple[Json, ...]]


@dataclass(frozen=True, slots=True)
class Shape:
    """Where the properties of one native event with one set of keys go. *columns* (values: *apart*): those with a column. The row's one
    text has the others: all but the keys that are *gone*, and under new names those that are *moved* (name, key). *enters*: keys
    that a path leads into, should there be a record under them.
    """

    columns: tuple[str, ...]
    apart: Values
    gone: tuple[str, ...]
    moved: tuple[tuple[str, str], ...]
    enters: tuple[str, ...]


def shape_of(known: EventName | None, keys: tuple[str, ...]) -> Shape:
    paths = known.properties if known else {}
    heads = {path.partition(".")[0] for path in paths.values() if path not in keys}
    taken = {*paths, *paths.values()}
    moved = {neutral: path for neutral, path in paths.items() if path in keys}
    places = {key: key for key in keys if key not in taken} | moved
    columns = [name for name in COLUMNS if name in places]
    return Shape(
        tuple(columns), _getter([places[name] for name in columns]), tuple(key for key in keys if key in taken or key in COLUMNS),
        tuple((name, path) for name, path in moved.items() if name not in COLUMNS), tuple(key for key in keys if key in heads),
    )


def _getter(keys: Sequence[str]) -> Values:
    """A function that gives the values of *keys* as a tuple, fast."""
    if len(keys) > 1:
        return itemgetter(*keys)
    return lambda raw: tuple([raw[key] for key in keys])


def apart_by(shape: Shape, raw: Mapping[str, Json]) -> Apart | None:
    """The texts of a row; None where a null, or a number that is none, may mean that a property is absent."""
    rest = dict(raw)
    for key in shape.gone:
        del rest[key]
    for name, key in shape.moved:
        rest[name] = raw[key]
    texts = tuple([orjson.dumps(value).decode() for value in (rest, *shape.apart(raw))])
    return None if "null" in "".join(texts) else (shape.columns, texts)


@dataclass(slots=True)
class Shapes:
    """What one page has met so far."""

    naming: Naming
    _shapes: dict[tuple[str, tuple[str, ...]], Shape] = field(default_factory=dict)
    _repeated: dict[tuple[str, bytes], Apart] = field(default_factory=dict)

    def apart(self, native: str, raw: Mapping[str, Json]) -> Apart:
        """The texts of the row of an event with the properties *raw*."""
        try:
            if len(raw) > FEW:
                return self._apart(native, raw)
            key = (native, orjson.dumps(raw))
            found = self._repeated.get(key)
            if found is None:
                found = self._repeated[key] = self._apart(native, raw)
            return found
        except TypeError:                           # something in it cannot be JSON as it is
            return apart(self.naming.properties(native, raw))

    def _apart(self, native: str, raw: Mapping[str, Json]) -> Apart:
        shape = self._shape(native, raw)
        return (shape and apart_by(shape, raw)) or apart(self.naming.properties(native, raw))

    def _shape(self, native: str, raw: Mapping[str, Json]) -> Shape | None:
        """None where a path leads into a record."""
        key = (native, tuple(raw))
        shape = self._shapes.get(key) or self._new(key)
        if shape.enters:
            for name in shape.enters:
                if isinstance(raw[name], dict):
                    return None
        return shape

    def _new(self, key: tuple[str, tuple[str, ...]]) -> Shape:
        if len(self._shapes) > MOST:
            self._shapes.clear()
        shape = self._shapes[key] = shape_of(self.naming.names.get(key[0]), key[1])
        return shape
