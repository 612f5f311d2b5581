"""Sealing comes when the schedule says so, with the columns and the limits that the config asks for."""

from __future__ import annotations

from pathlib import Path

from connectors.base import DAY, HOUR, VirtualClock
from sync.archiving import seal_when_due, wanted_by
from sync.store import archive
from sync.store.periods import month_of
from sync.store.store import Store
from sync.street import Street
from tests.configured import config_in
from tests.store.ground import NOW, connected, event, facts_of, new_store, profile, tell, write

CONFIG = """
version: 1
connections: {klaviyo: {key: {env: KEY}}}
events: {email_opened: {keep: 30d}}
schedule: {seal: daily 04:10}
segments:
  opened: {event: email_opened, where: {subject.line: Hello}}
  clicked: {event: "email_*", where: {campaign: spring}}
"""


def test_sealing_is_due_once_a_day_and_after_a_clock_that_was_wrong(tmp_path: Path) -> None:
    today = NOW // DAY * DAY
    clock = VirtualClock(today + 4 * HOUR)
    with new_store() as store:
        street = Street(config_in(tmp_path, CONFIG), store, clock)
        assert seal_when_due(street) is not None, "the first ever"
        assert seal_when_due(street) is None
        clock.advance(10 * 60 - 0.001)
        assert seal_when_due(street) is None
        clock.advance(0.001)
        assert seal_when_due(street) is not None
        clock.advance(DAY / 1000 - 0.001)
        assert seal_when_due(street) is None
        with store.transaction() as db:
            db.execute("update meta set value = ? where key = 'sealed'", (str(clock.now() + 400 * DAY),))
        assert seal_when_due(street) is not None
        assert seal_when_due(street) is None


def test_segments_decide_which_properties_get_columns(tmp_path: Path) -> None:
    wanted = wanted_by(config_in(tmp_path, CONFIG))
    assert set(wanted("email_opened")) == {("subject", "line"), ("campaign",)}
    assert set(wanted("email_clicked")) == {("campaign",)}
    assert set(wanted("order_placed")) == set()


def test_a_sealing_keeps_what_the_config_keeps(tmp_path: Path) -> None:
    with Store.writer(tmp_path / "store.db") as store:
        write(connected(store), 3, profile("p1"))
        month = month_of(NOW - 60 * DAY)
        tell(store, 3, event("a", "opened", month.start), event("b", "other", month.start), names={})
        with store.transaction() as db:
            db.execute("update event_types set name = 'email_opened' where name = 'klaviyo.opened'")
        done = seal_when_due(Street(config_in(tmp_path, CONFIG), store, VirtualClock(NOW)))
        assert done is not None
        assert (done.dropped, done.events) == (1, 1)
        assert [row[0] for row in facts_of(store)] == ["klaviyo.other"]
        assert [file.rows for file in archive.files(store.db)] == [1]
