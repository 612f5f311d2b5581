"""Opening: one writer, readers beside it, every kind of damage named, nothing ever deleted."""

from __future__ import annotations

import os
import re
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sync.model import StoreBusy, StoreError, StoreFull
from sync.store import memberships, opening, segments
from sync.store.opening import PAGE
from sync.store.store import WAL_STEP, Store, digest_of, hash_of
from tests.store.dying import dies_at
from tests.store.ground import NOW, connected, event, facts_of, partition, profile, tell, write


@pytest.fixture
def path(place: Path) -> Path:
    return place / "store.db"


def filled(path: Path, people: int = 3) -> None:
    with Store.writer(path) as store:
        write(connected(store), 1, *(profile(f"p{n}", f"a{n}@example.com") for n in range(people)))


def dump(path: Path) -> list[Any]:
    """Schema and content of a database, less what differs by chance."""
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        lines = [line for line in db.iterdump() if "'store'," not in line and "'generation'," not in line]
        return [*lines, db.execute("pragma user_version").fetchone(), db.execute("pragma application_id").fetchone()]
    finally:
        db.close()


# --- versions ---------------------------------------------------------------------------------------------------------


def store_of(path: Path, version: int) -> sqlite3.Connection:
    """A store that a segmentd of that version made at *path*."""
    old = sqlite3.connect(path, isolation_level=None)
    old.execute("pragma journal_mode = wal")
    for number, statements in opening.migrations():
        if number <= version:
            old.executescript(statements)
            old.execute(f"pragma user_version = {number}")
    return old


@pytest.mark.parametrize("version", [number for number, _ in opening.migrations()])
def test_a_migrated_store_equals_a_fresh_one(path: Path, version: int) -> None:
    store_of(path, version).close()
    fresh = path.with_name("fresh.db")
    for each in (path, fresh):
        Store.writer(each).close()
    assert dump(path) == dump(fresh)


def test_an_event_from_before_its_types_were_noted_is_still_found_when_it_turns_out_to_be_a_record(path: Path) -> None:
    old = store_of(path, 11)
    old.execute("insert into connections (id, name, kind) values (1, 'mailchimp', 'mailchimp')")
    old.execute("insert into event_types (id, name) values (1, 'mailchimp.Viewed')")
    old.execute(
        "insert into events (type, at, hash, contact, properties) values (1, ?, ?, 0, '{}')", (NOW, hash_of("1", "e1")),
    )
    old.close()
    with Store.writer(path) as store:
        write(store, 1, profile("p1"))
        tell(store, 1, event("e1", "Viewed", NOW, mutable=True))
        assert len(facts_of(store)) == 1


def test_moves_from_before_they_had_digests_count_after_the_migration(path: Path) -> None:
    old = store_of(path, 12)
    old.execute("insert into segments (name, rule, evaluated, failure, settled) values ('vip', 'rule', 1, null, 1)")
    old.executemany("insert into moves values ('vip', ?, ?, ?, 1)", [(1, 7, NOW), (2, 2**31 - 2, NOW + 10**12), (3, 5, 2**40)])
    old.close()
    with Store.writer(path) as store:
        assert segments.standing(store)["vip"].members.tolist() == [5, 7, 2**31 - 2]


def test_migrations_are_numbered_without_a_gap() -> None:
    assert [number for number, _ in opening.migrations()] == list(range(1, len(opening.migrations()) + 1))


def test_a_migration_killed_at_any_statement_is_old_or_new(place: Path) -> None:
    statement, alive = 1, True
    while alive:
        path = place / f"killed-{statement}.db"

        def work(arm: Any, path: Path = path) -> None:
            db = sqlite3.connect(path, isolation_level=None)
            db.execute("pragma journal_mode = wal")
            db.execute("pragma synchronous = off")
            arm(db)
            opening.migrate(db)

        alive = dies_at(statement, work)
        db = sqlite3.connect(path)
        tables = db.execute("select count(*) from sqlite_master").fetchone()[0]
        version = db.execute("pragma user_version").fetchone()[0]
        db.close()
        assert (version == 0) == (tables == 0)
        assert alive == (version < len(opening.migrations()))
        if statement % 10 == 0 or not alive:
            filled(path)
        statement += 1
    assert statement > 30


