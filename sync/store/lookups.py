"""What a page of events has to know before it is written, each one query for the whole page.

A list handed to SQLite as JSON is joined outwards from its elements: `in (select …)` would first sort them into a table of its own,
for half as much again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import chain

import orjson

from sync.model import canonical_email
from sync.store.columns import joined, split

Fact = tuple[int, int, str]                         # type, contact, same
Record = tuple[int, int, int, str, str]             # type, at, contact, same, properties
Row = tuple[int, int, str, str]                     # of a fact's records, the earliest first: at, connection, source, properties

AT_ONCE = 64                                        # facts of one statement


def owners(
    db: sqlite3.Connection, connection: int, profiles: Sequence[str | None], emails: Sequence[str | None],
) -> list[int | None]:
    """The contact of each event or None: by the platform's id first, then by address."""
    by_id = _by_profile(db, connection, filter(None, set(profiles)))
    by_address = _by_address(db, filter(None, set(emails)))
    if not by_address:
        return list(map(by_id.get, profiles))
    if not by_id:
        return list(map(by_address.get, emails))
    return [
        found if (found := by_id.get(profile)) is not None else by_address.get(email)
        for profile, email in zip(profiles, emails, strict=True)
    ]


def _by_profile(db: sqlite3.Connection, connection: int, profiles: Iterable[str]) -> dict[str | None, int]:
    ids = sorted(profiles)
    found = _contacts(db, "profiles p on p.connection = ?2 and p.id = j.value", ids, connection)
    return {ids[number]: contact for number, contact in found}


def _by_address(db: sqlite3.Connection, spelled: Iterable[str]) -> dict[str | None, int]:
    """By the addresses as the events spell them."""
    pairs = sorted((address, text) for text in spelled if (address := canonical_email(text)))
    found = _contacts(db, "addresses p on p.address = j.value", [address for address, _ in pairs])
    return {pairs[number][1]: contact for number, contact in found}


def _contacts(db: sqlite3.Connection, those: str, texts: Sequence[str], *more: int) -> Iterable[tuple[int, int]]:
    """Number in *texts* and contact of each that is there. One row of two lists, since a row a contact takes as long as to find it."""
    if not texts:
        return ()
    numbers, contacts = db.execute(
        f"select json_group_array(j.key), json_group_array(p.contact) from json_each(?1) j cross join {those}",  # noqa: S608 - our own
        (orjson.dumps(texts).decode(), *more),
    ).fetchone()
    return zip(orjson.loads(numbers), orjson.loads(contacts), strict=True)


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
    )
    return {source: (kind, at, contact, same, joined(split(held))) for source, kind, at, contact, same, held in rows}


def _any_between(db: sqlite3.Connection, connection: int, first: str, last: str) -> bool:
    """Streams of plain events name theirs in ways of their own, so most pages hold none: told by one step in the key. Python
    sorts texts by code point, as SQLite does their bytes."""
    return db.execute(
        "select 1 from records where connection = ? and source between ? and ? limit 1", (connection, first, last),
    ).fetchone() is not None


def standing(db: sqlite3.Connection, facts: Iterable[Fact]) -> dict[Fact, list[Row]]:
    """Those of *facts* that have records, with these."""
    asked = sorted(facts)
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
