"""From a located YAML value to a rule, with every problem at once."""

from __future__ import annotations

from collections.abc import Callable

from sync.language import parse_moves, parse_patterns, parse_ranks, parse_sequence, parse_who
from sync.language.needs import needs
from sync.language.nodes import All, AnyOf, Node, NoneOf, Not
from sync.language.reader import Reader, RuleScope, held
from sync.language.words import BESIDE, EVENT_KEYS, KINDS, LATER_EVENT_KEYS, LATER_KINDS, LATER_SEGMENT_KEYS, MISPLACED, suggestion
from sync.located import Listing, Mapping, Place, Problem, Value


def parse_rule(value: Value, scope: RuleScope, places: dict[Node, Place] | None = None) -> tuple[Node | None, list[Problem]]:
    """The rule that *value* says (None when anything is wrong with it), and everything that is wrong, in order of place.

    *value* is the part of a segment's map that is its rule: the keys `words.RULE_KEYS`. Keys that come later
    (`words.LATER_KEYS`) are answered by name. *places* is told where each condition first stands.
    """
    reader = Reader(scope, places)
    node = condition(reader, value, f"segment '{scope.segment}'")
    return (None if reader.problems else node), sorted(reader.problems)


def condition(reader: Reader, value: Value, where: str) -> Node | None:
    """One condition; *where* it stands, for the messages."""
    mapping = reader.mapping(value, "a condition", "{event: order_placed, within: 30d}")
    if mapping is None:
        return None
    keys = mapping.keys()
    if later := [key for key, _ in mapping.entries if key.text in (*LATER_KINDS, *LATER_SEGMENT_KEYS)]:
        for key in later:
            reader.later(key, key.text)
        return None
    if misplaced := [key for key, _ in mapping.entries if key.text in MISPLACED]:
        for key in misplaced:
            reader.complain(key.place, f"'{key.text}' is no condition", MISPLACED[key.text])
        return None
    kinds = [kind for kind in KINDS if kind in keys]
    beside = [key for kind in kinds for key in BESIDE.get(kind, ())]
    allowed = (*kinds, *beside) if kinds else (*KINDS, *EVENT_KEYS)
    owner = f"a '{kinds[0]}' condition" if kinds and "event" not in kinds else where
    right = reader.keys(mapping, set(allowed), owner, LATER_EVENT_KEYS if "event" in kinds or not kinds else ())
    if len(kinds) == 1:
        return reader.stands(_PARSERS[kinds[0]](reader, mapping), mapping.place)    # behind a wrong key, too: everything is told at once
    if kinds:
        named = " and ".join(f"'{kind}'" for kind in kinds)
        reader.complain(mapping.place, f"{where} holds {named} in one condition", "give each its own entry in a list under 'all'")
    elif right:
        reader.complain(mapping.place, f"{where} has no condition", "one of " + ", ".join(KINDS))
    return None


# --- boolean -----------------------------------------------------------------------------------------------------------------


def _children(reader: Reader, value: Value, word: str) -> tuple[Node, ...] | None:
    if not isinstance(value, Listing) or not value.items:
        reader.complain(value.place, f"'{word}' takes a list with at least one condition")
        return None
    nodes = [condition(reader, item, f"'{word}'") for item in value.items]
    right = tuple(node for node in nodes if node is not None)
    return right if len(right) == len(nodes) else None


def _boolean(word: str, kind: Callable[[tuple[Node, ...]], Node]) -> Callable[[Reader, Mapping], Node | None]:
    def parse(reader: Reader, mapping: Mapping) -> Node | None:
        children = _children(reader, held(mapping, word), word)
        return None if children is None else kind(children)

    return parse


def _not(reader: Reader, mapping: Mapping) -> Node | None:
    value = held(mapping, "not")
    if isinstance(value, Listing):
        reader.complain(value.place, "'not' takes one condition", "for a list write 'none'")
        return None
    child = condition(reader, value, "'not'")
    return None if child is None else Not(child)


def event_hints(node: Node, known: list[str]) -> list[str]:
    """A warning for each event name that nobody has reported so far, with the nearest one that was."""
    names = {name for need in needs(node).events for name in need.names.exact}
    unseen = sorted(names - set(known))
    return [f"no event '{name}' has been seen so far; {suggestion(name, known)}".rstrip("; ") for name in unseen]


_PARSERS: dict[str, Callable[[Reader, Mapping], Node | None]] = {
    "all": _boolean("all", All),
    "any": _boolean("any", AnyOf),
    "none": _boolean("none", NoneOf),
    "not": _not,
    **parse_who.PARSERS,
    **parse_patterns.PARSERS,
    **parse_sequence.PARSERS,
    **parse_ranks.PARSERS,
    **parse_moves.PARSERS,
}
