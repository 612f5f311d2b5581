"""`init`, `check`, `config`, `schema`: about the YAML alone."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.cli.ground import said

BROKEN = """version: 1
connections:
  klaviyo: {key: {env: NOT_SET_ANYWHERE}, shar: 50%}
segments:
  vip:
    event: order_placed
    withn: 30d
  lost: {segment: vipp}
"""


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever connects fails."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("this command must not use the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def test_init_writes_a_sound_config_and_names_the_next_command(tmp_path: Path) -> None:
    path = tmp_path / "new.yaml"
    written = said("init", str(path))
    assert (written.code, written.err) == (0, "")
    command = written.out.strip().rpartition("Next: segmentd ")[2]
    assert command == f"check -c {path}"
    assert said(*command.split(" ")).code == 0


def test_init_never_writes_over_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("mine")
    refused = said("init", str(path), "--json")
    assert (refused.code, refused.out) == (2, "")
    assert "is there already" in refused.err
    assert path.read_text() == "mine"


def test_check_tells_every_mistake_at_once_each_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(BROKEN)
    text = said("check", "-c", str(path))
    assert text.code == 2
    assert text.err == ""
    for place, word in (("3:43", "'share'"), ("7:5", "'within'"), ("8:19", "'vip'")):
        assert any(line.startswith(f"{path}:{place}: ") and word in line for line in text.out.splitlines()), text.out
    data = said("check", "-c", str(path), "--json").json
    assert (data["ok"], len(data["problems"])) == (False, 3)
    assert all(str(problem["line"]) in text.out and problem["message"] in text.out for problem in data["problems"])


def test_check_needs_neither_secrets_nor_network(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("version: 1\nconnections:\n  klaviyo: {key: {file: /nowhere/at/all}}\nsegments:\n  all_buyers: {event: order_placed}\n")
    sound = said("check", "-c", str(path))
    assert sound.code == 0
    assert sound.out == f"{path} is sound: 1 connection, 1 segment, 0 targets. Next: segmentd plan -c {path}\n"


def test_config_shows_every_value_with_its_place_and_no_secret(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("version: 1\nsettings: {history: 90d}\nconnections:\n  klaviyo: {key: {env: THE_KEY}}\nsegments: {}\n")
    rows = {row["key"]: row for row in said("config", "-c", str(path), "--json").json}
    assert (rows["settings.history"]["value"], rows["settings.history"]["from"]) == ("90d", f"{path}:2:21")
    assert (rows["guards.stale"]["value"], rows["guards.stale"]["from"]) == ("6h", "default")
    assert rows["connections.klaviyo.key"]["value"] == "{env: THE_KEY}"
    text = said("config", "-c", str(path)).out
    assert all(row["key"] in text and row["from"] in text for row in rows.values())


def test_schema_is_valid_json_schema_and_takes_the_example() -> None:
    from ruamel.yaml import YAML

    schema = json.loads(said("schema").out)
    jsonschema.Draft202012Validator.check_schema(schema)
    example = YAML(typ="safe").load(Path(__file__).parents[2] / "config.example.yaml")
    jsonschema.Draft202012Validator(schema).validate(json.loads(json.dumps(example)))
    assert said("schema", "--json").json == schema


@pytest.mark.parametrize(("argv", "says"), [
    (["plna"], "did you mean 'plan'"),
    (["plan", "--offlin"], "--offline"),
    (["runs", "--last", "0"], "runs --help"),
    (["explain", "ann@example.com"], "Missing argument 'SEGMENT'"),
    (["check", "-c", "nowhere.yaml"], "segmentd init"),
    (["sandbox", "--ports", "1,2"], "four numbers"),
    ([], "Usage: segmentd"),
])
def test_a_wrong_command_line_is_code_2_and_says_what_would_be_right(argv: list[str], says: str) -> None:
    wrong = said(*argv)
    assert (wrong.code, wrong.out) == (2, "")
    assert says in wrong.err


def test_a_sandbox_on_a_port_that_is_taken_is_code_2(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = said("sandbox", "--people", "0", "--ports", f"{port},{port},{port},{port}")
    assert (refused.code, refused.out) == (2, "")
    assert "cannot be had" in refused.err


def test_a_directory_given_as_the_config_is_called_one(tmp_path: Path) -> None:
    refused = said("check", "-c", str(tmp_path))
    assert (refused.code, refused.out) == (2, "")
    assert f"{tmp_path} is a directory, not a config; name the file in it" in refused.err
