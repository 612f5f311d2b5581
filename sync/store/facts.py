"""Events become facts: named, joined to a contact, counted once.

A plain event is one row of `events`. A record that can change at its source, or that several connections report under one
id (`same:`), is kept whole in `records`; `events` then holds the winner of each fact, the earliest record of one contact
with one id. Events about nobody we know wait in `strays`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

from connectors.base import Event, EventName, Json
from sync.model import canonical_email
from sync.store import archive, border
from sync.store.columns import Apart, Key, Told, apart, insert
from sync.store.store import hash_of

Fact = tuple[int, int, str]                         # type, contact, same
Record = tuple[int, int, int, str, str]             # type, at, contact, same, properties
Row = tuple[int, int, str, str]                     # of a fact's records, the earliest first: at, connection, source, properties


@dataclass(frozen=True, slots=True)
class Moves:
    """How one native event's properties become neutral ones: (neutral, path, whether it may nest); names that are *taken*."""

    paths: tuple[tuple[str, str, bool], ...]
    taken: frozenset[str]

    @staticmethod
    def of(known: EventName) -> Moves:
        paths = tuple((neutral, path, "." in path) for neutral, path in known.properties.items())
        return Moves(paths, frozenset(known.properties) | frozenset(known.properties.values()))


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
    _moves: dict[str, Moves] = field(default_factory=dict, init=False, repr=False, compare=False)

    def name(self, native: str) -> str:
        known = self.names.get(native)
        return known.name if known else f"{self.prefix}.{native}"

    def properties(self, native: str, raw: Mapping[str, Json]) -> dict[str, Json]:
        """The platform's own properties, and the neutral ones beside them; absent ones stay absent. A neutral name means the
        property it was given and no other: one that merely happens to be called so is left out."""
        known = self.names.get(native)
        if known is None:
            return dict(raw)
        moves = self._moves.get(native) or self._moves.setdefault(native, Moves.of(known))
        taken = moves.taken
        kept = {key: value for key, value in raw.items() if key not in taken}
        for neutral, path, dotted in moves.paths:
            value = raw.get(path)
            if value is None and dotted:
                value = at_path(raw, path)
            if value is not None and border.is_number_at_all(value):
                kept[neutral] = value
        return kept


def at_path(record: Mapping[str, Json], path: str) -> Json:
    """The value under a dotted *path* (a key that holds dots counts whole first), or None."""
    if path in record:
        return record[path]
    head, dot, rest = path.partition(".")
    inner = record.get(head) if dot else None
    return at_path(inner, rest) if isinstance(inner, dict) else None


@dataclass(slots=True)
class Written:
    """Counts of one page: facts *new*, known before (*repeated*), waiting for a contact (*strays*), impossible (*refused*)."""

    new: int = 0
    repeated: int = 0
    strays: int = 0
    refused: int = 0


def write_events(db: sqlite3.Connection, connection: int, events: Sequence[Event], naming: Naming) -> Written:
    """Take *events* of one page in."""
    fit = [event for event in map(border.event, events) if event is not None]
    page = _Page(db, connection, naming, fit)
    for event in fit:
        page.take(event)
    page.finish()
    page.written.refused = len(events) - len(fit)
    return page.written


