"""The diary: which command ran when, and how it went."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import orjson

from connectors.base import Clock, PlatformError
from sync.model import ExitCode, SegmentdError
from sync.store.store import Store


class Record:
    """One run being recorded; say `end` once it is known how it went."""

    def __init__(self) -> None:
        self.code = ExitCode.OK
        self.summary: Mapping[str, Any] = {}

    def end(self, code: ExitCode, summary: Mapping[str, Any]) -> None:
        self.code, self.summary = code, summary


@contextmanager
def recorded(store: Store, clock: Clock, command: str) -> Iterator[Record]:
    """A run from here to the end of the block; what stops it is recorded too."""
    record, row = Record(), None
    try:
        with store.transaction() as db:
            row = db.execute("insert into runs (command, started) values (?, ?)", (command, clock.now())).lastrowid
        yield record
    except SegmentdError as error:
        record.end(error.code, {"error": type(error).__name__})
        raise
    except PlatformError as error:
        record.end(ExitCode.FAILED, {"error": type(error).__name__})
        raise
    except KeyboardInterrupt:
        record.end(ExitCode.STOPPED, {"error": "stopped by hand"})
        raise
    except BaseException as error:
        record.end(ExitCode.BUG, {"error": type(error).__name__})
        raise
    finally:
        if row is not None:                         # Ctrl-C may come as soon as it is noted
            _ended(store, row, clock, record)


def _ended(store: Store, row: int, clock: Clock, record: Record) -> None:
    with store.transaction() as db:
        db.execute(
            "update runs set ended = ?, exit = ?, summary = ? where id = ?",
            (clock.now(), record.code, orjson.dumps(record.summary).decode(), row),
        )
