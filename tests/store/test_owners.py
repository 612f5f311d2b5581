"""Owners that are remembered from page to page are those that the record has."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.store import owners as remembered
from sync.store import people
from sync.store.owners import Owners
from sync.store.store import Store
from tests.store.ground import NOW, contact_of, new_store, profile, settle, write

ADDRESSES = [f"a{number}@shop.example" for number in range(5)]
SPELLED = [*ADDRESSES, "A1@Shop.example", " a2@shop.example", "a3@shop.example\na4@shop.example", "no address"]
PROFILES = [f"p{number}" for number in range(6)]


class Regret(Exception):
    """What makes a transaction undone."""


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_whoever_owned_something_before_does_not_still_own_it(seed: int) -> None:
    """Through new people, other addresses, merges, other connections, and transactions that are undone after they were asked in."""
    rng, known = Random(seed), Owners()
    with new_store() as store:
        for _ in range(12):
            told = [profile(rng.choice(PROFILES), rng.choice(ADDRESSES), aliases=tuple(rng.sample(ADDRESSES, rng.randint(0, 2))))
                    for _ in range(rng.randint(0, 3))]
            connection = rng.randint(1, 3)
            if rng.random() < 0.3:
                undone(store, known, connection, rng)
            write(store, connection, *told)
            same_as_looked_up_now(store, known, connection, rng)
            if rng.random() < 0.5:
                settle(store, connection)
            for number in (1, 2, connection):
                same_as_looked_up_now(store, known, number, rng)


def undone(store: Store, known: Owners, connection: int, rng: Random) -> None:
    """*known* is asked of people whom a transaction wrote that came to nothing."""
    try:
        with store.transaction():
            write_in_the_transaction(store, connection, rng)
            same_as_looked_up_now(store, known, connection, rng)
            raise Regret
    except Regret:
        pass


def write_in_the_transaction(store: Store, connection: int, rng: Random) -> None:
    told = [profile(rng.choice(PROFILES), rng.choice(ADDRESSES)) for _ in range(2)]
    people.write_profiles(store.db, connection, "shop", told, NOW, 0)
    people.settle(store.db, connection, NOW)


def same_as_looked_up_now(store: Store, known: Owners, connection: int, rng: Random) -> None:
    pairs = [(rng.choice([None, *PROFILES]), rng.choice([None, *SPELLED])) for _ in range(rng.randint(0, 8))]
    profiles, emails = [who for who, _ in pairs], [address for _, address in pairs]
    assert known.of(store.db, connection, profiles, emails) == Owners().of(store.db, connection, profiles, emails)


def test_what_is_remembered_is_not_looked_up_again(store: Store) -> None:
    write(store, 1, profile("p1", "a1@shop.example"))
    known, asked = Owners(), list[str]()
    found = contact_of(store, 1, "p1")
    assert known.of(store.db, 1, ["p1", None], [None, "a1@shop.example"]) == [found, found]
    store.db.set_trace_callback(asked.append)
    assert known.of(store.db, 1, ["p1", None], [None, "a1@shop.example"]) == [found, found]
    assert not [statement for statement in asked if "addresses" in statement or "profiles" in statement]


def test_not_more_is_remembered_than_there_is_room_for(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "MOST", 2)
    write(store, 1, *(profile(name) for name in PROFILES))
    known = Owners()
    for _ in range(3):
        for name in PROFILES:
            assert known.of(store.db, 1, [name], [None]) == [contact_of(store, 1, name)]
            assert len(known._profiles) <= 3
