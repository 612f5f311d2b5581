"""The row of an event: properties that conditions ask for again and again have a column each, the rest is one JSON text.

SQLite parses the whole text to find one property in it, which costs three times what a column does. A column holds the JSON
text of the property of its name, null where the event has none. Last stand the connection that told the event and the id under
which it did (`TOLD`), null in events that were written before these were kept.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any

import orjson

from connectors.base import Json
from sync.store import border

COLUMNS = ("value", "currency", "quantity", "category", "product", "campaign", "machine")

TEXTS = ("properties", *COLUMNS)                    # what `together` takes

TOLD = ("connection", "source")                       # who told it, and under which id

AT_ONCE = 100                                      # rows of one step

Key = tuple[int, int, int]                          # of a row of events: type, at, hash
Names = tuple[str, ...]                             # the columns that are not null
Apart = tuple[Names, tuple[str, ...]]               # and the texts: properties, then those columns
Row = tuple[int | str, ...]                         # what is in it: its key, contact, connection, source, and the texts


def apart(properties: Mapping[str, Json]) -> Apart:
    """The texts of an event's row."""
    names = tuple(filter(properties.__contains__, COLUMNS))
    if not names:
        return names, (border.json_text(properties),)
    rest = dict(properties)
    texts = [border.json_text(rest.pop(name)) for name in names]
    return names, (border.json_text(rest), *texts)


def joined(held: Sequence[Apart]) -> list[str]:
    """Each of *held* as one text: the names, then a line each. JSON has no line feed of its own."""
    heads = {names: " ".join(names) for names in {names for names, _ in held}}
    return ["\n".join((heads[names], *texts)) for names, texts in held]


def split(text: str) -> Apart:
    """What was `joined`; or, as records were kept once, one JSON text of all properties."""
    if text.startswith("{"):
        return apart(orjson.loads(text))
    names, *texts = text.split("\n")
    return tuple(names.split()), tuple(texts)


def insert(db: sqlite3.Connection, conflict: str, names: Sequence[Names], rows: Iterable[Row]) -> int:
    """Write events; how many went in. *names*: of each row; *conflict*: "ignore" or "replace". Nulls are left out, since to bind one costs
    more than to bind a text; and rows go in by key, which touches each page of the table once."""
    alike: dict[Names, list[Row]] = {each: [] for each in names}
    if len(alike) == 1:
        alike[names[0]] += rows
    else:
        for each, row in zip(names, rows, strict=True):
            alike[each].append(row)
    written = 0
    for each, some in alike.items():
        columns = ("type", "at", "hash", "contact", "connection", "source", "properties", *each)
        some.sort(key=itemgetter(1))                # two sorts by a number take a third of one by both
        some.sort(key=itemgetter(0))
        written += write_rows(db, f"insert or {conflict} into events ({', '.join(columns)})", some)
    return written


def write_rows(db: sqlite3.Connection, statement: str, rows: Sequence[tuple[int | str, ...]]) -> int:
    """Run *statement* for *rows*, all of one width: many in one step, since a step costs half of what a row does. How many went in, not
    counting what triggers write."""
    if not rows:
        return 0
    one = f"({', '.join('?' * len(rows[0]))})"
    whole = len(rows) - len(rows) % AT_ONCE
    many = (tuple(chain.from_iterable(rows[start:start + AT_ONCE])) for start in range(0, whole, AT_ONCE))
    written = db.executemany(f"{statement} values {', '.join([one] * AT_ONCE)}", many).rowcount
    return written + db.executemany(f"{statement} values {one}", rows[whole:]).rowcount


def together(texts: Sequence[str | None], decode: Any = orjson.loads) -> dict[str, Json]:
    """The properties again."""
    found: dict[str, Json] = decode(texts[0])
    found.update((name, decode(text)) for name, text in zip(COLUMNS, texts[1:], strict=True) if text is not None)
    return found
