"""JSON Schema (draft 2020-12) of the language, for editors: completes the words and marks the misspelt ones.

It judges forms; `check` judges meaning as well (references, order of ends, patterns) and says it better.
"""

from __future__ import annotations

from typing import Any

from sync.language.periods import MOST_PERIODS
from sync.language.sequence import MOST_STEPS
from sync.language.window import PERIODS
from sync.language.words import (
    DATE_OPERATORS,
    EACH_OPERATORS,
    FIGURES,
    MEASURES,
    MODIFIERS,
    NUMBER_OPERATORS,
    OPERATORS,
    ORDER_OPERATORS,
    PERIOD_WORDS,
    REGULARLY,
    RELATIVE_OPERATORS,
    TEXT_OPERATORS,
    TRAIT_EVENT_KEYS,
)

Schema = dict[str, Any]

_SCALAR: Schema = {"type": ["string", "number", "boolean"]}
_SCALARS: Schema = {"anyOf": [_SCALAR, {"type": "array", "items": _SCALAR, "minItems": 1}]}
_NUMBERS: Schema = {"anyOf": [{"type": "number"}, {"type": "array", "items": {"type": "number"}, "minItems": 1}]}
_PAIR: Schema = {"type": "array", "items": _SCALAR, "minItems": 2, "maxItems": 2}
_NAME: Schema = {"type": ["string", "number", "boolean"]}
_NAMES: Schema = {"anyOf": [_NAME, {"type": "array", "items": _NAME, "minItems": 1}]}
_DURATION: Schema = {"type": "string", "pattern": r"^[0-9]+\s?[smhdw]$"}
_LENGTH: Schema = {"type": "string", "pattern": r"^[0-9]+\s?(mo|[smhdwy])$"}
_DAYS: Schema = {"type": "string", "pattern": r"^[0-9]+\s?[dw]$"}
_PERIOD: Schema = {"enum": list(PERIODS)}
_PAST_PERIOD: Schema = {"enum": [word for word, (_, shift) in PERIODS.items() if shift <= 0]}
_DATE: Schema = {"type": "string", "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"}
_FIELD: Schema = {"type": "object", "properties": {"field": _NAME}, "required": ["field"], "additionalProperties": False}
_SHARE: Schema = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]{1,6})?\s?%$"}
_EXTREME: Schema = {"anyOf": [{"const": True}, {"$ref": "#/$defs/fields"}]}
_SO_MANY: Schema = {"type": "integer", "minimum": 1, "maximum": MOST_PERIODS}
_EACH: Schema = {"anyOf": [{"enum": list(PERIOD_WORDS)}, _DURATION]}
_MISSING: Schema = {"enum": ["match", "fail"]}


