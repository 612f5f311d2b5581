"""What a sound file comes to."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from connectors.base import DAY, HOUR, MINUTE
from sync.config import keys
from sync.config.effective import effective
from sync.config.load import load
from sync.config.model import Apply, Config, Daily, Existing, Guards, Manage, Require, SecretRef, Threshold, Withdrawn
from sync.config.scaffold import scaffold
from sync.config.schema import config_schema
from tests.config.conftest import Load

ROOT = Path(__file__).parents[2]
GOOD = [ROOT / "config.example.yaml", *sorted((Path(__file__).parent / "good").glob("*.yaml"))]
SMALL = "version: 1\nconnections: {testing: {}}\n"
Sound = Callable[[str], Config]


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_good_file_loads_without_secrets_and_without_a_word(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.delenv("MAILCHIMP_KEY", raising=False)
    config, problems = load(path)
    assert problems == []
    assert config is not None
    assert config.segments


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_good_file_fits_the_schema(path: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(config_schema())
    held = YAML(typ="safe", pure=True).load(path)
    assert [f"{e.json_path}: {e.message}" for e in jsonschema.Draft202012Validator(config_schema()).iter_errors(held)] == []


@pytest.mark.parametrize("kinds", [("mailchimp", "hubspot", "klaviyo"), ("klaviyo",), ("testing", "hubspot"), ("mailchimp",)])
def test_the_file_to_start_from_is_sound_and_only_observes(kinds: tuple[str, ...], sound: Sound) -> None:
    config = sound(scaffold(kinds))
    assert tuple(config.connections) == kinds
    targets = [target for segment in config.segments.values() for target in segment.targets]
    assert {target.connection for target in targets} == set(kinds)
    assert {target.manage for target in targets} == {Manage.OBSERVE}


def test_every_default_is_one_that_cannot_hurt(sound: Sound, tmp_path: Path) -> None:
    config = sound(SMALL + "segments: {vip: {event: order_placed, sync: {testing: {tag: VIP}}}}\n")
    assert config.settings.timezone == "UTC"
    assert config.settings.history == 730 * DAY
    assert config.settings.store == tmp_path / "segmentd.db"
    assert config.consent.withdrawn is Withdrawn.ANYWHERE
    assert config.guards == Guards(Threshold(Fraction(1, 5), 50, 500), Threshold(Fraction(1, 2), 50, 5000), 6 * HOUR)
    assert config.schedule.apply.data is config.schedule.apply.edits is Apply.BY_HAND
    assert config.schedule.pull.changes == 10 * MINUTE
    assert config.schedule.pull.complete == Daily(3, 15)
    assert config.connections["testing"].key == SecretRef("credential", "testing")
    assert config.connections["testing"].share == Fraction(4, 5)
    target, = config.segments["vip"].targets
    assert (target.manage, target.existing) == (Manage.OURS, Existing.ASK)
    assert (target.missing, target.require) == ("skip", Require.NONE)


def test_a_target_takes_what_defaults_and_guards_say_unless_it_says_otherwise(sound: Sound) -> None:
    config = sound(SMALL + (
        "defaults: {manage: add_only, require: granted}\n"
        "guards: {removes: {at_most: 7}, stale: 1h}\n"
        "segments:\n"
        "  vip:\n    event: order_placed\n"
        "    sync: {testing: [{tag: A}, {list: B, manage: exclusive, guards: {removes: {share: 5%}}}]}\n"
    ))
    tag, listed = config.segments["vip"].targets
    assert (tag.manage, tag.require) == (Manage.ADD_ONLY, Require.GRANTED)
    assert (listed.manage, listed.require) == (Manage.EXCLUSIVE, Require.GRANTED)
    assert tag.guards.removes == Threshold(Fraction(1, 5), 50, 7)
    assert listed.guards.removes == Threshold(Fraction(1, 20), 50, 7)
    assert listed.guards.stale == HOUR


def test_each_effective_value_knows_where_it_was_said(sound: Sound) -> None:
    config = sound(SMALL + (
        "settings: {history: 1y}\n"
        "defaults: {manage: add_only}\n"
        "guards: {removes: {at_most: 7}}\n"
        "segments:\n"
        "  vip: {event: order_placed, sync: {testing: {tag: A, guards: {removes: {share: 5%}}}}}\n"
    ))
    rows = {key: (value, place and (place.line, place.column)) for key, value, place in effective(config)}
    assert rows["settings.history"] == ("365d", (3, 21))
    assert rows["settings.timezone"] == ("UTC", None)
    assert rows["connections.testing.key"] == ("{credential: testing}", None)
    assert rows["segments.vip/testing/tag.manage"] == ("add_only", (4, 20))
    assert rows["segments.vip/testing/tag.guards.removes.share"] == ("5%", (7, 81))
    assert rows["segments.vip/testing/tag.guards.removes.at_most"] == ("7", (5, 29))
    assert rows["segments.vip/testing/tag.guards.adds.at_most"] == ("5000", None)


def test_a_target_lives_in_the_audience_it_names_or_the_default_one(sound: Sound) -> None:
    connections = "connections: {mailchimp: {audiences: {de: Shop DE, at: Shop AT}, default_audience: de}}\n"
    segments = "segments: {vip: {event: order_placed, sync: {mailchimp: [{tag: VIP}, {tag: VIP, audience: at}]}}}\n"
    config = sound("version: 1\n" + connections + segments)
    assert [target.audience for target in config.segments["vip"].targets] == ["de", "at"]


def test_the_only_audience_is_the_default_one(sound: Sound) -> None:
    config = sound("version: 1\nconnections: {mailchimp: {audiences: {de: 9e67587f52}}}\n")
    assert config.connections["mailchimp"].default_audience == "de"


def test_an_event_knows_its_sources_and_what_they_call_its_properties(sound: Sound) -> None:
    config = sound(
        "version: 1\nconnections: {klaviyo: {}, hubspot: {}}\nevents:\n"
        "  order_placed: {same: order_id, properties: {order_id: {klaviyo: Number}, plan: Plan Name}}\n"
        "  cart_updated: {from: klaviyo}\n"
        "  trial_started: {from: {klaviyo: Started Trial}}\n"
    )
    assert config.events["order_placed"].same == "order_id"
    assert config.events["order_placed"].properties == {"plan": "Plan Name"}
    assert config.events["order_placed"].on_connection == {"klaviyo": {"order_id": "Number"}}
    assert config.events["cart_updated"].sources == {"klaviyo": "Added to Cart"}
    assert config.events["trial_started"].sources == {"klaviyo": "Started Trial"}


def test_one_witness_is_asked_for_only_where_a_segment_counts_the_fact(sound: Sound) -> None:
    config = sound("version: 1\nconnections: {klaviyo: {}, hubspot: {}}\nsegments: {open: {event: email_opened}}\n")
    assert list(config.segments) == ["open"]


def test_machine_opens_that_are_ignored_reach_the_rules(sound: Sound) -> None:
    text = "segments: {reads: {event: email_opened}}\n"
    connections = "version: 1\nconnections: {klaviyo: {}}\n"
    ignoring = sound(connections + "settings: {machine_opens: ignore}\n" + text)
    counting = sound(connections + text)
    assert ignoring.segments["reads"].rule.filter.human
    assert not counting.segments["reads"].rule.filter.human


def test_options_of_a_kind_are_carried_as_json(sound: Sound) -> None:
    config = sound("version: 1\nconnections: {testing: {shelf: {a: [1, 1.5, true, null, 'true', 012, 1_000, NO, 12:30]}}}\n")
    assert config.connections["testing"].options == {"shelf": {"a": [1, 1.5, True, None, "true", "012", "1_000", "NO", "12:30"]}}


def test_a_window_longer_than_history_is_a_warning_and_stops_nothing(loads: Load) -> None:
    config, problems = loads(SMALL + "settings: {history: 90d}\nsegments: {old: {event: order_placed, ago: [400d, 100d]}}\n")
    assert config is not None
    assert [str(problem.place).rsplit("/", 1)[1] for problem in problems] == ["config.yaml:4:12"]
    assert problems[0].message == "warning: segment 'old' looks back 400d, and settings.history reaches 90d"


def test_a_rule_that_looks_further_back_than_its_events_are_kept_is_a_warning(loads: Load) -> None:
    keeps = "settings: {history: 9y}\nevents: {order_placed: {keep: 400d}, page_viewed: {from: {testing: View}, keep: 2y}}\nsegments:\n"
    for rule, message in (
        ("event: order_placed, within: 401d", "looks back 401d for order_placed, and events.order_placed.keep is 400d"),
        ("event: order_placed, ago: [500d, 1d]", "looks back 500d for order_placed, and events.order_placed.keep is 400d"),
        ("not: {event: 'order_*'}", "asks for every order_placed there ever was, and events.order_placed.keep is 400d"),
        ("event: order_placed, within: 400d", ""), ("event: page_viewed, within: 500d", ""),
    ):
        config, problems = loads(f"{SMALL}{keeps}  old: {{{rule}}}\n")
        assert config is not None, problems
        assert (problems[0].message if problems else "") == (f"warning: segment 'old' {message}" if message else "")



def test_a_key_under_an_alias_is_read_where_it_stands(sound: Sound) -> None:
    config = sound(SMALL + "guards: {removes: &few {share: 5%, at_most: 5}, adds: *few}\n")
    assert config.guards.adds == Threshold(Fraction(1, 20), 50, 5)


def test_sections_whose_lines_are_all_comments_are_empty(sound: Sound) -> None:
    config = sound("version: 1\nconnections:\n  testing:\nsettings:\nguards:\nevents:\nsegments:\n")
    assert config.segments == {}


@pytest.mark.parametrize("section", keys.SECTIONS, ids=lambda section: section.title)
def test_every_key_is_documented_and_so_is_every_key_that_comes_later(section: keys.Section) -> None:
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    missing = [key for key in (*section.keys, *section.later) if f"`{key}`" not in page and f"`{key}:" not in page]
    assert missing == []


def test_the_schema_knows_exactly_the_keys_of_the_loader() -> None:
    schema = config_schema()
    assert set(schema["properties"]) == set(keys.TOP.keys)
    parts = {"settings": keys.SETTINGS, "guards": keys.GUARDS, "defaults": keys.DEFAULTS, "schedule": keys.SCHEDULE}
    for name, section in parts.items():
        assert set(schema["properties"][name]["properties"]) == set(section.keys)
    assert set(schema["$defs"]["target"]["properties"]) == set(keys.TARGET.keys)
    assert set(keys.SEGMENT.keys) < set(schema["$defs"]["segment"]["properties"])
