"""The count of calls that touch consent fails a run, alone and with workers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOUCHING = '''
import httpx
from connectors.base import VirtualClock
from connectors.sandbox.keys import KEYS
from connectors.sandbox.server import Sandbox


def test_that_passes_but_unsubscribes_somebody():
    with Sandbox(VirtualClock(1_795_521_600_000), platforms=("klaviyo",)) as sandbox:
        headers = {"Authorization": f"Klaviyo-API-Key {KEYS['klaviyo']['connector']}", "revision": "2026-07-15"}
        httpx.post(sandbox.urls["klaviyo"] + "/api/profile-subscription-bulk-delete-jobs", headers=headers, json={}, trust_env=False)
'''


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "with workers"])
def test_a_run_that_touches_consent_fails(tmp_path: Path, workers: list[str]) -> None:
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (tmp_path / "test_touching.py").write_text(TOUCHING)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *workers, "test_touching.py"], cwd=tmp_path,
        capture_output=True, text=True, check=False, timeout=120, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 1, done.stdout + done.stderr
