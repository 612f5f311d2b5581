"""Until when answers stand, for whole columns of instants: the fast twin of `turn` in the language."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from connectors.base import Millis
from sync.evaluate import calendars
from sync.evaluate.snapshot import Ints
from sync.language.calendars import Length, Months
from sync.language.window import Ago, Ahead, During, OlderThan, Relative, Window, Within

NEVER: Millis = 2**63 - 1


def turns(window: Window | Relative, at: Ints, now: Millis) -> Ints:
    """Per instant of *at* the first moment after now at which the window may begin or cease to hold it (`NEVER`: none)."""
    return earliest([np.where(moment > now, moment, NEVER) for moment in _moments(window, at)])


def _moments(window: Window | Relative, at: Ints) -> list[Ints]:
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
