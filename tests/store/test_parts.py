"""Records that profiles hold among their fields: whose they are, through changes, merges and rewritten profiles."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.base import Event, EventName, Part, ProfileId
from sync.store import facts, parts, pasts, people
from sync.store.fields import FieldSource, values
from sync.store.naming import Naming
from sync.store.store import Store
from tests.store.ground import NOW, connected, profile, write

HUBSPOT = 2
WON = "deals.closed_won"
NAMING = Naming("hubspot", {WON: EventName("deal_won", {"value": "amount"})}, {"deal_won": "hs_object_id"})
DEALS = FieldSource(HUBSPOT, ("deals",), neutral=False)


@pytest.fixture
def shop(store: Store) -> Store:
    connected(store)
    write(store, HUBSPOT, profile("101", "a@x.example", {"city": "Bern"}), profile("102", "b@x.example"))
    return store


def deal(own: str, *people: str, at: int = NOW, won: bool = True, **said: str) -> Part:
    value = {"hs_object_id": own, **said}
    fact = Event(f"deal:{own}", WON, at, value, None, None, True, not won)
    return Part("deals", own, tuple(map(ProfileId, people)), value, fact)


def gone(own: str) -> Part:
    return Part("deals", own, (), None, Event(f"deal:{own}", WON, 0, {}, None, None, True, True))


def tell(store: Store, *told: Part, naming: Naming = NAMING, now: int = NOW, sweep: int = 0) -> None:
    with store.transaction() as db:
        facts.write_events(db, HUBSPOT, parts.write(db, HUBSPOT, told, naming, now, sweep), naming)


def held(store: Store) -> dict[int, list[str]]:
    """Contact → ids of its deals, in their order."""
    return {contact: [one["hs_object_id"] for one in json.loads(text)] for contact, (text, _) in values(store.db, [DEALS]).items()}


def won(store: Store) -> list[tuple[int, int]]:
    return store.rows("select e.contact, e.at from events e join event_types t on t.id = e.type where t.name = 'deal_won' order by 1, 2")


def fields(store: Store, own: str) -> Any:
    return json.loads(store.rows("select fields from profiles where connection = 2 and id = ?", own)[0][0])


def test_a_deal_stands_in_the_fields_of_everybody_it_belongs_to(shop: Store) -> None:
    tell(shop, deal("9", "101"), deal("10", "101", "102", amount="12.50"))
    assert held(shop) == {0: ["9", "10"], 1: ["10"]}
    assert won(shop) == [(0, NOW), (0, NOW), (1, NOW)]
    assert fields(shop, "101")["city"] == "Bern"
    assert fields(shop, "102")["deals"] == [{"hs_object_id": "10", "amount": "12.50"}]


def test_a_deal_that_changes_hands_leaves_the_one_who_had_it(shop: Store) -> None:
    tell(shop, deal("9", "101", "102"))
    tell(shop, deal("9", "102"))
    assert held(shop) == {1: ["9"]}
    assert won(shop) == [(1, NOW)]


def test_a_deal_that_is_no_longer_won_is_no_event_and_still_a_deal(shop: Store) -> None:
    tell(shop, deal("9", "101"))
    tell(shop, deal("9", "101", won=False, dealstage="closedlost"))
    assert (held(shop), won(shop)) == ({0: ["9"]}, [])
    tell(shop, deal("9", "101", at=NOW - 5))
    assert won(shop) == [(0, NOW - 5)]


def test_a_close_date_that_is_edited_moves_the_event(shop: Store) -> None:
    tell(shop, deal("9", "101"))
    tell(shop, deal("9", "101", at=NOW - 1))
    assert won(shop) == [(0, NOW - 1)]


def test_an_archived_deal_takes_its_event_and_the_last_one_the_field(shop: Store) -> None:
    tell(shop, deal("9", "101", "102"), deal("10", "101"))
    tell(shop, gone("9"))
    assert (held(shop), won(shop)) == ({0: ["10"]}, [(0, NOW)])
    tell(shop, gone("10"), gone("77"))
    assert (held(shop), won(shop)) == ({}, [])
    assert fields(shop, "101") == {"city": "Bern"}


def test_the_last_word_of_a_page_counts(shop: Store) -> None:
    tell(shop, deal("9", "101"), deal("9", "102"))
    assert (held(shop), won(shop)) == ({1: ["9"]}, [(1, NOW)])


def test_a_profile_that_is_written_anew_keeps_its_deals(shop: Store) -> None:
    tell(shop, deal("9", "101"))
    write(shop, HUBSPOT, profile("101", "a@x.example", {"city": "Wien"}))
    assert fields(shop, "101") == {"city": "Wien", "deals": [{"hs_object_id": "9"}]}


def test_deals_of_somebody_unknown_wait_for_them(shop: Store) -> None:
    tell(shop, deal("9", "103"))
    assert (held(shop), won(shop)) == ({}, [])
    with shop.transaction() as db:
        joined = people.write_profiles(db, HUBSPOT, "hubspot", [profile("103", "c@x.example")], NOW, 0)
        facts.join_strays(db, HUBSPOT, joined.profiles, joined.addresses, {HUBSPOT: NAMING})
    assert (held(shop), won(shop)) == ({2: ["9"]}, [(2, NOW)])


def test_contacts_that_merge_bring_their_deals_and_a_shared_one_counts_once(shop: Store) -> None:
    tell(shop, deal("9", "101"), deal("10", "102"), deal("11", "101", "102"))
    write(shop, HUBSPOT, profile("101", "a@x.example", absorbed=["102"]))
    with shop.transaction() as db:
        people.settle(db, HUBSPOT, NOW)
    assert held(shop) == {0: ["9", "10", "11"]}
    assert won(shop) == [(0, NOW)] * 3
    tell(shop, deal("10", "101"), deal("11", "101"))                # as the platform tells it after its own merge
    assert held(shop) == {0: ["9", "10", "11"]}
    assert won(shop) == [(0, NOW)] * 3
    tell(shop, deal("11", "101", won=False))
    assert won(shop) == [(0, NOW)] * 2


def test_without_a_name_in_the_config_a_won_deal_is_no_event(shop: Store) -> None:
    tell(shop, deal("9", "101"), naming=Naming("hubspot", {}))
    assert held(shop) == {0: ["9"]}
    assert shop.rows("select count(*) from events") == [(0,)]


def test_what_the_deals_were_before_is_kept_where_a_rule_asks(shop: Store) -> None:
    pasts.agree(shop, {"hubspot.deals": pasts.Wanted((DEALS,), None)}, NOW)
    tell(shop, deal("9", "101"), now=NOW + 10)
    told = shop.rows("select contact, value, changed from pasts where value is not null")
    assert told == [(0, '[{"hs_object_id":"9"}]', 1)]


def test_a_hostile_deal_is_made_harmless(shop: Store) -> None:
    tell(shop, deal("9\0", "101\0", "101", "", dealname="\ud800"))
    assert fields(shop, "101")["deals"][0]["dealname"] == "\ufffd"


def test_a_record_that_a_complete_look_does_not_show_is_no_more(shop: Store) -> None:
    tell(shop, deal("9", "101"), deal("10", "102"), deal("11", "101", "102"), sweep=3)
    tell(shop, deal("9", "101"), sweep=4)
    tell(shop, deal("11", "101", amount="5"), sweep=5)
    assert parts.known(shop.db, HUBSPOT, "deals") == 3
    lost = parts.unseen(shop.db, HUBSPOT, "deals", NAMING, 4)
    assert [(each.id, each.value) for each in lost] == [("10", None)]
    tell(shop, *lost, sweep=4)
    assert (held(shop), won(shop)) == ({0: ["9", "11"]}, [(0, NOW), (0, NOW)])
    assert parts.unseen(shop.db, HUBSPOT, "orders", NAMING, 9) == []
    tell(shop, *parts.unseen(shop.db, HUBSPOT, "deals", Naming("hubspot", {}), 9), naming=Naming("hubspot", {}), sweep=9)
    assert held(shop) == {}
