"""Targets, views, ownership: who is where on the platforms, and whom we put there."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import orjson

from connectors.base import HOUR, Millis, Op, ProfileId, RemoteTarget
from sync.model import ContactId
from sync.store.store import Store, digest_of

EARLIER: Millis = HOUR                              # who was there so long before our add was there by somebody else

# --- targets ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TargetState:
    """What the store knows of a target. *remote*: None while the platform has no such tag or list.

    *found*: members at first contact; *existing*: what was decided about them; *applied*: when first; *rule*: digest last
    applied; *viewed*: when last read completely; *complete*: that view still counts; *gone*: the platform lost it; *called*: the
    config's words that it was last looked for under.
    """

    id: int
    key: str
    connection: int
    remote: RemoteTarget | None
    first_met: Millis | None
    found: int
    existing: str | None
    applied: Millis | None
    rule: str | None
    viewed: Millis | None
    complete: bool
    gone: bool
    called: str


def target(store: Store, key: str, kind: str, connection: int, audience: str, name: str, called: str = "") -> TargetState:
    """The state of a target, made when it is first named. Another name or audience under one key is a target of its own kind:
    it starts anew (nothing owned, nothing met)."""
    known = store.one("select id, audience, name from targets where key = ?", key)
    if known is None or (known[1], known[2]) != (audience, name):
        with store.transaction() as db:
            if known:
                _forget(db, known[0])
            db.execute(
                "insert into targets (key, connection, audience, kind, name) values (?, ?, ?, ?, ?) on conflict do update set "
                "audience = excluded.audience, name = excluded.name, remote = null, first_met = null, found = 0, "
                "existing = null, applied = null, rule = null, viewed = null, complete = 0, gone = 0",
                (key, connection, audience, kind, name),
            )
    if store.one("select called from targets where key = ?", key) != (called,):
        with store.transaction() as db:
            db.execute("update targets set called = ? where key = ?", (called, key))
    return states(store, [key])[key]


def states(store: Store, keys: Collection[str] | None = None) -> dict[str, TargetState]:
    """Targets by key."""
    rows = store.rows(
        "select id, key, connection, audience, kind, name, remote, first_met, found, existing, applied, rule, viewed, complete, "
        "gone, called from targets order by key",
    )
    return {
        row[1]: TargetState(
            row[0], row[1], row[2], RemoteTarget(row[4], row[6], row[5], row[3]) if row[6] is not None else None,
            row[7], row[8], row[9], row[10], row[11], row[12], bool(row[13]), bool(row[14]), row[15],
        )
        for row in rows if keys is None or row[1] in keys
    }


def _forget(db: sqlite3.Connection, number: int) -> None:
    for table in ("members", "owned", "confirmed", "outbox", "doubts"):
        db.execute(f"delete from {table} where target = ?", (number,))  # noqa: S608 - our own names


def set_remote(db: sqlite3.Connection, number: int, remote: str) -> None:
    """The platform's id of the tag or list."""
    db.execute("update targets set remote = ?, gone = 0 where id = ?", (remote, number))


def meet_anew(db: sqlite3.Connection, number: int) -> None:
    """Whatever is found under its name is met for the first time: nothing of it is ours, and nobody has decided about it. What was
    applied while there was no such tag or list stays applied."""
    _forget(db, number)
    db.execute(
        "update targets set first_met = null, found = 0, existing = null, applied = iif(remote is null, applied, null), "
        "viewed = null, complete = 0 where id = ?", (number,),
    )


def set_gone(db: sqlite3.Connection, number: int) -> None:
    """The platform has no such tag or list any more: the target is frozen, nothing is made anew under its name."""
    db.execute("update targets set gone = 1, complete = 0 where id = ?", (number,))


def set_applied(db: sqlite3.Connection, number: int, rule: str, now: Millis) -> None:
    db.execute("update targets set applied = coalesce(applied, ?), rule = ? where id = ?", (now, rule, number))


def set_existing(db: sqlite3.Connection, number: int, decision: str, now: Millis) -> None:
    """Members found at first contact: "keep" leaves them to whoever put them there, "adopt" makes them ours."""
    db.execute("update targets set existing = ? where id = ?", (decision, number))
    if decision == "adopt":
        db.execute(
            "insert into owned select target, profile, ?, null from members where target = ? on conflict do update set sent = null",
            (now, number),
        )


