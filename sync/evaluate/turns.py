"""Until when answers stand, for whole columns of instants: the fast twin of `turn` in the language."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from connectors.base import Millis
from sync.evaluate import calendars
from sync.evaluate.snapshot import Ints
from sync.language.calendars import Length, Months
from sync.language.window import Ago, Ahead, Dates, During, OlderThan, Relative, Window, Within

NEVER: Millis = 2**63 - 1


def turns(window: Window | Relative, at: Ints, now: Millis) -> Ints:
    """Per instant of *at* the first moment after now at which the window may begin or cease to hold it (`NEVER`: none)."""
    return earliest([np.where(moment > now, moment, NEVER) for moment in _moments(window, at)])


def comes_and_goes(window: Window, at: Ints) -> tuple[Ints, Ints]:
    """Per instant of *at* the first moments at which the window's end, and its beginning, have passed it (`NEVER`: none). It is held
    from the one until the other, and not at all where these are one moment."""
    comes, *goes = _moments(window, at)
    if isinstance(window, Dates):
        begun, ended = window.since is None or at >= window.since, window.until is not None and at >= window.until
        comes = np.where(np.logical_and(begun, np.logical_not(ended)), comes, NEVER)
    return comes, goes[0] if goes else np.full(len(at), NEVER)


def _moments(window: Window | Relative, at: Ints) -> list[Ints]:
    """When it begins to hold each, and when it ceases to, if ever."""
    match window:
        case Within(span):
            return [at, _until_before(at, span)]
        case Ago(far, near):
            return [_until_before(at, near), _until_before(at, far)]
        case OlderThan(span):
            return [_until_before(at, span)]
        case Ahead(span):
            return [calendars.until_after(at, span) if isinstance(span, Months) else at - span, at]
        case During(calendar, shift, past):
            numbers = calendars.numbers(at, calendar) - shift
            begins = calendars.starts(numbers, calendar)
            return [np.maximum(begins, at) if past else begins, calendars.starts(numbers + 1, calendar)]
        case _:
            return [at]


def _until_before(at: Ints, span: Length) -> Ints:
    return calendars.until_before(at, span) if isinstance(span, Months) else at + span


def earliest(moments: Sequence[Ints]) -> Ints:
    """Of several arrays the least, place by place."""
    found: Ints = np.minimum.reduce(moments)
    return found
