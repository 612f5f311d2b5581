"""People who meet a given rule: made of the values, names and spans that stand in it, and of what lies just beside."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from connectors.base import DAY, HOUR, Millis
from sync.evaluate.from_people import snapshot_of
from sync.evaluate.full_pass import full_pass
from sync.language.graph import sequence
from sync.language.happened import Happened
from sync.language.lists import OnList
from sync.language.literals import duration
from sync.language.moves import Moved
from sync.language.needs import needs
from sync.language.nodes import All, Node, walk
from sync.language.pasts import Changed, HasBeen
from sync.language.person import ConsentFact, Event, MembershipFact, Move, Past, Person
from sync.language.predicates import IsKey
from sync.language.rank import Population, Rank
from sync.language.values import Path, instant_text, read_span
from sync.language.who import ConsentIs, Contact, MemberOf
from sync.language.words import MODIFIERS, OPERATORS
from sync.located import Listing, Scalar, Value
from sync.located import Mapping as Located

SPAN = re.compile(r"^(\d+)(s|m|h|d|w|mo|y)$")
MONTH, UTC = 30 * DAY, ZoneInfo("UTC")
CROWD, GENERATIONS = 240, 12
DATED = {"before", "after", "within_last", "within_next", "older_than", "during", "anniversary_within", "anniversary"}


class Words:
    """What a text says: *values* under each field or property, *spans* in milliseconds, *dated* fields, *parts* of the elements of
    a field's list."""

    def __init__(self, said: Value) -> None:
        self.values: dict[str, list[Any]] = {}
        self.spans: list[Millis] = []
        self.moments: list[Millis] = []
        self.dated: set[str] = set()
        self.parts: dict[str, set[str]] = {}
        self.near: dict[str, list[float]] = {}
        self._walk(said, "")

    def _walk(self, said: Value, of: str) -> None:
        if isinstance(said, Scalar):
            self._scalar(said, of)
        elif isinstance(said, Listing):
            for item in said.items:
                self._walk(item, of)
        else:
            measured = said.get("of")
            for key, inner in said.entries:
                self._entry(key.text, inner, measured.text if isinstance(measured, Scalar) and not measured.text.isdigit() else of)

    def _entry(self, key: str, inner: Value, of: str) -> None:
        key = key.rpartition(".")[2]
        if key in DATED:
            self.dated.add(of)
        if key in ("any", "all", "none") and of and isinstance(inner, Located):
            self.parts.setdefault(of, set()).update(set(inner.keys()) - {*OPERATORS, *MODIFIERS})
        if key == "near" and isinstance(inner, Located) and isinstance(point := inner.get("of"), Listing):
            self.near[of] = [float(each.text) for each in point.items if isinstance(each, Scalar)]
        else:
            known = {*OPERATORS, *MODIFIERS, "from", "to", "has_been", "for", "currency", "count"}
            self._walk(inner, of if key in known else key)

    def _scalar(self, said: Scalar, of: str) -> None:
        if said.plain and (found := SPAN.match(said.text)):
            self.spans.append(_rough(found))
        elif of in ("since", "until") and (span := read_span(said.text, UTC)) is not None:
            self.moments.append(span[0])
        else:
            self.values.setdefault(of, []).append(_value(said))


def _rough(found: re.Match[str]) -> Millis:
    """A month is 30 days here: times spread around it anyway."""
    if found[2] in ("mo", "y"):
        return int(found[1]) * (MONTH if found[2] == "mo" else 365 * DAY)
    return duration(found[0]) or DAY


def _value(said: Scalar) -> Any:
    if said.plain and re.fullmatch(r"-?\d+(\.\d+)?", said.text) and not said.text.startswith("0"):
        return Decimal(said.text) if "." in said.text else int(said.text)
    return {"true": True, "false": False}.get(said.text, said.text) if said.plain else said.text


