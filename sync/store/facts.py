"""Events become facts: named, joined to a contact, counted once.

A plain event is one row of `events`. A record that can change at its source, or that several connections report under one
id (`same:`), is kept whole in `records`; `events` then holds the winner of each fact, the earliest record of one contact
with one id. Events about nobody we know wait in `strays`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

from connectors.base import Event, EventName, Json
from sync.model import canonical_email
from sync.store.store import hash_of

Fact = tuple[int, int, str]                         # type, contact, same


@dataclass(frozen=True, slots=True)
class Naming:
    """How one connection's native events are called here.

    *names*: native → neutral name and properties; *prefix*: what every other name gets (the connection's own name);
    *same*: neutral name → the property that says two records are one fact; *ignored*: neutral names another connection tells.
    """

    prefix: str
    names: Mapping[str, EventName]
    same: Mapping[str, str] = field(default_factory=dict)
    ignored: frozenset[str] = frozenset()

    def name(self, native: str) -> str:
        known = self.names.get(native)
        return known.name if known else f"{self.prefix}.{native}"

    def properties(self, native: str, raw: Mapping[str, Json]) -> dict[str, Json]:
        """The platform's own properties, and the neutral ones beside them; absent ones stay absent."""
        known = self.names.get(native)
        if known is None:
            return dict(raw)
        found = {neutral: at_path(raw, path) for neutral, path in known.properties.items()}
        moved = {path for neutral, path in known.properties.items() if path in raw}
        kept = {key: value for key, value in raw.items() if key not in moved}
        return kept | {neutral: value for neutral, value in found.items() if value is not None}


def at_path(record: Mapping[str, Json], path: str) -> Json:
    """The value under a dotted *path* (a key that holds dots counts whole first), or None."""
    if path in record:
        return record[path]
    head, dot, rest = path.partition(".")
    inner = record.get(head) if dot else None
    return at_path(inner, rest) if isinstance(inner, dict) else None


@dataclass(slots=True)
class Written:
    """Counts of one page: facts *new*, known before (*repeated*), waiting for a contact (*strays*)."""

    new: int = 0
    repeated: int = 0
    strays: int = 0


def write_events(db: sqlite3.Connection, connection: int, events: Sequence[Event], naming: Naming) -> Written:
    """Take *events* of one page in."""
    written = Written()
    owners = _owners(db, connection, events)
    types = _types(db, {naming.name(e.native) for e in events})
    plain = []
    for event in events:
        name = naming.name(event.native)
        if name in naming.ignored:
            continue
        contact = owners(event)
        if contact is None:
            written.strays += 1
            _stray(db, connection, event)
        elif event.mutable or event.removed or name in naming.same:
            changed = _write_record(db, connection, event, types[name], contact, naming)
            written.new, written.repeated = written.new + changed, written.repeated + (not changed)
        else:
            properties = orjson.dumps(naming.properties(event.native, event.properties)).decode()
            plain.append((types[name], event.at, hash_of(str(connection), event.id), contact, properties))
    before = db.total_changes
    db.executemany("insert or ignore into events values (?, ?, ?, ?, ?)", plain)
    fresh = db.total_changes - before
    written.new, written.repeated = written.new + fresh, written.repeated + len(plain) - fresh
    return written


def join_strays(
    db: sqlite3.Connection, connection: int, profiles: Iterable[str], addresses: Iterable[str], namings: Mapping[int, Naming],
) -> int:
    """Events that waited for one of these *profiles* of *connection*, or *addresses* of any, are taken in; how many."""
    if db.execute("select 1 from strays limit 1").fetchone() is None:
        return 0
    rows = db.execute(
        "select connection, source, event from strays where connection = ?1 and profile in (select value from json_each(?2)) "
        "union select connection, source, event from strays where address in (select value from json_each(?3))",
        (connection, orjson.dumps(list(profiles)).decode(), orjson.dumps(list(addresses)).decode()),
    ).fetchall()
    for number, source, event in rows:
        if number in namings:
            db.execute("delete from strays where connection = ? and source = ?", (number, source))
            write_events(db, number, [Event(**orjson.loads(event))], namings[number])
    return len(rows)


def _owners(db: sqlite3.Connection, connection: int, events: Sequence[Event]) -> Any:
    """A function event → contact or None, from two queries for the whole page."""
    ids = orjson.dumps(list({e.profile for e in events if e.profile})).decode()
    profiles = dict(db.execute(
        "select id, contact from profiles where connection = ? and id in (select value from json_each(?))", (connection, ids),
    ))
    spelled = {e.email: canonical_email(e.email) for e in events if e.email}
    addresses = dict(db.execute(
        "select address, contact from addresses where address in (select value from json_each(?))",
        (orjson.dumps(list({a for a in spelled.values() if a})).decode(),),
    ))

    def owner(event: Event) -> int | None:
        found = profiles.get(event.profile) if event.profile else None
        if found is None and event.email:
            found = addresses.get(spelled[event.email])
        return found

    return owner


def _types(db: sqlite3.Connection, names: Iterable[str]) -> dict[str, int]:
    db.executemany("insert into event_types (name) values (?) on conflict do nothing", [(name,) for name in sorted(names)])
    return {
        name: number for name in names
        for (number,) in db.execute("select id from event_types where name = ?", (name,))
    }


def _stray(db: sqlite3.Connection, connection: int, event: Event) -> None:
    record = {name: getattr(event, name) for name in Event.__slots__}
    db.execute(
        "insert or replace into strays values (?, ?, ?, ?, ?)",
        (connection, event.id, event.profile, canonical_email(event.email), orjson.dumps(record).decode()),
    )


# --- records and the facts derived from them ------------------------------------------------------------------------------


def _write_record(
    db: sqlite3.Connection, connection: int, event: Event, kind: int, contact: int, naming: Naming,
) -> bool:
    """Replace the record of this source id; whether anything changed."""
    properties = naming.properties(event.native, event.properties)
    said = properties.get(naming.same.get(naming.name(event.native), ""))
    same = f"={said}" if said not in (None, "") else f"{connection}:{event.id}"
    row = None if event.removed else (kind, event.at, contact, same, orjson.dumps(properties).decode())
    known = db.execute(
        "select type, at, contact, same, properties from records where connection = ? and source = ?", (connection, event.id),
    ).fetchone()
    if known == row:
        return False
    touched = {(r[0], r[2], r[3]) for r in (known, row) if r}
    _retract(db, touched)
    db.execute("delete from records where connection = ? and source = ?", (connection, event.id))
    if row:
        db.execute("insert into records values (?, ?, ?, ?, ?, ?, ?)", (connection, event.id, *row))
    _derive(db, touched)
    return True


@contextmanager
def rederive(db: sqlite3.Connection, contacts: Iterable[int]) -> Iterator[None]:
    """The facts of *contacts* are taken back before the block and derived again after it."""
    wanted = orjson.dumps(list(contacts)).decode()
    query = "select distinct type, contact, same from records where contact in (select value from json_each(?))"
    _retract(db, db.execute(query, (wanted,)).fetchall())
    yield
    _derive(db, db.execute(query, (wanted,)).fetchall())


def _winner(db: sqlite3.Connection, fact: Fact) -> tuple[int, str] | None:
    found: tuple[int, str] | None = db.execute(
        "select at, properties from records where type = ? and contact = ? and same = ? order by at, connection, source limit 1",
        fact,
    ).fetchone()
    return found


def _hash(fact: Fact) -> int:
    return hash_of("fact", str(fact[0]), str(fact[1]), fact[2])


def _retract(db: sqlite3.Connection, facts: Iterable[Fact]) -> None:
    for fact in facts:
        if winner := _winner(db, fact):
            db.execute("delete from events where type = ? and at = ? and hash = ?", (fact[0], winner[0], _hash(fact)))


def _derive(db: sqlite3.Connection, facts: Iterable[Fact]) -> None:
    for fact in facts:
        if winner := _winner(db, fact):
            row = (fact[0], winner[0], _hash(fact), fact[1], winner[1])
            db.execute("insert or replace into events values (?, ?, ?, ?, ?)", row)
