"""Families: which segments there are, what they are called, and how they end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.base import DAY
from sync.config import families as spelled
from sync.config.load import load
from sync.config.model import Config
from sync.evaluate import families
from sync.evaluate.run import evaluate
from sync.language.families import plain_word
from sync.source import origins
from sync.store import families as kept
from sync.store import memberships, segments
from sync.store.store import Store
from tests.store.ground import NOW, event, new_store, profile, tell, write

HEAD = """version: 1
connections: {mailchimp: {key: {env: KEY}}, hubspot: {key: {env: KEY}}, klaviyo: {key: {env: KEY}}}
segments:
"""
FAMILY = """  session_<value>:
    for_each: {event: klaviyo.Registered, property: session, at_least: 2, within: 30d}
    sync: {klaviyo: {list: Session <value>}}
"""


@pytest.fixture
def store() -> Iterator[Store]:
    with new_store() as made:
        for number in range(1, 5):
            write(made, 3, profile(f"p{number}", f"p{number}@example.com"))
        yield made


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return read(tmp_path, FAMILY)


def read(folder: Path, segments: str) -> Config:
    (folder / "config.yaml").write_text(HEAD + segments)
    found, problems = load(folder / "config.yaml")
    assert found is not None, problems
    return found


def register(store: Store, *sessions: tuple[int, Any], age: int = DAY) -> None:
    """Who registered for which session, so long ago."""
    made = [event(f"{who}{session}{age}", "Registered", NOW - age, profile=f"p{who}", properties={"session": session})
            for who, session in sessions]
    tell(store, 3, *made, names={})


def run(store: Store, config: Config, at: int = NOW) -> dict[str, list[int] | str]:
    """Members of each segment by the store's record after one evaluation; why, of one that fails."""
    sources = origins(config, store)
    config = families.refreshed(store, config, sources, at)
    result = evaluate(store, config, sources, at).result
    found = segments.standing(store)
    return {name: result.failures.get(name) or found[name].members.tolist() for name in config.segments}


def test_a_value_has_a_segment_once_enough_contacts_told_of_it(store: Store, config: Config) -> None:
    register(store, (1, "Data & AI"), (2, "Data & AI"), (2, "Sales"), (2, ["Sales", "Ops"]), (3, ["Ops"]))
    assert run(store, config) == {"session_data_ai": [0, 1], "session_ops": [1, 2]}
    register(store, (4, "Sales"))
    assert run(store, config) == {"session_data_ai": [0, 1], "session_ops": [1, 2], "session_sales": [1, 3]}
    expanded = families.with_families(store, config)
    [target] = expanded.segments["session_data_ai"].targets
    assert (target.segment, target.name, expanded.segments["session_data_ai"].family) == (
        "session_data_ai", "Session Data & AI", "session_<value>",
    )


def test_a_segment_stays_until_nobody_is_left_in_it(store: Store, config: Config) -> None:
    register(store, (1, "Ops"), age=DAY)
    register(store, (2, "Ops"), age=20 * DAY)
    assert run(store, config) == {"session_ops": [0, 1]}
    assert run(store, config, NOW + 10 * DAY) == {"session_ops": [0]}
    assert run(store, config, NOW + 29 * DAY) == {"session_ops": []}
    target = memberships.target(store, "session_ops/klaviyo/list", "list", 3, "", "Session Ops")
    with store.transaction() as db:
        memberships.confirm_add(db, target.id, "p1", NOW, ours=True)  # type: ignore[arg-type]
    assert run(store, config, NOW + 30 * DAY) == {"session_ops": []}       # its target still holds somebody by our doing
    with store.transaction() as db:
        memberships.confirm_remove(db, target.id, "p1", NOW)  # type: ignore[arg-type]
    assert run(store, config, NOW + 31 * DAY) == {}
    assert kept.values(store) == {}
    assert segments.standing(store)["session_ops"].members.tolist() == []


