"""What a search asks for, held against records: whole columns where there are any, else value by value.

Source: HubSpot developer docs, Search the CRM (operators, limits); observed: Airbyte and Estuary send a bare list `filters`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from connectors.hubspot.sandbox.errors import invalid
from connectors.hubspot.sandbox.times import moment

GROUPS, EACH, ALL, LONGEST = 5, 6, 18, 3000
NEEDS_NOTHING, NEEDS_LIST = ("HAS_PROPERTY", "NOT_HAS_PROPERTY"), ("IN", "NOT_IN")
OPERATORS = (
    "EQ", "NEQ", "LT", "LTE", "GT", "GTE", "BETWEEN", *NEEDS_LIST, *NEEDS_NOTHING, "CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN",
)
Mask = npt.NDArray[np.bool_]
Key = float | int | str


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition. *kind*: the property's type; *values*: what it is compared with, as keys of that type."""

    name: str
    operator: str
    kind: str
    values: tuple[Key, ...]

    def matches(self, value: str | None) -> bool:
        """Whether a property's value fulfils it. One without a value fulfils only NOT_HAS_PROPERTY; whether NEQ and NOT_IN take
        it is not documented."""
        if self.operator == "NOT_HAS_PROPERTY":
            return not value
        if not value:
            return False
        if self.operator == "HAS_PROPERTY":
            return True
        if self.operator.endswith("CONTAINS_TOKEN"):
            return _has_token(value, str(self.values[0])) == (self.operator == "CONTAINS_TOKEN")
        if self.operator in NEEDS_LIST and self.kind not in ("number", "datetime", "date"):
            return (value.lower() in self.values) == (self.operator == "IN")
        return bool(_COMPARE[self.operator](key_of(value, self.kind), self.values))

    def mask(self, column: npt.NDArray[Any]) -> Mask:
        """The same for a whole column of numbers, all of which have a value."""
        if self.operator in NEEDS_NOTHING:
            return np.full(len(column), self.operator == "HAS_PROPERTY")
        if self.operator in NEEDS_LIST:
            return np.isin(column, np.array(self.values, np.int64), invert=self.operator == "NOT_IN")
        found: Mask = _COMPARE[self.operator](column, self.values)
        return found

    @property
    def by_column(self) -> bool:
        return not self.operator.endswith("CONTAINS_TOKEN") and all(isinstance(one, int) for one in self.values)


_COMPARE: dict[str, Callable[[Any, tuple[Any, ...]], Any]] = {
    "EQ": lambda key, values: key == values[0],
    "NEQ": lambda key, values: key != values[0],
    "LT": lambda key, values: key < values[0],
    "LTE": lambda key, values: key <= values[0],
    "GT": lambda key, values: key > values[0],
    "GTE": lambda key, values: key >= values[0],
    "BETWEEN": lambda key, values: (key >= values[0]) & (key <= values[1]),
    "IN": lambda key, values: key in values,
    "NOT_IN": lambda key, values: key not in values,
}


def key_of(value: object, kind: str) -> Key:
    """A value as what it is compared by: milliseconds, a number, or lower-case text. What cannot be read sorts first."""
    if kind in ("datetime", "date"):
        at = moment(value)
        return -(1 << 62) if at is None else at
    if kind == "number":
        text = str(value).strip()
        if re.fullmatch(r"-?\d+", text):
            return int(text)
        try:
            return float(text)
        except ValueError:
            return -(1 << 62)
    return str(value).lower()


def _has_token(value: str, wanted: str) -> bool:
    """Whether *value* holds the words of *wanted*; `*` stands for any part of a word."""
    words = re.findall(r"[^\W_]+", value.lower())
    for token in re.findall(r"[^\W_*]*\*?[^\W_*]*\*?[^\W_*]*", wanted.lower()):
        if token.strip("*") and not any(re.fullmatch(re.escape(token).replace(r"\*", ".*"), word) for word in words):
            return False
    return True


def read(wish: dict[str, Any], type_of: Callable[[str], str]) -> list[list[Filter]]:
    """The groups of a search's body; 400 for more than is allowed and for what nobody can read. *type_of* gives a property's type
    and refuses those there are not. A bare `filters` is one group."""
    groups = [group.get("filters") or [] for group in wish.get("filterGroups") or []] or [wish.get("filters") or []]
    if len(groups) > GROUPS:
        invalid(f"Too many filter groups: at most {GROUPS} are allowed")
    if any(len(group) > EACH for group in groups) or sum(map(len, groups)) > ALL:
        invalid(f"Too many filters: at most {EACH} a group and {ALL} in all are allowed")
    return [[_filter(one, type_of) for one in group] for group in groups]


def _filter(one: dict[str, Any], type_of: Callable[[str], str]) -> Filter:
    name, operator = str(one.get("propertyName", "")), str(one.get("operator", ""))
    if operator not in OPERATORS:
        invalid(f"Invalid input JSON: {operator} is not a valid operator")
    kind = type_of(name)
    if operator in NEEDS_NOTHING:
        return Filter(name, operator, kind, ())
    if operator in NEEDS_LIST:
        given = one.get("values")
        if not isinstance(given, list) or not given:
            invalid(f"operator {operator} requires values")
        keyed = [key_of(value, kind) if kind in ("number", "datetime", "date") else str(value) for value in given]
        return Filter(name, operator, kind, tuple(keyed))
    given = [one.get("value"), one.get("highValue")] if operator == "BETWEEN" else [one.get("value")]
    if any(value is None for value in given):
        invalid(f"operator {operator} requires a value")
    return Filter(name, operator, kind, tuple(key_of(value, kind) for value in given))
