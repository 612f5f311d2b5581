"""Conditions that need more than people and events: platform lists, fields of several platforms, edited event names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.base import DAY, VirtualClock
from connectors.sandbox.cdnow import cdnow_world
from connectors.sandbox.control import Controls
from connectors.sandbox.server import Sandbox
from sync.cli.main import main
from tests.e2e.stage import write_config

NOON = 20_781 * DAY + DAY // 2


class Stage:
    def __init__(self, folder: Path, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.sandbox, self.capsys = folder, sandbox, capsys
        self.controls = Controls(sandbox.urls["control"])

    def segmentd(self, *argv: str) -> tuple[int, Any]:
        code = main([*argv, "--config", str(self.folder / "config.yaml"), "--json"], self.sandbox.virtual())
        return code, json.loads(self.capsys.readouterr().out)

    def plan(self, segments: str, change: tuple[str, str] = ("", "")) -> dict[str, dict[str, Any]]:
        path = write_config(self.folder, self.sandbox.urls, segments)
        path.write_text(path.read_text().replace(*change) if change[0] else path.read_text())
        _, report = self.segmentd("plan", "--complete")
        return {target["target"]: target for target in report["targets"]}


@pytest.fixture
def stage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Stage]:
    with Sandbox(VirtualClock(NOON)) as sandbox:
        world = cdnow_world(NOON // DAY * DAY - DAY, people=80, mail=0)
        for application in sandbox.applications.values():
            application.load(world)
        found = Stage(tmp_path, sandbox, capsys)
        yield found
        found.controls.close()


MEMBERS = """
  w: {all: [{member_of: {klaviyo: {list: Hand}}}], sync: {mailchimp: {tag: W}}}
  not_w: {all: [{not: {member_of: {klaviyo: {list: Hand}}}}], sync: {mailchimp: {tag: Not W}}}
"""


def test_a_list_that_people_keep_by_hand_is_read_and_asked(stage: Stage) -> None:
    on_both = {r["person"] for r in stage.controls.rows("mailchimp", "profiles").to_pylist() if r["live"] and not r["barred"]}
    people = [r for r in stage.controls.rows("klaviyo", "profiles").to_pylist() if r["person"] in on_both and not r["barred"]][:3]
    stage.controls.act("klaviyo", "create_target", name="Hand")
    for person in people:
        stage.controls.act("klaviyo", "add_by_hand", email=person["email"], target="Hand")
    targets = stage.plan(MEMBERS)
    assert targets["w/mailchimp/shop/tag"]["add"] == len(people)
    assert targets["w/mailchimp/shop/tag"]["desired"] + targets["not_w/mailchimp/shop/tag"]["desired"] == 80


def test_a_list_that_is_not_there_is_no_empty_list(stage: Stage) -> None:
    target = stage.plan(MEMBERS)["not_w/mailchimp/shop/tag"]
    assert target["add"] == 0
    assert "list 'Hand' on klaviyo" in json.dumps(target)


def test_a_list_that_cannot_be_read_is_no_empty_list(stage: Stage) -> None:
    stage.controls.act("klaviyo", "create_target", name="Hand")
    stage.controls.fail("klaviyo", "500", count=1000, match="GET /api/lists/.+/")
    assert stage.plan(MEMBERS)["not_w/mailchimp/shop/tag"]["add"] == 0


def test_a_neutral_field_is_looked_for_where_the_config_says(stage: Stage) -> None:
    rule = "\n  de: {contact: {city: Berlin}, sync: {klaviyo: {list: Berlin}}}\n"
    by_default = stage.plan(rule)["de/klaviyo/list"]["desired"]
    assert by_default > 0
    nowhere = ("segments:\n", "fields:\n  city: {first_of: [hubspot.no_such_property]}\nsegments:\n")
    assert stage.plan(rule, nowhere)["de/klaviyo/list"]["desired"] == 0


def test_an_edited_witness_is_asked_for_everything_again(stage: Stage) -> None:
    rule = "\n  buyers: {event: order_placed, sync: {mailchimp: {tag: Buyers}}}\n"
    everybody = stage.plan(rule)["buyers/mailchimp/shop/tag"]["desired"]
    only = ("{same: order_id}", "{from: klaviyo}")
    fewer = stage.plan(rule, only)["buyers/mailchimp/shop/tag"]["desired"]
    told = {r["person"] for r in stage.controls.rows("klaviyo", "events").to_pylist() if r["kind"] == "order_placed"}
    assert (everybody, fewer) == (80, len(told))
    assert stage.plan(rule)["buyers/mailchimp/shop/tag"]["desired"] == 80


def test_a_longer_history_is_read_before_anything_moves_on_it(stage: Stage) -> None:
    rule = "\n  buyers: {event: order_placed, sync: {mailchimp: {tag: Buyers}}}\n"
    short = stage.plan(rule, ("history: 3y", "history: 60d"))["buyers/mailchimp/shop/tag"]["desired"]
    assert 0 < short < 80
    assert stage.plan(rule)["buyers/mailchimp/shop/tag"]["desired"] == 80