def test_a_condition_beside_the_family_holds_for_each_of_its_segments(store: Store, tmp_path: Path) -> None:
    config = read(tmp_path, FAMILY.replace("at_least: 2", "at_least: 1, count: {at_least: 2}") + "    contact: {klaviyo.vip: true}\n")
    write(store, 3, profile("p1", "p1@example.com", {"vip": True}))
    register(store, (1, "Ops"), (2, "Ops"), (3, "Ops"))
    register(store, (1, "Ops"), (2, "Ops"), (1, "Sales"), age=2 * DAY)
    assert run(store, config) == {"session_ops": [0]}


def test_values_are_told_apart_as_by_distinct(store: Store, tmp_path: Path) -> None:
    config = read(tmp_path, FAMILY.replace("at_least: 2", "at_least: 1").replace("    sync: {klaviyo: {list: Session <value>}}\n", ""))
    register(store, (1, 12), (2, "12"), (3, "12.0"), (4, ""), (4, "2026-01-01"), (1, "2026-01-01T08:00Z"))
    found = run(store, config)
    assert found["session_12"] == [0, 1]
    assert found["session_12_0"] == [2]
    assert found["session_2026_01_01"] == [3]
    assert found["session_2026_01_01t08_00z"] == [0]
    assert len(found) == 4


def test_two_values_of_one_name_fail_and_say_so(store: Store, config: Config) -> None:
    register(store, (1, "Data AI"), (2, "Data AI"), (1, "data-ai"), (2, "data-ai"), (1, "Ops"), (2, "Ops"))
    found = run(store, config)
    assert found == {"session_data_ai": "two values of 'session' both give the name 'session_data_ai'", "session_ops": [0, 1]} or found == {
        "session_ops": [0, 1], "session_data_ai": "two values of 'session' both give the name 'session_data_ai'",
    }


def test_a_name_that_another_segment_has_is_told_and_left_to_it(store: Store, tmp_path: Path) -> None:
    config = read(tmp_path, FAMILY + "  session_ops: {contact: {klaviyo.vip: true}}\n")
    register(store, (1, "Ops"), (2, "Ops"))
    assert run(store, config) == {
        "session_ops": [], "session_<value>": "a value gives the name 'session_ops', which is another segment's",
    }


def test_too_many_values_fail_the_family_and_keep_who_is_in_it(
    store: Store, config: Config, monkeypatch: pytest.MonkeyPatch,
) -> None:
    register(store, (1, "Ops"), (2, "Ops"))
    assert run(store, config) == {"session_ops": [0, 1]}
    monkeypatch.setattr(families, "MOST", 3)
    register(store, *((who, f"s{number}") for number in range(3) for who in (1, 2)))
    why = "'session_<value>' would be 4 segments, and a family has at most 3; raise its 'at_least'"
    assert run(store, config) == {"session_ops": why, "session_<value>": why}
    assert segments.standing(store)["session_ops"].members.tolist() == [0, 1]
    assert spelled.MOST == 1000


def test_a_name_too_long_for_the_platform_fails_its_segment_alone(store: Store, config: Config) -> None:
    register(store, (1, "x" * 300), (2, "x" * 300), (1, "Ops"), (2, "Ops"))
    found = run(store, config)
    long = next(name for name in found if name != "session_ops")
    assert "characters long, and Klaviyo takes" in str(found[long])
    assert found["session_ops"] == [0, 1]


@pytest.mark.parametrize(("value", "expected"), [
    ("Ops", "ops"), ("Data & AI", "data_ai"), ("  a--b  ", "a_b"), ("Zoë", "zoe"), ("12.50", "12_50"),
])
def test_a_value_is_a_plain_word(value: str, expected: str) -> None:
    assert plain_word(value) == expected


@pytest.mark.parametrize("value", ["Größenwahn ﷺ", "日本", "!!!", "x" * 61, "\ud800"])
def test_what_a_plain_word_cannot_say_is_told_by_a_hash(value: str) -> None:
    word = plain_word(value)
    assert word == plain_word(value.upper().lower() if value.isascii() else value)
    assert word.replace("_", "").isascii()
    assert len(word) <= 69
    assert word != plain_word(value + "x")
