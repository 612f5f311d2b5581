"""Entered and left: the record of a segment, asked of everybody at once."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from connectors.base import Millis
from sync.evaluate.edges import cut
from sync.evaluate.snapshot import Ints, Mask
from sync.evaluate.turns import NEVER, turns
from sync.language.moves import Moved


def moved(node: Moved, table: pa.Table, size: int, now: Millis) -> Mask:
    """Per contact whether it entered (or left) in the window. *table*: `MOVES` of the node's segment, by time."""
    contacts, at = _asked(node, table)
    start, end = cut(at, node.window, now)
    found = np.zeros(size, bool)
    found[contacts[start:end]] = True
    return found


def moved_turns(node: Moved, table: pa.Table, size: int, now: Millis) -> Ints:
    """Per contact the first instant after now at which a move begins or ceases to count (`NEVER`: none)."""
    contacts, at = _asked(node, table)
    found = np.full(size, NEVER)
    np.minimum.at(found, contacts, turns(node.window, at, now))
    return found


def _asked(node: Moved, table: pa.Table) -> tuple[Ints, Ints]:
    meant = table.column("entered").to_numpy() == node.entered
    return table.column("contact").to_numpy()[meant].astype(np.int64), table.column("at").to_numpy()[meant]
