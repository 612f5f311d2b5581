"""The search index: every write reaches it late, each by its own delay, and until then it holds what was there before.

Source: HubSpot developer docs, Search the CRM (new and changed records take some time to appear); observed: github.com issue
HubSpot/hubspot-api-php#59, and records that appear out of order, estuary/connectors source-hubspot-native.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

from connectors.clock import Millis

Snapshot = dict[str, str]


@dataclass(slots=True)
class _Write:
    visible: Millis
    after: Snapshot | None = None                   # what the record held after this write; None: what it holds now


@dataclass(slots=True)
class Index:
    """What search knows that differs from the records. *old*: row → what search still shows, None when nothing yet."""

    snapshot: Callable[[int], Snapshot]
    old: dict[int, Snapshot | None] = field(default_factory=dict)
    _writes: dict[int, list[_Write]] = field(default_factory=dict)
    _due: list[tuple[Millis, int]] = field(default_factory=list)

    def before(self, row: int) -> None:
        """A write to an existing record is about to happen."""
        writes = self._writes.get(row)
        if writes:
            writes[-1].after = self.snapshot(row)
        else:
            self.old[row] = self.snapshot(row)

    def after(self, row: int, visible: Millis) -> None:
        """The write happened; search knows from *visible* on. Without a `before`, the record is new."""
        self.old.setdefault(row, None)
        self._writes.setdefault(row, []).append(_Write(visible))
        heapq.heappush(self._due, (visible, row))

    def settle(self, now: Millis) -> None:
        """Let in what is due."""
        while self._due and self._due[0][0] <= now:
            row = heapq.heappop(self._due)[1]
            writes = self._writes.get(row, [])
            last = max((n for n, write in enumerate(writes) if write.visible <= now), default=-1)
            if last < 0:
                continue
            if last == len(writes) - 1:
                del self._writes[row], self.old[row]
            else:
                self.old[row] = writes[last].after
                del writes[: last + 1]

    def clear(self) -> None:
        self.old.clear()
        self._writes.clear()
        self._due.clear()
