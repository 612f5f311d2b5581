"""Streams that cost calls for nothing are not pulled: those that fill a field which nothing in the config asks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors import registry
from sync.config.load import load
from sync.source import as_asked

HEAD = """version: 1
connections: {hubspot: {}, other: {kind: hubspot, key: {credential: other}}}
"""
BIG = "{any: {amount: {at_least: 500}}}"


def asked(folder: Path, text: str, connection: str = "hubspot") -> set[str]:
    path = folder / "config.yaml"
    path.write_text(HEAD + text)
    config, problems = load(path)
    assert config is not None, problems
    able = registry.kind("hubspot").capabilities
    left = {stream.name for stream in as_asked(config, connection, able).streams}
    assert left >= {stream.name for stream in able.streams if not stream.part}
    return {stream.name for stream in able.streams if stream.part} & left


@pytest.mark.parametrize("text", [
    f"segments: {{big: {{contact: {{hubspot.deals: {BIG}}}}}}}",
    "segments: {some: {not: {contact: {hubspot.deals: {is_set: true}}}}}",
    f"fields: {{deals: {{first_of: [hubspot.deals]}}}}\nsegments: {{big: {{contact: {{deals: {BIG}}}}}}}",
    "events: {deal_won: {from: {hubspot: {deals: closed_won}}}}",
    f"""segments:
  read_<value>:
    for_each: {{event: email_clicked, property: campaign, at_least: 10}}
    contact: {{hubspot.deals: {BIG}}}
""",
])
def test_deals_are_read_where_anything_asks_for_them(tmp_path: Path, text: str) -> None:
    assert asked(tmp_path, text) == {"deals", "deals_complete"}
    assert asked(tmp_path, text, "other") == set(), "of that account alone"


@pytest.mark.parametrize("text", [
    "segments: {town: {contact: {hubspot.city: Bern}}}",
    "segments: {named: {contact: {hubspot.dealstage: open}}}",
    "fields: {deals: {first_of: [hubspot.deals]}}",
    "events: {deal_won: {from: {hubspot: Deal Won}}}",
])
def test_deals_that_nothing_asks_for_are_not_read(tmp_path: Path, text: str) -> None:
    assert asked(tmp_path, text) == set()
