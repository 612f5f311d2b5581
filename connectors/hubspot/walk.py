"""Walks that miss nothing, and the cursors that carry them over a crash.

A cursor is a compact JSON object. Between pulls it holds the watermark `w` and when the last deep re-read began, `d`. Within a
pull it holds the bounds fixed at its start and the last key, so that it resumes in another process.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import orjson

from connectors.base import DAY, HOUR, SECOND, Cursor, FaultKind, Json, Millis, PlatformError
from connectors.hubspot.api import Api, Record, following, identified
from connectors.hubspot.faults import PLATFORM, no_progress

SETTLED = 10 * SECOND                               # a window ends so long before the platform's own time
OVERLAP = HOUR                                      # each pull re-reads: the search index lags seconds, at times much more
DEEP_OVERLAP = DAY                                  # once a day
EARLIEST = SECOND                                   # observed: a search from 0 answers 500, estuary/connectors hubspot-native


def dump(state: Mapping[str, Json]) -> Cursor:
    return Cursor(orjson.dumps(state).decode())


def load(cursor: Cursor | None) -> dict[str, Json]:
    """The state in *cursor*, {} for None. PlatformError CURSOR when it is not one of ours."""
    try:
        state = orjson.loads(cursor) if cursor is not None else {}
    except ValueError:
        state = None
    if not isinstance(state, dict):
        raise PlatformError(PLATFORM, "cursor", FaultKind.CURSOR, code="not a cursor of this connector")
    return state


def parts(state: Mapping[str, Json], *names: str) -> tuple[Json, ...]:
    """The named values of a cursor's state. PlatformError CURSOR when one is missing."""
    if not all(name in state for name in names):
        raise PlatformError(PLATFORM, "cursor", FaultKind.CURSOR, code="not a cursor of this stream")
    return tuple(state[name] for name in names)


def finished(watermark: Millis, deep: Millis) -> Cursor:
    """The cursor after the last page: the next pull starts here, less the overlap."""
    return dump({"w": watermark, "d": deep})


@dataclass(frozen=True, slots=True)
class Window:
    """Changes in [*lo*, *hi*) after the record *key*, in order of record ids. *deep*: when the last deep re-read began;
    *total*: rows of the whole window, once known; *rows* read so far."""

    lo: Millis
    hi: Millis
    deep: Millis
    key: int = 0
    rows: int = 0
    total: int | None = None

    @classmethod
    def after(cls, state: Mapping[str, Json], now: Millis, since: Millis) -> Window:
        """The window of a new pull at the platform's time *now*. Without a watermark it starts at *since*, with one it
        overlaps what was read by an hour, once a day by a day.

        Source: HubSpot developer docs, Search the CRM (new and changed records take time to appear); observed: the index
        takes up to an hour to be sure, estuary/connectors source-hubspot-native.
        """
        hi = now - SETTLED
        if "w" not in state:
            return cls(max(EARLIEST, since), hi, hi)
        deep = hi - int(state["d"]) >= DAY
        lo = min(int(state["w"]), hi) - (DEEP_OVERLAP if deep else OVERLAP)
        return cls(max(EARLIEST, lo), hi, hi if deep else int(state["d"]))

    @classmethod
    def of(cls, state: Mapping[str, Json]) -> Window:
        """The window that a cursor within a pull holds."""
        return cls(*parts(state, "lo", "hi", "d", "k", "n", "c"))

    def cursor(self) -> Cursor:
        return dump({"lo": self.lo, "hi": self.hi, "d": self.deep, "k": self.key, "n": self.rows, "c": self.total})

    def end(self) -> Cursor:
        return finished(self.hi, self.deep)


Found = tuple[list[Record], Window, bool]


def changes(api: Api, kind: str, moved: str, properties: Sequence[str], window: Window) -> Iterator[Found]:
    """Records whose property *moved* lies in *window*, page by page: (records, the window after them, whether it was the last).

    A keyset walk: ascending ids beyond the last one, always the first page of the search. An offset would skip a row whenever a
    changed record leaves the window, and stops at 10,000 rows. *moved* is `lastmodifieddate` for contacts and
    `hs_lastmodifieddate` for everything else; the wrong one finds nothing, silently (observed: amp-labs/connectors#45).
    Source: HubSpot API reference 2026-09, Search; HubSpot developer docs, Search the CRM, limits.
    """
    last = False
    while not last:
        found, window, last = _step(api, kind, moved, properties, window)
        yield found, window, last


def _step(api: Api, kind: str, moved: str, properties: Sequence[str], window: Window) -> Found:
    call = f"{kind}/search"
    data = api.search(kind, _filters(moved, window), properties)
    found: list[Record] = data["results"]
    last = following(data, call, None) is None
    if last and data["total"] > len(found):
        raise PlatformError(PLATFORM, call, FaultKind.EDGE, code="fewer rows than its total")
    keys = [int(identified(row, call)[0]) for row in found]
    key = max(keys, default=window.key)
    if (keys and min(keys) <= window.key) or (not last and not keys):
        raise no_progress(call)
    total = window.total if window.total is not None else window.rows + data["total"]
    return found, replace(window, key=key, rows=window.rows + len(found), total=total), last


def _filters(moved: str, window: Window) -> list[Record]:
    return [
        {"propertyName": moved, "operator": "GTE", "value": str(window.lo)},
        {"propertyName": moved, "operator": "LT", "value": str(window.hi)},
        {"propertyName": "hs_object_id", "operator": "GT", "value": str(window.key)},
    ]
