"""Where a pull stands: our cursor, as compact JSON that another process can go on from."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import orjson

from connectors.base import Cursor, FaultKind, Millis, PlatformError


@dataclass(frozen=True, slots=True)
class Place:
    """Of the connection's pulls so far:

    *mark*: everything before it has been read (None: nothing has); *swept*: signpost of the last pull, from where
    suppressions are swept; *month*: when the last thirty days were last read again; *ended*: the next pull starts anew.

    Of the pull under way: *post*: its signpost, 0 until set; *newest*: the newest sort key met; *rows*: read so far; *phase*:
    which walk it is in.

    Of the walk under way: *low*: the lower bound that its filter has; *last*: the last row's sort key; *mixed*: rows did not come
    in order, so *last* says nothing; *page*: Klaviyo's own cursor of the next page.
    """

    mark: Millis | None = None
    swept: Millis | None = None
    month: Millis = 0
    ended: bool = False
    post: Millis = 0
    newest: Millis | None = None
    rows: int = 0
    phase: int = 0
    low: Millis | None = None
    last: Millis | None = None
    mixed: bool = False
    page: str = ""

    def cursor(self) -> Cursor:
        """What says something, as JSON."""
        kept = {name: value for name, value in asdict(self).items() if value not in (None, 0, "")}
        return Cursor(orjson.dumps(kept).decode())


def place_of(cursor: Cursor | None) -> Place:
    """The place that *cursor* holds, the very beginning for None. PlatformError CURSOR when it is none of ours."""
    if cursor is None:
        return Place()
    try:
        return Place(**orjson.loads(cursor))
    except (TypeError, ValueError):
        raise PlatformError("klaviyo", "pull", FaultKind.CURSOR, code="cursor of another connector or version") from None


def later(one: Millis | None, other: Millis | None) -> Millis | None:
    """The later of two instants, either of which may be missing."""
    return max((at for at in (one, other) if at is not None), default=None)
