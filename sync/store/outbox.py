"""Changes approved and not yet confirmed: durable until the platform has answered for each."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import orjson

from connectors.base import Batch, Millis, Op, ProfileId
from sync.model import ContactId
from sync.store.memberships import doubt
from sync.store.store import Store


@dataclass(frozen=True, slots=True)
class Letter:
    """One change on its way. *email*: the profile's address as the platform spells it, by what is known now; *attempts* made so far;
    *maybe*: earlier calls, made at *sent*, may have taken effect."""

    id: int
    target: int
    op: Op
    profile: ProfileId
    contact: ContactId
    email: str | None
    attempts: int
    maybe: bool
    sent: tuple[Millis, ...]


@dataclass(frozen=True, slots=True)
class Backlog:
    """Letters of one connection: *ready* now, *next_due* of those that wait, None when none do."""

    ready: int
    next_due: Millis | None


# --- approving --------------------------------------------------------------------------------------------------------------


def enqueue(
    db: sqlite3.Connection, target: int, changes: Iterable[tuple[Op, ProfileId, ContactId]], now: Millis, *, first: bool = False,
) -> int:
    """Approve *changes* of one target; waiting ones that are wanted no more are withdrawn. How many are new. *first*: those are of its
    first fill."""
    wanted = {profile: (op, contact) for op, profile, contact in changes}
    known = db.execute(
        "select profile, op, maybe, sent from outbox where target = ? and state = 'waiting'", (target,),
    ).fetchall()
    same = {p for p, op, *_ in known if p in wanted and wanted[p][0].value == op}
    _withdraw(db, target, [row for row in known if row[0] not in same])
    db.executemany(
        "insert into outbox (target, op, profile, contact, state, due, made, first) values (?, ?, ?, ?, 'waiting', ?, ?, ?) "
        "on conflict do update set op = excluded.op, state = 'waiting', attempts = 0, maybe = 0, sent = null, piece = 0, "
        "due = excluded.due, reason = null, made = excluded.made, contact = excluded.contact, first = excluded.first",
        [(target, op.value, p, contact, now, now, first) for p, (op, contact) in wanted.items() if p not in same],
    )
    db.executemany(                                 # a profile may have become another contact's since it was approved
        "update outbox set contact = ? where target = ? and profile = ? and contact != ?1",
        [(contact, target, p) for p, (_, contact) in wanted.items() if p in same],
    )
    return len(wanted) - len(same)


def _withdraw(db: sqlite3.Connection, target: int, rows: Sequence[tuple[ProfileId, str, int, str | None]]) -> None:
    """Take letters back. Where one may have left, its effect stays in doubt until the target has been listed again."""
    db.executemany("delete from outbox where target = ? and profile = ?", [(target, profile) for profile, *_ in rows])
    doubt(db, target, [(profile, op, sent or "[]") for profile, op, maybe, sent in rows if maybe])


def filling(store: Store, target: int) -> frozenset[ProfileId]:
    """Whose adds were approved as the target's first fill and are still on their way."""
    return frozenset(row[0] for row in store.rows(
        "select profile from outbox where target = ? and first and op = ? and state in ('waiting', 'sending')", target, Op.ADD.value,
    ))


def recover(db: sqlite3.Connection) -> int:
    """After a start: what was being sent when we ended may have arrived. How many."""
    return db.execute("update outbox set state = 'waiting', maybe = 1 where state = 'sending'").rowcount


# --- sending ----------------------------------------------------------------------------------------------------------------


def backlog(store: Store, connection: int, now: Millis, leave_out: Sequence[int], among: Collection[int] | None = None) -> Backlog:
    """*among*: the targets that count (None: all of them), less those to *leave_out*."""
    rows = store.rows(
        "select o.target, o.due from outbox o join targets t on t.id = o.target where t.connection = ? and o.state = 'waiting'",
        connection,
    )
    dues = [due for target, due in rows if target not in leave_out and (among is None or target in among)]
    later = [due for due in dues if due > now]
    return Backlog(len(dues) - len(later), min(later, default=None))


