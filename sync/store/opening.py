"""Opening the store: one writer, schema, damage, age.

Exactly one process writes and checkpoints (a lock file says who); everybody else reads with `mode=ro`. Nothing in the
project may open the database file by other means, not even to look: closing such a handle drops SQLite's locks.
Source: sqlite.org "How To Corrupt An SQLite Database File", section 2.2.

Beside the file stands `<store>.generation`: it must never be ahead of the generation inside, or the database is older than
what we once had (restored, or without its -wal). After whatever moved frames out of the -wal a new generation is begun, in
the -wal: so losing that file always shows. SQLite's own automatic checkpoints are off for that reason.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import resources
from pathlib import Path

from sync.model import StoreBusy, StoreError, StoreFull

LOW_WATER = 64 * 1024 * 1024                        # stop taking data in when less is free
BUSY_SECONDS = 10.0
LAST_WAIT = 1000                                    # milliseconds that closing waits for readers of the -wal
PAGE = 16_384                                       # bytes; with SQLite's usual 4096 orders and ticks cost more (`benchmarks`)
NOT_UTF8 = "a text in it is not UTF-8"              # damage: only UTF-8 is ever written
OURS = 1936158052                                   # pragma application_id: "sgmd"


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
        with _naming_refusal(store):
            self._file = os.open(store.with_name(store.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(self._file)
                raise StoreBusy(
                    f"{store} is open for writing in another segmentd; wait for it, or stop it (systemctl stop segmentd)"
                ) from None
            except OSError:
                os.close(self._file)
                raise

    def release(self) -> None:
        os.close(self._file)


def folder(path: Path) -> None:
    """Make the folder that holds the store *path*. Raises StoreError."""
    with _naming_refusal(path):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)


def connect(path: Path) -> sqlite3.Connection:
    """The writing connection: migrated, checked, of the generation it should be. Raises StoreError."""
    folder(path)
    new = not path.exists()
    if not new:
        _refuse_emptied(path)
    with naming_trouble(path):
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=BUSY_SECONDS)
        try:
            if new:
                path.chmod(0o600)
            _refuse_foreign(db, path)
            db.execute(f"pragma page_size = {PAGE}")    # of a new file; an older one keeps what it has
            db.execute("pragma journal_mode = wal")
            # Autocheckpoints: see the module's docstring. A size limit of 0 cuts the -wal to what is in it when it starts anew.
            # A cache of 32 MiB holds all that a page of people touches; SQLite's usual 2 do not, for a quarter more CPU.
            for setting in ("synchronous = full", "foreign_keys = on", "wal_autocheckpoint = 0", "journal_size_limit = 0",
                            "temp_store = memory", "cache_size = -32768"):
                db.execute(f"pragma {setting}")
            if not new:
                _check(db, path)
            migrate(db)
            _check_generation(db, path)
        except BaseException:
            db.close()
            raise
    return db


def read_only(path: Path) -> sqlite3.Connection:
    """A reader for any process: sees the last commit, never checkpoints, never unlinks. StoreError when there is no store, or
    one that is not what it should be."""
    if path.exists():
        _refuse_emptied(path)
    if not path.exists() or path.stat().st_size == 0:
        raise StoreError(f"there is no store at {path} yet; `segmentd plan` makes it")
    with naming_trouble(path):
        beside = _beside_says(path)                 # read first: it is written last
        uri = f"{path.resolve().as_uri()}?mode=ro"
        db = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=BUSY_SECONDS)
        try:
            _refuse_foreign(db, path)
            if _version(db) < migrations()[-1][0]:
                raise StoreError(f"{path} was made by an older segmentd; `segmentd plan` brings it up to date")
            _refuse_older(path, beside, *_inside(db))
        except BaseException:
            db.close()
            raise
    return db


@contextmanager
def naming_trouble(path: Path) -> Iterator[None]:
    """What SQLite says against the store *path* becomes a StoreError that says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        named = _trouble(path, error)
        if named is None:
            raise
        raise named from error
    except UnicodeDecodeError as error:             # SQLite's own words quote a schema that is damaged, and Python cannot read them
        raise damaged(path, NOT_UTF8) from error


def _trouble(path: Path, error: sqlite3.Error) -> StoreError | None:
    """What *error* means for whoever runs it; None when it is a bug of ours."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if undecodable(error):
        return damaged(path, NOT_UTF8)
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return damaged(path, str(error))
    if code == sqlite3.SQLITE_FULL:
        return StoreFull("the disk is full; nothing was half done. Make room and run the command again")
    if code == sqlite3.SQLITE_IOERR:
        return StoreError("the disk failed while using the store; nothing was half done. Look at the disk before going on")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreBusy(f"{path} is held by another program; wait for it, or stop it")
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return StoreError(f"the store {path} cannot be opened ({error}); look at the owner and mode of the file and its folder")
    return None


def undecodable(error: sqlite3.Error) -> bool:
    """Whether *error* is that a text is not UTF-8. Python says so without a code of SQLite's, and quotes the text, which may be an
    address: never to be shown. Source: CPython, Modules/_sqlite/cursor.c."""
    return isinstance(error, sqlite3.OperationalError) and str(error).startswith("Could not decode to UTF-8")


@contextmanager
def _naming_refusal(path: Path) -> Iterator[None]:
    """What the file system says against the files beside the store *path* becomes a StoreError."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreFull("the disk is full; nothing was half done. Make room and run the command again") from error
        raise StoreError(f"the store {path} cannot be used: {error.strerror or error}") from error


