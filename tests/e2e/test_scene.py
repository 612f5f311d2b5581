"""The scene of the README, as anybody can play it: on the machine's own clock, in processes of their own."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import cast

import pytest

from connectors.clock import SystemClock
from sync.cli.demo import Stage
from sync.cli.main import main
from sync.cli.scene import PATIENCE, Scene
from sync.model import ExitCode, SegmentdError

README = Path(__file__).parents[2] / "README.md"


def bare(text: str) -> str:
    """*text* without what differs from one time to the next: numbers, ids, how far columns are indented."""
    return re.sub(r" +", " ", re.sub(r"\d+", "0", re.sub(r"[0-9A-Z]{8,}", "ID", text))).strip()


def test_the_readme_shows_what_the_scene_prints_and_no_tag_comes_off_too_early(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--scene"]) == 0
    played = capsys.readouterr().out
    shown = re.search(r"^```\n(segments:\n  just_clicked:.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
    assert shown is not None
    assert bare(played) == bare(shown[1])
    off = re.search(r"The tag is off: ([0-9.]+) s after the click", played)
    assert off is not None
    assert float(off[1]) >= 20


@pytest.mark.parametrize("option", [("--people", "100"), ("--weather", "stormy"), ("--seed", "7")])
def test_options_that_the_scene_would_not_heed_are_refused(capsys: pytest.CaptureFixture[str], option: tuple[str, str]) -> None:
    assert main(["demo", "--scene", *option]) == ExitCode.CONFIG
    assert f"leave out {option[0]}" in capsys.readouterr().err


def test_a_daemon_that_ends_at_once_is_told_at_once(tmp_path: Path) -> None:
    began = time.monotonic()
    scene = Scene(tmp_path, cast(Stage, None), SystemClock(), quiet=True)
    with pytest.raises(SegmentdError, match="did not start"), scene.daemon():
        pass
    assert time.monotonic() - began < PATIENCE / 2
