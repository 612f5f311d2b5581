from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.reconcile.platform import Place, place_in
from tests.reconcile.town import Town, town_in


@pytest.fixture
def places() -> Iterator[Callable[..., Place]]:
    """Makes places whose stores are closed and deleted in the end."""
    with ExitStack() as left:

        def make(**changes: object) -> Place:
            folder = left.enter_context(tempfile.TemporaryDirectory())
            place = place_in(Path(folder), **changes)
            left.callback(place.store.close)
            return place

        yield make


@pytest.fixture
def place(places: Callable[..., Place]) -> Place:
    return places()


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """Two platforms, a config with one segment, nobody there yet."""
    made = town_in(tmp_path)
    with made.store:
        yield made
