"""Rules out of YAML texts, and small people to ask them of."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from connectors.base import millis
from sync.language import nodes
from sync.language.parser import parse_rule
from sync.language.person import Event, Person
from sync.language.reader import RuleScope
from sync.language.values import read_span
from sync.located import Listing, Mapping, Place, Scalar, Value

BERLIN = ZoneInfo("Europe/Berlin")
DAY = 86_400_000


def at(text: str) -> int:
    """The instant that an ISO text names, Berlin time without an offset."""
    span = read_span(text, BERLIN)
    assert span is not None
    return span[0]


NOW = at("2026-06-15T12:00:00Z")
SCOPE = RuleScope(
    segment="tested",
    zone=BERLIN,
    segments=("vip", "lapsed", "tested"),
    connections=("mailchimp", "hubspot", "klaviyo"),
    events=("order_placed", "email_opened"),
    targets={"mailchimp": ("tag",), "hubspot": ("list",), "klaviyo": ("list",)},
    audiences={"mailchimp": ("de", "at")},
)


def located(text: str) -> Value:
    """The value of a YAML text, with places."""
    return _located(YAML(pure=True).compose(text))


def _located(node: Node) -> Value:
    place = Place("rule.yaml", node.start_mark.line + 1, node.start_mark.column + 1)
    if isinstance(node, ScalarNode):
        return Scalar(node.value, node.style is None, place)
    if isinstance(node, SequenceNode):
        return Listing(tuple(map(_located, node.value)), place)
    assert isinstance(node, MappingNode)
    return Mapping(tuple((_located(key), _located(value)) for key, value in node.value), place)  # type: ignore[misc]


def rule(text: str, scope: RuleScope = SCOPE) -> nodes.Node:
    """The rule that *text* says; fails the test when there is a problem with it."""
    node, problems = parse_rule(located(text), scope)
    assert problems == []
    assert node is not None
    return node


def problems(text: str, scope: RuleScope = SCOPE) -> list[str]:
    """What is wrong with *text*, each with line and column."""
    node, found = parse_rule(located(text), scope)
    assert (node is None) == bool(found)
    return [str(problem).removeprefix("rule.yaml:") for problem in found]


def person(fields: dict[str, Any] | None = None, *events: Event, **more: Any) -> Person:
    return Person(fields=fields or {}, events=events, **more)


def event(name: str, when: int | str = NOW, /, **properties: Any) -> Event:
    return Event(name, at(when) if isinstance(when, str) else when, properties)


def holds(text: str, who: Person | dict[str, Any], now: int = NOW) -> bool:
    """Whether the rule *text* holds of *who* (or of somebody with these fields)."""
    return rule(text).matches(who if isinstance(who, Person) else person(who), now)


__all__ = ["BERLIN", "DAY", "NOW", "SCOPE", "at", "event", "holds", "located", "millis", "person", "problems", "rule"]
