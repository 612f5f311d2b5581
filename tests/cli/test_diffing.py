"""`diff` of two configs over one store: exact numbers, renamed segments, the edit that moves most, and nothing written."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.ground import SEGMENTS, Ground, Said, said
from tests.cli.test_previewing import addresses
from tests.cli.test_reading import keys_of, section

NEW = """
  buyers:
    all:
      - {event: order_placed, within: 90d}
      - {contact: {country: [DE, AT]}}
  openers:
    all:
      - {event: [email_opened, email_clicked], within: 365d}
      - consent: {channel: email, is: granted}
  fresh: {not: {event: order_placed}}
  asks: {segment: buyers}
"""
OLD = SEGMENTS + "  gone: {event: email_opened}\n  asks: {segment: buyers}\n"


@pytest.fixture
def two(applied: Ground) -> Callable[..., Said]:
    """`segmentd diff OLD NEW` with these segments in them."""
    def run(*argv: str, old: str = OLD, new: str = NEW) -> Said:
        paths = []
        for name, segments in (("old", old), ("new", new)):
            paths.append(applied.folder / f"{name}.yaml")
            paths[-1].write_text(applied.config.read_text().replace(SEGMENTS.lstrip("\n"), segments.lstrip("\n")))
        return said("diff", *map(str, paths), *argv, clock=applied.clock)

    return run


def by_name(done: Said) -> dict[str, Any]:
    assert (done.code, done.err) == (0, "")
    return {each["segment"]: each for each in done.json["segments"]}


def members(applied: Ground, path: Path, name: str) -> int:
    found = said("preview", name, "-c", str(path), "--json", clock=applied.clock).json["members"]
    return int(found)


def test_every_segment_has_its_status_and_exact_numbers(applied: Ground, two: Callable[..., Said]) -> None:
    told = by_name(two("--json"))
    assert {name: each["status"] for name, each in told.items()} == {
        "buyers": "edited", "openers": "renamed", "fresh": "new", "asks": "edited", "gone": "removed",
    }
    old, new = applied.folder / "old.yaml", applied.folder / "new.yaml"
    buyers = told["buyers"]
    assert (buyers["before"], buyers["after"]) == (members(applied, old, "buyers"), members(applied, new, "buyers"))
    assert (buyers["enter"], buyers["leave"]) == (0, buyers["before"] - buyers["after"])
    assert (told["openers"]["was"], told["openers"]["enter"], told["openers"]["leave"]) == ("readers", 0, 0)
    assert (told["fresh"]["before"], told["fresh"]["after"]) == (None, told["fresh"]["enter"])
    assert (told["gone"]["after"], told["gone"]["leave"]) == (None, told["gone"]["before"])
    assert told["asks"]["edits"] == [{"before": "in segment buyers", "after": "in segment buyers", "contacts": buyers["leave"]}]


def test_the_edit_that_moves_most_comes_first_with_what_it_alone_moves(applied: Ground, two: Callable[..., Said]) -> None:
    edits = by_name(two("--json"))["buyers"]["edits"]
    assert [edit["contacts"] for edit in edits] == sorted((edit["contacts"] for edit in edits), reverse=True)
    assert {(edit["before"], edit["after"]) for edit in edits} == {
        ("order_placed", "order_placed, within 90d"), ("", "country is one of DE, AT"),
    }
    only_window = by_name(two("--json", new="  buyers: {event: order_placed, within: 90d}\n"))["buyers"]
    assert only_window["edits"] == [edit for edit in edits if edit["before"]]
    assert only_window["edits"][0]["contacts"] == only_window["leave"] > 0


def test_a_segment_that_says_what_it_was_is_renamed_also_where_it_was_edited(applied: Ground, two: Callable[..., Said]) -> None:
    told = by_name(two("--json", new="  clients: {was: buyers, event: order_placed, within: 90d}\n"))
    clients = told["clients"]
    assert (clients["status"], clients["was"], clients["enter"]) == ("renamed", "buyers", 0)
    assert [(edit["before"], edit["after"], edit["contacts"]) for edit in clients["edits"]] == [
        ("order_placed", "order_placed, within 90d", clients["leave"]),
    ]
    assert "buyers" not in told


def test_on_a_terminal_changes_are_shown_and_people_are_masked(applied: Ground, two: Callable[..., Said]) -> None:
    done = two()
    assert (done.code, done.err) == (0, "")
    assert re.search(r"^readers → openers +renamed +\d+ +\d+ +0 +0$", done.out, re.MULTILINE)
    assert re.search(r"^  'order_placed' became 'order_placed, within 90d': alone it moves \d+ contacts?$", done.out, re.MULTILINE)
    assert "  added 'country is one of DE, AT': alone it moves " in done.out
    assert "'in segment buyers' reads the same, but what it rests on was edited" in done.out
    assert "  no longer in the config: its targets are left as they are\n" in done.out
    people = addresses(applied)
    assert not [address for address in people if address in done.out]
    shown = two("--show-addresses", "--segment", "fresh", "--sample", "2", "--json").json["segments"]
    assert [each["segment"] for each in shown] == ["fresh"]
    assert all(each["address"] in people for each in shown[0]["entering"])


def test_two_configs_that_say_the_same_say_so_and_nothing_is_written(applied: Ground, two: Callable[..., Said]) -> None:
    before = (applied.folder / "store.db").read_bytes()
    assert two(new=OLD).out == "4 segments the same\n"
    assert (applied.folder / "store.db").read_bytes() == before


def test_a_changed_event_is_noted(applied: Ground, two: Callable[..., Said]) -> None:
    two()
    new = applied.folder / "new.yaml"
    new.write_text(new.read_text().replace("order_placed: {same: order_id}", "order_placed: {from: klaviyo}"))
    done = said("diff", str(applied.folder / "old.yaml"), str(new), clock=applied.clock)
    assert "Note: `events:` differs" in done.out


def test_the_json_has_every_documented_key(two: Callable[..., Said]) -> None:
    keys = keys_of(two("--json").json) - {"segments"}
    assert not sorted(key for key in keys if f"`{key}`" not in section("diff"))


def test_mistakes_are_told_as_everywhere(applied: Ground, two: Callable[..., Said]) -> None:
    unknown = two("--segment", "byers")
    assert (unknown.code, unknown.out) == (2, "")
    assert "did you mean 'buyers'?" in unknown.err
    broken = two(new="  a: {event: order_placed, withn: 3d}\n")
    assert (broken.code, broken.out) == (2, "")
    assert "new.yaml:" in broken.err
    assert "did you mean 'within'?" in broken.err
    assert said("diff", str(applied.folder / "nothing.yaml"), str(applied.config)).code == 2
