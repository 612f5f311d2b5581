"""How a raw value reads: as a number, a text, a span of time, or as missing.

Values are plain JSON with exact numbers (`int`, `Decimal`). Every reader is total: it answers None for what it cannot
read and never raises. The slow and the fast evaluator both call these functions, so a value reads the same in both.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from connectors.base import Millis, instant, millis

Json: TypeAlias = Any                    # str | int | Decimal | float | bool | None | list[Json] | dict[str, Json]
Path: TypeAlias = tuple[str, ...]        # ("mailchimp", "merge_fields", "CITY")
Span: TypeAlias = tuple[Millis, Millis]  # start ≤ t < end; an instant lasts one millisecond

PLACES = 6
MILLION = 10**PLACES
MOST_DIGITS = 300                        # a longer numeral reads as no number: it is an id or an accident
INT64_MAX = 2**63 - 1

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
_LONG = Context(prec=2 * MOST_DIGITS)
_NUMERAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_INSTANT = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]+))?)?\s?(?:([Zz])|([+-])([0-9]{2}):?([0-9]{2})?)?)?"
)


class RuleFailure(Exception):
    """A segment that cannot be answered (overflow, mixed currencies): it fails as a whole and is never empty instead."""


# --- JSON texts -----------------------------------------------------------------------------------------------------------


def decode(text: str) -> Json:
    """The value of a JSON text, numbers exact."""
    if text[:1] == '"' and "\\" not in text:
        return text[1:-1]
    return json.loads(text, parse_float=Decimal, parse_int=Decimal if len(text) > MOST_DIGITS else int)


def canonical(value: Json) -> str:
    """The JSON text of *value*: equal values give equal texts (keys sorted, no spaces, `Decimal` as a plain numeral)."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{canonical(str(key))}:{canonical(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(canonical, value)) + "]"
    return _encode(value)


# --- paths ----------------------------------------------------------------------------------------------------------------


def parse_path(text: str) -> Path:
    r"""Parts of a dotted name; `\.` is a literal dot and `\\` a backslash."""
    parts, part, letters = [], "", iter(text)
    for letter in letters:
        if letter == ".":
            parts.append(part)
            part = ""
        else:
            part += next(letters, "\\") if letter == "\\" else letter
    return (*parts, part)


def path_text(path: Path) -> str:
    """The dotted name that `parse_path` reads as *path*; also the name of an event table's property column."""
    return ".".join(part.replace("\\", "\\\\").replace(".", "\\.") for part in path)


def look(record: Mapping[str, Json], path: Path) -> Json:
    """The value under *path*, None where absent (a list has no named parts)."""
    value: Json = record
    for part in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value


# --- missing, text, number ------------------------------------------------------------------------------------------------


def is_missing(value: Json) -> bool:
    """Absent, null, "" and [] are one; only `is_set` and `size` tell them apart."""
    return value is None or (isinstance(value, str | list | tuple) and len(value) == 0)


