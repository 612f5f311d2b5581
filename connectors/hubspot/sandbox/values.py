"""Values on their way into a property: what is refused, what is kept.

Source: HubSpot API reference, Properties ("a leading semicolon appends"); HubSpot changelog, "Increased validation for contact
updates made through APIs".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from connectors.hubspot.sandbox.times import moment

Problem = tuple[str, str, str]                      # property, code, why
_ADDRESS = re.compile(r"[^@\s;,]+@[^@\s;,]+\.[^@\s;,]+")


def text_of(value: object) -> str:
    """A JSON value as HubSpot keeps it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def cleaned(told: Mapping[str, Any] | None, name: str, value: object, old: str) -> tuple[str, Problem | None]:
    """The value to keep, and what is wrong with it. *told*: the property's definition; *old*: its value so far."""
    if told is None:
        return "", (name, "PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist')
    if told["modificationMetadata"]["readOnlyValue"]:
        return "", (name, "READ_ONLY_VALUE", f'"{name}" is a read only property; its value cannot be set')
    text = text_of(value)
    if not text:
        return "", None
    if told["type"] == "enumeration":
        return _chosen(told, name, text, old)
    return text, _wrong(told["type"], name, text)


def _chosen(told: Mapping[str, Any], name: str, text: str, old: str) -> tuple[str, Problem | None]:
    known = [one["value"] for one in told["options"]]
    many = told["fieldType"] == "checkbox"
    chosen = [one for one in text.split(";") if one] if many else [text]
    for one in chosen:
        if known and one not in known:
            return "", (name, "INVALID_OPTION", f"{one} was not one of the allowed options: [{', '.join(known)}]")
    kept = [one for one in old.split(";") if one] if many and text.startswith(";") else []
    return ";".join(dict.fromkeys([*kept, *chosen])), None


def _wrong(kind: str, name: str, text: str) -> Problem | None:
    if name == "email" and not _ADDRESS.fullmatch(text):
        return (name, "INVALID_EMAIL", f"Email address {text} is invalid")
    if kind == "number" and not re.fullmatch(r"-?\d+(\.\d+)?", text):
        return (name, "INVALID_NUMBER", f"{text} was not a valid number")
    if kind in ("datetime", "date") and moment(text) is None:
        return (name, "INVALID_DATE", f"{text} was not a valid {kind}")
    if kind == "bool" and text.lower() not in ("true", "false"):
        return (name, "INVALID_OPTION", f"{text} was not one of the allowed options: [true, false]")
    return None
