"""The row of an event: properties that conditions ask for again and again have a column each, the rest is one JSON text.

SQLite parses the whole text to find one property in it, which costs three times what a column does. A column holds the JSON
text of the property of its name, null where the event has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from connectors.base import Json
from sync.store import border

COLUMNS = ("value", "currency", "quantity", "category", "product", "campaign", "machine")

_PROMOTED = frozenset(COLUMNS)
_NONE = (None,) * len(COLUMNS)

Texts = tuple[str | None, ...]                      # properties, then COLUMNS

INSERT = f"events values (?, ?, ?, ?{', ?' * (1 + len(COLUMNS))})"      # type, at, hash, contact, then Texts
SELECT = f"e.properties, {', '.join(f'e.{name}' for name in COLUMNS)}"


def apart(properties: Mapping[str, Json]) -> Texts:
    """The texts of an event's row."""
    if _PROMOTED.isdisjoint(properties):
        return (border.json_text(properties), *_NONE)
    rest = dict(properties)
    texts = [border.json_text(rest.pop(name)) if name in rest else None for name in COLUMNS]
    return (border.json_text(rest), *texts)


def together(texts: Sequence[str | None], decode: Any = orjson.loads) -> dict[str, Json]:
    """The properties again."""
    found: dict[str, Json] = decode(texts[0])
    found.update((name, decode(text)) for name, text in zip(COLUMNS, texts[1:], strict=True) if text is not None)
    return found
