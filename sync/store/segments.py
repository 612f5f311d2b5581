"""Segments: who is in each by its last evaluation that worked.

A membership is kept as what was last written whole, and the moves since, which are the record of who entered and left
(`sync.store.entries`). So what a change of a membership writes is as much as moved, and the whole is written again only when
the moves since have become many beside it.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import orjson

from connectors.base import Millis
from sync.model import StoreError
from sync.store import entries
from sync.store.store import Store, digest_of

Members = npt.NDArray[np.int32]                     # contact ids, ascending
SHARE = 8                                           # the moves since may be one in so many of the members
ANSWERED = (
    "insert into segments (name, rule, evaluated, failure, settled) values (?1, ?2, ?3, null, ?4) "
    "on conflict do update set rule = ?2, evaluated = ?3, failure = null, settled = ?4"
)


@dataclass(frozen=True, slots=True)
class Standing:
    """A segment's last good evaluation. *failure*: why the newest one did not work, or None."""

    name: str
    rule: str
    evaluated: Millis
    members: Members
    failure: str | None


@dataclass(frozen=True, slots=True)
class _Known:
    """What a new evaluation is held against. *merges* and *upto* as in the table `wholes`; so many moves are *waiting* as rows."""

    rule: str
    settled: bool
    merges: int
    upto: int
    waiting: int

    def follows(self, rule: str, settled: bool) -> bool:
        """Whether what moves now has a time that may be relied on."""
        return self.settled and self.rule == rule and settled


@dataclass(frozen=True, slots=True)
class Move:
    """Who *came* into a segment and who *went*, out of a membership that the caller knows to be the one that is kept. *whole*: all
    members, asked for only where it is needed; *settled* as in `write`."""

    name: str
    rule: str
    came: Members
    went: Members
    whole: Callable[[], Members]
    settled: bool


# --- writing ----------------------------------------------------------------------------------------------------------------


def write(
    db: sqlite3.Connection, name: str, rule: str, members: Members, at: Millis, *, settled: bool = True,
    merged: entries.Merged | None = None,
) -> None:
    """*members* are the segment's membership from here on; who entered and left since the one before is recorded.

    *settled*: the data under it is all there; what is recorded while it is not, and the first time that it is, is a baseline, as
    are a first evaluation and an edited rule (`sync.store.entries`). *merged*: `entries.merged(db)`, for many segments.
    """
    known, merges = _known(db, name), merged or entries.merged(db)
    before = merges.resolve(_held(db, name)) if known else members[:0]
    came, went = entries.difference(before, members)
    _put(db, name, rule, came, went, at, settled, known)
    if len(came) or len(went) or known is None:
        _tidy(db, name, known, lambda: members, len(merges.absorbed), full=known is None or known.merges != len(merges.absorbed))


def move(db: sqlite3.Connection, moves: Sequence[Move], at: Millis, merges: int) -> None:
    """What `write` does, for many segments, from those alone who moved at *at*.

    *merges*: `entries.merges(db)`; after a merge the whole is compared, since a merge is no change.
    """
    known, answered, rows = _all_known(db, [each.name for each in moves]), [], list[entries.Row]()
    for each in moves:
        before = known.get(each.name)
        if before is None or before.merges != merges:
            write(db, each.name, each.rule, each.whole(), at, settled=each.settled)
        elif before.waiting + len(each.came) + len(each.went) < entries.WAITING:
            baseline = not before.follows(each.rule, each.settled)
            rows += entries.rows(each.name, before.waiting, each.came, each.went, at, baseline=baseline)
            answered.append((each.name, each.rule, at, each.settled))
        else:
            _put(db, each.name, each.rule, each.came, each.went, at, each.settled, before)
            _tidy(db, each.name, before, each.whole, merges, full=False)
    entries.add(db, rows)
    db.executemany(ANSWERED, answered)


def _put(
    db: sqlite3.Connection, name: str, rule: str, came: Members, went: Members, at: Millis, settled: bool, known: _Known | None,
) -> None:
    """Record the moves and that the segment was answered."""
    stand(db, name, rule, at, settled=settled)
    entries.record(db, name, came, went, at, baseline=known is None or not known.follows(rule, settled))


def _tidy(
    db: sqlite3.Connection, name: str, known: _Known | None, whole: Callable[[], Members], merges: int, *, full: bool,
) -> None:
    """Write the membership whole if that is due, or *full* asks for it."""
    since = 0 if full or known is None else entries.packed_since(db, name, known.upto)
    if not full and since <= entries.WAITING:
        return
    members = whole()
    if full or since > len(members) // SHARE:
        body = members.astype("<i4").tobytes()
        db.execute(
            "insert or replace into wholes values (?, ?, ?, ?, ?)",
            (name, merges, entries.close(db, name), digest_of(body), zlib.compress(body, 1)),
        )


def stand(db: sqlite3.Connection, name: str, rule: str, at: Millis, *, settled: bool) -> None:
    """At *at* a segment was answered, and its membership is what it was."""
    db.execute(ANSWERED, (name, rule, at, settled))


