"""Sealed events are the same events: nothing is lost, doubled or changed, whatever happens between."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import DAY, Event, EventName
from sync.evaluate.from_store import StoreSnapshot
from sync.insight.person import native_events
from sync.language.values import Path
from sync.store import history
from sync.store.columns import TEXTS
from sync.store.sealing import Sealed, seal
from sync.store.store import Store
from tests.store.ground import NOW, SHOP, event, everything, new_store, profile, settle, tell, write

SAME = {"same": {"order_placed": "order_id"}, "names": {**SHOP, "Viewed": EventName("page_viewed")}}
PATHS: tuple[Path, ...] = (("value",), ("order_id",), ("plan",), ("item", "sku"), ("value", "x"), ("odd\"",), ("none",))
WANTED: tuple[Path, ...] = (("plan",), ("item", "sku"), ("value", "x"), ("odd\"",))


def sealed(store: Store, now: int = NOW, wanted: tuple[Path, ...] = (), **keep: int) -> Sealed:
    return seal(store, lambda name: wanted, keep, now)


# --- random histories -------------------------------------------------------------------------------------------------


def step(rng: Random) -> Any:
    """One page of one connection: events new and told again, records that change, people who turn out to be one."""
    what = rng.random()
    if what < 0.12:
        number = rng.randint(0, 5)
        absorbed = [f"p{rng.randint(0, 5)}"] if rng.random() < 0.4 else []
        return ("people", 1, [profile(f"p{number}", f"a{rng.randint(0, 7)}@example.com", absorbed=absorbed)])
    return ("events", rng.choice([1, 2, 3]), [told(rng) for _ in range(rng.randint(1, 12))])


def told(rng: Random) -> Event:
    number = rng.randint(0, 40)
    chance = Random(number)                         # a plain event is told alike each time
    at = NOW - chance.randint(0, 130) * DAY // 2 + chance.choice([0, 0, 0, 1])
    properties: dict[str, Any] = {"OrderId": chance.choice([1, 2, "3", None]), "plan": chance.choice(["a", "ö", None, 1.50, True])}
    properties |= {"$value": chance.choice([1, 2.5, {"x": 1}, "9"]), "item": {"sku": chance.choice([[1], "s"])}, 'odd"': {"b": 1, "a": 2}}
    known = chance.random() < 0.7
    who: dict[str, Any] = {"profile": f"p{chance.randint(0, 7)}"} if known else {"email": f"a{chance.randint(0, 5)}@example.com"}
    native = chance.choice(["Placed Order", "Viewed", "Other"])
    made = event(f"e{number}", native, at, properties=properties, **who)
    if chance.random() < 0.4:
        made = made._replace(mutable=True, at=at + rng.choice([0, 0, DAY]), removed=rng.random() < 0.2)
    elif rng.random() < 0.05:
        made = made._replace(mutable=True, removed=True)
    return made


def take(store: Store, page: Any) -> None:
    what, connection, rows = page
    if what == "people":
        write(store, connection, *rows, **SAME)
        settle(store, connection)
    else:
        tell(store, connection, *rows, **SAME)


def seen(store: Store) -> Any:
    """What everybody who reads events sees."""
    snapshot = StoreSnapshot(store, {}, {}, {})
    types = snapshot.event_types()
    tables = {name: snapshot.events([name], PATHS) for name in types}
    for table in tables.values():
        assert table.column("at").to_pylist() == sorted(table.column("at").to_pylist())
    return {
        "types": types, "events": {name: sorted(table.to_pylist(), key=repr) for name, table in tables.items()},
        "everything": everything(store), "totals": native_events(store),
        "people": [history.of_contact(store, who, TEXTS) for (who,) in store.rows("select id from contacts where merged_into is null")],
    }


@settings(max_examples=15, deadline=None, derandomize=True, database=None)
@given(seed=st.integers(0, 10**9))
def test_a_store_that_seals_at_any_time_says_what_one_that_never_seals_says(seed: int) -> None:
    rng = Random(seed)
    with new_store() as plain, new_store() as sealing:
        for number in range(6):
            for store in (plain, sealing):
                write(store, 1, profile(f"p{number}", f"a{number}@example.com"))
        now = NOW - 40 * DAY
        for _ in range(rng.randint(3, 25)):
            page = step(rng)
            take(plain, page)
            take(sealing, page)
            if rng.random() < 0.4:
                now += rng.randint(0, 40) * DAY // 4
                sealed(sealing, now, WANTED if rng.random() < 0.5 else ())
                if rng.random() < 0.5:
                    assert seen(sealing) == seen(plain)
        assert seen(sealing) == seen(plain)
