"""Other ways to end than SIGKILL: told to stop, the platforms gone, no room, two at once, readers beside a writer."""

from __future__ import annotations

import random
import re
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.town import Life, Place, place

DEADLINE = 10.0                                     # seconds from SIGTERM to the end, on a busy machine


@pytest.fixture(scope="module")
def ground() -> Iterator[Place]:
    with place() as made:
        yield made


@pytest.fixture
def life(ground: Place, tmp_path: Path) -> Life:
    """A life whose targets were filled once."""
    made = Life(ground, tmp_path / "life", 7)
    made.finish("plan")
    made.finish("apply")
    made.end()
    made.live()
    return made


def by_itself(life: Life) -> None:
    """Let the daemon send without a person."""
    text = life.path.read_text()
    life.path.write_text(text.replace("guards:", "schedule:\n  pull: {changes: 10m}\n  apply: {data: auto}\nguards:", 1))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_daemon_told_to_stop_ends_well_and_the_next_run_goes_on(life: Life, seed: int) -> None:
    by_itself(life)
    child = life.child("run")
    time.sleep(random.Random(seed).uniform(0.9, 1.6))       # real seconds: some moment after its handlers stand
    asked = time.monotonic()
    child.send_signal(signal.SIGTERM)
    _, said = child.communicate(timeout=60)
    took = time.monotonic() - asked
    life.note_writes()
    assert child.returncode == 0 or (child.returncode == -signal.SIGTERM and not said), said
    assert took < DEADLINE
    life.end()


@pytest.mark.parametrize("calls", [1, 12, 24])
def test_platforms_that_die_in_the_middle_of_a_sync_cost_nobody_a_membership(life: Life, calls: int) -> None:
    """Connections are reset, then refused, after so many calls; when they are back, the next sync makes it good."""
    life.place.writes(f"vanish {calls}")
    child = life.child("sync", "--complete")
    said, complained = child.communicate(timeout=60)
    life.place.writes("return")
    assert child.returncode in (1, 75), (child.returncode, said[-500:], complained[-500:])
    assert [gone for write in life.note_writes() for gone in write["removed"]] == []
    life.end()


@pytest.mark.parametrize("room", [0.05, 0.3, 1.2])
def test_a_file_that_may_not_grow_leaves_nothing_half_done(ground: Place, tmp_path: Path, room: float) -> None:
    """RLIMIT_FSIZE is a full disk that needs no disk; *room* is in MB."""
    life = Life(ground, tmp_path / "life", 9)
    limit = round(room * 1_000_000)
    child = life.child("plan", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    said, complained = child.communicate(timeout=60)
    assert child.returncode in (1, 75), (child.returncode, said[-300:], complained[-300:])
    assert "nothing was half done" in complained or "disk" in complained
    life.finish("plan")
    life.finish("apply")
    life.end()


def test_of_two_commands_the_second_says_who_holds_the_store(life: Life) -> None:
    from sync.store.store import Store

    with Store.writer(life.store):
        child = life.child("sync")
        _, said = child.communicate(timeout=60)
    assert child.returncode == 75
    assert re.search(r"store\.db is open for writing in another segmentd", said)


def test_readers_read_while_a_sync_writes(life: Life) -> None:
    email = next(r["email"] for r in life.controls.rows("klaviyo", "profiles").to_pylist())
    child = life.child("sync", "--complete")
    answers = 0
    while child.poll() is None:
        for argv in (["status"], ["explain", email, "lapsed"], ["runs"]):
            code, said = life.here(*argv)
            assert code == 0, said
            answers += 1
    child.communicate()
    assert child.returncode == 0
    assert answers > 3
    life.note_writes()
    life.end()
