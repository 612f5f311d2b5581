"""One event type as the tick counts it: what is read, what passes an edge, and what is left to pass."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from sync.evaluate.batch import Lane
from sync.evaluate.cells import Cells
from sync.evaluate.flow import HORIZON, Flow
from sync.evaluate.from_people import snapshot_of
from sync.evaluate.snapshot import Ints, Snapshot
from sync.language.happened import Filter, Names
from sync.language.person import Person
from sync.language.values import Path
from sync.language.window import Within

NOW, MINUTE = 1_000_000_000, 60_000


def table(*times: int) -> pa.Table:
    return pa.table({"contact": pa.array([0] * len(times), pa.int32()), "at": pa.array(times, pa.int64())})


class Shelf:
    """A source of one contact's events."""

    def __init__(self, *times: int) -> None:
        self.times = sorted(times)

    def whole(self) -> Snapshot:
        return snapshot_of([Person()], [])

    def of(self, contacts: Ints) -> Snapshot:
        return self.whole()

    def between(self, name: str, properties: Sequence[Path], after: int, upto: int) -> pa.Table:
        return table(*(at for at in self.times if after < at <= upto))


def counting(*times: int) -> tuple[Flow, Cells]:
    flow, cells = Flow("seen", Shelf(*times), {}), Cells(1)
    flow.take({Lane(Filter(Names(("seen",))), Within(MINUTE), "count"): cells}, NOW)
    return flow, cells


def count(cells: Cells) -> int:
    return int(cells.read(np.array([0]))[0][0])


def test_every_row_read_has_passed_or_will_also_while_it_stands_on_the_edge() -> None:
    flow, cells = counting(NOW + 10, NOW + 20)
    for now, passed, held in ((NOW, 0, 0), (NOW + 9, 0, 0), (NOW + 10, 1, 1), (NOW + 20, 2, 2)):
        flow.move(now)
        assert (flow.passed, flow.passed + flow.ahead) == (passed, flow.reads)
        assert count(cells) == held


def test_a_row_at_the_end_of_what_was_read_is_read_once() -> None:
    flow, cells = counting(NOW + HORIZON - 1, NOW + HORIZON, NOW + HORIZON + 1)
    flow.move(NOW)
    assert flow.reads == 2
    flow.move(NOW + HORIZON - 1)
    flow.move(NOW + HORIZON)
    assert count(cells) == flow.passed == 2
    assert flow.reads == flow.passed + flow.ahead


def test_what_arrives_on_an_edge_is_counted_at_once_and_leaves_in_its_time() -> None:
    for at, held, later in ((NOW - MINUTE, 0, 0), (NOW - MINUTE + 1, 1, 0), (NOW, 1, 1), (NOW + 1, 0, 1)):
        flow, cells = counting()
        flow.move(NOW)
        flow.change(table(at), 1)
        assert count(cells) == held
        flow.move(NOW + 1)
        assert count(cells) == later
        assert flow.due > NOW + 1
        flow.change(table(at), -1)
        flow.move(NOW + 1)
        assert count(cells) == 0


def test_of_several_windows_the_one_that_changes_first_says_when_it_is_due() -> None:
    flow = Flow("seen", Shelf(NOW - 5), {})
    near, far = Cells(1), Cells(1)
    for cells in (near, far):
        cells.add(np.array([0]), None, 1)
    flow.take({Lane(Filter(Names(("seen",))), Within(span), "count"): cells for span, cells in ((2 * MINUTE, far), (MINUTE, near))}, NOW)
    flow.move(NOW)
    assert flow.due == NOW - 5 + MINUTE
    flow.move(flow.due)
    assert (count(near), count(far), flow.due) == (0, 1, NOW - 5 + 2 * MINUTE)
    flow.move(flow.due)
    assert (count(near), count(far)) == (0, 0)


def test_of_what_was_read_and_what_arrived_beside_it_the_first_to_pass_is_due() -> None:
    for first, second in ((10, 20), (20, 10), (10, 10)):
        flow, cells = counting(NOW + first, NOW - MINUTE + first + 5)
        cells.add(np.array([0]), None, 1)                               # one stands in the window already
        flow.move(NOW)
        flow.change(table(NOW + second), 1)
        flow.move(NOW)
        dues = sorted({first, second, first + 5})
        for due, after in zip(dues, [*dues[1:], MINUTE + min(first, second)], strict=True):
            assert flow.due == NOW + due
            assert count(cells) == 1 + (first < due) + (second < due) - (first + 5 < due)
            flow.move(NOW + due)
            assert flow.due == NOW + after
