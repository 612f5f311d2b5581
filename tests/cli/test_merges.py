"""`merges`: what waits for a person, and how it is let go."""

from __future__ import annotations

from tests.cli.ground import Ground


def several_are_one(ground: Ground, count: int) -> None:
    """So many people whom HubSpot and Klaviyo know by different addresses, until HubSpot hears the other one."""
    hubspot, klaviyo = (ground.sandbox.applications[name] for name in ("hubspot", "klaviyo"))
    for number in range(count):
        hubspot.act("create_profile", email=f"old{number}@twins.example")
        klaviyo.act("create_profile", email=f"new{number}@twins.example")
    ground.clock.advance(3600)
    assert ground("plan").code == 0
    for number in range(count):
        hubspot.act("change_email", email=f"old{number}@twins.example", to=f"new{number}@twins.example")
    ground.clock.advance(3600)
    assert ground("plan").code == 0


def test_more_merges_than_are_made_without_a_person_are_shown_and_let_go(ground: Ground) -> None:
    several_are_one(ground, 21)
    assert "21 merges of contacts held for a person: more than 20 came in one pull; segmentd merges -c " in ground("status").out
    held = ground.data("merges")["held"]
    assert len(held) == 21
    assert {(m["connection"], m["reason"]) for m in held} == {("hubspot", "shared address")}
    assert sorted(m["address"] for m in held) == sorted(f"new{n}@twins.example" for n in range(21))
    shown = ground("merges")
    assert "hubspot: shared address new0@twins.example: contact " in shown.out
    assert "and 1 more; --json shows all" in shown.out
    assert f"If they are right: segmentd merges -c {ground.config} --accept {held[-1]['number']}" in shown.out
    accepted = ground("merges", "--accept", str(held[-1]["number"]))
    assert accepted.code == 0
    assert accepted.out.startswith("21 contacts went into another. Next: segmentd plan -c ")
    assert ground("merges").out == "No merge is held.\n"
    assert "merges of contacts held" not in ground("status").out
    assert ground.data("runs")[0]["command"] == "merges"
    assert ground("plan").code == 0
    assert ground.data("verify")["differences"] == {}


def test_a_merge_that_is_true_no_more_is_not_made(ground: Ground) -> None:
    several_are_one(ground, 21)
    ground.sandbox.applications["hubspot"].act("change_email", email="new0@twins.example", to="other@twins.example")
    ground.clock.advance(3600)
    assert ground("plan").code == 0
    held = ground.data("merges")["held"]
    assert len(held) == 20
    some = ground.data("merges", "--accept", str(held[11]["number"]))
    assert (some["merged"], [m["number"] for m in some["held"]]) == (12, [m["number"] for m in held[12:]])
    assert ground.data("merges", "--accept", str(held[-1]["number"])) == {"held": [], "merged": 8}
