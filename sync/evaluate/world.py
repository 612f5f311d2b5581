"""Conditions asked of everybody at once: where each kind of condition finds its fast path."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.base import HOUR, Millis
from sync.evaluate import standing
from sync.evaluate.columns import Column, Columns, Instants, passes
from sync.evaluate.events import EventArrays
from sync.evaluate.moves import moved, moved_turns
from sync.evaluate.pasts import Pasts
from sync.evaluate.patterns import PATTERNS, PatternArrays
from sync.evaluate.ranks import numbers_in, ordered
from sync.evaluate.reading import Reading
from sync.evaluate.snapshot import Ints, Mask, Packed, Snapshot, every, packed, some, unpacked
from sync.evaluate.traits import TraitColumns, asked_sets, with_points
from sync.evaluate.turns import NEVER, earliest
from sync.language.families import Broken
from sync.language.happened import Happened
from sync.language.kept import Kept, Nobody, never_evaluated
from sync.language.lists import OnList
from sync.language.moves import Moved
from sync.language.nodes import All, AnyOf, InSegment, Node, NoneOf, Not
from sync.language.pasts import Changed, HasBeen
from sync.language.rank import Rank, Ranked
from sync.language.traits import Trait, TraitTest, decays
from sync.language.values import Path, RuleFailure
from sync.language.who import KNOWN_SINCE, ConsentIs, Contact, MemberOf, Sample, Suppressed


class World:
    """Conditions asked of all contacts of a snapshot at once, each only once: who meets them, and until when that stands.

    A kind of condition has its fast path in a room of its own beside this one, which only leads there. `scan` everything
    that will be asked before asking, so that each event type is read once for all.
    """

    def __init__(
        self, snapshot: Snapshot, now: Millis, members: Mapping[str, Mask], rules: Mapping[str, Node] | None = None,
        reading: Reading | None = None,
    ) -> None:
        self._snapshot, self._now, self._members, self._rules = snapshot, now, members, rules or {}
        self._reading = reading or Reading(snapshot, Columns())
        self._columns, self._size = self._reading.columns, self._reading.size
        self._fields: dict[Path, Column] = {}
        self._pasts: dict[Path, Pasts] = {}
        self._masks: dict[Node, Packed] = {}
        self._once: set[Node] = set()
        self._places: dict[Ranked, tuple[Ints, int]] = {}
        self._events, self._patterns = EventArrays(self._reading, now), PatternArrays(self._reading, now)
        self._traits = TraitColumns(self._size, now, self._events, self._columns, self.mask, self.turns)

    def scan(self, nodes: Iterable[Node], *, ahead: bool = False) -> None:
        """Look at the events that *nodes* speak of, each type read once. They are all that will be asked, each as often as it is in
        there: the answer to one that comes once is not kept. *ahead*: `turns` will be asked of them, too."""
        asked = Counter(each for node in nodes for each in with_points(node))
        self._once = {node for node, times in asked.items() if times == 1}
        self._events.want(wanted for node in asked for wanted in asked_sets(node))
        self._patterns.want(node for node in asked if isinstance(node, PATTERNS))
        for node in asked:
            self._traits.want(node)
        self._events.look_back()
        for name in self._reading.wanted_types():
            self._events.scan(name)
            self._patterns.scan(name)
            if not ahead:
                self._reading.let_go(name)

    def mask(self, node: Node) -> Mask:
        """Who meets *node*; `RuleFailure` when that cannot be said."""
        if node in self._masks:
            return unpacked(self._masks[node], self._size)
        mask = self._answer(node)
        if node not in self._once:
            self._masks[node] = packed(mask)
        return mask

    def turns(self, node: Node) -> Ints:
        """Per contact the first instant after now at which the answer may differ although nothing happened (`Node.turn`);
        `NEVER` where there is none. What a segment's answer depends on is known where the world knows its rule."""
        match node:
            case All(children) | AnyOf(children) | NoneOf(children):
                return earliest([self.turns(child) for child in children])
            case Not(child):
                return self.turns(child)
            case InSegment(name) if name in self._rules:
                return self.turns(self._rules[name])
            case TraitTest(path, test, traits):
                moves = [self._traits.turns(trait, node.levels(name)) for name, trait in traits]
                asked = dict(traits).get(path[0])
                is_number = asked is not None and asked.sort == "number"
                return earliest(moves if is_number else [*moves, self._column(path, dict(traits)).turns(test, self._now)])
            case Rank(by):
                return np.full(len(self._snapshot.alive), self.next_order(by))
            case Happened():
                return self._events.turns(node)
            case _ if isinstance(node, PATTERNS):
                return self._patterns.turns(node)
            case Contact(fields):
                return earliest([self._field(path).turns(test, self._now) for path, test in fields])
            case Moved():
                return moved_turns(node, self._snapshot.moves(node.name), self._size, self._now)
            case HasBeen():
                return self._past(node.path).has_been_turns(node)
            case Changed():
                return self._past(node.path).changed_turns(node)
            case ConsentIs():
                return standing.consent_turns(node, self._snapshot.consents(), self._columns, self._size, self._now)
            case MemberOf():
                return standing.members_turns(node, self._snapshot.memberships(), self._columns, self._size, self._now)
            case _:
                return np.full(self._size, NEVER)

    def _answer(self, node: Node) -> Mask:
        match node:
            case All(children):
                return every([self.mask(child) for child in children])
            case AnyOf(children):
                return some([self.mask(child) for child in children])
            case NoneOf(children):
                return ~some([self.mask(child) for child in children])
            case Not(child):
                return ~self.mask(child)
            case Happened():
                return self._events.holds(node)
            case _ if isinstance(node, PATTERNS):
                return self._patterns.holds(node)
            case InSegment(name):
                return self._segment(name)
            case Contact(fields):
                columns = {path: self._field(path) for path in {p for p, _ in fields}.union(*(t.others() for _, t in fields))}
                return every([passes(path, test, columns, self._now) for path, test in fields])
            case TraitTest(path, test, traits):
                asked = {path: self._column(path, dict(traits)) for path in {path, *test.others()}}
                return passes(path, test, asked, self._now)
            case Rank(by, cut):
                place, ranked = self.places(by)
                first, last = cut.places(ranked)
                return (place >= first) & (place <= last)
            case OnList():
                return self._listed(node)
            case Sample():
                return np.fromiter(map(node.takes, self._snapshot.sample_keys), bool, self._size)
            case Moved(name):
                self._segment(name)                                     # whose record is not kept on cannot be asked
                return moved(node, self._snapshot.moves(name), self._size, self._now)
            case Kept(name):
                return self._kept(name)
            case Broken(why):
                raise RuleFailure(why)
            case Nobody():
                return np.zeros(self._size, bool)
            case HasBeen():
                return self._past(node.path).has_been(node)
            case Changed():
                return self._past(node.path).changed(node)
            case ConsentIs():
                return standing.consent(node, self._snapshot.consents(), self._columns, self._size, self._now)
            case Suppressed():
                return standing.suppressed(node, self._snapshot.consents(), self._size)
            case MemberOf():
                return standing.members(node, self._snapshot.memberships(), self._columns, self._size, self._now)
            case _:
                raise TypeError(f"no full pass for {type(node).__name__}")

    def _kept(self, name: str) -> Mask:
        members = self._snapshot.kept(name)
        if members is None:
            raise RuleFailure(never_evaluated(name))
        found = np.zeros(self._size, bool)
        found[members] = True
        return found

    def _segment(self, name: str) -> Mask:
        if name not in self._members:
            raise RuleFailure(f"segment '{name}', which it asks, fails")
        return self._members[name]

    def _past(self, path: Path) -> Pasts:
        if path not in self._pasts:
            self._pasts[path] = Pasts(self._snapshot.pasts(path), self._columns, self._size, self._now)
        return self._pasts[path]

    # --- everybody's order ----------------------------------------------------------------------------------------------------

    def places(self, by: Ranked) -> tuple[Ints, int]:
        """The place of each contact, 1 the highest, 0 for those without a number; and how many have one."""
        if by not in self._places:
            moment = by.moment(self._now)
            world = self if moment == self._now else World(self._snapshot, moment, self._members, reading=self._reading.at_another_moment())
            self._places[by] = ordered(world.ranked_numbers(by), self._snapshot.known_since, self._snapshot.alive)
        return self._places[by]

    def next_order(self, by: Ranked) -> Millis:
        """The first instant after now at which any contact's number may be another (`NEVER`: none)."""
        if by.trait is None:
            return NEVER
        if decays(by.trait):
            return by.moment(self._now) + HOUR
        return int(self._traits.turns(by.trait)[self._snapshot.alive].min(initial=NEVER))

    def ranked_numbers(self, by: Ranked) -> tuple[Ints, Mask]:
        """What decides the places: numbers in the right order, and who has one."""
        if by.trait is not None and by.trait.sort in ("number", "time"):
            return self._traits.numbers(by.trait)
        return numbers_in(self._column(by.path, {} if by.trait is None else {by.path[0]: by.trait}))

    def _column(self, path: Path, traits: Mapping[str, Trait]) -> Column:
        return self._traits.column(traits[path[0]]) if path[0] in traits else self._field(path)

    def _listed(self, node: OnList) -> Mask:
        table = self._snapshot.addresses()
        found = pc.is_in(table.column("address"), pa.array(sorted(node.addresses), pa.string()))
        mask = np.zeros(self._size, bool)
        mask[table.column("contact").to_numpy()[found.to_numpy()]] = True
        return mask

    def _field(self, path: Path) -> Column:
        if path not in self._fields:
            if path == KNOWN_SINCE:
                times, codes = np.unique(self._snapshot.known_since, return_inverse=True)
                self._fields[path] = Column(codes.astype(np.int32), Instants(times))
            else:
                self._fields[path] = self._columns.read(self._snapshot.fields(path))
        return self._fields[path]
