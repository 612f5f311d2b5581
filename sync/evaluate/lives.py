"""Segments that go on under another name: what `was:` moves, and which new ones look like one that is gone."""

from __future__ import annotations

from collections.abc import Mapping

from sync.config.errors import ConfigError
from sync.config.model import Config, SegmentSpec
from sync.located import Problem
from sync.store import lives
from sync.store.store import Store


def carry_over(store: Store, config: Config) -> list[tuple[str, str]]:
    """Move what the store holds of segments that others say they were: (old, new) of each. Done once, it finds nothing to move.
    Raises ConfigError where both were applied: whose is whose would be lost."""
    known = lives.known(store)
    wanted = [spec for spec in config.segments.values() if spec.was in known and spec.was not in config.segments]
    problems = [problem for spec in wanted if (problem := _both_applied(store, spec))]
    if problems:
        raise ConfigError(problems)
    for spec in wanted:
        with store.transaction() as db:
            lives.rename(db, spec.was, spec.name)
    return [(spec.was, spec.name) for spec in wanted]


def _both_applied(store: Store, spec: SegmentSpec) -> Problem | None:
    if not any(target.applied or target.ours for target in lives.left(store.db, spec.name)):
        return None
    message = f"segment '{spec.name}' was applied under this name already, so it cannot take over what is left of '{spec.was}'"
    return Problem(spec.place, message, f"take `was` out; `segmentd retire {spec.was}` lets the old one go")


def renamed(store: Store, config: Config, digests: Mapping[str, str]) -> dict[str, str]:
    """New segment → the one that is gone from the config and had the same body. *digests*: of the config's rules. One that was
    applied under its new name is its own."""
    gone = {
        rule: name for name, rule in store.rows("select name, rule from segments order by name desc")
        if name not in config.segments
    }
    return {
        name: gone[digest] for name, digest in digests.items()
        if digest in gone and not any(target.applied for target in lives.left(store.db, name))
    }
