"""From YAML to computed traits: each parsed when it is first asked for, so that they may stand in any order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Mapping as Mapped
from dataclasses import replace

from sync.language.figures import Counted, DaysSince, Decaying, Different, Edge, Figure, Frequent, Measured, Which
from sync.language.happened import Happened, Measure
from sync.language.literals import is_null
from sync.language.nodes import Node
from sync.language.parse_events import happened
from sync.language.parser import condition
from sync.language.predicates import NumberTest
from sync.language.rank import traits_of
from sync.language.reader import Reader, RuleScope, held
from sync.language.traits import EventTrait, Points, Trait
from sync.language.values import INT64_MAX, Path, parse_path, read_number
from sync.language.words import FIGURES, TRAIT_EVENT_KEYS
from sync.located import Listing, Mapping, Problem, Scalar, Value

DEEPEST = 20                                        # traits that build on each other
LARGEST = 5_000                                     # conditions that one trait comes to, those of the traits it asks counted
MOST_SHOWN = 100                                    # of a list of the most frequent values
_ANY = NumberTest(())


class Shelf(Mapped[str, Trait]):
    """The traits of a configuration by name. A wrong one is not there, and *problems* say why; `read_all` reads every one.

    *scope* is that of their conditions, *bodies* are their maps.
    """

    def __init__(self, bodies: Mapped[str, Value], scope: RuleScope) -> None:
        self._bodies, self._scope = bodies, replace(scope, traits=self)
        self._found: dict[str, Trait | None] = {}
        self._open: list[str] = []
        self._sizes: dict[int, int] = {}
        self.problems: list[Problem] = []

    def __getitem__(self, name: str) -> Trait:
        body = self._bodies[name]
        if name in self._open:
            ring = " → ".join([*self._open[self._open.index(name):], name])
            self.problems.append(Problem(body.place, f"traits ask each other in a ring: {ring}"))
            raise KeyError(name)
        if name not in self._found:
            self._found[name] = self._read(name, body)
        found = self._found[name]
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._bodies)

    def __len__(self) -> int:
        return len(self._bodies)

    def __contains__(self, name: object) -> bool:
        return name in self._bodies

    def read_all(self) -> dict[str, Trait]:
        """Every trait that is right."""
        found = ((name, self.get(name)) for name in self._bodies)
        return {name: trait for name, trait in found if trait is not None}

    def _read(self, name: str, body: Value) -> Trait | None:
        if len(self._open) >= DEEPEST:
            self.problems.append(Problem(body.place, f"trait '{name}' is asked through more than {DEEPEST} others"))
            return None
        self._open.append(name)
        reader = Reader(replace(self._scope, segment=name))
        found = trait_of(reader, name, body)
        self._open.pop()
        if found is not None and not self._fits(found):
            reader.complain(body.place, f"trait '{name}' comes to more than {LARGEST} conditions, those of the traits it asks counted")
        self.problems += reader.problems
        return None if reader.problems else found

    def _fits(self, trait: Trait) -> bool:
        """Whether the conditions under *trait*, those of the traits it asks counted each time, are few enough."""
        size = sum(map(self._size, trait.children))
        self._sizes[id(trait)] = size
        return size <= LARGEST

    def _size(self, node: Node) -> int:
        asked = traits_of(node)
        return 1 + (sum(self._sizes[id(trait)] for _, trait in asked) if asked else sum(map(self._size, node.children)))


def trait_of(reader: Reader, name: str, body: Value) -> Trait | None:
    """What one trait's map says."""
    where = f"trait '{name}'"
    mapping = reader.mapping(body, where, "{event: order_placed, sum: value}")
    if mapping is None:
        return None
    if mapping.get("points") is not None:
        return _points(reader, mapping) if reader.keys(mapping, ("points", "description"), f"{where}, which counts points") else None
    if not reader.keys(mapping, ("event", "points", "description", *TRAIT_EVENT_KEYS, *FIGURES), where, ("sync",)):
        return None
    said = [word for word in FIGURES if mapping.get(word) is not None]
    if mapping.get("event") is None or len(said) != 1:
        problem = f"{where} says {' and '.join(map(repr, said))}" if len(said) > 1 else f"{where} does not say what it is"
        reader.complain(mapping.place, problem, "an event and one of " + ", ".join(FIGURES) + "; or points")
        return None
    return _of_events(reader, mapping, said[0])


def _of_events(reader: Reader, mapping: Mapping, word: str) -> Trait | None:
    figure = _FIGURES[word](reader, word, held(mapping, word))
    rest = tuple(entry for entry in mapping.entries if entry[0].text not in (*FIGURES, "description"))
    events = happened(reader, Mapping(rest, mapping.place))
    return EventTrait(events, figure) if figure is not None and isinstance(events, Happened) else None


# --- figures -----------------------------------------------------------------------------------------------------------------


def _count(reader: Reader, word: str, value: Value) -> Figure | None:
    if _is_true(value):
        return Counted()
    reader.complain(value.place, "'count' of a trait takes true", "for example count: true")
    return None


def _measured(reader: Reader, word: str, value: Value) -> Figure | None:
    measure = _measure(reader, word, value)
    return None if measure is None else Measured(measure)


