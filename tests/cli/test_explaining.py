"""`explain` over a store: which events, what is missing, until when, and of other moments."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from connectors.base import DAY, instant
from tests.cli.ground import NOW, Ground
from tests.cli.test_reading import an_address


def day(at: int) -> str:
    return f"{instant(at):%Y-%m-%d}"


def test_explain_names_the_events_that_count_newest_first(applied: Ground) -> None:
    address = an_address(applied, tagged=True)
    data = applied.data("explain", address, "buyers")
    events = data["tree"]["events"]
    assert events
    assert all(event["event"] == "order_placed" and event["id"] for event in events)
    assert {event["connection"] for event in events} <= {"mailchimp", "hubspot", "klaviyo"}
    assert [event["at"] for event in events] == sorted((event["at"] for event in events), reverse=True)
    text = applied("explain", address, "buyers").out
    assert f"{events[0]['at'][:19].replace('T', ' ')}  order_placed  {events[0]['connection']}  {events[0]['id']}\n" in text
    assert text.endswith("Stays so unless something happens.\n")
    assert (data["missing"], data["approximations"]) == ("", [])
    assert data["at"].startswith("2025-11-23T11:")


def test_explain_says_what_is_missing_and_that_it_stays_so(applied: Ground) -> None:
    outside = applied("explain", an_address(applied, tagged=False), "buyers")
    assert "Missing: one more order_placed (has 0, needs at least 1)\n" in outside.out


def test_explain_of_another_moment_says_what_is_not_known_of_it(applied: Ground) -> None:
    address = an_address(applied, tagged=True)
    first = min(event["at"] for event in applied.data("explain", address, "buyers")["tree"]["events"])
    before = applied.data("explain", address, "buyers", "--at", "2001-01-01")
    assert before["member"] is False
    assert before["changes"] == {"at": first, "member": True, "because": ["order_placed"], "known_until": None}
    assert any("as they are now" in note for note in before["approximations"])
    assert any("first seen after" in note for note in before["approximations"])
    later = applied("explain", address, "buyers", "--at", day(NOW + 900 * DAY))
    assert " is in buyers at 2028-05-11 00:00:00\n" in later.out
    assert "Approximate: as if nothing happens until then.\n" in later.out


def test_a_reader_is_told_when_the_window_ends(applied: Ground) -> None:
    rows = applied.sandbox.applications["mailchimp"].rows("profiles").to_pylist()
    told = [applied.data("explain", row["email"], "readers") for row in rows[:40] if row["live"]]
    members = [each for each in told if each["member"]]
    assert members
    for each in members:
        assert each["changes"]["member"] is False
        newest = each["tree"]["children"][0]["events"][0]["at"]
        assert each["changes"]["at"][4:] == newest[4:] or each["changes"]["at"] > newest


@pytest.mark.parametrize("text", ["yesterday", "2026-02-30", "12:00", ""])
def test_a_moment_that_is_none_is_a_mistake_on_the_command_line(applied: Ground, text: str) -> None:
    wrong = applied("explain", "ann@example.com", "buyers", "--at", text)
    assert (wrong.code, wrong.out) == (2, "")
    assert re.search(r"is no day and no instant; for example 2026-11-20", wrong.err)


@pytest.mark.parametrize("text", ["0001-01-01", "0999-12-31", "9000-01-01T12:00Z", "9999-12-31"])
def test_a_moment_out_of_every_calendars_reach_is_a_mistake_on_the_command_line(applied: Ground, text: str) -> None:
    wrong = applied("explain", "ann@example.com", "buyers", "--at", text)
    assert (wrong.code, wrong.out) == (2, "")
    assert f"{text!r} lies outside the years 1000 to 8999" in wrong.err


@pytest.mark.parametrize("text", ["1000-01-02", "8999-12-30"])
def test_the_first_and_the_last_year_that_can_be_asked_about_are_answered(applied: Ground, text: str) -> None:
    email = next(row["email"] for row in applied.sandbox.applications["mailchimp"].rows("profiles").to_pylist() if row["live"])
    for segment in ("buyers", "readers"):
        assert applied("explain", email, segment, "--at", text).code == 0


def test_explain_says_of_a_member_who_is_barred_everywhere_that_no_target_takes_them(applied: Ground) -> None:
    people = [row for row in applied.sandbox.applications["mailchimp"].rows("profiles").to_pylist() if row["live"]]
    told = {row["email"]: applied.data("explain", row["email"], "buyers") for row in people if row["barred"]}
    address = next(address for address, data in told.items() if data["member"])
    assert all("mailchimp" in data["kept_out"] for data in told.values())
    shown = applied("explain", address, "buyers").out
    assert shown.startswith(f"{address} is in buyers\n")
    assert re.search(r"^Kept out of every target: e-mail consent is .*(withdrawn|suppressed) on mailchimp.*\.$", shown, re.MULTILINE)
    free = an_address(applied, tagged=True)
    assert applied.data("explain", free, "buyers")["kept_out"] == ""
    assert "Kept out" not in applied("explain", free, "buyers").out


RANKS = """
traits:
  orders: {event: order_placed, count: true}
  warmth: {event: "email_*", decay: {half_life: 30d}}
  score: {points: [{when: {segment: buyers}, add: 5}, {when: {contact: {orders: {at_least: 2}}}, add: 3}]}
segments:
  best: {rank: {by: orders, top: 3}}
  keen: {all: [{rank: {by: score, top: 50%}}, {rank: {by: warmth, tier: 1, of: 2}}, {contact: {score: {at_least: 5}}}]}
  press: {emails: press.txt}
"""


def test_explain_tells_a_contacts_place_among_all_and_the_value_of_a_trait(applied: Ground) -> None:
    address = an_address(applied, tagged=True)
    other = applied.config.with_name("ranks.yaml")
    other.write_text(applied.config.read_text().replace("segments:\n", RANKS.lstrip(), 1))
    (applied.folder / "press.txt").write_text(f"# the press\n{address.upper()}\n")
    ground = replace(applied, config=other)
    best = ground.data("explain", address, "best")
    assert re.fullmatch(r"place \d+ of \d+", best["tree"]["value"])
    assert best["member"] == (int(best["tree"]["value"].split()[1]) <= 3)
    keen = ground("explain", address, "keen")
    assert keen.code == 0
    assert re.search(r"top 50% by score {2}\[place \d+ of \d+\]", keen.out)
    assert re.search(r"score at least 5 {2}\[(5|8)\]", keen.out)
    assert "✓ in segment buyers" in keen.out
    assert ground.data("explain", address, "press")["member"] is True
    assert ground.data("explain", an_address(applied, tagged=False), "press")["member"] is False
    assert "orders" in ground("config").out
