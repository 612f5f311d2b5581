"""Kind → connector, through the entry-point group `segmentd.connectors`: a third party adds one by installing it."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points

from connectors.base import ConnectorKind

GROUP = "segmentd.connectors"


def kinds() -> list[str]:
    """Names of all installed kinds, sorted; nothing is imported."""
    return sorted({point.name for point in entry_points(group=GROUP)})


@cache
def kind(name: str) -> ConnectorKind:
    """The installed kind called *name*. KeyError when there is none, TypeError when it is not a connector kind."""
    for point in entry_points(group=GROUP):
        if point.name == name:
            loaded = point.load()
            if not isinstance(loaded, ConnectorKind):
                raise TypeError(f"entry point {name!r} of group {GROUP!r} is no connector kind")
            return loaded
    raise KeyError(name)
