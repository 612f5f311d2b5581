"""HubSpot deals over the whole street: read only when the config asks, asked like fields, counted like events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.base import DAY, VirtualClock
from connectors.sandbox.cdnow import cdnow_world
from connectors.sandbox.keys import KEYS
from connectors.sandbox.server import Sandbox
from sync.cli.main import main

NOON = 20_781 * DAY + DAY // 2
HEAD = """version: 1
settings: {{timezone: UTC, history: 3y, store: store.db}}
connections: {{hubspot: {{key: {{file: "{key}"}}, base_url: "{url}"}}}}
"""
SEGMENTS = """
events: {deal_won: {from: {hubspot: {deals: closed_won}}}}
segments:
  coats: {all: [{contact: {hubspot.deals: {any: {dealstage: closedwon, dealname: Big coat, amount: {at_least: 500}}}}}]}
  won: {all: [{event: deal_won, where: {dealname: Big coat}, within: 7d, sum: {of: value, at_least: 600}}]}
  town: {all: [{contact: {hubspot.city: {is_set: true}}}]}
"""


class Shop:
    def __init__(self, folder: Path, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.sandbox, self.capsys = folder, sandbox, capsys
        self.hands = httpx.Client(base_url=sandbox.urls["hubspot"], headers={"Authorization": f"Bearer {KEYS['hubspot']['tester']}"})
        (folder / "key").write_text(KEYS["hubspot"]["connector"])

    def config(self, text: str) -> None:
        (self.folder / "config.yaml").write_text(HEAD.format(key=self.folder / "key", url=self.sandbox.urls["hubspot"]) + text)

    def segmentd(self, *argv: str) -> Any:
        main([*argv, "--config", str(self.folder / "config.yaml"), "--json"], self.sandbox.virtual())
        return json.loads(self.capsys.readouterr().out)

    def members(self) -> dict[str, int]:
        self.segmentd("plan", "--complete")
        return {name: held["members"] for name, held in self.segmentd("status")["segments"].items()}

    def streams(self) -> set[str]:
        return {each["stream"] for each in self.segmentd("status")["streams"]}

    def deal(self, people: list[str], **said: str) -> str:
        wish = {"dealname": "Big coat", "amount": "600.00", "dealstage": "closedwon", "closedate": "2026-11-24T10:00:00Z"} | said
        links = [{"to": {"id": who}, "types": []} for who in people]
        answer = self.hands.post("/crm/v3/objects/deals", json={"properties": wish, "associations": links}).raise_for_status()
        return str(answer.json()["id"])


@pytest.fixture
def shop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Shop]:
    with Sandbox(VirtualClock(NOON)) as sandbox:
        sandbox.applications["hubspot"].load(cdnow_world(NOON // DAY * DAY - DAY, people=60, mail=0))
        found = Shop(tmp_path, sandbox, capsys)
        yield found
        found.hands.close()


def test_deals_are_asked_like_fields_and_counted_like_events(shop: Shop) -> None:
    found = shop.hands.get("/crm/v3/objects/contacts", params={"limit": 3}).json()["results"]
    one, two, three = (each["id"] for each in found)
    own = shop.deal([one, two])
    shop.deal([three], amount="499.99")
    shop.deal([three], dealstage="contractsent")
    shop.sandbox.clock.advance(3600)
    shop.config(SEGMENTS)
    members = shop.members()
    assert (members["coats"], members["won"]) == (2, 2), "a deal belongs to both of its contacts"
    shop.hands.patch(f"/crm/v3/objects/deals/{own}", json={"properties": {"dealstage": "closedlost"}}).raise_for_status()
    shop.sandbox.clock.advance(3600)
    members = shop.members()
    assert (members["coats"], members["won"]) == (0, 0)
    shop.hands.patch(f"/crm/v3/objects/deals/{own}", json={"properties": {"dealstage": "closedwon"}}).raise_for_status()
    shop.sandbox.clock.advance(3600)
    assert shop.members()["won"] == 2
    shop.hands.delete(f"/crm/v3/objects/deals/{own}").raise_for_status()
    members = shop.members()
    assert (members["coats"], members["won"]) == (0, 0), "an archived deal is nobody's"


def test_deals_that_nobody_asks_for_are_not_read(shop: Shop) -> None:
    shop.config("segments: {town: {all: [{contact: {hubspot.city: {is_set: true}}}]}}\n")
    shop.members()
    assert "deals" not in shop.streams()
    shop.config("segments: {deals: {all: [{contact: {hubspot.deals: {is_set: true}}}]}}\n")
    assert shop.segmentd("preview", "deals")["waiting"] == "deals of hubspot has not been pulled to its end yet"
    assert shop.members()["deals"] > 0
    assert {"deals", "deals_complete"} <= shop.streams()
    assert shop.segmentd("preview", "deals")["waiting"] == ""


def test_a_longer_history_reads_events_again_and_no_deals(shop: Shop) -> None:
    shop.config(SEGMENTS)
    first = {each["stream"]: each["rows"] for each in shop.segmentd("plan")["pulled"]}
    assert first["deals"] > 0
    assert first["orders"] > 0
    shop.sandbox.clock.advance(DAY / 1000)
    path = shop.folder / "config.yaml"
    path.write_text(path.read_text().replace("history: 3y", "history: 4y"))
    again = {each["stream"]: each["rows"] for each in shop.segmentd("plan")["pulled"]}
    assert (again["deals"], again["orders"]) == (0, first["orders"])
