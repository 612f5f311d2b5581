"""Whom a target leaves alone while it is not known who is who, and what counts as granted."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import Consent, ConsentState
from sync.cli.show import show_plan
from sync.store import people
from tests.reconcile.platform import pid
from tests.reconcile.town import GRANTED, UNREADABLE, VIP, WITHDRAWN, Town
from tests.store.ground import contact_of, new_store, profile, write

KEY = "vip/klaviyo/list"
MANY = people.MOST_MERGES + 1
OF_HUBSPOT = "segments:\n  vip: {contact: {hubspot.plan: gold}, sync: {hubspot: {list: VIP%s}}}\n"


def doubled(town: Town, count: int, *consent: Consent) -> None:
    """So many people whom Klaviyo and HubSpot know by different addresses, until they correct them in HubSpot."""
    hubspot = town.toys["hubspot"]
    for number in range(count):
        town.person(number)
        town.person(1000 + number, on="hubspot", consent=consent)
    town.pulled()
    for number in range(count):
        changed = replace(hubspot.people[pid(1000 + number)], email=f"c{number}@example.com", updated=town.clock.now())
        hubspot.people[changed.id] = changed
    town.clock.advance(60)


def suspect(town: Town, *numbers: int) -> None:
    """Each of these people on HubSpot and the next may be one, which waits for a person."""
    hubspot = town.street.sources["hubspot"].number
    contacts = [contact_of(town.store, hubspot, pid(number)) for number in numbers]
    with town.store.transaction() as db:
        for one, other in pairwise(contacts):
            people.want_merge(db, hubspot, one, other, "merged on hubspot", town.clock.now())
        db.execute("update merges set held = 1")


@pytest.mark.parametrize("consent", [WITHDRAWN, UNREADABLE])
def test_who_may_be_one_person_with_somebody_kept_out_is_not_added_while_the_merges_are_held(town: Town, consent: Consent) -> None:
    doubled(town, MANY, consent)
    name, judged, _ = town.plan()
    town.apply(name)
    assert town.store.rows("select count(*) from merges where held") == [(MANY,)]
    assert judged[KEY].plan.frozen == MANY
    assert town.on() == set()


def test_who_may_be_one_person_with_somebody_barred_is_not_added_while_a_pull_does_not_reach_its_end(town: Town) -> None:
    doubled(town, 1, WITHDRAWN)
    source = town.street.sources["hubspot"]
    streams = (*source.capabilities.streams, replace(source.capabilities.streams[0], name="archived"))
    town.street.sources["hubspot"] = replace(source, capabilities=replace(source.capabilities, streams=streams))
    town.toys["hubspot"].broken.add("archived")
    name, judged, _ = town.plan()
    town.apply(name)
    assert (judged[KEY].plan.barred, judged[KEY].plan.frozen, town.on()) == (0, 1, set())
    town.toys["hubspot"].broken.clear()
    _, judged, _ = town.plan()
    assert (judged[KEY].plan.barred, judged[KEY].plan.frozen) == (1, 0), "one person now, and barred"


def test_a_mass_merge_takes_nobody_off(town: Town) -> None:
    for number in range(MANY):
        town.person(number)
    town.apply(town.plan()[0], {(KEY, "adds")})
    doubled(town, MANY, WITHDRAWN)
    assert town.sync()[0]["removed"] == 0
    assert len(town.on()) == MANY


def test_held_merges_of_people_who_are_not_barred_hold_up_nobody(town: Town) -> None:
    doubled(town, MANY, GRANTED)
    town.apply(town.plan()[0])
    assert len(town.on()) == MANY


def test_a_chain_of_held_merges_freezes_everybody_on_it_but_who_is_barred(town: Town) -> None:
    town.configure(OF_HUBSPOT % "")
    for number in range(5):
        town.person(number, on="hubspot", consent=[WITHDRAWN] if number == 2 else [GRANTED])
    town.pulled()
    suspect(town, 0, 1, 2)
    name, judged, _ = town.plan(offline=True)
    assert (judged["vip/hubspot/list"].plan.barred, judged["vip/hubspot/list"].plan.frozen) == (1, 2)
    town.apply(name)
    assert town.on(connection="hubspot") == {"p3", "p4"}


def test_a_held_merge_with_somebody_who_left_a_subscription_type_freezes_on_targets_that_name_it(town: Town) -> None:
    town.configure(OF_HUBSPOT % ", subscription: news}, klaviyo: {list: All")
    for number in range(3):
        town.person(number, on="hubspot", consent=[Consent("email", ConsentState.WITHDRAWN, "news")] if number == 1 else [])
        town.person(number)
    town.pulled()
    suspect(town, 0, 1)
    town.apply(town.plan(offline=True)[0])
    assert town.on(connection="hubspot") == {"p2"}
    assert town.on("All") == {"p0", "p1", "p2"}


def test_the_plan_says_why_contacts_are_frozen(town: Town) -> None:
    doubled(town, MANY, WITHDRAWN)
    text = show_plan(town.plan()[2])
    assert f"{MANY} contacts frozen: their consent cannot be read, or they may be one person with somebody kept out" in text


def granted_for(*scopes: str) -> list[Consent]:
    return [Consent("email", ConsentState.UNKNOWN), *(Consent("email", ConsentState.GRANTED, scope) for scope in scopes)]


def test_a_grant_of_another_subscription_type_is_none_for_a_target_that_requires_it(town: Town) -> None:
    town.configure(OF_HUBSPOT % ", subscription: news, require: granted")
    town.person(0, on="hubspot", consent=granted_for("invoices"))
    town.person(1, on="hubspot", consent=granted_for("invoices", "news"))
    town.person(2, on="hubspot", consent=granted_for())
    town.person(2, consent=[GRANTED])
    name, judged, _ = town.plan()
    assert judged["vip/hubspot/list"].plan.barred == 1
    town.apply(name)
    assert town.on(connection="hubspot") == {"p1", "p2"}


def test_a_grant_of_one_type_counts_on_its_own_connection_only(town: Town) -> None:
    town.configure(VIP.replace("{list: VIP}", "{list: VIP, require: granted}"))
    town.person(0)
    town.person(0, on="hubspot", consent=granted_for("news", "t1"))
    town.apply(town.plan()[0])
    assert town.on() == set()


def test_without_a_type_only_a_grant_of_everything_will_do_whatever_the_lists_id(town: Town) -> None:
    town.configure(OF_HUBSPOT % ", require: granted")
    town.person(0, on="hubspot", consent=granted_for("t1"))
    town.person(1, on="hubspot", consent=[GRANTED])
    town.apply(town.plan()[0])
    town.apply(town.plan()[0])
    assert town.toys["hubspot"].names == {"t1": "VIP"}
    assert town.on(connection="hubspot") == {"p1"}


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(seed=st.integers(0, 10**6))
def test_whom_merges_join_is_whom_the_slow_model_joins(seed: int) -> None:
    """Held or not, and after some of them were carried out."""
    rng = Random(seed)
    merges = [tuple(rng.sample(range(8), 2)) for _ in range(rng.randint(0, 6))]
    done = [tuple(rng.sample(range(8), 2)) for _ in range(rng.randint(0, 2))]
    joined = {who: frozenset([who]) for who in range(8)}
    for one, other in [*done, *merges]:
        both = joined[one] | joined[other]
        joined |= dict.fromkeys(both, both)
    with new_store() as store:
        write(store, 1, *(profile(f"p{number}") for number in range(8)))
        with store.transaction() as db:
            for pair in done:
                people.want_merge(db, 1, *pair, "merged on mailchimp", 0)
            people.settle(db, 1, 0)
            for pair in merges:
                people.want_merge(db, 1, *pair, "merged on mailchimp", 0)
            db.execute("update merges set held = id % 2")
            alive = {row[0] for row in db.execute("select id from contacts where merged_into is null")}
            found = people.unmerged(db)
    assert set(map(frozenset, found)) == {group & alive for group in joined.values() if len(group & alive) > 1}
