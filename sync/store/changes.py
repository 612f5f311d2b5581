"""What transactions really changed, for whoever keeps answers true by it.

Temporary triggers write it down in temporary tables, inside the transaction that does it: it is rolled back with it, and no
writer need know of it. Before somebody listens there are no triggers, and commands that do not listen pay nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sync.store import history
from sync.store.columns import COLUMNS
from sync.store.store import Store

EVENT = ("type", "at", "hash", "contact", "properties", *COLUMNS)
_PEOPLE = ("contact", "audience", "state", "mailable", "updated", "fields", "address")
_CONSENT = ("state", "suppressed", "at", "seen")
_WATCHED = (
    "insert into heard_contacts select p.contact from targets t join profiles p on p.connection = t.connection "
    "and p.id = {row}.profile where t.id = {row}.target and t.key like '@%'"
)
_FIRST = "number in (select min(number) from heard_events group by type, at, hash)"
_CONSENTING = "insert into heard_contacts select contact from profiles where connection = {row}.connection and id = {row}.profile"


@dataclass(frozen=True, slots=True)
class Heard:
    """*arrived*, *removed*: event type's number → how many rows of `heard_arrived` and `heard_removed` tell of it. *touched*: contacts
    about whom anything but events changed. *merged*: contact → the one it went into. *lost*: more changed than was written down,
    so that everything is to be read anew. *last*: number of the last change."""

    arrived: Mapping[int, int]
    removed: Mapping[int, int]
    touched: list[int]
    merged: Mapping[int, int]
    lost: bool
    last: int

    def __bool__(self) -> bool:
        return bool(self.arrived or self.removed or self.touched or self.merged or self.lost)


def listen(store: Store) -> None:
    """Write down what changes from here on, until the store is closed."""
    with store.transaction() as db:
        if db.execute("select 1 from sqlite_temp_master where name = 'hearing'").fetchone() is None:
            for statement in _statements():
                db.execute(statement)
    store.db.execute("pragma recursive_triggers = on")      # a row that is replaced is a row that is removed


def _statements() -> Iterator[str]:
    columns = ", ".join(EVENT)
    yield "create temp table hearing (ears integer, lost integer, last integer)"
    yield "insert into hearing values (1, 0, 0)"
    yield f"create temp table heard_events (number integer primary key, gone integer, {columns})"
    yield f"create temp table heard_arrived ({columns}, primary key (type, at, hash)) without rowid"
    yield f"create temp table heard_removed ({columns}, primary key (type, at, hash)) without rowid"
    yield "create temp table heard_contacts (contact integer)"
    yield "create temp table heard_merges (contact integer)"
    yield _on("event_came", "insert on events", "insert into heard_events (gone, type, at, hash) values (0, new.type, new.at, new.hash)")
    gone = ", ".join(f"old.{name}" for name in EVENT)
    yield _on("event_went", "delete on events", f"insert into heard_events (gone, {columns}) values (1, {gone})")  # noqa: S608 - our own
    yield _on("sealed_went", "insert on taken_back",
              "insert into heard_events (gone, type, at, hash) values (2, new.type, new.at, new.hash)")
    yield _on("slice_went", "delete on slices", "update hearing set lost = 1")
    yield _on("contact_came", "insert on contacts", "insert into heard_contacts values (new.id)")
    yield _on("contact_merged", "update of merged_into on contacts", "insert into heard_merges values (new.id)")
    yield from _people()
    yield from _standing("consent", "consents", _CONSENT, _CONSENTING)
    yield from _standing("member", "members", ("since",), _WATCHED)
    yield from _standing("address", "addresses", ("contact",), "insert into heard_contacts values ({row}.contact)")
    yield _on("address_moved", "update of contact on addresses", "insert into heard_contacts values (old.contact)")
    yield from _standing("past", "pasts", ("value", "changed"), "insert into heard_contacts values ({row}.contact)")


def _people() -> Iterator[str]:
    yield _on("profile_came", "insert on profiles", "insert into heard_contacts values (new.contact)")
    yield _on("profile_went", "delete on profiles", "insert into heard_contacts values (old.contact)")
    yield _on("profile_changed", "update on profiles", "insert into heard_contacts values (old.contact), (new.contact)",
              _differs(_PEOPLE))


def _standing(name: str, table: str, columns: tuple[str, ...], then: str) -> Iterator[str]:
    yield _on(f"{name}_came", f"insert on {table}", then.format(row="new"))
    yield _on(f"{name}_went", f"delete on {table}", then.format(row="old"))
    yield _on(f"{name}_changed", f"update on {table}", then.format(row="new"), _differs(columns))


def _on(name: str, what: str, then: str, when: str = "1") -> str:
    kind, _, table = what.rpartition(" ")
    head = f"create temp trigger heard_{name} after {kind} main.{table}"
    return f"{head} when (select ears from hearing) and ({when}) begin {then}; end"  # noqa: S608 - our own words


def _differs(columns: tuple[str, ...]) -> str:
    return " or ".join(f"old.{name} is not new.{name}" for name in columns)


def waiting(store: Store) -> bool:
    """Whether anything was written down since it was last taken."""
    return store.one(
        "select 1 from hearing where lost or exists (select 1 from heard_events) or exists (select 1 from heard_contacts) "
        "or exists (select 1 from heard_merges)",
    ) is not None


@contextmanager
def unheard(db: sqlite3.Connection) -> Iterator[None]:
    """What is done inside changes where events stand, and nothing about them."""
    if db.execute("select 1 from sqlite_temp_master where name = 'hearing'").fetchone() is None:
        yield
        return
    _look_up_what_went(db)                          # once their file is another one, nobody can
    db.execute("update hearing set ears = 0")
    try:
        yield
    finally:
        db.execute("update hearing set ears = 1")


@contextmanager
def taken(db: sqlite3.Connection) -> Iterator[Heard]:
    """What was written down since the last time; inside, `heard_arrived` and `heard_removed` hold the events: those that are there
    and were not, and those that were there, as they were. Afterwards all of it is forgotten."""
    db.execute("update hearing set last = last + (select count(*) from heard_events) + (select count(*) from heard_contacts)")
    lost, last = db.execute("select lost, last from hearing").fetchone()
    _sort_out(db)
    merges = "select c.id, c.merged_into from contacts c join heard_merges m on m.contact = c.id where c.merged_into is not null"
    touched = [contact for (contact,) in db.execute("select distinct contact from heard_contacts order by 1")]
    yield Heard(_counted(db, "heard_arrived"), _counted(db, "heard_removed"), touched, dict(db.execute(merges)), bool(lost), last)
    for table in ("heard_events", "heard_arrived", "heard_removed", "heard_contacts", "heard_merges"):
        db.execute(f"delete from {table}")  # noqa: S608 - our own names
    db.execute("update hearing set lost = 0")


def _look_up_what_went(db: sqlite3.Connection) -> None:
    """Put sealed events that went into `heard_removed`, as they were."""
    went = db.execute(f"select type, at, hash from heard_events where gone = 2 and {_FIRST}").fetchall()  # noqa: S608 - our own names
    _put(db, "heard_removed", history.sealed_events(db, went, EVENT[3:]))
    db.execute("update heard_events set gone = 3 where gone = 2")


def _sort_out(db: sqlite3.Connection) -> None:
    """Per event only what was before the first change and what is there after the last one."""
    columns = ", ".join(EVENT)
    last = "h.number in (select max(number) from heard_events group by type, at, hash)"
    db.execute(f"insert into heard_removed select {columns} from heard_events where gone = 1 and {_FIRST}")  # noqa: S608 - our own names
    _look_up_what_went(db)
    db.execute(
        f"insert into heard_arrived select {', '.join(f'e.{name}' for name in EVENT)} from heard_events h "  # noqa: S608 - our own names
        f"join events e on e.type = h.type and e.at = h.at and e.hash = h.hash where h.gone = 0 and {last}",
    )
    moved = db.execute(                             # came, and was sealed since
        f"select type, at, hash from heard_events h where gone = 0 and {last} except select type, at, hash from heard_arrived",  # noqa: S608
    ).fetchall()
    _put(db, "heard_arrived", history.sealed_events(db, moved, EVENT[3:]))


def _put(db: sqlite3.Connection, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
    db.executemany(f"insert into {table} values ({', '.join('?' * len(EVENT))})", list(rows))  # noqa: S608 - our own names


def _counted(db: sqlite3.Connection, table: str) -> dict[int, int]:
    return dict(db.execute(f"select type, count(*) from {table} group by type"))  # noqa: S608 - our own names
