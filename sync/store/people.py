"""Profiles become contacts: who is who, by platform id first, then by primary address.

An address belongs to one contact. A profile that is known keeps its contact whatever address it has now; a new one joins the
contact that has its address as *primary*, never as an alias. Two contacts merge only when a platform says so or when both
come to have one primary address; that is written down while pulling and carried out when the pull ends (`settle`), where it
still holds: while pages go by, two people who swapped addresses seem to share one.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter

import orjson

from connectors.base import Consent, ConsentState, Millis, Profile, ProfileId
from sync.model import ContactId, Email, canonical_emails
from sync.store import border, owners, parts, pasts
from sync.store.records import rederive

MOST_MERGES = 20                                    # in one pull; more are held for a person
_OUT = (ConsentState.WITHDRAWN, ConsentState.UNREADABLE)
_FIRMNESS = (ConsentState.GRANTED, ConsentState.UNKNOWN, ConsentState.UNREADABLE, ConsentState.WITHDRAWN).index


@dataclass(slots=True)
class Joined:
    """What writing profiles made known: strays of these may have found their contact. *new* were not known before, *refused*
    could not be."""

    profiles: list[ProfileId] = field(default_factory=list)
    addresses: list[Email] = field(default_factory=list)
    new: int = 0
    refused: int = 0


def write_profiles(
    db: sqlite3.Connection, connection: int, name: str, profiles: Sequence[Profile], now: Millis, sweep: int,
) -> Joined:
    """Upsert *profiles* of one page. *name*: the connection's; *sweep*: number of the running sweep, marks them as seen."""
    page = _Page(db, connection, name, now, sweep)
    fit = [profile for profile in map(border.profile, profiles) if profile is not None]
    page.look_up(fit)
    for profile in fit:
        page.write(profile)
    page.flush()
    parts.show(db, page.touched)
    pasts.note(db, page.touched, page.fresh, now)
    page.joined.refused = len(profiles) - len(fit)
    return page.joined


