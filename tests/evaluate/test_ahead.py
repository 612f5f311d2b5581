"""Edges of windows as the tick moves them: each event passes each edge once, and nothing is read that is not due."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from sync.evaluate.ahead import HORIZON, Edges
from sync.evaluate.batch import Batch
from sync.evaluate.cells import Cells
from sync.evaluate.counters import ExactSum
from sync.evaluate.turns import NEVER
from sync.language.window import Ago, Dates, Ever, OlderThan, Window, Within

NOW, MINUTE = 1_000_000_000, 60_000


def batch(*times: int) -> Batch:
    table = pa.table({"contact": pa.array(range(len(times)), pa.int32()), "at": pa.array(sorted(times), pa.int64())})
    return Batch(table, {})


class Shelf:
    """Events that can be fetched, and what was."""

    def __init__(self, *times: int) -> None:
        self.times, self.fetched = times, list[tuple[int, int]]()

    def fetch(self, after: int, upto: int) -> Batch:
        self.fetched.append((after, upto))
        return batch(*(at for at in self.times if after < at <= upto))


def held(edges: Edges, shelf: Shelf, now: int, counted: int) -> int:
    entering, leaving = edges.move(now, shelf.fetch)
    edges.look_ahead(now, shelf.fetch)
    return counted + sum(end - start for _, start, end in entering) - sum(end - start for _, start, end in leaving)


@pytest.mark.parametrize("window", [Within(MINUTE), Ago(3 * MINUTE, MINUTE), OlderThan(MINUTE), Ever(), Dates(NOW - 5, NOW + MINUTE)])
@pytest.mark.parametrize("stride", [1, MINUTE - 1, MINUTE, MINUTE + 1, 4 * MINUTE, HORIZON, 3 * HORIZON])
def test_what_a_window_holds_is_what_passed_its_edges(window: Window, stride: int) -> None:
    times = [NOW + offset + beside for offset in (-4 * MINUTE, -MINUTE, 0, MINUTE, 5 * MINUTE, 2 * HORIZON) for beside in (-1, 0, 1)]
    shelf, edges = Shelf(*times), Edges(window, NOW)
    counted = sum(window.holds(at, NOW) for at in times)
    now = NOW
    for _ in range(8):
        now += stride
        counted = held(edges, shelf, now, counted)
        assert counted == sum(window.holds(at, now) for at in times)
        assert edges.due > now


def test_it_is_due_at_the_millisecond_and_reads_once_in_an_hour() -> None:
    shelf, edges = Shelf(NOW - MINUTE + 10, NOW + 20), Edges(Within(MINUTE), NOW)
    edges.look_ahead(NOW, shelf.fetch)
    read = len(shelf.fetched)
    assert edges.due == NOW + 10
    held(edges, shelf, NOW + 10, 1)
    assert edges.due == NOW + 20
    held(edges, shelf, NOW + 20, 0)
    assert edges.due == NOW + 20 + MINUTE
    assert len(shelf.fetched) == read


def test_what_stands_on_an_edge_was_passed_and_is_not_waited_for() -> None:
    shelf, edges = Shelf(NOW + 10, NOW + 30), Edges(Within(MINUTE), NOW)
    edges.look_ahead(NOW, shelf.fetch)
    held(edges, shelf, NOW + 10, 0)
    assert edges.due == NOW + 30


def test_where_no_event_is_ahead_it_comes_back_after_an_hour() -> None:
    shelf, edges = Shelf(), Edges(Within(MINUTE), NOW)
    edges.look_ahead(NOW, shelf.fetch)
    assert edges.due == NOW + HORIZON
    forever = Edges(Dates(None, NOW - 1), NOW)
    forever.look_ahead(NOW, shelf.fetch)
    assert forever.due in (NOW + HORIZON, NEVER)


def test_an_event_that_never_was_in_a_window_does_not_leave_it() -> None:
    shelf, edges = Shelf(NOW + 10), Edges(Within(MINUTE), NOW)
    assert held(edges, shelf, NOW + 10 * MINUTE, 0) == 0


def test_edges_stand_still_while_the_clock_is_back() -> None:
    shelf, edges = Shelf(NOW - MINUTE + 1), Edges(Within(MINUTE), NOW)
    counted = held(edges, shelf, NOW + 1, 1)
    assert held(edges, shelf, NOW - MINUTE, counted) == held(edges, shelf, NOW + 1, counted) == 0


def test_sums_beyond_64_bits_come_back_exactly() -> None:
    most, who = 2**63 - 1, np.array([0])
    cells = Cells.of(ExactSum.summed(who, np.array([most]), 1))
    cells.add(who, np.array([most]), 1)
    assert cells.read(who)[1].tolist() == [True]
    cells.add(who, np.array([most]), -1)
    values, wide = cells.read(who)
    assert (values.tolist(), wide.tolist()) == ([most], [False])
    cells.grow(2)
    cells.move(0, 1)
    assert cells.read(np.array([0, 1]))[0].tolist() == [0, most]


def test_who_was_touched_is_told_once() -> None:
    cells = Cells(3)
    cells.add(np.array([2, 0, 2]), None, 1)
    cells.settle()
    assert cells.changed.tolist() == [0, 2]
    cells.settle()
    assert cells.changed.tolist() == []
