"""Which values of a family have a segment."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection

from sync.store.store import Store


def values(store: Store) -> dict[str, set[str]]:
    """Family → its values that have a segment."""
    found: dict[str, set[str]] = {}
    for family, value in store.rows("select family, value from family_values"):
        found.setdefault(family, set()).add(value)
    return found


def put(db: sqlite3.Connection, family: str, kept: Collection[str]) -> None:
    """From here on *kept* are all of them."""
    db.execute("delete from family_values where family = ?", (family,))
    db.executemany("insert into family_values values (?, ?)", [(family, value) for value in sorted(kept)])


def rename(db: sqlite3.Connection, old: str, new: str) -> None:
    """The values of the family *old* are *new*'s from here on."""
    db.execute("insert or ignore into family_values select ?2, value from family_values where family = ?1", (old, new))
    forget(db, old)


def forget(db: sqlite3.Connection, family: str) -> None:
    db.execute("delete from family_values where family = ?", (family,))
