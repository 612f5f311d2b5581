"""How far each stream of each connection has been pulled."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from connectors.base import Cursor, Millis, Page, Stream
from sync.store.store import Store

Database: TypeAlias = sqlite3.Connection


@dataclass(frozen=True, slots=True)
class StreamState:
    """*first*, *finished*: when a pull first and last reached its end; None: never yet. *error*: why the last one did not. *reached*: since
    when all is in while it is read further back (`further`), else None."""

    connection: str
    stream: str
    watermark: Millis | None
    started: Millis | None
    first: Millis | None
    finished: Millis | None
    rows: int
    error: str | None
    reached: Millis | None = None


def begin(db: Database, connection: int, stream: Stream, now: Millis) -> Cursor | None:
    """The cursor to go on from. A pull that was cut off is resumed; a sweep that ended starts anew, with the next number."""
    db.execute("insert or ignore into streams (connection, stream) values (?, ?)", (connection, stream.name))
    cursor, started, finished = db.execute(
        "select cursor, started, finished from streams where connection = ? and stream = ?", (connection, stream.name),
    ).fetchone()
    under_way = started is not None and (finished is None or finished < started) and cursor is not None
    if not under_way:
        db.execute(
            "update streams set started = max(?, coalesce(finished, 0) + 1), rows = 0, sweep = ?, swept = 0, "
            "cursor = case when ? then null else cursor end where connection = ? and stream = ?",
            (now, sweep_of(db, connection) + 1 if stream.sweep else 0, stream.sweep, connection, stream.name),
        )
        cursor = None if stream.sweep else cursor
    return Cursor(cursor) if cursor is not None else None


def sweep_of(db: Database, connection: int) -> int:
    """Number of the connection's newest sweep: whoever is written now has been seen by it, and by those before."""
    (number,) = db.execute("select coalesce(max(sweep), 0) from streams where connection = ?", (connection,)).fetchone()
    return int(number)


def advance(db: Database, connection: int, stream: Stream, page: Page, now: Millis) -> None:
    """Keep the cursor that follows *page*; after the last one the pull has finished."""
    db.execute(
        "update streams set cursor = ?, watermark = max(coalesce(watermark, 0), coalesce(?, watermark, 0)), rows = rows + ?, "
        "swept = swept + ?, error = case when ? then null else error end, "
        "first = case when ? and (first is null or reached is not null) then ? else first end, "
        "reached = case when ? then null else reached end, "
        "finished = case when ? then max(?, started) else finished end where connection = ? and stream = ?",
        (page.cursor, page.watermark, page.rows, len(page.profiles) + len(page.parts), page.last, page.last, now, page.last,
         page.last, now, connection, stream.name),
    )


_ANEW = "cursor = null, watermark = null, started = null, error = null, rows = 0"


def anew(db: Database, connection: int, names: Iterable[str]) -> None:
    """As if the streams called *names* had never been pulled."""
    db.executemany(
        f"update streams set {_ANEW}, first = null, finished = null, reached = null "  # noqa: S608 - our own words
        "where connection = ? and stream = ?", [(connection, name) for name in names],
    )


def further(db: Database, connection: int, names: Iterable[str], history: Millis) -> None:
    """The next pull of the streams called *names* starts from nothing and reaches further back than *history*, which the one that was
    the first reached: it had begun before it ended, so all since its end less *history* is in."""
    db.executemany(
        f"update streams set {_ANEW}, reached = max(coalesce(reached, 0), first - ?) "  # noqa: S608 - our own words
        "where connection = ? and stream = ?", [(history, connection, name) for name in names],
    )


def restart(db: Database, connection: int, stream: str) -> None:
    """The next pull starts from nothing: the cursor is no good."""
    db.execute("update streams set cursor = null, started = null where connection = ? and stream = ?", (connection, stream))


def failed(db: Database, connection: int, stream: str, why: str) -> None:
    db.execute("update streams set error = ? where connection = ? and stream = ?", (why, connection, stream))


def seen(db: Database, connection: int, stream: str) -> tuple[int, int]:
    """Number of the stream's running sweep, and the profiles or parts it saw."""
    sweep, swept = db.execute(
        "select sweep, swept from streams where connection = ? and stream = ?", (connection, stream),
    ).fetchone()
    return int(sweep), int(swept)


def states(store: Store) -> list[StreamState]:
    """All streams ever begun, by connection and name."""
    return [StreamState(*row) for row in store.rows(
        "select c.name, s.stream, nullif(s.watermark, 0), s.started, s.first, s.finished, s.rows, s.error, s.reached "
        "from streams s join connections c on c.id = s.connection order by c.id, s.stream",
    )]
