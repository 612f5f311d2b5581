"""Profiles become contacts: who is who, by platform id first, then by primary address.

An address belongs to one contact. A profile that is known keeps its contact whatever address it has now; a new one joins the
contact that has its address as *primary*, never as an alias. Two contacts merge only when a platform says so or when both
come to have one primary address; that is written down while pulling and carried out when the pull ends (`settle`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import orjson

from connectors.base import Consent, ConsentState, Millis, Profile, ProfileId
from sync.model import ContactId, Email, canonical_email
from sync.store.facts import rederive

MOST_MERGES = 20                                    # in one pull; more are held for a person


@dataclass(slots=True)
class Joined:
    """What writing profiles made known: strays of these may have found their contact."""

    profiles: list[ProfileId] = field(default_factory=list)
    addresses: list[Email] = field(default_factory=list)


def write_profiles(
    db: sqlite3.Connection, connection: int, name: str, profiles: Sequence[Profile], now: Millis, sweep: int,
) -> Joined:
    """Upsert *profiles* of one page. *name*: the connection's; *sweep*: number of the running sweep, marks them as seen."""
    page = _Page(db, connection, name, now, sweep)
    page.look_up(profiles)
    for profile in profiles:
        page.write(profile)
    return page.joined


class _Page:
    """One page's look-ups, kept current while it is written."""

    def __init__(self, db: sqlite3.Connection, connection: int, name: str, now: Millis, sweep: int) -> None:
        self.db, self.connection, self.name, self.now, self.sweep = db, connection, name, now, sweep
        self.known: dict[str, tuple[ContactId, str | None]] = {}        # profile → contact, address
        self.owners: dict[str, tuple[ContactId, str]] = {}              # address → contact, role
        self.joined = Joined()

    def look_up(self, profiles: Sequence[Profile]) -> None:
        ids = orjson.dumps([p.id for p in profiles] + [a for p in profiles for a in p.absorbed]).decode()
        rows = self.db.execute(
            "select id, contact, address from profiles where connection = ? and id in (select value from json_each(?))",
            (self.connection, ids),
        )
        self.known = {row[0]: (ContactId(row[1]), row[2]) for row in rows}
        spelled = [p.email for p in profiles] + [alias for p in profiles for alias in p.aliases]
        addresses = orjson.dumps([a for a in map(canonical_email, spelled) if a]).decode()
        rows = self.db.execute(
            "select address, contact, role from addresses where address in (select value from json_each(?))", (addresses,),
        )
        self.owners = {row[0]: (ContactId(row[1]), row[2]) for row in rows}

    def write(self, profile: Profile) -> None:
        address = canonical_email(profile.email)
        contact, old = self.known.get(profile.id) or (self._contact_of(address), None)
        if contact is None:
            contact = self._new_contact(address or Email(f"{self.name}:{profile.id}"))
        self._write_profile(profile, contact, address)
        self._take_address(contact, address, old)
        for alias in profile.aliases:
            self._take_alias(contact, canonical_email(alias))
        for absorbed in profile.absorbed:
            self._absorb(contact, profile.id, absorbed)
        if profile.id not in self.known:
            self.joined.profiles.append(profile.id)
        self.known[profile.id] = (contact, address)

    def _contact_of(self, address: Email | None) -> ContactId | None:
        owner = self.owners.get(address) if address else None
        return owner[0] if owner and owner[1] == "primary" else None

    def _new_contact(self, sample_key: str) -> ContactId:
        (highest,) = self.db.execute("select coalesce(max(id), -1) from contacts").fetchone()
        contact = ContactId(highest + 1)
        self.db.execute("insert into contacts values (?, ?, ?, null)", (contact, sample_key, self.now))
        return contact

    def _write_profile(self, profile: Profile, contact: ContactId, address: Email | None) -> None:
        state = "live" if profile.live else "archived"
        self.db.execute(
            "insert into profiles values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do update set "
            "audience = excluded.audience, address = excluded.address, email = excluded.email, state = excluded.state, "
            "mailable = excluded.mailable, updated = excluded.updated, swept = excluded.swept, fields = excluded.fields",
            (self.connection, profile.id, contact, profile.audience, address, profile.email, state, mailable(profile.consent),
             profile.updated, self.sweep, orjson.dumps(profile.fields).decode()),
        )
        self.db.execute("delete from consents where connection = ? and profile = ?", (self.connection, profile.id))
        self.db.executemany(
            "insert or replace into consents values (?, ?, ?, ?, ?, ?, ?)",
            [(self.connection, profile.id, c.channel, c.scope, c.state.value, c.suppressed, c.at) for c in profile.consent],
        )

    def _take_address(self, contact: ContactId, address: Email | None, old: str | None) -> None:
        if old and old != address:
            self._leave(contact, old)
        if address is None:
            return
        owner = self.owners.get(address)
        if owner and owner[1] == "primary" and owner[0] != contact:
            want_merge(self.db, owner[0], contact, "shared address", self.now)
        elif owner != (contact, "primary"):
            self._own(address, contact, "primary")

    def _leave(self, contact: ContactId, address: str) -> None:
        """An address that no profile has any more still leads to its last contact: late events name it."""
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
        self.db.execute(
            "insert into addresses values (?, ?, ?) on conflict do update set contact = excluded.contact, role = excluded.role",
            (address, contact, role),
        )
        self.owners[address] = (contact, role)
        self.joined.addresses.append(address)

    def _absorb(self, contact: ContactId, survivor: ProfileId, absorbed: ProfileId) -> None:
        known = self.known.get(absorbed)
        if known is None or absorbed == survivor:
            return
        self.db.execute("update profiles set state = 'gone' where connection = ? and id = ?", (self.connection, absorbed))
        if known[0] != contact:
            want_merge(self.db, known[0], contact, f"merged on {self.name}", self.now)


