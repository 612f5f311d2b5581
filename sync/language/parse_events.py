"""From YAML to the conditions on what somebody did."""

from __future__ import annotations

from typing import Literal

from sync.language.happened import Filter, Happened, Measure, Names
from sync.language.literals import is_null
from sync.language.nodes import Node
from sync.language.parse_windows import window
from sync.language.predicate_parser import Fields, fields, number_test
from sync.language.predicates import Limit, NumberTest, Predicate
from sync.language.reader import Reader, held
from sync.language.values import MILLION, Path, parse_path
from sync.language.words import MEASURES
from sync.located import Listing, Mapping, Scalar, Value

AT_LEAST_ONCE = NumberTest((Limit("at_least", (MILLION,)),))


def happened(reader: Reader, mapping: Mapping) -> Node | None:
    """One set of events, counted and measured."""
    which = event_filter(reader, mapping)
    when = window(reader, mapping, since_last=True)
    since = _since(reader, mapping.get("since"), human=which is not None and which.human)
    measures = [_measure(reader, word, held(mapping, word)) for word in MEASURES if mapping.get(word) is not None]
    said = mapping.get("count")
    count = number_test(reader, "count", said, whole=True) if said is not None else None if measures else AT_LEAST_ONCE
    right = tuple(measure for measure in measures if measure is not None)
    if which is None or when is None or since is False or len(right) < len(measures) or (said is not None and count is None):
        return None
    return Happened(which, when, count, right, since)


def _since(reader: Reader, value: Value | None, *, human: bool) -> Filter | Literal[False] | None:
    """The event that `since: {last: …}` names, a human's where those are asked; None where a date is said, False where it is wrong."""
    if not isinstance(value, Mapping):
        return None
    last = value.get("last")
    if not reader.keys(value, ("last",), "'since'"):
        return False
    if last is None:
        reader.complain(value.place, "'since' takes a day, an instant or the last event", "for example {last: email_opened}")
        return False
    names = _names(reader, last, "last")
    return False if names is None else Filter(names, (), human)


def _names(reader: Reader, value: Value, word: str = "event") -> Names | None:
    items = value.items if isinstance(value, Listing) else (value,)
    exact, prefixes, wrong = [], [], not items
    for item in items:
        text = item.text if isinstance(item, Scalar) and not is_null(item) else ""
        if text == "" or "*" in text[:-1]:
            reader.complain(item.place, f"'{word}' takes names; a star may end one", 'for example order_placed, "email_*" or "*"')
            wrong = True
        elif text.endswith("*"):
            prefixes.append(text[:-1])
        else:
            exact.append(text)
    if not items:
        reader.complain(value.place, f"'{word}' has an empty list")
    return None if wrong else Names(tuple(dict.fromkeys(exact)), tuple(dict.fromkeys(prefixes)))


def event_filter(reader: Reader, mapping: Mapping) -> Filter | None:
    """Which events `event`, `where` and `human` mean."""
    names = _names(reader, held(mapping, "event"))
    value, said = mapping.get("where"), mapping.get("human")
    where: tuple[tuple[Path, Predicate], ...] | None = ()
    if value is not None:
        inner = reader.mapping(value, "'where'", "{category: {starts_with: winter}}")
        where = None if inner is None else fields(reader, inner, Fields(checked=False))
    human = reader.scope.ignore_machine if said is None else reader.truth(said, "human")
    if names is None or where is None or human is None:
        return None
    return Filter(names, where, human)


def _measure(reader: Reader, word: str, value: Value) -> Measure | None:
    example = f"{word}: {{of: value, at_least: 500}}"
    if isinstance(value, Scalar):
        message = f"the short form '{word}: {value.text}' belongs to traits; here say what is asked of it"
        reader.complain(value.place, message, f"for example {example}")
        return None
    mapping = reader.mapping(value, f"'{word}'", example)
    if mapping is None:
        return None
    beside = ("of",) if word == "distinct" else ("of", "currency")
    of, said = reader.name(mapping.get("of"), "'of'", mapping.place), mapping.get("currency")
    test = number_test(reader, word, mapping, whole=word == "distinct", beside=beside)
    currency = None if said is None else reader.name(said, "'currency'", mapping.place)
    if of is None or test is None or (said is not None and currency is None):
        return None
    return Measure(word, parse_path(of), test, currency)

