"""Which streams a segment waits for: those on which its events may come, and no others."""

from __future__ import annotations

import pytest

from sync.config.model import Config
from sync.evaluate.run import grounds_of
from sync.source import origins
from tests.configured import config_in, pulled
from tests.store.ground import NOW, new_store

CONFIG = """version: 1
connections: {mailchimp: {key: {env: KEY}}, hubspot: {key: {env: KEY}}, klaviyo: {key: {env: KEY}}}
events:
  order_placed: {from: hubspot}
  cart_updated: {from: mailchimp}
  deal_won: {from: {hubspot: {deals: closed_won}}}
segments:
  won: {event: deal_won}
  ordered: {event: order_placed}
  carted: {event: cart_updated}
  clicked: {event: email_clicked}
  sent: {event: email_sent}
  mails: {event: "email_*"}
  own: {event: hubspot.something}
  all_own: {event: "mailchimp.*"}
  anything: {event: "*"}
  dealing: {contact: {hubspot.deals: {is_set: true}}}
  asks: {segment: won}
"""
MAIL = {"mails", "anything"}
EXPECTED = {
    "mailchimp/email_activity": {*MAIL, "clicked", "all_own"},
    "mailchimp/sent": {*MAIL, "sent"},
    "mailchimp/unsubscribes": MAIL, "mailchimp/complaints": MAIL,
    "mailchimp/orders": set[str](),                                     # HubSpot is the one witness
    "mailchimp/carts": {"carted", "anything"},
    "hubspot/email_events": {*MAIL, "clicked", "sent", "own"},
    "hubspot/orders": {"ordered", "anything"}, "hubspot/archived_orders": {"ordered", "anything"},
    "hubspot/carts": set[str](), "hubspot/archived_carts": set[str](),
    "hubspot/deals": {"won", "asks", "dealing", "anything"},
    "klaviyo/events": {*MAIL, "clicked", "sent"}, "klaviyo/events_week": {*MAIL, "clicked", "sent"},
}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    return config_in(tmp_path_factory.mktemp("resting"), CONFIG)


@pytest.mark.parametrize("missing", EXPECTED)
def test_a_segment_waits_for_the_streams_on_which_its_events_come(config: Config, missing: str) -> None:
    with new_store() as store:
        pulled(store, config, NOW, but=[missing])
        found = grounds_of(store, config, origins(config, store), NOW + 1)
    assert {name for name, ground in found.items() if ground.waiting} == EXPECTED[missing]


def test_every_stream_of_events_is_expected(config: Config) -> None:
    with new_store() as store:
        told = {f"{source.name}/{stream.name}" for source in origins(config, store).values() for stream in source.capabilities.streams
                if not stream.name.startswith("profiles") and not stream.sweep}
    assert told == EXPECTED.keys()
