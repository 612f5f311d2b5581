"""What a terminal, a pipe and a stranger's environment see."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.base import DAY, SystemClock
from connectors.sandbox.server import Sandbox
from connectors.sandbox.world import random_world
from tests.cli.ground import SEGMENTS, said
from tests.e2e.stage import write_config

COMMAND = [sys.executable, "-m", "sync.cli.main"]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with Sandbox(SystemClock()) as running:
        world = random_world(7, 60, 400, SystemClock().now() // DAY * DAY)
        for application in running.applications.values():
            application.load(world)
        yield write_config(tmp_path_factory.mktemp("terminal"), running.urls, SEGMENTS)


def on_a_terminal(argv: list[str], **environment: str) -> tuple[int, str, str]:
    """Exit code, stdout (a pipe), stderr (a terminal)."""
    ours, theirs = pty.openpty()
    seen: list[bytes] = []

    def read() -> None:
        while True:
            try:
                chunk = os.read(ours, 65_536)
            except OSError:                         # the other side is closed
                return
            if not chunk:
                return
            seen.append(chunk)

    reader = threading.Thread(target=read)
    reader.start()
    process = subprocess.Popen([*COMMAND, *argv], stdout=subprocess.PIPE, stderr=theirs, text=True,
                               env={**os.environ, "TERM": "xterm", **environment})
    os.close(theirs)
    out, _ = process.communicate(timeout=60)
    reader.join(10)
    os.close(ours)
    return process.returncode, out, b"".join(seen).decode("utf-8", "replace")


def test_a_long_pull_shows_progress_on_a_terminal_and_nothing_of_it_on_stdout(config: Path) -> None:
    code, out, shown = on_a_terminal(["plan", "--complete", "-c", str(config)])
    assert code == 0, shown
    assert "mailchimp profiles" in shown
    assert " rows" in shown
    assert out.startswith("Plan ")
    assert "\x1b" not in out


def test_a_push_shows_progress_too_and_no_color_is_obeyed(config: Path) -> None:
    assert said("plan", "-c", str(config)).code == 0
    code, out, shown = on_a_terminal(["apply", "-c", str(config)], NO_COLOR="1", COLUMNS="40")
    assert code == 0, shown
    assert "changes" in shown
    assert not any(f"\x1b[{colour}m" in shown for colour in (31, 32, 33, 34, 35, 36, 90, 91))
    assert "added" in out


def test_without_a_terminal_there_is_no_progress_and_without_unicode_every_line_comes(config: Path) -> None:
    done = subprocess.run([*COMMAND, "plan", "-c", str(config)], capture_output=True, timeout=60, check=False,
                          env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"buyers/klaviyo/list" in done.stdout


def test_a_reader_that_closes_the_pipe_gets_no_traceback(config: Path) -> None:
    process = subprocess.Popen([*COMMAND, "schema"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    told = process.stderr.read()
    process.wait(30)
    process.stderr.close()
    assert "Traceback" not in told


@pytest.mark.parametrize("argv", [["--help"], ["schema"], ["config"], ["check"], ["status"], ["runs", "--json"], ["sync"]])
def test_where_stdout_is_on_a_full_disk_it_is_try_again_later_and_one_line(config: Path, argv: list[str]) -> None:
    assert said("plan", "-c", str(config)).code == 0
    given = ["-c", str(config)] if argv not in (["--help"], ["schema"]) else []
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*COMMAND, *argv, *given], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 75
    assert line.startswith("segmentd: No space left on device: what was to be told could not be written")


def test_where_stderr_is_on_a_full_disk_the_exit_code_still_says_how_it_went(config: Path, tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        for argv, code in (["schema"], 0), (["status", "-c", str(tmp_path / "none.yaml")], 2):
            assert subprocess.run([*COMMAND, *argv], stdout=subprocess.DEVNULL, stderr=full, timeout=60, check=False).returncode == code


def _until_a_run_began(store: Path) -> None:
    """Until the process that writes *store* has noted its run there."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(sqlite3.OperationalError), contextlib.closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as db:
            if db.execute("select 1 from runs").fetchone():
                return
        threading.Event().wait(0.05)
    raise AssertionError("no run began")


def test_ctrl_c_ends_a_pull_soon_with_130_and_the_store_goes_on(config: Path, tmp_path: Path) -> None:
    down = tmp_path / "down.yaml"
    text = re.sub(r'(klaviyo: .*base_url: ")[^"]*', r"\g<1>http://127.0.0.1:9", config.read_text())
    down.write_text(text.replace("store: store.db", f"store: {tmp_path}/other.db"))
    process = subprocess.Popen([*COMMAND, "plan", "-c", str(down)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    _until_a_run_began(tmp_path / "other.db")
    process.send_signal(signal.SIGINT)
    asked = time.monotonic()
    out, told = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert time.monotonic() - asked < 10
    assert "Ctrl-C again stops at once" in told
    assert "Traceback" not in told
    assert said("runs", "-c", str(down), "--json").json[0]["exit"] == 130


def test_help_loads_nothing_heavy_and_is_quick() -> None:
    probe = (
        "import sys, time; began = time.process_time(); from sync.cli.main import main; code = main(['--help']);"
        "print(code, [m for m in ('numpy', 'pyarrow', 'httpx', 'rich', 'requests', 'apscheduler', 'hubspot', 'klaviyo_api',"
        " 'mailchimp_marketing', 'ruamel', 'sqlite3', 're2', 'tenacity') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, timeout=30, check=True)
    assert done.stderr.strip() == "0 []"
    assert "Exit codes: 0 well" in done.stdout
