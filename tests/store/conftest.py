from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.store.store import Store
from tests.store.ground import MEMORY, new_store


@pytest.fixture
def store() -> Iterator[Store]:
    with new_store() as opened:
        yield opened


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder whose files cost no trip to the disk, where the machine has one."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        yield Path(folder)
