"""Random histories: a world that changes step by step, and what a tick is told of each step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from random import Random

import numpy as np
import pyarrow as pa

from sync.evaluate.from_people import snapshot_of, texts
from sync.evaluate.snapshot import Ints, Mask, Snapshot
from sync.evaluate.source import Changes, Properties, Restricted
from sync.evaluate.trees import Record
from sync.language.nodes import Node
from sync.language.person import Event, Move, Person, distinct_events
from sync.language.values import Path, canonical, decode, look, path_text
from tests.evaluate import worlds

BESIDE = (-1, 0, 0, 1, -worlds.HOUR, worlds.HOUR, 1, 500, 20_000, 90_000, 600_000)     # an event is so long before or after an edge
Row = tuple[int, str, int, str]                                             # contact, type, time, properties


class World:
    """People and their events, as a `Source`; each step says what it changed."""

    def __init__(self, rng: Random, people: int, rules: Mapping[str, Node]) -> None:
        self.rng, self.rules = rng, rules
        self.people: list[Person] = [worlds.person(rng, number) for number in range(people)]
        self.dead: set[int] = set()
        self.sequence = 0
        self._whole: Snapshot | None = None

    def use(self, rules: Mapping[str, Node]) -> None:
        self.rules, self._whole = rules, None

    # --- as a source

    def whole(self) -> Snapshot:
        if self._whole is None:
            self._whole = snapshot_of(self.people, list(self.rules.values()), sorted(self.dead))
        return self._whole

    def of(self, contacts: Ints) -> Snapshot:
        return Restricted(self.whole(), contacts)

    def between(self, name: str, properties: Sequence[Path], after: int, upto: int) -> pa.Table:
        table = self.whole().events([name], properties)
        at = table.column("at").to_numpy()
        return table.filter(pa.array((at > after) & (at <= upto)))

    def recording(self, now: int) -> Record:
        """Keeps who entered and left a segment at *now*."""
        def record(segment: str, members: Mask, came: Ints, went: Ints) -> None:
            for who, entered in [*((who, True) for who in came.tolist()), *((who, False) for who in went.tolist())]:
                kept = self.people[who]
                self.people[who] = replace(kept, moves=(*kept.moves, Move(segment, now, entered)))
            self._whole = None

        return record

    # --- steps

    def step(self, now: int, properties: Properties) -> Changes:
        """Something happens; *now* is about when."""
        before, known = self._rows(), list(self.people)
        merged: dict[int, int] = {}
        for change in self.rng.choices(CHANGES, weights=WEIGHTS, k=self.rng.choice([1, 1, 2, 4])):
            change(self, now, merged)
        return self._changes(before, known, merged, properties)

    def living(self) -> list[int]:
        return [who for who in range(len(self.people)) if who not in self.dead]

    def _rows(self) -> Counter[Row]:
        return Counter(
            (who, event.type, event.at, canonical(event.properties))
            for who, person in enumerate(self.people) for event in distinct_events(person.events)
        )

    def _changes(self, before: Counter[Row], known: list[Person], merged: Mapping[int, int], properties: Properties) -> Changes:
        self._whole, self.sequence = None, self.sequence + 1
        old: Counter[Row] = Counter()
        for (who, *rest), number in before.items():
            old[(merged.get(who, who), *rest)] += number
        after = self._rows()
        touched = [who for who, person in enumerate(self.people)
                   if who >= len(known) or replace(person, events=()) != replace(known[who], events=()) or who in self.dead]
        return Changes(
            len(self.people), self.sequence, np.array(touched, np.int64), merged,
            tables(after - old, properties), tables(old - after, properties),
        )


def tables(rows: Counter[Row], properties: Properties) -> dict[str, pa.Table]:
    """Events by type, as a source tells them."""
    found = {}
    for name in sorted({row[1] for row in rows}):
        wanted: Collection[Path] | None = properties(name)
        if wanted is None:
            continue
        mine = sorted((row for row in rows.elements() if row[1] == name), key=lambda row: row[2])
        held = [decode(row[3]) for row in mine]
        found[name] = pa.table({
            "contact": pa.array([row[0] for row in mine], pa.int32()), "at": pa.array([row[2] for row in mine], pa.int64()),
            "type": pa.array([name] * len(mine), pa.string()).dictionary_encode(),
            **{path_text(path): texts([look(each, path) for each in held]) for path in sorted(wanted)},
        })
    return found


# --- what may happen -----------------------------------------------------------------------------------------------------------


def arrives(world: World, now: int, merged: dict[int, int]) -> None:
    """Events, on time, late, or from the future."""
    for who in world.rng.choices(world.living(), k=world.rng.choice([1, 1, 3])) if world.living() else []:
        money = world.rng.choice(["EUR", "EUR", "EUR", "USD"])
        edge = world.rng.choice([0, 0, *worlds.SPANS.values()])
        at = world.rng.choice([now, now, now - edge, now - edge, now - edge, now + edge]) + world.rng.choice(BESIDE)
        event = replace(worlds.event(world.rng, money), at=at, id="")
        world.people[who] = replace(world.people[who], events=(*world.people[who].events, event))


def repeats(world: World, now: int, merged: dict[int, int]) -> None:
    """A fact is told again."""
    for who in world.living():
        if world.people[who].events and world.rng.random() < 0.4:
            again = world.rng.choice(world.people[who].events)
            world.people[who] = replace(world.people[who], events=(*world.people[who].events, again))


def is_taken_back(world: World, now: int, merged: dict[int, int]) -> None:
    told = [who for who in world.living() if world.people[who].events]
    if told:
        who = world.rng.choice(told)
        gone = world.rng.choice(distinct_events(world.people[who].events))
        world.people[who] = replace(world.people[who], events=tuple(e for e in world.people[who].events if not alike(e, gone)))


def is_corrected(world: World, now: int, merged: dict[int, int]) -> None:
    """An event's properties change."""
    told = [who for who in world.living() if world.people[who].events]
    if told:
        who = world.rng.choice(told)
        wrong = world.rng.choice(distinct_events(world.people[who].events))
        right = replace(wrong, properties=worlds.event(world.rng, "EUR").properties)
        kept = tuple(e for e in world.people[who].events if not alike(e, wrong))
        world.people[who] = replace(world.people[who], events=(*kept, right))


