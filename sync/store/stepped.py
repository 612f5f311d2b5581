"""After the clock was ahead: what we noted while it was must not be believed when it is right again.

A view of next year would count as fresh until then, a pull that ended then would never be stale, a letter due then would wait.
"""

from __future__ import annotations

import sqlite3

from connectors.base import LONGEST_WAIT, MINUTE, Millis

LEEWAY: Millis = 10 * MINUTE                        # clocks are set by as much without having been wrong
_ONCE = (("outbox", "made"), ("streams", "first"), ("streams", "started"))         # what happened once, at the latest now


def disbelieve(db: sqlite3.Connection, now: Millis) -> None:
    """Stamps of ours that lie well ahead of *now*: views and pulls that bear one have to be made again, what is due is due within
    the longest wait there is, and what was confirmed does not outrank a listing.

    It may also be *now* that is wrong, and all stamps true. So nothing is forgotten here that cannot be read again: since when
    somebody consented, or whose a membership is, is left alone.
    """
    ahead = now + LEEWAY
    db.execute("update targets set complete = 0, viewed = null where viewed > ?", (ahead,))
    for table, stamp in _ONCE:
        db.execute(f"update {table} set {stamp} = ? where {stamp} > ?", (now, ahead))  # noqa: S608 - our own names
    db.execute("delete from confirmed where at > ?", (ahead,))
    db.execute("update outbox set due = ? where due > ?", (now, now + round(LONGEST_WAIT * 1000)))
    db.execute(                                     # a sweep starts anew, a pull of changes goes on where it was
        "update streams set finished = null, cursor = iif(sweep > 0, null, cursor) where finished > ?", (ahead,),
    )
