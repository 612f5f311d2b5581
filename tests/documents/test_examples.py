"""Every example of the documents is what `check` takes, means the same to both evaluators, and is true of some people only."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from connectors import registry
from sync.cli.main import main
from sync.config.families import expanded
from sync.config.load import load
from sync.config.model import Config
from sync.config.reading import parse
from sync.config.schema import config_schema
from sync.evaluate.turns import NEVER
from sync.insight.story import read_story
from sync.insight.trial import quickly, slowly, tried
from sync.language.person import Person
from sync.language.values import RuleFailure
from tests.documents.examples import OTHERS, PAGES, ROOT, Example, examples, examples_of, loaded, whole
from tests.documents.people import population
from tests.language.support import at

NOW = at("2026-06-15T12:00:00Z")
SIZE = 200
EXAMPLES = examples()
RULES = [each for each in EXAMPLES if not each.is_story and not each.refused]
WITHOUT_SEGMENTS = {"include", "traits", "connections", "events", "fields", "guards"}


def sound(example: Example, folder: Path) -> Config:
    config, problems = loaded(whole(example)[0], folder)
    assert config is not None, problems
    assert not problems
    return expanded(config, {name: ["else"] for name in config.families}, {})


def test_no_example_is_left_out() -> None:
    """What each is held to: a rule is evaluated, a story comes true, a refused one is refused so."""
    told = [each for each in EXAMPLES if each.is_story or each.refused]
    assert len(RULES) + len(told) == len(EXAMPLES)
    print()
    print("\n".join(f"{'rule' if each in RULES else 'story' if each.is_story else 'refused':<8} {each.name}" for each in EXAMPLES))
    assert sum(len(re.findall(r"^ *```yaml", page.read_text(), re.MULTILINE)) for page in PAGES) == len(EXAMPLES)
    assert {each.page for each in EXAMPLES} >= {"README.md", "segments.md", "configuration.md", "testing.md"}


@pytest.mark.parametrize("example", RULES, ids=lambda each: each.name)
def test_an_example_means_the_same_to_both_evaluators_and_holds_for_some(example: Example, tmp_path: Path) -> None:
    config = sound(example, tmp_path)
    rules = {name: segment.rule for name, segment in config.segments.items()}
    said, _ = parse(example.text, example.page)
    assert said is not None
    made = population(Random(example.name.partition(" ")[2]), rules, said, NOW, SIZE)
    names = own(example, config)
    people = {str(place): person for place, person in enumerate(made)}
    asked = dict(made[0].rules)
    for moment in (NOW, *turns(config, made)):
        slow, fast = slowly(people, asked, moment), quickly(people, asked, moment)
        assert fast == slow
        for name, members in slow.items():
            assert isinstance(members, frozenset), f"{name}: {members}"
            if moment == NOW and name in names:
                assert 0 < len(members) < SIZE, f"'{name}' holds for {len(members)} of {SIZE}: its people do not meet it"
    assert example.opens in WITHOUT_SEGMENTS or names


def own(example: Example, config: Config) -> list[str]:
    """The segments that the example itself holds."""
    return [name for name in config.segments if name not in OTHERS or f"\n  {name}:" in example.text]


def turns(config: Config, people: list[Person]) -> list[int]:
    """Some of the moments at which an answer may change by itself, and the millisecond before."""
    found: set[int] = set()
    for name, segment in config.segments.items():
        if name not in OTHERS:
            for person in people[:20]:
                try:
                    found.add(segment.rule.turn(person, NOW) or NEVER)
                except RuleFailure:
                    continue
    return [moment + beside for moment in sorted(found - {NEVER})[:3] for beside in (-1, 0)]


@pytest.mark.parametrize("example", [each for each in EXAMPLES if each.refused], ids=lambda each: each.name)
def test_what_an_example_shows_as_wrong_is_refused_with_those_words(example: Example, tmp_path: Path) -> None:
    text, before = whole(example)
    config, problems = loaded(text, tmp_path)
    assert config is None
    by_line: dict[int, list[str]] = {}
    for problem in problems:
        by_line.setdefault(problem.place.line - before, []).append(str(problem))
    assert set(by_line) == set(example.refused), by_line
    for line, says in example.refused.items():
        assert any(says in each for each in by_line[line]), (says, by_line[line])


def stories() -> tuple[Example, Example]:
    """The segments of the page about stories, and the story."""
    segments, story = list(examples_of(ROOT / "docs" / "testing.md"))[:2]
    return segments, story


def test_the_story_of_the_page_comes_true(tmp_path: Path) -> None:
    segments, story = stories()
    config = sound(segments, tmp_path)
    (tmp_path / "story.yaml").write_text(story.text)
    read, problems = read_story(tmp_path / "story.yaml", config)
    assert read is not None, problems
    found = tried(read, config)
    assert not found.wrong
    assert not found.disagreements
    assert len(read.expectations) == 4


STORIES = sorted((Path(__file__).parent / "stories").glob("*.test.yaml"))


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.name.partition(".")[0])
def test_what_the_reference_claims_of_an_edge_comes_true(path: Path) -> None:
    registry.kind.cache_clear()
    config, problems = load(path.parent / "config.yaml")
    assert config is not None, problems
    story, wrong = read_story(path, config)
    assert story is not None, wrong
    found = tried(story, config)
    assert [f"{each.expectation.place}: {each.expectation.segment} got {each.got}" for each in found.wrong] == []
    assert not found.disagreements


def test_every_segment_of_the_stories_is_expected_of_somebody() -> None:
    config, _ = load(STORIES[0].parent / "config.yaml")
    assert config is not None
    told = {each.segment for path in STORIES if (story := read_story(path, config)[0]) for each in story.expectations}
    assert set(config.segments) - told == set()


def as_an_editor_reads(held: Any) -> Any:
    """YAML 1.2 knows no dates: they are texts."""
    if isinstance(held, dict):
        return {key: as_an_editor_reads(value) for key, value in held.items()}
    if isinstance(held, list):
        return [as_an_editor_reads(value) for value in held]
    return held.isoformat() if isinstance(held, date) else held


@pytest.mark.parametrize("example", RULES, ids=lambda each: each.name)
def test_an_example_fits_the_schema(example: Example) -> None:
    held = as_an_editor_reads(YAML(typ="safe", pure=True).load(whole(example)[0]))
    wrong = jsonschema.Draft202012Validator(config_schema()).iter_errors(held)
    assert [f"{each.json_path}: {each.message}" for each in wrong] == []


def test_a_story_that_does_not_come_true_is_told_as_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    segments, story = stories()
    (tmp_path / "tests").mkdir()
    (tmp_path / "config.yaml").write_text(whole(segments)[0])
    (tmp_path / "tests" / "winter.yaml").write_text(story.text.replace("shoppers: [ann]\n", "shoppers: [ann, bob]\n", 1))
    monkeypatch.chdir(tmp_path)
    assert main(["test"]) == 1
    printed = [line.strip() for line in capsys.readouterr().out.splitlines()]
    page = (ROOT / "docs" / "testing.md").read_text()
    shown = page.partition("## What it prints")[2].partition("    ✗")[2].partition("\n\nEvery answer")[0]
    lines = [line.strip() for line in f"✗{shown}".splitlines() if line.strip() not in ("", "…")]
    assert len(lines) > 6
    assert [line for line in lines if line not in printed] == []
