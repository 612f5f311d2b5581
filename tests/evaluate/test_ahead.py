"""Edges of windows as the tick moves them: each event passes each edge once, and nothing is read that is not due."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

import numpy as np
import pyarrow as pa
import pytest

from sync.evaluate.batch import Lane
from sync.evaluate.cells import FEW, Cells, those, union
from sync.evaluate.counters import ExactSum
from sync.evaluate.flow import HORIZON, MOST, SCATTERED, Flow
from sync.evaluate.source import Source
from sync.evaluate.turns import NEVER
from sync.language.calendars import Calendar, Months
from sync.language.happened import Filter, Names
from sync.language.values import Path
from sync.language.window import Ago, Dates, During, Ever, OlderThan, Window, Within
from tests.language.support import BERLIN, NOW

MINUTE = 60_000
TODAY = Calendar("day", BERLIN)
MIDNIGHT = TODAY.start(TODAY.number(NOW) + 1)
WINDOWS = (
    Within(MINUTE), Ago(3 * MINUTE, MINUTE), OlderThan(MINUTE), Ever(), Dates(NOW - 5, NOW + MINUTE), Dates(NOW + MINUTE, None),
    Dates(None, NOW), During(TODAY, 0, past=True), During(TODAY, -1, past=True), Within(Months(1, BERLIN)),
)


def table(times: Iterable[int]) -> pa.Table:
    """An event of contact 0 at each of *times*."""
    at = sorted(times)
    return pa.table({"contact": pa.array([0] * len(at), pa.int32()), "at": pa.array(at, pa.int64())})


class Shelf:
    """Events that can be read, and what was."""

    def __init__(self, times: Iterable[int]) -> None:
        self.times, self.read = list(times), list[tuple[int, int]]()

    def between(self, name: str, properties: Sequence[Path], after: int, upto: int) -> pa.Table:
        self.read.append((after, upto))
        return table(at for at in self.times if after < at <= upto)


class Counter:
    """One window over the events of a shelf, counted as a tick does it."""

    def __init__(self, window: Window, *times: int, now: int = NOW) -> None:
        self.window, self.shelf, self.cells = window, Shelf(times), Cells(1)
        self.flow = Flow("came", cast(Source, self.shelf), {})
        self.cells.add(np.zeros(self.right(now), np.int64), None, 1)
        self.flow.take({Lane(Filter(Names(("came",))), window, "count"): self.cells}, now)

    def right(self, now: int) -> int:
        return sum(self.window.holds(at, now) for at in self.shelf.times)

    @property
    def counted(self) -> int:
        return int(self.cells.read(np.array([0]))[0][0])

    def change(self, now: int, *times: int, sign: int = 1) -> None:
        """Events that came, or were removed, by *now*."""
        self.flow.pass_by(now)
        for at in times:
            self.shelf.times.append(at) if sign > 0 else self.shelf.times.remove(at)
        self.flow.change(table(times), sign)
        self.flow.move(now)


@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("stride", [1, MINUTE - 1, MINUTE, MINUTE + 1, 4 * MINUTE, HORIZON, 3 * HORIZON, 12 * HORIZON])
def test_what_a_window_holds_is_what_passed_its_edges(window: Window, stride: int) -> None:
    places = (-40 * 24 * HORIZON, -4 * MINUTE, -MINUTE, 0, MINUTE, 5 * MINUTE, 2 * HORIZON, MIDNIGHT - NOW)
    counter = Counter(window, *(NOW + place + beside for place in places for beside in (-6, -1, 0, 0, 1)))
    for now in range(NOW, NOW + 8 * stride, stride):
        counter.flow.move(now)
        assert counter.counted == counter.right(now)
        assert counter.flow.due > now


@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("sign", [1, -1])
def test_what_comes_or_is_taken_back_is_counted_now_and_by_the_edges_that_it_meets_later(window: Window, sign: int) -> None:
    times = [NOW + place for place in (-4 * MINUTE, -3 * MINUTE + 1, -MINUTE, -6, -5, -1, 0, 1, MINUTE, 2 * MINUTE, MIDNIGHT - NOW)]
    counter = Counter(window, *(times if sign < 0 else ()))
    counter.flow.move(NOW)
    counter.change(NOW + 1, *times, sign=sign)
    later = [NOW + place for place in (1, 2, MINUTE - 7, MINUTE, 2 * MINUTE, 5 * MINUTE)]
    for now in (*later, MIDNIGHT - 1, MIDNIGHT, MIDNIGHT + HORIZON):
        counter.flow.move(now)
        assert counter.counted == counter.right(now)


@pytest.mark.parametrize("jump", [HORIZON - 1, HORIZON, HORIZON + 1, 5 * HORIZON])
def test_what_came_while_more_had_to_be_read_is_counted_once(jump: int) -> None:
    counter = Counter(Within(MINUTE), NOW)
    counter.flow.move(NOW)
    now = NOW + jump
    counter.change(now, now - MINUTE, now - MINUTE + 1, now - 1, now, now + 1)
    for later in (0, 1, MINUTE - 1, MINUTE, MINUTE + 1):
        counter.flow.move(now + later)
        assert counter.counted == counter.right(now + later)


@pytest.mark.parametrize("rows", [SCATTERED, SCATTERED + 1])
def test_few_entries_and_many_add_up_to_the_same(rows: int) -> None:
    counter = Counter(Within(MINUTE), *range(NOW + 1, NOW + rows + 1))
    for now in (NOW, NOW + rows, NOW + rows + MINUTE - 1, NOW + rows + MINUTE):
        counter.flow.move(now)
        assert counter.counted == counter.right(now)


def test_what_is_noted_too_often_is_read_anew_and_none_of_it_is_lost() -> None:
    counter = Counter(Within(MINUTE))
    counter.flow.move(NOW)
    read = len(counter.shelf.read)
    for number in range(MOST + 3):
        counter.change(NOW + number, NOW + number)
    assert len(counter.shelf.read) > read
    for now in range(NOW + MOST + 3, NOW + MINUTE + MOST + 5):
        counter.flow.move(now)
        assert counter.counted == counter.right(now)
    assert counter.flow.due > NOW + MINUTE + MOST


def test_it_is_due_at_the_millisecond_and_reads_once_in_an_hour() -> None:
    counter = Counter(Within(MINUTE), NOW - MINUTE + 10, NOW + 20)
    counter.flow.move(NOW)
    read, due = len(counter.shelf.read), []
    while counter.flow.due < NOW + HORIZON:
        due.append(counter.flow.due - NOW)
        counter.flow.move(counter.flow.due)
    assert due == [10, 20, 20 + MINUTE]
    assert len(counter.shelf.read) == read
    assert (counter.flow.reads, counter.flow.passed, counter.flow.ahead) == (3, 3, 0)


def test_what_is_read_is_passed_or_lies_ahead() -> None:
    counter = Counter(Within(MINUTE), NOW - MINUTE + 10, NOW + 20, NOW + HORIZON + 1)
    counter.flow.move(NOW + 10)
    assert (counter.flow.reads, counter.flow.passed, counter.flow.ahead) == (4, 1, 3)
    counter.flow.forget()
    assert (counter.flow.passed, counter.flow.ahead) == (1, 0)


def test_what_stands_on_an_edge_was_passed_and_is_not_waited_for() -> None:
    counter = Counter(Within(MINUTE), NOW + 10, NOW + 30)
    counter.flow.move(NOW + 10)
    assert counter.flow.due == NOW + 30


def test_where_no_event_is_ahead_it_comes_back_after_an_hour_and_where_nobody_asks_never() -> None:
    counter = Counter(Within(MINUTE))
    counter.flow.move(NOW)
    assert counter.flow.due == NOW + HORIZON
    counter.flow.take({}, NOW)
    counter.flow.move(NOW + 1)
    assert counter.flow.due == NEVER


def test_an_event_that_never_was_in_a_window_does_not_leave_it() -> None:
    counter = Counter(Within(MINUTE), NOW + 10)
    counter.flow.move(NOW + 10 * MINUTE)
    assert counter.counted == 0


def test_edges_stand_still_while_the_clock_is_back() -> None:
    counter = Counter(Within(MINUTE), NOW - MINUTE + 1)
    for now in (NOW + 1, NOW - MINUTE, NOW + 1):
        counter.flow.move(now)
        assert counter.counted == 0


# --- cells


def test_sums_beyond_64_bits_come_back_exactly() -> None:
    most, who = 2**63 - 1, np.array([0])
    cells = Cells.of(ExactSum.summed(who, np.array([most]), 1))
    cells.add(who, np.array([most]), 1)
    assert cells.read(who)[1].tolist() == [True]
    assert cells.read_one(0) is None
    cells.add(who, np.array([most]), -1)
    values, wide = cells.read(who)
    assert (values.tolist(), wide.tolist()) == ([most], [False])
    cells.grow(2)
    cells.move(0, 1)
    assert cells.read(np.array([0, 1]))[0].tolist() == [0, most]


@pytest.mark.parametrize("number", [0, 1, -5, 2**61, 2**62, 2**63 - 1, -(2**63)])
def test_one_is_added_as_many_are(number: int) -> None:
    one, many = Cells(3), Cells(3)
    for sign in (1, 1, -1, 1, -1, -1):
        one.put(2, number, sign)
        many.add(np.array([2]), np.array([number]), sign)
        for each in (one, many):
            each.settle()
        assert [part.tolist() for part in one.read(np.array([1, 2]))] == [part.tolist() for part in many.read(np.array([1, 2]))]
        assert one.read_one(2) in (None, int(one.read(np.array([2]))[0][0]))
        assert one.changed.tolist() == many.changed.tolist() == [2]


def test_who_was_touched_is_told_once() -> None:
    touched: list[Cells] = []
    cells = Cells(9, touched)
    cells.add(np.array([2, 0, 2]), None, 1)
    cells.put(1, 1, 1)
    cells.put(2, 1, -1)
    assert touched == [cells]
    cells.settle()
    assert cells.changed.tolist() == [0, 1, 2]
    cells.put(8, 1, 1)
    cells.add(np.array([8, 4]), None, 1)
    assert touched == [cells, cells]
    cells.settle()
    assert cells.changed.tolist() == [4, 8]
    cells.settle()
    assert cells.changed.tolist() == []


@pytest.mark.parametrize("many", [1, FEW // 2, FEW, FEW + 1, 5 * FEW])
def test_a_union_has_everybody_once_and_in_order(many: int) -> None:
    parts = [np.arange(many)[::-1], np.array([many - 1, many + 3])]
    assert union(parts).tolist() == [*range(many), many + 3]
    assert union(parts[1:] * 2).tolist() == [many - 1, many + 3]


def test_some_of_those_that_were_asked() -> None:
    asked = np.array([3, 5])
    assert [those(found, asked).tolist() for found in ([], [5], [3, 5])] == [[], [5], [3, 5]]
