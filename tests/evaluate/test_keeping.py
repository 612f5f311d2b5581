"""Which fields' histories are kept and how far back: as far as the rule that looks furthest, and for ever where one has no bound."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connectors.base import DAY
from sync.config.load import load
from sync.evaluate.keeping import SLACK, wanted_pasts
from sync.evaluate.run import field_sources
from sync.source import Origin, origins
from sync.store.store import Store
from tests.evaluate.worlds import node_of
from tests.language.support import NOW, at

WEEK, MONTH = {"plan": {"changed": True, "within": "7d"}}, {"plan": {"changed": True, "within": "1mo"}}
STANDS, EVER = {"plan": {"has_been": "gold", "for": "30d"}}, {"plan": {"changed": True}}
OTHER = {"country": {"changed": True, "within": "400d"}}
CONFIG = """version: 1
settings: {timezone: Europe/Berlin}
connections: {klaviyo: {key: {env: K}}}
fields: {plan: {first_of: [klaviyo.plan]}}
"""


def kept(tmp_path: Path, *said: dict[str, Any]) -> dict[str, int | None]:
    """How far back the history of each field is kept that these conditions ask for."""
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    config, problems = load(path)
    assert config is not None, problems
    with Store.writer(tmp_path / "store.db") as store:
        sources: dict[str, Origin] = origins(config, store)
        found = wanted_pasts(config, sources, [node_of({"contact": each}) for each in said], NOW)
        assert all(wanted.sources == tuple(field_sources(config, sources, (name,))) for name, wanted in found.items())
    return {name: wanted.reach for name, wanted in found.items()}


@pytest.mark.parametrize(("said", "reach"), [
    ([WEEK], {"plan": 7 * DAY + SLACK}), ([WEEK, STANDS], {"plan": 30 * DAY + SLACK}), ([STANDS, WEEK], {"plan": 30 * DAY + SLACK}),
    ([MONTH], {"plan": NOW - at("2026-05-15T14:00") + SLACK}), ([WEEK, EVER], {"plan": None}), ([EVER], {"plan": None}),
    ([WEEK, OTHER], {"country": 400 * DAY + SLACK, "plan": 7 * DAY + SLACK}), ([], {}),
    ([{"plan": {"changed": True, "ago": ["9d", "2d"]}}], {"plan": 9 * DAY + SLACK}),
    ([{"plan": {"changed": True, "during": "last_week"}}], {"plan": None}),
])
def test_a_history_is_kept_as_far_back_as_the_rule_that_looks_furthest(
    said: list[dict[str, Any]], reach: dict[str, int | None], tmp_path: Path,
) -> None:
    assert kept(tmp_path, *said) == reach
