"""Sequences for everybody at once: which events can be reached, step by step. The fast twin of `sync.language.sequence`.

An event reaches a step if one that reached the step before lies in its gap: the latest of those that are not too late decides, and
one binary search finds it for all rows. This is exact unless several events of one instant compete for steps that one of them could
serve more than once; the few people to whom that happens are searched by themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from connectors.base import Millis
from sync.evaluate.edges import bounds
from sync.evaluate.occurrences import Occurrences, OccurrenceScan, begins, soonest
from sync.evaluate.snapshot import BEGINNING, Ints, Mask
from sync.evaluate.timeline import Timeline, among, distinct
from sync.evaluate.turns import NEVER, turns
from sync.language.chains import Chains, Link
from sync.language.needs import sequence_reads
from sync.language.sequence import Sequence, Stage, Step
from sync.language.values import Path


@dataclass(frozen=True, slots=True)
class Able:
    """The events of one step's filter, and which of them may serve the step."""

    events: Occurrences
    rows: Mask

    def keyed(self, same: Path | None, interned: dict[str, int]) -> tuple[Ints, Ints]:
        """(row, key) of those that may: each key of the property that must be the *same*; one for all where nothing must."""
        if same is None:
            rows = np.flatnonzero(self.rows)
            return rows, np.zeros(len(rows), np.int64)
        rows, keys = self.events.keys(same, interned)
        mine = self.rows[rows]
        return rows[mine], keys[mine]

    def of(self, contact: int) -> list[int]:
        """The rows of one contact."""
        first, last = np.searchsorted(self.events.contacts, [contact, contact + 1])
        return [row for row in range(first, last) if self.rows[row]]


