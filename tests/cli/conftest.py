"""Worlds for the tests of the commands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.base import VirtualClock
from connectors.sandbox.server import Sandbox
from tests.cli.ground import NOW, Ground, build


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    """A world nobody has touched."""
    clock = VirtualClock(NOW)
    with Sandbox(clock) as sandbox:
        yield build(tmp_path, sandbox, clock)


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """A world whose config was planned and applied; tests that share it only look."""
    clock = VirtualClock(NOW)
    with Sandbox(clock) as sandbox:
        made = build(tmp_path_factory.mktemp("applied"), sandbox, clock)
        assert made("plan").code == 0
        assert made("apply").code == 0
        yield made
