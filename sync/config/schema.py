"""JSON Schema (draft 2020-12) of the whole file, for editors.

It judges forms; `check` judges meaning, too, and says it better.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors import registry
from sync.config import keys, scalars
from sync.config.connections import capabilities
from sync.config.model import Apply, Existing, Manage, Require, Withdrawn
from sync.language.schema import definitions, rule_properties, trait_schema
from sync.language.words import KINDS, WEEKDAYS

Schema = dict[str, Any]

_TEXT: Schema = {"type": ["string", "number", "boolean"]}
_WHOLE: Schema = {"type": "integer", "minimum": 0}
_SPAN: Schema = {"type": "string", "pattern": "^[0-9]{1,9}[smhdw]$"}
_LONG_SPAN: Schema = {"type": "string", "pattern": "^[0-9]{1,9}(mo|[smhdwy])$"}
_SHARE: Schema = {"type": "string", "pattern": r"^[0-9]{1,3}(\.[0-9]{1,6})? ?%$"}
_PATHS: Schema = {"type": "array", "items": {"type": "string"}, "minItems": 1}
_NAME = f"^{scalars.NAME}$"
_FAMILY_NAME = "^[a-z0-9_]*<value>[a-z0-9_]*$"


def config_schema() -> Schema:
    """The schema of a config, as a plain JSON value."""
    made = _map(keys.TOP, {
        "version": {"const": 1},
        "settings": _settings(),
        "connections": _named(_connection(), at_least=1),
        "events": _named(_event()),
        "fields": _named(_map(keys.FIELD, {"first_of": _PATHS, "as": {"enum": ["country"]}}, ("first_of",))),
        "consent": _map(keys.CONSENT, {"withdrawn": _words(Withdrawn)}),
        "defaults": _map(keys.DEFAULTS, _behaviour()),
        "guards": _map(keys.GUARDS, {**_thresholds(), "stale": _SPAN}),
        "schedule": _schedule(),
        "include": {"anyOf": [{"type": "string"}, _PATHS]},
        "traits": _named({"$ref": "#/$defs/trait"}),
        "segments": _segments(),
    }, ("version", "connections"))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "segmentd", **made,
        "$defs": {**definitions(), "trait": trait_schema(), "segment": _segment(), "family": _family(), "target": _target()},
    }


def _map(section: keys.Section, properties: Mapping[str, Schema], required: tuple[str, ...] = ()) -> Schema:
    """A map with the keys of *section*, each with what it says; nothing at all counts as an empty one where none is required."""
    described = {key: {"description": what, **properties[key]} for key, what in section.keys.items()}
    made: Schema = {"type": "object" if required else ["object", "null"], "properties": described, "additionalProperties": False}
    return {**made, "required": list(required)} if required else made


def _named(held: Schema, at_least: int = 0) -> Schema:
    """Plain names → *held*."""
    made: Schema = {"patternProperties": {_NAME: held}, "additionalProperties": False}
    return {"type": "object", "minProperties": at_least, **made} if at_least else {"type": ["object", "null"], **made}


def _words(kind: Any) -> Schema:
    return {"enum": [each.value for each in kind]}


def _settings() -> Schema:
    return _map(keys.SETTINGS, {
        "timezone": {"type": "string"}, "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
        "week_starts": {"enum": list(WEEKDAYS)},
        "history": _LONG_SPAN, "machine_opens": {"enum": ["ignore", "count"]},
        "store": {"type": "string"},
    })


def _connection() -> Schema:
    """Every installed kind's own keys are known; which kind takes which is for `check` to say."""
    made = _map(keys.CONNECTION, {
        "kind": {"enum": registry.kinds()}, "key": _key(), "account": _TEXT, "share": _SHARE,
        "base_url": {"type": "string", "pattern": "^https?://"},
        "audiences": _named(_TEXT), "default_audience": {"type": "string", "pattern": _NAME},
    })
    for kind in registry.kinds():
        able = capabilities(kind)
        for option in sorted(able.options) if able else ():
            made["properties"].setdefault(option, {"description": f"Of connections of kind {kind}"})
    return made