def migrate(db: sqlite3.Connection) -> None:
    """Bring the schema to the newest version, each step in one transaction: killed anywhere, it is old or new."""
    version = _version(db)
    for number, statements in migrations():
        if number > version:
            with writing(db):
                for statement in _statements(statements):
                    db.execute(statement)
                db.execute(f"pragma user_version = {number}")


@contextmanager
def writing(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """One transaction: all of it or nothing."""
    db.execute("begin immediate")
    try:
        yield db
        db.execute("commit")
    except BaseException:
        with suppress(sqlite3.Error):               # a full disk has rolled back by itself already
            db.execute("rollback")
        raise


def new_generation(db: sqlite3.Connection, path: Path) -> None:
    """Count up inside, then beside: whoever later finds less inside has lost a -wal or put back an old file."""
    with writing(db):
        db.execute("update meta set value = cast(value as integer) + 1 where key = 'generation'")
    generation, store = _inside(db)
    with _naming_refusal(path):
        _write_beside(path, f"{store} {generation}\n")


def _write_beside(path: Path, text: str) -> None:
    """Replace the file beside the store *path*; on disk when this returns."""
    beside = _beside(path)
    fresh = beside.with_name(beside.name + ".new")
    with fresh.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(beside)
    parent = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)


def relieve(db: sqlite3.Connection, path: Path) -> None:
    """Move what no reader needs any more out of the -wal, without waiting for anybody; then a new generation."""
    db.execute("pragma wal_checkpoint(passive)").fetchone()
    new_generation(db, path)


def checkpoint(db: sqlite3.Connection, path: Path) -> None:
    """Empty the -wal into the file, waiting a moment for readers; then a new generation."""
    db.execute(f"pragma busy_timeout = {LAST_WAIT}")
    db.execute("pragma wal_checkpoint(truncate)").fetchone()
    new_generation(db, path)


def wal_size(path: Path) -> int:
    """Bytes of the -wal; asked of the folder, the file itself is not touched."""
    try:
        return path.with_name(path.name + "-wal").stat().st_size
    except FileNotFoundError:
        return 0


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


def _version(db: sqlite3.Connection) -> int:
    (version,) = db.execute("pragma user_version").fetchone()
    return int(version)


def _refuse_foreign(db: sqlite3.Connection, path: Path) -> None:
    """Before any write: a database of another program, or of a newer segmentd."""
    empty = db.execute("select 1 from sqlite_master limit 1").fetchone() is None
    if not empty and db.execute("pragma application_id").fetchone() != (OURS,):
        raise StoreError(f"{path} is a database of another program; name another file in settings.store")
    version, newest = _version(db), migrations()[-1][0]
    if version > newest:
        raise StoreError(f"{path} was written by a newer segmentd (schema {version}, this one knows {newest}); upgrade segmentd")


def _refuse_emptied(path: Path) -> None:
    """A file with nothing in it where a store was: SQLite would take it for a new one."""
    if path.stat().st_size == 0 and _beside(path).exists():
        raise damaged(path, "it is empty")


def _check(db: sqlite3.Connection, path: Path) -> None:
    (found,) = db.execute("pragma quick_check(1)").fetchone()
    if found != "ok":
        raise damaged(path, "quick_check found an error")


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".generation")


def _inside(db: sqlite3.Connection) -> tuple[int, str]:
    meta = dict(db.execute("select key, value from meta"))
    return int(meta.get("generation", 0)), meta.get("store", "")


def _beside_says(path: Path) -> tuple[str, int] | None:
    """Id and generation of the store as the file beside it has them; None when there is no such file, or nothing in it."""
    with _naming_refusal(path):
        try:
            store, _, number = _beside(path).read_text().strip().partition(" ")
        except (FileNotFoundError, UnicodeDecodeError):
            return None
    return (store, int(number)) if number.isascii() and number.isdigit() else None


def _refuse_older(path: Path, beside: tuple[str, int] | None, generation: int, store: str) -> None:
    if beside is not None and beside[0] == store and beside[1] > generation:
        raise StoreError(
            f"the store {path} is older than it was (generation {generation}, {_beside(path).name} says {beside[1]}): a copy was "
            f"put back, or its -wal file is missing. If that is meant, delete {_beside(path)}; every target is then looked at "
            "again before any write"
        )


def _check_generation(db: sqlite3.Connection, path: Path) -> None:
    """Refuse a store that is older than it was. One that moved in (nothing beside it, or of another store) trusts no view that
    it remembers, takes what was on its way as perhaps arrived, and the next evaluation as a baseline."""
    if not db.execute("select 1 from meta where key = 'generation'").fetchone():
        with writing(db):
            db.execute("insert into meta values ('generation', '0'), ('store', ?)", (uuid.uuid4().hex,))
    beside = _beside_says(path)
    generation, store = _inside(db)
    _refuse_older(path, beside, generation, store)
    if beside is None or beside[0] != store:
        with writing(db):
            db.execute("update targets set complete = 0")
            db.execute("update outbox set maybe = 1 where state != 'dead'")
            db.execute("update segments set settled = 0")
    new_generation(db, path)