def test_a_store_of_a_newer_program_is_refused_and_left_alone(path: Path) -> None:
    filled(path)
    with Store.writer(path) as store:
        store.db.execute("pragma user_version = 99")
    before = path.read_bytes()
    for opened in (Store.writer, Store.reader):
        with pytest.raises(StoreError, match=r"newer segmentd.*schema 99"):
            opened(path)
    assert path.read_bytes() == before


def test_a_reader_does_not_read_a_store_that_needs_a_migration(path: Path) -> None:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("pragma journal_mode = wal")
    db.close()
    with pytest.raises(StoreError, match="older segmentd"):
        Store.reader(path)


def test_a_database_of_another_program_is_refused_and_left_alone(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("create table theirs (x)")
    db.close()
    before = path.read_bytes()
    for opened in (Store.writer, Store.reader):
        with pytest.raises(StoreError, match="another program"):
            opened(path)
    assert path.read_bytes() == before


# --- one writer, many readers -----------------------------------------------------------------------------------------


def test_a_second_writer_is_told_who_is_in_the_way(path: Path) -> None:
    link = path.with_name("link.db")
    with Store.writer(path):
        link.symlink_to(path)
        for name in (path, link):
            with pytest.raises(StoreBusy, match="another segmentd"):
                Store.writer(name)
    Store.writer(link).close()


def test_a_failed_opening_lets_go_of_the_lock(path: Path) -> None:
    path.write_bytes(b"not a database at all" * 1000)
    for _ in range(2):
        with pytest.raises(StoreError, match="damaged"):
            Store.writer(path)


def test_there_is_nothing_to_read_before_there_is_a_store(path: Path) -> None:
    with pytest.raises(StoreError, match="no store at"):
        Store.reader(path)
    assert not list(path.parent.iterdir())


def test_a_reader_sees_the_last_commit_and_never_touches_the_wal(path: Path) -> None:
    filled(path, 1)
    wal = path.with_name("store.db-wal")
    with Store.writer(path) as store:
        write(store, 1, profile("more"))
        inode = wal.stat().st_ino
        with Store.reader(path) as reader, store.transaction() as db:
            db.execute("insert into contacts values (99, 'x', 0, null)")
            assert len(partition(reader)) == 2
            assert reader.rows("select max(id) from contacts") == [(1,)]
        assert wal.stat().st_ino == inode
        subprocess.run(
            [sys.executable, "-c", "import sys, pathlib; from sync.store.store import Store\n"
             "with Store.reader(pathlib.Path(sys.argv[1])) as s: assert s.one('select max(id) from contacts') == (99,)", str(path)],
            check=True, timeout=60,
        )
        assert wal.stat().st_ino == inode
        with pytest.raises(StoreError, match="for reading"), Store.reader(path) as reader, reader.transaction():
            pass
    with Store.reader(path) as reader:
        assert reader.rows("select max(id) from contacts") == [(99,)]


def test_a_killed_writer_leaves_everything_that_was_committed(path: Path) -> None:
    def work(arm: Any) -> None:
        store = Store.writer(path)
        write(connected(store), 1, profile("p1"))
        arm(store.db)
        write(store, 1, profile("p2"))

    assert dies_at(2, work)
    with Store.reader(path) as reader:
        assert reader.rows("select id from profiles") == [("p1",)]
    with Store.writer(path) as store:
        assert store.rows("select id from profiles") == [("p1",)]


def fail_after(store: Store, count: int) -> float:
    with store.transaction() as db:
        for number in range(count):
            db.execute("insert into contacts values (?, 'x', 0, null)", (number,))
        return count / 0


def test_a_transaction_that_fails_anywhere_leaves_nothing(path: Path) -> None:
    with Store.writer(path) as store:
        connected(store)
        for count in range(4):
            with pytest.raises(ZeroDivisionError):
                fail_after(store, count)
            assert store.rows("select count(*) from contacts") == [(0,)]
            assert not store.db.in_transaction


def test_settings_of_the_writing_connection_are_the_durable_ones(path: Path) -> None:
    with Store.writer(path) as store:
        asked = {name: store.rows(f"pragma {name}")[0][0] for name in ("journal_mode", "synchronous", "foreign_keys")}
    assert asked == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    assert path.stat().st_mode & 0o077 == 0


# --- damage -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "store.db"
    filled(path, 400)
    return path


def zero_a_page(data: bytearray, page: int) -> None:
    data[page * PAGE:(page + 1) * PAGE] = bytes(PAGE)


def flip(data: bytearray, place: int) -> None:
    data[place] ^= 0xFF


def cut(data: bytearray, size: int) -> None:
    del data[size:]


@pytest.mark.parametrize(("hurt", "how"), [
    (zero_a_page, 0), (zero_a_page, 2), (zero_a_page, 8), (flip, 0), (flip, 16), (flip, PAGE * 2), (flip, PAGE * 8),
    (cut, 0), (cut, 50), (cut, PAGE * 3), (cut, PAGE * 9 + 100),
])
def test_a_damaged_file_is_named_and_never_deleted(sound: Path, path: Path, hurt: Any, how: int) -> None:
    for each in sound.parent.glob("store.db*"):
        shutil.copy(each, path.with_name(each.name))
    data = bytearray(path.read_bytes())
    hurt(data, how)
    path.write_bytes(bytes(data))
    with pytest.raises(StoreError, match=r"damaged .*Put back a copy"):
        Store.writer(path)
    assert path.read_bytes() == bytes(data)


def test_a_schema_that_is_no_text_is_damage_for_whoever_reads_and_whoever_writes(sound: Path, path: Path) -> None:
    data = sound.read_bytes()
    hurt = re.sub(rb"(?i)create table contacts \(", b"create table c \xe9tacts (", data)
    assert (len(hurt), hurt == data) == (len(data), False)
    path.write_bytes(hurt)
    for opened in (Store.reader, Store.writer):
        with pytest.raises(StoreError, match=r"damaged .*not UTF-8"):
            opened(path)


def test_a_store_that_was_emptied_is_damaged_for_whoever_reads_and_whoever_writes(path: Path) -> None:
    filled(path)
    path.write_bytes(b"")
    for opened in (Store.reader, Store.writer):
        with pytest.raises(StoreError, match=r"damaged \(it is empty"):
            opened(path)
    assert path.read_bytes() == b""


def test_an_empty_file_that_never_was_a_store_is_one_to_be_made(path: Path) -> None:
    path.write_bytes(b"")
    with pytest.raises(StoreError, match=r"no store at .*`segmentd plan` makes it"):
        Store.reader(path)
    Store.writer(path).close()
    Store.reader(path).close()


def test_damage_met_while_working_is_named(sound: Path, path: Path) -> None:
    shutil.copy(sound, path)
    with Store.writer(path) as store:
        root = store.rows("select rootpage from sqlite_master where name = 'contacts'")[0][0]
    data = bytearray(path.read_bytes())
    zero_a_page(data, root - 1)
    path.write_bytes(bytes(data))
    with Store.reader(path) as reader:
        for ask in (reader.rows, reader.one):
            with pytest.raises(StoreError, match="damaged"):
                ask("select * from contacts")


def test_a_damaged_membership_is_noticed(path: Path) -> None:
    with Store.writer(path) as store:
        with store.transaction() as db:
            segments.write(db, "vip", "rule", np.array([1, 5, 7], np.int32), NOW)
            segments.fail(db, "vip", "overflow")
            segments.fail(db, "new", "overflow")
        found = segments.standing(store)
        assert found["vip"].members.tolist() == [1, 5, 7]
        assert (found["vip"].failure, found["new"].members.tolist()) == ("overflow", [])
        (good,) = store.rows("select members from wholes where segment = 'vip'")[0]
        for bad in (b"", good[:-1], b"\0" + good[1:], good[:-5] + bytes([good[-5] ^ 1]) + good[-4:]):
            with store.transaction() as db:
                db.execute("update wholes set members = ? where segment = 'vip'", (bad,))
            with pytest.raises(StoreError, match=r"membership of segment 'vip'.*damaged"):
                segments.standing(store)


# --- older than it was ------------------------------------------------------------------------------------------------


def lose_wal(path: Path, work: Any) -> None:
    """What *work* committed is in the -wal of a process that was killed; then somebody deletes it."""
    def child(arm: Any) -> None:
        store = Store.writer(path)
        work(store)
        arm(store.db)
        store.rows("select 1")

    assert dies_at(1, child)
    path.with_name("store.db-wal").unlink()


def some_people(store: Store) -> None:
    write(connected(store), 1, profile("late"))


def many_people(store: Store) -> None:
    """Enough to have been moved out of the -wal in between."""
    for page in range(40):
        write(store, 1, *(profile(f"{page}-{n}", None, {"x": "y" * 4000}) for n in range(150)))


@pytest.mark.parametrize("work", [some_people, many_people])
def test_a_missing_wal_is_noticed_with_the_way_out(path: Path, work: Any) -> None:
    filled(path)
    lose_wal(path, work)
    for opened in (Store.writer, Store.reader):
        with pytest.raises(StoreError, match=r"is older than it was.*If that is meant, delete .*store\.db\.generation"):
            opened(path)
    path.with_name("store.db.generation").unlink()
    with Store.writer(path) as store:
        assert ("late",) not in store.rows("select id from profiles")


@pytest.mark.parametrize("closed", [True, False])
def test_an_old_copy_put_back_is_noticed_and_once_accepted_no_view_is_trusted(path: Path, closed: bool) -> None:
    filled(path)
    with Store.writer(path) as store:
        memberships.target(store, "vip/mailchimp/tag", "tag", 1, "", "VIP")
        with store.transaction() as db:
            memberships.write_view(db, 1, [], NOW, NOW, 0)
            db.execute("insert into outbox (target, op, profile, contact, state, due, made) values (1, 'add', 'p1', 1, 'waiting', 0, 0)")
        if not closed:
            shutil.copy(path, path.with_name("copy.db"))
            shutil.copy(path.with_name("store.db-wal"), path.with_name("copy.db-wal"))
    if closed:
        shutil.copy(path, path.with_name("copy.db"))
    filled(path)
    for name in ("store.db-wal", "store.db-shm"):
        path.with_name(name).unlink(missing_ok=True)
    for name in ("", "-wal"):
        if path.with_name("copy.db" + name).exists():
            shutil.copy(path.with_name("copy.db" + name), path.with_name("store.db" + name))
    with pytest.raises(StoreError, match="is older than it was"):
        Store.writer(path)
    path.with_name("store.db.generation").unlink()
    with Store.writer(path) as store:
        assert [state.complete for state in memberships.states(store).values()] == [False]
        assert store.rows("select maybe from outbox") == [(1,)]


def test_another_store_in_its_place_trusts_no_view(path: Path) -> None:
    filled(path)
    other = path.with_name("other.db")
    with Store.writer(other) as store:
        memberships.target(connected(store), "vip/mailchimp/tag", "tag", 1, "", "VIP")
        with store.transaction() as db:
            memberships.write_view(db, 1, [], NOW, NOW, 0)
    for name in ("-wal", "-shm"):
        path.with_name(path.name + name).unlink(missing_ok=True)
    other.replace(path)
    with Store.writer(path) as store:
        assert [state.complete for state in memberships.states(store).values()] == [False]


def test_an_ordinary_restart_keeps_the_views(path: Path) -> None:
    for _ in range(3):
        with Store.writer(path) as store:
            memberships.target(connected(store), "vip/mailchimp/tag", "tag", 1, "", "VIP")
            with store.transaction() as db:
                memberships.write_view(db, 1, [], NOW, NOW, 0)
    with Store.writer(path) as store:
        assert [state.complete for state in memberships.states(store).values()] == [True]


# --- the size of the -wal ---------------------------------------------------------------------------------------------


def grow(store: Store, pages: int) -> Iterator[int]:
    for page in range(pages):
        write(store, 1, *(profile(f"p{n}", None, {"x": f"{page}" * 2000}) for n in range(300)))
        yield opening.wal_size(store.path)


def test_the_wal_stays_small_and_shrinks_again_when_a_reader_leaves(path: Path) -> None:
    with Store.writer(path) as store:
        connected(store)
        bound = WAL_STEP + 8 * 1024 * 1024
        assert max(grow(store, 30)) < bound
        with Store.reader(store.path) as reader:
            reader.db.execute("begin")
            reader.rows("select count(*) from profiles")
            assert max(grow(store, 30)) > bound, "beside an open read nothing can be taken away"
            assert reader.rows("select max(length(fields)) from profiles") == [(4008,)]
        sizes = list(grow(store, 30))
        assert sizes[-1] < bound
        assert min(sizes) < 4 * 1024 * 1024, "the file itself shrinks"


# --- disks ------------------------------------------------------------------------------------------------------------


ON_A_SMALL_DISK = """
import pathlib, sys
from sync.model import StoreError, StoreFull
from sync.store.store import Store
from tests.store.ground import connected, profile, write
path = pathlib.Path(sys.argv[1])
with Store.writer(path) as store:
    connected(store)
    try:
        store.room()
    except StoreFull as error:
        print("room", error)
    done = 0
    try:
        while done < 1000:
            write(store, 1, *(profile(f"{done}-{n}", None, {"x": "y" * 1000}) for n in range(20)))
            done += 1
    except StoreError as error:
        print("failed", type(error).__name__, error)
    assert done
    assert store.rows("select count(*) from profiles") == [(20 * done,)], "nothing half done"
    print("done", done)
"""


def run_small(*command: str, **more: Any) -> str:
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **more)
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.special
def test_a_full_disk_is_named_and_nothing_is_half_done(tmp_path: Path) -> None:
    shell = ["sh", "-c", 'mount -t tmpfs -o size=4m tmpfs "$1" && exec "$2" -c "$3" "$1/store.db" "$4"', "sh"]
    unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-Urm"]
    if subprocess.run([*unshare, *shell[:2], 'mount -t tmpfs -o size=4m tmpfs "$1"', "sh", str(tmp_path)], check=False,
                      capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a tmpfs")
    told = run_small(*unshare, *shell, str(tmp_path), sys.executable, ON_A_SMALL_DISK, str(tmp_path), cwd=Path.cwd())
    assert "room only" in told
    assert "failed StoreFull the disk is full; nothing was half done" in told


def test_a_file_that_may_not_grow_is_a_store_error_and_nothing_is_half_done(path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))

    told = run_small(sys.executable, "-c", ON_A_SMALL_DISK, str(path), preexec_fn=limit, cwd=Path.cwd())
    assert "failed StoreError the disk failed while using the store; nothing was half done" in told
    with Store.writer(path) as store:
        assert store.rows("select count(*) from profiles") == [(20 * int(told.split()[-1]),)]


def test_an_opening_that_fails_for_want_of_rights_or_room_does_not_speak_of_damage(path: Path) -> None:
    filled(path)
    path.rename(path.with_name("moved.db"))
    path.mkdir()
    with pytest.raises(StoreError, match="cannot be opened") as raised:
        Store.writer(path)
    assert "damaged" not in str(raised.value)


def test_low_water_is_a_full_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "LOW_WATER", 2**62)
    with Store.writer(path) as store, pytest.raises(StoreFull, match="MiB free beside"):
        store.room()


# --- digests ----------------------------------------------------------------------------------------------------------


def test_digests_keep_their_parts_apart() -> None:
    assert digest_of("ab", "c") != digest_of("a", "bc")
    assert digest_of("\ud800") != digest_of("")
    assert 0 <= hash_of("a", "b") < 2**63
    assert hash_of("a", "b") == hash_of("a", "b") != hash_of("b", "a")