def _measure(reader: Reader, word: str, value: Value) -> Measure | None:
    """`sum: value`, or `sum: {of: value, currency: EUR}`."""
    if isinstance(value, Mapping) and not reader.keys(value, ("of",) if word == "distinct" else ("of", "currency"), f"'{word}'"):
        return None
    of = _property(reader, word, value)
    said = value.get("currency") if isinstance(value, Mapping) else None
    currency = None if said is None else reader.name(said, "'currency'", value.place)
    return None if of is None or (said is not None and currency is None) else Measure(word, of, _ANY, currency)


def _edge(reader: Reader, word: str, value: Value) -> Figure | None:
    which: Which = "first" if word == "first" else "last"
    if _is_true(value):
        return Edge(which, None)
    of = _property(reader, word, value)
    return None if of is None else Edge(which, of)


def _frequent(reader: Reader, word: str, value: Value) -> Figure | None:
    of = _property(reader, word, value)
    return None if of is None else Frequent(of, None)


def _top(reader: Reader, word: str, value: Value) -> Figure | None:
    example = "for example top: {of: category, at_most: 3}"
    said = value.get("at_most") if isinstance(value, Mapping) else None
    most = int(said.text) if isinstance(said, Scalar) and said.text.isascii() and said.text.isdigit() and len(said.text) < 9 else 0
    if not isinstance(value, Mapping):
        reader.complain(value.place, "'top' takes a property and how many of its values", example)
        return None
    if not reader.keys(value, ("of", "at_most"), "'top'"):
        return None
    if not 0 < most <= MOST_SHOWN:
        reader.complain((said or value).place, f"'at_most' of 'top' takes a whole number from 1 to {MOST_SHOWN}", example)
        return None
    of = _property(reader, word, value)
    return None if of is None else Frequent(of, most)


def _values(reader: Reader, word: str, value: Value) -> Figure | None:
    of = _property(reader, word, value)
    return None if of is None else Different(of)


def _decay(reader: Reader, word: str, value: Value) -> Figure | None:
    mapping = reader.mapping(value, "'decay'", "decay: {half_life: 30d}")
    if mapping is None or not reader.keys(mapping, ("half_life", "of", "currency"), "'decay'"):
        return None
    said, of = mapping.get("half_life"), mapping.get("of")
    span = reader.duration(said or mapping, "'half_life'")
    if span is None:
        return None
    if of is None and mapping.get("currency") is not None:
        reader.complain(mapping.place, "'currency' stands beside 'of', and nothing is said to be money")
        return None
    amounts = tuple(entry for entry in mapping.entries if entry[0].text != "half_life")
    measure = None if of is None else _measure(reader, "sum", Mapping(amounts, mapping.place))
    return None if of is not None and measure is None else Decaying(measure, span)


def _days_since(reader: Reader, word: str, value: Value) -> Figure | None:
    which = reader.one_of(value, ("first", "last"), word, value.place)
    return None if which is None else DaysSince("first" if which == "first" else "last")


def _property(reader: Reader, word: str, value: Value) -> Path | None:
    """`PROPERTY`, or `{of: PROPERTY}`."""
    inner = value.get("of") if isinstance(value, Mapping) else value
    if isinstance(value, Mapping) and inner is None:
        reader.complain(value.place, f"'{word}' does not say of which property", f"for example {word}: value")
        return None
    name = reader.name(inner, f"'{word}'", value.place)
    path = None if name is None else parse_path(name)
    if path is not None and "" in path:
        reader.complain(value.place, f"'{name}' is no property name", "dots separate parts; a literal dot is \\.")
        return None
    return path


def _is_true(value: Value) -> bool:
    return isinstance(value, Scalar) and value.plain and value.text in ("true", "True", "TRUE")


_FIGURES: dict[str, Callable[[Reader, str, Value], Figure | None]] = {
    "count": _count,
    **dict.fromkeys(("sum", "average", "min", "max", "distinct"), _measured),
    "first": _edge,
    "last": _edge,
    "most_frequent": _frequent,
    "top": _top,
    "values": _values,
    "decay": _decay,
    "days_since": _days_since,
}


# --- points ------------------------------------------------------------------------------------------------------------------


def _points(reader: Reader, mapping: Mapping) -> Trait | None:
    value = held(mapping, "points")
    if not isinstance(value, Listing) or not value.items:
        reader.complain(value.place, "'points' takes a list with at least one entry", "for example [{when: CONDITION, add: 10}]")
        return None
    entries = [_entry(reader, item) for item in value.items]
    right = tuple(entry for entry in entries if entry is not None)
    if sum(abs(adds) for _, adds in right) > INT64_MAX:
        reader.complain(value.place, "these points add up to more than a number can hold")
        return None
    return Points(right) if len(right) == len(entries) else None


def _entry(reader: Reader, item: Value) -> tuple[Node, int] | None:
    mapping = reader.mapping(item, "an entry of 'points'", "{when: {event: email_opened, within: 30d}, add: 10}")
    if mapping is None or not reader.keys(mapping, ("when", "add"), "an entry of 'points'"):
        return None
    when, add = mapping.get("when"), mapping.get("add")
    adds = read_number(add.text) if isinstance(add, Scalar) and add.plain and not is_null(add) else None
    if adds is None or abs(adds) > INT64_MAX:
        reader.complain((add or mapping).place, "'add' takes a number", "for example add: 10, or add: -5")
    if when is None:
        reader.complain(mapping.place, "an entry of 'points' has no 'when'", "for example {when: {event: email_opened}, add: 10}")
        return None
    node = condition(reader, when, "'when'")
    return None if node is None or adds is None or abs(adds) > INT64_MAX else (node, adds)
