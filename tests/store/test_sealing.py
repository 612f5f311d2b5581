"""Sealed events are the same events: nothing is lost, doubled or changed, whatever happens between."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path as Path_
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import DAY, HOUR, Event, EventName
from sync.crash import POINTS
from sync.evaluate.from_store import StoreSnapshot
from sync.insight.person import native_events
from sync.language.values import Path
from sync.model import StoreError, StoreFull
from sync.store import archive, history, terms, writing
from sync.store.border import EARLIEST
from sync.store.columns import TEXTS
from sync.store.periods import LONG_AGO, month_of
from sync.store.sealing import Sealed, seal
from sync.store.store import Store
from tests.store.ground import NOW, SHOP, connected, event, everything, facts_of, new_store, profile, settle, tell, write

SAME = {"same": {"order_placed": "order_id"}, "names": {**SHOP, "Viewed": EventName("page_viewed")}}
PATHS: tuple[Path, ...] = (("value",), ("order_id",), ("plan",), ("item", "sku"), ("value", "x"), ("odd\"",), ("none",))
WANTED: tuple[Path, ...] = (("plan",), ("item", "sku"), ("value", "x"), ("odd\"",))


def sealed(store: Store, now: int = NOW, wanted: tuple[Path, ...] = (), **keep: int) -> Sealed:
    return seal(store, lambda name: wanted, keep, now)


# --- random histories -------------------------------------------------------------------------------------------------


def step(rng: Random) -> Any:
    """One page of one connection: events new and told again, records that change, people who turn out to be one."""
    what = rng.random()
    if what < 0.12:
        number = rng.randint(0, 5)
        absorbed = [f"p{rng.randint(0, 5)}"] if rng.random() < 0.4 else []
        return ("people", 1, [profile(f"p{number}", f"a{rng.randint(0, 7)}@example.com", absorbed=absorbed)])
    return ("events", rng.choice([1, 2, 3]), [told(rng) for _ in range(rng.randint(1, 12))])


def told(rng: Random) -> Event:
    number = rng.randint(0, 40)
    chance = Random(number)                         # a plain event is told alike each time
    at = NOW - chance.randint(0, 130) * DAY // 2 + chance.choice([0, 0, 0, 1])
    properties: dict[str, Any] = {"OrderId": chance.choice([1, 2, "3", None]), "plan": chance.choice(["a", "ö", None, 1.50, True])}
    properties |= {"$value": chance.choice([1, 2.5, {"x": 1}, "9"]), "item": {"sku": chance.choice([[1], "s"])}, 'odd"': {"b": 1, "a": 2}}
    known = chance.random() < 0.7
    who: dict[str, Any] = {"profile": f"p{chance.randint(0, 7)}"} if known else {"email": f"a{chance.randint(0, 5)}@example.com"}
    native = chance.choice(["Placed Order", "Viewed", "Other"])
    made = event(f"e{number}", native, at, properties=properties, **who)
    if chance.random() < 0.4:
        made = made._replace(mutable=True, at=at + rng.choice([0, 0, DAY]), removed=rng.random() < 0.2)
    elif rng.random() < 0.05:
        made = made._replace(mutable=True, removed=True)
    return made


def take(store: Store, page: Any) -> None:
    what, connection, rows = page
    if what == "people":
        write(store, connection, *rows, **SAME)
        settle(store, connection)
    else:
        tell(store, connection, *rows, **SAME)


def seen(store: Store) -> Any:
    """What everybody who reads events sees."""
    snapshot = StoreSnapshot(store, {}, {})
    types = snapshot.event_types()
    tables = {name: snapshot.events([name], PATHS) for name in types}
    for table in tables.values():
        assert table.column("at").to_pylist() == sorted(table.column("at").to_pylist())
    return {
        "types": types, "events": {name: sorted(table.to_pylist(), key=repr) for name, table in tables.items()},
        "everything": everything(store), "totals": native_events(store),
        "people": [history.of_contact(store, who, TEXTS) for (who,) in store.rows("select id from contacts where merged_into is null")],
    }


@settings(max_examples=15, deadline=None, derandomize=True, database=None)
@given(seed=st.integers(0, 10**9))
def test_a_store_that_seals_at_any_time_says_what_one_that_never_seals_says(seed: int) -> None:
    rng = Random(seed)
    with new_store() as plain, new_store() as sealing:
        for number in range(6):
            for store in (plain, sealing):
                write(store, 1, profile(f"p{number}", f"a{number}@example.com"))
        now = NOW - 40 * DAY
        for _ in range(rng.randint(3, 25)):
            page = step(rng)
            take(plain, page)
            take(sealing, page)
            if rng.random() < 0.4:
                now += rng.randint(0, 40) * DAY // 4
                sealed(sealing, now, WANTED if rng.random() < 0.5 else ())
                if rng.random() < 0.5:
                    assert seen(sealing) == seen(plain)
        assert seen(sealing) == seen(plain)


# --- what stands where ------------------------------------------------------------------------------------------------


TODAY = NOW // DAY * DAY
MONTH = month_of(NOW)                               # November 2023; NOW is the 14th


def viewed(store: Store, *times: int, start: int = 0, **more: Any) -> None:
    rows = [event(f"v{start + place}", "Viewed", at, **more) for place, at in enumerate(times)]
    tell(store, 1, *rows, **SAME)


def known_person(store: Store) -> None:
    write(store, 1, profile("p1"))


def rows(store: Store) -> list[int]:
    return [at for (at,) in store.rows("select at from events order by at")]


def names(store: Store) -> list[str]:
    return [file.name.partition(".")[0] for file in archive.files(store.db)]


def test_whole_days_before_the_last_three_are_sealed_and_nothing_later(store: Store) -> None:
    known_person(store)
    edge = TODAY - 3 * DAY
    viewed(store, edge - DAY, edge - 1, edge, edge + 1, NOW, NOW + DAY)
    assert sealed(store).events == 2
    assert rows(store) == [edge, edge + 1, NOW, NOW + DAY]
    assert [(f.start, f.until, f.rows) for f in archive.files(store.db)] == [(edge - DAY, edge, 2)]
    assert sealed(store, NOW + DAY - NOW % DAY - 1).events == 0, "the last moment of today"
    assert sealed(store, NOW + DAY - NOW % DAY).events == 2, "the first of tomorrow"


def test_days_become_a_month_when_it_is_three_days_over(store: Store) -> None:
    known_person(store)
    viewed(store, MONTH.start - 1, MONTH.start, TODAY - 5 * DAY, MONTH.until - 1, MONTH.until)
    sealed(store)
    assert names(store) == ["2023-10", "2023-11-01", "2023-11-09"]
    sealed(store, MONTH.until + 3 * DAY - 1)
    assert names(store) == ["2023-10", "2023-11-01", "2023-11-09"]
    sealed(store, MONTH.until + 3 * DAY)
    assert names(store) == ["2023-10", "2023-11"]
    assert [file.rows for file in archive.files(store.db)] == [1, 3]
    assert rows(store) == [MONTH.until]


def test_what_is_dated_before_the_year_2000_is_one_file(store: Store) -> None:
    known_person(store)
    viewed(store, EARLIEST, -1, 0, LONG_AGO - 1, LONG_AGO)
    sealed(store)
    assert [(n, f.rows) for n, f in zip(names(store), archive.files(store.db), strict=True)] == [("before-2000", 4), ("2000-01", 1)]
    assert sorted(at for _, at, _, _ in facts_of(store)) == [EARLIEST, -1, 0, LONG_AGO - 1, LONG_AGO]


def test_an_event_told_again_after_it_was_sealed_is_known(store: Store) -> None:
    known_person(store)
    many = [MONTH.start] * 500 + [MONTH.start + 1]
    viewed(store, *many)
    sealed(store)
    told = tell(store, 1, *(event(f"v{place}", "Viewed", at) for place, at in enumerate(many)), event("new", "Viewed", MONTH.start), **SAME)
    assert (told.new, told.repeated) == (1, 501)
    assert len(facts_of(store)) == 502


def test_little_that_is_late_waits_as_rows_until_it_is_worth_a_file(store: Store) -> None:
    known_person(store)
    viewed(store, *[MONTH.start] * 100)
    sealed(store)
    viewed(store, *[MONTH.start + 1] * 4, start=200)
    assert sealed(store).written == []
    viewed(store, MONTH.start - 1 + 2, start=300)
    assert len(sealed(store).written) == 1, "a twentieth"
    assert (rows(store), len(facts_of(store))) == ([], 105)


def test_a_property_that_a_segment_names_later_gets_a_column_at_the_next_sealing(store: Store) -> None:
    known_person(store)
    viewed(store, MONTH.start, properties={"plan": "gold", "x": 1})
    sealed(store)
    assert [sorted(part.columns) for part in archive.slices(store.db)] == [[]]
    before = seen(store)
    assert len(sealed(store, wanted=(("plan",), ("value",))).written) == 1
    assert [sorted(part.columns) for part in archive.slices(store.db)] == [["plan"]]
    assert sealed(store, wanted=(("plan",),)).written == []
    assert seen(store) == before


def test_after_a_change_of_names_nothing_is_sealed_any_more(store: Store) -> None:
    known_person(store)
    viewed(store, MONTH.start)
    sealed(store)
    terms.agree(store, {1: terms.Terms("one", 0, [])})
    terms.agree(store, {1: terms.Terms("other", 0, [])})
    assert (facts_of(store), archive.files(store.db)) == ([], [])


# --- retention --------------------------------------------------------------------------------------------------------


def test_what_is_no_longer_kept_goes_by_whole_months_and_is_not_taken_in_again(store: Store) -> None:
    known_person(store)
    old = [event("a", "Viewed", MONTH.start - 1), event("b", "Viewed", MONTH.start), event("c", "Other", MONTH.start - 1)]
    tell(store, 1, *old, **SAME)
    sealed(store)
    assert sealed(store, NOW, page_viewed=NOW - MONTH.start + 1).dropped == 0
    assert sealed(store, NOW, page_viewed=NOW - MONTH.start).dropped == 1
    left = [("mailchimp.Other", MONTH.start - 1), ("page_viewed", MONTH.start)]
    assert [row[:2] for row in facts_of(store)] == left
    assert sum(file.rows for file in archive.files(store.db)) == 2, "it is not in a file either"
    told = tell(store, 1, *old, **SAME)
    assert (told.new, told.repeated) == (0, 3)
    assert [row[:2] for row in facts_of(store)] == left
    sealed(store)
    assert tell(store, 1, *old, **SAME).new == 1, "kept for ever again"


def test_a_record_that_is_no_longer_kept_comes_back_by_no_way(store: Store) -> None:
    write(store, 1, profile("p1", "one@example.com"))
    write(store, 2, profile("p1", "one@example.com"))
    first = event("o1", "Placed Order", MONTH.start - 1, properties={"OrderId": 1}, mutable=True)
    other = first._replace(id="o2", at=MONTH.start + 1)
    tell(store, 1, first, **SAME)
    tell(store, 2, other, **SAME)
    tell(store, 1, first._replace(id="o3", properties={"OrderId": 2}), **SAME)
    assert sealed(store, NOW, order_placed=NOW - MONTH.start).dropped == 2
    for again in (first, first._replace(properties={"OrderId": 1, "x": 1}), first._replace(id="o3")):
        tell(store, 1, again, **SAME)
        assert facts_of(store) == []
    tell(store, 2, other._replace(properties={"OrderId": 3}), **SAME)
    assert [at for _, at, _, _ in facts_of(store)] == [MONTH.start + 1], "another order"
    tell(store, 2, other._replace(at=MONTH.start - 1, properties={"OrderId": 3}), **SAME)
    assert facts_of(store) == []


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def full(place: Path_) -> Path_:
    """The path of a closed store with one sealed file."""
    path = place / "store.db"
    with Store.writer(path) as store:
        known_person(connected(store))
        viewed(store, *range(MONTH.start, MONTH.start + 50))
        sealed(store)
    return path


def only_file(path: Path_) -> Path_:
    (file,) = (path.parent / "store.db.sealed").iterdir()
    return file


def test_a_missing_file_stops_the_start_by_name(full: Path_) -> None:
    only_file(full).unlink()
    with pytest.raises(StoreError, match=r"store\.db\.sealed/2023-11-01\.1\.parquet cannot be used \(it is missing\).*Put back a copy"):
        Store.writer(full)
    with Store.reader(full) as store, pytest.raises(StoreError, match="it is missing"):
        facts_of(store)


def test_a_file_that_was_cut_stops_the_start(full: Path_) -> None:
    os.truncate(only_file(full), 100)
    with pytest.raises(StoreError, match="not as long as it was"):
        Store.writer(full)


def test_no_flipped_byte_is_ever_read(full: Path_) -> None:
    whole = only_file(full).read_bytes()
    for spot in Random(5).sample(range(len(whole)), 20):
        broken = bytearray(whole)
        broken[spot] ^= 0x10
        only_file(full).write_bytes(bytes(broken))
        archive._footer.cache_clear()               # as another process would come to it
        with Store.writer(full) as store, pytest.raises(StoreError, match="content has changed since it was sealed"):
            facts_of(store)


def test_what_no_sealing_finished_is_deleted_at_the_next_start(full: Path_) -> None:
    folder = only_file(full).parent
    for name in ("2023-11-02.2.parquet", "2023-11-02.2.new"):
        (folder / name).write_bytes(b"half")
    with Store.writer(full) as store:
        assert len(facts_of(store)) == 50
    assert [path.name for path in folder.iterdir()] == ["2023-11-01.1.parquet"]


def test_a_replaced_file_stays_for_its_readers_and_is_deleted_an_hour_after_the_next_sealing(full: Path_) -> None:
    old = only_file(full)
    with Store.writer(full) as store, Store.reader(full) as reader:
        viewed(store, *[MONTH.start] * 50, start=100)
        with reader.reading() as db:
            assert len(archive.files(db)) == 1
            sealed(store, NOW)
            assert len(archive.files(db)) == 1
            assert len(facts_of(reader)) == 100, "of the moment that it began with"
        assert len(facts_of(reader)) == 100
        assert old.exists()
        sealed(store, NOW + HOUR - 1)
        assert old.exists()
        assert sealed(store, NOW + HOUR).deleted == 1
        assert not old.exists()
        assert len(facts_of(reader)) == 100


@pytest.mark.parametrize("point", [point for point in POINTS if point.startswith("seal.")])
@pytest.mark.parametrize("passing", [1, 2, 3])
def test_killed_at_any_step_of_sealing_every_event_is_there_once(place: Path_, point: str, passing: int) -> None:
    path = place / "store.db"
    with Store.writer(path) as store:
        known_person(connected(store))
        viewed(store, *(MONTH.start + place * DAY // 2 for place in range(20)), start=0, properties={"plan": "x"})
        sealed(store, MONTH.start + 8 * DAY)
        viewed(store, *(MONTH.start + place * DAY // 2 + 1 for place in range(20)), start=100)
        tell(store, 1, event("v1", "Viewed", MONTH.start + DAY // 2, mutable=True, removed=True), **SAME)
        before = seen(store)
        assert len(facts_of(store)) == 39
    done = subprocess.run(
        [sys.executable, "-c", _SEALS, str(path), str(MONTH.until + 9 * DAY if passing == 1 else NOW)], check=False,
        env={**os.environ, "SEGMENTD_CRASH": f"{point}:{passing}"},
    )
    assert done.returncode == -signal.SIGKILL
    with Store.writer(path) as store:
        assert seen(store) == before
        sealed(store, MONTH.until + 9 * DAY)
        assert (rows(store), seen(store)) == ([], before)
        there = {file.name for file in archive.folder(store.db).iterdir()}
        assert there == {name for (name,) in store.rows("select name from sealed union select name from outworn")}


_SEALS = """
import sys
from pathlib import Path
from sync.store.sealing import seal
from sync.store.store import Store
with Store.writer(Path(sys.argv[1])) as store:
    seal(store, lambda name: {("plan",)}, {}, int(sys.argv[2]))
"""


def test_without_room_nothing_is_half_done(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    known_person(store)
    viewed(store, MONTH.start)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    archive.folder(store.db).mkdir()
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, limits[1]))
    try:
        with pytest.raises(StoreFull, match="takes no file"), store.reading() as db:
            writing.write(db, month_of(MONTH.start), [], {1: "page_viewed"}, {1: {}})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(archive.folder(store.db).iterdir()) == []
    assert rows(store) == [MONTH.start]