def elements(value: Json) -> tuple[Json, ...]:
    """What a list holds; a single value is a list of one."""
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def is_number(value: Json) -> bool:
    """Whether *value* is a number itself, not a text that reads as one."""
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def nfc(text: str) -> str:
    """*text* in Unicode normalization form C."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def fold(text: str) -> str:
    """*text* without case, by full Unicode case folding."""
    return nfc(nfc(text).casefold())


def read_text(value: Json) -> str | None:
    """The text of a scalar in NFC (numbers as plain numerals, booleans as `true` / `false`), None for the rest."""
    if isinstance(value, str):
        return nfc(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if is_number(value):
        number = value if isinstance(value, Decimal) else Decimal(repr(value))
        return format(number, "f") if number.is_finite() and abs(number.adjusted()) <= MOST_DIGITS else str(value)
    return None


def read_number(value: Json) -> int | None:
    """Millionths of a number, or of a text that reads as one; None for the rest, booleans among them.

    ASCII decimals with sign, fraction and exponent; the seventh place is rounded half away from zero. Exact and without
    an upper bound in comparisons; only aggregates are held to int64 (`RuleFailure`).
    """
    if isinstance(value, str):
        return _millionths(Decimal(value)) if _NUMERAL.fullmatch(value) else None
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return _millionths(Decimal(repr(value))) if math.isfinite(value) else None
    if isinstance(value, int):
        return value * MILLION if value.bit_length() < 3 * MOST_DIGITS else None
    return _millionths(value) if isinstance(value, Decimal) else None


def _millionths(number: Decimal) -> int | None:
    if not number.is_finite() or number.adjusted() > MOST_DIGITS:
        return None
    if number.is_zero() or number.adjusted() < -PLACES - 1:
        return 0
    sign, digits, exponent = _LONG.plus(number).as_tuple()
    whole = int("".join(map(str, digits)))
    shift = int(exponent) + PLACES                                     # finite, as asked above
    size: int = whole * 10**shift if shift >= 0 else (2 * whole + 10**-shift) // (2 * 10**-shift)
    return -size if sign else size


def number_text(millionths: int) -> str:
    """*millionths* as a plain numeral: 1500000 is `1.5`."""
    whole, part = divmod(abs(millionths), MILLION)
    text = f"{whole}.{part:06d}".rstrip("0").rstrip(".")
    return f"-{text}" if millionths < 0 else text


def distinct_keys(value: Json) -> tuple[str, ...]:
    """What `distinct` counts in *value*: each element once; 12, 12.0 and "12" are one, missing values are none."""
    return tuple(dict.fromkeys(_key(each) for each in elements(value) if not is_missing(each)))


def _key(value: Json) -> str:
    if is_number(value):
        number = read_number(value)
        return canonical(value) if number is None else number_text(number)
    text = read_text(value)
    return canonical(value) if text is None else text


# --- time -----------------------------------------------------------------------------------------------------------------


def read_span(value: Json, zone: ZoneInfo) -> Span | None:
    """The span of a date (its whole local day) or of an ISO 8601 instant (one millisecond), None for all else.

    No offset means *zone*. Digits below the millisecond are cut off.
    """
    found = _INSTANT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    try:
        return _day(found, zone) if found[4] is None else _instant(found, zone)
    except (ValueError, OverflowError):                                # 30 February, year 0, 25 o'clock
        return None


def _day(found: re.Match[str], zone: ZoneInfo) -> Span:
    day = datetime(int(found[1]), int(found[2]), int(found[3]))        # noqa: DTZ001 - local by intent
    last = day.replace(hour=23, minute=59, second=59, microsecond=999_000)
    end = local_millis(last, zone) + 1 if day.year == 9999 else local_millis(day + timedelta(days=1), zone)
    return local_millis(day, zone), end


def _instant(found: re.Match[str], zone: ZoneInfo) -> Span:
    year, month, day, hour, minute, second = (int(found[place] or 0) for place in range(1, 7))
    micros = int((found[7] or "0")[:3].ljust(3, "0")) * 1000
    local = datetime(year, month, day, hour, minute, second, micros)   # noqa: DTZ001 - local by intent
    if found[8] is None and found[9] is None:
        at = local_millis(local, zone)
    else:
        hours, minutes = int(found[10] or 0), int(found[11] or 0)
        if hours > 23 or minutes > 59:
            raise ValueError("no such offset")
        ahead = (hours * 60 + minutes) * 60_000
        at = millis(local.replace(tzinfo=UTC)) + (ahead if found[9] == "-" else -ahead)
    return at, at + 1


_NONE = timedelta(0)


def local_millis(local: datetime, zone: ZoneInfo) -> Millis:
    """The instant of a naive local time: the earlier of two, and the end of the gap where it does not exist."""
    earlier, later = local.replace(tzinfo=zone, fold=0), local.replace(tzinfo=zone, fold=1)
    before, after = earlier.utcoffset() or _NONE, later.utcoffset() or _NONE
    if after <= before:
        return millis(earlier)
    low, high = millis(later), millis(earlier)                         # in a gap the two offsets give crossed instants
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _offset(middle, zone) >= after else (middle, high)
    return high


def _offset(at: Millis, zone: ZoneInfo) -> timedelta:
    return instant(at).astimezone(zone).utcoffset() or _NONE


def instant_text(at: Millis) -> str:
    """*at* as ISO 8601 in UTC with milliseconds, which `read_span` reads back."""
    return instant(at).isoformat(timespec="milliseconds").replace("+00:00", "Z")