class _Page:
    """One page's look-ups, kept current while it is written; rows are gathered and written together (`flush`)."""

    def __init__(self, db: sqlite3.Connection, connection: int, name: str, now: Millis, sweep: int) -> None:
        self.db, self.connection, self.name, self.now, self.sweep = db, connection, name, now, sweep
        self.known: dict[str, tuple[ContactId, str | None]] = {}        # profile → contact, address
        self.owners: dict[str, tuple[ContactId, str]] = {}              # address → contact, role
        self.canonical: dict[str | None, Email | None] = {}             # addresses as they are spelled → as they are kept
        self.joined = Joined()
        self.next_contact: int | None = None
        self.touched: set[ContactId] = set()                            # contacts whose fields may be others now
        self.fresh: set[ContactId] = set()                              # those with a profile that was not known before
        self.stored: set[str] = set()                                   # profiles that may have consents in the store
        self.contacts: list[tuple[ContactId, str, Millis]] = []
        self.profiles: list[tuple[object, ...]] = []
        self.consents: dict[ProfileId, tuple[Consent, ...]] = {}
        self.before: dict[ProfileId, tuple[Consent, ...]] = {}          # what those that are not live consented to until now
        self.addresses: dict[Email, tuple[ContactId, str]] = {}

    def look_up(self, profiles: Sequence[Profile]) -> None:
        ids = orjson.dumps([p.id for p in profiles] + [a for p in profiles for a in p.absorbed]).decode()
        rows = self.db.execute(
            "select id, contact, address from profiles where connection = ? and id in (select value from json_each(?))",
            (self.connection, ids),
        )
        self.known = {row[0]: (ContactId(row[1]), row[2]) for row in rows}
        self.stored = set(self.known)
        spelled = [p.email for p in profiles] + [alias for p in profiles for alias in p.aliases]
        told = list(filter(None, spelled))
        self.canonical = dict(zip(told, canonical_emails(told), strict=True))
        addresses = orjson.dumps(list(filter(None, self.canonical.values()))).decode()
        rows = self.db.execute(
            "select address, contact, role from addresses where address in (select value from json_each(?))", (addresses,),
        )
        self.owners = {row[0]: (ContactId(row[1]), row[2]) for row in rows}
        self.before = self._consents_of([p.id for p in profiles if not p.live])

    def _consents_of(self, ids: Sequence[ProfileId]) -> dict[ProfileId, tuple[Consent, ...]]:
        """Each of *ids* with what the store knows of it."""
        found = dict.fromkeys(ids, tuple[Consent, ...]())
        rows = self.db.execute(
            "select profile, channel, state, scope, suppressed, at from consents where connection = ? "
            "and profile in (select value from json_each(?))", (self.connection, orjson.dumps(ids).decode()),
        ) if ids else ()
        for profile, channel, state, scope, suppressed, at in rows:
            found[profile] += (Consent(channel, ConsentState(state), scope, bool(suppressed), at),)
        return found

    def write(self, profile: Profile) -> None:
        address = self.canonical.get(profile.email)
        contact, old = self.known.get(profile.id) or (self._contact_of(address), None)
        if contact is None:
            contact = self._new_contact(address or Email(f"{self.name}:{profile.id}"))
        self._write_profile(profile, contact, address)
        self._take_address(contact, address, old)
        for alias in profile.aliases:
            self._take_alias(contact, self.canonical.get(alias))
        for absorbed in profile.absorbed:
            self._absorb(contact, profile.id, absorbed)
        self.touched.add(contact)
        if profile.id not in self.known:
            self.fresh.add(contact)
            self.joined.profiles.append(profile.id)
            self.joined.new += 1
        self.known[profile.id] = (contact, address)

    def _contact_of(self, address: Email | None) -> ContactId | None:
        owner = self.owners.get(address) if address else None
        return owner[0] if owner and owner[1] == "primary" else None

    def _new_contact(self, sample_key: str) -> ContactId:
        if self.next_contact is None:
            (self.next_contact,) = self.db.execute("select coalesce(max(id), -1) + 1 from contacts").fetchone()
        contact = ContactId(self.next_contact or 0)
        self.next_contact = contact + 1
        self.contacts.append((contact, sample_key, self.now))
        return contact

    def _write_profile(self, profile: Profile, contact: ContactId, address: Email | None) -> None:
        state, consent = ("live", profile.consent) if profile.live else ("archived", self._lasting(profile))
        self.profiles.append((
            self.connection, profile.id, contact, profile.audience, address, profile.email, state, int(mailable(consent)),
            profile.updated, self.sweep, border.json_text(profile.fields),
        ))
        self.consents[profile.id] = consent

    def _lasting(self, profile: Profile) -> tuple[Consent, ...]:
        return lasting(profile.consent, self.consents.get(profile.id, self.before[profile.id]))

    def flush(self) -> None:
        """Write what was gathered: at the end, and before anything that reads or changes single rows."""
        owners.changed(self.db)
        self.db.executemany("insert into contacts values (?, ?, ?, null)", self.contacts)
        self.db.executemany(
            "insert into profiles values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do update set "
            "audience = excluded.audience, address = excluded.address, email = excluded.email, state = excluded.state, "
            "mailable = excluded.mailable, updated = excluded.updated, swept = excluded.swept, fields = excluded.fields",
            sorted(self.profiles, key=itemgetter(1)),   # in the order of the key: each leaf of the tree is touched once
        )
        self._flush_consents()
        self.db.executemany(
            "insert into addresses values (?, ?, ?) on conflict do update set contact = excluded.contact, role = excluded.role",
            sorted((address, *owner) for address, owner in self.addresses.items()),
        )
        self.contacts, self.profiles, self.addresses = [], [], {}

    def _flush_consents(self) -> None:
        """Each with the moment when its state was first seen, which stays while the state does."""
        number = self.connection
        known = orjson.dumps([profile for profile in self.consents if profile in self.stored]).decode()
        held = self.db.execute(
            "select profile, channel, scope from consents where connection = ? and profile in (select value from json_each(?))",
            (number, known),
        ).fetchall()
        told = {(profile, c.channel, c.scope) for profile, consents in self.consents.items() for c in consents}
        gone = [(number, *key) for key in held if key not in told]
        self.db.executemany("delete from consents where connection = ? and profile = ? and channel = ? and scope = ?", gone)
        self.db.executemany(
            "insert into consents values (?, ?, ?, ?, ?, ?, ?, ?) on conflict do update set "
            "seen = case when state = excluded.state then seen else excluded.seen end, "
            "state = excluded.state, suppressed = excluded.suppressed, at = excluded.at", [
                (number, profile, c.channel, c.scope, c.state.value, int(c.suppressed), c.at, self.now)
                for profile, consents in sorted(self.consents.items(), key=itemgetter(0)) for c in consents
            ])
        self.stored.update(self.consents)
        self.before.update((profile, self.consents[profile]) for profile in self.before.keys() & self.consents.keys())
        self.consents = {}

    def _take_address(self, contact: ContactId, address: Email | None, old: str | None) -> None:
        if old and old != address:
            self._leave(contact, old)
        if address is None:
            return
        owner = self.owners.get(address)
        if owner and owner[1] == "primary" and owner[0] != contact:
            want_merge(self.db, self.connection, owner[0], contact, "shared address", self.now, address)
        elif owner != (contact, "primary"):
            self._own(address, contact, "primary")

    def _leave(self, contact: ContactId, address: str) -> None:
        """An address that no profile has any more still leads to its last contact: late events name it."""
        self.flush()
        left = self.db.execute(
            "select 1 from profiles where contact = ? and address = ? and state != 'gone' limit 1", (contact, address),
        ).fetchone()
        if left is None:
            self.db.execute(
                "update addresses set role = 'former' where address = ? and contact = ? and role = 'primary'", (address, contact),
            )
            if self.owners.get(address) == (contact, "primary"):
                self.owners[address] = (contact, "former")

    def _take_alias(self, contact: ContactId, alias: Email | None) -> None:
        owner = self.owners.get(alias) if alias else None
        if alias and (owner is None or owner[1] == "former"):
            self._own(alias, contact, "alias")

    def _own(self, address: Email, contact: ContactId, role: str) -> None:
        self.addresses[address] = (contact, role)
        self.owners[address] = (contact, role)
        self.joined.addresses.append(address)

    def _absorb(self, contact: ContactId, survivor: ProfileId, absorbed: ProfileId) -> None:
        """One that we never saw is kept as gone, so that what still names it leads to its contact."""
        if absorbed == survivor:
            return
        self.flush()
        known = self.known.get(absorbed)
        if known is None:
            self.db.execute(
                "insert into profiles values (?, ?, ?, '', null, null, 'gone', 0, null, ?, '{}')",
                (self.connection, absorbed, contact, self.sweep),
            )
            self.known[absorbed] = (contact, None)
            self.joined.profiles.append(absorbed)
            return
        self.db.execute("update profiles set state = 'gone' where connection = ? and id = ?", (self.connection, absorbed))
        self._speak_for(survivor, absorbed)
        self.touched.add(known[0])
        if known[0] != contact:
            want_merge(self.db, self.connection, known[0], contact, f"merged on {self.name}", self.now)

    def _speak_for(self, survivor: ProfileId, absorbed: ProfileId) -> None:
        """What *survivor* says of itself, too, it may also take back: the consent of *absorbed* bars no longer beside it."""
        self.db.execute(
            "delete from consents as old where connection = ?1 and profile = ?2 and exists (select 1 from consents c "
            "where c.connection = ?1 and c.profile = ?3 and c.channel = old.channel and c.scope = old.scope "
            "and c.state in (old.state, 'withdrawn') and c.suppressed >= old.suppressed)", (self.connection, absorbed, survivor),
        )


