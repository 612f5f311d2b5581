"""Named places where a test may kill the process. Nothing happens unless the environment arms one.

SEGMENTD_CRASH="name:n" sends SIGKILL to ourselves at the n-th passing of *name*; "*:n" at the n-th passing of any.
"""

from __future__ import annotations

import os
import signal

_ARMED, _, _COUNT = os.environ.get("SEGMENTD_CRASH", "").partition(":")
_left = int(_COUNT) if _COUNT.isdigit() else 0

POINTS = (
    "pull.before_page", "pull.before_commit", "pull.after_page", "pull.before_settle", "evaluate.before_commit",
    "view.before_commit", "plan.before_commit", "enqueue.after_create", "enqueue.before_commit", "send.before_claim", "send.after_claim",
    "send.after_call", "send.before_commit", "send.after_commit", "seal.before_write", "seal.after_write", "seal.after_rename",
    "seal.before_commit", "seal.after_commit", "close.before_checkpoint",
)


def crash_point(name: str) -> None:
    """Die here, if armed."""
    global _left
    if _ARMED and _ARMED in (name, "*"):
        _left -= 1
        if _left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
