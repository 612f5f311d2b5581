"""A family from the config to the platforms: its segments are found, planned, filled, shown and explained by their own names."""

from __future__ import annotations

from pathlib import Path

from connectors.base import VirtualClock
from connectors.sandbox.server import Sandbox
from tests.cli.ground import NOW, build, said

FAMILY = """
  readers_<value>:
    for_each: {event: "email_*", property: campaign, at_least: 5}
    sync: {klaviyo: {list: Readers of <value>}}
"""


def test_the_segments_of_a_family_are_planned_filled_and_explained(tmp_path: Path) -> None:
    clock = VirtualClock(NOW)
    with Sandbox(clock) as sandbox:
        ground = build(tmp_path, sandbox, clock, FAMILY)
        planned = ground("plan")
        assert planned.code == 0, planned.err + planned.out
        status = ground.data("status")
        names = sorted(status["segments"])
        assert len(names) > 1
        assert all(name.startswith("readers_") and status["segments"][name]["configured"] for name in names)
        assert all(status["segments"][name]["members"] >= 5 for name in names)
        assert ground("apply").code == 0
        targets = ground.data("status")["targets"]
        assert {target.split("/")[0] for target in targets} == set(names)
        assert ground("preview", names[0]).code == 0
        compared = [str(ground.config), str(ground.config), "--segment"]
        assert "1 segment the same" in said("diff", *compared, names[0], clock=clock).out
        unheard = said("diff", *compared, "readers_nothing", clock=clock)
        assert (unheard.code, "no segment 'readers_nothing'" in unheard.err) == (2, True)
        refused = ground("explain", "nobody@example.com", "readers_nothing")
        assert (refused.code, "no segment 'readers_nothing'" in refused.err) == (2, True)
        assert "readers_<value>" in ground("config").out
        ground.change(FAMILY, "")
        assert ground("retire", names[0], "--dry-run").out.endswith(
            f"segment {names[0]} would be forgotten, with the record of who entered and left\n")
        would = f"{len(names)} segments of readers_<value> ({', '.join(names)}) would be forgotten"
        assert would in ground("retire", "readers_<value>", "--dry-run").out
        assert len(ground.data("retire", "readers_<value>")["targets"]) == len(names)
        gone = ground("retire", "readers_<value>")
        assert (gone.code, "it has none" in gone.err) == (2, True)
        assert not set(ground.data("status")["segments"]) & set(names)


def test_all_of_a_family_goes_by_its_name_also_after_it_emptied_its_segments(tmp_path: Path) -> None:
    clock = VirtualClock(NOW)
    with Sandbox(clock) as sandbox:
        ground = build(tmp_path, sandbox, clock, FAMILY)
        assert ground("plan").code == 0
        names = sorted(ground.data("status")["segments"])
        ground.change("    for_each", "    retire: remove\n    for_each")
        for _ in range(2):
            ground("plan")
        assert {each["retire"] for each in ground.data("status")["segments"].values()} == set(names), "each, while the family is there"
        ground.change(FAMILY.replace("    for_each", "    retire: remove\n    for_each"), "")
        assert "no longer in the config: `segmentd retire 'readers_<value>'` forgets it" in ground("status").out
        assert "did you mean 'readers_<value>'?" in ground("retire", "reader_<value>").err
        assert ground.data("retire", "readers_<value>")["segments"] == names
        assert ground.data("status")["segments"] == {}
