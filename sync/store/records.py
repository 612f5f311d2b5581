"""Records that can change at their source, and the facts derived from them.

A fact is what all records with one type, contact and `same` tell; its event is the earliest of them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeAlias

import orjson

from connectors.base import Json
from sync.store import archive, border
from sync.store.columns import Apart, insert, split, write_rows
from sync.store.columns import Row as EventRow
from sync.store.lookups import Fact, Record, Row, standing
from sync.store.store import hashes_of

SHARED = "="                                        # what a `same` begins with that several records may have

Change: TypeAlias = tuple[Record | None, Record | None]     # as it was, as it is from now on


def same_text(said: Json) -> str:
    """How two platforms spell one id: 1001, 1001.0 and " 1001" are one; "" for what is none."""
    if isinstance(said, str):
        return border.text(said.strip())
    if isinstance(said, bool) or not isinstance(said, int | float) or not border.is_number_at_all(said):
        return ""
    return str(int(said) if isinstance(said, float) and said.is_integer() else said)


def shared(said: str) -> str:
    """The `same` of all records that say *said*."""
    return SHARED + said


def own(connection: int, source: str) -> str:
    """The `same` of a record that nothing else tells."""
    return f"{connection}:{source}"


def replace(db: sqlite3.Connection, connection: int, changes: Mapping[str, Change], texts: Mapping[str, Apart]) -> None:
    """Source id → its record as it was and as it is from now on (None: there is none). *texts*: of those that are, as a row of
    events has them."""
    moved = {id_: pair for id_, pair in changes.items() if pair[0] != pair[1]}
    before = _before(db, connection, moved)
    after = {fact: [row for row in rows if row[1] != connection or row[2] not in moved] for fact, rows in before.items()}
    gone, there = [], []
    for id_, (_, now) in moved.items():
        if now:
            kind, at, contact, same, text = now
            row = (at, connection, id_, text)
            if (fact := (kind, contact, same)) in after:
                after[fact].append(row)
            else:
                after[fact] = [row]
            there.append((connection, id_, kind, at, contact, same, text))
        else:
            gone.append((connection, id_))
    db.executemany("delete from records where connection = ? and source = ?", gone)
    write_rows(db, "insert or replace into records", sorted(there))
    _retract(db, before)
    _derive(db, after, lambda row: texts[row[2]] if row[1] == connection and row[2] in moved else _texts(row))


def _before(db: sqlite3.Connection, connection: int, moved: Mapping[str, Change]) -> dict[Fact, list[Row]]:
    """The facts that *moved* records were and will be part of and that had records so far, with these. Those of a fact that nothing
    else tells are known without asking."""
    found: dict[Fact, list[Row]] = {}
    asked: set[Fact] = set()
    for id_, (was, now) in moved.items():
        if now is not None and now[3].startswith(SHARED):
            asked.add((now[0], now[2], now[3]))
        if was is not None:
            fact = (was[0], was[2], was[3])
            if was[3].startswith(SHARED):
                asked.add(fact)
            else:
                found[fact] = [(was[1], connection, id_, was[4])]
    return found | standing(db, asked)


@contextmanager
def rederive(db: sqlite3.Connection, contacts: Iterable[int]) -> Iterator[None]:
    """The facts of *contacts* are taken back before the block and derived again after it."""
    wanted = orjson.dumps(list(contacts)).decode()
    query = "select distinct type, contact, same from records where contact in (select value from json_each(?))"
    _retract(db, standing(db, db.execute(query, (wanted,)).fetchall()))
    yield
    _derive(db, standing(db, db.execute(query, (wanted,)).fetchall()))


def _hashes(facts: Iterable[Fact]) -> list[int]:
    """The third column of the key of each fact's event."""
    return hashes_of("fact", [f"{kind}\0{contact}\0{same}" for kind, contact, same in facts])


def _retract(db: sqlite3.Connection, facts: Mapping[Fact, Sequence[Row]]) -> None:
    """Take the event of each fact back that has records."""
    told = [(fact, min(rows)[0]) for fact, rows in facts.items() if rows]
    keys = zip(told, _hashes(fact for fact, _ in told), strict=True)
    archive.take_back(db, sorted((fact[0], at, hash_) for (fact, at), hash_ in keys))


def _texts(row: Row) -> Apart:
    return split(row[3])


def _derive(db: sqlite3.Connection, facts: Mapping[Fact, Sequence[Row]], texts: Callable[[Row], Apart] = _texts) -> None:
    """The earliest record of each fact is its event, unless it is of a time that is no longer kept; *texts*: of its row."""
    floors = archive.floors(db)
    first = [(fact, rows[0] if len(rows) == 1 else min(rows)) for fact, rows in facts.items() if rows]
    told = [(fact, row) for fact, row in first if row[0] >= floors.get(fact[0], row[0])] if floors else first
    rows: list[EventRow] = []
    for (fact, row), hash_ in zip(told, _hashes(fact for fact, _ in told), strict=True):
        names, held = texts(row)
        rows.append((names, (fact[0], row[0], hash_, fact[1], row[1], row[2], *held)))
    insert(db, "replace", rows)