class _Page:
    """One page's look-ups, kept current while it is written. Plain events go in together, at the end."""

    def __init__(self, db: sqlite3.Connection, connection: int, naming: Naming, events: Sequence[Event]) -> None:
        self.db, self.connection, self.naming = db, connection, naming
        self.prefix = str(connection)
        self.owner = _owners(db, connection, events)
        self.names = {native: naming.name(native) for native in {e.native for e in events}}
        self.types = _types(db, set(self.names.values()))
        self.records = _records(db, connection, events)
        self.before: dict[str, Record | None] = {}                      # of records that this page changes: as they were
        self.strays = db.execute("select 1 from strays limit 1").fetchone() is not None
        self.plain: dict[Key, tuple[int, Told, Apart]] = {}
        self.void: list[Key] = []
        self.written = Written()

    def take(self, event: Event) -> None:
        name = self.names[event.native]
        if name in self.naming.ignored:
            return
        contact = self.owner(event)
        if event.mutable or event.removed or name in self.naming.same or event.id in self.records:
            self._take_record(event, name, contact)
        elif contact is None:
            self._wait(event)
        else:
            key = (self.types[name], event.at, hash_of(self.prefix, event.id))
            if key in self.plain:
                self.written.repeated += 1
            else:
                texts = apart(self.naming.properties(event.native, event.properties))
                self.plain[key] = (contact, (self.connection, event.id), texts)

    def finish(self) -> None:
        archive.take_back(self.db, self.void)
        _replace_records(self.db, self.connection, {id_: (was, self.records.get(id_)) for id_, was in self.before.items()})
        before = self.db.total_changes
        sealed = archive.known(self.db, self.plain)
        self.written.repeated += len(sealed)
        rows = [(key, *rest) for key, rest in self.plain.items() if key not in sealed]
        insert(self.db, "ignore", rows)
        fresh = self.db.total_changes - before
        self.written.new, self.written.repeated = self.written.new + fresh, self.written.repeated + len(rows) - fresh

    def _take_record(self, event: Event, name: str, contact: int | None) -> None:
        """The newest word on this source id counts, also when it says that it is void or somebody's whom we do not know yet."""
        self._forget_plain(event)
        row = None if event.removed or contact is None else self._record(event, name, contact)
        known = self.records.get(event.id)
        if changed := known != row:
            self.before.setdefault(event.id, known)
        if row:
            self.records[event.id] = row
        else:
            self.records.pop(event.id, None)
        if contact is None and not event.removed:
            self._wait(event)
        else:
            self.written.new, self.written.repeated = self.written.new + changed, self.written.repeated + (not changed)

    def _record(self, event: Event, name: str, contact: int) -> Record:
        properties = self.naming.properties(event.native, event.properties)
        said = _id_text(properties.get(self.naming.same.get(name, "")))
        same = f"={said}" if said else f"{self.connection}:{event.id}"
        return (self.types[name], event.at, contact, same, border.json_text(properties))

    def _forget_plain(self, event: Event) -> None:
        """It may have come as a plain event before it was void, or before the config said `same:`; or as a stray."""
        if event.id not in self.records:
            key = self._key(event)
            self.plain.pop(key, None)
            self.void.append(key)
        if self.strays:
            self.db.execute("delete from strays where connection = ? and source = ?", (self.connection, event.id))

    def _wait(self, event: Event) -> None:
        self.written.strays += 1
        self.strays = True
        _stray(self.db, self.connection, event)

    def _key(self, event: Event) -> Key:
        return (self.types[self.names[event.native]], event.at, hash_of(self.prefix, event.id))


def _id_text(said: Json) -> str:
    """How two platforms spell one id: 1001, 1001.0 and " 1001" are one; "" for what is none."""
    if isinstance(said, bool) or not isinstance(said, str | int | float):
        return ""
    return border.text(str(int(said) if isinstance(said, float) and said.is_integer() else said).strip())


# --- strays -----------------------------------------------------------------------------------------------------------------


def join_strays(
    db: sqlite3.Connection, connection: int, profiles: Iterable[str], addresses: Iterable[str], namings: Mapping[int, Naming],
) -> int:
    """Events that waited for one of these *profiles* of *connection*, or *addresses* of any, are taken in; how many."""
    if db.execute("select 1 from strays limit 1").fetchone() is None:
        return 0
    return _join(db, namings, db.execute(
        "select connection, source, event from strays where connection = ?1 and profile in (select value from json_each(?2)) "
        "union select connection, source, event from strays where address in (select value from json_each(?3))",
        (connection, orjson.dumps(list(profiles)).decode(), orjson.dumps(list(addresses)).decode()),
    ).fetchall())


def join_known_strays(db: sqlite3.Connection, namings: Mapping[int, Naming]) -> int:
    """Take in every stray whose person is known by now: they were met while its connection was not in the config."""
    return _join(db, namings, db.execute(
        "select connection, source, event from strays s where exists "
        "(select 1 from profiles p where p.connection = s.connection and p.id = s.profile) "
        "or exists (select 1 from addresses a where a.address = s.address)",
    ).fetchall())


def _join(db: sqlite3.Connection, namings: Mapping[int, Naming], rows: Iterable[tuple[int, str, str]]) -> int:
    ready = [row for row in rows if row[0] in namings]
    for number, source, event in ready:
        db.execute("delete from strays where connection = ? and source = ?", (number, source))
        write_events(db, number, [Event(**orjson.loads(event))], namings[number])
    return len(ready)


