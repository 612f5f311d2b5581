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

BREAK = orjson.Fragment(b"\n")                      # between two texts: JSON has no line feed of its own

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


def rests_of(shape: Shape, raws: Sequence[Mapping[str, Json]]) -> list[dict[str, Json]]:
    """What the one text of each row holds."""
    rests = list(map(dict, raws))
    for key in shape.gone:
        for rest in rests:
            del rest[key]
    for name, key in shape.moved:
        for rest, raw in zip(rests, raws, strict=True):
            rest[name] = raw[key]
    return rests


def apart_by(shape: Shape, raw: Mapping[str, Json]) -> Apart | None:
    """The texts of a row; None where a null, or a number that is none, may mean that a property is absent."""
    texts = tuple([orjson.dumps(value).decode() for value in (*rests_of(shape, [raw]), *shape.apart(raw))])
    return None if "null" in "".join(texts) else (shape.columns, texts)


def columns_by(shape: Shape, raws: Sequence[Mapping[str, Json]]) -> list[list[str]] | None:
    """The texts of the rows of many events, column by column; None where something cannot be JSON as it is."""
    values = [rests_of(shape, raws), *zip(*map(shape.apart, raws), strict=True)]
    columns = [texts for column in values if (texts := texts_of(column)) is not None]
    return columns if len(columns) == len(values) else None


def texts_of(values: Sequence[Json]) -> list[str] | None:
    """The JSON text of each of *values*, made in one step: to keep many small results costs several times what to write them does.
    None where one cannot be JSON as it is."""
    if not values:
        return []
    parted: list[Json] = [BREAK] * (2 * len(values) - 1)
    parted[::2] = values
    try:
        return orjson.dumps(parted)[1:-1].decode().split(",\n,")
    except TypeError:
        return None


@dataclass(slots=True)
class Shapes:
    """What one page has met so far."""

    naming: Naming
    _shapes: dict[tuple[str, tuple[str, ...]], Shape] = field(default_factory=dict)
    _repeated: dict[tuple[str, str], Apart] = field(default_factory=dict)

    def all_apart(self, natives: Sequence[str], raws: Sequence[Mapping[str, Json]]) -> list[Apart]:
        """The texts of the row of each event with the properties *raws*, in order."""
        few = [len(raw) <= FEW for raw in raws]
        if all(few):
            return self._repeating(natives, raws)
        if any(few):
            return [self._repeating([native], [raw])[0] if each else self._apart(native, raw)
                    for native, raw, each in zip(natives, raws, few, strict=True)]
        return self._differing(natives, raws)

    def _repeating(self, natives: Sequence[str], raws: Sequence[Mapping[str, Json]]) -> list[Apart]:
        texts = texts_of(raws)
        if texts is None:
            return [self._apart(native, raw) for native, raw in zip(natives, raws, strict=True)]
        keys = list(zip(natives, texts, strict=True))
        for key, raw in dict(zip(keys, raws, strict=True)).items():
            if key not in self._repeated:
                self._repeated[key] = self._apart(key[0], raw)
        return list(map(self._repeated.__getitem__, keys))

    def _differing(self, natives: Sequence[str], raws: Sequence[Mapping[str, Json]]) -> list[Apart]:
        """Those of one shape together."""
        keys = list(zip(natives, map(tuple, raws), strict=True))
        if len(set(keys)) == 1:
            return self._alike(keys[0], raws)
        places: dict[tuple[str, tuple[str, ...]], list[int]] = {}
        for place, key in enumerate(keys):
            places.setdefault(key, []).append(place)
        found: dict[int, Apart] = {}
        for key, some in places.items():
            found.update(zip(some, self._alike(key, [raws[place] for place in some]), strict=True))
        return [found[place] for place in range(len(raws))]

    def _alike(self, key: tuple[str, tuple[str, ...]], raws: Sequence[Mapping[str, Json]]) -> list[Apart]:
        shape = self._shapes.get(key) or self._new(key)
        entered = any(dict in {type(raw[name]) for raw in raws} for name in shape.enters)
        columns = None if entered else columns_by(shape, raws)
        if columns is None:
            return [self._apart(key[0], raw) for raw in raws]
        names = shape.columns
        rows = [(names, texts) for texts in zip(*columns, strict=True)]
        if any("null" in column for column in map("".join, columns)):
            return [self._apart(key[0], raw) if "null" in "".join(row[1]) else row for raw, row in zip(raws, rows, strict=True)]
        return rows

    def _apart(self, native: str, raw: Mapping[str, Json]) -> Apart:
        """The texts of the row of one event."""
        shape = self._shape(native, raw)
        try:
            return (shape and apart_by(shape, raw)) or apart(self.naming.properties(native, raw))
        except TypeError:                           # something in it cannot be JSON as it is
            return apart(self.naming.properties(native, raw))

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
