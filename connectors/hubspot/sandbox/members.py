"""Lists and who is on them: when each contact joined, and what readers see of it so far.

Source: HubSpot API reference, Lists: MANUAL lists take members, DYNAMIC ones compute theirs; names are unique without regard to
case; a deleted list can be restored for 90 days.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from connectors.clock import MINUTE, Millis
from connectors.hubspot.sandbox.kinds import CONTACT

MANUAL, DYNAMIC, SNAPSHOT = "MANUAL", "DYNAMIC", "SNAPSHOT"
FIRST_LIST = 401
Joined = npt.NDArray[np.int64]


@dataclass(slots=True)
class List:
    """One list. *joined*: row of a contact → when it joined, 0 when it is not on it; *shown*: the same as readers see it."""

    id: int
    name: str
    type_id: str
    processing: str
    created: Millis
    updated: Millis = 0
    deleted: Millis = 0
    version: int = 1
    joined: Joined = field(default_factory=lambda: np.zeros(0, np.int64))
    shown: Joined = field(default_factory=lambda: np.zeros(0, np.int64))
    first_joined: dict[int, Millis] = field(default_factory=dict)   # of those who came back
    _due: list[tuple[Millis, int, int, Millis]] = field(default_factory=list)
    _order: int = 0
    _size: tuple[Millis, int] | None = None

    def fit(self, count: int) -> None:
        """Room for *count* contacts."""
        if len(self.joined) < count:
            more = np.zeros(max(count, len(self.joined) * 2) - len(self.joined), np.int64)
            self.joined, self.shown = np.concatenate([self.joined, more]), np.concatenate([self.shown, more])

    def change(self, row: int, at: Millis, visible: Millis) -> None:
        """Let a contact join at *at*, or leave with 0; readers see it from *visible* on."""
        if at and row in self.first_joined:
            self.first_joined[row] = min(self.first_joined[row], at)
        elif not at:
            self.first_joined.setdefault(row, int(self.joined[row]))
        self.joined[row] = at
        self._order += 1
        heapq.heappush(self._due, (visible, self._order, row, at))

    def settle(self, now: Millis) -> None:
        while self._due and self._due[0][0] <= now:
            _, _, row, at = heapq.heappop(self._due)
            self.shown[row] = at

    def drop(self, row: int) -> None:
        """A contact that lives no more is on no list, at once."""
        if row < len(self.joined):
            self.joined[row] = self.shown[row] = 0
            self._due = [one for one in self._due if one[2] != row]
            heapq.heapify(self._due)

    def members(self) -> Joined:
        """Rows that readers see, ascending."""
        return np.flatnonzero(self.shown)

    def size(self, now: Millis) -> int:
        """The number of members as the list's own record tells it: up to a minute old."""
        if self._size is None or now - self._size[0] >= MINUTE:
            self._size = (now, int(np.count_nonzero(self.joined)))
        return self._size[1]


class Lists:
    """All lists of the account. *since*: when the two that are always there were made."""

    def __init__(self, since: Millis) -> None:
        self.by_id: dict[int, List] = {}
        self.dynamic = self.add("Subscribed to e-mail", DYNAMIC, since)
        self.odd = self.add("Invoices", DYNAMIC, since, "0-53")     # of a type that this account does not have

    def add(self, name: str, processing: str, at: Millis, type_id: str = CONTACT.type_id) -> List:
        identity = FIRST_LIST + len(self.by_id)
        self.by_id[identity] = List(identity, name, type_id, processing, at, at)
        return self.by_id[identity]

    def living(self) -> list[List]:
        return [one for one in self.by_id.values() if not one.deleted]

    def get(self, identity: object) -> List | None:
        """A list that is not deleted."""
        found = self.by_id.get(int(str(identity))) if str(identity).isdigit() else None
        return found if found and not found.deleted else None

    def named(self, name: str) -> List | None:
        """A list by name, in any case."""
        return next((one for one in self.living() if one.name.casefold() == name.casefold()), None)

    def drop(self, row: int) -> None:
        for one in self.by_id.values():
            one.drop(row)

    def carry(self, old: Sequence[int], new: int, count: int) -> None:
        """Memberships of merged contacts are the survivor's."""
        for one in self.by_id.values():
            one.fit(count)
            at = [int(one.joined[row]) for row in old if one.joined[row]]
            for row in old:
                one.drop(row)
            if at:
                one.joined[new] = one.shown[new] = min(at)


def shown(one: List, now: Millis) -> dict[str, Any]:
    """What every answer about a list says of it."""
    from connectors.hubspot.sandbox.times import iso

    return {
        "listId": str(one.id), "listVersion": one.version, "name": one.name, "objectTypeId": one.type_id,
        "processingType": one.processing, "processingStatus": "COMPLETE", "createdAt": iso(one.created),
        "updatedAt": iso(one.updated or one.created), "createdById": "900", "updatedById": "900",
    }