def _stray(db: sqlite3.Connection, connection: int, event: Event) -> None:
    record = {name: getattr(event, name) for name in Event.__slots__}
    db.execute(
        "insert or replace into strays values (?, ?, ?, ?, ?)",
        (connection, event.id, event.profile, canonical_email(event.email), border.json_text(record)),
    )


# --- look-ups, each one query for a whole page ------------------------------------------------------------------------------


def _owners(db: sqlite3.Connection, connection: int, events: Sequence[Event]) -> Callable[[Event], int | None]:
    """A function event → contact or None: by platform id first, then by address."""
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


def _records(db: sqlite3.Connection, connection: int, events: Sequence[Event]) -> dict[str, Record]:
    """Those of *events* that are kept as records already, by source id."""
    ids = orjson.dumps([e.id for e in events]).decode()
    rows: Iterable[tuple[Any, ...]] = db.execute(
        "select source, type, at, contact, same, properties from records where connection = ? "
        "and source in (select value from json_each(?))", (connection, ids),
    )
    return {source: (kind, at, contact, same, properties) for source, kind, at, contact, same, properties in rows}


# --- records and the facts derived from them ------------------------------------------------------------------------------


def _replace_records(
    db: sqlite3.Connection, connection: int, changes: Mapping[str, tuple[Record | None, Record | None]],
) -> None:
    """Source id → its record as it was and as it is from now on (None: there is none)."""
    moved = {id_: pair for id_, pair in changes.items() if pair[0] != pair[1]}
    before = _standing(db, {(record[0], record[2], record[3]) for pair in moved.values() for record in pair if record})
    after = {fact: [row for row in rows if row[1] != connection or row[2] not in moved] for fact, rows in before.items()}
    for id_, (_, now) in moved.items():
        if now:
            after[(now[0], now[2], now[3])].append((now[1], connection, id_, now[4]))
    gone = [(connection, id_) for id_, (_, now) in moved.items() if now is None]
    db.executemany("delete from records where connection = ? and source = ?", gone)
    there = [(connection, id_, *now) for id_, (_, now) in moved.items() if now]
    db.executemany("insert or replace into records values (?, ?, ?, ?, ?, ?, ?)", there)
    _retract(db, before)
    _derive(db, after)


@contextmanager
def rederive(db: sqlite3.Connection, contacts: Iterable[int]) -> Iterator[None]:
    """The facts of *contacts* are taken back before the block and derived again after it."""
    wanted = orjson.dumps(list(contacts)).decode()
    query = "select distinct type, contact, same from records where contact in (select value from json_each(?))"
    _retract(db, _standing(db, db.execute(query, (wanted,)).fetchall()))
    yield
    _derive(db, _standing(db, db.execute(query, (wanted,)).fetchall()))


def _standing(db: sqlite3.Connection, facts: Iterable[Fact]) -> dict[Fact, list[Row]]:
    """Each of *facts* with its records."""
    asked = list(facts)
    rows = db.execute(
        "select f.key, r.at, r.connection, r.source, r.properties from json_each(?) f cross join records r "
        "on r.type = f.value ->> 0 and r.contact = f.value ->> 1 and r.same = f.value ->> 2", (orjson.dumps(asked).decode(),),
    )
    found: dict[Fact, list[Row]] = {fact: [] for fact in asked}
    for number, at, connection, source, properties in rows:
        found[asked[number]].append((at, connection, source, properties))
    return found


def _hash(fact: Fact) -> int:
    return hash_of("fact", str(fact[0]), str(fact[1]), fact[2])


def _retract(db: sqlite3.Connection, facts: Mapping[Fact, Sequence[Row]]) -> None:
    """Take the event of each fact back that has records."""
    rows = [(fact[0], min(records)[0], _hash(fact)) for fact, records in facts.items() if records]
    archive.take_back(db, rows)


def _derive(db: sqlite3.Connection, facts: Mapping[Fact, Sequence[Row]]) -> None:
    """The earliest record of each fact is its event."""
    winners = [(fact, min(records)) for fact, records in facts.items() if records]
    insert(db, "replace", [
        ((fact[0], row[0], _hash(fact)), fact[1], (row[1], row[2]), apart(orjson.loads(row[3]))) for fact, row in winners
    ])
