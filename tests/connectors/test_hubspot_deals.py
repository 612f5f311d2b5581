"""HubSpot's deals: what a record means, and the connector's streams against the sandbox over a socket."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from connectors.base import DAY, HOUR, MINUTE, Connection, Connector, Cursor, Page, Part, Secret, VirtualClock
from connectors.hubspot.connector import CAPABILITIES
from connectors.hubspot.deals import deal
from connectors.registry import kind
from connectors.sandbox.cdnow import cdnow_world
from connectors.sandbox.keys import KEYS
from connectors.sandbox.server import Sandbox

NOON = 20_781 * DAY + DAY // 2
CLOSED = {"dealname": "Coat", "amount": "1200.00", "closedate": "2026-11-30T00:00:00Z", "dealstage": "closedwon"}


def record(**said: str | None) -> dict[str, Any]:
    return {"id": "70001", "properties": CLOSED | said, "archived": False}


def test_a_deal_keeps_its_own_words_and_belongs_to_all_its_contacts() -> None:
    part = deal(record(dealtype=None, pipeline=""), ["5", "7"])
    assert (part.field, part.id, part.profiles) == ("deals", "70001", ("5", "7"))
    assert part.value == {**CLOSED, "hs_object_id": "70001"}


@pytest.mark.parametrize(("said", "counts"), [
    ({}, True),
    ({"hs_is_closed_won": "true", "dealstage": "98112"}, True),             # a pipeline of the account's own
    ({"hs_is_closed_won": "false", "dealstage": "closedwon"}, False),
    ({"dealstage": "closedlost"}, False),
    ({"closedate": None}, False),                                           # nobody knows when
])
def test_a_deal_is_an_event_while_it_is_won_at_its_close_date(said: dict[str, str | None], counts: bool) -> None:
    fact = deal(record(**said), ["5"]).fact
    assert fact is not None
    assert (not fact.removed) == counts
    assert fact.mutable
    assert fact.at == (1_795_996_800_000 if counts else 0)


# --- against the sandbox ------------------------------------------------------------------------------------------------------


class Place:
    """The connector, and the account as somebody at its keyboard changes it."""

    def __init__(self, sandbox: Sandbox, connector: Connector) -> None:
        self.sandbox, self.connector = sandbox, connector
        self.hands = httpx.Client(base_url=sandbox.urls["hubspot"], headers={"Authorization": f"Bearer {KEYS['hubspot']['tester']}"})

    def people(self, count: int) -> list[str]:
        found = self.hands.get("/crm/v3/objects/contacts", params={"limit": count}).raise_for_status().json()["results"]
        return [one["id"] for one in found]

    def make(self, *people: str, **said: str) -> str:
        links = [{"to": {"id": who}, "types": []} for who in people]
        answer = self.hands.post("/crm/v3/objects/deals", json={"properties": CLOSED | said, "associations": links})
        return str(answer.raise_for_status().json()["id"])

    def set(self, own: str, **said: str) -> None:
        self.hands.patch(f"/crm/v3/objects/deals/{own}", json={"properties": said}).raise_for_status()

    def pages(self, name: str, since: Cursor | None = None) -> list[Page]:
        return list(self.connector.pull(next(one for one in CAPABILITIES.streams if one.name == name), since))

    def wait(self, span: int) -> None:
        self.sandbox.clock.advance(span / 1000)


@pytest.fixture
def place() -> Iterator[Place]:
    clock = VirtualClock(NOON)
    with Sandbox(clock) as sandbox:
        sandbox.applications["hubspot"].load(cdnow_world(NOON // DAY * DAY - DAY, people=80, mail=0))
        connection = Connection("here", "hubspot", Secret(KEYS["hubspot"]["connector"]), NOON - 30 * DAY, sandbox.urls["hubspot"])
        found = Place(sandbox, kind("hubspot").open(connection, sandbox.virtual()))
        yield found
        found.connector.close()
        found.hands.close()


def by_id(pages: list[Page]) -> dict[str, Part]:
    assert [page.last for page in pages] == [False] * (len(pages) - 1) + [True]
    return {part.id: part for page in pages for part in page.parts}


def test_every_deal_is_read_first_however_old_and_then_what_changed(place: Place) -> None:
    one, two = place.people(2)
    own = place.make(one, two)
    place.wait(HOUR)
    first = place.pages("deals")
    told = by_id(first)
    assert len(told) > 2, "those that the world closed years ago, too"
    assert set(told[own].profiles) == {one, two}
    assert told[own].value is not None
    assert told[own].value["hs_is_closed_won"] == "true"
    place.wait(DAY // 2)
    place.set(own, dealstage="closedlost")
    place.wait(10 * MINUTE)
    again = by_id(place.pages("deals", first[-1].cursor))
    assert list(again) == [own], "only what moved"
    assert again[own].fact is not None
    assert again[own].fact.removed, "it is won no longer"


def test_a_pull_of_deals_goes_on_from_any_page(place: Place) -> None:
    place.wait(HOUR)
    for name in ("deals", "deals_complete"):
        pages = place.pages(name)
        for number, page in enumerate(pages[:-1]):
            assert place.pages(name, page.cursor)[-1].last
            assert by_id(place.pages(name, page.cursor)).keys() >= {part.id for later in pages[number + 1 :] for part in later.parts}


def test_an_archived_deal_is_no_more_once_everything_is_looked_at(place: Place) -> None:
    kept, lost = (place.make(who) for who in place.people(2))
    place.hands.delete(f"/crm/v3/objects/deals/{lost}").raise_for_status()
    told = by_id(place.pages("deals_complete"))
    assert told[kept].value is not None
    assert told[lost].value is None


def test_a_deal_follows_its_contacts_merge(place: Place) -> None:
    one, two, three = place.people(3)
    own = place.make(one, two)
    wish = {"primaryObjectId": three, "objectIdToMerge": two}
    survivor = place.hands.post("/crm/v3/objects/contacts/merge", json=wish).raise_for_status().json()["id"]
    assert set(by_id(place.pages("deals_complete"))[own].profiles) == {one, survivor}
