"""`preview` over a store: whole numbers, masked people, the past days."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from connectors.base import VirtualClock
from sync.evaluate.from_store import StoreSnapshot
from sync.store.store import Store
from tests.cli.ground import NOW, Ground, said
from tests.store import ground as stored


def addresses(ground: Ground) -> set[str]:
    return {row["email"] for name in ("mailchimp", "hubspot", "klaviyo")
            for row in ground.sandbox.applications[name].rows("profiles").to_pylist() if row["email"]}


def test_a_preview_counts_what_status_counts_and_draws_the_past_days(applied: Ground) -> None:
    status = applied.data("status")["segments"]
    data = applied.data("preview", "buyers")
    assert data["members"] == status["buyers"]["members"] == data["conditions"]["contacts"] == data["trend"][-1]["members"]
    assert data["contacts"] >= 100
    assert len(data["trend"]) == 31
    assert data["overlap"][0]["segment"] == "readers"
    assert 0 < data["overlap"][0]["both"] <= status["readers"]["members"] == data["overlap"][0]["members"]
    text = applied("preview", "readers")
    assert (text.code, text.err) == (0, "")
    assert re.match(rf"readers: {status['readers']['members']:,} of {data['contacts']:,} contacts \(\d+\.\d%\)\n", text.out)
    assert re.search(r"^condition +contacts +share +left$", text.out, re.MULTILINE)
    assert re.search(r"^  email consent granted +\d+ +[\d.]+% +\d+$", text.out, re.MULTILINE)
    assert re.search(r"^Past 30 days: [▁▂▃▄▅▆▇█]{31}  least \d+, most \d+$", text.out, re.MULTILINE)
    assert "Shared with: buyers " in text.out


def test_members_are_masked_unless_asked_for(applied: Ground) -> None:
    people = addresses(applied)
    for argv in (["preview", "buyers"], ["preview", "buyers", "--json"], ["preview", "buyers", "--sample", "50"]):
        shown = applied(*argv).out
        assert not [address for address in people if address in shown]
    sample = applied.data("preview", "buyers", "--sample", "3", "--show-addresses")["sample"]
    assert len(sample) == 3
    assert all(each["address"] in people for each in sample)
    assert "…@" in applied("preview", "buyers").out
    assert "For example" not in applied("preview", "buyers", "--sample", "0").out


def test_segments_that_were_never_synced_are_previewed(applied: Ground) -> None:
    path: Path = applied.folder / "new.yaml"
    path.write_text(applied.config.read_text() + "  fresh: {not: {event: order_placed}}\n  empty: {contact: {country: QQ}}\n")
    fresh = said("preview", "fresh", "-c", str(path), "--json", clock=applied.clock).json
    assert fresh["members"] == fresh["contacts"] - applied.data("preview", "buyers")["members"]
    empty = said("preview", "empty", "-c", str(path), clock=applied.clock)
    assert empty.code == 0
    assert "Shared with: no other segment" in empty.out
    assert "▁" * 31 in empty.out


def test_a_segment_that_is_not_there_is_told_with_the_nearest(applied: Ground) -> None:
    wrong = applied("preview", "buyer")
    assert (wrong.code, wrong.out) == (2, "")
    assert "did you mean 'buyers'?" in wrong.err


def test_a_preview_is_of_one_moment_while_contacts_come_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        "version: 1\nsettings: {timezone: UTC, store: store.db}\nconnections: {mailchimp: {key: {env: K}}}\n"
        "fields: {city: {first_of: [mailchimp.CITY]}}\nsegments: {here: {contact: {city: Rome}}}\n",
    )
    fields = StoreSnapshot.fields
    with Store.writer(tmp_path / "store.db") as store:
        stored.write(stored.connected(store), 1, stored.profile("p1", fields={"CITY": "Rome"}))

        def somebody_came_before(snapshot: StoreSnapshot, path: Any) -> Any:
            assert len(snapshot.alive) == 1
            stored.write(store, 1, stored.profile("p2", fields={"CITY": "Rome"}))
            return fields(snapshot, path)

        monkeypatch.setattr(StoreSnapshot, "fields", somebody_came_before)
        shown = said("preview", "here", "-c", str(path), clock=VirtualClock(NOW))
    assert (shown.code, shown.err) == (0, "")
    assert "here: 1 of 1 contacts" in shown.out
