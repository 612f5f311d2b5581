"""Lists and segments: who is in, since when, and what a reader is shown of it yet."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from connectors.clock import Millis

Rows = npt.NDArray[np.int64]
_order = itertools.count()


@dataclass(slots=True)
class Group:
    """A list or a segment. Per profile row the instant of joining, 0 for who is not in: as it is, and as it is shown.

    A change is shown when its lag is over; then the row is shown as it is by then.
    """

    kind: str                                       # "list" | "segment"
    id: str
    name: str
    created: Millis
    updated: Millis
    opt_in: str = "double_opt_in"
    tags: list[str] = field(default_factory=list)
    joined: Rows = field(default_factory=lambda: np.zeros(0, np.int64))
    shown: Rows = field(default_factory=lambda: np.zeros(0, np.int64))
    _due: list[tuple[Millis, int, int]] = field(default_factory=list)
    _listings: dict[str, Rows] = field(default_factory=dict)

    def fit(self, people: int) -> None:
        """Room for as many profiles."""
        if people > len(self.joined):
            more = np.zeros(max(people, len(self.joined) * 3 // 2) - len(self.joined), np.int64)
            self.joined, self.shown = np.concatenate([self.joined, more]), np.concatenate([self.shown, more])

    def change(self, rows: Sequence[int], at: Millis, lags: Sequence[Millis], now: Millis) -> None:
        """Let *rows* in since *at* (members keep their instant), or with *at* 0 out; each is shown after its lag."""
        for row, lag in zip(rows, lags, strict=True):
            if bool(self.joined[row]) == bool(at):
                continue
            self.joined[row] = at
            heapq.heappush(self._due, (now + lag, next(_order), row))
        self.settle(now)

    def settle(self, now: Millis) -> None:
        """Show what is due."""
        while self._due and self._due[0][0] <= now:
            row = heapq.heappop(self._due)[2]
            self.shown[row] = self.joined[row]
            self._listings.clear()

    def replace(self, old: int, new: int) -> None:
        """A merge: the survivor takes the older membership."""
        instants = [int(self.joined[row]) for row in (old, new) if self.joined[row]]
        self.joined[old], self.joined[new] = 0, min(instants, default=0)
        self.shown[old], self.shown[new] = self.joined[old], self.joined[new]
        self._listings.clear()

    def listing(self, by: str) -> Rows:
        """Rows of who is shown as a member, by "joined" or by "row"; kept until somebody comes or goes."""
        if by not in self._listings:
            rows = np.flatnonzero(self.shown)
            self._listings[by] = rows[np.argsort(self.shown[rows], kind="stable")] if by == "joined" else rows
        return self._listings[by]

    def members(self) -> Rows:
        """Rows of who is a member, shown or not yet."""
        return np.flatnonzero(self.joined)


class Groups:
    """All lists, or all segments, by id."""

    def __init__(self) -> None:
        self.by_id: dict[str, Group] = {}

    def named(self, name: str) -> Group:
        """The oldest of that name; KeyError when there is none."""
        return next((group for group in self.by_id.values() if group.name == name), None) or _none(name)

    def add(self, group: Group) -> Group:
        self.by_id[group.id] = group
        return group

    def rows(self) -> list[Group]:
        return list(self.by_id.values())


def _none(name: str) -> Any:
    raise KeyError(f"no list called {name!r}")
