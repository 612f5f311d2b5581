"""Kind → connector, through the entry-point group `segmentd.connectors`: a third party adds one by installing it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from connectors.base import ConnectorKind

GROUP = "segmentd.connectors"


def kinds() -> list[str]:
    """Names of all installed kinds, sorted; nothing is imported."""
    return sorted(_installed(tuple(sys.path)))


@cache
def kind(name: str) -> ConnectorKind:
    """The installed kind called *name*. KeyError when there is none, TypeError when it is not a connector kind."""
    loaded = _installed(tuple(sys.path))[name].load()
    if not isinstance(loaded, ConnectorKind):
        raise TypeError(f"entry point {name!r} of group {GROUP!r} is no connector kind")
    return loaded


@cache
def _installed(path: tuple[str, ...]) -> Mapping[str, EntryPoint]:
    """What is installed on *path*, of one name the first; looked for once, since it takes 10 ms and a config asks six times. What is
    installed while we run is seen by the next process."""
    return {point.name: point for point in reversed(tuple(entry_points(group=GROUP)))}
