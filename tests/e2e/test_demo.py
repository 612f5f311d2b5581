"""The demo is the main job: its own words about itself must hold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sync.cli import plan
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


def test_a_ctrl_c_within_one_of_its_commands_ends_all_of_it_as_stopped(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(plan, "pull", interrupted)
    code = main(["demo", "--people", "50"])
    assert code == 130
    assert capsys.readouterr().err.splitlines() == ["", "stopped"]


def test_a_folder_to_keep_that_cannot_be_made_is_a_mistake_on_the_command_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("")
    assert main(["demo", "--keep", str(tmp_path / "file" / "sub")]) == 2
    assert capsys.readouterr().err == f"segmentd: {tmp_path / 'file' / 'sub'} cannot be written: Not a directory\n"
