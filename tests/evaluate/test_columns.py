"""Answers per distinct value are those of the predicate itself, whatever short cut a column takes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from sync.evaluate.columns import Columns, Instants
from sync.evaluate.counters import ExactSum
from sync.language.predicates import Predicate
from sync.language.values import decode
from sync.language.who import Contact
from tests.language.support import NOW, rule

TEXTS = [
    "7", "7.0", "-7", "0", "-0.000001", "999999999999.999999", "-999999999999.999999", "1000000000000",
    "9223372036854.775808", "1e3", "1E-7", "123456789012345678901234567890", '"7"', '"07"', '"7,0"', '"abc"', '""', "null",
    "true", "false", '"true"', "[]", "[7]", '[1, "abc"]', "{}", '"2026-06-14T12:00:00.000Z"', '"2026-06-14T12:00:00.001Z"',
    '"2026-06-15T12:00:00Z"', '"2026-06-15T12:00:00.001+00:00"', '"2026-06-15T14:00:00+02:00"', '"2026-06-16"',
    '"2026-06-15"', '"2026-06-15T12:00"', '"1999-12-31T23:59:59.999Z"', '"0000-01-01T00:00:00Z"', '"2026-06-15T12:00:00.5Z"',
    '"2026-06-15T12:00:00.1239Z"', '"ABC"', '"K"',
    '"two words"', '"it\'s ~[all] #here"', '"a\\"b"', '"a\\\\b"', '" abc"', '"_"', '"\\u00e9"', '"e\\u0301"',
]
PREDICATES = [
    "7", "'7'", "true", "'true'", "[7, abc, true]", "{is_not: 7}", "{not_in: [7, 2026-06-15]}", "{at_least: 7}",
    "{more_than: -7}", "{at_most: 0}", "{less_than: 1000}", "{between: [-7, 7]}", "{between: [2026-06-14, 2026-06-15]}",
    "{at_least: 2026-06-15}", "{at_most: 2026-06-15T12:00Z}", "{more_than: 2026-06-14}", "{less_than: 2026-06-15T12:00Z}",
    "{before: 2026-06-15}", "{after: 2026-06-14T12:00Z}", "{within_last: 1d}", "{within_next: 1d}", "{older_than: 1d}",
    "2026-06-15", "{is_not: 2026-06-15T12:00Z}", "{at_least: 7, missing: match}", "{is_not: 7, missing: fail}",
    "{at_least: 1, less_than: 1000, is_not: 7}", "{within_last: 1d, after: 2026-06-15}", "é", "{contains: e}",
    "{is_set: true}", "{size: 1}", "{is: ABC, ignore_case: true}", "{at_least: 9999999999999999}",
    "{is: \"\u212a\"}", "{in: [two words, \"a\\\"b\", abc]}", "{not_in: [\"it's ~[all] #here\", _]}", "{is_not: abc, missing: match}",
    "{in: [123456789012345678901234567890]}",
]


def predicate(text: str) -> Predicate:
    node = rule(f"contact: {{city: {text}}}")
    assert isinstance(node, Contact)
    return node.fields[0][1]


@pytest.mark.parametrize("text", PREDICATES)
@pytest.mark.parametrize("texts", [TEXTS, [*TEXTS, '"2026-02-30T12:00:00Z"'], [], ["7"], ['"2026-06-15T12:00:00Z"']], ids=len)
def test_a_dictionary_answers_as_the_predicate_does(texts: list[str], text: str) -> None:
    asked = predicate(text)
    column = Columns().read(pa.array([*texts, None], pa.string()).dictionary_encode())
    expected = [asked.holds(None if each is None else decode(each), {}, NOW) for each in [*texts, None]]
    assert column.passes(asked, NOW).tolist() == expected


@pytest.mark.parametrize("text", PREDICATES)
def test_times_answer_as_their_texts_do(text: str) -> None:
    times = np.array([NOW - 86_400_000, NOW - 86_399_999, NOW, NOW + 1])
    held = Instants(times)
    assert held.answers(predicate(text), NOW).tolist()[:-1] == [predicate(text).holds(held.value(code), {}, NOW) for code in range(4)]


def test_equal_dictionaries_are_one_and_sliced_ones_are_not_mixed_up() -> None:
    columns = Columns()
    table = pa.table({"a": pa.array(["x", "y", "x"]).dictionary_encode()})
    first, second = columns.read(table.slice(0, 1).column("a")), columns.read(table.slice(1, 2).column("a"))
    assert first.dictionary is second.dictionary
    other = columns.read(pa.array(["z", "x"]).dictionary_encode())
    assert other.dictionary.texts == ["z", "x", None]


def test_chunks_with_dictionaries_of_their_own_become_one_column() -> None:
    chunks = pa.chunked_array([pa.array(["a", None]).dictionary_encode(), pa.array(["b", "a"]).dictionary_encode()])
    column = Columns().read(chunks)
    assert [column.dictionary.texts[code] for code in column.codes] == ["a", None, "b", "a"]


@pytest.mark.parametrize("numbers", [[2**62, 2**62 - 1], [-(2**62), -(2**62)], [2**53, 1, -1], [5] * 200_000, [2**62, -(2**62), 7]])
def test_running_sums_are_exact_in_any_order_of_steps(numbers: list[int]) -> None:
    values = np.array(numbers, np.int64)
    whole, steps = ExactSum.summed(np.zeros(len(values), np.int64), values, 1), ExactSum(1)
    for part in np.array_split(values, 3):
        steps = steps.plus(ExactSum.summed(np.zeros(len(part), np.int64), part, 1))
    assert whole.total().tolist() == steps.total().tolist() == [sum(numbers)]
    assert whole.minus(steps).total().tolist() == [0]


@pytest.mark.parametrize("number", [0, 1, 4, 5, 6, 40])
def test_counting_some_more_is_counting_all_at_once(number: int) -> None:
    first, more = np.array([3, 3, 0], np.int32), np.random.default_rng(number).integers(0, 10, number).astype(np.int32)
    before = ExactSum.counted(first, 10)
    for begun in (before, ExactSum(10).counting(first)):
        expected = ExactSum.counted(np.concatenate([first, more]), 10)
        assert begun.counting(more).total().tolist() == expected.total().tolist()
        assert begun.total().tolist() == [1, 0, 0, 2, 0, 0, 0, 0, 0, 0]
    wide = before.plus(ExactSum.summed(np.array([1, 1]), np.array([2**61, 2**61]), 10))
    assert wide.counting(more).total().tolist() == wide.plus(ExactSum.counted(more, 10)).total().tolist()
