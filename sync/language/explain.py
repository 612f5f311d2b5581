"""Why a rule holds of one person or not: each condition with its answer and what was counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from connectors.base import Millis
from sync.language.describe import describe
from sync.language.happened import Happened, Measure
from sync.language.nodes import All, AnyOf, InSegment, Node, NoneOf, Not
from sync.language.person import Event, Person
from sync.language.values import RuleFailure, canonical, look, number_text, path_text, read_number
from sync.language.who import Contact, contact_record


@dataclass(frozen=True, slots=True)
class ExplainTree:
    """One condition: its words, whether it holds, and the value it was judged by (`5 events, sum of value 120.5`), if any.

    *failure* says why it cannot be answered; then *holds* is False and means nothing.
    """

    text: str
    holds: bool
    value: str = ""
    children: tuple[ExplainTree, ...] = ()
    failure: str = ""

    def lines(self, depth: int = 0) -> Iterator[str]:
        """The tree as indented text, one condition a line."""
        mark = "!" if self.failure else "✓" if self.holds else "✗"
        value = f"  [{self.failure or self.value}]" if self.failure or self.value else ""
        yield f"{'  ' * depth}{mark} {self.text}{value}"
        for child in self.children:
            yield from child.lines(depth + 1)


def explain(node: Node, person: Person, now: Millis) -> ExplainTree:
    """*node* and everything below it, asked of *person* at *now*; a segment that it asks is opened up, too."""
    try:
        holds, failure = node.matches(person, now), ""
        value = _value(node, person, now)
    except RuleFailure as told:
        holds, failure, value = False, str(told), ""
    children = tuple(explain(child, person, now) for child in _below(node, person))
    return ExplainTree(_title(node), holds, value, children, failure)


def _title(node: Node) -> str:
    words = {All: "all of", AnyOf: "any of", NoneOf: "none of", Not: "not"}
    return words.get(type(node)) or describe(node)


def _below(node: Node, person: Person) -> tuple[Node, ...]:
    if isinstance(node, InSegment):
        return (person.rules[node.name],) if node.name in person.rules else ()
    if isinstance(node, Contact) and len(node.fields) > 1:
        return tuple(Contact((each,)) for each in node.fields)
    return node.children


def _value(node: Node, person: Person, now: Millis) -> str:
    if isinstance(node, Happened):
        events = node.events(person, now)
        counted = f"{len(events)} event" + ("" if len(events) == 1 else "s")
        return ", ".join([counted, *(_measured(measure, events) for measure in node.measures)])
    if isinstance(node, Contact) and len(node.fields) == 1:
        value = look(contact_record(person), node.fields[0][0])
        return "not set" if value is None else canonical(value)
    return ""


def _measured(measure: Measure, events: list[Event]) -> str:
    value = measure.value(events)
    shown = "missing" if value is None else _number(value)
    left_out = _left_out(measure, events)
    return f"{measure.kind} of {path_text(measure.of)} {shown}" + (f" ({left_out} no numbers, left out)" if left_out else "")


def _number(millionths: int | Fraction) -> str:
    rounded = round(millionths)
    return ("" if rounded == millionths else "about ") + number_text(rounded)


def _left_out(measure: Measure, events: list[Event]) -> int:
    """How many events have no number where one was asked."""
    if measure.kind == "distinct":
        return 0
    return sum(read_number(look(event.properties, measure.of)) is None for event in events)
