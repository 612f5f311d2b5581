"""What the import linter cannot say: a connector and its sandbox share no code, and nobody opens the store by other means."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLATFORMS = ("mailchimp", "hubspot", "klaviyo")


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_sandbox_imports_nothing_of_its_connector(platform: str) -> None:
    room = f"connectors.{platform}"
    for file in (ROOT / "connectors" / platform / "sandbox").rglob("*.py"):
        foreign = [name for name in imports(file) if name.startswith(room) and not name.startswith(f"{room}.sandbox")]
        assert not foreign, f"{file.name} imports {foreign}"
        assert "connectors.http" not in imports(file)
        assert "connectors.base" not in imports(file) or platform == "", f"{file.name} leans on the connectors' protocol"


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_connector_imports_nothing_of_any_sandbox(platform: str) -> None:
    for file in (ROOT / "connectors" / platform).glob("*.py"):
        assert not [name for name in imports(file) if "sandbox" in name], file.name


def test_nobody_asks_the_machine_for_the_time_but_the_clock() -> None:
    asking = re.compile(r"\b(datetime\.now|datetime\.utcnow|time\.time\(|time\.sleep|date\.today)\b|current_timestamp|'now'")
    for package in ("connectors", "sync"):
        for file in (ROOT / package).rglob("*.py"):
            if file.name != "clock.py":
                assert not asking.search(file.read_text()), f"{file} asks for the time"


def test_nobody_opens_the_store_file_but_the_store() -> None:
    opening = re.compile(r"sqlite3\.connect|sqlite_scan|ATTACH\b|import apsw")
    for package in ("connectors", "sync"):
        for file in (ROOT / package).rglob("*.py"):
            if file.name != "opening.py":
                assert not opening.search(file.read_text()), f"{file} opens a database by itself"


def test_a_listed_crash_point_stands_in_the_code_and_the_other_way_round() -> None:
    from sync.crash import POINTS

    code = "\n".join(file.read_text() for file in (ROOT / "sync").rglob("*.py") if file.name != "crash.py")
    assert set(re.findall(r'crash_point\("([\w.]+)"\)', code)) == set(POINTS)