# --- views ------------------------------------------------------------------------------------------------------------------


def write_view(
    db: sqlite3.Connection, number: int, listed: Iterable[ProfileId], began: Millis, now: Millis, lag: Millis,
    joined: Mapping[ProfileId, Millis] | None = None,
) -> None:
    """A complete listing read from *began* on; *joined*: since when, where the platform tells it (else it is when we first saw
    them). What we confirmed within *lag* before that outranks the listing. Ours are no more those who are not there, and those who
    were there well before we added them."""
    told, there = joined or {}, list(listed)
    db.execute("delete from confirmed where target = ? and at < ?", (number, began - lag))
    db.execute(
        "delete from members where target = ? and profile not in (select value from json_each(?))", (number, orjson.dumps(there).decode()),
    )
    db.executemany(
        "insert into members values (?, ?, ?) on conflict do update set since = iif(?4, excluded.since, since)",
        [(number, profile, told.get(profile, now), profile in told) for profile in there],
    )
    db.execute("insert or ignore into members select target, profile, at from confirmed where target = ? and op = 'add'", (number,))
    db.execute(
        "delete from members where target = ?1 and profile in "
        "(select profile from confirmed where target = ?1 and op = 'remove')", (number,),
    )
    db.execute(
        "delete from owned where target = ?1 and profile not in (select profile from members where target = ?1)", (number,),
    )
    _weigh(db, number, told, now)
    (count,) = db.execute("select count(*) from members where target = ?", (number,)).fetchone()
    db.execute(
        "update targets set viewed = ?, complete = 1, first_met = coalesce(first_met, ?1), "
        "found = case when first_met is null then ?2 else found end, gone = 0 where id = ?3", (now, count, number),
    )
    db.execute(                                     # nothing is left to remove
        "delete from outbox where target = ?1 and state = 'dead' and op = 'remove' "
        "and profile not in (select profile from members where target = ?1)", (number,),
    )


def was_there(joined: Millis, sent: Millis, now: Millis) -> bool:
    """Whether somebody who *joined* then was there well before our add was *sent*; that was not in the future, or the clock was ahead and
    says nothing."""
    return joined + EARLIER <= sent <= now


def _weigh(db: sqlite3.Connection, number: int, joined: Mapping[ProfileId, Millis], now: Millis) -> None:
    """Whom we added without being told whether that changed anything is a person's if they were there before, and else ours for good."""
    rows = db.execute("select profile, sent from owned where target = ? and sent is not null", (number,)).fetchall()
    told = [(profile, was_there(joined[profile], sent, now)) for profile, sent in rows if profile in joined]
    db.executemany("delete from owned where target = ? and profile = ?", [(number, profile) for profile, theirs in told if theirs])
    db.executemany(
        "update owned set sent = null where target = ? and profile = ?", [(number, profile) for profile, theirs in told if not theirs],
    )


def doubt_view(db: sqlite3.Connection, number: int) -> None:
    """The last listing did not reach its end: what we know of the members may not remove anybody."""
    db.execute("update targets set complete = 0 where id = ?", (number,))


def members(store: Store, number: int) -> dict[ProfileId, ContactId | None]:
    """The view: profile → contact, None for a profile we do not know."""
    return dict(store.rows(
        "select m.profile, p.contact from members m join targets t on t.id = m.target "
        "left join profiles p on p.connection = t.connection and p.id = m.profile where m.target = ?", number,
    ))


def owned(store: Store, number: int) -> frozenset[ProfileId]:
    return frozenset(row[0] for row in store.rows("select profile from owned where target = ?", number))


def claims(store: Store, number: int, among: Collection[ProfileId]) -> dict[ProfileId, Millis | None]:
    """Which of *among* are ours, and when we sent the add of those of whom nothing told yet whether it changed anything (None: it did)."""
    return dict(store.rows(
        "select profile, sent from owned where target = ? and profile in (select value from json_each(?))",
        number, orjson.dumps(list(among)).decode(),
    ))


