"""Klaviyo's filter grammar: `op(field,value)`, a comma or `and(…)` for AND.

    filter    := condition ("," condition)*
    condition := "and(" filter ")" | operator "(" field ["," value] ")"
    value     := "text" | 'text' | number | date | true | false | "[" value ("," value)* "]"

Text is quoted; dates and numbers are not, and a quoted date is refused. Which field takes which operator differs per
endpoint. Source: Klaviyo API docs, "Filtering"; OpenAPI `x-klaviyo-filters`; quoting: community.klaviyo.com topic 14473.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from connectors.clock import Millis, millis
from connectors.klaviyo.sandbox.errors import answer, bad_parameter, error
from connectors.sandbox.server import Refusal

NEVER: Millis = 1 << 43         # later than any instant here; keys of two columns shift by 44 bits

RANGES = ("greater-or-equal", "greater-than", "less-or-equal", "less-than")
_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ].*)?")
_TOKEN = re.compile(r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<mark>[(),\[\]])|(?P<bare>[^\s(),\[\]"']+))""")


@dataclass(frozen=True, slots=True)
class Rule:
    """What one field takes. *kind*: "text", "date", "number", "flag", "none"."""

    operators: frozenset[str]
    kind: str


def rule(kind: str, *operators: str) -> Rule:
    return Rule(frozenset(operators), kind)


TEXT = rule("text", "any", "equals")
DATE = rule("date", *RANGES)


@dataclass(frozen=True, slots=True)
class Condition:
    """*values* are str, bool, float, or instants as `Millis`; one, unless the operator was given a list."""

    operator: str
    field: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Bounds:
    """Instants from *low* to below *high*."""

    low: Millis = -NEVER
    high: Millis = NEVER


def conditions(text: str, rules: Mapping[str, Rule], latest: Millis) -> list[Condition]:
    """The conditions of a filter, all of which must hold. Refuses with 400 what is not in the grammar or not for here, and
    instants after *latest*."""
    if not text.strip():
        return []
    reader = _Reader(text)
    found = reader.conditions()
    if reader.rest():
        raise reader.failure()
    return [_checked(operator, field, values, rules, latest) for operator, field, values in found]


def bounds(found: list[Condition], *fields: str) -> Bounds:
    """The range that the date conditions on any of *fields* leave (datetime and timestamp are one)."""
    low, high = -NEVER, NEVER
    for condition in found:
        if condition.field in fields and condition.operator in RANGES:
            at = condition.values[0]
            if condition.operator.startswith("greater"):
                low = max(low, at + (condition.operator == "greater-than"))
            else:
                high = min(high, at + (condition.operator == "less-or-equal"))
    return Bounds(low, high)


def wanted(found: list[Condition], field: str) -> list[Any] | None:
    """The values that conditions by equality leave for *field*; None when there are none."""
    lists = [c.values for c in found if c.field == field and c.operator in ("equals", "any")]
    if not lists:
        return None
    return [value for value in lists[0] if all(value in other for other in lists[1:])]


class _Reader:
    """Tokens of one filter, left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[str] = []
        at = 0
        while at < len(text.rstrip()):
            match = _TOKEN.match(text, at)
            if match is None:
                raise self.failure()
            self.tokens.append(match.group().strip())
            at = match.end()
        self.at = 0

    def failure(self) -> Refusal:
        return Refusal(answer(error(400, f"Invalid filter provided: {self.text!r} cannot be parsed.", parameter="filter")))

    def rest(self) -> bool:
        return self.at < len(self.tokens)

    def take(self, *allowed: str) -> str:
        if not self.rest() or (allowed and self.tokens[self.at] not in allowed):
            raise self.failure()
        self.at += 1
        return self.tokens[self.at - 1]

    def conditions(self) -> list[tuple[str, str, list[str] | str | None]]:
        found = self.condition()
        while self.rest() and self.tokens[self.at] == ",":
            self.take(",")
            found += self.condition()
        return found

    def condition(self) -> list[tuple[str, str, list[str] | str | None]]:
        operator = self.take()
        self.take("(")
        if operator == "and":
            inner = self.conditions()
            self.take(")")
            return inner
        field = self.take()
        value: list[str] | str | None = None
        if self.take(",", ")") == ",":
            value = self.value()
            self.take(")")
        return [(operator, field, value)]

    def value(self) -> list[str] | str:
        first = self.take()
        if first != "[":
            return self.words(first)
        values = []
        while True:
            values.append(self.words(self.take()))
            if self.take(",", "]") == "]":
                return values

    def words(self, first: str) -> str:
        """A value as written; a bare date may hold a space (where an unencoded plus sign stood)."""
        if first in ("(", ")", ",", "[", "]"):
            raise self.failure()
        while self.rest() and first[0] not in "\"'" and self.tokens[self.at] not in ("(", ")", ",", "[", "]"):
            first += " " + self.take()
        return first


def _checked(
    operator: str, field: str, values: list[str] | str | None, rules: Mapping[str, Rule], latest: Millis,
) -> Condition:
    known = rules.get(field)
    if known is None:
        bad_parameter("filter", f"'{field}' is not a filterable field for this resource.")
    if operator not in known.operators:
        bad_parameter("filter", f"'{operator}' is not an allowed operator for '{field}' on this resource.")
    if (values is None) != (known.kind == "none") or (operator == "any" and not isinstance(values, list)):
        bad_parameter("filter", f"Invalid filter provided: '{operator}' on '{field}' has a wrong value.")
    written = values if isinstance(values, list) else [] if values is None else [values]
    if len(written) > 1 and operator not in ("any", "equals"):
        bad_parameter("filter", f"Invalid filter provided: '{operator}' takes one value.")
    return Condition(operator, field, tuple(_read(text, known.kind, field, latest) for text in written))


def _read(text: str, kind: str, field: str, latest: Millis) -> Any:
    quoted = text[0] in "\"'"
    if kind == "text" and quoted:
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    if kind == "flag" and text in ("true", "false"):
        return text == "true"
    if kind in ("date", "number") and not quoted:
        return _instant(text, kind, field, latest)
    return bad_parameter("filter", f"Invalid filter provided: {text} is not a valid value for '{field}'.")


def _instant(text: str, kind: str, field: str, latest: Millis) -> Millis:
    try:
        at = round(float(text) * 1000) if kind == "number" else parse_time(text)
    except (ValueError, OverflowError):
        bad_parameter("filter", f"Invalid filter provided: {text} is not a valid value for '{field}'.")
    if at > latest:
        bad_parameter("filter", f"Invalid filter provided: '{field}' must lie in the past.")
    return at


def parse_time(text: str) -> Millis:
    """An ISO 8601 instant, in UTC when it names no offset; ValueError for anything else."""
    if not _DATE.fullmatch(text):
        raise ValueError(text)
    read = datetime.fromisoformat(text)
    return millis(read if read.tzinfo else read.replace(tzinfo=UTC))