def lasting(told: Iterable[Consent], before: Iterable[Consent]) -> tuple[Consent, ...]:
    """The consents of a profile that is not live: what was *told*, and what was withdrawn, suppressed or unreadable *before*, until it is
    told to be granted. Of somebody who is archived a platform may say no more than that; it does not say that they want mail again."""
    found = {(one.channel, one.scope): one for one in told}
    for one in before:
        if not one.suppressed and one.state not in _OUT:
            continue
        now = found.get((one.channel, one.scope), Consent(one.channel, ConsentState.UNKNOWN, one.scope))
        if now.state is not ConsentState.GRANTED:
            firmer = max(now, one, key=lambda each: _FIRMNESS(each.state))
            now = replace(firmer, suppressed=now.suppressed or one.suppressed)
        found[one.channel, one.scope] = now
    return tuple(found.values())


def mailable(consent: Iterable[Consent]) -> bool:
    """No whole-platform e-mail consent says withdrawn, suppressed or something unreadable."""
    return not any(c.channel == "email" and not c.scope and (c.suppressed or c.state in _OUT) for c in consent)


def mark_gone(db: sqlite3.Connection, connection: int, ids: Iterable[ProfileId], now: Millis) -> None:
    texts = orjson.dumps([border.text(each) for each in ids]).decode()
    _gone(db, "connection = ? and id in (select value from json_each(?))", (connection, texts), now)


