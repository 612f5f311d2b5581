"""The standing check: are the memberships in the store what a full pass over the store says of the same moment?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from connectors.base import Millis
from sync.config.model import Config
from sync.evaluate.full_pass import full_pass
from sync.evaluate.run import digests_of, snapshot_of
from sync.source import Origin
from sync.store import segments
from sync.store.store import Store


@dataclass(frozen=True, slots=True)
class Difference:
    """A segment about which the two do not agree: how many contacts are *missing* in the store, how many *surplus*; *failure*: what
    only one of them says about why it cannot be answered."""

    missing: int
    surplus: int
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Verified:
    """*at*: the moment that was asked about. *segments*: how many were compared; *edited*: those that were not, because their rule is
    another one since; *differences*: a bug of ours, each."""

    at: Millis
    segments: int
    edited: tuple[str, ...] = ()
    differences: Mapping[str, Difference] = field(default_factory=dict)


def verify(store: Store, config: Config, sources: Mapping[str, Origin]) -> Verified | None:
    """Compare every segment of the config. None when memberships are not of the data that is in the store now: something was taken in
    since, or nothing was ever answered."""
    with store.reading() as db:
        stamped = segments.stamped(db)
        if stamped is None or not stamped[1]:
            return None
        rules = {name: segment.rule for name, segment in config.segments.items()}
        digests, standing = digests_of(config, sources), segments.standing(store)
        result = full_pass(snapshot_of(store, config, sources, rules.values()), rules, stamped[0])
    same = [name for name in rules if name in standing and standing[name].rule in (digests[name], "")]
    found = {}
    for name in same:
        failure, held = result.failures.get(name, ""), standing[name]
        if failure != (held.failure or ""):
            found[name] = Difference(0, 0, failure or held.failure or "")
        elif not failure:
            members = np.flatnonzero(result.members[name])
            missing, surplus = len(np.setdiff1d(members, held.members)), len(np.setdiff1d(held.members, members))
            found |= {name: Difference(missing, surplus)} if missing or surplus else {}
    return Verified(stamped[0], len(same), tuple(name for name in rules if name not in same), found)
