"""Families: which of their segments there are, by what the store holds.

A value has a segment from the evaluation at which enough contacts told of it, until nobody is left in it: neither by its event,
nor in the store's record of the segment, nor on a target where we put them. Then it is no longer evaluated.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from connectors.base import Millis
from sync.config.families import MOST, expanded, segment_name
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
    return expanded(config, kept.values(store), {}) if config.families else config


def refreshed(store: Store, config: Config, sources: Mapping[str, Origin], now: Millis) -> Config:
    """*config* with the segments that its families have at *now*; which ones is kept in the store."""
    if not config.families:
        return config
    snapshot = snapshot_of(store, config, sources, [family.template.rule for family in config.families.values()])
    before, broken = kept.values(store), dict[str, str]()
    values: dict[str, set[str]] = {}
    for name, family in config.families.items():
        told = people_of(family, snapshot, now)
        standing = {value for value in before.get(name, set()) if told.get(value) or _held(store, segment_name(family, value))}
        values[name] = standing | {value for value, people in told.items() if people >= family.at_least}
        if len(values[name]) > MOST:
            broken[name] = f"'{name}' would be {len(values[name]):,} segments, and a family has at most {MOST:,}; raise its 'at_least'"
            values[name] = before.get(name, set())
    with store.transaction() as db:
        for name, found in values.items():
            kept.put(db, name, found)
    return expanded(config, values, broken)


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
    members = segments.last_members(store.db, name)
    return (members is not None and len(members) > 0) or any(left.ours or left.letters for left in lives.left(store.db, name))
