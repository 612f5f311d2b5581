"""Changes approved and not yet confirmed: durable until the platform has answered for each."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from connectors.base import Batch, Millis, Op, ProfileId
from sync.model import ContactId
from sync.store.memberships import doubt_view
from sync.store.store import Store


@dataclass(frozen=True, slots=True)
class Letter:
    """One change on its way. *attempts* made so far; *maybe*: an earlier call may have taken effect."""

    id: int
    target: int
    op: Op
    profile: ProfileId
    contact: ContactId
    email: str | None
    attempts: int
    maybe: bool


@dataclass(frozen=True, slots=True)
class Backlog:
    """Letters of one connection: *ready* now, *next_due* of those that wait, None when none do."""

    ready: int
    next_due: Millis | None


def enqueue(
    db: sqlite3.Connection, target: int, changes: Iterable[tuple[Op, ProfileId, ContactId, str | None]], now: Millis,
) -> int:
    """Approve *changes* of one target; waiting ones that are wanted no more are withdrawn. Where one of those may have left,
    the view is in doubt from here on. How many are new."""
    wanted = {profile: (op, contact, email) for op, profile, contact, email in changes}
    known = db.execute("select profile, op, maybe from outbox where target = ? and state = 'waiting'", (target,)).fetchall()
    stale = [(p, maybe) for p, op, maybe in known if p not in wanted or wanted[p][0].value != op]
    db.executemany("delete from outbox where target = ? and profile = ?", [(target, p) for p, _ in stale])
    if any(maybe for _, maybe in stale):
        doubt_view(db, target)
    before = db.total_changes
    db.executemany(
        "insert into outbox (target, op, profile, contact, email, state, due, made) values (?, ?, ?, ?, ?, 'waiting', ?, ?) "
        "on conflict do update set op = excluded.op, state = 'waiting', attempts = 0, due = excluded.due, reason = null, "
        "made = excluded.made where outbox.op != excluded.op or outbox.state = 'dead'",
        [(target, op.value, profile, contact, email, now, now) for profile, (op, contact, email) in wanted.items()],
    )
    return db.total_changes - before


def recover(db: sqlite3.Connection) -> int:
    """After a start: what was being sent when we ended may have arrived. How many."""
    return db.execute("update outbox set state = 'waiting', maybe = 1 where state = 'sending'").rowcount


def withdraw(db: sqlite3.Connection, target: int) -> int:
    """Take back everything of a target that has not left; how many."""
    return db.execute("delete from outbox where target = ? and state = 'waiting' and not maybe", (target,)).rowcount


def backlog(store: Store, connection: int, now: Millis, leave_out: Sequence[int]) -> Backlog:
    rows = store.rows(
        "select o.target, o.due from outbox o join targets t on t.id = o.target where t.connection = ? and o.state = 'waiting'",
        connection,
    )
    dues = [due for target, due in rows if target not in leave_out]
    later = [due for due in dues if due > now]
    return Backlog(len(dues) - len(later), min(later, default=None))


def claim(
    db: sqlite3.Connection, connection: int, limits: Batch, now: Millis, leave_out: Sequence[int],
) -> list[Letter]:
    """The next batch of one target, marked as being sent: due letters, oldest target first, within the platform's *limits*
    and those it refused before. Empty when nothing is due."""
    found = db.execute(
        "select o.target, max(o.piece) from outbox o join targets t on t.id = o.target where t.connection = ? "
        "and o.state = 'waiting' and o.due <= ? group by o.target order by min(o.id)", (connection, now),
    ).fetchall()
    piece = {target: size for target, size in found if target not in leave_out}
    if not piece:
        return []
    target = next(iter(piece))
    adds = _due(db, target, Op.ADD, now, _at_most(limits.adds, piece[target]))
    removes = _due(db, target, Op.REMOVE, now, _at_most(limits.removes, piece[target]))
    if limits.shared:
        removes = removes[: max(0, limits.adds - len(adds))]
    batch = adds + removes if limits.together else adds or removes
    if piece[target]:
        batch = batch[: piece[target]]
    ids = [(letter.id,) for letter in batch]
    db.executemany("update outbox set state = 'sending', attempts = attempts + 1 where id = ?", ids)
    return batch


def _at_most(limit: int, piece: int) -> int:
    return min(limit, piece) if piece else limit


def _due(db: sqlite3.Connection, target: int, op: Op, now: Millis, most: int) -> list[Letter]:
    rows = db.execute(
        "select id, target, op, profile, contact, email, attempts, maybe from outbox where state = 'waiting' and target = ? "
        "and op = ? and due <= ? order by piece desc, id limit ?", (target, op.value, now, most),
    )
    return [Letter(r[0], r[1], Op(r[2]), r[3], r[4], r[5], r[6], bool(r[7])) for r in rows]


def done(db: sqlite3.Connection, letter: Letter) -> None:
    db.execute("delete from outbox where id = ?", (letter.id,))


def again(db: sqlite3.Connection, letter: Letter, due: Millis, reason: str, *, maybe: bool, counted: bool = True) -> None:
    """Try later. *counted*: this attempt counts against the policy."""
    db.execute(
        "update outbox set state = 'waiting', due = ?, reason = ?, maybe = maybe or ?, attempts = attempts - ? where id = ?",
        (due, reason, maybe, not counted, letter.id),
    )


def split(db: sqlite3.Connection, letters: Sequence[Letter], due: Millis) -> None:
    """The platform refused the batch without naming anybody: send it in halves, to find who it is."""
    half = max(1, len(letters) // 2)
    db.executemany(
        "update outbox set state = 'waiting', due = ?, piece = ?, attempts = attempts - 1 where id = ?",
        [(due, half, letter.id) for letter in letters],
    )


def dead(db: sqlite3.Connection, letter: Letter, reason: str) -> None:
    """Given up: waits for a person."""
    db.execute("update outbox set state = 'dead', reason = ? where id = ?", (reason, letter.id))


def counts(store: Store) -> dict[str, dict[str, int]]:
    """Target key → state → letters."""
    found: dict[str, dict[str, int]] = {}
    for key, state, count in store.rows(
        "select t.key, o.state, count(*) from outbox o join targets t on t.id = o.target group by t.key, o.state order by t.key",
    ):
        found.setdefault(key, {})[state] = count
    return found
