"""Conditions on what a field was before that look further back than its history is kept."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.base import Millis, instant
from sync.config.model import Config
from sync.insight.lint import place_of
from sync.language.nodes import Node, walk
from sync.language.pasts import Changed, HasBeen
from sync.language.values import path_text
from sync.language.window import Within, reach
from sync.located import Problem
from sync.store import pasts
from sync.store.store import Store


def forgetful(store: Store, config: Config, now: Millis) -> list[Problem]:
    """A warning for each such condition, with since when the history is kept."""
    begun = pasts.reaches(store.db)
    found: list[Problem] = []
    for segment in config.segments.values():
        for node in dict.fromkeys(walk(segment.rule)):
            place = place_of(segment, node)
            found += [Problem(place, f"warning: segment '{segment.name}': {why}", hint) for why, hint in _told(node, begun, now)]
    return sorted(set(found))


def _told(node: Node, begun: dict[str, Millis], now: Millis) -> Iterator[tuple[str, str]]:
    if not isinstance(node, HasBeen | Changed):
        return
    name = path_text(node.path)
    far = reach(Within(node.window.span) if isinstance(node, HasBeen) else node.window, now)
    if name not in begun:
        yield f"the history of {name} is not kept yet", "it is from the next plan, sync or run on"
    elif far is not None and far > now - begun[name]:
        since = f"{instant(begun[name]):%Y-%m-%d}"
        yield f"the history of {name} is kept since {since}, and this looks further back", "until it reaches so far, expect to know less"
