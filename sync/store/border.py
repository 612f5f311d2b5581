"""What a platform may send and the store could choke on, made harmless before anything is written.

Decided once, here, so that one odd record never stops a page:

- ids and names: lone surrogates and NUL become U+FFFD (SQLite takes neither everywhere); an address that holds one is none,
  or people would be merged by what their broken addresses became;
- JSON bodies: kept as given, whatever their length; lone surrogates become U+FFFD, NaN and infinities null, integers beyond
  64 bits the nearest float (null beyond those, too), and what is nested deeper than `DEEPEST` null;
- instants outside the years 1 to 9999 are unknown;
- a profile without an id, and an event without an id, with an unknown time or about nobody (unless it voids one), are left out and counted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import orjson

from connectors.base import Consent, Event, Json, Millis, Profile, ProfileId

EARLIEST: Millis = -62_135_596_800_000              # 0001-01-01
LATEST: Millis = 253_402_300_799_999                # the last moment of 9999
DEEPEST = 200                                       # orjson writes 254 levels

Columns = tuple[Any, ...]                           # the fields of `Event`, each for all events

Maybe = TypeVar("Maybe", str, str | None)


def text(value: Maybe) -> Maybe:
    """*value* without NUL and lone surrogates."""
    if value is None or (value.isascii() and "\0" not in value):
        return value
    return value.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def json_text(value: Json) -> str:
    """The JSON text of *value*; what JSON or SQLite cannot hold is replaced as said above."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return orjson.dumps(_harmless(value, DEEPEST)).decode()


def is_number_at_all(value: Json) -> bool:
    """False for NaN and infinities, which are absent."""
    return not isinstance(value, float) or math.isfinite(value)


def moment(at: Millis | None) -> Millis | None:
    """*at*, None where no calendar has it."""
    return at if isinstance(at, int) and EARLIEST <= at <= LATEST else None


def events(given: Sequence[Event]) -> tuple[Sequence[Event], Columns]:
    """Those of *given* that can be stored, as they can be; and all their ids, all their natives, and so on."""
    columns = _columns(given)
    if not given or _plain_page(columns):
        return given, columns
    fit = [fit for fit in map(event, given) if fit is not None]
    return fit, _columns(fit)


def _columns(given: Sequence[Event]) -> Columns:
    return tuple(zip(*given, strict=True))


def _plain_page(columns: Columns) -> bool:
    """Whether nothing in *columns* can be harmful: the usual case, told at once for all."""
    ids, natives, times, _, profiles, emails, _, _ = columns
    if not all(ids) or set(map(type, times)) != {int} or not EARLIEST <= min(times) <= max(times) <= LATEST:
        return False
    texts = "".join((*ids, *set(natives), *filter(None, profiles), *filter(None, emails)))
    return texts.isascii() and "\0" not in texts and (all(profiles) or all(emails))


def event(given: Event) -> Event | None:
    """*given* as it can be stored; None when it has to be left out."""
    if not given.id or moment(given.at) is None or not (given.profile or given.email or given.removed):
        return None
    ids = f"{given.id}{given.native}{given.profile or ''}{given.email or ''}"
    if ids.isascii() and "\0" not in ids:
        return given
    profile = ProfileId(text(given.profile)) if given.profile else None
    fit = given._replace(id=text(given.id), native=text(given.native), profile=profile, email=_address(given.email))
    return fit if fit.profile or fit.email or fit.removed else None


def profile(given: Profile) -> Profile | None:
    """*given* as it can be stored (its fields by `json_text`); None when it has to be left out."""
    if not given.id:
        return None
    if _plain(given):
        return given
    return replace(
        given, id=ProfileId(text(given.id)), email=_address(given.email), audience=text(given.audience),
        consent=tuple(map(_consent, given.consent)), aliases=tuple(alias for alias in given.aliases if _address(alias)),
        absorbed=tuple(ProfileId(text(one)) for one in given.absorbed if one), created=moment(given.created),
        updated=moment(given.updated),
    )


def _plain(given: Profile) -> bool:
    """Whether nothing in *given* can be harmful: the usual case, told quickly."""
    texts = given.id + given.audience + (given.email or "")
    times = moment(given.created) == given.created and moment(given.updated) == given.updated
    few = not given.aliases and not given.absorbed
    return few and times and texts.isascii() and "\0" not in texts and all(_consent(each) is each for each in given.consent)


def _address(email: str | None) -> str | None:
    return email if text(email) == email else None


def _consent(given: Consent) -> Consent:
    if given.scope.isascii() and "\0" not in given.scope and moment(given.at) == given.at:
        return given
    return replace(given, scope=text(given.scope), at=moment(given.at))


def _harmless(value: Json, depth: int) -> Json:
    if isinstance(value, str):
        return text(value) if "\0" not in value else "\0".join(map(text, value.split("\0")))
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if value.bit_length() < 64 else _nearest(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping) and depth:
        return {_harmless(str(key), depth): _harmless(held, depth - 1) for key, held in value.items()}
    if isinstance(value, list | tuple) and depth:
        return [_harmless(held, depth - 1) for held in value]
    return None if isinstance(value, Mapping | list | tuple) else text(str(value))


def _nearest(value: int) -> float | None:
    try:
        return float(value)
    except OverflowError:
        return None
