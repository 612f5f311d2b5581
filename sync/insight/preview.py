"""What a segment comes to: how many meet each condition, who they are, how it went lately, and what it shares with others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from connectors.base import DAY, Millis
from sync.config.model import Config
from sync.evaluate.full_pass import full_pass
from sync.evaluate.run import asked, ground_of, snapshot_of
from sync.evaluate.snapshot import Mask, Snapshot
from sync.evaluate.world import World
from sync.insight.kept import kept
from sync.language.explain import title
from sync.language.nodes import All, Node, NoneOf, walk
from sync.language.values import RuleFailure
from sync.source import Origin
from sync.store.store import Store

DAYS = 30

Tick = Callable[[int, int], None]                   # done, of how many


@dataclass(frozen=True, slots=True)
class Count:
    """How many contacts meet one condition; None where *failure* says why that cannot be told. *left*: of an `all` or `none`, how
    many meet this entry and all before it."""

    text: str
    holds: int | None
    failure: str
    left: int | None = None
    children: tuple[Count, ...] = ()


@dataclass(frozen=True, slots=True)
class Overlap:
    """Another segment: its *members*, and how many of them are in the previewed one, too."""

    segment: str
    members: int
    both: int


@dataclass(frozen=True)
class Preview:
    """*contacts*: how many there are; *waiting*: what of the data under it is not in yet, or ""; *sample*: some members, spread over
    all; *trend*: members at each of the past days and now, None where that cannot be told."""

    segment: str
    at: Millis
    contacts: int
    members: int | None
    failure: str
    waiting: str
    counts: Count
    sample: tuple[int, ...]
    trend: tuple[tuple[Millis, int | None], ...]
    overlaps: tuple[Overlap, ...]


def preview(
    store: Store, config: Config, sources: Mapping[str, Origin], name: str, now: Millis, wanted: int, tick: Tick = lambda done, of: None,
) -> Preview:
    """Segment *name* of *config* over what the store holds, evaluated or not; *wanted*: how large a sample."""
    rules = {each: segment.rule for each, segment in config.segments.items()}
    own = {each: rules[each] for each in rules if each in asked(name, rules)}
    snapshot = kept(snapshot_of(store, config, sources, list(rules.values())), own.values())
    trend = _trend(snapshot, own, name, now, tick)
    result = full_pass(snapshot, rules, now)
    members = result.members.get(name)
    counted = _counted(rules[name], _world(snapshot, rules[name], now, result.members), snapshot.alive)
    return Preview(
        segment=name, at=now, contacts=int(snapshot.alive.sum()), members=None if members is None else int(members.sum()),
        failure=result.failures.get(name, ""), waiting=ground_of(store, config, sources, name, rules, now).waiting, counts=counted,
        sample=() if members is None else spread(members, wanted), trend=trend,
        overlaps=() if members is None else _overlaps(name, members, result.members),
    )


def spread(members: Mask, wanted: int) -> tuple[int, ...]:
    """Up to *wanted* of the contacts in *members*, evenly spread over them: the same ones every time."""
    ids = np.flatnonzero(members)
    places = np.linspace(0, len(ids) - 1, min(wanted, len(ids))).round().astype(int)
    return tuple(ids[np.unique(places)].tolist())


# --- the counts -----------------------------------------------------------------------------------------------------------------


def _world(snapshot: Snapshot, rule: Node, now: Millis, members: Mapping[str, Mask]) -> World:
    world = World(snapshot, now, members)
    world.scan(walk(rule))
    return world


def _counted(node: Node, world: World, alive: Mask) -> Count:
    """*node* and everything below it."""
    children = tuple(_counted(child, world, alive) for child in node.children)
    if isinstance(node, All | NoneOf):
        children = tuple(_left(node, children, world, alive))
    try:
        return Count(title(node), int((world.mask(node) & alive).sum()), "", children=children)
    except RuleFailure as failure:
        return Count(title(node), None, str(failure), children=children)


def _left(node: All | NoneOf, counts: tuple[Count, ...], world: World, alive: Mask) -> list[Count]:
    """*counts* of the children of *node* with what is left after each; without, from the first that cannot be told on."""
    left, found = alive, list(counts)
    for place, (child, count) in enumerate(zip(node.children, counts, strict=True)):
        if count.holds is None:
            break
        left = left & (world.mask(child) if isinstance(node, All) else ~world.mask(child))
        found[place] = Count(count.text, count.holds, count.failure, int(left.sum()), count.children)
    return found


def _trend(snapshot: Snapshot, rules: Mapping[str, Node], name: str, now: Millis, tick: Tick) -> tuple[tuple[Millis, int | None], ...]:
    """Members at this time of day on each of the past days, the oldest first, and now: of the contacts known now, for a first pull
    tells what people did long before we saw them."""
    found = []
    for done, day in enumerate(range(DAYS, -1, -1)):
        at = now - day * DAY
        members = full_pass(snapshot, rules, at).members.get(name)
        found.append((at, None if members is None else int(members.sum())))
        tick(done + 1, DAYS + 1)
    return tuple(found)


def _overlaps(name: str, members: Mask, others: Mapping[str, Mask]) -> tuple[Overlap, ...]:
    """Other segments that share members with this one, the most first."""
    found = [Overlap(other, int(mask.sum()), int((mask & members).sum())) for other, mask in others.items() if other != name]
    return tuple(sorted((each for each in found if each.both), key=lambda each: (-each.both, each.segment)))