def known(db: sqlite3.Connection, connection: int) -> int:
    """How many profiles of *connection* are not gone."""
    (count,) = db.execute("select count(*) from profiles where connection = ? and state != 'gone'", (connection,)).fetchone()
    return int(count)


def mark_unseen_gone(db: sqlite3.Connection, connection: int, sweep: int, now: Millis) -> int:
    """Profiles that the complete sweep number *sweep* did not see are gone; how many."""
    return _gone(db, "connection = ? and swept < ?", (connection, sweep), now)


def _gone(db: sqlite3.Connection, which: str, bound: tuple[object, ...], now: Millis) -> int:
    rows = db.execute(
        f"update profiles set state = 'gone' where {which} and state != 'gone' returning contact", bound,  # noqa: S608 - our own words
    ).fetchall()
    pasts.note(db, {contact for (contact,) in rows}, (), now)
    return len(rows)


# --- merges ---------------------------------------------------------------------------------------------------------------


def want_merge(
    db: sqlite3.Connection, connection: int, one: int, other: int, reason: str, now: Millis, address: str = "",
) -> None:
    """Note that the pull of *connection* found two contacts to be one person, because of a shared *address* or because the
    platform said so. The longer-known (lower) one survives."""
    pair = (min(one, other), max(one, other))
    db.execute(
        "insert or ignore into merges (connection, survivor, absorbed, reason, address, found) values (?, ?, ?, ?, ?, ?)",
        (connection, *pair, reason, address, now),
    )


def settle(db: sqlite3.Connection, connection: int, now: Millis) -> tuple[int, int]:
    """Carry out the merges that the pull of *connection* noted, unless there are more than MOST_MERGES: (done, held)."""
    owners.changed(db)
    _drop_untrue(db)
    into = _wanted(db, "held = 0 and connection = ?", connection)
    if len(into) > MOST_MERGES:
        db.execute("update merges set held = 1 where held = 0 and connection = ?", (connection,))
        return 0, len(into)
    if into:
        _merge(db, into, now)
    db.execute("delete from merges where held = 0 and connection = ?", (connection,))
    return len(into), 0


def release(db: sqlite3.Connection, last: int, now: Millis) -> int:
    """Carry out the merges that are held, up to the one numbered *last*, as far as they are still true; how many contacts went into
    another."""
    owners.changed(db)
    _drop_untrue(db)
    into = _wanted(db, "held = 1 and m.id <= ?", last)
    if into:
        _merge(db, into, now)
    db.execute("delete from merges where held = 1 and id <= ?", (last,))
    return len(into)


