"""Every window edge, to the millisecond: what holds is written down by hand, and a wrong comparison anywhere is found out."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from sync.evaluate import edges, events, plain
from sync.evaluate.from_people import snapshot_of
from sync.evaluate.full_pass import full_pass
from sync.language import window
from sync.language.person import Event, Person
from sync.language.values import instant_text
from tests.evaluate.worlds import node_of
from tests.language.support import NOW, at

DAY = 86_400_000
SINCE, UNTIL, LATER = at("2026-06-10T08:00Z"), at("2026-06-12T08:00Z"), NOW + DAY
MONTH, MAY, JUNE, TODAY = at("2026-05-15T14:00"), at("2026-05-01"), at("2026-06-01"), at("2026-06-15")  # now is a Monday's 14:00
MIDNIGHT = at("2026-06-13T00:00")                                   # in Berlin: the end of 12 June

EVENT_EDGES: list[tuple[dict[str, Any], dict[int, bool]]] = [
    ({}, {NOW - 900 * DAY: True, NOW: True, NOW + 1: False}),
    ({"within": "1d"}, {NOW - DAY - 1: False, NOW - DAY: False, NOW - DAY + 1: True, NOW: True, NOW + 1: False}),
    ({"ago": ["2d", "1d"]}, {NOW - 2 * DAY: False, NOW - 2 * DAY + 1: True, NOW - DAY: True, NOW - DAY + 1: False}),
    ({"older_than": "1d"}, {NOW - 900 * DAY: True, NOW - DAY - 1: True, NOW - DAY: True, NOW - DAY + 1: False}),
    ({"since": instant_text(SINCE)}, {SINCE - 1: False, SINCE: True, NOW: True, NOW + 1: False}),
    ({"since": "2026-06-13"}, {MIDNIGHT - 1: False, MIDNIGHT: True}),
    ({"until": instant_text(UNTIL)}, {NOW - 900 * DAY: True, UNTIL - 1: True, UNTIL: False}),
    ({"until": instant_text(LATER)}, {NOW: True, NOW + 1: False, LATER - 1: False, LATER: False}),
    ({"since": instant_text(LATER)}, {NOW: False, NOW + 1: False, LATER - 1: False, LATER: False}),
    ({"until": "2026-06-12"}, {MIDNIGHT - 1: True, MIDNIGHT: False}),
    ({"within": "1mo"}, {MONTH: False, MONTH + 1: True, NOW: True, NOW + 1: False}),
    ({"within": "1y"}, {at("2025-06-15T14:00"): False, at("2025-06-15T14:00") + 1: True}),
    ({"ago": ["1mo", "1d"]}, {MONTH: False, MONTH + 1: True, NOW - DAY: True, NOW - DAY + 1: False}),
    ({"ago": ["90d", "1mo"]}, {NOW - 90 * DAY: False, NOW - 90 * DAY + 1: True, MONTH: True, MONTH + 1: False}),
    ({"older_than": "1mo"}, {MONTH - 1: True, MONTH: True, MONTH + 1: False}),
    ({"during": "today"}, {TODAY - 1: False, TODAY: True, NOW: True, NOW + 1: False}),
    ({"during": "yesterday"}, {TODAY - DAY - 1: False, TODAY - DAY: True, TODAY - 1: True, TODAY: False}),
    ({"during": "this_month"}, {JUNE - 1: False, JUNE: True, NOW: True, NOW + 1: False}),
    ({"during": "last_month"}, {MAY - 1: False, MAY: True, JUNE - 1: True, JUNE: False}),
    ({"since": instant_text(SINCE), "until": instant_text(UNTIL)},
     {SINCE - 1: False, SINCE: True, UNTIL - 1: True, UNTIL: False}),
]
FIELD_EDGES: list[tuple[dict[str, Any], dict[int, bool]]] = [
    ({"within_last": "1d"}, {NOW - DAY: False, NOW - DAY + 1: True, NOW: True, NOW + 1: False}),
    ({"older_than": "1d"}, {NOW - DAY: True, NOW - DAY + 1: False}),
    ({"within_next": "1d"}, {NOW: False, NOW + 1: True, NOW + DAY: True, NOW + DAY + 1: False}),
    ({"within_last": "1mo"}, {MONTH: False, MONTH + 1: True}),
    ({"within_next": "1mo"}, {NOW: False, NOW + 1: True, at("2026-07-15T14:00"): True, at("2026-07-15T14:00") + 1: False}),
    ({"during": "today"}, {TODAY - 1: False, TODAY: True, NOW + 1: True, TODAY + DAY - 1: True, TODAY + DAY: False}),
    ({"during": "tomorrow"}, {TODAY + DAY - 1: False, TODAY + DAY: True, TODAY + 2 * DAY - 1: True, TODAY + 2 * DAY: False}),
    ({"during": "last_week"}, {TODAY - 7 * DAY - 1: False, TODAY - 7 * DAY: True, TODAY - 1: True, TODAY: False}),
    ({"during": "next_month"}, {at("2026-07-01") - 1: False, at("2026-07-01"): True, at("2026-08-01") - 1: True,
                                at("2026-08-01"): False}),
    ({"during": "this_quarter"}, {at("2026-04-01") - 1: False, at("2026-04-01"): True, at("2026-07-01") - 1: True,
                                  at("2026-07-01"): False}),
    ({"during": "last_year"}, {at("2025-01-01") - 1: False, at("2025-01-01"): True, at("2026-01-01") - 1: True,
                               at("2026-01-01"): False}),
    ({"after": instant_text(SINCE)}, {SINCE: False, SINCE + 1: True}),
    ({"before": instant_text(SINCE)}, {SINCE - 1: True, SINCE: False}),
    ({"at_least": instant_text(SINCE)}, {SINCE - 1: False, SINCE: True}),
    ({"at_most": instant_text(SINCE)}, {SINCE: True, SINCE + 1: False}),
    ({"after": "2026-06-12"}, {MIDNIGHT - 1: False, MIDNIGHT: True}),
    ({"before": "2026-06-13"}, {MIDNIGHT - 1: True, MIDNIGHT: False}),
    ({"is": "2026-06-12"}, {MIDNIGHT - DAY - 1: False, MIDNIGHT - DAY: True, MIDNIGHT - 1: True, MIDNIGHT: False}),
]


def wrong_answers() -> list[str]:
    """Every edge on which the oracle or the full pass does not answer what is written down."""
    found = []
    for rule, people, expected in asked():
        node = node_of(rule)
        slow = [node.matches(person, NOW) for person in people]
        fast = full_pass(snapshot_of(people, [node]), {"first": node}, NOW).members["first"].tolist()
        found += [f"oracle: {rule}"] * (slow != expected) + [f"full pass: {rule}"] * (fast != expected)
    return found


def asked() -> Iterator[tuple[dict[str, Any], list[Person], list[bool]]]:
    for said, edge in EVENT_EDGES:
        yield {"event": "seen", **said}, [Person(events=(Event("seen", when),)) for when in edge], list(edge.values())
    for said, edge in FIELD_EDGES:
        yield {"contact": {"day": said}}, [Person({"day": instant_text(when)}) for when in edge], list(edge.values())


def test_oracle_and_full_pass_answer_every_edge_as_written_down() -> None:
    assert wrong_answers() == []


# --- mutants: one comparison changed at a time --------------------------------------------------------------------------------

SWAPS: dict[type[ast.cmpop], type[ast.cmpop]] = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}


def source(module: ModuleType) -> ast.Module:
    assert module.__file__ is not None
    return ast.parse(Path(module.__file__).read_text())


def comparisons(tree: ast.Module) -> list[tuple[str, ast.Compare, int]]:
    """(class, comparison, place of the operator in it) for each `<`, `<=`, `>`, `>=` in a `holds` method."""
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    methods = [(each.name, node) for each in classes for node in each.body if isinstance(node, ast.FunctionDef)]
    return [(owner, node, place) for owner, method in methods if method.name == "holds" for node in ast.walk(method)
            if isinstance(node, ast.Compare) for place, operator in enumerate(node.ops) if type(operator) in SWAPS]


def loaded(tree: ast.Module, name: str) -> ModuleType:
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader=None))  # type: ignore[arg-type]
    sys.modules[name] = module
    try:
        exec(compile(ast.fix_missing_locations(tree), name, "exec"), module.__dict__)
    finally:
        del sys.modules[name]
    return module


@pytest.mark.parametrize("number", range(len(comparisons(source(window)))))
def test_a_wrong_comparison_in_the_oracle_is_found_out(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = source(window)
    owner, node, place = comparisons(tree)[number]
    node.ops[place] = SWAPS[type(node.ops[place])]()
    mutant = loaded(tree, "mutant_of_window")
    monkeypatch.setattr(getattr(window, owner), "holds", vars(vars(mutant)[owner])["holds"])
    assert any(wrong.startswith(("oracle", "full pass: {'contact'")) for wrong in wrong_answers())


def edge_mutations(tree: ast.Module) -> list[tuple[ast.AST, str, Any]]:
    """Each `side=` turned round, each `- 1` dropped, each `now - x` one millisecond off."""
    found: list[tuple[ast.AST, str, Any]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value in ("right", "left"):
            found.append((node, "value", "left" if node.value == "right" else "right"))
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
            if isinstance(node.right, ast.Constant):
                found.append((node.right, "value", 0))
            else:
                found.append((node, "right", ast.BinOp(node.right, ast.Add(), ast.Constant(1))))
    return found


@pytest.mark.parametrize("number", range(len(edge_mutations(source(edges)))))
def test_a_wrong_edge_in_the_full_pass_is_found_out(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = source(edges)
    node, attribute, value = edge_mutations(tree)[number]
    setattr(node, attribute, value)
    mutant = loaded(tree, "mutant_of_edges")
    monkeypatch.setattr(events, "cut", mutant.cut)
    monkeypatch.setattr(plain, "bounds", mutant.bounds)
    assert any(wrong.startswith("full pass") for wrong in wrong_answers())