def mailable(consent: Iterable[Consent]) -> bool:
    """No whole-platform e-mail consent says withdrawn, suppressed or something unreadable."""
    states = (ConsentState.WITHDRAWN, ConsentState.UNREADABLE)
    return not any(c.channel == "email" and not c.scope and (c.suppressed or c.state in states) for c in consent)


def mark_gone(db: sqlite3.Connection, connection: int, ids: Iterable[ProfileId]) -> None:
    db.executemany("update profiles set state = 'gone' where connection = ? and id = ?", [(connection, i) for i in ids])


def mark_unseen_gone(db: sqlite3.Connection, connection: int, sweep: int) -> int:
    """Profiles that the complete sweep number *sweep* did not see are gone; how many."""
    return db.execute(
        "update profiles set state = 'gone' where connection = ? and swept < ? and state != 'gone'", (connection, sweep),
    ).rowcount


# --- merges ---------------------------------------------------------------------------------------------------------------


def want_merge(db: sqlite3.Connection, one: ContactId, other: ContactId, reason: str, now: Millis) -> None:
    """Note that two contacts are one person. The longer-known (lower) one survives."""
    pair = (min(one, other), max(one, other))
    db.execute("insert or ignore into merges (survivor, absorbed, reason, found) values (?, ?, ?, ?)", (*pair, reason, now))


def settle(db: sqlite3.Connection) -> tuple[int, int]:
    """Carry out the merges noted since the last time, unless there are more than MOST_MERGES: (done, held)."""
    wanted = db.execute("select survivor, absorbed from merges where held = 0 order by id").fetchall()
    if len(wanted) > MOST_MERGES:
        return 0, db.execute("update merges set held = 1 where held = 0").rowcount
    done = 0
    for survivor, absorbed in wanted:
        done += _merge(db, _root(db, survivor), _root(db, absorbed))
    db.execute("delete from merges where held = 0")
    return done, 0


def _root(db: sqlite3.Connection, contact: int) -> int:
    while (found := db.execute("select merged_into from contacts where id = ?", (contact,)).fetchone()) and found[0] is not None:
        contact = found[0]
    return contact


def _merge(db: sqlite3.Connection, one: int, other: int) -> bool:
    """Profiles, addresses, facts and history of the shorter-known contact move to the longer-known one."""
    if one == other:
        return False
    survivor, absorbed = min(one, other), max(one, other)
    with rederive(db, (survivor, absorbed)):
        for table in ("profiles", "addresses", "records", "outbox"):
            db.execute(f"update {table} set contact = ? where contact = ?", (survivor, absorbed))  # noqa: S608 - our own names
    db.execute("update events set contact = ? where contact = ?", (survivor, absorbed))
    db.execute("update contacts set merged_into = ? where id = ?", (survivor, absorbed))
    return True
