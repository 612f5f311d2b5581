"""The third party's package is installed for these tests the way its entry point would make it so: by being on the path."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connectors import registry
from sync.config.load import load
from sync.config.model import Config
from sync.located import Problem

THIRD_PARTY = Path(__file__).parent.parent / "thirdparty"
Load = Callable[[str], tuple[Config | None, list[Problem]]]


@pytest.fixture(autouse=True)
def third_party(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(THIRD_PARTY))
    registry.kind.cache_clear()
    yield
    registry.kind.cache_clear()


@pytest.fixture
def loads(tmp_path: Path) -> Load:
    """Loads a text as the file `config.yaml` of an empty directory."""

    def of(text: str) -> tuple[Config | None, list[Problem]]:
        path = tmp_path / "config.yaml"
        path.write_text(text, encoding="utf-8")
        return load(path)

    return of


@pytest.fixture
def sound(loads: Load) -> Callable[[str], Config]:
    """The config that a text must be, without a problem or a warning."""

    def of(text: str) -> Config:
        config, problems = loads(text)
        assert problems == []
        assert config is not None
        return config

    return of
