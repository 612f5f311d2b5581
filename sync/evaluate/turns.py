"""Until when answers stand, for whole columns of instants: the fast twin of `turn` in the language."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from connectors.base import Millis
from sync.evaluate.snapshot import Ints
from sync.language.window import Ago, Ahead, OlderThan, Relative, Window, Within

NEVER: Millis = 2**63 - 1


def turns(window: Window | Relative, at: Ints, now: Millis) -> Ints:
    """Per instant of *at* the first moment after now at which the window may begin or cease to hold it (`NEVER`: none)."""
    match window:
        case Within(span):
            moments = [at, at + span]
        case Ago(far, near):
            moments = [at + near, at + far]
        case OlderThan(span):
            moments = [at + span]
        case Ahead(span):
            moments = [at - span, at]
        case _:
            moments = [at]
    return earliest([np.where(moment > now, moment, NEVER) for moment in moments])


def earliest(moments: Sequence[Ints]) -> Ints:
    """Of several arrays the least, place by place."""
    found: Ints = np.minimum.reduce(moments)
    return found
