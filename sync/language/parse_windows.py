"""From YAML to windows of time."""

from __future__ import annotations

from sync.language.calendars import Length, extremes
from sync.language.reader import Reader, held
from sync.language.values import read_span
from sync.language.window import Ago, Dates, Ever, OlderThan, Window, Within, duration_text
from sync.language.words import WINDOWS
from sync.located import Listing, Mapping, Place, Scalar, Value


def window(reader: Reader, mapping: Mapping, *, since_last: bool = False) -> Window | None:
    """The one window of an event condition, `Ever` where none is said. *since_last*: the caller reads `since: {last: …}`."""
    said = [word for word in WINDOWS if mapping.get(word) is not None]
    if not said:
        return Ever()
    if len(said) > 1 and set(said) != {"since", "until"}:
        named = " and ".join(f"'{word}'" for word in said)
        reader.complain(mapping.place, f"{named} are two windows in one condition", "between two ages write ago: [90d, 30d]")
        return None
    if said[0] in ("since", "until"):
        return _dates(reader, mapping, since_last)
    value = held(mapping, said[0])
    if said[0] == "ago":
        return _ago(reader, value)
    if said[0] == "during":
        return reader.period(value, "'during'", past=True)
    span = reader.length(value, f"'{said[0]}'")
    return None if span is None else Within(span) if said[0] == "within" else OlderThan(span)


def _ago(reader: Reader, value: Value) -> Window | None:
    if not isinstance(value, Listing) or len(value.items) != 2:
        reader.complain(value.place, "'ago' takes two ages", "for example [90d, 30d]")
        return None
    spans = [span for item in value.items if (span := reader.length(item, "'ago'")) is not None]
    if len(spans) < 2:
        return None
    near, far = sorted(spans, key=extremes)
    if near == far:
        reader.complain(value.place, "'ago' takes two different ages, else no time lies between them")
        return None
    return _between(reader, value.place, near, far)


def ages(reader: Reader, near: Value, far: Value, names: tuple[str, str]) -> Window | None:
    """Between two ages that have *names* of their own, the nearer one first."""
    spans = [span for value, name in zip((near, far), names, strict=True) if (span := reader.length(value, f"'{name}'")) is not None]
    if len(spans) < 2:
        return None
    if extremes(spans[0]) >= extremes(spans[1]):
        reader.complain(near.place, f"'{names[0]}' is not shorter than '{names[1]}', so no time lies between them")
        return None
    return _between(reader, near.place, *spans)


def _between(reader: Reader, place: Place, near: Length, far: Length) -> Window | None:
    if extremes(near)[1] >= extremes(far)[0]:
        named = f"{duration_text(near)} or {duration_text(far)}"
        reader.complain(place, f"which of {named} is longer depends on the month", "write both in one unit")
        return None
    return Ago(far, near)


def _dates(reader: Reader, mapping: Mapping, since_last: bool) -> Window | None:
    since, until = mapping.get("since"), mapping.get("until")
    if since_last and isinstance(since, Mapping):
        since = None
        if until is None:
            return Ever()
    start, end = _moment(reader, since, "since"), _moment(reader, until, "until")
    if (since is not None and start is None) or (until is not None and end is None):
        return None
    if start is not None and end is not None and start >= end:
        reader.complain(mapping.place, "'until' is not after 'since', so no time lies between them")
        return None
    return Dates(start, end)


def _moment(reader: Reader, value: Value | None, word: str) -> int | None:
    """The first instant of `since`, or the first one after `until`: a bare day in `until` takes that day in."""
    if value is None:
        return None
    if isinstance(value, Mapping) and value.get("last") is not None:
        reader.complain(value.place, f"'{word}: {{last: …}}' takes no part here", "only `since` of an 'event' condition has it")
        return None
    span = read_span(value.text, reader.scope.zone) if isinstance(value, Scalar) else None
    if span is None:
        reader.complain(value.place, f"'{word}' takes a day or an instant", "for example 2026-11-20 or 2026-11-20T08:00Z")
        return None
    is_day = span[1] - span[0] > 1
    return span[1] if word == "until" and is_day else span[0]
