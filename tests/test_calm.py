"""Python's collector while a command runs, and afterwards."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import click
import pytest

from sync.calm import MADE, calm_collector
from sync.cli import main as cli


@pytest.fixture(autouse=True)
def before() -> Iterator[tuple[int, int, int]]:
    """Another calm than ours, as if the tests had none."""
    held = gc.get_threshold()
    gc.set_threshold(701, 11, 12)
    yield gc.get_threshold()
    gc.set_threshold(*held)


@pytest.mark.parametrize("fails", [False, True])
def test_a_command_runs_with_a_calm_collector_and_leaves_it_as_it_was(
    fails: bool, before: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = list[int]()

    @click.command()
    def look() -> None:
        seen.append(gc.get_threshold()[0])
        if fails:
            raise ValueError("on purpose")

    monkeypatch.setattr(cli.Commands, "get_command", lambda *_: look)
    assert (cli.main(["check"]) != 0) is fails
    assert seen == [MADE]
    assert gc.get_threshold() == before


def test_what_asks_for_calm_within_calm_does_not_end_it() -> None:
    with calm_collector():
        with calm_collector():
            pass
        assert gc.get_threshold()[0] == MADE


def test_a_calm_collector_still_finds_rings() -> None:
    gc.collect()
    with calm_collector():
        before = gc.get_stats()[0]["collections"]
        rings = [[] for _ in range(3 * MADE)]
        for ring in rings:
            ring.append(ring)
        assert gc.get_stats()[0]["collections"] > before
