"""Single values: each reader gives the typed value, or None after saying what is expected."""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Collection
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from connectors.base import DAY, HOUR, MINUTE, SECOND, Json, Millis
from sync.config.form import Notes, Reader, either, shown
from sync.config.model import Daily
from sync.language.literals import boolean, is_null, misfit
from sync.language.words import suggestion
from sync.located import Listing, Mapping, Scalar, Value

E = TypeVar("E", bound=Enum)

NAME = r"[a-z][a-z0-9_]*"
SPANS = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY, "mo": 30 * DAY, "y": 365 * DAY}
_SPAN = re.compile(r"([0-9]{1,9})(mo|[smhdwy])")
_SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?) ?%")
_DAILY = re.compile(r"daily +([01][0-9]|2[0-3]):([0-5][0-9])")
_WHOLE = re.compile(r"0|[1-9][0-9]{0,14}")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(\.[0-9]{1,15})?")
LONGEST: Millis = 100 * SPANS["y"]


def expected(notes: Notes, value: Value, key: str, what: str, hint: str = "") -> None:
    notes.complain(value.place, f"'{key}' takes {what}, not {shown(value)}", hint)


def text(notes: Notes, value: Value, key: str) -> str | None:
    """A text as written; nothing, blanks at the ends and control characters are refused."""
    if not isinstance(value, Scalar) or is_null(value) or not value.text.strip():
        expected(notes, value, key, "a text")
    elif any(ord(c) < 32 or 127 <= ord(c) < 160 for c in value.text) or value.text != value.text.strip():
        expected(notes, value, key, "a text of one line without blanks at its ends")
    else:
        return value.text
    return None


def prose(notes: Notes, value: Value, key: str) -> str | None:
    """A text of one or several lines."""
    if isinstance(value, Scalar) and not is_null(value):
        return value.text.strip()
    expected(notes, value, key, "a text", "quote it if it holds braces or `: `")
    return None


def truth(notes: Notes, value: Value, key: str) -> bool | None:
    """`true` or `false`."""
    found = boolean(value) if isinstance(value, Scalar) else None
    if found is None:
        expected(notes, value, key, "true or false")
    return found


def is_name(word: str) -> bool:
    return re.fullmatch(NAME, word) is not None


def choice(words: Collection[str], later: Collection[str] = ()) -> Reader[str]:
    """Reads one of *words*; those in *later* are answered with "not yet"."""

    def read(notes: Notes, value: Value, key: str) -> str | None:
        if isinstance(value, Scalar) and value.text in words:
            return value.text
        if isinstance(value, Scalar) and value.text in later:
            notes.later(value.place, f"{key}: {value.text}")
        else:
            near = suggestion(value.text, words) if isinstance(value, Scalar) else ""
            expected(notes, value, key, either(words), near if near.startswith("did") else "")
        return None

    return read


def member(kind: type[E]) -> Reader[E]:
    """Reads the value of an enum."""
    words = choice([each.value for each in kind])

    def read(notes: Notes, value: Value, key: str) -> E | None:
        found = words(notes, value, key)
        return None if found is None else kind(found)

    return read


def span(units: Collection[str] = ("s", "m", "h", "d", "w")) -> Reader[Millis]:
    """Reads a duration in *units* as milliseconds, above 0 and up to 100 years."""

    def read(notes: Notes, value: Value, key: str) -> Millis | None:
        found = _SPAN.fullmatch(value.text) if isinstance(value, Scalar) else None
        if found and found[2] in units and 0 < (length := int(found[1]) * SPANS[found[2]]) <= LONGEST:
            return length
        said = misfit(value.text, LONGEST) if isinstance(value, Scalar) else ""
        expected(notes, value, key, said or f"a whole number of {either(units)}", "for example 30d")
        return None

    return read


def span_text(length: Millis) -> str:
    """A duration in the largest unit that measures it in whole numbers."""
    for unit in ("d", "h", "m", "s"):
        if length % SPANS[unit] == 0:
            return f"{length // SPANS[unit]}{unit}"
    return f"{length / 1000}s"


