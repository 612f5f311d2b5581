"""E-mail lists: what is read, and what is told of a file that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync.config import emails
from sync.config.load import load
from sync.language.lists import OnList

HEAD = "version: 1\nconnections: {klaviyo: {}}\nsegments:\n"


def listed(folder: Path, content: bytes) -> OnList:
    (folder / "list.txt").write_bytes(content)
    (folder / "config.yaml").write_text(HEAD + "  press: {emails: list.txt}\n")
    config, problems = load(folder / "config.yaml")
    assert config is not None, problems
    rule = config.segments["press"].rule
    assert isinstance(rule, OnList)
    return rule


def told(folder: Path, content: bytes) -> list[str]:
    (folder / "list.txt").write_bytes(content)
    (folder / "config.yaml").write_text(HEAD + "  press: {emails: list.txt}\n")
    config, problems = load(folder / "config.yaml")
    assert config is None
    return [str(problem).removeprefix(f"{folder}/") for problem in problems]


@pytest.mark.parametrize("content", [
    b"ada@example.com\nbob@example.com",
    b"# the press\n\n  Ada@Example.com  \r\nbob@example.com\r\n",
    b"\xef\xbb\xbfada@example.com\nbob@example.com\nada@example.com\n",
    b"email\nada@example.com\nbob@example.com\n",
    b"Name,Email\nAda,ada@example.com\n\"Bob, the other\",bob@example.com\n",
    b"E-Mail;Name\nada@example.com;Ada\nbob@example.com\n;\n",
    b"First\tEmail Address\nAda\tada@example.com\nBob\tbob@example.com\n",
])
def test_a_list_is_read(content: bytes, tmp_path: Path) -> None:
    assert listed(tmp_path, content).addresses == {"ada@example.com", "bob@example.com"}


def test_an_edited_list_is_another_rule_and_an_equal_one_the_same(tmp_path: Path) -> None:
    first = listed(tmp_path, b"ada@example.com\nbob@example.com\n")
    assert listed(tmp_path, b"# sorted\nbob@example.com\nada@example.com\n") == first
    edited = listed(tmp_path, b"ada@example.com\n")
    assert edited != first
    assert repr(edited) != repr(first)
    assert "example.com" not in repr(edited)


HINT = "one address a line; a CSV file begins with the names of its columns, one of them 'email'"


@pytest.mark.parametrize(("content", "says"), [
    (b"# nobody\n\n", ["config.yaml:4:19: the list 'list.txt' holds no address; one a line, or CSV with a column 'email'"]),
    (b"", ["config.yaml:4:19: the list 'list.txt' holds no address; one a line, or CSV with a column 'email'"]),
    (b"ada@example.com\nzo\xeb@example.com\n", ["list.txt:2:1: byte 0xeb is not UTF-8; save the list as UTF-8"]),
    (b"name;email\nAda;ada@example.com\nBob;\n;bob at example\n",
     [f"list.txt:3:1: this is no e-mail address; {HINT}", f"list.txt:4:1: this is no e-mail address; {HINT}"]),
    (b"name;mail\nAda;ada@example.com\n", [f"list.txt:1:1: this is no e-mail address; {HINT}"]),
])
def test_a_list_that_cannot_be_read_says_where_and_shows_nobody(content: bytes, says: list[str], tmp_path: Path) -> None:
    assert told(tmp_path, content)[: len(says)] == says
    assert not [line for line in told(tmp_path, content) if "@" in line]


def test_many_wrong_lines_are_told_in_short(tmp_path: Path) -> None:
    found = told(tmp_path, b"nobody\n" * 500)
    assert len(found) == emails.MOST_TOLD + 1
    assert found[-1] == "list.txt:11:1: this is no e-mail address, nor are 489 further lines"


def test_a_missing_list_and_one_too_large_are_told_at_the_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emails, "LARGEST", 1024 * 1024)
    assert told(tmp_path, b"ada@example.com\n" * 70_000) == ["config.yaml:4:19: the list 'list.txt' is larger than 1 MiB"]
    (tmp_path / "config.yaml").write_text(HEAD + "  press: {emails: lists/press.csv}\n  folder: {emails: .}\n")
    missing, folder = load(tmp_path / "config.yaml")[1]
    assert (missing.message, missing.hint) == (
        "the list 'lists/press.csv' cannot be read: No such file or directory", "paths are relative to this file",
    )
    assert folder.message == "the list '.' cannot be read: Is a directory"
