"""Opening the store: one writer, schema, damage, age.

Exactly one process writes and checkpoints (a lock file says who); everybody else reads with `mode=ro`. Nothing in the
project may open the database file by other means, not even to look: closing such a handle drops SQLite's locks.
Source: sqlite.org "How To Corrupt An SQLite Database File", section 2.2.

Beside the file stands `<store>.generation`: it must never be ahead of the generation inside, or the database is older than
what we once had (restored, or without its -wal).
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from sync.model import StoreBusy, StoreError, StoreFull

LOW_WATER = 64 * 1024 * 1024                        # stop taking data in when less is free
BUSY_SECONDS = 10.0


def migrations() -> list[tuple[int, str]]:
    """(version, statements), ascending."""
    found = []
    for entry in resources.files("sync.store").joinpath("migrations").iterdir():
        match = re.fullmatch(r"(\d{4})_\w+\.sql", entry.name)
        if match:
            found.append((int(match[1]), entry.read_text()))
    return sorted(found)


class WriterLock:
    """Who may write, for as long as the process lives; the lock file holds nothing but the lock."""

    def __init__(self, store: Path) -> None:
        self._file = os.open(store.with_name(store.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise StoreBusy(
                f"{store} is open for writing in another segmentd; wait for it, or stop it (systemctl stop segmentd)"
            ) from None

    def release(self) -> None:
        os.close(self._file)


def connect(path: Path) -> sqlite3.Connection:
    """The writing connection: migrated, checked, of the generation it should be. Raises StoreError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = not path.exists()
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=BUSY_SECONDS)
    try:
        if new:
            path.chmod(0o600)
        db.execute("pragma journal_mode = wal")
        for setting in ("synchronous = full", "foreign_keys = on", "journal_size_limit = 67108864", "temp_store = memory"):
            db.execute(f"pragma {setting}")
        _refuse_newer(db, path)
        if not new:
            _check(db, path)
        migrate(db)
        _check_generation(db, path)
    except sqlite3.DatabaseError as error:
        db.close()
        raise damaged(path, str(error)) from error
    except BaseException:
        db.close()
        raise
    return db


def read_only(path: Path) -> sqlite3.Connection:
    """A reader for any process: sees the last commit, never checkpoints, never unlinks. StoreError when there is no store."""
    if not path.exists():
        raise StoreError(f"there is no store at {path} yet; `segmentd plan` makes it")
    db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=BUSY_SECONDS)
    try:
        _refuse_newer(db, path)
    except sqlite3.DatabaseError as error:
        db.close()
        raise damaged(path, str(error)) from error
    return db


def migrate(db: sqlite3.Connection) -> None:
    """Bring the schema to the newest version, each step in one transaction: killed anywhere, it is old or new."""
    (version,) = db.execute("pragma user_version").fetchone()
    for number, statements in migrations():
        if number > version:
            with writing(db):
                for statement in _statements(statements):
                    db.execute(statement)
                db.execute(f"pragma user_version = {number}")


@contextmanager
def writing(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """One transaction: all of it or nothing. A full disk is StoreFull; other failures of the disk are StoreError."""
    db.execute("begin immediate")
    try:
        yield db
        db.execute("commit")
    except sqlite3.OperationalError as error:
        _rolled_back(db)
        raise _disk(error) from error
    except BaseException:
        _rolled_back(db)
        raise


def new_generation(db: sqlite3.Connection, path: Path) -> None:
    """Count up inside, then beside: whoever later finds less inside has lost a -wal or put back an old file."""
    with writing(db):
        db.execute("update meta set value = cast(value as integer) + 1 where key = 'generation'")
    generation, store = _inside(db)
    beside = _beside(path)
    fresh = beside.with_name(beside.name + ".new")
    with fresh.open("w") as file:
        file.write(f"{store} {generation}\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(beside)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def checkpoint(db: sqlite3.Connection, path: Path) -> None:
    """Move the -wal into the file and start a new generation, so that losing the next -wal shows."""
    db.execute("pragma wal_checkpoint(truncate)").fetchone()
    new_generation(db, path)


def room(path: Path) -> None:
    """StoreFull when the disk under *path* is nearly full: better to stop before a page than in the middle of a day."""
    free = shutil.disk_usage(path.parent).free
    if free < LOW_WATER:
        raise StoreFull(f"only {free // 1024 // 1024} MiB free beside {path}; nothing is pulled until there is room")


def damaged(path: Path, why: str) -> StoreError:
    return StoreError(
        f"the store {path} is damaged ({why}); nothing was changed. Put back a copy of it, or move it away and run "
        "`segmentd plan`: everything is pulled again, and memberships found on the platforms count as somebody else's"
    )


def _statements(script: str) -> Iterator[str]:
    text = ""
    for line in script.splitlines(keepends=True):
        text += line
        if sqlite3.complete_statement(text):
            yield text
            text = ""


def _refuse_newer(db: sqlite3.Connection, path: Path) -> None:
    (version,) = db.execute("pragma user_version").fetchone()
    newest = migrations()[-1][0]
    if version > newest:
        raise StoreError(f"{path} was written by a newer segmentd (schema {version}, this one knows {newest}); upgrade segmentd")


def _check(db: sqlite3.Connection, path: Path) -> None:
    (found,) = db.execute("pragma quick_check(1)").fetchone()
    if found != "ok":
        raise damaged(path, "quick_check found an error")


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".generation")


def _inside(db: sqlite3.Connection) -> tuple[int, str]:
    meta = dict(db.execute("select key, value from meta"))
    return int(meta["generation"]), meta["store"]


def _check_generation(db: sqlite3.Connection, path: Path) -> None:
    if not db.execute("select 1 from meta where key = 'generation'").fetchone():
        with writing(db):
            db.execute("insert into meta values ('generation', '0'), ('store', ?)", (uuid.uuid4().hex,))
    generation, store = _inside(db)
    beside = _beside(path)
    if beside.exists():
        known, _, number = beside.read_text().strip().partition(" ")
        if known == store and number.isdigit() and int(number) > generation:
            raise StoreError(
                f"the store {path} is older than it was (generation {generation}, {beside.name} says {number}): a copy was put "
                f"back, or its -wal file is missing. If that is meant, delete {beside}; every target is then looked at again "
                "before any write"
            )
        if known == store and number.isdigit():
            new_generation(db, path)
            return
    with writing(db):                               # a store that moved in: trust no view that it remembers
        db.execute("update targets set complete = 0")
        db.execute("update outbox set maybe = 1 where state != 'dead'")
    new_generation(db, path)


def _rolled_back(db: sqlite3.Connection) -> None:
    if db.in_transaction:                           # a full disk has rolled back by itself already
        db.execute("rollback")


def _disk(error: sqlite3.OperationalError) -> StoreError | sqlite3.OperationalError:
    code = (error.sqlite_errorcode or 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return StoreFull("the disk is full; nothing was half done. Make room and run the command again")
    if code == sqlite3.SQLITE_IOERR:
        return StoreError("the disk failed while writing the store; nothing was half done. Look at the disk before going on")
    return error
