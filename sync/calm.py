"""Python's collector, calmed for a process that makes rows by the hundred thousand and hardly a ring among them."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

MADE = 100_000
"""Objects made before the collector looks for rings among them. With the usual 700 it walks every page and every person again and again:
a fifth of what a first sync costs (`benchmarks.pull` shows what a bare loop pays for it). A million saves no more, and would let a daemon
hold more garbage."""


@contextmanager
def calm_collector() -> Iterator[None]:
    """Inside, the collector looks at young objects once MADE were made; afterwards as before. It is one for the whole process, so this is
    for whoever owns the process: a command, a benchmark, never a thread among others."""
    before = gc.get_threshold()
    gc.set_threshold(MADE, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
