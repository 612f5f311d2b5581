"""Predicates on places: how far a field's latitude and longitude are from a point, over the ground."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import asin, cos, radians, sin, sqrt
from zoneinfo import ZoneInfo

from connectors.base import Millis
from sync.language.values import MILLION, Json, elements, number_text, read_number

EARTH_KM = 6371.0088                                                    # mean radius, IUGG
FARTHEST_KM = 20_100                                                    # beyond half the way round


@dataclass(frozen=True, slots=True)
class Point:
    """Millionths of degrees north and east."""

    latitude: int
    longitude: int

    def __str__(self) -> str:
        return f"{number_text(self.latitude)}, {number_text(self.longitude)}"


def read_point(value: Json) -> Point | None:
    """The point of a map with `latitude` and `longitude`; None for what is no point on Earth, and for 0, 0.

    Mailchimp writes 0, 0 where it does not know (marketing API, list members, `location`), and nobody lives there.
    """
    if not isinstance(value, Mapping):
        return None
    latitude, longitude = read_number(value.get("latitude")), read_number(value.get("longitude"))
    if latitude is None or longitude is None or (latitude == 0 and longitude == 0):
        return None
    return Point(latitude, longitude) if on_earth(latitude, longitude) else None


def on_earth(latitude: int, longitude: int) -> bool:
    """Whether there are such degrees, in millionths."""
    return max(abs(latitude) * 2, abs(longitude)) <= int(180 * MILLION)


def distance_km(one: Point, other: Point) -> float:
    """Along the great circle (haversine); right to half a percent, since the Earth is no sphere."""
    south, north = radians(one.latitude / MILLION), radians(other.latitude / MILLION)
    across = radians((other.longitude - one.longitude) / MILLION)
    part = sin((north - south) / 2) ** 2 + cos(south) * cos(north) * sin(across / 2) ** 2
    return 2 * EARTH_KM * asin(min(1.0, sqrt(part)))


@dataclass(frozen=True, slots=True)
class Near:
    """At most *distance* (millionths of a kilometre) from *point*."""

    point: Point
    distance: int

    def lacks(self, value: Json, record: Mapping[str, Json]) -> bool:
        return next(_points(value), None) is None

    def holds(self, value: Json, record: Mapping[str, Json], now: Millis, zone: ZoneInfo) -> bool:
        return any(distance_km(self.point, point) * MILLION <= self.distance for point in _points(value))

    def __str__(self) -> str:
        return f"within {number_text(self.distance)} km of {self.point}"


def _points(value: Json) -> Iterator[Point]:
    return (point for each in elements(value) if (point := read_point(each)) is not None)
