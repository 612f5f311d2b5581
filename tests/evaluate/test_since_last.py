"""`since: {last: …}`: what counts begins right after the person's latest such event, to the millisecond."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sync.evaluate.from_people import snapshot_of
from sync.evaluate.full_pass import full_pass
from sync.evaluate.turns import NEVER
from sync.evaluate.world import World
from sync.language.describe import describe
from sync.language.explain import explain
from sync.language.happened import Happened
from sync.language.parser import event_hints
from sync.language.person import Event, Person
from tests.language.support import NOW, SCOPE, rule

HOUR = 3_600_000
OPENED = "{event: page_viewed, since: {last: email_opened}}"


def person(*events: tuple[str, int], **properties: object) -> Person:
    return Person(events=tuple(Event(name, NOW + when, properties) for name, when in events))


def answers(text: str, *people: Person) -> list[bool]:
    """What the oracle says of each; the full pass must say the same."""
    node = rule(text)
    slow = [node.matches(each, NOW) for each in people]
    fast = full_pass(snapshot_of(people, [node]), {"first": node}, NOW)
    assert fast.members["first"].tolist() == slow
    return slow


def test_only_what_comes_after_the_latest_one_counts() -> None:
    opened = ("email_opened", -HOUR)
    around = [person(opened, ("page_viewed", -HOUR + beside)) for beside in (-1, 0, 1)]
    assert answers(OPENED, *around) == [False, False, True]
    assert answers(OPENED, person(("email_opened", -9 * HOUR), ("page_viewed", -5 * HOUR), opened)) == [False]


def test_whoever_has_none_is_asked_about_everything() -> None:
    assert answers(OPENED, person(("page_viewed", -900 * HOUR)), person()) == [True, False]
    never = "{event: page_viewed, since: {last: email_opened}, count: 0}"
    assert answers(never, person(), person(("email_opened", -1))) == [True, True]


def test_an_event_that_is_still_to_come_begins_nothing() -> None:
    viewed = ("page_viewed", -HOUR)
    assert answers(OPENED, *(person(viewed, ("email_opened", when)) for when in (-1, 0, 1))) == [False, False, True]


def test_the_last_one_may_be_of_several_names_and_is_a_humans_where_those_are_asked() -> None:
    either = "{event: page_viewed, since: {last: [email_opened, 'order_*']}}"
    assert answers(either, person(("email_opened", -HOUR), ("page_viewed", -9), ("order_placed", -5))) == [False]
    machine = replace(person(("page_viewed", -HOUR)), events=(
        Event("page_viewed", NOW - HOUR), Event("email_opened", NOW - 5, {"machine": True})))
    assert answers(OPENED.replace("}}", "}, human: true}"), machine) == [True]
    assert answers(OPENED, machine) == [False]


def test_an_end_may_stand_beside_it() -> None:
    until = "{event: page_viewed, since: {last: email_opened}, until: 2026-06-15T11:00Z}"
    viewed = [person(("email_opened", -2 * HOUR), ("page_viewed", -HOUR + beside)) for beside in (-1, 0)]
    assert answers(until, *viewed) == [True, False]


@pytest.mark.parametrize(("events", "turn"), [
    ([("page_viewed", -5)], None), ([("page_viewed", -5), ("email_opened", 7)], 7), ([("page_viewed", 3), ("email_opened", 7)], 3),
    ([("email_opened", -9)], None), ([("email_opened", 0)], None), ([("email_opened", 1)], 1), ([("page_viewed", 0)], None),
])
def test_an_answer_stands_until_the_next_of_either_kind(events: list[tuple[str, int]], turn: int | None) -> None:
    node, who = rule(OPENED), person(*events)
    assert node.turn(who, NOW) == (None if turn is None else NOW + turn)
    assert World(snapshot_of([who], [node]), NOW, {}).turns(node).tolist() == [NEVER if turn is None else NOW + turn]


def test_it_is_told_in_words_with_the_event_it_counts_from() -> None:
    node, who = rule(OPENED), person(("email_opened", -HOUR), ("page_viewed", -5))
    assert describe(node) == "page_viewed, since the last email_opened"
    told = explain(node, who, NOW)
    assert told.value == "1 event, after 2026-06-15T11:00:00.000Z"
    assert [event.type for event in told.events] == ["email_opened", "page_viewed"]
    assert explain(node, person(), NOW).value == "0 events, ever"
    assert event_hints(node, ["page_viewed", "email_open"]) == ["no event 'email_opened' has been seen so far; did you mean 'email_open'?"]


def test_conditions_with_and_without_it_do_not_share_what_they_counted() -> None:
    plain, since = rule("event: page_viewed", SCOPE), rule(OPENED)
    who = person(("page_viewed", -HOUR), ("email_opened", -5))
    world = World(snapshot_of([who], [plain, since]), NOW, {})
    world.scan([plain, since])
    assert isinstance(since, Happened)
    assert [bool(np.all(world.mask(node))) for node in (plain, since)] == [True, False]
