"""SIGKILL at every named point, over and over in one long life, and each time the same end."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from connectors.base import DAY
from sync.crash import POINTS
from tests.crash.town import Life, place

MANY = {"pull.before_page": 12, "pull.before_commit": 12, "pull.after_page": 12, "pull.before_settle": 3,
        "view.before_commit": 4, "enqueue.after_create": 8, "enqueue.before_commit": 8, "send.before_claim": 6, "send.after_claim": 3,
        "send.after_call": 3, "send.before_commit": 3, "send.after_commit": 3, "*": 60}


def order_of(seed: int) -> list[tuple[str, int]]:
    """Every point once and "*" once, in an order of its own, each with the passing at which to die."""
    chance = random.Random(seed)
    points = [*POINTS, "*"]
    chance.shuffle(points)
    return [(point, chance.randint(1, MANY.get(point, 1))) for point in points]


def first_contact(life: Life, order: list[tuple[str, int]]) -> None:
    """The first plan and the first apply, each killed some times."""
    planning = [(p, n) for p, n in order if p.startswith(("pull.", "view.", "plan.", "evaluate."))][:2]
    for point, count in planning:
        if die(life, ["plan"], point, count):
            order.remove((point, count))
    life.finish("plan")
    applying = [(p, n) for p, n in order if p.startswith(("enqueue.", "send."))]
    applying.sort(key=lambda each: each[0] != "enqueue.after_create")       # comes only here, where the targets are made
    for point, count in applying[:3]:
        if die(life, ["apply"], point, count):
            order.remove((point, count))
    life.finish("apply")


def die(life: Life, argv: list[str], point: str, count: int) -> bool:
    """Die at that passing, or at the first one where there are not so many."""
    print(f"seed {life.seed}: {' '.join(argv)} dies at {point}:{count}")
    return life.kill_at(argv, point, count) or (count > 1 and life.kill_at(argv, point, 1))


def walk(life: Life) -> None:
    order = order_of(life.seed)
    first_contact(life, order)
    life.end()
    while order:
        life.live()
        point, count = order.pop()
        argv = ["plan"] if point == "plan.before_commit" else ["sync", "--complete"]
        if point.startswith("seal."):
            argv = ["seal"]
            life.controls.advance(4 * DAY / 1000)       # what was pulled last is old enough by then
        if not die(life, argv, point, count):
            order.insert(0, (point, count))
            continue
        life.people_go_on()
        life.finish(*argv)
        life.end()


class Lives:
    """One life after the other against one place."""

    def test_a_life_of_kills_always_ends_the_same(self, tmp_path: Path, seed: int) -> None:
        with place() as ground:
            life = Life(ground, tmp_path / "life", seed)
            walk(life)
        assert set(life.points) == {*POINTS, "*"}
        assert life.kills >= len(POINTS) + 1


@pytest.mark.parametrize("seed", [101, 103])
class TestOddLives(Lives):
    """Two of four lives; the classes let two workers share them."""


@pytest.mark.parametrize("seed", [102, 104])
class TestEvenLives(Lives):
    """The other two."""
