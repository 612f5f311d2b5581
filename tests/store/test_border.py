"""One odd record stops no page, and what is stored of it can be read again."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from connectors.base import Consent, ConsentState
from sync.store import border
from sync.store.store import Store
from tests.store.ground import NOW, event, facts_of, partition, profile, tell, write

LONE = "\ud83d"
DEEP: Any = []
for _ in range(5000):
    DEEP = [DEEP]

HOSTILE: dict[str, tuple[Any, Any]] = {
    "a lone surrogate": (f"x{LONE}y", "x\ufffdy"),
    "a pair of surrogates": ("\ud83d\ude00", "\U0001f600"),
    "NUL": ("a\0b", "a\0b"),
    "NUL beside a surrogate": (f"a\0{LONE}", "a\0\ufffd"),
    "a large integer": (2**63, 2**63),
    "a huge integer": (2**64, float(2**64)),
    "an endless integer": (10**400, None),
    "a huge negative integer": (-(2**63) - 1, -float(2**63)),
    "NaN": (float("nan"), None),
    "an infinity": (float("-inf"), None),
    "five megabytes": ("x" * 5_000_000, "x" * 5_000_000),
    "a key that is no text": ({1: {LONE: 2}}, {"1": {"\ufffd": 2}}),
    "something that is no JSON": (b"\xff", "b'\\xff'"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_an_odd_value_is_stored_as_what_it_can_be(store: Store, kind: str) -> None:
    given, kept = HOSTILE[kind]
    write(store, 1, profile("p1", "one@example.com", {"odd": given}), profile("p2"))
    tell(store, 1, event("e1", properties={"odd": given}), event("e2", properties={"$value": given, "OrderId": "1"}),
         event("e3", properties={"odd": given}, profile="p3"), event("e4", properties={"OrderId": given}, mutable=True),
         same={"order_placed": "order_id"})
    write(store, 1, profile("p3"), same={"order_placed": "order_id"})
    assert orjson.loads(store.rows("select fields from profiles where id = 'p1'")[0][0]) == {"odd": kept}
    found = {text for (text,) in store.rows("select properties from events")}
    assert len(facts_of(store)) == 4
    assert sum(orjson.loads(text) == {"odd": kept} for text in found) >= 1
    assert store.rows("select json_valid(fields) from profiles") == [(1,)] * 3
    assert store.rows("select min(json_valid(properties)) from events") == [(1,)]


def test_what_is_nested_without_end_is_cut_off(store: Store) -> None:
    write(store, 1, profile("p1", None, {"deep": DEEP, "a": 1}))
    tell(store, 1, event("e1", properties={"deep": DEEP, "a": 1}))
    assert store.rows("select fields ->> '$.a' from profiles union all select properties ->> '$.a' from events") == [(1,), (1,)]


@pytest.mark.parametrize("odd", [LONE, "a\0b", f"ö{LONE}", "\0"])
def test_odd_ids_find_themselves_again(store: Store, odd: str) -> None:
    who = profile(odd, "one@example.com", audience=odd, consent=(Consent("email", ConsentState.GRANTED, scope=odd),))
    for _ in range(2):
        write(store, 1, who)
        tell(store, 1, event(odd, odd, profile=odd), event("e2", "Placed Order", mutable=True, profile=odd))
    assert len(partition(store)) == 1
    assert len(facts_of(store)) == 2
    write(store, 1, profile("p2", absorbed=[odd]))
    assert store.rows("select count(*) from profiles where state = 'gone'") == [(1,)]


@pytest.mark.parametrize("odd", [f"{LONE}@example.com", "a\0b@example.com"])
def test_a_broken_address_is_none_and_joins_nobody(store: Store, odd: str) -> None:
    write(store, 1, profile("p1", odd), profile("p2", odd, aliases=(odd, "good@example.com")))
    assert store.rows("select address from addresses") == [("good@example.com",)]
    assert tell(store, 1, event("e1", email=odd)).refused == 1


@pytest.mark.parametrize("at", [2**63, -(2**63) - 1, 10**18, border.LATEST + 1, border.EARLIEST - 1, float("nan"), None, "2026-01-01"])
def test_an_event_at_no_possible_time_is_left_out_and_counted(store: Store, at: Any) -> None:
    write(store, 1, profile("p1"))
    told = tell(store, 1, event("e1", "Viewed", at), event("e2", "Viewed"))
    assert (told.new, told.refused) == (1, 1)


@pytest.mark.parametrize("at", [0, -1, border.EARLIEST, border.LATEST])
def test_an_event_of_long_ago_or_far_ahead_is_kept(store: Store, at: int) -> None:
    write(store, 1, profile("p1"))
    assert tell(store, 1, event("e1", "Viewed", at)).new == 1


def test_records_without_an_id_are_left_out_and_counted(store: Store) -> None:
    assert write(store, 1, profile(""), profile("p1")).refused == 1
    assert tell(store, 1, event(""), event("e1"), event("e2")._replace(profile=None)).refused == 2
    assert len(partition(store)) == 1


def test_times_of_profiles_that_no_calendar_has_are_unknown(store: Store) -> None:
    write(store, 1, profile("p1", updated=2**63, created=2**70, consent=(Consent("email", ConsentState.GRANTED, at=10**30),)))
    assert store.rows("select updated from profiles") == [(None,)]
    assert store.rows("select at from consents") == [(None,)]


def test_what_is_in_order_is_passed_on_untouched() -> None:
    given = event("e1", properties={"ä": "ö"}, profile="pö")
    assert border.event(given) == given
    who = profile("pö", "Jö@example.com", {"a": 1}, updated=NOW, absorbed=["p2"])
    assert border.profile(who) == who
    assert border.json_text({"b": 1, "a": "ö\n"}) == '{"b":1,"a":"ö\\n"}'