def language_schema() -> Schema:
    """A schema whose root is one rule; `$defs` holds every part, for a config schema to take over."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$ref": "#/$defs/condition", "$defs": definitions()}


def definitions() -> Schema:
    """What goes under `$defs`: conditions, predicates, number tests."""
    return {
        "condition": _condition(),
        "conditions": {"type": "array", "items": _ref("condition"), "minItems": 1},
        "predicate": {"anyOf": [*_SCALARS["anyOf"], _operators()]},
        "contact_fields": _contact_fields(),
        "fields": {"type": "object", "additionalProperties": _ref("predicate"), "minProperties": 1},
        "number_test": {"anyOf": [*_NUMBERS["anyOf"], _object({**_number_operators(), "missing": _MISSING}, at_least=1)]},
        **{name: _measure(name) for name in MEASURES},
        "most_frequent": _most_frequent(),
        "step": _step(),
    }


def rule_properties() -> Schema:
    """Key → schema of what a segment's own map takes as its rule; the config's schema merges it with its own keys."""
    return {**{kind: schema for kind, (schema, _) in _kinds().items()}, **_event_keys()}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _object(properties: Schema, required: tuple[str, ...] = (), at_least: int = 0) -> Schema:
    made: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return made | ({"required": list(required)} if required else {}) | ({"minProperties": at_least} if at_least else {})


def _condition() -> Schema:
    """Exactly one kind; a condition that has an `event` may have the keys that belong to it."""
    forms = [_object({kind: schema, **beside}, (kind,)) for kind, (schema, beside) in _kinds().items()]
    together = {key: [other for other in REGULARLY if other != key] for key in REGULARLY}
    return {"oneOf": forms, "dependentRequired": together}


def _kinds() -> dict[str, tuple[Schema, Schema]]:
    """Kind → its own schema and the keys that may stand beside it."""
    several = _ref("conditions")
    tag_or_list = _object({"tag": _NAME, "list": _NAME, "audience": _NAME}, at_least=1)
    windows = _window_keys()
    membership = {"type": "object", "properties": windows, "additionalProperties": tag_or_list, "minProperties": 1}
    of_family = _object({"family": {"type": "string"}, "of": _NAME}, ("family", "of"))
    segment: Schema = {"anyOf": [_NAME, of_family]}
    moved = _object({"segment": segment, **windows}, ("segment",))
    states = {"enum": ["granted", "withdrawn", "unknown"]}
    return {
        "all": (several, {}),
        "any": (several, {}),
        "none": (several, {}),
        "not": (_ref("condition"), {}),
        "contact": (_ref("contact_fields"), {}),
        "event": (_NAMES, _event_keys()),
        "sequence": (_steps(), _window_keys()),
        "stopped": (_object({**_which(), "active": _LENGTH, "silent": _LENGTH}, ("event", "active", "silent")), {}),
        "resumed": (_object({**_which(), "silent": _DURATION, **_window_keys()}, ("event", "silent")), {}),
        "segment": (segment, {}),
        "member_of": (membership, {}),
        "consent": (_object({"channel": _NAME, "is": states, "connection": _NAME, **windows}, ("channel", "is")), {}),
        "suppressed": ({"type": "boolean"}, {}),
        "entered": (moved, {}),
        "left": (moved, {}),
        "sample": (_object({"share": _SHARE, "salt": _NAME}, ("share",)), {}),
        "rank": (_rank(), {}),
        "emails": (_NAME, {}),
    }


def _rank() -> Schema:
    whole = {"type": "integer", "minimum": 1}
    top = _object({"by": _NAME, "top": {"anyOf": [whole, _SHARE]}}, ("by", "top"))
    return {"oneOf": [top, _object({"by": _NAME, "tier": whole, "of": whole}, ("by", "tier", "of"))]}


def trait_schema() -> Schema:
    """One computed trait: an event with exactly one figure of it, or points."""
    prose = {"description": {"type": "string"}}
    entry = _object({"when": _ref("condition"), "add": {"type": "number"}}, ("when", "add"))
    points = _object({"points": {"type": "array", "items": entry, "minItems": 1}, **prose}, ("points",))
    beside = {key: schema for key, schema in _event_keys().items() if key in TRAIT_EVENT_KEYS}
    of_events = _object({"event": _NAMES, **prose, **beside, **_figures()}, ("event",))
    return {"oneOf": [points, {**of_events, "oneOf": [{"required": [figure]} for figure in FIGURES]}]}


def _figures() -> dict[str, Schema]:
    """Figure → what it takes."""
    one = {"anyOf": [_NAME, _object({"of": _NAME}, ("of",))]}
    money = {"anyOf": [_NAME, _object({"of": _NAME, "currency": _NAME}, ("of",))]}
    return {
        **dict.fromkeys(FIGURES, one),
        **dict.fromkeys(("sum", "average", "min", "max"), money),
        "count": {"const": True},
        "top": _object({"of": _NAME, "at_most": {"type": "integer", "minimum": 1}}, ("of", "at_most")),
        "decay": _object({"half_life": {"type": "string", "pattern": "^[0-9]+ ?[smhdw]$"}, "of": _NAME, "currency": _NAME}, ("half_life",)),
        "days_since": {"enum": ["first", "last"]},
    }


def _event_keys() -> Schema:
    return {
        **{key: schema for key, schema in _which().items() if key != "event"},
        "count": _ref("number_test"),
        **{name: _ref(name) for name in MEASURES},
        "most_frequent": _ref("most_frequent"),
        "first": _EXTREME,
        "last": _EXTREME,
        "in_at_least": _SO_MANY,
        "of_last": _SO_MANY,
        "period": _EACH,
        "streak": _object({**_number_operators(), "period": _EACH, "missing": _MISSING}, ("period",), at_least=2),
        **_window_keys(),
        "since": {"anyOf": [_DATE, _object({"last": _NAMES}, ("last",))]},
    }


def _contact_fields() -> Schema:
    """A contact's field may also be asked what it was before."""
    stood = _object({"has_been": _ref("predicate"), "for": _LENGTH}, ("has_been", "for"))
    moved = _object({"changed": {"type": "boolean"}, "from": _ref("predicate"), "to": _ref("predicate"), **_window_keys()}, ("changed",))
    return {"type": "object", "additionalProperties": {"anyOf": [_ref("predicate"), stood, moved]}, "minProperties": 1}