def cadence(notes: Notes, value: Value, key: str) -> Daily | Millis | None:
    """`daily HH:MM`, or a duration as milliseconds."""
    said = value.text if isinstance(value, Scalar) else ""
    if found := _DAILY.fullmatch(said):
        return Daily(int(found[1]), int(found[2]))
    found = _SPAN.fullmatch(said)
    if found and found[2] not in ("mo", "y") and 0 < (length := int(found[1]) * SPANS[found[2]]) <= LONGEST:
        return length
    expected(notes, value, key, "`daily HH:MM` or a duration", "for example daily 03:15, or 12h")
    return None


def share(notes: Notes, value: Value, key: str) -> Fraction | None:
    """A percentage above 0 and up to 100 as a fraction of 1."""
    found = _SHARE.fullmatch(value.text) if isinstance(value, Scalar) else None
    if found and 0 < (part := Fraction(found[1]) / 100) <= 1:
        return part
    bare = isinstance(value, Scalar) and _NUMBER.fullmatch(value.text) is not None
    expected(notes, value, key, "a percentage above 0% and up to 100%", "a bare number has no %" if bare else "for example 20%")
    return None


def whole(notes: Notes, value: Value, key: str) -> int | None:
    """A whole number from 0 up, without marks between its digits."""
    if isinstance(value, Scalar) and value.plain and _WHOLE.fullmatch(value.text):
        return int(value.text)
    expected(notes, value, key, "a whole number", "digits only, such as 500")
    return None


def zone(notes: Notes, value: Value, key: str) -> str | None:
    """The name of an IANA zone that this machine knows."""
    said = value.text if isinstance(value, Scalar) else ""
    if known_zone(said) is not None:
        return said
    near = difflib.get_close_matches(said, sorted(available_timezones()), n=1)
    expected(notes, value, key, "an IANA zone", f"did you mean '{near[0]}'?" if near else "for example Europe/Berlin")
    return None


def known_zone(name: str) -> ZoneInfo | None:
    """The zone called *name*, if there is one."""
    try:
        return ZoneInfo(name) if name else None
    except (KeyError, ValueError, OSError):                        # unknown, a path, a directory
        return None


def currency(notes: Notes, value: Value, key: str) -> str | None:
    """Three capital letters, as in ISO 4217."""
    if isinstance(value, Scalar) and re.fullmatch("[A-Z]{3}", value.text):
        return value.text
    expected(notes, value, key, "an ISO 4217 code", "for example EUR")
    return None


def store(notes: Notes, value: Value, key: str) -> Path | None:
    """The database file: as named if it ends in .db, else `segmentd.db` in the directory named."""
    said = text(notes, value, key)
    if said is None:
        return None
    path = notes.folder / Path(said).expanduser()
    return path if path.suffix == ".db" else path / "segmentd.db"


def base_url(notes: Notes, value: Value, key: str) -> str | None:
    """An https address, or http on this machine; without name, password, query and fragment. Its text is never echoed."""
    said = value.text if isinstance(value, Scalar) else ""
    try:
        parts = urlsplit(said)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("https", "http") or re.search(r"[\s\\]", said):
        notes.complain(value.place, f"'{key}' takes an address", "for example https://api.example.com")
    elif "@" in parts.netloc:
        notes.complain(value.place, f"'{key}' holds a name or a password", "a secret belongs under `key:`, as a reference")
    elif parts.query or parts.fragment:
        notes.complain(value.place, f"'{key}' takes an address without ? and #")
    elif parts.scheme == "http" and not _loopback(host):
        notes.complain(value.place, f"'{key}' takes https; http only on this machine (127.0.0.1, localhost)")
    else:
        return said.rstrip("/")
    return None


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def plain_json(value: Value) -> Json:
    """*value* as JSON: unquoted true, false, null and numbers are what they look like, everything else is a text."""
    if isinstance(value, Mapping):
        return {key.text: plain_json(held) for key, held in value.entries}
    if isinstance(value, Listing):
        return [plain_json(item) for item in value.items]
    if is_null(value) or (truth := boolean(value)) is not None:
        return None if is_null(value) else truth
    if value.plain and (found := _NUMBER.fullmatch(value.text)):
        return float(value.text) if found[1] else int(value.text)
    return value.text
