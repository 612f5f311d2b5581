"""Records that can change at their source, and the facts derived from them.

A fact is what all records with one type, contact and `same` tell; its event is the earliest of them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import TypeAlias

import orjson

from connectors.base import Json
from sync.store import archive, border
from sync.store.columns import Apart, Told, apart, insert
from sync.store.lookups import Fact, Record, Row, standing
from sync.store.store import hash_of

NOTHING: Mapping[Told, Apart] = MappingProxyType({})
Change: TypeAlias = tuple[Record | None, Record | None]     # as it was, as it is from now on


def same_text(said: Json) -> str:
    """How two platforms spell one id: 1001, 1001.0 and " 1001" are one; "" for what is none."""
    if isinstance(said, bool) or not isinstance(said, str | int | float):
        return ""
    return border.text(str(int(said) if isinstance(said, float) and said.is_integer() else said).strip())


def own(connection: int, source: str) -> str:
    """The `same` of a record that nothing else tells."""
    return f"{connection}:{source}"


def replace(db: sqlite3.Connection, connection: int, changes: Mapping[str, Change], texts: Mapping[str, Apart]) -> None:
    """Source id → its record as it was and as it is from now on (None: there is none). *texts*: of those that are."""
    moved = {id_: pair for id_, pair in changes.items() if pair[0] != pair[1]}
    before = _before(db, connection, moved)
    after = {fact: [row for row in rows if row[1] != connection or row[2] not in moved] for fact, rows in before.items()}
    for id_, (_, now) in moved.items():
        if now:
            after[now[0], now[2], now[3]].append((now[1], connection, id_, now[4]))
    gone = [(connection, id_) for id_, (_, now) in moved.items() if now is None]
    db.executemany("delete from records where connection = ? and source = ?", gone)
    there = [(connection, id_, *now) for id_, (_, now) in sorted(moved.items()) if now]
    db.executemany("insert or replace into records values (?, ?, ?, ?, ?, ?, ?)", there)
    _retract(db, before)
    _derive(db, after, {(connection, id_): texts[id_] for id_, (_, now) in moved.items() if now})


def _before(
    db: sqlite3.Connection, connection: int, moved: Mapping[str, Change],
) -> dict[Fact, list[Row]]:
    """The facts that *moved* records were and will be part of, each with its records so far. Those of a fact that nothing else
    tells are known without asking."""
    found: dict[Fact, list[Row]] = {}
    asked: set[Fact] = set()
    for id_, pair in moved.items():
        alone = own(connection, id_)
        for record in filter(None, pair):
            fact = (record[0], record[2], record[3])
            if record[3] != alone:
                asked.add(fact)
            else:
                found.setdefault(fact, [])
                if record is pair[0]:
                    found[fact].append((record[1], connection, id_, record[4]))
    return found | standing(db, asked)


@contextmanager
def rederive(db: sqlite3.Connection, contacts: Iterable[int]) -> Iterator[None]:
    """The facts of *contacts* are taken back before the block and derived again after it."""
    wanted = orjson.dumps(list(contacts)).decode()
    query = "select distinct type, contact, same from records where contact in (select value from json_each(?))"
    _retract(db, standing(db, db.execute(query, (wanted,)).fetchall()))
    yield
    _derive(db, standing(db, db.execute(query, (wanted,)).fetchall()))


def _hash(fact: Fact) -> int:
    return hash_of("fact", str(fact[0]), str(fact[1]), fact[2])


def _retract(db: sqlite3.Connection, facts: Mapping[Fact, Sequence[Row]]) -> None:
    """Take the event of each fact back that has records."""
    rows = [(fact[0], min(records)[0], _hash(fact)) for fact, records in facts.items() if records]
    archive.take_back(db, sorted(rows))


def _derive(db: sqlite3.Connection, facts: Mapping[Fact, Sequence[Row]], known: Mapping[Told, Apart] = NOTHING) -> None:
    """The earliest record of each fact is its event, unless it is of a time that is no longer kept. *known*: texts that
    need not be taken from the record's own."""
    rows, floors = [], archive.floors(db)
    for fact, records in facts.items():
        at, connection, source, text = min(records, default=(0, 0, "", ""))
        if records and at >= floors.get(fact[0], at):
            told = (connection, source)
            rows.append(((fact[0], at, _hash(fact)), fact[1], told, known.get(told) or apart(orjson.loads(text))))
    insert(db, "replace", rows)
