"""Why a rule holds of one person or not: each condition with its answer and what was counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from connectors.base import Millis, instant
from sync.language.describe import describe
from sync.language.happened import Happened, Measure
from sync.language.missing import lacks, number, together
from sync.language.moves import Moved
from sync.language.nodes import All, AnyOf, InSegment, Node, NoneOf, Not
from sync.language.pasts import Changed, HasBeen
from sync.language.patterns import MostFrequent
from sync.language.periods import Regularly, Streak
from sync.language.person import Event, Person
from sync.language.rank import Rank, among, traits_of
from sync.language.sequence import Sequence
from sync.language.traits import Points, TraitTest
from sync.language.values import Json, RuleFailure, canonical, instant_text, look, path_text, read_number
from sync.language.who import ConsentIs, Contact, MemberOf, contact_record


@dataclass(frozen=True, slots=True)
class ExplainTree:
    """One condition: its words, whether it holds, and the value it was judged by (`5 events, sum of value 120.5`), if any.

    *failure* says why it cannot be answered; then *holds* is False and means nothing. *events*: those it rests on, by time, on
    conditions that are not made of others. *missing*: what it lacks for the answer that lets the whole rule hold, "" where it
    has it.
    """

    text: str
    holds: bool
    value: str = ""
    children: tuple[ExplainTree, ...] = ()
    failure: str = ""
    events: tuple[Event, ...] = ()
    missing: str = ""

    def lines(self, depth: int = 0, events: int = 0) -> Iterator[str]:
        """The tree as indented text, one condition a line; below it up to *events* of those it rests on, newest first."""
        mark = "!" if self.failure else "✓" if self.holds else "✗"
        value = f"  [{self.failure or self.value}]" if self.failure or self.value else ""
        yield f"{'  ' * depth}{mark} {self.text}{value}"
        yield from (f"{'  ' * depth}    {line}" for line in self._events(events))
        for child in self.children:
            yield from child.lines(depth + 1, events)

    def _events(self, most: int) -> Iterator[str]:
        newest = self.events[::-1][:most]
        for event in newest:
            told = [f"{instant(event.at):%Y-%m-%d %H:%M:%S}", event.type, event.connection, event.source or event.id]
            yield "  ".join(part for part in told if part)
        if newest and len(self.events) > most:
            yield f"and {len(self.events) - most:,} more"


def explain(node: Node, person: Person, now: Millis, wanted: bool = True) -> ExplainTree:
    """*node* and everything below it, asked of *person* at *now*; a segment that it asks is opened up where it is first met.
    *wanted*: the answer that near misses are told for."""
    return _explain(node, person, now, wanted, set())


def _explain(node: Node, person: Person, now: Millis, wanted: bool, opened: set[tuple[str, bool]]) -> ExplainTree:
    """*wanted*: as of `explain`. *opened*: segments shown before, and for which answer."""
    try:
        holds, failure = node.matches(person, now), ""
        value = _value(node, person, now)
    except RuleFailure as told:
        holds, failure, value = False, str(told), ""
    below = _below(node, person, wanted, opened)
    turned = wanted is not isinstance(node, Not | NoneOf)
    children = tuple(_explain(child, person, now, turned, opened) for child in below)
    if failure or holds is wanted:
        missing = ""
    elif children and not isinstance(node, TraitTest):
        whole = All(node.children) if isinstance(node, Contact) else node
        missing = together(whole, [child.missing for child in children], wanted)
    else:
        missing = lacks(node, person, now, wanted)
    events = () if below or failure else node.evidence(person, now)
    return ExplainTree(title(node), holds, value, children, failure, events, missing)


def title(node: Node) -> str:
    """One condition in words, without those below it."""
    words = {All: "all of", AnyOf: "any of", NoneOf: "none of", Not: "not"}
    return words.get(type(node)) or describe(node)


def _below(node: Node, person: Person, wanted: bool, opened: set[tuple[str, bool]]) -> tuple[Node, ...]:
    if isinstance(node, InSegment):
        if node.name not in person.rules or (node.name, wanted) in opened:
            return ()
        opened.add((node.name, wanted))
        return (person.rules[node.name],)
    if isinstance(node, Contact) and len(node.fields) > 1:
        return tuple(Contact((each,)) for each in node.fields)
    if isinstance(node, TraitTest | Rank):                              # the events of a trait are told with it, its points below it
        return tuple(child for _, trait in traits_of(node) if isinstance(trait, Points) for child in trait.children)
    return node.children


def _value(node: Node, person: Person, now: Millis) -> str:
    if isinstance(node, Happened):
        events = node.events(person, now)
        counted = f"{len(events)} event" + ("" if len(events) == 1 else "s")
        latest = node.latest(person, now)
        begun = [] if node.since is None else ["ever" if latest is None else f"after {instant_text(latest.at)}"]
        return ", ".join([counted, *begun, *(_measured(measure, events) for measure in node.measures)])
    if isinstance(node, MostFrequent):
        value = node.value(person, now)
        return "no value" if value is None else canonical(value)
    if isinstance(node, Regularly):
        return f"in {node.reached(person, now)}"
    if isinstance(node, Streak):
        reached = node.reached(person, now)
        return f"{reached} in a row" if reached < node.most else f"at least {reached} in a row"
    if isinstance(node, Sequence):
        return f"{node.progress(person, now)[1]} of {len(node.steps)} steps"
    if isinstance(node, Contact) and len(node.fields) == 1:
        return _shown(look(contact_record(person), node.fields[0][0]))
    if isinstance(node, Moved):
        moments = node.moments(person)
        return f"last {instant_text(moments[-1])}" if moments else "never"
    if isinstance(node, HasBeen):
        since = node.since(person, now)
        return "not now" if since is None else f"since {instant_text(since)}"
    if isinstance(node, Changed):
        steps = node.changes(person, now)
        return "; ".join(f"{canonical(old.value)} → {canonical(new.value)} {instant_text(new.at)}" for old, new in steps[-3:]) or "never"
    if isinstance(node, ConsentIs) and node.window is not None:
        return ", ".join(f"since {instant_text(at)}" for at in sorted(node.moments(person)))
    if isinstance(node, MemberOf) and node.window is not None:
        return ", ".join(f"since {instant_text(fact.at)}" for fact in sorted(node.facts(person), key=lambda fact: fact.at))
    if isinstance(node, TraitTest):
        return _shown(look(node.record(person, now), node.path))
    if isinstance(node, Rank):
        found = among(person).place(node.by, person.contact, now)
        return "not ranked: no number" if found is None else f"place {found[0]:,} of {found[1]:,}"
    return ""


def _shown(value: Json) -> str:
    return "not set" if value is None else canonical(value)


def _measured(measure: Measure, events: list[Event]) -> str:
    value = measure.value(events)
    shown = "missing" if value is None else number(value)
    left_out = _left_out(measure, events)
    return f"{measure.kind} of {path_text(measure.of)} {shown}" + (f" ({left_out} no numbers, left out)" if left_out else "")


def _left_out(measure: Measure, events: list[Event]) -> int:
    """How many events have no number where one was asked."""
    if measure.kind == "distinct":
        return 0
    return sum(read_number(look(event.properties, measure.of)) is None for event in events)
