"""What bodies must look like before anything is done with them.

A shape is a type, a tuple of alternatives, `[shape]` for a list, or a dict of member names, those with a leading "*" required.
Members that are not required may be null; members not named are let by. Source: Klaviyo OpenAPI, revision 2026-07-15.
"""

from __future__ import annotations

from typing import Any

from connectors.klaviyo.sandbox.errors import invalid

Shape = Any
NUMBER = (int, float)

PLACE = dict.fromkeys(("address1", "address2", "city", "country", "region", "zip", "timezone", "ip"), str) | {
    "latitude": (str, *NUMBER), "longitude": (str, *NUMBER)}
META = {"patch_properties": {"append": dict, "unappend": dict, "unset": (str, [str])}, "patch_identifiers": dict}
_TEXTS = (
    "email", "phone_number", "external_id", "_kx", "anonymous_id", "first_name", "last_name", "organization", "locale", "title",
    "image",
)
ATTRIBUTES = {**dict.fromkeys(_TEXTS, str), "location": PLACE, "properties": dict, "meta": META}
PROFILE = {"id": str, "*attributes": ATTRIBUTES, "meta": META}
ACTOR = {"*data": {"*type": str, **PROFILE}}
METRIC = {"*data": {"*type": str, "*attributes": {"*name": str, "service": str}}}
EVENT = {"*properties": dict, "time": str, "value": NUMBER, "value_currency": str, "unique_id": str, "backfill": bool, "*metric": METRIC}
LIST = {"*attributes": {"name": str, "opt_in_process": str}}
RELATED = {"data": {"*type": str, "*id": str}}

CREATE_EVENT = {"*attributes": {**EVENT, "*profile": ACTOR}}
CREATE_EVENTS = {"*attributes": {"*events-bulk-create": {"*data": [{"*attributes": {
    "*profile": ACTOR, "*events": {"*data": [{"*attributes": EVENT}]}}}]}}}
MERGE = {"*id": str, "*relationships": {"*profiles": {"*data": [{"*type": str, "*id": str}]}}}
IMPORT = {
    "*attributes": {"*profiles": {"*data": [{"*type": str, **PROFILE}]}},
    "relationships": {"lists": {"*data": [{"*type": str, "*id": str}]}},
}
_CHANNEL = {"marketing": {"*consent": str, "consented_at": str}, "transactional": {"*consent": str, "consented_at": str}}
_CONSENTS = {"email": _CHANNEL, "sms": _CHANNEL, "whatsapp": _CHANNEL, "push": dict}
CONSENT = {
    "*attributes": {
        "custom_source": str, "historical_import": bool,
        "*profiles": {"*data": [{"id": str, "*attributes": {"email": str, "phone_number": str, "*subscriptions": _CONSENTS}}]},
    },
    "relationships": {"list": RELATED},
}
SUPPRESSION = {
    "*attributes": {"profiles": {"*data": [{"*attributes": {"*email": str}}]}},
    "relationships": {"list": RELATED, "segment": RELATED},
}
DELETION = {"*attributes": {"*profile": {"*data": {"id": str, "*attributes": {"email": str, "phone_number": str}}}}}


def check(value: Any, shape: Shape, pointer: str) -> None:
    """400 naming the first place where *value* is not of *shape*."""
    if isinstance(shape, dict):
        _check_members(value, shape, pointer)
    elif isinstance(shape, list):
        if not isinstance(value, list):
            invalid("Not a valid list.", pointer)
        for number, one in enumerate(value):
            check(one, shape[0], f"{pointer}/{number}")
    elif isinstance(shape, tuple):
        if not any(_fits(value, one) for one in shape):
            invalid("Not a valid value.", pointer)
    elif not _fits(value, shape):
        invalid(f"Not a valid {_NAMES[shape]}.", pointer)


def _check_members(value: Any, shape: dict[str, Shape], pointer: str) -> None:
    if not isinstance(value, dict):
        invalid("Not a valid mapping type.", pointer)
    for name, inner in shape.items():
        plain = name.removeprefix("*")
        if value.get(plain) is not None:
            check(value[plain], inner, f"{pointer}/{plain}")
        elif name != plain:
            invalid("This field is required.", f"{pointer}/{plain}")


_NAMES = {str: "string", int: "number", float: "number", bool: "boolean", dict: "mapping type"}


def _fits(value: Any, shape: Shape) -> bool:
    if isinstance(shape, list):
        return isinstance(value, list) and all(_fits(one, shape[0]) for one in value)
    return isinstance(value, shape) and (shape is bool or not isinstance(value, bool))
