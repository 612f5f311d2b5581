"""The latest instant of a group, and how many lie between, as counting by hand finds them: however large groups and times are."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from sync.evaluate.timeline import NONE, Timeline, among, distinct

FAR = 2**53
SHAPES = [(groups, times) for groups in ([0, 1, 2], [0, 5, 2**20], [0, FAR, FAR + 1])
          for times in ([-1, 0, 1, 2], [0, 2**40, 2**40 + 1], [-FAR, 0, FAR])]


@pytest.mark.parametrize(("groups", "times"), SHAPES)
def test_latest_and_since_are_what_counting_finds(groups: list[int], times: list[int]) -> None:
    rng = Random(len(SHAPES))
    for size in (0, 1, 2, 3, 8):
        pairs = [(rng.choice(groups), rng.choice(times)) for _ in range(size)]
        line = Timeline(np.array([group for group, _ in pairs], np.int64), np.array([when for _, when in pairs], np.int64))
        asked = [(group + beside, when + off) for group in groups for beside in (0, 1) for when in times for off in (-1, 0, 1)]
        wanted, at = (np.array(each) for each in zip(*asked, strict=True))
        assert line.latest(wanted, at).tolist() == [
            max((each for mine, each in pairs if mine == group and each <= upto), default=NONE) for group, upto in asked]
        assert line.since(wanted, at).tolist() == [sum(mine == group and each >= since for mine, each in pairs) for group, since in asked]


def test_each_value_is_named_once_and_found_among_them() -> None:
    for values in ([], [3], [3, 3], [2, 3, 2, 9], [5, 1]):
        found = distinct(np.array(values, np.int64))
        assert found.tolist() == sorted(set(values))
        asked = list(range(11))
        assert among(np.array(asked), found).tolist() == [each in values for each in asked]