def claim(
    db: sqlite3.Connection, connection: int, limits: Batch, now: Millis, leave_out: Sequence[int],
    among: Collection[int] | None = None,
) -> list[Letter]:
    """The next batch of one target (*among* those given, None: any), marked as being sent: due letters, oldest target first,
    within the platform's *limits* and those it refused before. Empty when nothing is due."""
    found = db.execute(
        "select o.target, max(o.piece) from outbox o join targets t on t.id = o.target where t.connection = ? "
        "and o.state = 'waiting' and o.due <= ? group by o.target order by min(o.id)", (connection, now),
    ).fetchall()
    target, piece = next(((t, p) for t, p in found if t not in leave_out and (among is None or t in among)), (0, 0))
    if not target:
        return []
    adds = _due(db, target, Op.ADD, now, limits.adds, piece)
    removes = _due(db, target, Op.REMOVE, now, limits.removes, piece)
    if limits.shared:
        removes = removes[: max(0, limits.adds - len(adds))]
    batch = adds + removes if limits.together else adds or removes
    batch = batch[:piece] if piece else batch
    db.executemany(
        "update outbox set state = 'sending', attempts = attempts + 1, "
        "sent = json_insert(case when maybe then coalesce(sent, '[]') else '[]' end, '$[#]', ?) where id = ?",
        [(now, each.id) for each in batch],
    )
    return batch


def _due(db: sqlite3.Connection, target: int, op: Op, now: Millis, limit: int, piece: int) -> list[Letter]:
    """Letters of one batch that was refused stay apart from the rest, so that it is halved and nothing else."""
    rows = db.execute(
        "select o.id, o.target, o.op, o.profile, o.contact, p.email, o.attempts, o.maybe, o.sent from outbox o "
        "join targets t on t.id = o.target left join profiles p on p.connection = t.connection and p.id = o.profile "
        "where o.state = 'waiting' and o.target = ? and o.op = ? and o.due <= ? and o.piece = ? order by o.id limit ?",
        (target, op.value, now, piece, min(limit, piece) if piece else limit),
    )
    return [Letter(r[0], r[1], Op(r[2]), r[3], r[4], r[5], r[6], bool(r[7]), tuple(orjson.loads(r[8] or "[]"))) for r in rows]


# --- what came of it --------------------------------------------------------------------------------------------------------


def done(db: sqlite3.Connection, letter: Letter) -> None:
    db.execute("delete from outbox where id = ?", (letter.id,))


def again(db: sqlite3.Connection, letter: Letter, due: Millis, reason: str, *, maybe: bool, counted: bool = True) -> None:
    """Try later. *counted*: this attempt counts against the policy."""
    db.execute(
        "update outbox set state = 'waiting', due = ?, reason = ?, maybe = maybe or ?, attempts = attempts - ? where id = ?",
        (due, reason, maybe, not counted, letter.id),
    )


def unsent(db: sqlite3.Connection, letter: Letter, due: Millis, reason: str, *, counted: bool = True) -> None:
    """Claimed, but no call was made for it: what was in doubt before is in doubt as before."""
    again(db, letter, due, reason, maybe=False, counted=counted)
    db.execute("update outbox set sent = ? where id = ?", (orjson.dumps(letter.sent).decode(), letter.id))


def split(db: sqlite3.Connection, letters: Sequence[Letter], due: Millis, *, maybe: bool = False) -> None:
    """The batch does not go through and nobody is named: send it in halves, to find who it is."""
    half = (len(letters) + 1) // 2
    db.executemany(
        "update outbox set state = 'waiting', due = ?, piece = ?, attempts = attempts - 1, maybe = maybe or ? where id = ?",
        [(due, half, maybe, letter.id) for letter in letters],
    )


def hold(db: sqlite3.Connection, connection: int, until: Millis, *, forgive: bool = False) -> None:
    """Nothing of *connection* goes before *until*. *forgive*: attempts made so far do not count, the platform was down."""
    db.execute(
        "update outbox set due = max(due, ?), attempts = case when ? then 0 else attempts end "
        "where state = 'waiting' and target in (select id from targets where connection = ?)", (until, forgive, connection),
    )


def dead(db: sqlite3.Connection, letter: Letter, reason: str) -> None:
    """Given up: waits for a person. What may have happened is settled by the next complete listing."""
    (maybe,) = db.execute("select maybe from outbox where id = ?", (letter.id,)).fetchone()
    db.execute("update outbox set state = 'dead', reason = ? where id = ?", (reason, letter.id))
    if maybe:
        leave_in_doubt(db, letter)


def leave_in_doubt(db: sqlite3.Connection, letter: Letter) -> None:
    """Which of its calls took effect, if any, is settled by the next complete listing."""
    (sent,) = db.execute("select sent from outbox where id = ?", (letter.id,)).fetchone()
    doubt(db, letter.target, [(letter.profile, letter.op.value, sent or "[]")])


def counts(store: Store) -> dict[str, dict[str, int]]:
    """Target key → state → letters."""
    found: dict[str, dict[str, int]] = {}
    for key, state, count in store.rows(
        "select t.key, o.state, count(*) from outbox o join targets t on t.id = o.target group by t.key, o.state order by t.key",
    ):
        found.setdefault(key, {})[state] = count
    return found
