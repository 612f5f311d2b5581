"""What fields of contacts held before: kept for those fields alone that a rule asks about, in the transaction that writes profiles.

A value is dated by its profile's own time of change where the platform tells a possible one, else by when we saw it; but never
before we first saw the contact. The first value of a contact, and one that comes with a profile that was not known before, is
a first sight: it starts or continues the history, and is no change. Kept is what the widest window needs, and one value more.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from connectors.base import Millis
from sync.store.fields import FieldSource, values
from sync.store.store import Store

Row = tuple[int, int, Millis, str | None, int]      # of pasts
Last = tuple[Millis, str | None, int]               # at, value, changed


@dataclass(frozen=True, slots=True)
class Wanted:
    """A field whose history rules ask for. *reach*: how far back they look; None: for ever."""

    sources: tuple[FieldSource, ...]
    reach: Millis | None


@dataclass(frozen=True, slots=True)
class Kept:
    """A field whose history is kept, *since* when."""

    id: int
    path: str
    sources: tuple[FieldSource, ...]
    since: Millis
    reach: Millis | None


def kept(db: sqlite3.Connection) -> list[Kept]:
    """Every field whose history is kept."""
    rows = db.execute("select id, path, sources, since, reach from kept_fields order by id").fetchall()
    return [Kept(number, path, _sources(text), since, reach) for number, path, text, since, reach in rows]


def agree(store: Store, wanted: Mapping[str, Wanted], now: Millis) -> None:
    """Keep the history of the fields *wanted*, by their paths as rules write them, and of no others. One that is looked for
    elsewhere than before starts anew: its values changed for everybody, and for nobody."""
    known = {each.path: each for each in kept(store.db)}
    if wanted == {path: Wanted(each.sources, each.reach) for path, each in known.items()}:
        return
    with store.transaction() as db:
        for path, each in known.items():
            if path not in wanted or wanted[path].sources != each.sources:
                db.execute("delete from pasts where field = ?", (each.id,))
                db.execute("delete from kept_fields where id = ?", (each.id,))
            else:
                db.execute("update kept_fields set reach = ? where id = ?", (wanted[path].reach, each.id))
        for path, want in wanted.items():
            if path not in known or known[path].sources != want.sources:
                _begin(db, path, want, now)


def _begin(db: sqlite3.Connection, path: str, want: Wanted, now: Millis) -> None:
    text = orjson.dumps([[s.connection, s.path, s.neutral, s.country] for s in want.sources]).decode()
    number = db.execute(
        "insert into kept_fields (path, sources, since, reach) values (?, ?, ?, ?)", (path, text, now, want.reach),
    ).lastrowid
    known_since = dict(db.execute("select id, known_since from contacts"))
    db.executemany("insert into pasts values (?, ?, ?, ?, 0)", [
        (number, contact, _dated(updated, known_since[contact] - 1, now), value)
        for contact, (value, updated) in sorted(values(db, want.sources).items())
    ])


def _sources(text: str) -> tuple[FieldSource, ...]:
    return tuple(FieldSource(connection, tuple(path), *beside) for connection, path, *beside in orjson.loads(text))


def _dated(updated: Millis | None, before: Millis, now: Millis) -> Millis:
    """When a value came: at *updated*, unless that is not told or lies ahead; but later than *before*."""
    if updated is None or updated > now:
        return now
    return min(now, max(updated, before + 1))


# --- noting what is new ---------------------------------------------------------------------------------------------------------


def note(db: sqlite3.Connection, contacts: Collection[int], fresh: Collection[int], now: Millis) -> None:
    """After profiles of *contacts* were written: keep the values that are not what they were. For *fresh* ones, whose values may
    come from a profile that was not known before, that is no change."""
    for field in kept(db) if contacts else ():
        holds = values(db, field.sources, contacts)
        last = _last(db, field.id, contacts)
        rows: list[Row] = []
        for contact in sorted(contacts):
            value, updated = holds.get(contact, (None, None))
            if (last[contact][1] if contact in last else None) != value:
                rows += _rows(db, field, contact, last.get(contact), value, updated, now, first=contact in fresh)
        db.executemany("insert or replace into pasts values (?, ?, ?, ?, ?)", rows)
        _prune(db, field, {row[1] for row in rows}, now)


def _last(db: sqlite3.Connection, field: int, contacts: Collection[int]) -> dict[int, Last]:
    rows = db.execute(
        "select contact, max(at), value, changed from pasts where field = ? and contact in (select value from json_each(?)) "
        "group by contact", (field, orjson.dumps(sorted(contacts)).decode()),
    )
    return {contact: (at, value, changed) for contact, at, value, changed in rows}


def _rows(
    db: sqlite3.Connection, field: Kept, contact: int, last: Last | None, value: str | None, updated: Millis | None, now: Millis, *,
    first: bool,
) -> Iterator[Row]:
    """The row of a new value; before it, where nothing was kept so far and it is a change, the row of having held nothing."""
    if last is None:
        (known_since,) = db.execute("select known_since from contacts where id = ?", (contact,)).fetchone()
        if first:
            yield field.id, contact, _dated(updated, known_since - 1, now), value, 0
            return
        last = (max(known_since, field.since), None, 0)
        yield field.id, contact, *last
    at = _dated(updated, last[0], now) if updated is None or updated > last[0] else now    # else it is no time of this change
    yield field.id, contact, at, value, int(not first) if at > last[0] else last[2]


def _prune(db: sqlite3.Connection, field: Kept, contacts: Collection[int], now: Millis) -> None:
    """Of what lies before the widest window only the newest value is needed."""
    if field.reach is not None:
        db.executemany(
            "delete from pasts where field = ?1 and contact = ?2 and at < "
            "(select max(at) from pasts where field = ?1 and contact = ?2 and at <= ?3)",
            [(field.id, contact, now - field.reach) for contact in contacts],
        )


# --- contacts that merge -----------------------------------------------------------------------------------------------------------


def merge(db: sqlite3.Connection, into: Mapping[int, int], now: Millis) -> None:
    """After profiles moved from contacts to those *into* names: of their histories the one that tells the value which holds now
    goes on, the survivor's own first; a merge is no change."""
    for field in kept(db) if into else ():
        contacts = {*into, *into.values()}
        last, holds = _last(db, field.id, contacts), values(db, field.sources, set(into.values()))
        for survivor in sorted(set(into.values())):
            parts = [survivor, *sorted(absorbed for absorbed, to in into.items() if to == survivor)]
            told = [part for part in parts if part in last]
            value = holds.get(survivor, (None, None))[0]
            speaks = next((part for part in told if last[part][1] == value), next(iter(told), survivor))
            db.executemany(
                "delete from pasts where field = ? and contact = ?", [(field.id, part) for part in parts if part != speaks],
            )
            db.execute("update pasts set contact = ? where field = ? and contact = ?", (survivor, field.id, speaks))
    note(db, set(into.values()), set(into.values()), now)


