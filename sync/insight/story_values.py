"""Single values of a story: moments, ages, names, and any value a field or a property may have."""

from __future__ import annotations

import re
from decimal import Decimal
from zoneinfo import ZoneInfo

from connectors.base import Millis
from sync.config.form import Notes, Reader, shown
from sync.language.calendars import BEYOND, askable
from sync.language.literals import boolean, is_null, operand
from sync.language.values import Json, read_span
from sync.language.window import UNITS
from sync.located import Listing, Mapping, Scalar, Value

_AGE = re.compile(r"([0-9]{1,12}) ?([smhdw])")
_AWAY = re.compile(r"(in )?([0-9]{1,12}) ?([smhdw])( ago)?")


def later(now: Millis) -> Reader[Millis]:
    """Reads how long after *now* in a text like `7d`: the moment then."""
    def find(notes: Notes, value: Value, key: str) -> Millis | None:
        found = _AGE.fullmatch(value.text) if isinstance(value, Scalar) else None
        if found is None:
            notes.complain(value.place, f"'{key}' takes a whole number of s, m, h, d or w, not {shown(value)}", "for example 7d")
            return None
        return _in_reach(notes, value, key, now + int(found[1]) * UNITS[found[2]])

    return find


def moment(now: Millis | None, zone: str) -> Reader[Millis]:
    """Reads a day (its first instant) or an instant, local time of *zone* where it has no offset; also `2d ago`, `in 2d` and
    `now`, where there is a *now*."""
    def find(notes: Notes, value: Value, key: str) -> Millis | None:
        text = value.text if isinstance(value, Scalar) else ""
        away = None if now is None else _away(text)
        if now is not None and away is not None:
            return _in_reach(notes, value, key, now + away)
        span = read_span(text, ZoneInfo(zone))
        if span is None:
            example = "2026-11-20 or 2026-11-20T08:00Z" + ("" if now is None else ", 2d ago, in 2d or now")
            notes.complain(value.place, f"'{key}' takes a moment, not {shown(value)}", f"for example {example}")
            return None
        return _in_reach(notes, value, key, span[0])

    return find


def _in_reach(notes: Notes, value: Value, key: str, at: Millis) -> Millis | None:
    """*at*, unless no rule can be asked of it: then the value of *key* that led there is complained of."""
    if askable(at):
        return at
    notes.complain(value.place, f"'{key}' {BEYOND}")
    return None


def _away(text: str) -> Millis | None:
    """How far from now a text like `2d ago` is."""
    if text == "now":
        return 0
    found = _AWAY.fullmatch(text)
    if found is None or (found[1] is None) is (found[4] is None):
        return None
    span = int(found[2]) * UNITS[found[3]]
    return span if found[1] else -span


def names(notes: Notes, value: Value, key: str) -> tuple[Scalar, ...] | None:
    """One name or a list of names, as they stand."""
    items = value.items if isinstance(value, Listing) else (value,)
    right = tuple(item for item in items if isinstance(item, Scalar) and not is_null(item))
    if len(right) < len(items):
        notes.complain(value.place, f"'{key}' takes names, not {shown(value)}", "for example [ann, bob]")
        return None
    return right


def plain(value: Value) -> Json:
    """*value* as JSON: numbers, `true` and `null` as their reader sees them, everything else as the text it is."""
    if isinstance(value, Mapping):
        return {key.text: plain(held) for key, held in value.entries}
    if isinstance(value, Listing):
        return [plain(item) for item in value.items]
    if is_null(value):
        return None
    read = operand(value)
    if read.kind == "number":
        return Decimal(value.text) if re.search("[.eE]", value.text) else int(value.text)
    return boolean(value) if read.kind == "boolean" else value.text
