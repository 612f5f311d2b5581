"""Whose events are whose: by the platform's id first, then by address; remembered from page to page.

Who owns a profile or an address changes only where people are written. That stamps the record (`changed`), in the same transaction and
with a number that was never there before; what was looked up under another stamp is forgotten.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import orjson

from sync.model import canonical_emails

MOST = 250_000                                      # owners remembered at once, some 40 MB


def changed(db: sqlite3.Connection) -> None:
    """Say that a profile or an address may have another owner from now on."""
    db.execute("insert or replace into meta values ('owners', ?)", (secrets.token_hex(8),))


# One row of two lists, number and contact of each that is there: a row a contact takes as long as to find it.
_OF_PROFILES = (
    "select json_group_array(j.key), json_group_array(p.contact) from json_each(?1) j "
    "cross join profiles p on p.connection = ?2 and p.id = j.value"
)
_OF_ADDRESSES = (
    "select json_group_array(j.key), json_group_array(a.contact) from json_each(?1) j cross join addresses a on a.address = j.value"
)


@dataclass(slots=True)
class Owners:
    """The contact of each profile and address that was asked for and is known."""

    _stamp: tuple[object, ...] | None = None
    _connection: int = -1
    _profiles: dict[str | None, int] = field(default_factory=dict)      # of that connection
    _addresses: dict[str | None, int] = field(default_factory=dict)     # as events spell them

    def of(
        self, db: sqlite3.Connection, connection: int, profiles: Sequence[str | None], emails: Sequence[str | None],
    ) -> list[int | None]:
        """The contact of each event or None."""
        self._keep_true(db, connection)
        by_id, by_address = self._profiles, self._addresses
        by_id.update(_by_profile(db, connection, filter(None, set(profiles).difference(by_id))))
        by_address.update(_by_address(db, filter(None, set(emails).difference(by_address))))
        if not by_address:
            return list(map(by_id.get, profiles))
        if not by_id:
            return list(map(by_address.get, emails))
        return [
            found if (found := by_id.get(profile)) is not None else by_address.get(email)
            for profile, email in zip(profiles, emails, strict=True)
        ]

    def _keep_true(self, db: sqlite3.Connection, connection: int) -> None:
        stamp = db.execute("select value from meta where key = 'owners'").fetchone()
        many = len(self._profiles) + len(self._addresses) > MOST
        if many or (stamp, connection) != (self._stamp, self._connection):
            self._stamp, self._connection = stamp, connection
            self._profiles.clear()
            self._addresses.clear()


def _by_profile(db: sqlite3.Connection, connection: int, profiles: Iterable[str]) -> dict[str | None, int]:
    ids = sorted(profiles)
    found = _contacts(db, _OF_PROFILES, ids, connection)
    return {ids[number]: contact for number, contact in found}


def _by_address(db: sqlite3.Connection, spelled: Iterable[str]) -> dict[str | None, int]:
    """By the addresses as the events spell them."""
    texts = sorted(spelled)
    addresses = canonical_emails(texts)
    if addresses is not texts:
        pairs = sorted((address, text) for address, text in zip(addresses, texts, strict=True) if address)
        addresses, texts = [address for address, _ in pairs], [text for _, text in pairs]
    return {texts[number]: contact for number, contact in _contacts(db, _OF_ADDRESSES, addresses)}


def _contacts(db: sqlite3.Connection, query: str, texts: Sequence[str | None], *more: int) -> Iterable[tuple[int, int]]:
    """Number in *texts* and contact of each that is there."""
    if not texts:
        return ()
    numbers, contacts = db.execute(query, (orjson.dumps(texts).decode(), *more)).fetchone()
    return zip(orjson.loads(numbers), orjson.loads(contacts), strict=True)
