"""The command that a refusal names, typed as it stands, lets exactly that through: over real HTTP, through the entry function."""

from __future__ import annotations

import contextlib
import io
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors.base import DAY, HOUR, VirtualClock
from connectors.sandbox.control import Controls
from connectors.sandbox.server import Sandbox
from connectors.sandbox.world import random_world
from sync.cli.main import main
from sync.model import ExitCode
from tests.e2e.stage import write_config

START = 20_000 * DAY + 12 * HOUR
SEGMENTS = """
  buyers:
    event: order_placed
    sync:
      klaviyo: {list: Buyers, guards: {adds: {at_most: 3}}}
      mailchimp: {tag: Buyers, guards: {adds: {at_most: 3}}}
  readers:
    event: [email_opened, email_clicked]
    sync: {klaviyo: {list: Readers}}
"""


class Shell:
    def __init__(self, folder: Path, sandbox: Sandbox, controls: Controls) -> None:
        self.config = write_config(folder, sandbox.urls, SEGMENTS)
        self.sandbox, self.controls = sandbox, controls

    def type(self, *argv: str) -> tuple[int, dict[str, Any]]:
        out = io.StringIO()
        more = () if "--config" in argv else ("--config", str(self.config))
        with contextlib.redirect_stdout(out):
            code = main([*argv, *more, "--json"], self.sandbox.virtual())
        return code, orjson.loads(out.getvalue())

    def members(self, platform: str, name: str) -> int:
        return sum(row["name"] == name for row in self.controls.rows(platform, "members").to_pylist())


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with Sandbox(VirtualClock(START), seed=3) as sandbox:
        controls = Controls(sandbox.urls["control"])
        controls.load(random_world(5, 60, 400, START - HOUR))
        yield Shell(tmp_path, sandbox, controls)
        controls.close()


def test_the_command_of_a_refusal_lets_exactly_that_through(shell: Shell) -> None:
    code, report = shell.type("plan")
    assert code == ExitCode.REFUSED
    targets = {target["target"]: target for target in report["targets"]}
    refused = targets["buyers/klaviyo/list"]["refusals"]
    assert [refusal["guard"] for refusal in refused] == ["adds"]
    assert "at most 3 are let through" in refused[0]["reason"]
    code, outcome = shell.type("apply", report["plan"])
    assert code == ExitCode.REFUSED
    assert outcome["refused"].keys() == {"buyers/klaviyo/list", "buyers/mailchimp/shop/tag"}
    assert shell.members("klaviyo", "Buyers") == 0
    assert shell.members("klaviyo", "Readers") == targets["readers/klaviyo/list"]["add"] > 0
    program, *words = shlex.split(refused[0]["command"])
    assert program == "segmentd"
    code, outcome = shell.type(*words)
    assert outcome["targets"] == {"buyers/klaviyo/list": targets["buyers/klaviyo/list"]["add"]}
    assert outcome["refused"].keys() == {"buyers/mailchimp/shop/tag"}
    assert code == ExitCode.REFUSED
    assert shell.members("klaviyo", "Buyers") == targets["buyers/klaviyo/list"]["add"]
    assert shell.members("mailchimp", "Buyers") == 0
    code, outcome = shell.type(*words)
    assert (outcome["targets"], outcome["changes"]) == ({}, 0)