def confirm_add(
    db: sqlite3.Connection, number: int, profile: ProfileId, now: Millis, *, ours: bool, sent: Millis | None = None,
) -> None:
    """The platform accepted our add; *ours* unless it said that the profile was on the target already. *sent*: when, where it does not
    say whether the add changed anything."""
    db.execute("insert or ignore into members values (?, ?, ?)", (number, profile, now))
    db.execute("insert or replace into confirmed values (?, ?, ?, ?)", (number, profile, Op.ADD.value, now))
    if ours:
        db.execute("insert or ignore into owned values (?, ?, ?, ?)", (number, profile, now, sent))
        _no_doubt(db, number, profile)


def confirm_remove(db: sqlite3.Connection, number: int, profile: ProfileId, now: Millis) -> None:
    db.execute("delete from members where target = ? and profile = ?", (number, profile))
    db.execute("delete from owned where target = ? and profile = ?", (number, profile))
    db.execute("insert or replace into confirmed values (?, ?, ?, ?)", (number, profile, Op.REMOVE.value, now))
    _no_doubt(db, number, profile)


def _no_doubt(db: sqlite3.Connection, number: int, profile: ProfileId) -> None:
    """What calls before this one did matters no more."""
    db.execute("delete from doubts where target = ? and profile = ?", (number, profile))


def disown(db: sqlite3.Connection, number: int, profile: ProfileId) -> None:
    """It may be a person's by now: in doubt it is."""
    db.execute("delete from owned where target = ? and profile = ?", (number, profile))


# --- what calls without an answer left in doubt -------------------------------------------------------------------------------


def doubt(db: sqlite3.Connection, number: int, calls: Sequence[tuple[ProfileId, str, str]]) -> None:
    """Calls (profile, op, when sent as JSON) that may have taken effect and are not sent again: the view counts no more until a
    listing has settled them."""
    db.executemany("insert or replace into doubts values (?, ?, ?, ?)", [(number, *call) for call in calls])
    if calls:
        doubt_view(db, number)


def doubts(store: Store, number: int) -> list[tuple[ProfileId, Op, tuple[Millis, ...]]]:
    """Profile, op and times of all calls of which we do not know whether it took effect, also of those that wait to be sent
    again."""
    rows = store.rows(
        "select profile, op, sent from doubts where target = ?1 "
        "union all select profile, op, sent from outbox where target = ?1 and state = 'waiting' and maybe", number,
    )
    return [(row[0], Op(row[1]), tuple(orjson.loads(row[2] or "[]"))) for row in rows]


def settle(
    db: sqlite3.Connection, number: int, ours: Iterable[ProfileId], foreign: Iterable[ProfileId], began: Millis, lag: Millis,
) -> None:
    """After a complete listing: which of the members in doubt are *ours*, which are *foreign*. A call made within *lag* before
    the listing *began* may show later only: its doubt stays."""
    db.executemany("insert or ignore into owned values (?, ?, ?, null)", [(number, profile, began) for profile in ours])
    for profile in foreign:
        disown(db, number, profile)
    db.execute(                                     # adds that are there, removes that are not (or no longer ours): nothing to send
        "delete from outbox where target = ?1 and state = 'waiting' and maybe and case op "
        "when 'add' then profile in (select profile from members where target = ?1) "
        "else profile not in (select profile from owned where target = ?1) end", (number,),
    )
    db.execute("delete from doubts where target = ? and coalesce(sent ->> '$[#-1]', 0) < ?", (number, began - lag))


# --- who can be reached, who must not be -------------------------------------------------------------------------------------


def reachable(store: Store, connection: int, audience: str, leaving_out: Collection[ProfileId] = ()) -> dict[ContactId, ProfileId]:
    """Contacts with a live profile there, and that profile, *leaving_out* some; of several the newest mailable one."""
    rows = store.rows(
        "select contact, id from profiles where connection = ? and audience = ? and state = 'live' "
        "order by mailable, updated, id", connection, audience,
    )
    left_out = set(leaving_out)
    return {contact: profile for contact, profile in rows if profile not in left_out}


def refused(store: Store, target: int) -> frozenset[ProfileId]:
    """Profiles whose add became a dead letter: not reachable until they change."""
    return _dead(store, target, Op.ADD)


