"""Families: which of their segments there are, by what the store holds.

A value has a segment from the evaluation at which enough contacts told of it, until nobody is left in it: neither by its event,
nor in the store's record of the segment, nor on a target where we put them. Then it is no longer evaluated.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from sqlite3 import Connection as Database

import numpy as np

from connectors.base import Millis
from sync.config.families import MOST, expanded, named_after, segment_name
from sync.config.model import Config, FamilySpec
from sync.evaluate import figures
from sync.evaluate.columns import Columns
from sync.evaluate.events import EventArrays
from sync.evaluate.numbers import passing
from sync.evaluate.reading import Reading
from sync.evaluate.run import snapshot_of
from sync.evaluate.snapshot import Snapshot
from sync.source import Origin
from sync.store import families as kept
from sync.store import lives, segments
from sync.store.store import Store


def with_families(store: Store, config: Config) -> Config:
    """*config* with the segments of its families that stand in the store. Reads only."""
    return expanded(config, _before(store, config), {}) if config.families else config


def carried_over(store: Store, config: Config) -> Config:
    """The same, once the values of each family that has another name now are that one's."""
    for name, family in config.families.items():
        if family.template.was:
            with store.transaction() as db:
                kept.rename(db, family.template.was, name)
    return with_families(store, config)


def departed(store: Store, config: Config) -> dict[str, str]:
    """Each segment that left *config* (which holds those of its families) while the store still holds something of it → the name by
    which `retire` lets it go with all of its kind: that of its family, where this left, too, else its own. What goes on under another
    name (`was:`) has not left."""
    former = kept.every(store)
    family = {named_after(each, value): each for each in sorted(former.keys() - config.families.keys()) for value in former[each]}
    return {name: family.get(name, name) for name in sorted(lives.known(store) - config.segments.keys() - going_on(config).keys())}


def going_on(config: Config) -> dict[str, str]:
    """Each segment that is taken over by one of another name in *config* → that name."""
    return {spec.was: spec.name for spec in config.segments.values() if spec.was}


def forget(store: Store, db: Database, names: Collection[str]) -> None:
    """The values whose segments were called *names* had none."""
    for family, values in kept.every(store).items():
        kept.forget(db, family, [value for value in values if named_after(family, value) in names])


def refreshed(store: Store, config: Config, sources: Mapping[str, Origin], now: Millis) -> Config:
    """*config* with the segments that its families have at *now*; which ones is kept in the store."""
    if not config.families:
        return config
    values, broken = values_at(store, config, sources, now)
    with store.transaction() as db:
        for name, found in values.items():
            kept.put(db, name, found, config.families[name].asked)
    return expanded(config, values, broken)


def seen(store: Store, config: Config, sources: Mapping[str, Origin], now: Millis) -> Config:
    """*config* with the segments that its families would have, were it evaluated at *now*. Reads only."""
    return expanded(config, *values_at(store, config, sources, now)) if config.families else config


def values_at(
    store: Store, config: Config, sources: Mapping[str, Origin], now: Millis,
) -> tuple[dict[str, Collection[str]], dict[str, str]]:
    """Family → its values that have a segment at *now*; and family → why they cannot be told, which leaves them as they are. One
    that is not followed any more has those that it had, one that retires those in which somebody is left."""
    snapshot = snapshot_of(store, config, sources, [family.template.rule for family in config.families.values()])
    before, broken = _before(store, config), dict[str, str]()
    values: dict[str, Collection[str]] = {}
    for name, family in config.families.items():
        had, told = before.get(name, set()), people_of(family, snapshot, now) if _followed(family) else {}
        standing = {value for value in had if not family.template.enabled or told.get(value) or _held(store, segment_name(family, value))}
        values[name] = standing | {value for value, people in told.items() if people >= family.at_least}
        if len(values[name]) > MOST:
            broken[name] = f"'{name}' would be {len(values[name]):,} segments, and a family has at most {MOST:,}; raise its 'at_least'"
            values[name] = had
    return values, broken


def _followed(family: FamilySpec) -> bool:
    return family.template.enabled and not family.template.retires


def _before(store: Store, config: Config) -> dict[str, set[str]]:
    """Family → its values that had a segment, under the name that it had, too."""
    found = kept.values(store)
    former = {name: found.get(family.template.was, set()) for name, family in config.families.items()}
    return {name: found.get(name, set()) | former[name] for name in config.families}


def people_of(family: FamilySpec, snapshot: Snapshot, now: Millis) -> dict[str, int]:
    """Each value that the event tells of, and how many contacts meet the event's own conditions with it."""
    columns = Columns()
    rows = EventArrays(Reading(snapshot, columns), now).rows(family.event, [family.property])
    keys = figures.counted_keys(rows, family.property, columns.interned)
    if family.event.count is None:
        raise ValueError("a family counts its events")
    ids = keys.ids[passing(family.event.count, keys.times, 1_000_000)]
    people = np.bincount(ids, minlength=len(keys.names))
    return {keys.names[each]: int(people[each]) for each in np.flatnonzero(people).tolist()}


def _held(store: Store, name: str) -> bool:
    """Whether anybody is left in a segment's record, or on its targets by our doing, or under way there."""
    members = segments.last_members(store, name)
    return (members is not None and len(members) > 0) or any(left.ours or left.letters for left in lives.left(store.db, name))