def fail(db: sqlite3.Connection, name: str, why: str) -> None:
    """A failing segment keeps its last good membership."""
    db.execute(
        "insert into segments (name, rule, evaluated, failure) values (?, '', 0, ?) on conflict do update set failure = excluded.failure",
        (name, why),
    )


def unsettle(db: sqlite3.Connection, evaluated: Collection[str]) -> None:
    """Segments that are not *evaluated* now are not followed: when they are again, that is a baseline."""
    db.execute(
        "update segments set settled = 0 where settled and name not in (select value from json_each(?))",
        (orjson.dumps(list(evaluated)).decode(),),
    )


def rename(db: sqlite3.Connection, old: str, new: str) -> None:
    """What is kept of *old* is *new*'s from here on; whoever wrote *new* before compares it whole the next time."""
    db.execute("update segments set name = ? where name = ?", (new, old))
    db.execute("update wholes set segment = ?, merges = -1 where segment = ?", (new, old))
    entries.rename(db, old, new)


def forget(db: sqlite3.Connection, name: str) -> None:
    db.execute("delete from segments where name = ?", (name,))
    db.execute("delete from wholes where segment = ?", (name,))
    entries.forget(db, name)


# --- of what moment they are ------------------------------------------------------------------------------------------------


def stamp(db: sqlite3.Connection, at: Millis) -> None:
    """All memberships are true at *at*, of the data that is in the store now."""
    db.execute("insert or replace into meta values ('frontier', ?)", (f"{at} {data_digest(db)}",))


def stamped(db: sqlite3.Connection) -> tuple[Millis, bool] | None:
    """When memberships were last true, and whether that was of the data that is in the store now; None where they never were."""
    row = db.execute("select value from meta where key = 'frontier'").fetchone()
    if row is None:
        return None
    at, _, digest = row[0].partition(" ")
    return int(at), digest == data_digest(db)


def data_digest(db: sqlite3.Connection) -> str:
    """Another one after every page that was taken in, every look at a tag or list, and every merge."""
    pulled = db.execute("select connection, stream, cursor, watermark, started, finished, swept, rows from streams order by 1, 2")
    looked = db.execute("select id, viewed from targets where key like '@%' order by 1")
    people = db.execute("select max(id) from contacts")             # none ever goes
    return digest_of(*(repr(rows.fetchall()) for rows in (pulled, looked, people)), str(entries.merges(db)))


# --- reading ----------------------------------------------------------------------------------------------------------------


def standing(store: Store) -> dict[str, Standing]:
    """All that were ever evaluated, merged contacts as those they went into. StoreError when a membership is not what was written."""
    with store.reading() as db:
        rows, merged = db.execute("select name, rule, evaluated, failure from segments order by name").fetchall(), entries.merged(db)
        return {name: Standing(name, rule, at, merged.among(_held(db, name)), failure) for name, rule, at, failure in rows}


def last_members(store: Store, name: str) -> Members | None:
    """Who is in a segment by its last evaluation that worked, merged contacts as those they went into; None when there was none."""
    with store.reading() as db:
        if db.execute("select 1 from segments where name = ? and evaluated > 0", (name,)).fetchone() is None:
            return None
        return entries.merged(db).among(_held(db, name))


def _known(db: sqlite3.Connection, name: str) -> _Known | None:
    return _all_known(db, [name]).get(name)


def _all_known(db: sqlite3.Connection, names: Collection[str]) -> dict[str, _Known]:
    rows = db.execute(
        "select s.name, s.rule, s.settled, coalesce(w.merges, -1), coalesce(w.upto, 0), "
        "(select coalesce(max(number), 0) from moves where segment = s.name) from json_each(?) k "
        "cross join segments s on s.name = k.value left join wholes w on w.segment = s.name", (orjson.dumps(list(names)).decode(),),
    )
    return {name: _Known(rule, bool(settled), *counts) for name, rule, settled, *counts in rows}


def _held(db: sqlite3.Connection, name: str) -> Members:
    """Members as their numbers were when they were written."""
    row = db.execute("select members, digest, upto from wholes where segment = ?", (name,)).fetchone()
    members, upto = (np.zeros(0, np.int32), 0) if row is None else (_checked(name, *row[:2]), row[2])
    contacts, entered = entries.since(db, name, upto)
    if not len(contacts):
        return members
    held = np.zeros(max(int(members.max(initial=-1)), int(contacts.max())) + 1, bool)
    held[members] = True
    held[contacts] = entered                        # of one contact's moves the last counts
    return np.flatnonzero(held).astype(np.int32)


def _checked(name: str, packed: bytes, digest: str) -> Members:
    """StoreError when a membership is not what was written."""
    body = _unpacked(packed)
    if digest_of(body) != digest:
        raise StoreError(f"the membership of segment {name!r} in the store is damaged; put back a copy of the store")
    return np.frombuffer(body, "<i4").astype(np.int32)


def _unpacked(packed: bytes) -> bytes:
    try:
        return zlib.decompress(packed)
    except zlib.error:
        return b"\xff"
