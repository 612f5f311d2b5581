"""Whether a chain of events can be made: each link by an event of its own, in time, related to the one before.

This is the search behind a sequence, on numbers instead of events. Choosing the nearest follower would be wrong (it may lead
nowhere, or be needed for another link), so every choice is tried; what was found out about an event is kept, so that fifteen
thousand events cost seconds at most. Only events of one instant can stand in each other's way.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from connectors.base import Millis

ANY: tuple[str, ...] = ("",)                        # the keys of every event where nothing must be the same


@dataclass(frozen=True, slots=True)
class Link:
    """One step of a chain: who may serve it (*able*: numbers of events), and how it follows the link before.

    It comes at least *delay* after that one's event, at most *within* later still (None: any time), and shares one of the *keys*
    of that event (None: nothing must be the same).
    """

    able: frozenset[int]
    delay: Millis = 0
    within: Millis | None = None
    keys: Sequence[tuple[str, ...]] | None = None

    def keys_of(self, event: int) -> tuple[str, ...]:
        return ANY if self.keys is None else self.keys[event]


class Chains:
    """Chains of *links* over events that happened *at*."""

    def __init__(self, at: Sequence[Millis], links: Sequence[Link]) -> None:
        self._at, self._links = at, links
        self._known: dict[tuple[int, int, frozenset[int]], int | None] = {}
        self._leading: list[Mapping[str, list[tuple[Millis, int]]]] = [{} for _ in links]
        for step in reversed(range(len(links))):
            leading = [event for event in links[step].able if self._leads(step, event, frozenset({event}))]
            self._leading[step] = _by_key(self._at, leading, links[step])

    def find(self) -> list[int] | None:
        """The events of a chain, one per link: it begins as late as it can. None when there is none."""
        first = max((pair for pairs in self._leading[0].values() for pair in pairs), default=None)
        if first is None:
            return None
        chain, used = [first[1]], frozenset({first[1]})
        for step in range(len(self._links) - 1):
            follower = self._follower(step, chain[-1], used)
            if follower is None:
                raise AssertionError("a leading event has a follower")
            same_instant = self._at[follower] == self._at[chain[-1]]
            used = (used if same_instant else frozenset()) | {follower}
            chain.append(follower)
        return chain

    def _leads(self, step: int, event: int, used: frozenset[int]) -> bool:
        """Whether a chain goes on to its end from *event* at *step*; *used* are the events of that instant that serve already."""
        return step == len(self._links) - 1 or self._follower(step, event, used) is not None

    def _follower(self, step: int, event: int, used: frozenset[int]) -> int | None:
        """An event for the next link from which the chain can be completed."""
        known = (step, event, used)
        if known not in self._known:
            later = self._later(step + 1, event)
            self._known[known] = self._beside(step + 1, event, used) if later is None else later
        return self._known[known]

    def _later(self, step: int, before: int) -> int | None:
        """The earliest such event at a later instant, where nobody can be in its way."""
        link, since = self._links[step], self._at[before] + self._links[step].delay
        found = []
        for key in link.keys_of(before):
            pairs = self._leading[step].get(key, [])
            place = bisect_left(pairs, (max(since, self._at[before] + 1), -1))
            found += pairs[place : place + 1]
        earliest = min(found, default=None)
        if earliest is None or (link.within is not None and earliest[0] > since + link.within):
            return None
        return earliest[1]

    def _beside(self, step: int, before: int, used: frozenset[int]) -> int | None:
        """Such an event at the same instant; only one that would lead on by itself can lead on among the used ones."""
        link, at = self._links[step], self._at[before]
        for key in link.keys_of(before) if link.delay == 0 else ():
            pairs = self._leading[step].get(key, [])
            for place in range(bisect_left(pairs, (at, -1)), len(pairs)):
                if pairs[place][0] > at:
                    break
                event = pairs[place][1]
                if event not in used and self._leads(step, event, used | {event}):
                    return event
        return None


def _by_key(at: Sequence[Millis], events: Iterable[int], link: Link) -> Mapping[str, list[tuple[Millis, int]]]:
    """Key → (time, event), ascending."""
    found: dict[str, list[tuple[Millis, int]]] = {}
    for event in sorted(events, key=lambda event: (at[event], event)):
        for key in link.keys_of(event):
            found.setdefault(key, []).append((at[event], event))
    return found
