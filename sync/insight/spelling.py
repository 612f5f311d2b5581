"""Words of a config that the store does not know, while it knows them in another case, and values of families that nobody tells,
while one like them has a segment: most likely they are misspelt."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from sync.config.families import segment_name
from sync.config.model import Config, FamilySpec
from sync.evaluate.from_store import StoreSnapshot
from sync.evaluate.run import snapshot_of
from sync.insight.lint import place_of
from sync.language.happened import Filter, Names
from sync.language.moves import Moved
from sync.language.nodes import InSegment, Node, walk
from sync.language.predicates import EQUALITY, TEXTUAL, Compare, Each, Predicate
from sync.language.values import Json, Path, decode, distinct_keys, elements, fold, path_text, read_number
from sync.language.who import Contact
from sync.language.words import nearest
from sync.located import Problem
from sync.source import Origin
from sync.store import families
from sync.store.store import Store

T = TypeVar("T")
UTC = ZoneInfo("UTC")
ALIKE, FEW = 0.8, 8                                 # how near a value must be, of 1; so many values are named
ASKED = EQUALITY | TEXTUAL - {"matches"}


@dataclass(frozen=True, slots=True)
class Spelt:
    """A literal that *compare* (of one operand) asks of *path*, of contacts or of events called *names*."""

    path: Path
    compare: Compare
    names: Names | None = None


def misspelt(store: Store, config: Config, sources: Mapping[str, Origin]) -> list[Problem]:
    """A warning for each literal that nothing in the store passes but for its case, and for each value of a family that is like one
    that has a segment."""
    specs = [*config.segments.values(), *(family.template for family in config.families.values())]
    values = _Values(snapshot_of(store, config, sources, [segment.rule for segment in specs]))
    asked = {segment_name(family, value): (family, value) for family in config.families.values() for value in family.asked}
    standing, found = families.values(store), list[Problem]()
    for segment in specs:
        for node in dict.fromkeys(walk(segment.rule)):
            told = [_told(each, variant) for each in spelt(node) if (variant := values.variant(each))]
            if isinstance(node, InSegment | Moved) and node.name in asked:
                told += _nobody(*asked[node.name], values, standing)
            place = place_of(segment, node)
            found += [Problem(place, f"warning: segment '{segment.name}': {why}", hint) for why, hint in told]
    return sorted(set(found))


def _told(each: Spelt, variant: str) -> tuple[str, str]:
    literal, what = each.compare.operands[0].text, f"{path_text(each.path)}"
    return f"no {what} in the store {_words(each.compare.operator)} '{literal}'", f"'{variant}' is there; write it so, or ignore_case: true"


def _nobody(family: FamilySpec, value: str, values: _Values, standing: Mapping[str, set[str]]) -> list[tuple[str, str]]:
    """Why the segment of *family* for *value* holds nobody, where a value like it has one: in words and with a hint, which names all of
    them where they are few. What fewer people tell than make a segment may be somebody's own."""
    have = sorted(standing.get(family.template.name, ()))
    near = None if value in have or value in values.keys(family.property, family.event.filter.names) else _like(value, have)
    if near is None:
        return []
    few = f"; those with a segment: {', '.join(have)}" if 0 < len(have) <= FEW else ""
    return [(f"no {path_text(family.property)} in the store is '{value}'", f"'{near}' is there; write it so{few}")]


def _like(value: str, told: Collection[str]) -> str | None:
    """The one of *told* that *value* most likely stands for. Digits are never misspelt: "Talk 12" and "Talk 13" are two."""
    number = read_number(value)
    same = {fold(each): each for each in told if _digits(each) == _digits(value) or (number is not None and read_number(each) == number)}
    near = nearest(fold(value), same, ALIKE)
    return None if near is None else same[near]


def _digits(text: str) -> list[str]:
    return [letter for letter in text if letter.isdigit()]


def _words(operator: str) -> str:
    return {"in": "is", "contains": "contains", "starts_with": "starts with", "ends_with": "ends with"}[operator]


# --- what a condition asks ------------------------------------------------------------------------------------------------------


def within(value: object, kind: type[T]) -> Iterator[T]:
    """Every *kind* inside a condition, however deep, without those of its children."""
    if isinstance(value, kind):
        yield value
    elif isinstance(value, tuple):
        for each in value:
            yield from within(each, kind)
    elif is_dataclass(value) and not hasattr(value, "children"):
        for part in fields(value):
            yield from within(getattr(value, part.name), kind)


def spelt(node: Node) -> Iterator[Spelt]:
    """The literals that *node* compares with case and all."""
    if isinstance(node, Contact):
        for path, predicate in node.fields:
            yield from (Spelt(path, compare) for compare in _compares(predicate))
    if not node.children:
        for part in _parts(node):
            for which in within(part, Filter):
                yield from (Spelt(path, compare, which.names) for path, test in which.where for compare in _compares(test))


def _parts(node: Node) -> list[Any]:
    return [getattr(node, part.name) for part in fields(node)] if is_dataclass(node) else []


def _compares(predicate: Predicate) -> Iterator[Compare]:
    """Each literal by itself; also those asked of a list's elements."""
    for test in predicate.tests:
        if isinstance(test, Each) and test.predicate is not None:
            yield from _compares(test.predicate)
        if isinstance(test, Compare) and test.field is None and test.operator in ASKED and not test.ignore_case:
            texts = [operand for operand in test.operands if operand.kind == "text"]
            yield from (replace(test, operands=(operand,), negated=False) for operand in texts)


# --- what the store holds -------------------------------------------------------------------------------------------------------


class _Values:
    """The distinct values of fields and properties, each read once."""

    def __init__(self, snapshot: StoreSnapshot) -> None:
        self._snapshot = snapshot
        self._read: dict[tuple[Path, Names | None], list[Json]] = {}

    def variant(self, asked: Spelt) -> str:
        """How the literal is spelt in the store, where it is there in another case only; else ""."""
        loose = replace(asked.compare, ignore_case=True)
        near = [value for held in self._distinct(asked.path, asked.names) for value in elements(held) if _passes(loose, value)]
        if not near or any(_passes(asked.compare, value) for value in near):
            return ""
        return _as_spelt(asked.compare, str(near[0]))

    def keys(self, path: Path, names: Names) -> set[str]:
        """What `distinct` calls the values of a property of events."""
        return {key for value in self._distinct(path, names) for key in distinct_keys(value)}

    def _distinct(self, path: Path, names: Names | None) -> list[Json]:
        if (path, names) not in self._read:
            self._read[path, names] = [decode(text) for text in sorted(self._texts(path, names))]
        return self._read[path, names]

    def _texts(self, path: Path, names: Names | None) -> set[str]:
        if names is None:
            columns = [self._snapshot.fields(path)]
        else:
            types = [name for name in self._snapshot.event_types() if names.takes(name)]
            columns = [self._snapshot.events([name], [path]).column(path_text(path)) for name in types]
        return {text for column in columns for text in column.unique().to_pylist() if text is not None}


def _passes(compare: Compare, value: Json) -> bool:
    return isinstance(value, str) and compare.holds(value, {}, 0, UTC)


def _as_spelt(compare: Compare, value: str) -> str:
    """The part of *value* that is the literal in another case, and no more of it: the rest may be somebody's own."""
    literal = compare.operands[0].text
    starts = range(len(value) - len(literal) + 1)
    return next((value[n:n + len(literal)] for n in starts if fold(value[n:n + len(literal)]) == fold(literal)), literal.swapcase())
