"""Whether a contact's money is of several currencies, told from three sums."""

from __future__ import annotations

import numpy as np
import pytest

from sync.evaluate.counted import _mixed


@pytest.mark.parametrize(("paid", "mixed"), [
    ({1: 1}, False), ({}, False), ({3: 7}, False), ({1: 1, 2: 1}, True), ({1: 2**20, 2: 1}, True),
    ({1: 2**31, 2: 2**31}, True), ({1: 2**32, 2: 2**32}, True), ({2: 2**33}, False), ({199: 2**40}, False), ({1: 2**40, 200: 1}, True),
])
def test_several_currencies_are_told_from_one_however_many_events_there_are(paid: dict[int, int], mixed: bool) -> None:
    sums = (sum(paid.values()), sum(code * often for code, often in paid.items()), sum(code**2 * often for code, often in paid.items()))
    for one in (0, 1):                                                  # beside somebody who paid once
        held = {kind: (np.array([each, one]), np.zeros(2, bool)) for kind, each in zip(("coded", "codes", "squares"), sums, strict=True)}
        assert _mixed(held).tolist() == [mixed, False]
        assert _mixed({kind: (numbers[::-1], wide) for kind, (numbers, wide) in held.items()}).tolist() == [False, mixed]
    assert _mixed({"sum": (np.zeros(2, np.int64), np.zeros(2, bool))}).tolist() == [False, False]
