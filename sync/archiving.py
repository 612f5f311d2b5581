"""Sealing as the config wants it: which properties get columns, how long events are kept, and when it is time."""

from __future__ import annotations

from collections.abc import Callable

from connectors.base import Millis
from sync.config.model import Config
from sync.language.needs import EventNeed, needs
from sync.language.values import Path
from sync.store import sealing
from sync.store.sealing import Progress, Sealed
from sync.store.store import Store
from sync.street import Street
from sync.timetable import last_due


def seal_now(
    store: Store, config: Config, now: Millis,
    progress: Progress = sealing.silent, stopping: Callable[[], bool] = lambda: False,
) -> Sealed:
    """Seal what is ready. Raises StoreError."""
    keep = {name: spec.keep for name, spec in config.events.items() if spec.keep is not None}
    return sealing.seal(store, wanted_by(config), keep, now, progress, stopping)


def seal_when_due(street: Street) -> Sealed | None:
    """Seal when the schedule says so, or None. Raises StoreError."""
    now = street.clock.now()
    last = sealing.last(street.store)
    if last is not None and last_due(street.config.schedule.seal, now, street.config.settings.timezone) <= last <= now:
        return None                                 # one dated later than now is of a clock that was wrong
    return seal_now(street.store, street.config, now, street.watch.sealed, street.stopping)


def wanted_by(config: Config) -> sealing.Wanted:
    """Type's name → the properties that the config's segments ask of it."""
    rules = [segment.rule for segment in config.segments.values()] + [family.template.rule for family in config.families.values()]
    asked = [need for rule in rules for need in needs(rule).events]
    asked += [EventNeed(f.event.filter.names, frozenset({f.property}), f.event.window) for f in config.families.values()]

    def wanted(name: str) -> set[Path]:
        return {path for need in asked if need.names.takes(name) for path in need.properties}

    return wanted