def _wanted(db: sqlite3.Connection, which: str, *bound: int) -> dict[int, int]:
    """Contacts that go into another one by the merges *which* → that one."""
    query = (
        "select coalesce(s.merged_into, s.id), coalesce(a.merged_into, a.id) from merges m join contacts s on s.id = m.survivor "
        "join contacts a on a.id = m.absorbed where "
    )
    return _groups(db.execute(f"{query}{which} order by m.id", bound).fetchall())


def unmerged(db: sqlite3.Connection) -> list[set[int]]:
    """Contacts that are one person if all is true that was noted and not carried out yet, held or not: each such group."""
    groups = defaultdict[int, set[int]](set)
    for contact, survivor in _wanted(db, "true").items():
        groups[survivor] |= {contact, survivor}
    return list(groups.values())


def _drop_untrue(db: sqlite3.Connection) -> None:
    """An address that only one of the two still has is that one's, and no reason to merge."""
    last = 0
    while row := db.execute(
        "select id, connection, survivor, absorbed, address, found from merges where address != '' and id > ? "
        "order by id limit 1", (last,),
    ).fetchone():
        last, connection, survivor, absorbed, address, found = row
        holders = [c for c in (_root(db, survivor), _root(db, absorbed)) if _has(db, c, address)]
        if len(holders) < 2:
            db.execute("delete from merges where id = ?", (last,))
            for holder in holders:
                _give(db, connection, holder, address, found)


def _has(db: sqlite3.Connection, contact: int, address: str) -> bool:
    """Whether a profile of *contact* has *address* as its own."""
    return db.execute(
        "select 1 from profiles where contact = ? and address = ? and state != 'gone' limit 1", (contact, address),
    ).fetchone() is not None


def _give(db: sqlite3.Connection, connection: int, holder: int, address: str, found: Millis) -> None:
    """*address* is *holder*'s, unless a third one has it by now: then those two are one person."""
    (owner,) = db.execute("select contact from addresses where address = ?", (address,)).fetchone() or (holder,)
    if owner != holder and _has(db, owner, address):
        want_merge(db, connection, owner, holder, "shared address", found, address)
        return
    db.execute(
        "insert into addresses values (?, ?, 'primary') on conflict do update set contact = excluded.contact, role = 'primary'",
        (address, holder),
    )


def _root(db: sqlite3.Connection, contact: int) -> int:
    """Merged contacts point to their last one at once."""
    (into,) = db.execute("select merged_into from contacts where id = ?", (contact,)).fetchone()
    return contact if into is None else int(into)


def _groups(pairs: Iterable[tuple[int, int]]) -> dict[int, int]:
    """Contacts that go into another one → the lowest one that *pairs* connect them with."""
    into: dict[int, int] = {}

    def lowest(contact: int) -> int:
        while contact in into:
            contact = into[contact]
        return contact

    for pair in pairs:
        low, high = sorted(map(lowest, pair))
        if low != high:
            into[high] = low
    return {contact: lowest(contact) for contact in into}


def _merge(db: sqlite3.Connection, into: Mapping[int, int], now: Millis) -> None:
    """Profiles, addresses, facts and history of the shorter-known contacts move to the longer-known ones, which *into* names."""
    moves = [(survivor, absorbed) for absorbed, survivor in into.items()]
    with rederive(db, {*into, *into.values()}):
        for table in ("profiles", "addresses", "records", "outbox"):
            db.executemany(f"update {table} set contact = ? where contact = ?", moves)  # noqa: S608 - our own names
    db.executemany("update contacts set merged_into = ?1 where id = ?2 or merged_into = ?2", moves)
    db.execute(
        "update events set contact = (select merged_into from contacts where id = events.contact) "
        "where contact in (select value from json_each(?))", (orjson.dumps(list(into)).decode(),),
    )
    parts.show(db, set(into.values()))
    pasts.merge(db, into, now)
