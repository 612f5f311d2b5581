"""`status`, `explain`, `events`, `runs`; and that every key of every command's JSON is documented."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sync.cli.main import COMMANDS
from sync.store.store import Store
from tests.cli.ground import NOW, Ground, said

DOCS = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
BY_NAME = {                                         # keys under which names are keys
    "connections", "segments", "targets", "refused", "ways", "dropped", "stopped", "problems", "withheld", "difference", "platforms",
    "tag", "urls", "keys", "summary",
}


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, applied: Ground) -> Iterator[Ground]:
    """The applied world's store with no network and no secrets."""
    keys = {path: path.read_text() for path in applied.folder.glob("*.key")}
    for path in keys:
        path.unlink()

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("this command must not use the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    yield applied
    for path, text in keys.items():
        path.write_text(text)


def an_address(ground: Ground, tagged: bool) -> str:
    """Somebody on Mailchimp who has the tag, or has not."""
    rows = ground.sandbox.applications["mailchimp"].rows("members").to_pylist()
    inside = {row["profile"] for row in rows if row["name"] == "Buyers"}
    people = ground.sandbox.applications["mailchimp"].rows("profiles").to_pylist()
    return str(next(p["email"] for p in people if p["live"] and not p["barred"] and (p["id"] in inside) is tagged))


def test_status_shows_accounts_ages_members_and_the_last_run(alone: Ground) -> None:
    text = alone("status")
    assert (text.code, text.err) == (0, "")
    data = alone.data("status")
    assert data["connections"]["mailchimp"]["name"] == "Sandbox Inc"
    for name, segment in data["segments"].items():
        assert re.search(rf"^{name} +{segment['members']:,} ", text.out, re.MULTILINE)
    assert all(target["ours"] == target["members"] > 0 and target["applied"] for target in data["targets"].values())
    assert data["last_run"]["command"] in ("apply", "sync", "plan")
    assert data["next"] == ""


def test_explain_shows_each_condition_with_what_it_counted(alone: Ground) -> None:
    inside = alone("explain", an_address(alone, tagged=True).upper(), "buyers")
    assert (inside.code, inside.err) == (0, "")
    assert " is in buyers\n" in inside.out
    assert re.search(r"✓ order_placed  \[\d+ events?\]", inside.out)
    outside = alone.data("explain", an_address(alone, tagged=False), "buyers")
    assert outside["member"] is False
    assert outside["tree"]["value"] == "0 events"


def test_explain_of_nobody_is_code_1_and_does_not_repeat_the_address(alone: Ground) -> None:
    for address in ("nobody@example.com", "no address at all"):
        nobody = alone("explain", address, "buyers")
        assert (nobody.code, nobody.out) == (1, "")
        assert address not in nobody.err


def test_events_counts_what_came_and_names_what_could(alone: Ground) -> None:
    rows = {row["event"]: row for row in alone.data("events")}
    assert rows["order_placed"]["count"] > 0
    assert rows["order_placed"]["first"] < rows["order_placed"]["last"] <= "2025-11-23T11:00:00Z"
    assert "klaviyo: Placed Order" in rows["order_placed"]["told_by"]
    assert re.search(r"^order_placed +\d", alone("events").out, re.MULTILINE)


def test_runs_are_the_newest_first_with_how_they_went(alone: Ground) -> None:
    rows = alone.data("runs")
    assert [row["command"] for row in rows] == ["apply", "plan"]
    assert [row["exit"] for row in rows] == [0, 0]
    assert len(alone.data("runs", "--last", "1")) == 1
    assert "started (UTC)" in alone("runs").out


def test_a_run_under_way_is_called_the_same_by_runs_as_by_status(ground: Ground) -> None:
    ground("plan")
    with Store.writer(ground.folder / "store.db") as store, store.transaction() as db:
        db.execute("insert into runs (command, started) values ('apply', ?)", (ground.clock.now(),))
    assert "apply, 0 s ago, under way or cut off." in ground("status").out
    assert "under way or cut off" in ground("runs").out.splitlines()[1]


def test_a_reason_of_several_lines_and_escapes_is_shown_as_one_harmless_line(ground: Ground) -> None:
    ground("plan")
    ground("apply", "--allow", "buyers/klaviyo/list:adds", "--reason", "counted\nby \x1b[31mhand")
    shown = ground("runs").out
    assert len(shown.splitlines()) == 3
    assert "\x1b" not in shown
    assert "reason counted by [31mhand" in shown
    assert ground.data("runs")[0]["summary"]["reason"] == "counted\nby \x1b[31mhand"


def test_without_a_store_the_readers_say_how_to_make_one(ground: Ground) -> None:
    for argv in (["status"], ["runs"], ["explain", "ann@example.com", "buyers"]):
        nothing = ground(*argv)
        assert (nothing.code, nothing.out) == (1, "")
        assert "`segmentd plan` makes it" in nothing.err
    assert ground("events").code == 0


def test_on_a_fresh_store_the_readers_work_and_name_the_plan(ground: Ground) -> None:
    Store.writer(ground.folder / "store.db").close()
    fresh = ground("status")
    assert fresh.code == 0
    assert "Nothing was run yet." in fresh.out
    assert fresh.out.rstrip().endswith(f"Next: segmentd plan -c {ground.config}")
    assert ground.data("runs") == []
    assert all(row["count"] == 0 for row in ground.data("events"))
    assert ground("explain", "ann@example.com", "buyers").code == 1
    assert ground("preview", "buyers").out.startswith("buyers: the store holds no contacts yet; `segmentd plan` pulls them\n")
    assert "no segment 'bogus' in the list of those that left the config; it has none" in ground("retire", "bogus").err


# --- the written contract ------------------------------------------------------------------------------------------------


def keys_of(value: Any, named: bool = False) -> set[str]:
    """Every key of *value*, without those that are names."""
    if isinstance(value, list):
        return set().union(*(keys_of(each) for each in value)) if value else set()
    if not isinstance(value, dict):
        return set()
    own = set() if named else set(value)
    below = [keys_of(held, key in BY_NAME and isinstance(held, dict) and not named) for key, held in value.items()]
    return own.union(*below) if below else own


def section(command: str) -> str:
    """What docs/cli.md says of a command's JSON; `sync` is told with `apply`, `apply` partly with `plan`."""
    found = re.search(rf"^### {command}\n(.*?)(?=^### |\Z)", DOCS, re.MULTILINE | re.DOTALL)
    assert found, f"docs/cli.md has no section on the JSON of {command}"
    also = {"sync": "apply", "apply": ""}.get(command, "")
    return found[1] + (section(also) + section("plan") if also else "")


@pytest.mark.parametrize("argv", [
    ["check"], ["config"], ["plan", "--offline"], ["apply"], ["sync"], ["status"], ["events"], ["seal"], ["verify"], ["runs"],
    ["explain", "@", "buyers"], ["preview", "readers"],
])
def test_each_json_is_one_value_whose_keys_are_documented(applied: Ground, argv: list[str]) -> None:
    typed = [an_address(applied, tagged=True) if word == "@" else word for word in argv]
    answer = applied(*typed, "--json")
    assert answer.err == ""
    keys = keys_of(answer.json)
    assert keys
    missing = sorted(key for key in keys if f"`{key}`" not in section(argv[0]))
    assert not missing, f"docs/cli.md does not say what {missing} of `{argv[0]}` are"


def test_the_jsons_of_init_and_of_a_broken_check_are_documented(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    assert all(f"`{key}`" in section("init") for key in keys_of(said("init", str(path), "--json").json))
    path.write_text("version: 2\n")
    assert all(f"`{key}`" in section("check") for key in keys_of(said("check", "-c", str(path), "--json").json))


def test_every_command_and_exit_code_is_documented() -> None:
    from sync.model import ExitCode

    for name in COMMANDS:
        assert re.search(rf"^\| `{name}[ `]", DOCS, re.MULTILINE), name
    for code in ExitCode:
        assert f"\n| {int(code)} |" in DOCS
    assert NOW > 0


def test_every_command_takes_json_and_says_what_it_does() -> None:
    for name in COMMANDS:
        told = said(name, "--help")
        assert (told.code, told.err) == (0, "")
        assert "--json" in told.out, name
