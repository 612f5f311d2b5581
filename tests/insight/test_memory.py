"""`check` says where what a field was before is not known as far back as a rule looks."""

from __future__ import annotations

from pathlib import Path

from sync.config.load import load
from sync.insight.memory import forgetful
from sync.store import pasts
from sync.store.pasts import Wanted
from sync.store.store import Store
from tests.language.support import DAY, NOW, at

TEXT = """version: 1
connections: {klaviyo: {key: {env: NOBODY}}}
segments:
  golden:
    all:
      - contact: {klaviyo.plan: {has_been: gold, for: 30d}}
      - contact: {klaviyo.plan: {changed: true, within: 7d}}
      - contact: {klaviyo.plan: {changed: true}}
"""


def said(folder: Path, store: Store, now: int) -> list[str]:
    path = folder / "config.yaml"
    path.write_text(TEXT)
    config, problems = load(path)
    assert config is not None, problems
    return [str(problem).removeprefix(f"{path}:") for problem in forgetful(store, config, now)]


def test_a_history_that_is_shorter_than_a_window_is_told(tmp_path: Path) -> None:
    with Store.writer(tmp_path / "store.db") as store:
        assert [line.partition(";")[0] for line in said(tmp_path, store, NOW)] == [
            f"{line}:9: warning: segment 'golden': the history of klaviyo.plan is not kept yet" for line in (6, 7, 8)
        ]
        pasts.agree(store, {"klaviyo.plan": Wanted((), None)}, NOW - 10 * DAY)
        assert said(tmp_path, store, NOW) == [
            "6:9: warning: segment 'golden': the history of klaviyo.plan is kept since 2026-06-05, and this looks further back; "
            "until it reaches so far, expect to know less",
        ]
        assert at("2026-06-05T12:00Z") == NOW - 10 * DAY
        assert said(tmp_path, store, NOW + 20 * DAY) == []
