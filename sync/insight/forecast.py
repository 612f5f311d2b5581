"""When an answer changes although nothing happens: the walk from turn to turn until it really does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from connectors.base import Millis
from sync.language.describe import describe
from sync.language.needs import needs
from sync.language.nodes import InSegment, Node
from sync.language.person import Person
from sync.language.rank import needs_everybody
from sync.language.values import RuleFailure

MOST_TURNS = 2_000                                  # looked at for one forecast, fewer for long histories:
MOST_ORDERS = 10                                    # where a rank is asked, by this segment or another
MOST_WORK = 2_000_000                               # turns times events

Answer = bool | str                                 # whether it holds, or why that cannot be said


@dataclass(frozen=True, slots=True)
class Forecast:
    """What becomes of an answer if nothing happens. *at*: the first instant at which it is another one (*then*), None where
    there is none; *because*: the conditions that answer otherwise then. *known_until*: how far it was looked at where that
    was not to the end, None where it was."""

    at: Millis | None = None
    then: Answer = False
    because: tuple[str, ...] = ()
    known_until: Millis | None = None


def forecast(rule: Node, person: Person, now: Millis) -> Forecast:
    """When *rule* answers otherwise of *person* than at *now* if nothing happens."""
    person = replace(person, events=tuple(event for event in person.events if event.type in _types(rule, person)))
    before, at = answer(rule, person, now), now
    for _ in range(_turns(rule, person)):
        turn = rule.turn(person, at)
        if turn is None:
            return Forecast()
        after = answer(rule, person, turn)
        if after != before:
            return Forecast(turn, after, _turned(rule, person, now, turn))
        at = turn
    return Forecast(known_until=at)


def _turns(rule: Node, person: Person) -> int:
    """How many turns to look at: few where each puts everybody in order anew, fewer the longer the history is."""
    if any(needs_everybody(each) for each in (rule, *person.rules.values())):
        return MOST_ORDERS
    return max(50, min(MOST_TURNS, MOST_WORK // (len(person.events) + 1)))


def answer(node: Node, person: Person, now: Millis) -> Answer:
    """Whether *node* holds, or why that cannot be said."""
    try:
        return node.matches(person, now)
    except RuleFailure as failure:
        return str(failure)


def _types(rule: Node, person: Person) -> set[str]:
    """The event types among *person*'s that *rule*, and every rule it asks, may read."""
    asked, ahead = {rule}, [rule]
    while ahead:
        more = {person.rules[name] for name in needs(ahead.pop()).segments if name in person.rules} - asked
        asked |= more
        ahead += more
    wanted = [need.names for node in asked for need in needs(node).events]
    return {name for name in {event.type for event in person.events} if any(names.takes(name) for names in wanted)}


def _turned(rule: Node, person: Person, before: Millis, after: Millis) -> tuple[str, ...]:
    """The conditions, not made of others, that answer otherwise at *after* than at *before*."""
    leaves = dict.fromkeys(_leaves(rule, person, set()))
    return tuple(describe(leaf) for leaf in leaves if answer(leaf, person, before) != answer(leaf, person, after))


def _leaves(node: Node, person: Person, opened: set[str]) -> Iterator[Node]:
    """The conditions that are not made of others, those of the segments it asks among them. *opened*: segments met before."""
    below = node.children
    if isinstance(node, InSegment) and node.name in person.rules:
        below = () if node.name in opened else (person.rules[node.name],)
        opened.add(node.name)
    elif not below:
        yield node
    for child in below:
        yield from _leaves(child, person, opened)
