"""`include:`: segments in further files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sync.config.effective import effective
from sync.config.load import load
from sync.config.model import Config

HEAD = "version: 1\nconnections: {testing: {}}\ninclude: segments/*.yaml\n"
VIP = "segments:\n  vip: {event: order_placed, sync: {testing: {tag: VIP}}}\n"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "segments").mkdir()
    return tmp_path


@pytest.fixture
def said(place: Path) -> Callable[..., list[str]]:
    """What is wrong with a config and its included files, with paths relative to its folder."""

    def of(head: str = HEAD, **files: str) -> list[str]:
        config, problems = _loaded(place, head, files)
        assert config is None
        return [str(problem).replace(f"{place}/", "") for problem in problems]

    return of


def _loaded(place: Path, head: str, files: dict[str, str]) -> tuple[Config | None, list[object]]:
    (place / "config.yaml").write_text(head)
    for name, text in files.items():
        (place / "segments" / f"{name}.yaml").write_text(text)
    config, problems = load(place / "config.yaml")
    return config, list(problems)


def loaded(place: Path, head: str = HEAD, **files: str) -> Config:
    config, problems = _loaded(place, head, files)
    assert config is not None, list(map(str, problems))
    assert problems == []
    return config


def test_segments_of_all_files_stand_together_in_the_order_of_the_names(place: Path) -> None:
    config = loaded(place, HEAD + "segments: {z: {event: order_placed}}\n", b="segments: {b: {segment: a}}\n",
                    a="segments:\n  a: {segment: z}\n")
    assert list(config.segments) == ["z", "a", "b"]
    assert config.files == (place / "config.yaml", place / "segments/a.yaml", place / "segments/b.yaml")
    assert str(config.segments["a"].place) == f"{place}/segments/a.yaml:2:3"


def test_a_file_with_segments_alone_needs_nothing_else_in_the_one_that_includes_it(place: Path) -> None:
    assert list(loaded(place, HEAD, a=VIP).segments) == ["vip"]


def test_each_effective_value_names_the_file_that_says_it(place: Path) -> None:
    config = loaded(place, HEAD, a=VIP)
    rows = {key: place for key, _, place in effective(config)}
    assert str(rows["segments.vip/testing/tag.tag"]) == f"{place}/segments/a.yaml:2:52"
    assert str(rows["include"]) == f"{place}/config.yaml:3:10"


def test_several_paths_are_read_in_their_order(place: Path) -> None:
    (place / "last.yaml").write_text("segments: {last: {event: order_placed}}\n")
    config = loaded(place, HEAD.replace("segments/*.yaml", "[last.yaml, segments/*.yaml]"), a=VIP)
    assert list(config.segments) == ["last", "vip"]


def test_what_an_editor_keeps_beside_a_file_is_not_taken_in(place: Path) -> None:
    (place / "segments" / ".#a.yaml").symlink_to("nobody@nowhere")
    (place / "segments" / ".a.yaml").write_text("half a fi")
    (place / "segments" / "folder.yaml").mkdir()
    assert list(loaded(place, HEAD, a=VIP).segments) == ["vip"]


def test_one_name_in_two_files_is_told_with_both_places(said: Callable[..., list[str]]) -> None:
    assert said(a=VIP, b="segments:\n  vip: {event: email_opened}\n") == [
        "segments/b.yaml:2:3: 'vip' stands twice under `segments:`; first at segments/a.yaml:2:3; names are unique over all files",
    ]


def test_two_files_that_write_one_target_are_told_with_both_places(said: Callable[..., list[str]]) -> None:
    assert said(a=VIP, b=VIP.replace("vip", "gold")) == [
        "segments/b.yaml:2:47: segments 'vip' and 'gold' both write the tag 'VIP' on testing; first at segments/a.yaml:2:46; "
        "put both rules into one segment under `any`",
    ]


def test_every_problem_of_every_file_is_told_at_once(said: Callable[..., list[str]]) -> None:
    found = said(
        a="settings: {timezone: UTC}\ninclude: more.yaml\nversion: 1\nsegmets: {}\n", b="segments: {x: {evnt: y}}\n", c="\n", d="a: [x\n",
        e="segments: {a: {event: order_placed}, a: {event: order_placed}}\n",
    )
    assert found == [
        "segments/a.yaml:1:1: 'settings' does not fit in an included file; an included file holds segments and traits; "
        "say it in config.yaml",
        "segments/a.yaml:2:1: 'include' does not fit in an included file; only one file includes others",
        "segments/a.yaml:3:1: 'version' does not fit in an included file; an included file holds segments and traits; "
        "say it in config.yaml",
        "segments/a.yaml:4:1: unknown key 'segmets' in an included file; did you mean 'segments'?",
        "segments/b.yaml:1:16: unknown key 'evnt' in segment 'x'; did you mean 'event'?",
        "segments/c.yaml:1:1: the file holds no settings; start with `segments:`",
        "segments/d.yaml:2:1: a bracket is not closed, or a comma is missing; it opens at 1:4",
        "segments/e.yaml:1:38: the key 'a' is repeated; first at 1:12",
    ]


def test_a_file_is_taken_in_once(said: Callable[..., list[str]], place: Path) -> None:
    (place / "again.yaml").symlink_to("segments/a.yaml")
    head = HEAD.replace("segments/*.yaml", "[segments/*.yaml, segments/a.yaml, again.yaml]")
    assert said(head, a=VIP) == [
        "config.yaml:3:28: 'include' takes in segments/a.yaml twice; first by 'segments/*.yaml'",
        "config.yaml:3:45: 'include' takes in again.yaml (the same file as segments/a.yaml) twice; first by 'segments/*.yaml'",
    ]


def test_a_file_that_cannot_be_read_is_told_by_its_name(said: Callable[..., list[str]], place: Path) -> None:
    (place / "segments" / "latin.yaml").write_bytes("# Käse\n".encode("latin-1"))
    (place / "segments" / "big.yaml").write_bytes(b"#" * (1024 * 1024 + 1))
    assert said(a=VIP) == [
        "segments/big.yaml:1:1: the file is larger than 1 MiB",
        "segments/latin.yaml:1:4: byte 0xe4 is not UTF-8; save the file as UTF-8",
    ]


def test_a_secret_in_an_included_file_is_not_echoed(said: Callable[..., list[str]]) -> None:
    secret = "pk_" + "0" * 34
    found = said(a=f"segments: {{vip: {{event: {secret}}}}}\n")
    assert len(found) == 1
    assert "looks like a platform's key" in found[0]
    assert secret not in found[0]
