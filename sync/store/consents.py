"""What everybody consented to, as columns: for whoever asks of all of them at once.

The rows leave SQLite as one text of numbers per connection, words as a code: that takes a third of the time of Python's rows, and a
small part of their memory.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Kind = tuple[str, str, str, int]                    # channel, scope, state, whether suppressed


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
    """All there are."""
    kinds = db.execute("select distinct channel, scope, state, suppressed from consents").fetchall()
    channels, scopes, states = (sorted({kind[place] for kind in kinds}) for place in range(3))
    code = f"(({_coded('channel', channels)} * {len(scopes)} + {_coded('scope', scopes)}) * {len(states)} + {_coded('state', states)}) * 2"
    told = db.execute(
        f"select s.connection, group_concat(p.contact || ' ' || coalesce(s.at, s.seen) || ' ' || ({code} + s.suppressed), ' ') "  # noqa: S608
        "from consents s cross join profiles p on p.connection = s.connection and p.id = s.profile "
        "where p.state != 'gone' group by s.connection", [*channels, *scopes, *states],
    ).fetchall()
    tables = [np.fromstring(text, np.int64, sep=" ").reshape(-1, 3) for _, text in told]
    contacts, at, codes = np.concatenate([np.zeros((0, 3), np.int64), *tables]).T
    connections = np.repeat(np.array([number for number, _ in told], np.int64), [len(table) for table in tables])
    words = [(channel, scope, state, barred) for channel in channels for scope in scopes for state in states for barred in (0, 1)]
    return Consents(contacts, connections, codes, words, at)


def _coded(column: str, words: Sequence[str]) -> str:
    """An SQL expression: the place of what stands in *column* among *words*, which are bound one by one."""
    return f"case s.{column} {' '.join(f'when ? then {place}' for place in range(len(words)))} end" if words else "0"
