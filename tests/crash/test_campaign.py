"""The long searches: a thousand kills, half at named points and half at any moment, in fair weather and foul; thread races; storms."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from sync.crash import POINTS
from tests.crash.town import ROOT, Life, place

pytestmark = pytest.mark.campaign
KILLS_EACH = 50


@pytest.mark.parametrize("seed", range(200, 220))
def test_fifty_kills_of_one_life_end_the_same(tmp_path: Path, seed: int) -> None:
    """Every second death comes at a random moment of the process's life, from the first line of Python on; every fourth day is
    stormy, and calm only comes for the check."""
    chance = random.Random(seed)
    with place() as ground:
        life = Life(ground, tmp_path / "life", seed)
        while life.kills < KILLS_EACH:
            if life.applied and chance.random() < 0.1:
                life.begin()                        # a new world, a new store: first contact dies, too
            argv = ["plan"] if not life.planned else ["apply"] if not life.applied else ["sync", "--complete"]
            if life.applied:
                life.live()
            if chance.random() < 0.25:
                life.controls.weather("stormy", seed)
            for _ in range(chance.choice([1, 1, 2, 3])):
                if chance.random() < 0.5:
                    life.kill_after(argv, 0.3 + chance.random() * 1.2)
                else:
                    life.kill_at(argv, chance.choice([*POINTS, "*", "*"]), chance.randint(1, 20))
                if life.applied:
                    life.people_go_on()
            life.controls.weather("calm")
            life.finish(*argv)
            if life.applied:
                life.end()
    print(f"seed {seed}: {life.kills} kills, {dict(life.points)}")


@pytest.mark.parametrize("seed", range(20))
def test_a_storm_ends_like_a_calm_day(seed: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sync.cli.main", "demo", "--weather", "stormy", "--json", "--people", "300", "--seed", str(seed)],
        capture_output=True, text=True, timeout=300, check=False, cwd=ROOT,
    )
    story = json.loads(done.stdout)
    assert (done.returncode, story["moved"], story["difference"]) == (0, True, {}), done.stderr
    assert story["syncs"][-1]["changes"] == 0


@pytest.mark.parametrize("seed", range(300, 306))
def test_threads_that_swap_at_every_turn_change_nothing(tmp_path: Path, seed: int) -> None:
    """All connections are pulled and sent at once; here the interpreter swaps threads as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with place() as ground:
            life = Life(ground, tmp_path / "life", seed)
            life.finish("plan")
            life.finish("apply")
            for _ in range(10):
                life.live()
                life.end()
    finally:
        sys.setswitchinterval(before)
