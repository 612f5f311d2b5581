"""Cursors: compact JSON that a new process resumes from."""

from __future__ import annotations

from typing import Any

import orjson

from connectors.base import Cursor, FaultKind, PlatformError

VERSION = 1


def loaded(cursor: Cursor | None, stream: str) -> dict[str, Any]:
    """What *cursor* holds, {} for None; PlatformError CURSOR when it was not made here."""
    if cursor is None:
        return {}
    try:
        held = orjson.loads(cursor)
    except ValueError:
        held = None
    if not isinstance(held, dict) or held.get("v") != VERSION:
        raise PlatformError("mailchimp", f"pull {stream}", FaultKind.CURSOR, code="cursor not readable")
    return held


def dumped(**held: object) -> Cursor:
    """A cursor of *held*; what is None or empty is left out."""
    kept = {name: value for name, value in held.items() if value not in (None, {}, ())}
    return Cursor(orjson.dumps({"v": VERSION, **kept}).decode())