class Maker:
    """Makes people for *rules*, which *said* says, around the moment *now*."""

    def __init__(self, rng: Random, rules: Mapping[str, Node], said: Value, now: Millis) -> None:
        self.rng, self.now = rng, now
        self.words = Words(said)
        self.spans = self.words.spans or [30 * DAY]
        self.texts = [each for said in self.words.values.values() for each in said if isinstance(each, str)] or ["else"]
        self.nodes = [each for rule in rules.values() for each in walk(rule)]
        for path, test in (each for node in self.nodes if isinstance(node, Happened) for each in node.filter.where):
            self.words.values.setdefault(path[-1], []).extend(key.key for key in test.tests if isinstance(key, IsKey))
        wanted = [needs(rule) for rule in rules.values()]
        self.fields = sorted({path for what in wanted for path in what.fields})
        self.pasts = sorted({node.path for node in self.nodes if isinstance(node, HasBeen | Changed)})
        self.types: dict[str, set[Path]] = {}
        for need in (need for what in wanted for need in what.events):
            exact = need.names.exact or ["email_opened"]
            for name in (*exact, *(prefix + "clicked" for prefix in need.names.prefixes if prefix)):
                self.types.setdefault(name, set()).update(need.properties)
        self.ranked = any(isinstance(node, Rank) for node in self.nodes)

    def moment(self) -> Millis:
        """On an edge of a window, a millisecond beside it, or anywhere between."""
        back = self.rng.choice([0, *self.spans, self.rng.randrange(max(self.spans) * 2), self.rng.randrange(60 * DAY)])
        if self.words.moments and self.rng.random() < 0.5:
            back = self.now - self.rng.choice(self.words.moments)
        return self.now - back + self.rng.choice([0, -1, 1, HOUR, -HOUR, -DAY, DAY])

    def value(self, of: str) -> Any:
        """Of what the rule names, or beside it."""
        rng = self.rng
        if self.words.parts.get(of):
            return [{part: self.value(part) for part in sorted(self.words.parts[of])} for _ in range(rng.choice([0, 1, 2]))]
        if of in self.words.near:
            return {"latitude": self.words.near[of][0] + rng.choice([0, 0.2, 3]), "longitude": self.words.near[of][1]}
        if rng.random() < 0.15:
            return rng.choice([None, "", [], "else"])
        if of in self.words.dated and rng.random() < 0.8:
            return self.date()
        said = rng.choice(self.words.values.get(of) or [1, 20, 200, 2000, *self.texts])
        if isinstance(said, str) and "\\." in said:
            return rng.choice(["ada@test.org", "ada@test.org.uk"])
        if isinstance(said, bool):
            return rng.choice([said, not said])
        if isinstance(said, int | Decimal):
            return said + rng.choice([-1, 0, 0, 1, Decimal("0.5"), 100])
        return rng.choice([said, said, f"{said} more", [said, "else"], "else"])

    def date(self) -> str:
        """Before or after now by a span that the rule names, a day beside, this year or many years ago; as a day or an instant."""
        rng = self.rng
        away = rng.choice([0, DAY, *self.spans]) + rng.choice([0, 1, DAY, -DAY, 7 * DAY])
        years = rng.choice([0, 0, 1, 20]) * (365 * DAY + DAY // 4)
        text = instant_text(self.now + rng.choice([-1, 1]) * away - years)
        return rng.choice([text, text[:10]])

    def person(self, number: int) -> Person:
        record: dict[str, Any] = {}
        for path in (*self.fields, *self.pasts):
            place = record
            for part in path[:-1]:
                place = place.setdefault(part, {})
            place[path[-1]] = self.value(path[-1])
        histories = {path: self.history(path[-1]) for path in self.pasts}
        for path, history in histories.items():
            if history:
                place = record
                for part in path[:-1]:
                    place = place[part]
                place[path[-1]] = history[-1].value
        return Person(
            record, tuple(self.events()), tuple(self.consents()), tuple(self.memberships()), tuple(self.moves()), histories,
            self.moment(), f"person{number}@example.com", addresses=self.addresses(number), contact=number,
        )

    def events(self) -> Iterable[Event]:
        """Some of each type: at random moments, in step with the calendar, or a span after another one; alike, or all different."""
        times: list[Millis] = []
        for name, properties in self.types.items():
            step, way = self.rng.choice([DAY, 7 * DAY, MONTH]), self.rng.choice(["steps", "moments", "after"])
            asked = sorted({path[0] for path in properties} - {"currency", "machine"})
            first, alike = self.moment(), {key: self.value(key) for key in asked} if self.rng.random() < 0.6 else None
            for place in range(self.rng.choice([0, 1, 1, 2, 4, 8])):
                at = first - place * step if way == "steps" else self.moment()
                if way == "after" and times:
                    at = self.rng.choice(times) + self.rng.choice([0, HOUR, *self.spans]) - self.rng.choice([0, 0, 1])
                held = alike or {key: self.value(key) for key in asked}
                marks = {"currency": "EUR", "machine": self.rng.choice([False, False, True])}
                times.append(at)
                told = {key: value for key, value in {**held, **marks}.items() if value is not None}
                yield Event(name, at, told, id=f"{self.rng.random()}")

    def consents(self) -> Iterable[ConsentFact]:
        channels = sorted({node.channel for node in self.nodes if isinstance(node, ConsentIs)}) or ["email"]
        barred = self.rng.random() < 0.3
        for channel in channels:
            for connection in ("mailchimp", "klaviyo"):
                if self.rng.random() < 0.7:
                    state = self.rng.choice(["granted", "granted", "withdrawn", "unknown"])
                    yield ConsentFact(connection, channel, state, suppressed=barred, at=self.moment())

    def memberships(self) -> Iterable[MembershipFact]:
        for node in self.nodes:
            if isinstance(node, MemberOf) and self.rng.random() < 0.3:
                yield MembershipFact(node.connection, node.kind, node.name, node.audience or "shop", self.moment())

    def moves(self) -> Iterable[Move]:
        names = sorted({node.name for node in self.nodes if isinstance(node, Moved)})
        return [Move(name, self.moment(), self.rng.random() < 0.5) for name in names for _ in range(self.rng.choice([0, 1, 2]))]

    def history(self, of: str) -> tuple[Past, ...]:
        times = sorted({self.moment() for _ in range(self.rng.choice([0, 1, 2, 3]))})
        words = [each for each in self.words.values.get(of, ()) if isinstance(each, str)] or ["else"]
        return tuple(Past(at, self.rng.choice([*words, None]), place > 0) for place, at in enumerate(times) if at <= self.now)

    def addresses(self, number: int) -> tuple[str, ...]:
        listed = sorted({each for node in self.nodes if isinstance(node, OnList) for each in node.addresses})
        return tuple(listed) if listed and number % 3 == 0 else (f"person{number}@example.com",)


def parts_of(rule: Node) -> list[Node]:
    """The conditions that must all hold for *rule*, each field by itself."""
    if isinstance(rule, All):
        return [part for child in rule.children for part in parts_of(child)]
    return [Contact((field,)) for field in rule.fields] if isinstance(rule, Contact) else [rule]


def mixed(rng: Random, one: Person, other: Person) -> Person:
    """A person with something of both: each field from one of them, each type of event and each connection's consent from one or
    from both."""
    def of_each(own: Iterable[Any], others: Iterable[Any], key: Callable[[Any], Any]) -> tuple[Any, ...]:
        parents = (list(own), list(others))
        keys = {key(each): rng.choice([*parents, [*parents[0], *parents[1]]]) for each in (*parents[0], *parents[1])}
        return tuple(each for name, source in keys.items() for each in source if key(each) == name)

    def record(own: Any, others: Any) -> Any:
        if isinstance(own, dict) and isinstance(others, dict) and "latitude" not in own:
            return {key: record(own.get(key), others.get(key)) for key in own | others}
        return rng.choice([own, others])

    whole = rng.choice([one, other])                    # what a field holds now and held before must fit
    return replace(
        whole, fields=whole.fields if whole.pasts else record(one.fields, other.fields),
        events=of_each(one.events, other.events, lambda event: event.type),
        consents=of_each(one.consents, other.consents, lambda fact: (fact.connection, fact.channel)),
    )


def population(rng: Random, rules: Mapping[str, Node], said: Value, now: Millis, size: int) -> list[Person]:
    """*size* people who may ask each other's places and all of *rules*. Those who meet most of a rule's conditions are mixed with each
    other until each rule holds for some, if it can."""
    maker = Maker(rng, rules, said, now)
    ordered = {name: rules[name] for name in sequence(rules)[0]}
    parts = {f"{name}/{place}": part for name, rule in rules.items() for place, part in enumerate(parts_of(rule))}
    people, chosen = [maker.person(number) for number in range(CROWD)], list[Person]()
    wanted = set(rules)
    for _ in range(GENERATIONS):
        people = [replace(person, rules=ordered) for person in people]
        result = full_pass(snapshot_of(people, list(ordered.values())), ordered | parts, now)
        held = {name: np.flatnonzero(result.members[name]) for name in wanted}
        chosen += [people[place] for found in held.values() for place in found[: size // (2 * len(rules)) or 1].tolist()]
        wanted -= {name for name, found in held.items() if len(found)}
        if not wanted:
            break
        met = sum(result.members[name].astype(int) for name in parts if name.partition("/")[0] in wanted)
        best = [people[place] for place in np.argsort(-met, kind="stable")[: CROWD // 8].tolist()]
        people = [mixed(rng, *rng.choices(best, k=2)) for _ in range(CROWD // 2)] + [
            mixed(rng, rng.choice(best), maker.person(number)) for number in range(CROWD // 2)]
    chosen = (chosen + people)[:size]
    return list(Population([replace(person, sample_key=f"person{place}@example.com") for place, person in enumerate(chosen)]).people)
