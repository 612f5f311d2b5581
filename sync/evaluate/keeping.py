"""Which fields' histories the rules of a config ask for, and how far back: what the pull keeps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from connectors.base import DAY, Millis
from sync.config.model import Config
from sync.evaluate.run import field_sources
from sync.language.needs import needs
from sync.language.nodes import Node
from sync.language.values import path_text
from sync.language.window import Ago, Window, Within, reach
from sync.source import Origin
from sync.store.pasts import Wanted

SLACK = 5 * DAY                                     # a month, or a clock that is set back, may be longer than it is from here


def wanted_pasts(config: Config, sources: Mapping[str, Origin], rules: Iterable[Node], now: Millis) -> dict[str, Wanted]:
    """Each field whose history *rules* ask for, by its path as they write it."""
    asked = [need for rule in rules for need in needs(rule).pasts]
    found = {}
    for path in sorted({need.path for need in asked}):
        reaches = [_reach(need.window, now) for need in asked if need.path == path]
        known = [each for each in reaches if each is not None]
        found[path_text(path)] = Wanted(tuple(field_sources(config, sources, path)), max(known) if len(known) == len(reaches) else None)
    return found


def _reach(window: Window, now: Millis) -> Millis | None:
    """How far back *window* looks, at any time; None where no bound moves on with the clock."""
    far = reach(window, now) if isinstance(window, Within | Ago) else None
    return None if far is None else far + SLACK
