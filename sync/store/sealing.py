"""Sealing: events that no pull will tell differently any more leave the rows of SQLite for Parquet files.

A file is written beside its name, brought to the disk, renamed, and only then named by the catalogue, in the transaction that
takes its rows away: killed anywhere, the events are rows or sealed, and never both. What a death left over is deleted when the
store is next opened. A file is written again when days become a month, when much came late or was taken back, when a segment
names a property that has no column yet, or when some of its types are no longer kept.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from connectors.base import DAY, Millis
from sync.crash import crash_point
from sync.language.values import Path
from sync.store import archive
from sync.store.changes import unheard
from sync.store.periods import LONG_AGO, Period, month_of, period_of, sealable_until
from sync.store.store import Store
from sync.store.writing import promoted, write

WORTH = 20                                          # a file is written again for a twentieth of its rows
ALWAYS_WORTH = 20_000                               # or for so many

Wanted = Callable[[str], Collection[Path]]          # type's name → properties that segments ask of it
Progress = Callable[[str, int, int], None]          # period, periods done, and in all


def silent(period: str, done: int, of: int) -> None:
    """Nobody looks on."""


@dataclass(slots=True)
class Sealed:
    """What one sealing did: files *written*, *events* that were rows before, events *dropped* because they are kept no longer,
    files *deleted*."""

    written: list[str] = field(default_factory=list)
    events: int = 0
    dropped: int = 0
    deleted: int = 0


def seal(
    store: Store, wanted: Wanted, keep: Mapping[str, Millis], now: Millis,
    progress: Progress = silent, stopping: Callable[[], bool] = lambda: False,
) -> Sealed:
    """Seal what is ready, each period in one transaction. *keep*: how long events of a type are kept; one that is not named, for
    ever. Raises StoreError."""
    store.room()
    done = Sealed()
    with store.transaction() as db:
        done.dropped = let_go(db, keep, now)
    with store.reading() as db:
        periods = due(db, wanted, sealable_until(now))
    for number, period in enumerate(periods):
        if stopping():
            return done
        progress(period.name, number, len(periods))
        _seal(store, period, wanted, done)
    with store.transaction() as db:
        done.deleted = archive.sweep(db, now)
        db.execute("insert or replace into meta values ('sealed', ?)", (str(now),))
    return done


def last(store: Store) -> Millis | None:
    """When a sealing last reached its end."""
    row = store.one("select value from meta where key = 'sealed'")
    return int(row[0]) if row else None


# --- which periods --------------------------------------------------------------------------------------------------------


def due(db: sqlite3.Connection, wanted: Wanted, edge: Millis) -> list[Period]:
    """Periods before *edge* whose file is to be written now, in order of time."""
    held: Counter[Period] = Counter()
    must: set[Period] = set()
    names = dict(db.execute("select id, name from event_types"))
    parts = archive.slices(db)
    for file in archive.files(db):
        mine = [part for part in parts if part.file == file]
        period = period_of(file.start, edge)
        held[period] += file.rows
        if period[:2] != (file.start, file.until) or file.rows != sum(part.rows for part in mine):
            must.add(period)
        if any(promoted(wanted(names[part.type])).keys() - part.columns for part in mine):
            must.add(period)
    waiting = _waiting(db, names, edge)
    must |= {period for period, rows in waiting.items() if rows >= min(ALWAYS_WORTH, max(1, held[period] // WORTH))}
    return sorted(must)


def _waiting(db: sqlite3.Connection, kinds: Collection[int], edge: Millis) -> Counter[Period]:
    """How many rows and notes would go into each period's file."""
    found: Counter[Period] = Counter()
    for name in ("events", "taken_back"):
        for kind in kinds:
            for day, count in db.execute(
                f"select at / {DAY}, count(*) from {name} where type = ? and at < ? group by 1", (kind, edge),  # noqa: S608 - our own
            ):
                found[period_of(day * DAY, edge)] += count
    return found


# --- one period -----------------------------------------------------------------------------------------------------------


def _seal(store: Store, period: Period, wanted: Wanted, done: Sealed) -> None:
    with store.transaction() as db:
        crash_point("seal.before_write")
        sources = [file for file in archive.files(db) if period.start <= file.start < period.until]
        names = dict(db.execute("select id, name from event_types"))
        own = {kind: promoted(wanted(name)) for kind, name in names.items()}
        made = write(db, period, sources, names, own)
        crash_point("seal.before_commit")
        with unheard(db):                           # the same events, elsewhere
            archive.replace(db, period, sources, made.file, made.slices, names)
    crash_point("seal.after_commit")
    done.events += made.fresh
    done.written += [made.file.name] if made.file else []


# --- what is no longer kept -----------------------------------------------------------------------------------------------


def let_go(db: sqlite3.Connection, keep: Mapping[str, Millis], now: Millis) -> int:
    """Events of the types that *keep* names, older than it says and of a month that is over by then, are no more; how many.

    From here on they are not taken in again either, until the config keeps them longer. Their files hold them until they are
    written again, which `due` sees to.
    """
    gone = 0
    for kind, name in db.execute("select id, name from event_types").fetchall():
        floor = month_of(max(LONG_AGO, now - keep[name])).start if name in keep else None
        db.execute("update event_types set floor = ? where id = ?", (floor, kind))
        if floor is not None:
            gone += _let_go(db, kind, floor)
    return gone


def _let_go(db: sqlite3.Connection, kind: int, floor: Millis) -> int:
    gone = db.execute("delete from events where type = ? and at < ?", (kind, floor)).rowcount
    gone -= db.execute("delete from taken_back where type = ? and at < ?", (kind, floor)).rowcount
    (rows,) = db.execute("select coalesce(sum(rows), 0) from slices where type = ? and last < ?", (kind, floor)).fetchone()
    db.execute("delete from slices where type = ? and last < ?", (kind, floor))
    db.execute(
        "delete from records where type = ?1 and at < ?2 and not exists (select 1 from records r where r.type = ?1 "
        "and r.contact = records.contact and r.same = records.same and r.at >= ?2)", (kind, floor),
    )
    return int(gone + rows)
