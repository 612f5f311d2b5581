"""The end of a segment, and its going on under another name: what the store holds of it, moved or let go."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from sync.store import segments
from sync.store.store import Store


@dataclass(frozen=True, slots=True)
class Left:
    """A target that a segment has in the store: members there, those that are *ours*, and *letters* that wait or were given up."""

    number: int
    key: str
    members: int
    ours: int
    letters: int
    applied: bool


def known(store: Store) -> set[str]:
    """Names of all segments of which the store holds anything."""
    evaluated = {name for (name,) in store.rows("select name from segments")}
    return evaluated | {key.partition("/")[0] for (key,) in store.rows("select key from targets where key not like '@%'")}


def left(db: sqlite3.Connection, name: str) -> list[Left]:
    """The targets of segment *name*, by key."""
    rows = db.execute(
        "select id, key, (select count(*) from members where target = t.id), (select count(*) from owned where target = t.id), "
        "(select count(*) from outbox where target = t.id), applied is not null from targets t "
        "where substr(key, 1, length(?1) + 1) = ?1 || '/' order by key", (name,),
    )
    return [Left(number, key, members, ours, letters, bool(applied)) for number, key, members, ours, letters, applied in rows]


def retire(db: sqlite3.Connection, name: str) -> None:
    """Forget segment *name*: its membership, its record, its targets and what is ours there. No platform is told anything: whoever is
    on a target stays, and belongs to whoever looks after it there."""
    for target in left(db, name):
        for table in ("members", "owned", "confirmed", "outbox", "doubts"):
            db.execute(f"delete from {table} where target = ?", (target.number,))  # noqa: S608 - our own names
        db.execute("delete from targets where id = ?", (target.number,))
    segments.forget(db, name)


def rename(db: sqlite3.Connection, old: str, new: str) -> None:
    """What the store holds of *old* is *new*'s from here on: membership, record, targets with all that is ours there. What it held
    of *new* goes."""
    retire(db, new)
    db.executemany("update targets set key = ? where id = ?", [
        (new + target.key.removeprefix(old), target.number) for target in left(db, old)
    ])
    segments.rename(db, old, new)
