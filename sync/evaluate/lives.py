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
    wanted, problems = _carried(store, config), contested(store, config)
    if problems:
        raise ConfigError(problems)
    for spec in wanted:
        with store.transaction() as db:
            lives.rename(db, spec.was, spec.name)
    return [(spec.was, spec.name) for spec in wanted]


def contested(store: Store, config: Config) -> list[Problem]:
    """Segments that cannot take over what is left of the one they say they were."""
    return [problem for spec in _carried(store, config) if (problem := _both_applied(store, spec))]


def _carried(store: Store, config: Config) -> list[SegmentSpec]:
    """Segments that say they were another one, of which the store still holds something."""
    known = lives.known(store)
    return [spec for spec in config.segments.values() if spec.was in known and spec.was not in config.segments]


def _both_applied(store: Store, spec: SegmentSpec) -> Problem | None:
    if not any(target.applied or target.ours for target in lives.left(store.db, spec.name)):
        return None
    message = f"segment '{spec.name}' was applied under this name already, so it cannot take over what is left of '{spec.was}'"
    return Problem(spec.place, message, f"take `was` out; `segmentd retire {spec.was}` lets the old one go")


def renamed(store: Store, config: Config, digests: Mapping[str, str]) -> dict[str, str]:
    """New segment → the one that is gone from the config and had the same body. *digests*: of the config's rules. One that was
    applied under its new name is its own."""
    carried = {spec.was for spec in _carried(store, config)}
    gone = {
        rule: name for name, rule in store.rows("select name, rule from segments order by name desc")
        if name not in config.segments and name not in carried
    }
    return {
        name: gone[digest] for name, digest in digests.items()
        if digest in gone and not any(target.applied for target in lives.left(store.db, name))
    }


def unnamed(store: Store, config: Config, digests: Mapping[str, str]) -> list[Problem]:
    """A warning for each new segment that looks like one that is gone from the config: its targets, if it has any, would be frozen."""
    return [
        Problem(spec.place, f"warning: segment '{spec.name}': {alike(old, spec.family)}"
                + (", and until then its targets are frozen" if spec.targets else ""))
        for spec, old in ((config.segments[new], old) for new, old in renamed(store, config, digests).items())
    ]


def alike(old: str, family: str) -> str:
    """What to do where a new segment (of *family*, or of none) has the body of *old*, which is gone."""
    write = f"say in '{family}' what it was" if family else f"write `was: {old}`"
    return f"it looks like '{old}' under a new name: {write}, or `segmentd retire {old}`"
