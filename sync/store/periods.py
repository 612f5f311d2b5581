"""Which stretch of time one sealed file holds: a day, a whole month once it is over, and one for all that is older than 2000.

Days and months are UTC's: a file's bounds must not move with a setting.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from connectors.base import DAY, Millis, instant
from sync.store.border import EARLIEST

HOT_DAYS = 3                                        # whole days that stay rows: pulls overlap that far and tell events again
LONG_AGO: Millis = 946_684_800_000                  # 2000-01-01: what is dated before is dated wrongly, and rare


class Period(NamedTuple):
    """From *start* until before *until*; *name* is what its file is called."""

    start: Millis
    until: Millis
    name: str


def sealable_until(now: Millis) -> Millis:
    """What happened before this may be sealed."""
    return now // DAY * DAY - HOT_DAYS * DAY


def period_of(at: Millis, edge: Millis) -> Period:
    """The period of *at* when everything before *edge* is sealed: its month if that is over by then, else its day."""
    if at < LONG_AGO:
        return Period(EARLIEST, LONG_AGO, "before-2000")
    month = month_of(at)
    return month if month.until <= edge else day_of(at)


def day_of(at: Millis) -> Period:
    start = at // DAY * DAY
    return Period(start, start + DAY, f"{instant(start):%Y-%m-%d}")


def month_of(at: Millis) -> Period:
    """The month of *at*, from 2000 on."""
    first = instant(at).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    following = datetime(first.year + first.month // 12, first.month % 12 + 1, 1, tzinfo=UTC)
    return Period(_millis(first), _millis(following), f"{first:%Y-%m}")


def _millis(at: datetime) -> Millis:
    return int(at.timestamp()) * 1000