def _which() -> Schema:
    """What says which events are meant."""
    return {"event": _NAMES, "where": _ref("fields"), "human": {"type": "boolean"}}


def _window_keys() -> Schema:
    return {
        "within": _LENGTH,
        "older_than": _LENGTH,
        "ago": {"type": "array", "items": _LENGTH, "minItems": 2, "maxItems": 2},
        "during": _PAST_PERIOD,
        "since": _DATE,
        "until": _DATE,
    }


def _steps() -> Schema:
    """A sequence: something that happened, and steps after it."""
    first = _object({**_which(), "last": {"type": "boolean"}}, ("event",))
    return {"type": "array", "prefixItems": [first], "items": _ref("step"), "minItems": 2, "maxItems": MOST_STEPS}


def _step() -> Schema:
    """What follows in a sequence, or after `not` what does not."""
    gap: Schema = {"within": _DURATION, "same": _NAME}
    positive = _object({**_which(), **gap}, ("event",))
    return {"oneOf": [positive, _object({"not": _object({**_which(), **gap}, ("event",)), **gap}, ("not",))]}


def _most_frequent() -> Schema:
    asked = _operators()
    return asked | {"properties": {"of": _NAME, **asked["properties"]}, "required": ["of"], "minProperties": 2}


def _measure(name: str) -> Schema:
    currency = {} if name == "distinct" else {"currency": _NAME}
    return _object({"of": _NAME, **_number_operators(), "missing": _MISSING, **currency}, ("of",), at_least=2)


def _number_operators() -> Schema:
    """`in`, `not_in` and `between` take several numbers, the rest one."""
    several: Schema = {"type": "array", "items": {"type": "number"}, "minItems": 1}
    pair = several | {"minItems": 2, "maxItems": 2}
    made = {name: _NUMBERS if name in ("in", "not_in") else {"type": "number"} for name in NUMBER_OPERATORS}
    return {**made, "between": pair}


def _near() -> Schema:
    degrees = [{"type": "number", "minimum": -most, "maximum": most} for most in (90, 180)]
    point = {"type": "array", "prefixItems": degrees, "minItems": 2, "maxItems": 2}
    return _object({"of": point, "km": {"type": "number", "exclusiveMinimum": 0}}, ("of", "km"))


def _operators() -> Schema:
    one = {"anyOf": [_SCALAR, _FIELD]}
    several = {"anyOf": [*_SCALARS["anyOf"], _FIELD]}
    made: Schema = dict.fromkeys(("is", "is_not", *ORDER_OPERATORS, *DATE_OPERATORS), one)
    made |= dict.fromkeys(("in", "not_in", *TEXT_OPERATORS), several)
    made |= {"anniversary": _object({"during": _PERIOD}, ("during",)), "anniversary_within": _DAYS, "near": _near()}
    made |= {**dict.fromkeys(RELATIVE_OPERATORS, _LENGTH), "during": _PERIOD}
    made |= {name: {"anyOf": [_ref("predicate"), _ref("fields")]} for name in EACH_OPERATORS}
    made |= {"between": _PAIR, "matches": _SCALARS, "is_set": {"type": "boolean"}, "size": _ref("number_test")}
    made |= {"missing": _MISSING, "ignore_case": {"type": "boolean"}}
    return _object({name: made[name] for name in (*OPERATORS, *MODIFIERS)}, at_least=1)
