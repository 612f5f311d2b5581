"""Records that can change at their source, and the facts derived from them.

A fact is what all records with one type, contact and `same` tell; its event is the earliest of them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import compress
from operator import itemgetter

import orjson

from connectors.base import Json
from sync.store import archive, border
from sync.store.columns import Apart, insert, split, write_rows
from sync.store.lookups import Fact, Record, Row, standing
from sync.store.store import hashes_of

SHARED = "="                                        # what a `same` begins with that several records may have


def same_text(said: Json) -> str:
    """How two platforms spell one id: 1001, 1001.0 and " 1001" are one; "" for what is none."""
    if isinstance(said, str):
        text = said.strip()
        return text if text.isascii() and text.isprintable() else border.text(text)
    if isinstance(said, bool) or not isinstance(said, int | float) or not border.is_number_at_all(said):
        return ""
    try:
        return str(int(said) if isinstance(said, float) and said.is_integer() else said)
    except ValueError:                              # more digits than Python writes
        return ""


def sames_of(connection: int, sources: Sequence[str], said: Sequence[Json]) -> list[str]:
    """The `same` of each record: one for all that say the same; its own where what it says is no id."""
    texts = _plain_texts(said) or list(map(same_text, said))
    return [SHARED + text if text else f"{connection}:{source}" for source, text in zip(sources, texts, strict=True)]


def _plain_texts(said: Sequence[Json]) -> list[str]:
    """`same_text` of each, where all are harmless texts: the usual case, told at once; else nothing."""
    texts = list(map(str.strip, said)) if set(map(type, said)) == {str} else []
    together = "".join(texts)
    return texts if together.isascii() and together.isprintable() else []


def replace(
    db: sqlite3.Connection, connection: int, before: Mapping[str, Record | None], now: Mapping[str, Record], texts: Mapping[str, Apart],
) -> None:
    """Records by source id, as they were *before* (None: there was none) and those of them that there are *now*. *texts*: of these, as a
    row of events has them."""
    moved = [(id_, was) for id_, was in before.items() if now.get(id_) != was]
    ids = {id_ for id_, _ in moved}
    there = sorted([(connection, id_, *now[id_]) for id_, _ in moved if id_ in now], key=itemgetter(1))
    facts = [(kind, contact, same) for _, _, kind, _, contact, same, _ in there]
    rows = [(at, connection, id_, text) for _, id_, _, at, _, _, text in there]
    standing_before = _before(db, connection, [(id_, was) for id_, was in moved if was], facts)
    left = {fact: [row for row in held if row[1] != connection or row[2] not in ids] for fact, held in standing_before.items()}
    db.executemany("delete from records where connection = ? and source = ?", [(connection, id_) for id_ in ids - now.keys()])
    write_rows(db, "insert or replace into records", there)
    _retract(db, standing_before)
    told, firsts = _firsts(facts, rows, left)
    _derive(db, told, firsts, [
        texts[source] if teller == connection and source in texts else split(text) for _, teller, source, text in firsts
    ])


def _before(
    db: sqlite3.Connection, connection: int, known: Iterable[tuple[str, Record]], facts: Iterable[Fact],
) -> dict[Fact, list[Row]]:
    """*facts* and those of *known* records that had records so far, with these. What nothing else tells is known without asking."""
    found: dict[Fact, list[Row]] = {}
    asked = {fact for fact in facts if fact[2].startswith(SHARED)}
    for id_, (kind, at, contact, same, text) in known:
        if same.startswith(SHARED):
            asked.add((kind, contact, same))
        else:
            found[kind, contact, same] = [(at, connection, id_, text)]
    return found | standing(db, asked)


def _firsts(facts: Sequence[Fact], rows: Sequence[Row], left: Mapping[Fact, Sequence[Row]]) -> tuple[Sequence[Fact], Sequence[Row]]:
    """Each fact that has a record, and the earliest. *rows*: one record of each of *facts*; *left*: others of some."""
    if not left and len(set(facts)) == len(facts):
        return facts, rows
    held = {fact: list(some) for fact, some in left.items() if some}
    for fact, row in zip(facts, rows, strict=True):
        held.setdefault(fact, []).append(row)
    return list(held), list(map(min, held.values()))


@contextmanager
def rederive(db: sqlite3.Connection, contacts: Iterable[int]) -> Iterator[None]:
    """The facts of *contacts* are taken back before the block and derived again after it."""
    wanted = orjson.dumps(list(contacts)).decode()
    query = "select distinct type, contact, same from records where contact in (select value from json_each(?))"
    _retract(db, standing(db, db.execute(query, (wanted,)).fetchall()))
    yield
    facts, rows = _firsts((), (), standing(db, db.execute(query, (wanted,)).fetchall()))
    _derive(db, facts, rows, [split(text) for *_, text in rows])


def _hashes(facts: Iterable[Fact]) -> list[int]:
    """The third column of the key of each fact's event."""
    return hashes_of("fact", [f"{kind}\0{contact}\0{same}" for kind, contact, same in facts])


def _retract(db: sqlite3.Connection, facts: Mapping[Fact, Sequence[Row]]) -> None:
    """Take the event of each fact back that has records."""
    told = [(fact, min(rows)[0]) for fact, rows in facts.items() if rows]
    keys = zip(told, _hashes(fact for fact, _ in told), strict=True)
    archive.take_back(db, sorted((fact[0], at, hash_) for (fact, at), hash_ in keys))


def _derive(db: sqlite3.Connection, facts: Sequence[Fact], rows: Sequence[Row], texts: Sequence[Apart]) -> None:
    """The earliest record of each fact, its one of *rows*, is its event, unless it is of a time that is no longer kept. *texts*: of
    each row, as a row of events has them."""
    if floors := archive.floors(db):
        kept = [row[0] >= floors.get(fact[0], row[0]) for fact, row in zip(facts, rows, strict=True)]
        facts, rows, texts = list(compress(facts, kept)), list(compress(rows, kept)), list(compress(texts, kept))
    insert(db, "replace", [names for names, _ in texts], [
        (kind, at, hash_, contact, teller, source, *held)
        for (kind, contact, _), (at, teller, source, _), hash_, (_, held) in zip(facts, rows, _hashes(facts), texts, strict=True)
    ])
