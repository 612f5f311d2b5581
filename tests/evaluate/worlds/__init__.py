"""Random people and random rules that meet each other: values near what rules ask, times on the edges of their windows.

Everything draws from a `random.Random`, or from hypothesis's stand-in for one, which can shrink what it drew. Each kind of
condition has its room here; `LEAVES` holds them all by name, and `KINDS` what is made of them, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from sync.language.lists import OnList
from sync.language.nodes import Node
from sync.language.parse_traits import Shelf
from sync.language.parser import parse_rule
from sync.language.reader import RuleScope
from sync.located import Place, Problem
from tests.evaluate.worlds import about_events, about_fields, about_patterns, about_standing, about_traits
from tests.evaluate.worlds.about_events import window
from tests.evaluate.worlds.drawn import DAY, HOUR, SEGMENTS, SPANS, Quoted, Rule, located
from tests.evaluate.worlds.people import event, fields, person
from tests.language.support import BERLIN

__all__ = ["DAY", "HOUR", "KINDS", "LEAVES", "SCOPE", "SPANS", "Quoted", "Rule", "event", "fields", "leaf", "node_of", "person", "tree"]

GROUND = RuleScope(
    "tested", BERLIN, SEGMENTS, ("mailchimp", "hubspot", "klaviyo"),
    fields=("country", "plan", "points", "postcode", "day", "flag", "tags", "lines", "other", "known_since", "birthday", "location"),
)


def lists(file: str, place: Place) -> tuple[OnList, list[Problem]]:
    """The lists `few` and `many`: addresses of people with low and with most numbers."""
    last = {"few": 3, "many": 7}[file]
    return OnList(file, f"{file}'s digest", frozenset(f"person{number}@example.com" for number in range(last))), []


SHELF = Shelf({name: located(body) for name, body in about_traits.TRAITS.items()}, replace(GROUND, lists=lists))
SCOPE = replace(GROUND, lists=lists, traits=SHELF)

UNCOMPUTED: dict[str, Callable[[Random], Rule]] = {
    **about_fields.LEAVES, **about_events.LEAVES, **about_patterns.LEAVES, **about_standing.LEAVES,
}
LEAVES: dict[str, Callable[[Random], Rule]] = {
    **UNCOMPUTED, **about_traits.LEAVES, "emails": lambda rng: {"emails": rng.choice(["few", "many"])},
}


def leaf(rng: Random) -> Rule:
    return LEAVES[rng.choice(list(LEAVES))](rng)


def tree(rng: Random, depth: int = 2, segments: tuple[str, ...] = ()) -> Rule:
    """A rule of up to *depth* levels that may ask *segments*."""
    if depth == 0 or rng.random() < 0.3:
        return about_segment(rng, segments) if segments and rng.random() < 0.4 else leaf(rng)
    word = rng.choice(["all", "any", "none", "not"])
    if word == "not":
        return {"not": tree(rng, depth - 1, segments)}
    return {word: [tree(rng, depth - 1, segments) for _ in range(rng.choice([1, 2, 3]))]}


def about_segment(rng: Random, segments: tuple[str, ...]) -> Rule:
    name = rng.choice(segments)
    return rng.choice([{"segment": name}, {"entered": {"segment": name, **window(rng)}}, {"left": {"segment": name, **window(rng)}}])


KINDS: dict[str, Callable[[Random], Rule]] = {
    **UNCOMPUTED,
    "all of": lambda rng: {"all": [rng.choice([LEAVES["is_not"], LEAVES["at_least"], LEAVES["event"]])(rng) for _ in range(2)]},
    "any of": lambda rng: {"any": [leaf(rng), leaf(rng)]},
    "none of": lambda rng: {"none": [leaf(rng), leaf(rng)]},
    "not": lambda rng: {"not": leaf(rng)},
    "segment": lambda rng: {"segment": "first"},
    "entered": lambda rng: {"entered": {"segment": "first", **window(rng)}},
    "left": lambda rng: {"left": {"segment": "first", **window(rng)}},
    **LEAVES,
}


def node_of(rule: Rule) -> Node:
    node, problems = parse_rule(located(rule), SCOPE)
    assert node is not None, (rule, problems)
    return node
