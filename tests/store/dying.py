"""Children that kill themselves at the n-th statement that SQLite runs for them."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable


def dies_at(statement: int, work: Callable[[Callable[[sqlite3.Connection], None]], None]) -> bool:
    """Run *work* in a child that SIGKILLs itself before its *statement*-th statement on the connection that *work* hands to
    `arm`; False when it got to its end first."""
    child = os.fork()
    if child == 0:
        left = [statement]

        def count(_: str) -> None:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            work(lambda db: db.set_trace_callback(count))
        finally:
            os._exit(0 if left[0] > 0 else 1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or status == 0
    return os.WIFSIGNALED(status)
