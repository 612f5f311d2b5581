"""What everybody consented to, as columns: for whoever asks of all of them at once.

The rows leave SQLite as one text of numbers per connection, their words as a code: that takes less than half the time of Python's rows,
and a small part of their memory. A text holds some forty million rows (SQLITE_MAX_LENGTH).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Kind = tuple[str, str, str, int]                    # channel, scope, state, whether suppressed

_WORDS = "select distinct channel, scope, state, suppressed from consents"     # unsorted: SQLite would sort all rows for it
_CODED = (
    "with words as materialized (select *, row_number() over (order by channel, scope, state, suppressed) - 1 as code "
    "from (select distinct channel, scope, state, suppressed from consents)) "
    "select s.connection, group_concat(p.contact || ' ' || coalesce(s.at, s.seen) || ' ' || w.code, ' ') from consents s "
    "cross join profiles p on p.connection = s.connection and p.id = s.profile "
    "cross join words w on w.channel = s.channel and w.scope = s.scope and w.state = s.state and w.suppressed = s.suppressed "
    "where p.state != 'gone' group by s.connection"
)
_OF_SOME = (
    "select p.contact, c.name, s.channel, s.scope, s.state, s.suppressed, coalesce(s.at, s.seen) from consents s "
    "join profiles p on p.connection = s.connection and p.id = s.profile join connections c on c.id = s.connection "
    "where p.state != 'gone' and p.contact in (select value from json_each(?))"
)


@dataclass(frozen=True, slots=True)
class Consents:
    """One row for each consent of a profile that is not gone, in no order. *connections*: numbers; *kinds*: places in *words*; *at*: when
    it was given, or first seen where the platform does not tell."""

    contacts: npt.NDArray[np.int64]
    connections: npt.NDArray[np.int64]
    kinds: npt.NDArray[np.int64]
    words: Sequence[Kind]
    at: npt.NDArray[np.int64]


def of_everybody(db: sqlite3.Connection) -> Consents:
    """All there are, as of one moment if *db* is in a transaction."""
    told = db.execute(_CODED).fetchall()
    tables = [np.fromstring(text, np.int64, sep=" ").reshape(-1, 3) for _, text in told]
    contacts, at, kinds = np.concatenate([np.zeros((0, 3), np.int64), *tables]).T
    connections = np.repeat(np.array([number for number, _ in told], np.int64), [len(table) for table in tables])
    words = sorted(db.execute(_WORDS).fetchall())       # by code points, as SQLite by bytes
    return Consents(contacts, connections, kinds, words, at)


def of_some(db: sqlite3.Connection, contacts: str) -> list[tuple[Any, ...]]:
    """Those of *contacts*, a JSON list: (contact, connection's name, channel, scope, state, suppressed, at)."""
    return db.execute(_OF_SOME, (contacts,)).fetchall()
