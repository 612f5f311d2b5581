"""Events become facts: named, joined to a contact, counted once.

A plain event is one row of `events`. A record that can change at its source, or that several connections report under one
id (`same:`), is kept whole in `records`; `events` then holds the winner of each fact, the earliest record of one contact
with one id. Events about nobody we know wait in `strays`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from operator import itemgetter, not_
from typing import cast

import orjson

from connectors.base import Event, Json, Millis
from sync.model import canonical_email
from sync.store import archive, border, lookups, records
from sync.store.border import Columns
from sync.store.columns import Apart, Key, Names, Row, insert, joined
from sync.store.lookups import Record
from sync.store.naming import Naming, Reader
from sync.store.owners import Owners
from sync.store.shapes import Shapes
from sync.store.store import hash_of, hashes_of

_KEY = itemgetter(0, 1, 2)                          # of a row


@dataclass(slots=True)
class Written:
    """Counts of one page: facts *new*, known before (*repeated*), waiting for a contact (*strays*), impossible (*refused*)."""

    new: int = 0
    repeated: int = 0
    strays: int = 0
    refused: int = 0


def write_events(
    db: sqlite3.Connection, connection: int, events: Sequence[Event], naming: Naming, owners: Owners | None = None,
) -> Written:
    """Take *events* of one page in. *owners*: whose events are whose by the pages before."""
    fit, columns = border.events(events)
    if not fit:
        return Written(refused=len(events))
    page = _Page(db, connection, naming, fit, columns)
    page.take(owners or Owners())
    page.finish()
    page.written.refused = len(events) - len(fit)
    return page.written


@dataclass(frozen=True, slots=True)
class _Kind:
    """What one native name means. *same* reads what says that two records are one fact."""

    type: int
    same: Reader | None
    ignored: bool


def _said(kinds: Sequence[_Kind], properties: Sequence[Mapping[str, Json]]) -> list[Json]:
    """What says that an event is one fact with others, of each."""
    if len(set(map(id, kinds))) == 1 and kinds[0].same:
        return list(map(kinds[0].same, properties))
    return [kind.same and kind.same(raw) for kind, raw in zip(kinds, properties, strict=True)]


class _Page:
    """One page's look-ups, kept current while it is written. Plain events go in together, at the end."""

    def __init__(
        self, db: sqlite3.Connection, connection: int, naming: Naming, events: Sequence[Event], columns: Columns,
    ) -> None:
        self.db, self.connection, self.naming, self.events = db, connection, naming, events
        self.ids, self.natives, self.times, self.properties, self.profiles, self.emails, self.mutable, self.removed = columns
        names = {native: naming.name(native) for native in set(self.natives)}
        types = lookups.types(db, set(names.values()))
        self.kinds = {
            native: _Kind(types[name], naming.reader(native, naming.same.get(name, "")), name in naming.ignored)
            for native, name in names.items()
        }
        self.floors = archive.floors(db)
        self.records = lookups.records(db, connection, self.ids)
        self.before: dict[str, Record | None] = {}                      # of records that this page changes: as they were
        self.plainly = lookups.plainly(db, connection)                  # types of which there may be plain events
        self.strays = db.execute("select 1 from strays limit 1").fetchone() is not None
        self.shapes = Shapes(naming)
        self.texts: dict[str, Apart] = {}                               # of those records as they are now
        self.names: list[Names] = []                                    # of plain events
        self.plain: list[Row] = []
        self.void: list[Key] = []
        self.written = Written()

    def take(self, owners: Owners) -> None:
        contacts = owners.of(self.db, self.connection, self.profiles, self.emails)
        told = self._told_as_records()
        self._take_records(*self._columns(self._heard(told), contacts))
        plain = list(map(not_, told))
        if self.floors or None in contacts:
            plain = [
                each and self._joins(event, contact) for each, event, contact in zip(plain, self.events, contacts, strict=True)
            ]
        _, *columns = self._columns(plain, contacts)
        self._take_plain(*columns)

    def _columns(self, which: Sequence[bool], contacts: Sequence[int | None]) -> Columns:
        """Of the events *which* are meant: themselves, ids, natives, times, properties, contacts."""
        columns: Columns = (self.events, self.ids, self.natives, self.times, self.properties, contacts)
        return columns if all(which) else tuple([list(compress(column, which)) for column in columns])

    def finish(self) -> None:
        archive.take_back(self.db, sorted(self.void))
        records.replace(self.db, self.connection, self.before, self.records, self.texts)
        if sealed := archive.known(self.db, map(_KEY, self.plain)):
            fresh = [_KEY(row) not in sealed for row in self.plain]
            self._keep(list(compress(self.names, fresh)), list(compress(self.plain, fresh)))
        new = insert(self.db, "ignore", self.names, self.plain)
        self.written.new, self.written.repeated = self.written.new + new, self.written.repeated + len(self.plain) - new

    def _told_as_records(self) -> list[bool]:
        """Of each event, whether it is a record's or ignored; all that share an id with one are."""
        apart = {native for native, kind in self.kinds.items() if kind.same or kind.ignored}
        if not (apart or self.records or any(self.mutable) or any(self.removed)):
            return [False] * len(self.events)
        told = [
            mutable or removed or native in apart
            for mutable, removed, native in zip(self.mutable, self.removed, self.natives, strict=True)
        ]
        if all(told):
            return told
        known = self.records.keys() | set(compress(self.ids, told))
        return [id_ in known for id_ in self.ids] if known else told

    # --- plain events

    def _joins(self, event: Event, contact: int | None) -> bool:
        """Whether a plain event is about somebody we know, and of a time that is kept; if not, it waits or was known once."""
        kind = self.kinds[event.native].type
        if event.at < self.floors.get(kind, event.at):
            self.written.repeated += 1
            return False
        if contact is None:
            self._wait(event)
        return contact is not None

    def _take_plain(
        self, ids: Sequence[str], natives: Sequence[str], times: Sequence[Millis], properties: Sequence[Mapping[str, Json]],
        contacts: Sequence[int],
    ) -> None:
        """Facts that nothing changes. Of several with one key the first counts."""
        types, connection = {native: kind.type for native, kind in self.kinds.items()}, self.connection
        lookups.told_plainly(self.db, connection, {types[native] for native in set(natives)} - self.plainly)
        kinds, hashes = [types[native] for native in natives], hashes_of(str(connection), ids)
        texts = self.shapes.all_apart(natives, properties)
        self.names = [names for names, _ in texts]
        self.plain = [
            (kind, at, hash_, contact, connection, id_, *held)
            for kind, at, hash_, contact, id_, (_, held) in zip(kinds, times, hashes, contacts, ids, texts, strict=True)
        ]
        if len(set(hashes)) < len(hashes):
            first = dict(zip(map(_KEY, reversed(self.plain)), range(len(hashes) - 1, -1, -1), strict=True)).values()
            self._keep([self.names[place] for place in first], [self.plain[place] for place in first])

    def _keep(self, names: list[Names], rows: list[Row]) -> None:
        """The other plain events are in already."""
        self.written.repeated += len(self.plain) - len(rows)
        self.names, self.plain = names, rows

    # --- records

    def _heard(self, told: Sequence[bool]) -> Sequence[bool]:
        """Those that are *told* as records, without what another connection tells."""
        ignored = {native for native, kind in self.kinds.items() if kind.ignored}
        return [each and native not in ignored for each, native in zip(told, self.natives, strict=True)] if ignored else told

    def _take_records(
        self, events: Sequence[Event], ids: Sequence[str], natives: Sequence[str], times: Sequence[Millis],
        properties: Sequence[Mapping[str, Json]], contacts: Sequence[int | None],
    ) -> None:
        """The newest word on each source id counts."""
        if not events:
            return
        texts = self.shapes.all_apart(natives, properties)
        kinds = list(map(self.kinds.__getitem__, natives))
        sames = records.sames_of(self.connection, ids, _said(kinds, properties))
        told = list(zip([kind.type for kind in kinds], times, contacts, sames, joined(texts), strict=True))
        if self._simple(ids, contacts):
            self._take_simple(ids, cast("list[Record]", told), texts)
            return
        for event, contact, record, held in zip(events, contacts, told, texts, strict=True):
            self._take_record(event, cast("Record", record), contact is not None, held)

    def _simple(self, ids: Sequence[str], contacts: Sequence[int | None]) -> bool:
        """Whether each event is all that is said of its id, and a record of somebody we know: the usual case."""
        return not (any(self.removed) or None in contacts or len(set(ids)) < len(ids))

    def _take_simple(self, ids: Sequence[str], told: Sequence[Record], texts: Sequence[Apart]) -> None:
        """All that the page says of records, at once: what `_take_record` would gather from each."""
        if self.strays:
            self.db.execute(
                "delete from strays where connection = ? and source in (select value from json_each(?))",
                (self.connection, orjson.dumps(ids).decode()),
            )
        known = self.records
        moved = [known.get(id_) != record for id_, record in zip(ids, told, strict=True)] if known else [True] * len(ids)
        fresh = list(compress(ids, moved))
        self.before = {id_: known.get(id_) for id_ in fresh}
        self.void = [
            (kind, at, hash_of(str(self.connection), id_)) for id_, (kind, at, *_) in zip(ids, told, strict=True)
            if kind in self.plainly and id_ not in known
        ] if self.plainly else []
        known.update(zip(fresh, compress(told, moved), strict=True))
        self.texts = dict(zip(fresh, compress(texts, moved), strict=True))
        self.written.new += len(fresh)
        self.written.repeated += len(ids) - len(fresh)

    def _take_record(self, event: Event, record: Record, known_person: bool, texts: Apart) -> None:
        """The newest word counts also when it says that it is void or somebody's whom we do not know yet."""
        id_, known = event.id, self.records.get(event.id)
        if known is None and record[0] in self.plainly:     # it may have come as a plain event before it was void, or before `same:`
            self.void.append((record[0], event.at, hash_of(str(self.connection), id_)))
        if self.strays:
            self.db.execute("delete from strays where connection = ? and source = ?", (self.connection, id_))
        if event.removed or not known_person:
            self._no_record(event, known)
            return
        if record == known:
            self.written.repeated += 1
            return
        self.before.setdefault(id_, known)
        self.records[id_] = record
        self.texts[id_] = texts
        self.written.new += 1

    def _no_record(self, event: Event, known: Record | None) -> None:
        """It is void, or somebody's whom we do not know yet."""
        if known is not None:
            self.before.setdefault(event.id, known)
            del self.records[event.id]
        if not event.removed:
            self._wait(event)
        elif known is None:
            self.written.repeated += 1
        else:
            self.written.new += 1

    def _wait(self, event: Event) -> None:
        self.written.strays += 1
        self.strays = True
        _stray(self.db, self.connection, event)


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
    record = event._asdict()
    db.execute(
        "insert or replace into strays values (?, ?, ?, ?, ?)",
        (connection, event.id, event.profile, canonical_email(event.email), border.json_text(record)),
    )
