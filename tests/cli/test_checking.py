"""`check` on a sound config: what it warns of, with and without a store."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.ground import SEGMENTS, Ground

SPELT = """
  dutch:
    all:
      - contact: {country: [nl, DE], city: {starts_with: utr}}
      - {event: email_clicked, where: {url: {contains: [SHOP.EXAMPLE/Shoes, shop.example]}}}
      - not: {event: email_clicked, where: {url: {any: {is: HTTPS://shop.example/shoes}}}}
  fine:
    all:
      - contact: {country: [NL, XX], first_name: {is: ada, ignore_case: true}, city: {is_not: Ulm}}
      - {event: email_clicked, where: {url: {contains: /}, campaign: {is_not: nothing}}}
"""
SETTLED = "  never: {all: [{event: order_placed}, {not: {event: order_placed}}]}\n"


@pytest.fixture
def edited(applied: Ground) -> Path:
    """A second config over the same store."""
    path = applied.folder / "edited.yaml"
    path.write_text(applied.config.read_text().replace(SEGMENTS.lstrip("\n"), SPELT.lstrip("\n") + SETTLED))
    return path


def told(ground: Ground, path: Path, *argv: str) -> list[str]:
    from tests.cli.ground import said

    done = said("check", "-c", str(path), "--json", *argv, clock=ground.clock)
    assert (done.code, done.err) == (0, "")
    assert done.json["ok"]
    return [f"{each['line']}:{each['column']}: {each['message']}; {each['hint']}".rstrip("; ") for each in done.json["problems"]]


def test_a_literal_that_the_store_knows_in_another_case_is_told_with_its_place_and_spelling(applied: Ground, edited: Path) -> None:
    line = 1 + edited.read_text().splitlines().index("  dutch:")
    assert told(applied, edited)[:-1] == [
        f"{line + 2}:9: warning: segment 'dutch': no city in the store starts with 'utr'; 'Utr' is there; write it so, "
        "or ignore_case: true",
        f"{line + 2}:9: warning: segment 'dutch': no country in the store is 'nl'; 'NL' is there; write it so, or ignore_case: true",
        f"{line + 3}:9: warning: segment 'dutch': no url in the store contains 'SHOP.EXAMPLE/Shoes'; 'shop.example/shoes' is there; "
        "write it so, or ignore_case: true",
        f"{line + 4}:14: warning: segment 'dutch': no url in the store is 'HTTPS://shop.example/shoes'; 'https://shop.example/shoes' is "
        "there; write it so, or ignore_case: true",
    ]


def test_a_quick_check_and_one_without_a_store_leave_spelling_alone_but_not_what_is_settled(applied: Ground, edited: Path) -> None:
    settled = "warning: segment 'never': nobody can meet all of it: 'order_placed' and not 'order_placed'"
    for argv in (["--quick"], []):
        found = told(applied, edited, *argv)
        assert found[-1].endswith(settled)
        assert len(found) == (1 if argv else 5)
    text = edited.read_text()
    edited.write_text(text.replace("store: store.db", "store: nowhere.db"))
    assert [each.partition(": ")[2] for each in told(applied, edited)] == [settled]
    assert not (applied.folder / "nowhere.db").exists()


def test_the_config_of_the_world_gives_no_warning(applied: Ground) -> None:
    assert told(applied, applied.config) == []


def test_a_new_segment_that_looks_like_one_that_is_gone_is_told_as_the_plan_tells_it(applied: Ground) -> None:
    path = applied.folder / "renamed.yaml"
    path.write_text(applied.config.read_text().replace("  buyers:", "  shoppers:"))
    line = 1 + path.read_text().splitlines().index("  shoppers:")
    assert told(applied, path) == [
        f"{line}:3: warning: segment 'shoppers': it looks like 'buyers' under a new name: write `was: buyers`, or `segmentd retire "
        "buyers`, and until then its targets are frozen",
    ]
    assert told(applied, path, "--quick") == []
    sync = next(each for each in path.read_text().splitlines(keepends=True) if "{tag: Buyers" in each)
    bare = applied.folder / "bare.yaml"
    bare.write_text(path.read_text().replace(sync, ""))
    assert told(applied, bare)[0].endswith("or `segmentd retire buyers`"), "without targets nothing is frozen"
    path.write_text(path.read_text().replace("  shoppers:", "  shoppers:\n    was: buyers"))
    assert told(applied, path) == []


def test_a_segment_that_cannot_be_what_it_says_it_was_is_refused_as_the_plan_refuses_it(applied: Ground) -> None:
    from tests.cli.ground import said

    path = applied.folder / "taken.yaml"
    text = applied.config.read_text()
    start = text.index("  buyers:")
    path.write_text(text[:start] + text[text.index("  readers:"):].replace("  readers:", "  readers:\n    was: buyers"))
    done = said("check", "-c", str(path), "--json", clock=applied.clock)
    assert (done.code, done.json["ok"], done.json["next"]) == (2, False, "")
    assert [each["message"] for each in done.json["problems"]] == [
        "segment 'readers' was applied under this name already, so it cannot take over what is left of 'buyers'",
    ]
