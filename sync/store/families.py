"""Which values of a family have a segment, and which others had one or were named by a rule."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable

from sync.store.store import Store


def values(store: Store) -> dict[str, set[str]]:
    """Family → its values that have a segment."""
    return _by_family(store.rows("select family, value from family_values where not ended"))


def every(store: Store) -> dict[str, set[str]]:
    """Family → all values of which the store may hold a segment: also those that ended, and those that only a rule named."""
    return _by_family(store.rows("select family, value from family_values"))


def _by_family(rows: Iterable[tuple[str, ...]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for family, value in rows:
        found.setdefault(family, set()).add(value)
    return found


def put(db: sqlite3.Connection, family: str, kept: Collection[str], asked: Collection[str] = ()) -> None:
    """From here on *kept* are all that have a segment of their own; rules name those *asked*. Others that were there have ended."""
    db.execute("update family_values set ended = 1 where family = ?", (family,))
    db.executemany("insert or ignore into family_values values (?, ?, 1)", [(family, value) for value in sorted(asked)])
    db.executemany("insert or replace into family_values values (?, ?, 0)", [(family, value) for value in sorted(kept)])


def rename(db: sqlite3.Connection, old: str, new: str) -> None:
    """The values of the family *old* are *new*'s from here on; those that have ended stay, as their segments do."""
    db.execute("insert or replace into family_values select ?2, value, 0 from family_values where family = ?1 and not ended", (old, new))
    db.execute("delete from family_values where family = ? and not ended", (old,))


def forget(db: sqlite3.Connection, family: str, gone: Collection[str]) -> None:
    """The store holds no segment of *family* for the values *gone* any more."""
    db.executemany("delete from family_values where family = ? and value = ?", [(family, value) for value in sorted(gone)])
