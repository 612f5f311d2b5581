"""The demo is the main job: its own words about itself must hold."""

from __future__ import annotations

import json

import pytest

from sync.cli.main import main


def told(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, dict[str, object]]:
    code = main(["demo", "--json", *argv])
    return code, json.loads(capsys.readouterr().out)


def test_in_calm_weather_the_buyer_moves_and_every_target_equals_the_truth(capsys: pytest.CaptureFixture[str]) -> None:
    code, story = told(capsys, "--people", "700")
    assert story["difference"] == {}
    assert story["moved"] is True
    assert story["syncs"][-1]["changes"] == 0       # type: ignore[index]
    assert "--allow lapsed/mailchimp/shop/tag:adds" in str(story["refused"])
    assert code == 0


@pytest.mark.parametrize("seed", [1, 2])
def test_in_stormy_weather_it_ends_just_as_well(capsys: pytest.CaptureFixture[str], seed: int) -> None:
    code, story = told(capsys, "--people", "400", "--weather", "stormy", "--seed", str(seed))
    assert story["difference"] == {}
    assert story["moved"] is True
    assert story["syncs"][-1]["changes"] == 0       # type: ignore[index]
    assert code == 0
