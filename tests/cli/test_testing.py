"""`test`: stories beside the config, told to its rules, and what is printed when they do not come true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.ground import Said, said
from tests.cli.test_reading import keys_of, section

PAGE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text()
SEGMENTS, STORY = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
HEAD = """version: 1
settings: {timezone: UTC}
connections:
  mailchimp: {key: {env: KEY}, audiences: {shop: My shop}, default_audience: shop}
  klaviyo: {key: {env: KEY}}
events: {order_placed: {same: order_id}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(HEAD + SEGMENTS)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "winter.yaml").write_text(STORY)
    return path


def told(config: Path, *files: str) -> Said:
    return said("test", *files, "-c", str(config))


def test_the_story_of_the_page_comes_true(config: Path) -> None:
    done = told(config)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        f"✓ {config.parent}/tests/winter.yaml: Three looks make a winter shopper, an order takes it back",
        "4 expectations in 1 story, all came true",
    ]


def test_what_does_not_come_true_is_shown_with_its_place_and_the_conditions_of_those_on_the_wrong_side(config: Path) -> None:
    story = config.parent / "tests" / "winter.yaml"
    story.write_text(STORY.replace("winter_shoppers: [ann]", "winter_shoppers: [ann, bob]"))
    done = told(config)
    assert (done.code, done.err) == (1, "")
    line = 1 + story.read_text().splitlines().index("  winter_shoppers: [ann, bob]")
    assert f"  {story}:{line}:3: winter_shoppers at 2026-11-20 12:00:00\n    expected ann, bob\n    got      ann\n" in done.out
    assert "    bob should be in it:\n      ✗ all of\n" in done.out
    assert "      Missing: not (order_placed, within 30d): 1 counts\n" in done.out
    assert "ann should" not in done.out
    assert done.out.endswith("4 expectations in 1 story, 1 failed\n")


def test_somebody_in_excess_is_shown_with_what_it_would_take(config: Path) -> None:
    (config.parent / "tests" / "winter.yaml").write_text(STORY.replace("winter_shoppers: [ann]", "winter_shoppers: {not_in: ann}"))
    done = told(config)
    assert done.code == 1
    assert "    expected nobody in it, ann not\n    got      ann\n    ann should not be in it:\n" in done.out
    assert 'It would take: not (product_viewed where category starts with winter, count at least 3, within 14d): 3 count or ' in done.out


def test_the_json_has_every_documented_key(config: Path) -> None:
    (config.parent / "tests" / "winter.yaml").write_text(STORY.replace("winter_shoppers: [ann]", "winter_shoppers: nobody"))
    done = said("test", "-c", str(config), "--json")
    assert done.code == 1
    failed = done.json["stories"][0]["failed"][0]
    assert (failed["got"], failed["excess"], failed["lacking"], failed["segment"]) == (["ann"], ["ann"], [], "winter_shoppers")
    assert failed["people"][0]["tree"]["children"][0]["events"][0]["event"] == "product_viewed"
    missing = sorted(key for key in keys_of(done.json) if f"`{key}`" not in section("test") + section("explain"))
    assert not missing


def test_stories_stand_in_the_folder_tests_or_beside_the_config_or_are_named(config: Path) -> None:
    (config.parent / "more.test.yaml").write_text(STORY)
    (config.parent / "other.yaml").write_text(STORY)
    assert told(config).out.count("✓") == 2
    assert told(config, str(config.parent / "other.yaml")).out.startswith(f"✓ {config.parent}/other.yaml")
    for path in ((config.parent / "tests" / "winter.yaml"), config.parent / "more.test.yaml"):
        path.unlink()
    none = told(config)
    assert (none.code, none.out) == (2, "")
    assert "no stories beside" in none.err


def test_a_story_whose_sum_cannot_be_answered_may_expect_that(config: Path) -> None:
    config.write_text(HEAD + "segments:\n  rich: {event: order_placed, sum: {of: value, at_least: 5}}\n")
    story = config.parent / "tests" / "winter.yaml"
    text = """
now: 2026-01-01
people:
  ann:
    events: [{event: order_placed, at: now, properties: {value: 5, currency: EUR}},
             {event: order_placed, at: in 1d, properties: {value: 5, currency: USD}}]
expect: {rich: [ann]}
then: [{after: 1d, expect: {rich: failure}}]
"""
    story.write_text(text)
    assert told(config).code == 0
    story.write_text(text.replace("rich: failure", "rich: nobody"))
    done = told(config)
    assert done.code == 1
    assert "got      a failure: sum of 'value' mixes EUR, USD" in done.out
    story.write_text(text.replace("rich: [ann]", "rich: failure"))
    assert "expected a failure\n    got      ann\n" in told(config).out


def test_two_evaluators_that_differ_are_a_bug_of_ours(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sync.insight import trial

    monkeypatch.setattr(trial, "quickly", lambda people, rules, at: {name: frozenset({"cleo"}) for name in rules})
    done = told(config)
    assert done.code == 70
    assert "segment 'winter_shoppers' at 1763640000000" not in done.err
    assert re.search(r"ann by the slow evaluator, cleo by the full pass", done.err)
    assert "please report it" in done.err


def test_a_config_with_mistakes_is_told_first(config: Path) -> None:
    config.write_text(HEAD + "segments: {a: {event: order_placed, withn: 3d}}\n")
    done = told(config)
    assert (done.code, done.out) == (2, "")
    assert "did you mean 'within'?" in done.err
