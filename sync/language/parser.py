"""From a located YAML value to a rule, with every problem at once."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from sync.language.literals import boolean, is_null, share
from sync.language.nodes import (
    All,
    AnyOf,
    ConsentIs,
    Contact,
    Filter,
    Happened,
    InSegment,
    Measure,
    MemberOf,
    Names,
    Node,
    NoneOf,
    Not,
    Sample,
    Suppressed,
    walk,
)
from sync.language.predicate_parser import Fields, fields, number_test
from sync.language.predicates import Limit, NumberTest, Predicate
from sync.language.reader import Reader, RuleScope
from sync.language.values import MILLION, Path, nfc, parse_path, read_span
from sync.language.window import Ago, Dates, Ever, OlderThan, Window, Within
from sync.language.words import (
    EVENT_KEYS,
    KINDS,
    LATER_EVENT_KEYS,
    LATER_KINDS,
    LATER_SEGMENT_KEYS,
    MEASURES,
    WINDOWS,
    suggestion,
)
from sync.located import Listing, Mapping, Problem, Scalar, Value

AT_LEAST_ONCE = NumberTest((Limit("at_least", (MILLION,)),))


def parse_rule(value: Value, scope: RuleScope) -> tuple[Node | None, list[Problem]]:
    """The rule that *value* says (None when anything is wrong with it), and everything that is wrong, in order of place.

    *value* is the part of a segment's map that is its rule: the keys `words.RULE_KEYS`. Keys that come later
    (`words.LATER_KEYS`) are answered by name.
    """
    reader = Reader(scope)
    node = _condition(reader, value, f"segment '{scope.segment}'")
    return (None if reader.problems else node), sorted(reader.problems)


def _condition(reader: Reader, value: Value, where: str) -> Node | None:
    mapping = reader.mapping(value, "a condition", "{event: order_placed, within: 30d}")
    if mapping is None:
        return None
    keys = mapping.keys()
    if later := [key for key, _ in mapping.entries if key.text in (*LATER_KINDS, *LATER_SEGMENT_KEYS)]:
        for key in later:
            reader.later(key, key.text)
        return None
    kinds = [kind for kind in KINDS if kind in keys]
    allowed = EVENT_KEYS if "event" in kinds else kinds or (*KINDS, *EVENT_KEYS)
    owner = f"a '{kinds[0]}' condition" if kinds and "event" not in kinds else where
    right = reader.keys(mapping, {*allowed, *kinds}, owner, LATER_EVENT_KEYS if "event" in kinds or not kinds else ())
    if len(kinds) == 1:
        return _PARSERS[kinds[0]](reader, mapping)                     # behind a wrong key, too: everything is told at once
    if kinds:
        named = " and ".join(f"'{kind}'" for kind in kinds)
        reader.complain(mapping.place, f"{where} holds {named} in one condition", "give each its own entry in a list under 'all'")
    elif right:
        reader.complain(mapping.place, f"{where} has no condition", "one of " + ", ".join(KINDS))
    return None


# --- boolean -----------------------------------------------------------------------------------------------------------------


def _children(reader: Reader, value: Value, word: str) -> tuple[Node, ...] | None:
    if not isinstance(value, Listing) or not value.items:
        reader.complain(value.place, f"'{word}' takes a list with at least one condition")
        return None
    nodes = [_condition(reader, item, f"'{word}'") for item in value.items]
    right = tuple(node for node in nodes if node is not None)
    return right if len(right) == len(nodes) else None


def _boolean(word: str, kind: Callable[[tuple[Node, ...]], Node]) -> Callable[[Reader, Mapping], Node | None]:
    def parse(reader: Reader, mapping: Mapping) -> Node | None:
        children = _children(reader, _held(mapping, word), word)
        return None if children is None else kind(children)

    return parse


def _not(reader: Reader, mapping: Mapping) -> Node | None:
    value = _held(mapping, "not")
    if isinstance(value, Listing):
        reader.complain(value.place, "'not' takes one condition", "for a list write 'none'")
        return None
    child = _condition(reader, value, "'not'")
    return None if child is None else Not(child)


def _held(mapping: Mapping, key: str) -> Value:
    value = mapping.get(key)
    if value is None:
        raise KeyError(key)                                            # the caller found it
    return value


# --- who somebody is -----------------------------------------------------------------------------------------------------------


def _contact(reader: Reader, mapping: Mapping) -> Node | None:
    value = reader.mapping(_held(mapping, "contact"), "'contact'", "{country: [DE, AT, CH]}")
    found = None if value is None else fields(reader, value, Fields(checked=True))
    return None if found is None else Contact(found)


def _segment(reader: Reader, mapping: Mapping) -> Node | None:
    value = _held(mapping, "segment")
    name = reader.one_of(value, reader.scope.segments, "segment", mapping.place)
    return None if name is None else InSegment(name)


def _member_of(reader: Reader, mapping: Mapping) -> Node | None:
    value = reader.mapping(_held(mapping, "member_of"), "'member_of'", "{mailchimp: {tag: VIP}}")
    if value is None:
        return None
    if value.get("within") is not None:
        reader.later(next(key for key, _ in value.entries if key.text == "within"), "within")
        return None
    if len(value.entries) != 1:
        reader.complain(value.place, "'member_of' names one connection", "for several use 'any' or 'all'")
        return None
    connection = reader.one_of(value.entries[0][0], reader.scope.connections, "connection", value.place)
    if connection is None:
        return None
    held = reader.mapping(value.entries[0][1], f"'{connection}'", "{tag: VIP}")
    if held is None or not reader.keys(held, ("tag", "list", "audience"), f"'{connection}'", ("within",)):
        return None
    return _membership(reader, connection, held)


def _membership(reader: Reader, connection: str, held: Mapping) -> Node | None:
    kinds = [kind for kind in ("tag", "list") if held.get(kind) is not None]
    if len(kinds) != 1:
        reader.complain(held.place, f"'{connection}' takes either a tag or a list")
        return None
    can = reader.scope.targets.get(connection, ("tag", "list"))
    if kinds[0] not in can:
        reader.complain(held.place, f"'{connection}' has no {kinds[0]}s", f"write '{next(iter(can), '')}'")
        return None
    name, audience = reader.name(held.get(kinds[0]), f"'{kinds[0]}'", held.place), None
    known = reader.scope.audiences.get(connection)
    if (value := held.get("audience")) is not None:
        audience = reader.name(value, "'audience'", held.place)
        if audience is not None and known is not None and audience not in known:
            reader.complain(value.place, f"unknown audience '{audience}' of '{connection}'", suggestion(audience, known))
            return None
    return None if name is None else MemberOf(connection, kinds[0], nfc(name), audience)


def _consent(reader: Reader, mapping: Mapping) -> Node | None:
    value = reader.mapping(_held(mapping, "consent"), "'consent'", "{channel: email, is: granted}")
    if value is None or not reader.keys(value, ("channel", "is", "connection"), "'consent'", ("within",)):
        return None
    channel = reader.one_of(value.get("channel"), reader.scope.channels, "channel", value.place)
    state = reader.one_of(value.get("is"), ("granted", "withdrawn", "unknown"), "consent", value.place)
    named = value.get("connection")
    connection = None if named is None else reader.one_of(named, reader.scope.connections, "connection", value.place)
    if channel is None or state is None or (named is not None and connection is None):
        return None
    return ConsentIs(channel, state, connection)


def _truth(reader: Reader, value: Value, what: str) -> bool | None:
    truth = boolean(value) if isinstance(value, Scalar) else None
    if truth is None:
        reader.complain(value.place, f"'{what}' takes true or false")
    return truth


def _suppressed(reader: Reader, mapping: Mapping) -> Node | None:
    truth = _truth(reader, _held(mapping, "suppressed"), "suppressed")
    return None if truth is None else Suppressed(truth)


def _sample(reader: Reader, mapping: Mapping) -> Node | None:
    value = reader.mapping(_held(mapping, "sample"), "'sample'", "{share: 10%, salt: spring}")
    if value is None or not reader.keys(value, ("share", "salt"), "'sample'"):
        return None
    said, salted = value.get("share"), value.get("salt")
    part = share(said.text) if isinstance(said, Scalar) else None
    if part is None:
        place = value.place if said is None else said.place
        reader.complain(place, "'share' takes a percentage above 0 and up to 100", "for example 10%")
    salt = reader.scope.segment if salted is None else reader.name(salted, "'salt'", value.place)
    return None if part is None or salt is None else Sample(Fraction(part, 100 * MILLION), salt)


# --- what somebody did ---------------------------------------------------------------------------------------------------------


def _event(reader: Reader, mapping: Mapping) -> Node | None:
    names = _names(reader, _held(mapping, "event"))
    which = _filter(reader, mapping, names)
    window = _window(reader, mapping)
    measures = [_measure(reader, word, _held(mapping, word)) for word in MEASURES if mapping.get(word) is not None]
    said = mapping.get("count")
    count = number_test(reader, "count", said, whole=True) if said is not None else None if measures else AT_LEAST_ONCE
    right = tuple(measure for measure in measures if measure is not None)
    if which is None or window is None or len(right) < len(measures) or (said is not None and count is None):
        return None
    return Happened(which, window, count, right)


def _names(reader: Reader, value: Value) -> Names | None:
    items = value.items if isinstance(value, Listing) else (value,)
    exact, prefixes, wrong = [], [], not items
    for item in items:
        text = item.text if isinstance(item, Scalar) and not is_null(item) else ""
        if text == "" or "*" in text[:-1]:
            reader.complain(item.place, "'event' takes names; a star may end one", 'for example order_placed, "email_*" or "*"')
            wrong = True
        elif text.endswith("*"):
            prefixes.append(text[:-1])
        else:
            exact.append(text)
    if not items:
        reader.complain(value.place, "'event' has an empty list")
    return None if wrong else Names(tuple(dict.fromkeys(exact)), tuple(dict.fromkeys(prefixes)))


def _filter(reader: Reader, mapping: Mapping, names: Names | None) -> Filter | None:
    value, said = mapping.get("where"), mapping.get("human")
    where: tuple[tuple[Path, Predicate], ...] | None = ()
    if value is not None:
        held = reader.mapping(value, "'where'", "{category: {starts_with: winter}}")
        where = None if held is None else fields(reader, held, Fields(checked=False))
    human = reader.scope.ignore_machine if said is None else _truth(reader, said, "human")
    if names is None or where is None or human is None:
        return None
    return Filter(names, where, human)


def _measure(reader: Reader, word: str, value: Value) -> Measure | None:
    example = f"{word}: {{of: value, at_least: 500}}"
    if isinstance(value, Scalar):
        reader.complain(value.place, f"the short form '{word}: {value.text}' belongs to traits, which are not yet supported",
                        f"for example {example}")
        return None
    mapping = reader.mapping(value, f"'{word}'", example)
    if mapping is None:
        return None
    beside = ("of",) if word == "distinct" else ("of", "currency")
    of, said = reader.name(mapping.get("of"), "'of'", mapping.place), mapping.get("currency")
    test = number_test(reader, word, mapping, whole=word == "distinct", beside=beside)
    currency = None if said is None else reader.name(said, "'currency'", mapping.place)
    if of is None or test is None or (said is not None and currency is None):
        return None
    return Measure(word, parse_path(of), test, currency)


# --- windows -------------------------------------------------------------------------------------------------------------------


def _window(reader: Reader, mapping: Mapping) -> Window | None:
    said = [word for word in WINDOWS if mapping.get(word) is not None]
    if not said:
        return Ever()
    if len(said) > 1 and set(said) != {"since", "until"}:
        named = " and ".join(f"'{word}'" for word in said)
        reader.complain(mapping.place, f"{named} are two windows in one condition", "between two ages write ago: [90d, 30d]")
        return None
    if said[0] in ("since", "until"):
        return _dates(reader, mapping)
    value = _held(mapping, said[0])
    if said[0] == "ago":
        return _ago(reader, value)
    span = reader.duration(value, f"'{said[0]}'")
    return None if span is None else Within(span) if said[0] == "within" else OlderThan(span)


def _ago(reader: Reader, value: Value) -> Window | None:
    if not isinstance(value, Listing) or len(value.items) != 2:
        reader.complain(value.place, "'ago' takes two ages", "for example [90d, 30d]")
        return None
    spans = [reader.duration(item, "'ago'") for item in value.items]
    near, far = sorted(span or 0 for span in spans)
    if None in spans:
        return None
    if near == far:
        reader.complain(value.place, "'ago' takes two different ages, else no time lies between them")
        return None
    return Ago(far, near)


def _dates(reader: Reader, mapping: Mapping) -> Window | None:
    since, until = mapping.get("since"), mapping.get("until")
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
        reader.later(value.place, f"{word}: {{last: …}}")
        return None
    span = read_span(value.text, reader.scope.zone) if isinstance(value, Scalar) else None
    if span is None:
        reader.complain(value.place, f"'{word}' takes a day or an instant", "for example 2026-11-20 or 2026-11-20T08:00Z")
        return None
    is_day = span[1] - span[0] > 1
    return span[1] if word == "until" and is_day else span[0]


def event_hints(node: Node, known: list[str]) -> list[str]:
    """A warning for each event name that nobody has reported so far, with the nearest one that was."""
    names = {name for each in walk(node) if isinstance(each, Happened) for name in each.filter.names.exact}
    unseen = sorted(names - set(known))
    return [f"no event '{name}' has been seen so far; {suggestion(name, known)}".rstrip("; ") for name in unseen]


_PARSERS: dict[str, Callable[[Reader, Mapping], Node | None]] = {
    "all": _boolean("all", All),
    "any": _boolean("any", AnyOf),
    "none": _boolean("none", NoneOf),
    "not": _not,
    "contact": _contact,
    "event": _event,
    "segment": _segment,
    "member_of": _member_of,
    "consent": _consent,
    "suppressed": _suppressed,
    "sample": _sample,
}
