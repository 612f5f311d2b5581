"""The store as the rest sees it: one writer behind a lock, transactions, and the numbers of connections."""

from __future__ import annotations

import hashlib
import sqlite3
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sync.crash import crash_point
from sync.model import StoreError
from sync.store import archive, opening


def digest_of(*parts: str | bytes) -> str:
    """sha256 over *parts*, each with its length, as hex."""
    state = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, "big") + data)
    return state.hexdigest()


def hash_of(*parts: str) -> int:
    """63 bits over *parts*, the third column of an event's key."""
    data = "\0".join(parts).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big") >> 1


def hashes_of(prefix: str, names: Sequence[str]) -> list[int]:
    """`hash_of(prefix, name)` of each of *names*, which are harmless (`border`); far cheaper than one by one."""
    begun = hashlib.blake2b(f"{prefix}\0".encode(), digest_size=8)
    found = []
    for name in names:
        state = begun.copy()
        state.update(name.encode())
        found.append(state.digest())
    return [number >> 1 for number in struct.unpack(f">{len(found)}Q", b"".join(found))]


def _checked(db: sqlite3.Connection) -> sqlite3.Connection:
    """*db*, whose sealed files are all there; closed where they are not. Raises StoreError."""
    try:
        archive.check(db)
    except BaseException:
        db.close()
        raise
    return db


WAL_STEP = 16 * 1024 * 1024                         # the -wal may grow by so much before it is moved into the file


class Store:
    """An open store. `transaction()` is the only way to write; many threads may ask for it, one at a time has it.

    Everything raises StoreError (StoreFull, StoreBusy) when the file or its disk is not what it should be.
    """

    def __init__(self, path: Path, db: sqlite3.Connection, lock: opening.WriterLock | None) -> None:
        self.path, self.db, self._writer = path, db, lock
        self._turn = threading.RLock()
        self._wal, self._relieve_at = 0, WAL_STEP

    @classmethod
    def writer(cls, path: Path) -> Store:
        """The one writer on this machine. Raises StoreBusy when there is one, StoreError when the file must not be used."""
        path = path.resolve()                       # a link to the store has the same lock
        opening.folder(path)
        lock = opening.WriterLock(path)
        try:
            return cls(path, _checked(opening.connect(path)), lock)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def reader(cls, path: Path) -> Store:
        """A reader, also while a writer works. Raises StoreError when there is no store."""
        path = path.resolve()
        return cls(path, opening.read_only(path), None)

    def close(self) -> None:
        """A writer moves its -wal into the file first. Where that fails nothing is lost: the next opening reads the -wal."""
        with self._turn:
            try:
                if self._writer:
                    crash_point("close.before_checkpoint")
                    with suppress(StoreError), opening.naming_trouble(self.path):
                        opening.checkpoint(self.db, self.path)
                self.db.close()
            finally:
                if self._writer:
                    self._writer.release()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of it is committed and on disk, or none of it."""
        if self._writer is None:
            raise StoreError("this store was opened for reading")
        with self._turn, opening.naming_trouble(self.path):
            with opening.writing(self.db) as db:
                yield db
            self._bound_wal()

    def _bound_wal(self) -> None:
        """Beside a reader that stays, the -wal cannot start anew: then every further step tries again, not every commit."""
        size = opening.wal_size(self.path)
        if size < self._wal:
            self._relieve_at = size + WAL_STEP
        self._wal = size
        if size >= self._relieve_at:
            opening.relieve(self.db, self.path)
            self._wal = opening.wal_size(self.path)
            self._relieve_at = self._wal + WAL_STEP

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Everything that is read inside is of one moment: the last commit, or the transaction that is under way."""
        with self._turn, opening.naming_trouble(self.path):
            if self.db.in_transaction:
                yield self.db
                return
            self.db.execute("begin")
            try:
                yield self.db
            finally:
                self.db.execute("rollback")

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """All rows of a query, as of the last commit."""
        with self._turn, opening.naming_trouble(self.path):
            return self.db.execute(sql, values).fetchall()

    def one(self, sql: str, *values: Any) -> tuple[Any, ...] | None:
        """The first row, or None."""
        with self._turn, opening.naming_trouble(self.path):
            row: tuple[Any, ...] | None = self.db.execute(sql, values).fetchone()
            return row

    def room(self) -> None:
        """StoreFull when the disk is nearly full."""
        opening.room(self.path)

    # --- connections

    def connection(self, name: str, kind: str) -> int:
        """The number of a connection, given when it is first named."""
        with self.transaction() as db:
            db.execute("insert into connections (name, kind) values (?, ?) on conflict do nothing", (name, kind))
        found = self.one("select id from connections where name = ?", name)
        return int(found[0]) if found else -1

    def account(self, name: str) -> tuple[str, str] | None:
        """Id and name of the account that this connection first met, or None."""
        found = self.one("select account, account_name from connections where name = ? and account is not null", name)
        return (found[0], found[1]) if found else None

    def met(self, name: str, account: str, title: str) -> None:
        """Remember the account of first contact, for ever."""
        with self.transaction() as db:
            db.execute(
                "update connections set account = ?, account_name = ? where name = ? and account is null", (account, title, name),
            )
