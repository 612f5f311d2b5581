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
_LENGTH = re.compile(r"([0-9]{1,300})\s?(mo|[smhdwy])")
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
    span = _any_length(text, zone)
    return span if span is not None and 0 < nominal(span) <= LONGEST else None


def _any_length(text: str, zone: ZoneInfo) -> Length | None:
    """As `length`, zero and any number of years as well."""
    found = _LENGTH.fullmatch(text)
    if found is None:
        return None
    number, unit = int(found[1]), found[2]
    return Months(number * _MONTHS[unit], zone) if unit in _MONTHS else number * UNITS[unit]


def duration(text: str) -> Millis | None:
    """A whole number of s, m, h, d or w; None for anything else, zero and more than 1000 years."""
    span = length(text, ZoneInfo("UTC"))
    return None if isinstance(span, Months) else span


def misfit(text: str, longest: Millis = LONGEST) -> str:
    """What is asked for instead of a length that is 0 or above *longest*; "" for any other text."""
    span = _any_length(text, ZoneInfo("UTC"))
    if span is None or 0 < nominal(span) <= longest:
        return ""
    return "a shorter time" if nominal(span) else "more than 0"


def share(text: str) -> int | None:
    """A percentage above 0 and up to 100 as millionths of a percent; None for anything else."""
    found = _SHARE.fullmatch(text)
    millionths = None if found is None else read_number(found[1])
    return millionths if millionths is not None and 0 < millionths <= 100_000_000 else None
