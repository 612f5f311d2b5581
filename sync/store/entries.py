"""Who entered and who left each segment, and when: an append-only log, written in the transaction that changes the membership.

The newest moves are rows; when they are many they become a pack, and many packs a larger one.

A change is dated by the evaluation that found it. A *baseline* (the first evaluation of a segment, an edited rule, a segment
that was out of the config, data that was not all there, a restored store) tells who is in a segment, not when they came: what
it changes is recorded, but has no time that may be relied on. So it counts in no window: nobody "entered within 7 days"
because a rule was edited or a back-fill ended. History begins when we first saw the contact.

Contacts that were merged are given as the one they went into: its history is that of both. A merge itself is no change.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from connectors.base import Millis
from sync.model import StoreError
from sync.store.store import Store

Ids = npt.NDArray[np.int32]
Times = npt.NDArray[np.int64]
Flags = npt.NDArray[np.uint8]
Truths = npt.NDArray[np.bool_]
Row = tuple[str, int, int, Millis, int, int]        # of the table `moves`

ENTERED, BASELINE = 1, 2                            # bits of a flag
WAITING = 1024                                      # so many moves become a pack; fewer wait as rows
FOLD = 64                                           # packs of one level that become one of the next
_ROW = 4 + 8 + 1                                    # bytes of one change in an unpacked pack
_PRIME = 2**31 - 1
_NUMBER, _CONTACT, _AT, _FLAGS = 433_494_437, 911_382_323, 972_663_749, 1_000_000_007   # of `_digest`, in 0013, too: below 2**30


@dataclass(frozen=True, slots=True)
class Changes:
    """Three arrays of one length, by time: who, when (milliseconds UTC), and whether they entered (True) or left."""

    contacts: Ids
    at: Times
    entered: Truths


@dataclass(frozen=True, slots=True)
class Merged:
    """Contacts that were merged away, ascending, and the one each went into."""

    absorbed: Ids
    survivors: Ids

    def resolve(self, contacts: Ids) -> Ids:
        """*contacts* with those that were merged away replaced; order and length stay."""
        if not len(self.absorbed) or not len(contacts):
            return contacts
        place = np.searchsorted(self.absorbed, contacts).clip(max=len(self.absorbed) - 1)
        found: Ids = np.where(self.absorbed[place] == contacts, self.survivors[place], contacts).astype(np.int32)
        return found

    def among(self, members: Ids) -> Ids:
        """*members*, ascending, with those that were merged away replaced: ascending, each once."""
        if not len(self.absorbed) or not len(members):
            return members
        place = np.searchsorted(members, self.absorbed).clip(max=len(members) - 1)
        return np.unique(self.resolve(members)) if (members[place] == self.absorbed).any() else members


# --- writing ----------------------------------------------------------------------------------------------------------------


def merged(db: sqlite3.Connection) -> Merged:
    """All merges so far; ask once for many segments."""
    rows = db.execute("select id, merged_into from contacts where merged_into is not null order by id").fetchall()
    pairs = np.array(rows, np.int32).reshape(-1, 2)
    return Merged(np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1]))


def difference(before: Ids, after: Ids) -> tuple[Ids, Ids]:
    """(who came, who went) between two memberships; contact ids in any order, with or without repeats; theirs are ascending,
    each once."""
    size = max(int(before.max(initial=-1)), int(after.max(initial=-1))) + 1
    was, is_now = np.zeros(size, bool), np.zeros(size, bool)
    was[before], is_now[after] = True, True
    return np.flatnonzero(is_now & ~was).astype(np.int32), np.flatnonzero(was & ~is_now).astype(np.int32)


def merges(db: sqlite3.Connection) -> int:
    """How many contacts were merged away; none ever comes back."""
    (count,) = db.execute("select count(*) from contacts where merged_into is not null").fetchone()
    return int(count)


def record(db: sqlite3.Connection, segment: str, came: Ids, went: Ids, at: Millis, *, baseline: bool) -> None:
    """Note that at *at* contacts *came* into and *went* out of *segment*. *baseline*: since when is not known."""
    if not len(came) and not len(went):
        return
    (waiting,) = db.execute("select coalesce(max(number), 0) from moves where segment = ?", (segment,)).fetchone()
    if waiting + len(came) + len(went) < WAITING:
        add(db, rows(segment, waiting, came, went, at, baseline=baseline))
        return
    contacts = np.concatenate([came, went]).astype(np.int32)
    flags = np.repeat(np.array([ENTERED, 0], np.uint8), [len(came), len(went)]) | np.uint8(BASELINE * baseline)
    _pack(db, segment, contacts, np.full(len(contacts), at, np.int64), flags)


def rows(segment: str, waiting: int, came: Ids, went: Ids, at: Millis, *, baseline: bool) -> list[Row]:
    """What `record` notes where so many are *waiting* that no pack is made of them: rows to be added."""
    kept = BASELINE * baseline
    moves = [*((contact, ENTERED | kept) for contact in came.tolist()), *((contact, kept) for contact in went.tolist())]
    return [(segment, n, contact, at, flags, int(_digest(n, contact, at, flags))) for n, (contact, flags) in enumerate(moves, waiting + 1)]


def _digest(number: Any, contact: Any, at: Any, flags: Any) -> Any:
    """What a row of `moves` keeps of itself, of ints or of arrays; it fits into 64 bits on the way. Whatever single bit of the row
    changes, the digest is another one, since no power of two is divided by a prime."""
    return (number * _NUMBER + contact * _CONTACT + at % _PRIME * _AT + flags * _FLAGS) % _PRIME


def add(db: sqlite3.Connection, moves: Iterable[Row]) -> None:
    db.executemany("insert into moves values (?, ?, ?, ?, ?, ?)", moves)


def close(db: sqlite3.Connection, segment: str) -> int:
    """Put what waits into a pack, and packs into larger ones; the number of the last. Nothing before it is asked for by `since`."""
    if db.execute("select 1 from moves where segment = ? limit 1", (segment,)).fetchone():
        _pack(db, segment, *_joined([]))
    level = 0
    while _fold(db, segment, level):
        level += 1
    (last,) = db.execute("select coalesce(max(id), 0) from entries where segment = ?", (segment,)).fetchone()
    return int(last)


def _pack(db: sqlite3.Connection, segment: str, *more: npt.NDArray[Any]) -> None:
    """What waits, and *more* (contacts, times, flags), becomes a pack."""
    columns = [_waiting(db, segment), more]
    db.execute("delete from moves where segment = ?", (segment,))
    contacts, at, flags = (np.concatenate(column) for column in zip(*columns, strict=True))
    _append(db, segment, 0, contacts, at, flags)


def rename(db: sqlite3.Connection, old: str, new: str) -> None:
    """The history of *old* is that of *new* from here on."""
    for table in ("entries", "moves"):
        db.execute(f"update {table} set segment = ? where segment = ?", (new, old))  # noqa: S608 - our own names


def forget(db: sqlite3.Connection, segment: str) -> None:
    for table in ("entries", "moves"):
        db.execute(f"delete from {table} where segment = ?", (segment,))  # noqa: S608 - our own names


def _append(
    db: sqlite3.Connection, segment: str, level: int, contacts: Ids, at: Times, flags: Flags, number: int | None = None,
) -> None:
    timed = at[(flags & BASELINE) == 0]
    newest = int(timed.max()) if len(timed) else None
    db.execute(
        "insert into entries values (?, ?, ?, ?, ?, ?)", (number, segment, level, len(contacts), newest, _packed(contacts, at, flags)),
    )


def _fold(db: sqlite3.Connection, segment: str, level: int) -> bool:
    """Put the packs of a full level into one of the next; whether it was full."""
    (count,) = db.execute("select count(*) from entries where segment = ? and level = ?", (segment, level)).fetchone()
    if count < FOLD:
        return False
    packs = db.execute("select id, rows, body from entries where segment = ? and level = ? order by id", (segment, level)).fetchall()
    columns = [_unpacked(segment, rows, body) for _, rows, body in packs]
    db.execute("delete from entries where segment = ? and level = ?", (segment, level))
    contacts, at, flags = (np.concatenate(column) for column in zip(*columns, strict=True))
    _append(db, segment, level + 1, contacts, at, flags, packs[-1][0])
    return True


def _packed(contacts: Ids, at: Times, flags: Flags) -> bytes:
    columns = (np.diff(contacts.astype("<i4"), prepend=np.int32(0)), np.diff(at.astype("<i8"), prepend=np.int64(0)), flags)
    return zlib.compress(b"".join(column.tobytes() for column in columns), 1)


def _unpacked(segment: str, rows: int, body: bytes) -> tuple[Ids, Times, Flags]:
    """Raises StoreError when the pack is not what was written (zlib keeps a checksum)."""
    try:
        held = zlib.decompress(body)
    except zlib.error:
        held = b""
    if len(held) != rows * _ROW:
        raise _damaged(segment)
    contacts = np.cumsum(np.frombuffer(held, "<i4", rows), dtype=np.int32)
    at = np.cumsum(np.frombuffer(held, "<i8", rows, rows * 4), dtype=np.int64)
    return contacts, at, np.frombuffer(held, np.uint8, rows, rows * 12)


def _damaged(segment: str) -> StoreError:
    return StoreError(f"the history of segment {segment!r} in the store is damaged; put back a copy of the store")


# --- reading ----------------------------------------------------------------------------------------------------------------


def changes(store: Store, segment: str, since: Millis = 0) -> Changes:
    """Who entered and left *segment* after *since* (that instant not taken in), by time; baselines are left out. StoreError
    when the record is damaged."""
    with store.reading() as db:
        rows = db.execute("select rows, body from entries where segment = ? and newest > ? order by id", (segment, since)).fetchall()
        contacts, at, flags = _joined([*(_unpacked(segment, *row) for row in rows), _waiting(db, segment)])
        merges = merged(db)
    wanted = ((flags & BASELINE) == 0) & (at > since)
    contacts, at, entered = merges.resolve(contacts[wanted]), at[wanted], (flags[wanted] & ENTERED) == ENTERED
    order = np.argsort(at, kind="stable")
    return Changes(contacts[order], at[order], entered[order])


def since(db: sqlite3.Connection, segment: str, pack: int) -> tuple[Ids, Truths]:
    """Who moved after *pack*, in order, as they were called then, and whether they entered (True) or left; baselines are moves too."""
    rows = db.execute("select rows, body from entries where segment = ? and id > ? order by id", (segment, pack)).fetchall()
    contacts, _, flags = _joined([*(_unpacked(segment, *row) for row in rows), _waiting(db, segment)])
    return contacts, (flags & ENTERED) == ENTERED


def packed_since(db: sqlite3.Connection, segment: str, pack: int) -> int:
    """How many moves the packs after *pack* hold."""
    (count,) = db.execute("select coalesce(sum(rows), 0) from entries where segment = ? and id > ?", (segment, pack)).fetchone()
    return int(count)


def _waiting(db: sqlite3.Connection, segment: str) -> tuple[Ids, Times, Flags]:
    """Raises StoreError when a row is not what was written, or one before the last is not there."""
    rows = db.execute("select number, contact, at, flags, digest from moves where segment = ? order by number", (segment,)).fetchall()
    try:
        number, contact, at, flags, digest = np.array(rows, np.int64).reshape(-1, 5).T
    except (TypeError, ValueError):                 # what was a number is none
        raise _damaged(segment) from None
    if not np.array_equal(number, np.arange(1, len(rows) + 1)) or not np.array_equal(digest, _digest(number, contact, at, flags)):
        raise _damaged(segment)
    return contact.astype(np.int32), at.copy(), flags.astype(np.uint8)


def last_entered(store: Store, segment: str, *, since: Millis = 0) -> tuple[Ids, Times]:
    """Contacts that ever entered *segment* after *since*, ascending, and when each last did; they may have left again. Who is
    in it by a baseline alone is not among them."""
    return _last(changes(store, segment, since), entered=True)


def last_left(store: Store, segment: str, *, since: Millis = 0) -> tuple[Ids, Times]:
    """Contacts that ever left *segment* after *since*, ascending, and when each last did; they may be back."""
    return _last(changes(store, segment, since), entered=False)


def _last(found: Changes, *, entered: bool) -> tuple[Ids, Times]:
    meant = found.entered == entered
    contacts, at = found.contacts[meant][::-1], found.at[meant][::-1]
    unique, first = np.unique(contacts, return_index=True)      # of the reversed: the newest
    return unique, at[first]


def _joined(packs: Iterable[tuple[Ids, Times, Flags]]) -> tuple[Ids, Times, Flags]:
    columns = list(packs)
    if not columns:
        return np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0, np.uint8)
    contacts, at, flags = zip(*columns, strict=True)
    return np.concatenate(contacts), np.concatenate(at), np.concatenate(flags)
