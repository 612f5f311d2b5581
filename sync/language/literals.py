"""Literals as their reader sees them (YAML 1.2): `01234`, `1_000` and `12:30` are texts, `NO` is Norway, `null` is nothing."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo

from connectors.base import Millis
from sync.language.calendars import Length, Months, nominal
from sync.language.predicates import Operand
from sync.language.values import read_number
from sync.language.window import UNITS
from sync.located import Scalar

_PLAIN_NUMBER = re.compile(r"[+-]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_LENGTH = re.compile(r"([0-9]+)\s?(mo|[smhdwy])")
_MONTHS = {"mo": 1, "y": 12}
_SHARE = re.compile(r"([0-9]+(?:\.[0-9]{1,6})?)\s?%")
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}

LONGEST: Millis = 1000 * 366 * UNITS["d"]


def is_null(scalar: Scalar) -> bool:
    """Whether *scalar* is YAML's null, written out or left empty."""
    return scalar.plain and scalar.text in _NULLS


def boolean(scalar: Scalar) -> bool | None:
    """The truth value it is, if it is one and not quoted."""
    return _BOOLEANS.get(scalar.text) if scalar.plain else None


def operand(scalar: Scalar) -> Operand:
    """What *scalar* compares as; the caller has refused null."""
    truth = boolean(scalar)
    if truth is not None:
        return Operand("boolean", "true" if truth else "false")
    plain_number = scalar.plain and _PLAIN_NUMBER.fullmatch(scalar.text) is not None
    number = read_number(scalar.text)
    return Operand("number" if plain_number and number is not None else "text", scalar.text, number)


def too_fine(text: str) -> bool:
    """Whether a numeral has a digit beyond the sixth place, which no comparison would see."""
    number, ten_times = read_number(text), read_number(f"{text}e6" if "e" not in text.lower() else text)
    return "e" not in text.lower() and number is not None and ten_times != number * 1_000_000


def length(text: str, zone: ZoneInfo) -> Length | None:
    """A whole number of s, m, h, d, w, mo or y; None for anything else, zero and more than 1000 years."""
    found = _LENGTH.fullmatch(text)
    if found is None or len(found[1]) > 15:
        return None
    number, unit = int(found[1]), found[2]
    span = Months(number * _MONTHS[unit], zone) if unit in _MONTHS else number * UNITS[unit]
    return span if number and nominal(span) <= LONGEST else None


def duration(text: str) -> Millis | None:
    """A whole number of s, m, h, d or w; None for anything else, zero and more than 1000 years."""
    span = length(text, ZoneInfo("UTC"))
    return None if isinstance(span, Months) else span


def share(text: str) -> int | None:
    """A percentage above 0 and up to 100 as millionths of a percent; None for anything else."""
    found = _SHARE.fullmatch(text)
    millionths = None if found is None else read_number(found[1])
    return millionths if millionths is not None and 0 < millionths <= 100_000_000 else None
