"""Window edges as numbers, and as positions in a sorted column of times. The only place where the fast paths compare windows."""

from __future__ import annotations

import numpy as np

from connectors.base import Millis
from sync.evaluate.snapshot import BEGINNING, Ints
from sync.language.calendars import after, before
from sync.language.window import Ago, Ahead, Dates, During, Ever, OlderThan, Relative, Window, Within


def bounds(window: Window | Relative, now: Millis) -> tuple[Millis, Millis]:
    """(after, upto) such that the window holds t exactly when after < t ≤ upto."""
    match window:
        case Ever():
            return BEGINNING, now
        case Within(span):
            return before(now, span), now
        case Ahead(span):
            return now, after(now, span)
        case Ago(far, near):
            return before(now, far), before(now, near)
        case OlderThan(span):
            return BEGINNING, before(now, span)
        case During():
            start, end = window.span(now)
            return start - 1, min(now, end - 1) if window.past else end - 1
        case Dates(since, until):
            return BEGINNING if since is None else since - 1, now if until is None else min(now, until - 1)


def cut(at: Ints, window: Window, now: Millis) -> tuple[int, int]:
    """Positions (start, end) of the rows of ascending times *at* that the window holds; start ≤ end."""
    after, upto = bounds(window, now)
    start = 0 if after <= BEGINNING else int(np.searchsorted(at, after, side="right"))
    return start, max(start, int(np.searchsorted(at, upto, side="right")))
