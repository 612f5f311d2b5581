"""The real history with its original dates gives its true figures."""

from __future__ import annotations

from pathlib import Path

from connectors.base import VirtualClock
from connectors.sandbox.cdnow import cdnow_world
from connectors.sandbox.server import Sandbox
from sync.config.load import load
from sync.evaluate.run import evaluate
from sync.insight.person import native_events
from sync.store.store import Store
from sync.street import open_street, pull
from tests.e2e.stage import write_config

JULY_1998 = 899_251_200_000                         # 1998-07-01T00:00Z

SEGMENTS = """
  buyers: {event: order_placed}
  twice: {event: order_placed, count: {at_least: 2}}
"""


def test_the_cdnow_history_has_its_true_figures(tmp_path: Path) -> None:
    clock = VirtualClock(JULY_1998)
    with Sandbox(clock) as sandbox:
        world = cdnow_world(mail=0)
        for application in sandbox.applications.values():
            application.load(world)
        config, problems = load(write_config(tmp_path, sandbox.urls, SEGMENTS))
        assert config is not None, problems
        with Store.writer(tmp_path / "store.db") as store, open_street(config, store, clock) as street:
            outcomes = pull(street)
            members = evaluate(store, config, street.sources, clock.now()).result.members
            (people,) = store.rows("select count(*) from contacts where merged_into is null")[0]
            purchases = {name: count for name, count, _, _ in native_events(store)}["order_placed"]
    assert [o for o in outcomes if o.error] == []
    assert (people, purchases) == (23_570, 69_659)
    assert int(members["buyers"].sum()) == 23_570
    assert int(members["twice"].sum()) == 11_662
