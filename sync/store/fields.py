"""What a field of a contact holds: looked for in the profiles of one connection, or of several in order."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import orjson

from connectors.base import Millis
from sync.language.countries import country_text
from sync.language.values import Path
from sync.store.properties import json_path, reading

_TOLD = (
    "select contact, text, updated from (select contact, mailable, updated, id, state = 'live' as live, fields -> ?1 as text "
    "from profiles where connection = ?2 and state != 'gone') where text is not null and text != 'null' "
    "and not (?3 and text = '\"\"') order by live, mailable, updated, id"
)
_TOLD_OF_SOME = _TOLD.replace("state != 'gone')", "state != 'gone' and contact in (select value from json_each(?4)))")


@dataclass(frozen=True, slots=True)
class FieldSource:
    """Where a field may be found: *path* in the profiles of connection number *connection*. *neutral*: "" is no value; *country*: names
    of countries are read as their codes."""

    connection: int
    path: Path
    neutral: bool
    country: bool = False


def values(
    db: sqlite3.Connection, sources: Sequence[FieldSource], contacts: Collection[int] | None = None,
) -> dict[int, tuple[str, Millis | None]]:
    """Contact → JSON text of its value, and when the profile that holds it was last changed, where the platform tells. The first of
    *sources* that has one counts; of several profiles there the newest mailable live one. Only *contacts*; None is all."""
    found: dict[int, tuple[str, Millis | None]] = {}
    for source in reversed(sources):
        found.update((contact, (text, updated)) for contact, text, updated in _told(db, source, contacts))
    return found


def _told(
    db: sqlite3.Connection, source: FieldSource, contacts: Collection[int] | None,
) -> Iterator[tuple[int, str, Millis | None]]:
    """(contact, JSON text, when changed) where there is a value; of several profiles of a contact the one that speaks comes last."""
    read = reading(source.path)
    bound = (json_path(source.path), source.connection, source.neutral and read is None)
    some = () if contacts is None else (orjson.dumps(sorted(contacts)).decode(),)
    rows = db.execute(_TOLD_OF_SOME if some else _TOLD, (*bound, *some))
    for contact, told, updated in rows:
        text = told if read is None else read(told)
        if text is not None and not (source.neutral and text == '""'):
            yield contact, country_text(text) if source.country else text, updated
