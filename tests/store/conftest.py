from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.store.store import Store
from tests.store.ground import connected


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.writer(tmp_path / "store.db") as opened:
        yield connected(opened)