def stuck(store: Store, target: int) -> frozenset[ProfileId]:
    """Members whose remove became a dead letter: not tried again until their profile changes."""
    return _dead(store, target, Op.REMOVE)


def _dead(store: Store, target: int, op: Op) -> frozenset[ProfileId]:
    return frozenset(row[0] for row in store.rows(
        "select o.profile from outbox o join targets t on t.id = o.target "
        "left join profiles p on p.connection = t.connection and p.id = o.profile "
        "where o.target = ? and o.state = 'dead' and o.op = ? and coalesce(p.updated, 0) <= o.made", target, op.value,
    ))


# A profile that is gone still says what it said last, until one of the same contact in the same place says later that it is granted,
# and not later than now (?1), as a clock that was ahead would have it.
_SAYING = (
    "select distinct p.contact from consents s join profiles p on p.connection = s.connection and p.id = s.profile "
    "where s.channel = 'email' and (p.state != 'gone' or not exists (select 1 from profiles q "
    "join consents g on g.connection = q.connection and g.profile = q.id where q.contact = p.contact and q.state != 'gone' "
    "and q.connection = p.connection and q.audience = p.audience and g.channel = s.channel and g.scope in ('', s.scope) "
    "and g.state = 'granted' and coalesce(g.at, g.seen) > coalesce(s.at, s.seen) and coalesce(g.at, g.seen) <= ?1)) and "
)
_GRANTED = (
    "select distinct p.contact from consents s join profiles p on p.connection = s.connection and p.id = s.profile "
    "where s.channel = 'email' and p.state != 'gone' and s.state = 'granted' and "
)


def barred(store: Store, now: Millis, where: str, connection: int, audience: str) -> frozenset[ContactId]:
    """Contacts whose e-mail consent is withdrawn or suppressed: *where* "anywhere", on this "platform" or "audience"."""
    return frozenset(row[0] for row in store.rows(
        _SAYING + "(s.state = 'withdrawn' or s.suppressed) and s.scope = '' "
        "and (?2 = 'anywhere' or (s.connection = ?3 and (?2 = 'platform' or p.audience = ?4)))", now, where, connection, audience,
    ))


def is_barred(store: Store, now: Millis, contact: ContactId) -> bool:
    """Whether this contact's e-mail consent is withdrawn or suppressed anywhere."""
    return store.one(
        _SAYING + "(s.state = 'withdrawn' or s.suppressed) and s.scope = '' and p.contact = ?2 limit 1", now, contact,
    ) is not None


def barred_from(store: Store, now: Millis, connection: int, scopes: Collection[str]) -> frozenset[ContactId]:
    """Contacts who withdrew from, or are suppressed on, one of *scopes* only: subscription types or lists of one connection."""
    return frozenset(row[0] for row in store.rows(
        _SAYING + "(s.state = 'withdrawn' or s.suppressed) and s.connection = ?2 "  # noqa: S608 - our own words
        "and s.scope != '' and s.scope in (select value from json_each(?3))", now, connection, orjson.dumps(list(scopes)).decode(),
    ))


def unreadable(store: Store, now: Millis) -> frozenset[ContactId]:
    """Contacts with an e-mail consent that we cannot read: neither added nor removed."""
    return frozenset(row[0] for row in store.rows(_SAYING + "s.state = 'unreadable'", now))


def granted(store: Store) -> frozenset[ContactId]:
    """Contacts whose e-mail consent is known to be given as a whole, on some platform."""
    return frozenset(row[0] for row in store.rows(_GRANTED + "s.scope = ''"))


def granted_for(store: Store, connection: int, scope: str) -> frozenset[ContactId]:
    """Contacts who are known to have consented to the subscription type *scope* of a connection."""
    return frozenset(row[0] for row in store.rows(_GRANTED + "s.connection = ? and s.scope = ?", connection, scope))


def digest_of_ownership(store: Store, targets: Mapping[str, TargetState]) -> dict[str, str]:
    """By key: what is ours there, and on which remote target, as a digest; an apply refuses when it moved."""
    return {
        key: digest_of(state.remote.id if state.remote else "", *sorted(owned(store, state.id)))
        for key, state in targets.items()
    }
