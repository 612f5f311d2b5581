"""From YAML to the conditions on what a field was before: `{has_been: gold, for: 30d}`, `{changed: true, from: …, to: …}`."""

from __future__ import annotations

from sync.language.nodes import Node, Not
from sync.language.parse_windows import window
from sync.language.pasts import Changed, HasBeen
from sync.language.predicate_parser import Fields, asked, field_path
from sync.language.predicates import Predicate
from sync.language.reader import Reader, held
from sync.language.values import Path
from sync.language.who import KNOWN_SINCE
from sync.language.window import OlderThan
from sync.language.words import PAST_WORDS, WINDOWS
from sync.located import Mapping, Scalar, Value


def is_past(value: Value) -> bool:
    """Whether what is asked of a field is what it was before."""
    return isinstance(value, Mapping) and bool(set(value.keys()) & set(PAST_WORDS))


def past(reader: Reader, key: Scalar, value: Mapping) -> Node | None:
    """What is asked of the past of the field *key*."""
    path = field_path(reader, key, Fields(checked=True))
    if path is None:
        return None
    if path == KNOWN_SINCE:
        reader.complain(key.place, "'known_since' never changes")
        return None
    if path[0] in reader.scope.traits:
        reader.complain(key.place, f"'{key.text}' is a computed trait, and no history is kept of those")
        return None
    return _has_been(reader, path, value) if value.get("has_been") is not None else _changed(reader, path, value)


def _has_been(reader: Reader, path: Path, value: Mapping) -> Node | None:
    if not reader.keys(value, ("has_been", "for"), "'has_been'"):
        return None
    test, said = _value(reader, path, "has_been", held(value, "has_been")), value.get("for")
    if said is None:
        reader.complain(value.place, "'has_been' does not say for how long", "for example {has_been: gold, for: 30d}")
        return None
    span = reader.length(said, "'for'")
    return None if test is None or span is None else HasBeen(path, test, OlderThan(span))


def _changed(reader: Reader, path: Path, value: Mapping) -> Node | None:
    if not reader.keys(value, ("changed", "from", "to", *WINDOWS), "'changed'"):
        return None
    truth = reader.truth(held(value, "changed"), "changed")
    when = window(reader, value)
    said = [(word, value.get(word)) for word in ("from", "to")]
    tests = [None if each is None else _value(reader, path, word, each) for word, each in said]
    if truth is None or when is None or any(each is not None and test is None for (_, each), test in zip(said, tests, strict=True)):
        return None
    node = Changed(path, tests[0], tests[1], when)
    return node if truth else Not(node)


def _value(reader: Reader, path: Path, word: str, value: Value) -> Predicate | None:
    """A value, a list, or operators; none that looks at the clock or at another field, of which no history is kept."""
    test = asked(reader, path, word, value, Fields(checked=True))
    if test is not None and (test.timed or test.others()):
        reader.complain(value.place, f"'{word}' compares with what stands here, not with now or with another field")
        return None
    return test