def _key() -> Schema:
    kinds = [{"required": [kind]} for kind in keys.KEY.keys]
    made = _map(keys.KEY, {kind: {"type": "string", "minLength": 1} for kind in keys.KEY.keys})
    return {**made, "type": "object", "oneOf": kinds}


def _event() -> Schema:
    named: Schema = {"type": "object", "additionalProperties": _TEXT}
    sources: Schema = {"type": "object", "additionalProperties": {"anyOf": [_TEXT, *_records()]}}
    return _map(keys.EVENT, {
        "from": {"anyOf": [{"type": "string"}, sources]}, "same": {"type": "string"},
        "properties": {"type": "object", "additionalProperties": {"anyOf": [_TEXT, named]}}, "keep": _LONG_SPAN,
    })


def _records() -> list[Schema]:
    """`{deals: closed_won}`: every installed kind's records that can be events."""
    found = {native for kind in registry.kinds() if (able := capabilities(kind)) for native in able.records}
    pairs = [native.partition(".")[::2] for native in sorted(found)]
    return [{"type": "object", "required": [field], "properties": {field: {"enum": [state]}}, "additionalProperties": False}
            for field, state in pairs]


def _behaviour() -> dict[str, Schema]:
    return {"manage": _words(Manage), "existing": _words(Existing), "missing": {"enum": ["skip"]}, "require": _words(Require)}


def _thresholds() -> dict[str, Schema]:
    return dict.fromkeys(("removes", "adds"), _map(keys.THRESHOLD, {"share": _SHARE, "from": _WHOLE, "at_most": _WHOLE}))


def _schedule() -> Schema:
    cadence: Schema = {"type": "string", "pattern": "^([0-9]{1,9}[smhdw]|daily +([01][0-9]|2[0-3]):[0-5][0-9])$"}
    return _map(keys.SCHEDULE, {
        "pull": _map(keys.PULL, {"changes": _SPAN, "complete": cadence}),
        "seal": cadence,
        "apply": _map(keys.APPLY, {"data": _words(Apply), "edits": _words(Apply)}),
    })


def _segment() -> Schema:
    """Its own keys beside those of exactly one condition."""
    target: Schema = {"$ref": "#/$defs/target"}
    one_or_more: Schema = {"anyOf": [target, {"type": "array", "items": target, "minItems": 1}]}
    made = _map(keys.SEGMENT, {
        "description": {"type": "string"}, "timezone": {"type": "string"},
        "enabled": {"type": "boolean"}, "was": _TEXT, "retire": {"enum": ["remove"]},
        "sync": {"type": "object", "additionalProperties": one_or_more},
    })
    made["properties"] |= rule_properties()
    return {**made, "type": "object", "oneOf": [{"required": [kind]} for kind in KINDS]}


def _segments() -> Schema:
    """Segments under plain names, families under names with `<value>` in them."""
    made = _named({"$ref": "#/$defs/segment"})
    made["patternProperties"][_FAMILY_NAME] = {"$ref": "#/$defs/family"}
    return made


def _family() -> Schema:
    """A segment with `for_each`, and up to one condition beside it."""
    event = {key: schema for key, schema in rule_properties().items() if key in keys.FAMILY_EVENT}
    each = _map(keys.FOR_EACH, {"property": _TEXT, "at_least": _WHOLE}, ("event", "property"))
    each["properties"] |= event
    made = _segment()
    made["properties"]["for_each"] = each
    return {**made, "oneOf": [{"required": ["for_each"]}]}


def _target() -> Schema:
    made = _map(keys.TARGET, {
        "tag": _TEXT, "list": _TEXT, "audience": {"type": "string"}, "subscription": _TEXT,
        **_behaviour(), "guards": _map(keys.TARGET_GUARDS, _thresholds()),
    })
    return {**made, "type": "object", "oneOf": [{"required": ["tag"]}, {"required": ["list"]}]}
