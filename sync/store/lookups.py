"""What a page of events has to know before it is written, each one query for the whole page.

A list handed to SQLite as JSON is joined outwards from its elements: `in (select …)` would first sort them into a table of its own,
for half as much again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import chain
from operator import itemgetter

import orjson

from sync.store.columns import joined, split

Fact = tuple[int, int, str]                         # type, contact, same
Record = tuple[int, int, int, str, str]             # type, at, contact, same, properties
Row = tuple[int, int, str, str]                     # of a fact's records, the earliest first: at, connection, source, properties

AT_ONCE = 64                                        # facts of one statement


def types(db: sqlite3.Connection, names: Iterable[str]) -> dict[str, int]:
    """The number of each event type, given when it is first named."""
    db.executemany("insert into event_types (name) values (?) on conflict do nothing", [(name,) for name in sorted(names)])
    return {
        name: number for name in names
        for (number,) in db.execute("select id from event_types where name = ?", (name,))
    }


def records(db: sqlite3.Connection, connection: int, ids: Sequence[str]) -> dict[str, Record]:
    """Those of the source ids *ids* that are kept as records already."""
    if not ids or not _any_between(db, connection, min(ids), max(ids)):
        return {}
    rows = db.execute(
        "select r.source, r.type, r.at, r.contact, r.same, r.properties from json_each(?2) j "
        "cross join records r on r.connection = ?1 and r.source = j.value",
        (connection, orjson.dumps(sorted(ids)).decode()),
    ).fetchall()
    texts = joined([split(row[5]) for row in rows])     # also of those that were kept in another form once
    return {source: (kind, at, contact, same, text) for (source, kind, at, contact, same, _), text in zip(rows, texts, strict=True)}


def _any_between(db: sqlite3.Connection, connection: int, first: str, last: str) -> bool:
    """Streams of plain events name theirs in ways of their own, so most pages hold none: told by one step in the key. Python
    sorts texts by code point, as SQLite does their bytes."""
    return db.execute(
        "select 1 from records where connection = ? and source between ? and ? limit 1", (connection, first, last),
    ).fetchone() is not None


def plainly(db: sqlite3.Connection, connection: int) -> set[int]:
    """Types of which *connection* may have told events that are no records."""
    return {kind for (kind,) in db.execute("select type from plainly where connection = ?", (connection,))}


def told_plainly(db: sqlite3.Connection, connection: int, types: Iterable[int]) -> None:
    """*connection* tells events of *types* that are no records."""
    db.executemany("insert or ignore into plainly values (?, ?)", [(connection, kind) for kind in sorted(types)])


def standing(db: sqlite3.Connection, facts: Iterable[Fact]) -> dict[Fact, list[Row]]:
    """Those of *facts* that have records, with these."""
    wanted = list(facts)
    told = _told(db, [same for _, _, same in wanted])
    asked = sorted([fact for fact in wanted if fact[2] in told], key=itemgetter(2)) if told else []
    found: dict[Fact, list[Row]] = {}
    for start in range(0, len(asked), AT_ONCE):
        some = asked[start:start + AT_ONCE]
        rows = db.execute(
            f"with f(type, contact, same) as (values {', '.join(['(?, ?, ?)'] * len(some))}) "  # noqa: S608 - our own names
            "select r.type, r.contact, r.same, r.at, r.connection, r.source, r.properties from f "
            "cross join records r on r.type = f.type and r.contact = f.contact and r.same = f.same",
            tuple(chain.from_iterable(some)),
        )
        for kind, contact, same, *row in rows:
            found.setdefault((kind, contact, same), []).append(tuple(row))
    return found


def _told(db: sqlite3.Connection, sames: Sequence[str]) -> set[str]:
    """Those of *sames* that some record has, whatever its type and contact: most are new, and that costs half to find out."""
    rows = db.execute(
        "select j.value from json_each(?) j where exists (select 1 from records r where r.same = j.value)",
        (orjson.dumps(sorted(sames)).decode(),),
    )
    return {same for (same,) in rows}
