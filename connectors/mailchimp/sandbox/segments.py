"""Tags: static segments, and who carries them. A tag and its static segment have one integer id.

Source: Mailchimp Marketing API docs, "Organize contacts with tags" (a tag is a static segment).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from connectors.clock import Millis
from connectors.mailchimp.sandbox.people import Rows, whole

FIRST_ID = 7_100_001


@dataclass(slots=True)
class Segment:
    """One tag. *added*: per row of the people, when it was tagged (0: it is not)."""

    id: int
    audience: int
    name: str
    created: Millis
    updated: Millis
    added: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(16, np.int64))
    late: dict[int, tuple[Millis, bool]] = field(default_factory=dict)     # row → (listings notice then, what they say until)

    def holds(self, row: int) -> bool:
        return row < len(self.added) and bool(self.added[row])

    def when(self, rows: Rows) -> npt.NDArray[np.int64]:
        """Time of tagging per row, 0 where it is not."""
        if len(rows) and int(rows.max()) >= len(self.added):
            self._reach(int(rows.max()))
        return self.added[rows]

    def change(self, row: int, held: bool, now: Millis, lag: Millis) -> bool:
        """Add or remove one; whether that changed anything."""
        was = self.holds(row)
        if was == held:
            return False
        if row >= len(self.added):
            self._reach(row)
        self.added[row] = whole(now) if held else 0
        if lag:
            self.late[row] = (now + lag, was)
        self.updated = whole(now)
        return True

    def rows(self) -> Rows:
        """Who is on it, as it is now."""
        return np.flatnonzero(self.added)

    def listed(self, now: Millis) -> Rows:
        """Who is on it as listings and counts show it."""
        self.late = {row: (seen, was) for row, (seen, was) in self.late.items() if seen > now}
        if not self.late:
            return self.rows()
        shown = self.added != 0
        for row, (_, was) in self.late.items():
            shown[row] = was
        return np.flatnonzero(shown)

    def _reach(self, row: int) -> None:
        grown = np.zeros(max(row + 1, 2 * len(self.added)), np.int64)
        grown[: len(self.added)] = self.added
        self.added = grown


@dataclass(slots=True)
class Segments:
    """All tags of all audiences, by id."""

    by_id: dict[int, Segment] = field(default_factory=dict)
    _next: int = FIRST_ID

    def of(self, audience: int) -> list[Segment]:
        return [one for one in self.by_id.values() if one.audience == audience]

    def get(self, audience: int, key: str) -> Segment | None:
        found = self.by_id.get(int(key)) if key.isdigit() else None
        return found if found is not None and found.audience == audience else None

    def named(self, audience: int, name: str) -> Segment | None:
        """Names differ by more than case. Source: comment in grouparoo/grouparoo, @grouparoo/mailchimp."""
        wanted = name.strip().casefold()
        return next((one for one in self.of(audience) if one.name.casefold() == wanted), None)

    def create(self, audience: int, name: str, now: Millis) -> Segment:
        made = Segment(self._next, audience, name.strip(), whole(now), whole(now))
        self.by_id[made.id] = made
        self._next += 1
        return made

    def drop_rows(self, rows: Iterable[int]) -> None:
        """Erased people carry nothing."""
        for one in self.by_id.values():
            for row in rows:
                if one.holds(row):
                    one.added[row] = 0
                    one.late.pop(row, None)
