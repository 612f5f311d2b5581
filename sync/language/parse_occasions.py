"""From YAML to predicates on what comes round every year and on places."""

from __future__ import annotations

from sync.language.literals import duration
from sync.language.occasions import AnniversaryDuring, AnniversaryWithin
from sync.language.places import FARTHEST_KM, Near, Point, on_earth
from sync.language.reader import Reader
from sync.language.values import MILLION, read_number
from sync.language.window import UNITS
from sync.located import Listing, Mapping, Scalar, Value

MOST_DAYS = 365


def anniversary_within(reader: Reader, value: Value) -> AnniversaryWithin | None:
    """Whole local days, up to a year."""
    span = duration(value.text) if isinstance(value, Scalar) else None
    if span is None or span % UNITS["d"] or span > MOST_DAYS * UNITS["d"]:
        reader.complain(value.place, f"'anniversary_within' takes whole days, up to {MOST_DAYS}d", "for example 7d")
        return None
    return AnniversaryWithin(span // UNITS["d"])


def anniversary(reader: Reader, value: Value) -> AnniversaryDuring | None:
    """`{during: next_week}`."""
    mapping = reader.mapping(value, "'anniversary'", "{during: next_week}")
    if mapping is None or not reader.keys(mapping, ("during",), "'anniversary'"):
        return None
    period = reader.period(mapping.entries[0][1], "'during'", past=False)
    return None if period is None else AnniversaryDuring(period)


def near(reader: Reader, value: Value) -> Near | None:
    """`{of: [52.52, 13.40], km: 50}`: degrees north and east."""
    mapping = reader.mapping(value, "'near'", "{of: [52.52, 13.40], km: 50}")
    if mapping is None or not reader.keys(mapping, ("of", "km"), "'near'"):
        return None
    point, km = _point(reader, mapping), _number(mapping.get("km"))
    if km is None or not 0 < km <= FARTHEST_KM * MILLION:
        place = mapping.get("km") or mapping
        reader.complain(place.place, f"'km' takes a number above 0 and up to {FARTHEST_KM}", "for example km: 50")
        return None
    return None if point is None else Near(point, km)


def _point(reader: Reader, mapping: Mapping) -> Point | None:
    said = mapping.get("of")
    numbers = [number for item in said.items if (number := _number(item)) is not None] if isinstance(said, Listing) else []
    if isinstance(said, Listing) and len(said.items) == len(numbers) == 2 and on_earth(*numbers):
        return Point(*numbers)
    place = said or mapping
    reader.complain(place.place, "'of' takes degrees of latitude (-90 to 90) and longitude (-180 to 180)", "for example [52.52, 13.40]")
    return None


def _number(value: Value | None) -> int | None:
    """Millionths."""
    return read_number(value.text) if isinstance(value, Scalar) else None
