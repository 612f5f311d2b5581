"""Who is on which audience: one row per contact record, in columns.

`changed` is the record's own last_changed; `indexed` is the one by which listings find it: late by the lag of "members".
All times are whole seconds, in milliseconds UTC, as Mailchimp has no finer ones.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from connectors.clock import Millis
from connectors.sandbox.columns import Columns

Rows = npt.NDArray[np.int64]
Window: TypeAlias = tuple[Millis | None, Millis | None]      # since (exclusive), before (inclusive)

STATUSES = ("subscribed", "unsubscribed", "cleaned", "pending", "transactional", "archived", "on_hold", "")
SUBSCRIBED, UNSUBSCRIBED, CLEANED, PENDING, TRANSACTIONAL, ARCHIVED, UNREADABLE, GONE = range(len(STATUSES))
HIDDEN_ON_SEGMENTS = {"include_unsubscribed": UNSUBSCRIBED, "include_cleaned": CLEANED, "include_transactional": TRANSACTIONAL}

TYPES = {
    "audience": "i1", "person": "i4", "status": "i1", "before": "i1", "created": "i8", "changed": "i8", "indexed": "i8",
    "opted": "i8", "signup": "i8", "interests": "i4", "vip": "?", "compliance": "?",
}


def whole(at: Millis) -> Millis:
    """*at* without its fraction of a second."""
    return at // 1000 * 1000


def hash_of(address: str) -> str:
    """The id of a member: MD5 of the lower-cased address. Source: Mailchimp docs, "Methods and parameters"."""
    return hashlib.md5(address.strip().lower().encode(), usedforsecurity=False).hexdigest()


def token(*parts: object, length: int = 10) -> str:
    """A made-up hex id, the same for the same parts."""
    return hashlib.md5(":".join(map(str, parts)).encode(), usedforsecurity=False).hexdigest()[:length]


@dataclass(slots=True)
class Place:
    """Where somebody lives, as far as known; shared between people."""

    city: str = ""
    country: str = ""


@dataclass(slots=True)
class People:
    """All contact records of all audiences; a row's index is its identity and never moves."""

    rows: Columns = field(default_factory=lambda: Columns(TYPES))
    emails: list[str] = field(default_factory=list)
    hashes: list[str] = field(default_factory=list)
    contacts: list[str] = field(default_factory=list)           # contact_id: survives a change of address
    first: list[str] = field(default_factory=list)
    last: list[str] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    merged: dict[int, dict[str, Any]] = field(default_factory=dict)      # values of merge fields written over the API
    facts: dict[int, dict[str, Any]] = field(default_factory=dict)       # language, location … written over the API
    events: dict[int, list[dict[str, Any]]] = field(default_factory=dict)    # custom events, newest last
    forgotten: set[tuple[int, str]] = field(default_factory=set)         # permanently deleted (audience, hash)
    version: int = 0
    _by_hash: dict[tuple[int, str], int] = field(default_factory=dict)
    _by_contact: dict[str, int] = field(default_factory=dict)
    _late: list[tuple[Millis, int, Millis]] = field(default_factory=list)
    _known: dict[tuple[object, ...], Rows] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    # --- who

    def find(self, audience: int, key: str) -> int | None:
        """The row behind a hash, an address or a contact_id; all three are accepted in paths (vendor's Swagger)."""
        found = self._by_hash.get((audience, key))
        if found is None and "@" in key:
            found = self._by_hash.get((audience, hash_of(key)))
        if found is None:
            found = self._by_contact.get(key)
            found = found if found is not None and self.rows["audience"][found] == audience else None
        return found

    def status(self, row: int) -> int:
        return int(self.rows["status"][row])

    def load(
        self, *, emails: Sequence[str], names: tuple[Sequence[str], Sequence[str]], places: Sequence[Place],
        columns: dict[str, npt.NDArray[Any]],
    ) -> None:
        """Fill the first audience at once; every row is listed from the start."""
        self.rows.extend(audience=np.zeros(len(emails), np.int8), indexed=columns["changed"], **columns)
        self.emails.extend(emails)
        self.hashes.extend(map(hash_of, emails))
        self.contacts.extend(token("contact", 0, email, length=32) for email in emails)
        self.first.extend(names[0])
        self.last.extend(names[1])
        self.places.extend(places)
        self._by_hash.update(((0, one), n) for n, one in enumerate(self.hashes))
        self._by_contact.update((one, n) for n, one in enumerate(self.contacts))
        self.version += 1

    def add(self, audience: int, address: str, status: int, person: int, now: Millis, lag: Millis = 0) -> int:
        """A new record; listed from *now* + *lag* on."""
        at = whole(now)
        row = self.rows.append(
            audience=audience, person=person, status=status, before=status, created=at, indexed=-1, changed=at,
            opted=at if status == SUBSCRIBED else 0,
        )
        self.emails.append(address.strip())
        self.hashes.append(hash_of(address))
        self.contacts.append(token("contact", audience, address, row, length=32))
        self.first.append("")
        self.last.append("")
        self.places.append(Place())
        self._by_hash[audience, self.hashes[row]] = row
        self._by_contact[self.contacts[row]] = row
        self.touch([row], now, lag)
        return row

    # --- changes

    def touch(self, rows: Iterable[int], now: Millis, lag: Millis = 0) -> None:
        """Move last_changed of *rows* to now; listings notice after *lag*."""
        at = whole(now)
        for row in rows:
            self.rows["changed"][row] = at
            heapq.heappush(self._late, (now + lag, row, at))
        self.version += 1
        self.settle(now)

    def settle(self, now: Millis) -> None:
        """Let listings see what has become visible by *now*."""
        moved = False
        while self._late and self._late[0][0] <= now:
            _, row, at = heapq.heappop(self._late)
            self.rows["indexed"][row] = max(at, int(self.rows["indexed"][row]))
            moved = True
        if moved:
            self.rows.moved()
            self.version += 1

    def set_status(self, row: int, status: int, now: Millis, lag: Millis = 0, *, compliance: bool | None = None) -> None:
        """Another status; the one before is remembered for unarchiving. *compliance*: only the person can undo it
        (None: as the status says)."""
        was = self.status(row)
        if was != ARCHIVED:
            self.rows["before"][row] = was
        self.rows["status"][row] = status
        if status == SUBSCRIBED:
            self.rows["opted"][row] = whole(now)
        if compliance is not None or status != ARCHIVED:
            self.rows["compliance"][row] = status == CLEANED if compliance is None else compliance
        self.touch([row], now, lag)

    def readdress(self, row: int, address: str, now: Millis, lag: Millis = 0) -> None:
        """Another address: the old hash is gone at once, contact_id stays (observed: grouparoo/grouparoo fixtures)."""
        audience = int(self.rows["audience"][row])
        del self._by_hash[audience, self.hashes[row]]
        self.emails[row], self.hashes[row] = address.strip(), hash_of(address)
        self._by_hash[audience, self.hashes[row]] = row
        self.touch([row], now, lag)

    def erase(self, row: int) -> None:
        """Permanent deletion: in no listing, not found, and the address cannot be imported again."""
        audience = int(self.rows["audience"][row])
        self.forgotten.add((audience, self.hashes[row]))
        del self._by_hash[audience, self.hashes[row]]
        del self._by_contact[self.contacts[row]]
        self.rows["status"][row] = GONE
        for store in (self.merged, self.facts, self.events):
            store.pop(row, None)
        self.version += 1

    # --- listings

    def listed(
        self, audience: int, now: Millis, *, status: int | None = None, changed: Window = (None, None),
        opted: Window = (None, None), sort: str = "", down: bool = False, vip: bool = False,
    ) -> Rows:
        """Rows of a member listing, (since, before] for both windows; archived people only when asked for."""
        self.settle(now)
        key = (audience, status, changed, opted, sort, down, vip, self.version)
        if key not in self._known:
            if len(self._known) > 8 or any(one[-1] != self.version for one in self._known):
                self._known.clear()
            self._known[key] = self._selected(audience, status, changed, opted, sort, down, vip)
        return self._known[key]

    def _selected(
        self, audience: int, status: int | None, changed: Window, opted: Window, sort: str, down: bool, vip: bool,
    ) -> Rows:
        found = self._ordered(sort) if sort else np.arange(len(self.rows))
        states, indexed = self.rows["status"][found], self.rows["indexed"][found]
        kept = (self.rows["audience"][found] == audience) & (indexed >= 0)
        kept &= states == status if status is not None else (states != ARCHIVED) & (states != GONE)
        for name, (since, before) in (("indexed", changed), ("opted", opted)):
            values = self.rows[name][found]
            kept &= (values > since) if since is not None else True
            kept &= (values <= before) if before is not None else True
        kept &= self.rows["vip"][found] if vip else True
        chosen: Rows = found[kept]
        return chosen[::-1] if down else chosen

    def _ordered(self, sort: str) -> Rows:
        return self.rows.order({"last_changed": "indexed", "timestamp_opt": "opted", "timestamp_signup": "signup"}[sort])
