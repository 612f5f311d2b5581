"""Listings over httpx: one page, checked to be what it says it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from connectors.base import Json, Millis
from connectors.http import Answer, Http
from connectors.mailchimp.faults import stuck, unexpected

T = TypeVar("T")
PAGE = 1000                                         # rows; source: Mailchimp API docs, Methods and parameters page (`count`)
ANSWER_LAG = 2                                      # seconds; a change in the second of the answer may be yet to come


@dataclass(frozen=True, slots=True)
class Rows:
    """One page of a listing. *total* counts the whole listing (-1: not told); *full*: as many rows as asked for, so there may
    be more; *date* is the server's own time."""

    rows: list[Json]
    total: int
    full: bool
    date: Millis | None


class Listings:
    """Pages of any collection of one account."""

    def __init__(self, http: Http) -> None:
        self.http, self._size = http, PAGE

    def page(self, path: str, key: str, name: str, params: Mapping[str, object], offset: int = 0) -> Rows:
        """Up to `PAGE` rows of *key* from *offset*; PlatformError EDGE when the answer has no such list."""
        query = {**params, "count": self._size, **({"offset": offset} if offset else {})}
        answer = self.http.read("GET", path, params=query, name=name)
        data = answer.data
        rows = data.get(key) if isinstance(data, dict) else None
        if not isinstance(rows, list) or len(rows) > self._size:
            raise unexpected(f"GET {name}")
        total = data.get("total_items")
        return Rows(rows, total if isinstance(total, int) else -1, len(rows) == self._size, answer.date)

    def everything(self, path: str, key: str, params: Mapping[str, object]) -> tuple[list[Json], int]:
        """All rows of a small collection (some may repeat), and the signpost of its first answer."""
        rows: list[Json] = []
        end = -1
        spot: Spot | None = Spot()
        while spot is not None:
            page = self.page(path, key, path, params, spot.offset)
            end = signpost(page, f"GET {path}") if end < 0 else end
            rows += page.rows
            spot = spot.after(page, f"GET {path}")
        return rows, end

    def signpost(self) -> int:
        """The newest second whose changes are all in, by the server's own clock: ours may be ahead."""
        return signpost(self.http.read("GET", "/ping", name="/ping"), "GET /ping")


def signpost(answer: Answer | Rows, call: str) -> int:
    """Seconds of the answer's Date, less what may still be on its way; PlatformError EDGE without a Date."""
    if answer.date is None:
        raise unexpected(call, "no Date header")
    return answer.date // 1000 - ANSWER_LAG


def read(call: str, translate: Callable[[], T]) -> T:
    """What *translate* gives; PlatformError EDGE when a row is not of the documented shape."""
    try:
        return translate()
    except (KeyError, TypeError, ValueError, AttributeError):
        raise unexpected(call) from None            # the exception could quote the row


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a listing walked by offset, and how many rows it had when the walk came there (-1: not told)."""

    offset: int = 0
    total: int = -1

    def after(self, page: Rows, call: str) -> Spot | None:
        """Where to go on after *page*, None at the end.

        The end is a page that is not full (`total_items` may count too few: observed, estuary/connectors live probes). A
        listing that shrank meanwhile moved rows up past us: it is walked again from its start; rows repeat. PlatformError EDGE
        when it ends before its own count, INVALID when it goes on after it, as one does that ignores the offset.
        """
        if 0 <= page.total < self.total:
            return Spot(0, page.total)
        offset = self.offset + len(page.rows)
        if page.full and 0 <= page.total <= self.offset:
            raise stuck(call)
        if page.full:
            return Spot(offset, page.total)
        if offset < page.total:
            raise unexpected(call, "fewer rows than counted")
        return None