# --- reading ----------------------------------------------------------------------------------------------------------------------


_ALL = "select contact, at, value, changed from pasts where field = ? order by contact, at"
_SOME = (
    "select k.key, p.at, p.value, p.changed from json_each(?2) k cross join pasts p on p.field = ?1 and p.contact = k.value "
    "order by k.key, p.at"
)


def histories(
    db: sqlite3.Connection, path: str, alive: npt.NDArray[np.bool_], known_since: npt.NDArray[np.int64], some: str = "",
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64], list[str | None], npt.NDArray[np.bool_]]:
    """The history of a field as columns, by contact, then by time: contact, when, what, and whether it is a change. Contacts *alive*
    without one held nothing since they, or the field, was first seen. All empty for a field that is not kept. *some*: a JSON list of
    contacts, ascending; then of these alone, and their places in it are the numbers that are given and that the arrays go by."""
    field = next((each for each in kept(db) if each.path == path), None)
    if field is None:
        return np.zeros(0, np.int32), np.zeros(0, np.int64), [], np.zeros(0, bool)
    rows = (db.execute(_SOME, (field.id, some)) if some else db.execute(_ALL, (field.id,))).fetchall()
    told = np.fromiter((row[0] for row in rows), np.int32, len(rows))
    bare = alive.copy()
    bare[told] = False
    silent = np.flatnonzero(bare).astype(np.int32)
    contacts = np.concatenate([told, silent])
    at = np.concatenate([np.fromiter((row[1] for row in rows), np.int64, len(rows)), np.maximum(known_since[silent], field.since)])
    what: npt.NDArray[Any] = np.array([*(row[2] for row in rows), *[None] * len(silent)], object)
    changed = np.concatenate([np.fromiter((bool(row[3]) for row in rows), bool, len(rows)), np.zeros(len(silent), bool)])
    order = np.argsort(contacts, kind="stable")
    return contacts[order], at[order], what[order].tolist(), changed[order]


def reaches(db: sqlite3.Connection) -> dict[str, Millis]:
    """Since when the history of each field is kept, by its path."""
    return {each.path: each.since for each in kept(db)}


__all__: Sequence[str] = ("Kept", "Wanted", "agree", "histories", "kept", "merge", "note", "reaches")
