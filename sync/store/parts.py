"""Records of their own that profiles hold in an array among their fields: deals of contacts.

A contact holds the parts of all its profiles on a connection, those that merged into another one among them, in order of their
ids and each once. The array stands in `profiles.fields`, where everybody who reads a field finds it; this table is what it is
made of, so that a profile that is written anew gets it back. A profile without parts has no such field.

A record's event has the source id `field:id:profile`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from typing import Any, TypeAlias

import orjson

from connectors.base import Event, Millis, Part, ProfileId
from sync.store import border, pasts
from sync.store.naming import Naming

Held: TypeAlias = tuple[str, str]                   # field, id of the record
Owners: TypeAlias = dict[Held, dict[str, str]]      # → profile → JSON text of the record


def write(
    db: sqlite3.Connection, connection: int, parts: Sequence[Part], naming: Naming, now: Millis, sweep: int,
) -> list[Event]:
    """Take the *parts* of one page in, the last word on each counting; the events that they are now, one for each profile, and
    void ones for profiles that had them before. Events that the config gives no name are none. *sweep*: number of the running
    sweep, marks them as seen."""
    if not parts:
        return []
    newest = {(part.field, border.text(part.id)): part for part in parts if part.id}
    before = _owners(db, connection, newest)
    after = {held: _told(part) for held, part in newest.items()}
    moved = [held for held in newest if before.get(held, {}) != after[held]]
    db.executemany(
        "delete from parts where connection = ? and field = ? and id = ?", [(connection, *held) for held in moved if held in before],
    )
    db.executemany("insert into parts values (?, ?, ?, ?, ?, ?)", sorted(
        (connection, *held, profile, text, sweep) for held in moved for profile, text in after[held].items()
    ))
    db.executemany(
        "update parts set swept = ? where connection = ? and field = ? and id = ?", [(sweep, connection, *held) for held in newest],
    )
    touched = {profile for held in moved for profile in (*before.get(held, ()), *after[held])}
    contacts = _contacts(db, connection, touched)
    show(db, contacts, {(connection, held[0]) for held in moved})
    pasts.note(db, contacts, (), now)
    return [
        event for held, part in newest.items() if part.fact and part.fact.native in naming.names
        for event in _events(held, part.fact, after[held], before.get(held, ()))
    ]


def unseen(db: sqlite3.Connection, connection: int, field: str, naming: Naming, sweep: int) -> list[Part]:
    """The records of the array *field* that the complete sweep number *sweep* did not show, as being no more."""
    natives = [native for native in naming.names if native.startswith(f"{field}.")]
    fact = Event("", natives[0], 0, {}, None, None, True, True) if natives else None
    rows = db.execute("select distinct id from parts where connection = ? and field = ? and swept < ?", (connection, field, sweep))
    return [Part(field, id_, (), None, fact) for (id_,) in rows.fetchall()]


def known(db: sqlite3.Connection, connection: int, field: str) -> int:
    """How many records stand in arrays *field*."""
    (count,) = db.execute("select count(distinct id) from parts where connection = ? and field = ?", (connection, field)).fetchone()
    return int(count)


def _told(part: Part) -> dict[str, str]:
    """Profile → the record's JSON text; of none once it is no more."""
    profiles = [border.text(str(profile)) for profile in part.profiles if profile]
    return {} if part.value is None else dict.fromkeys(profiles, border.json_text(part.value))


def _events(held: Held, fact: Event, now: Collection[str], before: Collection[str]) -> Iterator[Event]:
    """*fact* about each profile that has the record; void for those that had it."""
    own = ":".join(held)
    for profile in now:
        yield fact._replace(id=f"{own}:{profile}", profile=ProfileId(profile))
    for profile in sorted(set(before) - set(now)):
        yield fact._replace(id=f"{own}:{profile}", profile=ProfileId(profile), removed=True)


def _owners(db: sqlite3.Connection, connection: int, wanted: Collection[Held]) -> Owners:
    """Who has the *wanted* records so far; those that nobody has are absent."""
    found: Owners = {}
    for field in {field for field, _ in wanted}:
        ids = orjson.dumps([id_ for each, id_ in wanted if each == field]).decode()
        for id_, profile, value in db.execute(
            "select id, profile, value from parts where connection = ? and field = ? and id in (select value from json_each(?))",
            (connection, field, ids),
        ):
            found.setdefault((field, id_), {})[profile] = value
    return found


def _contacts(db: sqlite3.Connection, connection: int, profiles: Collection[str]) -> set[int]:
    rows = db.execute(
        "select distinct contact from profiles where connection = ? and id in (select value from json_each(?))",
        (connection, orjson.dumps(sorted(profiles)).decode()),
    )
    return {contact for (contact,) in rows}


# --- among the fields -----------------------------------------------------------------------------------------------------


def show(db: sqlite3.Connection, contacts: Collection[int], emptied: Collection[tuple[int, str]] = ()) -> None:
    """Put the arrays of *contacts* among the fields of their profiles. *emptied*: connection and field of arrays that may have
    lost their last part."""
    wanted = orjson.dumps(sorted(contacts)).decode()
    db.executemany(
        "update profiles set fields = json_remove(fields, ?) where connection = ? and contact in (select value from json_each(?))",
        [(_place(field), connection, wanted) for connection, field in emptied],
    )
    if not contacts or db.execute("select 1 from parts limit 1").fetchone() is None:
        return
    rows = db.execute(
        "select distinct p.contact, t.connection, t.field, length(t.id), t.id, t.value from profiles p "
        "join parts t on t.connection = p.connection and t.profile = p.id "
        "where p.contact in (select value from json_each(?)) order by 1, 2, 3, 4, 5", (wanted,),
    ).fetchall()
    db.executemany(
        "update profiles set fields = json_set(fields, ?, json(?)) where connection = ? and contact = ?",
        [(_place(field), _array(held), connection, contact) for (contact, connection, field), held in groupby(rows, lambda r: r[:3])],
    )


def _place(field: str) -> str:
    return f'$."{field}"'


def _array(rows: Iterator[Any]) -> str:
    return "[" + ",".join({id_: value for *_, id_, value in rows}.values()) + "]"
