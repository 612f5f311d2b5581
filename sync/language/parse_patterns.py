"""From YAML to conditions on the shape of what somebody did: first and last, regularly, streaks, stopped, resumed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from sync.language.calendars import Calendar
from sync.language.happened import Filter
from sync.language.nodes import All, Node
from sync.language.parse_events import AT_LEAST_ONCE, event_filter, happened
from sync.language.parse_windows import ages, window
from sync.language.patterns import FirstOrLast, MostFrequent, Resumed
from sync.language.periods import MOST_PERIODS, Period, Regularly, Rolling, Streak
from sync.language.predicate_parser import Fields, fields, number_test, predicate
from sync.language.predicates import NumberTest, Predicate
from sync.language.reader import Reader, held
from sync.language.values import MILLION, Path, parse_path, read_number
from sync.language.words import EVENT_KEYS, MEASURES, PERIOD_WORDS, REGULARLY, WEEKDAYS, WINDOWS
from sync.located import Mapping, Scalar, Value

_FORMS = {"first": "first", "last": "last", "streak": "streak", **dict.fromkeys(REGULARLY, "regularly")}
_BESIDE = {
    "first": ("first", *WINDOWS), "last": ("last", *WINDOWS), "streak": ("streak", "count"), "regularly": (*REGULARLY, "count"),
}


def _event(reader: Reader, mapping: Mapping) -> Node | None:
    """An `event` condition: one of the forms, or one set of events that is counted and measured."""
    keys = [key for key in EVENT_KEYS if mapping.get(key) is not None]
    form = next((_FORMS[key] for key in keys if key in _FORMS), None)
    if form is None:
        return _measured(reader, mapping)
    common = ("event", "where", "human")
    strange = [key for key in keys if key not in (*_BESIDE[form], *common)]
    if strange:
        mine = next(key for key in keys if _FORMS.get(key) == form)
        place = next(key.place for key, _ in mapping.entries if key.text == strange[0])
        reader.complain(place, f"'{strange[0]}' does not go with '{mine}'", "give each its own entry in a list under 'all'")
        return None
    return _PATTERNS[form](reader, mapping)


def _measured(reader: Reader, mapping: Mapping) -> Node | None:
    """What is counted and measured, and what was most frequent, of the same events."""
    value = mapping.get("most_frequent")
    if value is None:
        return happened(reader, mapping)
    alone = not any(mapping.get(key) is not None for key in ("count", *MEASURES))
    which, when, asked = event_filter(reader, mapping), window(reader, mapping), _most_frequent(reader, value)
    beside = None if alone else happened(reader, mapping)
    if which is None or when is None or asked is None or (beside is None and not alone):
        return None
    node = MostFrequent(which, when, *asked)
    return node if beside is None else All((beside, node))


def _most_frequent(reader: Reader, value: Value) -> tuple[Path, Predicate] | None:
    example = "most_frequent: {of: category, is: shoes}"
    if isinstance(value, Scalar):
        reader.complain(value.place, f"the short form 'most_frequent: {value.text}' belongs to traits", f"for example {example}")
        return None
    mapping = reader.mapping(value, "'most_frequent'", example)
    if mapping is None:
        return None
    of = reader.name(mapping.get("of"), "'of'", mapping.place)
    asked = Mapping(tuple(entry for entry in mapping.entries if entry[0].text != "of"), mapping.place)
    test = predicate(reader, "most_frequent", asked, Fields(checked=False))
    if test is not None and test.others():
        reader.complain(mapping.place, "what is most frequent cannot be compared with another field")
        return None
    return None if of is None or test is None else (parse_path(of), test)


# --- first and last -----------------------------------------------------------------------------------------------------------


def _extreme(word: Literal["first", "last"]) -> Callable[[Reader, Mapping], Node | None]:
    def parse(reader: Reader, mapping: Mapping) -> Node | None:
        which, when, tests = event_filter(reader, mapping), window(reader, mapping), _tests(reader, word, held(mapping, word))
        return None if which is None or when is None or tests is None else FirstOrLast(word, which, when, tests)

    return parse


def _tests(reader: Reader, word: str, value: Value) -> tuple[tuple[Path, Predicate], ...] | None:
    """Nothing for `true`, else what is asked of the event's properties."""
    if isinstance(value, Scalar) and value.plain and value.text.lower() == "true":
        return ()
    if isinstance(value, Mapping) and value.entries:
        return fields(reader, value, Fields(checked=False))
    reader.complain(value.place, f"'{word}' takes true, or properties of that event", f"for example {word}: {{category: shoes}}")
    return None


