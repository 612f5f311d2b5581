"""From YAML to the conditions on who somebody is."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as Mapped
from fractions import Fraction
from typing import Literal

from sync.language.literals import share
from sync.language.nodes import All, InSegment, Node
from sync.language.parse_pasts import is_past, past
from sync.language.parse_windows import window
from sync.language.predicate_parser import Fields, fields
from sync.language.predicates import Operand, Predicate
from sync.language.reader import Reader, held
from sync.language.traits import Trait, TraitTest, as_event_condition, decays, levels
from sync.language.values import MILLION, Path, nfc, number_text
from sync.language.who import ConsentIs, Contact, MemberOf, Sample, Suppressed
from sync.language.window import Window
from sync.language.words import WINDOWS, suggestion
from sync.located import Mapping, Place, Scalar, Value


def _contact(reader: Reader, mapping: Mapping) -> Node | None:
    value = reader.mapping(held(mapping, "contact"), "'contact'", "{country: [DE, AT, CH]}")
    if value is None:
        return None
    asked = tuple(entry for entry in value.entries if not is_past(entry[1]))
    found = fields(reader, Mapping(asked, value.place), Fields(checked=True))
    before = [past(reader, key, said) for key, said in value.entries if isinstance(said, Mapping) and is_past(said)]
    if found is None or None in before:
        return None
    plain = tuple((path, test) for path, test in found if not traits_in(reader.scope.traits, path, test))
    others = [
        _trait_test(reader, key, path, test)
        for (key, _), (path, test) in zip(asked, found, strict=True) if (path, test) not in plain
    ]
    nodes = [*([Contact(plain)] if plain else []), *(each for each in (*others, *before) if each is not None)]
    if None in others:
        return None
    return nodes[0] if len(nodes) == 1 else All(tuple(nodes))


def traits_in(known: Mapped[str, Trait], path: Path, test: Predicate) -> list[str]:
    """The traits that a field, or one it is compared with, is."""
    return sorted({each[0] for each in (path, *test.others())} & set(known))


def _trait_test(reader: Reader, key: Scalar, path: Path, test: Predicate) -> Node | None:
    """The condition that a trait, or a field compared with one, passes; None where one of the traits is wrong."""
    found = {name: reader.scope.traits.get(name) for name in traits_in(reader.scope.traits, path, test)}
    traits = tuple((name, trait) for name, trait in found.items() if trait is not None)
    if len(traits) < len(found):
        return None
    for name, trait in traits:
        if decays(trait) and ((name,) != path or name in {each[0] for each in test.others()} or levels(test) is None):
            reader.complain(key.place, f"the decaying score '{name}' is compared with numbers only", "for example {at_least: 5}")
            return None
    asked = as_event_condition(path[0], traits[0][1], test) if (traits[0][0],) == path else None
    return asked or TraitTest(path, test, traits)


def _segment(reader: Reader, mapping: Mapping) -> Node | None:
    name = segment_name(reader, held(mapping, "segment"), mapping.place)
    return None if name is None else InSegment(name)


def segment_name(reader: Reader, value: Value | None, place: Place) -> str | None:
    """The segment that is named: one of the config, or one of a family by its value."""
    if isinstance(value, Mapping):
        return _of_family(reader, value)
    families = reader.scope.families
    if isinstance(value, Scalar) and value.text not in reader.scope.segments and (family := families.holding(value.text)):
        reader.complain(value.place, f"'{value.text}' is no segment by itself, but may be one of the family '{family}'",
                        f"write {{family: {family}, of: VALUE}}")
        return None
    return reader.one_of(value, reader.scope.segments, "segment", place)


def key_of(value: Operand) -> str:
    """What `distinct` calls a value that is written so."""
    return number_text(value.number) if value.kind == "number" and value.number is not None else nfc(value.text)


def _of_family(reader: Reader, said: Mapping) -> str | None:
    if not reader.keys(said, ("family", "of"), "'segment'"):
        return None
    family = reader.one_of(said.get("family"), reader.scope.families.names, "family", said.place)
    of = said.get("of")
    if of is None:
        reader.complain(said.place, "'segment' does not say which of the family", f"{{family: {family or 'session_<value>'}, of: VALUE}}")
        return None
    value = reader.literal(of, "'of'")
    if family is None or value is None:
        return None
    key, families = key_of(value), reader.scope.families
    if value.kind == "number" and key != value.text:
        reader.complain(of.place, f"the family's value may be the number {key} or the text '{value.text}'",
                        f'write {key}, or "{value.text}" in quotes')
        return None
    name, twin = families.segment(family, key), families.twin(family, key)
    if name in reader.scope.segments:
        reader.complain(of.place, f"the segment for '{key}' would be called '{name}', as another one is", "give that one another name")
    elif twin is not None:
        reader.complain(of.place, f"'{key}' and {twin} both give the name '{name}', so neither could be told", "ask only one of them")
    return name


def _member_of(reader: Reader, mapping: Mapping) -> Node | None:
    value = reader.mapping(held(mapping, "member_of"), "'member_of'", "{mailchimp: {tag: VIP}}")
    if value is None:
        return None
    when = since_when(reader, value)
    named = [entry for entry in value.entries if entry[0].text not in WINDOWS]
    if len(named) != 1:
        reader.complain(value.place, "'member_of' names one connection", "for several use 'any' or 'all'")
        return None
    connection = reader.one_of(named[0][0], reader.scope.connections, "connection", value.place)
    if connection is None or isinstance(when, bool):
        return None
    inner = reader.mapping(named[0][1], f"'{connection}'", "{tag: VIP}")
    if inner is not None and (misplaced := [key for key, _ in inner.entries if key.text in WINDOWS]):
        reader.complain(misplaced[0].place, f"'{misplaced[0].text}' stands beside the connection",
                        f"member_of: {{{connection}: {{…}}, {misplaced[0].text}: …}}")
        return None
    if inner is None or not reader.keys(inner, ("tag", "list", "audience"), f"'{connection}'"):
        return None
    return _membership(reader, connection, inner, when)


def since_when(reader: Reader, mapping: Mapping) -> Window | Literal[False] | None:
    """The window beside what stands since some moment, None where none is said; False when there is something wrong with it."""
    if not set(mapping.keys()) & set(WINDOWS):
        return None
    return window(reader, mapping) or False


def _membership(reader: Reader, connection: str, inner: Mapping, when: Window | None) -> Node | None:
    kinds = [kind for kind in ("tag", "list") if inner.get(kind) is not None]
    if len(kinds) != 1:
        reader.complain(inner.place, f"'{connection}' takes either a tag or a list")
        return None
    can = reader.scope.targets.get(connection, ("tag", "list"))
    if kinds[0] not in can:
        reader.complain(inner.place, f"'{connection}' has no {kinds[0]}s", f"write '{next(iter(can), '')}'")
        return None
    name, audience = reader.name(inner.get(kinds[0]), f"'{kinds[0]}'", inner.place), None
    known = reader.scope.audiences.get(connection)
    if (value := inner.get("audience")) is not None:
        audience = reader.name(value, "'audience'", inner.place)
        if audience is not None and known is not None and audience not in known:
            reader.complain(value.place, f"unknown audience '{audience}' of '{connection}'", suggestion(audience, known))
            return None
    return None if name is None else MemberOf(connection, kinds[0], nfc(name), audience, when)


def _consent(reader: Reader, mapping: Mapping) -> Node | None:
    value = reader.mapping(held(mapping, "consent"), "'consent'", "{channel: email, is: granted}")
    if value is None or not reader.keys(value, ("channel", "is", "connection", *WINDOWS), "'consent'"):
        return None
    channel = reader.one_of(value.get("channel"), reader.scope.channels, "channel", value.place)
    state = reader.one_of(value.get("is"), ("granted", "withdrawn", "unknown"), "consent", value.place)
    when, named = since_when(reader, value), value.get("connection")
    connection = None if named is None else reader.one_of(named, reader.scope.connections, "connection", value.place)
    if channel is None or state is None or isinstance(when, bool) or (named is not None and connection is None):
        return None
    return ConsentIs(channel, state, connection, when)


def _suppressed(reader: Reader, mapping: Mapping) -> Node | None:
    truth = reader.truth(held(mapping, "suppressed"), "suppressed")
    return None if truth is None else Suppressed(truth)


def _sample(reader: Reader, mapping: Mapping) -> Node | None:
    value = reader.mapping(held(mapping, "sample"), "'sample'", "{share: 10%, salt: spring}")
    if value is None or not reader.keys(value, ("share", "salt"), "'sample'"):
        return None
    said, salted = value.get("share"), value.get("salt")
    part = share(said.text) if isinstance(said, Scalar) else None
    if part is None:
        place = value.place if said is None else said.place
        reader.complain(place, "'share' takes a percentage above 0 and up to 100", "for example 10%")
    salt = (reader.scope.salt or reader.scope.segment) if salted is None else reader.name(salted, "'salt'", value.place)
    return None if part is None or salt is None else Sample(Fraction(part, 100 * MILLION), salt)


PARSERS: dict[str, Callable[[Reader, Mapping], Node | None]] = {
    "contact": _contact,
    "segment": _segment,
    "member_of": _member_of,
    "consent": _consent,
    "suppressed": _suppressed,
    "sample": _sample,
}