def alike(one: Event, other: Event) -> bool:
    return len(distinct_events([one, other])) == 1


def changes_about_people(world: World, now: int, merged: dict[int, int]) -> None:
    """Fields, consent and memberships of somebody."""
    if world.living():
        who = world.rng.choice(world.living())
        other = worlds.person(world.rng, who)
        kept = world.people[who]
        world.people[who] = world.rng.choice([
            replace(kept, fields=other.fields), replace(kept, consents=other.consents), replace(kept, memberships=other.memberships),
            replace(kept, moves=other.moves), replace(kept, pasts=other.pasts),
        ])


def appears(world: World, now: int, merged: dict[int, int]) -> None:
    world.people.append(replace(worlds.person(world.rng, len(world.people)), known_since=now))


def is_merged(world: World, now: int, merged: dict[int, int]) -> None:
    if len(world.living()) > 2:
        survivor, absorbed = sorted(world.rng.sample(world.living(), 2))
        one, other = world.people[survivor], world.people[absorbed]
        world.people[survivor] = replace(one, events=(*one.events, *other.events), fields={**other.fields, **one.fields})
        world.people[absorbed] = replace(other, events=())
        world.dead.add(absorbed)
        for who, into in list(merged.items()):
            if into == absorbed:
                merged[who] = survivor
        merged[absorbed] = survivor


def is_erased(world: World, now: int, merged: dict[int, int]) -> None:
    if len(world.living()) > 2:
        world.dead.add(world.rng.choice(world.living()))


CHANGES: tuple[Callable[[World, int, dict[int, int]], None], ...] = (
    arrives, repeats, is_taken_back, is_corrected, changes_about_people, appears, is_merged, is_erased,
)
WEIGHTS = (12, 3, 3, 3, 4, 2, 1, 1)