def _stopped(reader: Reader, mapping: Mapping) -> Node | None:
    value = reader.mapping(held(mapping, "stopped"), "'stopped'", "{event: order_placed, active: 90d, silent: 30d}")
    if value is None or not reader.keys(value, ("event", "where", "human", "active", "silent"), "'stopped'"):
        return None
    which = _named(reader, value, "'stopped'")
    active, silent = value.get("active"), value.get("silent")
    if active is None or silent is None:
        reader.complain(value.place, "'stopped' says since when nothing came and before that when something did",
                        "for example active: 90d, silent: 30d")
        return None
    when = ages(reader, silent, active, ("silent", "active"))
    return None if which is None or when is None else FirstOrLast("last", which, when)


def _resumed(reader: Reader, mapping: Mapping) -> Node | None:
    value = reader.mapping(held(mapping, "resumed"), "'resumed'", "{event: order_placed, silent: 30d, within: 7d}")
    if value is None or not reader.keys(value, ("event", "where", "human", "silent", *WINDOWS), "'resumed'"):
        return None
    which, when, said = _named(reader, value, "'resumed'"), window(reader, value), value.get("silent")
    if said is None:
        reader.complain(value.place, "'resumed' says how long nothing came", "for example silent: 30d")
        return None
    silent = reader.duration(said, "'silent'")
    return None if which is None or when is None or silent is None else Resumed(which, silent, when)


# --- periods ------------------------------------------------------------------------------------------------------------------


def _regularly(reader: Reader, mapping: Mapping) -> Node | None:
    missing = [key for key in REGULARLY if mapping.get(key) is None]
    if missing:
        reader.complain(mapping.place, f"'{missing[0]}' is not said", "for example in_at_least: 3, of_last: 4, period: week")
        return None
    which, count = event_filter(reader, mapping), _count(reader, mapping)
    least, periods = (whole(reader, held(mapping, key), key) for key in ("in_at_least", "of_last"))
    span = _period(reader, held(mapping, "period"))
    if which is None or count is None or least is None or periods is None or span is None:
        return None
    if least > periods:
        reader.complain(held(mapping, "in_at_least").place, f"'in_at_least' {least} is more than the {periods} periods of 'of_last'")
        return None
    return Regularly(which, span, least, periods, count)


def _streak(reader: Reader, mapping: Mapping) -> Node | None:
    which, count = event_filter(reader, mapping), _count(reader, mapping)
    value = reader.mapping(held(mapping, "streak"), "'streak'", "{at_least: 5, period: day}")
    if value is None:
        return None
    length, said = number_test(reader, "streak", value, whole=True, beside=("period",)), value.get("period")
    if said is None:
        reader.complain(value.place, "'period' is not said", "for example streak: {at_least: 5, period: day}")
    span = None if said is None else _period(reader, said)
    if which is None or count is None or length is None or span is None:
        return None
    if count.holds(0):
        reader.complain(held(mapping, "count").place, "a streak asks for periods in which something happened",
                        "for example count: {at_least: 2}")
        return None
    if max(number for limit in length.limits for number in limit.numbers) > MOST_PERIODS * MILLION:
        reader.complain(value.place, f"a streak is counted up to {MOST_PERIODS} periods")
        return None
    return Streak(which, span, length, count)


def _count(reader: Reader, mapping: Mapping) -> NumberTest | None:
    said = mapping.get("count")
    return AT_LEAST_ONCE if said is None else number_test(reader, "count", said, whole=True)


def whole(reader: Reader, value: Value, what: str) -> int | None:
    """A plain whole number from 1 to `MOST_PERIODS`."""
    number = read_number(value.text) if isinstance(value, Scalar) and value.plain else None
    if number is None or number % MILLION or not MILLION <= number <= MOST_PERIODS * MILLION:
        reader.complain(value.place, f"'{what}' takes a whole number from 1 to {MOST_PERIODS}")
        return None
    return number // int(MILLION)


def _period(reader: Reader, value: Value) -> Period | None:
    text = value.text if isinstance(value, Scalar) else ""
    if text in PERIOD_WORDS:
        return Calendar(text, reader.scope.zone, WEEKDAYS.index(reader.scope.week_starts))
    if not text[:1].isdigit():
        reader.complain(value.place, "'period' takes day, week or month, or a duration that rolls back from now", "for example week or 7d")
        return None
    span = reader.duration(value, "'period'")
    return None if span is None else Rolling(span)


def _named(reader: Reader, value: Mapping, where: str) -> Filter | None:
    """The filter of a map that must have an `event`."""
    if value.get("event") is None:
        reader.complain(value.place, f"{where} has no 'event'", "for example event: order_placed")
        return None
    return event_filter(reader, value)


_PATTERNS: dict[str, Callable[[Reader, Mapping], Node | None]] = {
    "first": _extreme("first"), "last": _extreme("last"), "regularly": _regularly, "streak": _streak,
}
PARSERS: dict[str, Callable[[Reader, Mapping], Node | None]] = {"event": _event, "stopped": _stopped, "resumed": _resumed}