class SequenceArrays:
    """Answers of sequences for all contacts, out of the events that *scan* finds."""

    def __init__(self, scan: OccurrenceScan, interned: dict[str, int], size: int, now: Millis) -> None:
        self._scan, self._interned, self._size, self._now = scan, interned, size, now

    def want(self, node: Sequence) -> None:
        """Note what *node* speaks of."""
        longest = max((step.within or 0 for step in node.steps), default=0)
        begun = bounds(node.window, self._now)[0]
        after = begun if begun == BEGINNING else min(begun, self._now - longest)
        for which, properties in sequence_reads(node):
            self._scan.ask(which, properties, after)

    def holds(self, node: Sequence) -> Mask:
        """Per contact whether *node* holds."""
        self.want(node)
        stages = node.stages()
        able = [self._able(stage, node if place == 0 else None) for place, stage in enumerate(stages)]
        shared = _shared(able)
        reached = able[0]
        for stage, following in zip(stages[1:], able[1:], strict=True):
            reached = self._follow(stage, reached, following, among(following.events.ids, shared))
        found = np.zeros(self._size, bool)
        found[reached.events.contacts[reached.rows]] = True
        for contact in _competing(able, shared):
            found[contact] = self._search(contact, stages, able)
        return found

    def _able(self, stage: Stage, begun: Sequence | None) -> Able:
        """The events that may serve *stage*: of the first one (which has *begun*) those in the window, and none with a follower
        that a `not` step denies."""
        events = self._scan.of(stage.step.filter)
        rows = events.taken & (events.at <= self._now)
        if begun is not None:
            after, upto = bounds(begun.window, self._now)
            rows = (_latest(events, rows, self._size) if begun.last else rows) & (events.at > after) & (events.at <= upto)
        able = Able(events, rows)
        for denied in stage.denied:
            able = self._unfollowed(able, denied)
        return able

    def _unfollowed(self, able: Able, denied: Step) -> Able:
        followers = self._scan.of(denied.filter)
        may = Able(followers, followers.taken & (followers.at <= self._now))
        line, rows, groups = self._related(may, able, denied.same)
        own = among(able.events.ids, np.sort(followers.ids[may.rows]))
        followed = line.since(groups, able.events.at[rows]) > own[rows]
        kept = able.rows & (able.events.at + (denied.within or 0) <= self._now)
        kept[rows[followed]] = False
        return replace(able, rows=kept)

    def _follow(self, stage: Stage, before: Able, able: Able, shared: Mask) -> Able:
        """Those of *able* that come in their gap after one of *before*; a *shared* one is not its own follower."""
        line, rows, groups = self._related(before, able, stage.step.same)
        upto = able.events.at[rows] - stage.delay - (shared[rows] & (stage.delay == 0))
        latest = line.latest(groups, upto)
        since = able.events.at[rows] - stage.delay - (2**61 if stage.step.within is None else stage.step.within)
        found = np.zeros(len(able.rows), bool)
        found[rows[latest >= since]] = True
        return replace(able, rows=found)

    def _related(self, told: Able, asked: Able, same: Path | None) -> tuple[Timeline, Ints, Ints]:
        """The times of *told*, and (row, group) of *asked* to look there: one's contact, and the key that must be the *same*."""
        rows, keys = told.keyed(same, self._interned)
        others, wanted = asked.keyed(same, self._interned)
        keys_there_are = 1 if same is None else len(self._interned)
        line = Timeline(told.events.contacts[rows] * keys_there_are + keys, told.events.at[rows])
        return line, others, asked.events.contacts[others] * keys_there_are + wanted

    def _search(self, contact: int, stages: tuple[Stage, ...], able: list[Able]) -> bool:
        """Whether one contact has a chain, by trying all."""
        rows = [each.of(contact) for each in able]
        ids = [[int(each.events.ids[row]) for row in mine] for each, mine in zip(able, rows, strict=True)]
        at = {event: int(each.events.at[row]) for each, mine, own in zip(able, rows, ids, strict=True)
              for row, event in zip(mine, own, strict=True)}
        numbers = {event: number for number, event in enumerate(sorted(at, key=lambda event: (at[event], event)))}
        links = [Link(frozenset(numbers[event] for event in mine), stage.delay, stage.step.within)
                 for stage, mine in zip(stages, ids, strict=True)]
        for place, stage in enumerate(stages):
            if place and stage.step.same is not None:
                keys: list[tuple[str, ...]] = [()] * len(numbers)
                for step in (place - 1, place):
                    for event, key in self._keys(able[step], rows[step], stage.step.same):
                        keys[numbers[event]] = key
                links[place] = replace(links[place], keys=keys)
        return Chains(sorted(at.values()), links).find() is not None

    def _keys(self, able: Able, rows: list[int], same: Path) -> Iterator[tuple[int, tuple[str, ...]]]:
        """(event, its keys) of each of *rows*."""
        all_rows, keys = able.events.keys(same, self._interned)
        order = np.argsort(all_rows, kind="stable")
        all_rows, keys = all_rows[order], keys[order]
        for row in rows:
            first, last = np.searchsorted(all_rows, [row, row + 1])
            yield int(able.events.ids[row]), tuple(map(str, keys[first:last].tolist()))

    def turns(self, node: Sequence) -> Ints:
        """Per contact when the answer may next differ although nothing happened, as `node.turn` says; `NEVER`: it will not."""
        self.want(node)
        found = np.full(self._size, NEVER)
        for place, stage in enumerate(node.stages()):
            events = self._scan.of(stage.step.filter)
            edges = begins(events, self._now)
            for denied in stage.denied:
                passed = events.at + (denied.within or 0)
                edges = np.minimum(edges, np.where(passed > self._now, passed, NEVER))
                others = self._scan.of(denied.filter)
                found = np.minimum(found, soonest(others.contacts, begins(others, self._now), self._size))
            if place == 0:
                edges = np.minimum(edges, turns(node.window, events.at, self._now))
            found = np.minimum(found, soonest(events.contacts, edges, self._size))
        return found


def _latest(events: Occurrences, rows: Mask, size: int) -> Mask:
    """Which of *rows* are at the latest instant that their contact has among them."""
    latest = np.zeros(size, np.int64)
    latest[events.contacts[rows]] = events.at[rows]                     # ascending: the last one stays
    found: Mask = rows & (events.at == latest[events.contacts])
    return found


def _shared(able: list[Able]) -> Ints:
    """The events that may serve several steps."""
    ids = np.sort(np.concatenate([each.events.ids[each.rows] for each in able]))
    return distinct(ids[1:][ids[1:] == ids[:-1]])


def _competing(able: list[Able], shared: Ints) -> list[int]:
    """The contacts with several events at one instant, one of them *shared*, and at least one for each step."""
    if not len(shared):
        return []
    contacts, at, ids = (np.concatenate([getattr(each.events, name)[each.rows] for each in able]) for name in ("contacts", "at", "ids"))
    ids, first = np.unique(ids, return_index=True)
    contacts, at = contacts[first], at[first]
    order = np.lexsort((at, contacts))
    contacts, at, several = contacts[order], at[order], among(ids[order], shared)
    starts = np.flatnonzero(np.append(True, (contacts[1:] != contacts[:-1]) | (at[1:] != at[:-1])))
    crowded = (np.diff(np.append(starts, len(at))) > 1) & (np.add.reduceat(several.astype(np.int64), starts) > 0)
    found = set(contacts[starts[crowded]].tolist())
    for each in able:
        found &= set(distinct(each.events.contacts[each.rows]).tolist())
    return sorted(found)
