"""From YAML to sequences of steps."""

from __future__ import annotations

from collections.abc import Callable

from sync.language.nodes import Node
from sync.language.parse_events import event_filter
from sync.language.parse_windows import window
from sync.language.reader import Reader, held
from sync.language.sequence import MOST_STEPS, Sequence, Step
from sync.language.values import parse_path
from sync.located import Listing, Mapping, Value

_EXAMPLE = "{event: order_placed, within: 2h}"
_OF_EVENT = ("event", "where", "human")
_OF_GAP = ("within", "same")


def _sequence(reader: Reader, mapping: Mapping) -> Node | None:
    value, when = held(mapping, "sequence"), window(reader, mapping)
    if not isinstance(value, Listing) or not 2 <= len(value.items) <= MOST_STEPS:
        example = f"for example [{{event: cart_updated}}, {_EXAMPLE}]"
        reader.complain(value.place, f"'sequence' takes a list of 2 to {MOST_STEPS} steps", example)
        return None
    first, last = _first(reader, value.items[0])
    steps = [first, *(_step(reader, item) for item in value.items[1:])]
    right = tuple(step for step in steps if step is not None)
    if when is None or len(right) < len(steps):
        return None
    for place, step in enumerate(right):
        if not step.negated and any(_clears(before, step) for before in right[:place]):
            reader.complain(value.items[place].place, "this step is what the 'not' step before it rules out, so nothing can be both",
                            "who came back after a silence is asked by 'resumed'")
            return None
    return Sequence(right, when, last)


def _clears(denied: Step, step: Step) -> bool:
    """Whether every event of *step* is one that the `not` step *denied* speaks of."""
    names, whole = denied.filter.names, denied.negated and not denied.filter.where and not denied.filter.human and denied.same is None
    exact, prefixes = step.filter.names.exact, step.filter.names.prefixes
    return whole and all(map(names.takes, exact)) and all(prefix.startswith(names.prefixes or ("\0",)) for prefix in prefixes)


def _first(reader: Reader, value: Value) -> tuple[Step | None, bool]:
    """The first step, and whether only the latest one counts."""
    mapping = reader.mapping(value, "a step", "{event: cart_updated}")
    if mapping is None:
        return None, False
    if mapping.get("not") is not None:
        reader.complain(mapping.place, "a sequence begins with something that happened, not with 'not'")
        return None, False
    for key, _ in mapping.entries:
        if key.text in _OF_GAP:
            hint = "the window of the whole stands beside 'sequence'" if key.text == "within" else "say it in a later step"
            reader.complain(key.place, f"the first step has none before it, so '{key.text}' says nothing", hint)
            return None, False
    step, said = _positive(reader, mapping, (*_OF_EVENT, "last")), mapping.get("last")
    last = False if said is None else reader.truth(said, "last")
    return (None if last is None else step), bool(last)


def _step(reader: Reader, value: Value) -> Step | None:
    mapping = reader.mapping(value, "a step", _EXAMPLE)
    if mapping is None:
        return None
    if mapping.get("not") is None:
        for key, _ in mapping.entries:
            if key.text == "last":
                reader.complain(key.place, "'last' belongs to the first step of a sequence")
                return None
        return _positive(reader, mapping, (*_OF_EVENT, *_OF_GAP))
    inner = reader.mapping(held(mapping, "not"), "'not'", _EXAMPLE)
    right = reader.keys(mapping, ("not", *_OF_GAP), "a 'not' step")
    if inner is None:
        return None
    twice = [key for key, _ in mapping.entries if key.text in _OF_GAP and inner.get(key.text) is not None]
    if twice:
        reader.complain(twice[0].place, f"'{twice[0].text}' is said twice in one step", "inside or outside of 'not' means the same")
        return None
    outside = tuple(entry for entry in mapping.entries if entry[0].text in _OF_GAP)
    step = _positive(reader, Mapping((*inner.entries, *outside), inner.place), (*_OF_EVENT, *_OF_GAP))
    return Step(step.filter, step.within, step.same, negated=True) if step is not None and right else None


def _positive(reader: Reader, mapping: Mapping, allowed: tuple[str, ...]) -> Step | None:
    if not reader.keys(mapping, allowed, "a step of a sequence"):
        return None
    if mapping.get("event") is None:
        reader.complain(mapping.place, "a step has no 'event'", f"for example {_EXAMPLE}")
        return None
    which, gap, named = event_filter(reader, mapping), mapping.get("within"), mapping.get("same")
    within = None if gap is None else reader.duration(gap, "'within'")
    same = None if named is None else reader.name(named, "'same'", mapping.place)
    if which is None or (gap is not None and within is None) or (named is not None and same is None):
        return None
    return Step(which, within, None if same is None else parse_path(same))


PARSERS: dict[str, Callable[[Reader, Mapping], Node | None]] = {"sequence": _sequence}
