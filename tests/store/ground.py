"""Real stores for tests, and short words to fill and to read them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from connectors.base import Consent, ConsentState, Event, EventName, Profile, ProfileId
from sync.store import facts, history, people
from sync.store.columns import TEXTS, together
from sync.store.naming import Naming
from sync.store.store import Store

NOW = 1_700_000_000_000
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
NAMES = ("mailchimp", "hubspot", "klaviyo")
GRANTED = (Consent("email", ConsentState.GRANTED),)
WITHDRAWN = (Consent("email", ConsentState.WITHDRAWN),)
SHOP = {"Placed Order": EventName("order_placed", {"order_id": "OrderId", "value": "$value"})}


@contextmanager
def new_store() -> Iterator[Store]:
    """A store of its own, gone afterwards; for tests that need many."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder, Store.writer(Path(folder) / "store.db") as store:
        connected(store)
        yield store


def connected(store: Store) -> Store:
    """*store* with three connections, numbered 1 to 3."""
    assert [store.connection(name, name) for name in NAMES] == [1, 2, 3]
    return store


def profile(name: str, email: str | None = None, fields: dict[str, Any] | None = None, **more: Any) -> Profile:
    more["absorbed"] = tuple(map(ProfileId, more.get("absorbed", ())))
    return Profile(ProfileId(name), email, fields or {}, more.pop("consent", GRANTED), **more)


def event(source: str, native: str = "Placed Order", at: int = NOW, /, **more: Any) -> Event:
    """About profile p1, unless said otherwise."""
    properties = more.pop("properties", {})
    if "email" not in more:
        more["profile"] = ProfileId(more.get("profile", "p1"))
    return Event(source, native, at, properties, **more)


def naming(connection: int, **more: Any) -> Naming:
    return Naming(NAMES[connection - 1], more.pop("names", SHOP), **more)


def write(store: Store, connection: int, *profiles: Profile, sweep: int = 0, **more: Any) -> people.Joined:
    """One page of profiles, with the events that waited for them."""
    with store.transaction() as db:
        joined = people.write_profiles(db, connection, NAMES[connection - 1], profiles, NOW, sweep)
        namings = {number: naming(number, **more) for number in (1, 2, 3)}
        facts.join_strays(db, connection, joined.profiles, joined.addresses, namings)
    return joined


def tell(store: Store, connection: int, *events: Event, **more: Any) -> facts.Written:
    """One page of events."""
    with store.transaction() as db:
        return facts.write_events(db, connection, events, naming(connection, **more))


def settle(store: Store, connection: int = 1) -> tuple[int, int]:
    with store.transaction() as db:
        return people.settle(db, connection, NOW)


def contact_of(store: Store, connection: int, name: str) -> int:
    return int(store.rows("select contact from profiles where connection = ? and id = ?", connection, name)[0][0])


def owner_of(store: Store, address: str) -> tuple[int, str] | None:
    row = store.one("select contact, role from addresses where address = ?", address)
    return (row[0], row[1]) if row else None


def partition(store: Store) -> frozenset[frozenset[tuple[int, str]]]:
    """Which profiles are one person."""
    found: dict[int, set[tuple[int, str]]] = {}
    for connection, name, contact in store.rows("select connection, id, contact from profiles"):
        found.setdefault(contact, set()).add((connection, name))
    return frozenset(map(frozenset, found.values()))


def facts_of(store: Store) -> list[tuple[str, int, str, dict[str, Any]]]:
    """(event, time, a name for its contact, properties) of every fact, sorted; free of numbers that depend on order."""
    found = []
    for (contact,) in store.rows("select id from contacts where merged_into is null"):
        (who,) = store.rows("select coalesce(min(connection || ':' || id), '') from profiles where contact = ?", contact)[0]
        rows = history.of_contact(store, contact, TEXTS)
        found += [(name, at, who, together(texts)) for name, at, _, *texts in rows]
    return sorted(found, key=repr)


def everything(store: Store) -> dict[str, list[Any]]:
    """What a store says, free of numbers that depend on the order in which it was told."""
    return {
        "people": sorted(map(sorted, partition(store))),
        "profiles": store.rows(
            "select connection, id, audience, address, email, state, mailable, updated, fields from profiles order by 1, 2",
        ),
        "consents": store.rows("select * from consents order by 1, 2, 3, 4"),
        "facts": facts_of(store),
        "records": store.rows("select connection, source, at, same, properties from records order by 1, 2"),
        "strays": store.rows("select connection, source, profile, address from strays order by 1, 2"),
    }


def split(rows: Sequence[Any], at: Iterable[int]) -> list[Sequence[Any]]:
    """*rows* as pages that end at the places *at*."""
    ends = sorted({place for place in at if 0 < place < len(rows)})
    return [rows[start:end] for start, end in zip([0, *ends], [*ends, len(rows)], strict=True)]
