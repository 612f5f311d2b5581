"""One contact as the oracle sees it, read from the store: for `explain`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from sync.config.model import Config
from sync.evaluate.everybody import EverybodyIn
from sync.evaluate.from_store import StoreSnapshot
from sync.evaluate.run import snapshot_of
from sync.language.kept import Kept
from sync.language.needs import needs
from sync.language.nodes import Node, walk
from sync.language.person import ConsentFact, Event, MembershipFact, Move, Past, Person
from sync.language.values import Path, decode
from sync.model import canonical_email
from sync.source import Origin
from sync.store import history
from sync.store.columns import TEXTS, TOLD, together
from sync.store.store import Store


def contact_of(store: Store, address: str) -> int | None:
    """The contact that *address* leads to, or None."""
    email = canonical_email(address)
    row = store.one("select contact from addresses where address = ?", email) if email else None
    return int(row[0]) if row else None


def person_of(store: Store, config: Config, sources: Mapping[str, Origin], contact: int) -> Person:
    """Everything that the config's rules may ask about *contact*."""
    rules = {name: segment.rule for name, segment in config.segments.items()}
    since, key = store.rows("select known_since, sample_key from contacts where id = ?", contact)[0]
    snapshot = snapshot_of(store, config, sources, rules.values())
    return Person(
        fields=_fields(snapshot, contact, {path for rule in rules.values() for path in needs(rule).fields}),
        events=_events(store, contact), consents=_consents(store, contact), memberships=_memberships(snapshot, contact),
        moves=_moves(snapshot, contact, {name for rule in rules.values() for name in needs(rule).moves}),
        pasts={need.path: _pasts(snapshot, contact, need.path) for rule in rules.values() for need in needs(rule).pasts},
        kept=_kept(snapshot, contact, rules.values()), known_since=since, sample_key=key, rules=rules,
        contact=contact, addresses=_addresses(store, contact), everybody=EverybodyIn(snapshot, rules),
    )


def _addresses(store: Store, contact: int) -> tuple[str, ...]:
    return tuple(address for (address,) in store.rows("select address from addresses where contact = ? order by address", contact))


def _fields(snapshot: StoreSnapshot, contact: int, paths: set[Path]) -> dict[str, Any]:
    """The fields that rules name, nested by their parts: the very values that the full pass reads."""
    found: dict[str, Any] = {}
    for path in paths:
        text = snapshot.fields(path)[contact].as_py()
        if text is not None:
            _put(found, path, decode(text))
    return found


def _put(record: dict[str, Any], path: Path, value: Any) -> None:
    for part in path[:-1]:
        record = record.setdefault(part, {})
    record[path[-1]] = value


def _events(store: Store, contact: int) -> tuple[Event, ...]:
    connections = dict(store.rows("select id, name from connections"))
    return tuple(
        Event(name, at, together(texts, decode), str(hash_), connections.get(connection, ""), source or "")
        for name, at, hash_, connection, source, *texts in history.of_contact(store, contact, (*TOLD, *TEXTS))
    )


def _consents(store: Store, contact: int) -> tuple[ConsentFact, ...]:
    rows = store.rows(
        "select c.name, s.channel, s.state, s.scope, s.suppressed, coalesce(s.at, s.seen) from consents s "
        "join connections c on c.id = s.connection join profiles p on p.connection = s.connection and p.id = s.profile "
        "where p.contact = ? and p.state != 'gone'", contact,
    )
    return tuple(
        ConsentFact(connection, channel, state, scope, bool(suppressed), at) for connection, channel, state, scope, suppressed, at in rows
    )


def _memberships(snapshot: StoreSnapshot, contact: int) -> tuple[MembershipFact, ...]:
    return tuple(
        MembershipFact(row["connection"], row["kind"], row["name"], row["audience"], row["at"])
        for row in snapshot.memberships().to_pylist() if row["contact"] == contact
    )


def _kept(snapshot: StoreSnapshot, contact: int, rules: Iterable[Node]) -> dict[str, bool]:
    names = [node.name for rule in rules for node in walk(rule) if isinstance(node, Kept)]
    members = {name: snapshot.kept(name) for name in names}
    return {name: contact in found for name, found in members.items() if found is not None}


def _pasts(snapshot: StoreSnapshot, contact: int, path: Path) -> tuple[Past, ...]:
    return tuple(
        Past(row["at"], None if row["value"] is None else decode(row["value"]), row["changed"])
        for row in snapshot.pasts(path).to_pylist() if row["contact"] == contact
    )


def _moves(snapshot: StoreSnapshot, contact: int, segments: set[str]) -> tuple[Move, ...]:
    return tuple(
        Move(name, row["at"], row["entered"])
        for name in sorted(segments) for row in snapshot.moves(name).to_pylist() if row["contact"] == contact
    )


def native_events(store: Store) -> list[tuple[str, int, int, int]]:
    """Event names with how many there are, the first and the last moment."""
    return history.totals(store)


def decode_summary(text: str | None) -> dict[str, Any]:
    """A run's summary as it was kept."""
    found: dict[str, Any] = orjson.loads(text) if text else {}
    return found
