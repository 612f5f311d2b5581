"""Hostile and careless files: one clear message, in no time, never an exception."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.config.load import load
from sync.config.reading import LARGEST, decode, parse, read
from sync.located import Listing, Mapping, Place, Scalar

EXAMPLE = (Path(__file__).parents[2] / "config.example.yaml").read_bytes()


def complaint(tmp_path: Path, held: bytes) -> str:
    """What is said of a file of these bytes, as `line:column: message`."""
    path = tmp_path / "config.yaml"
    path.write_bytes(held)
    began = time.perf_counter()
    found, problems = read(path)
    assert time.perf_counter() - began < 20
    assert found is None
    assert len(problems) == 1
    return str(problems[0]).removeprefix(f"{path}:")


@pytest.mark.parametrize(("held", "said"), [
    (b"\xef\xbb\xbfversion: 1\n", "1:1: the file starts with a byte order mark; save it as UTF-8 without one"),
    (b"\xff\xfev\x00", "1:1: the file starts with a byte order mark; save it as UTF-8 without one"),
    (b"version: 1\nsettings: {store: M\xfcnchen}\n", "2:20: byte 0xfc is not UTF-8; save the file as UTF-8"),
    (b"a: \xed\xa0\x80\n", "1:4: byte 0xed is not UTF-8; save the file as UTF-8"),
    (b"version: 1\na: b\x00c\n", "2:5: the character U+0000 does not belong in a text file"),
    (b"a: \x1b[31m\n", "1:4: the character U+001B does not belong in a text file"),
    (b"a: \xef\xbb\xbf\n", "1:4: the character U+FEFF does not belong in a text file"),
    (b"# " + b"x" * LARGEST, "1:1: the file is larger than 1 MiB"),
    (b"a: " + b"[" * 50_000 + b"]" * 50_000, "1:67: more than 64 levels inside each other"),
    (b"a: " + b"{a: " * 50_000 + b"}" * 50_000, "1:256: more than 64 levels inside each other"),
    (b"- " * 50_000 + b"x", "1:129: more than 64 levels inside each other"),
    (b"[" * 50_000, "1:65: more than 64 levels inside each other"),
    (b"&a [*a]", "1:5: an alias (*name) without its anchor (&name) before it; quote the value if it is a text"),
    (b"a: &a x\nb: [" + b"*a, " * 1001 + b"]", "2:4005: more than 1000 aliases in one file"),
    (b"a: &a [" + b"x, " * 1000 + b"]\nb: [" + b"*a, " * 1000 + b"]",
     "2:797: with its aliases written out the file holds more than 200000 values"),
    (b"a: 1\n--- \nb: 2\n", "2:1: a second document begins here; one file is one document: take the line `---` out"),
    (b"a: !!python/object:os.system x\n", "1:4: a tag (a word that starts with !) is not read here; quote it if it is a text"),
    (b"%TAG ! tag:example.com,2000:\n---\na: 1\n", "2:1: the file is read as YAML 1.2; take the line that starts with % out"),
    (b"", "1:1: the file holds no settings; start with `version: 1`"),
    (b"# only a comment\n", "1:1: the file holds no settings; start with `version: 1`"),
    (b"? [a]\n: b\n", "1:3: a key must be a word; quote the value if braces or brackets belong to it"),
], ids=range(21))
def test_a_file_that_cannot_be_read_gives_one_message(tmp_path: Path, held: bytes, said: str) -> None:
    assert complaint(tmp_path, held) == said


def test_an_alias_bomb_is_refused_before_it_is_built(tmp_path: Path) -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [" + ", ".join([f"*a{n - 1}"] * 9) + "]" for n in range(1, 9)]
    said = complaint(tmp_path, "\n".join(levels).encode())
    assert said == "3:10: an alias to something that holds aliases itself; write it out here"


def test_thirty_thousand_keys_are_read_in_seconds(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("".join(f"k{n}: v{n}\n" for n in range(30_000)), encoding="utf-8")
    began = time.process_time()
    found, problems = read(path)
    assert isinstance(found, Mapping)
    assert len(found.entries) == 30_000
    assert problems == []
    assert time.process_time() - began < 15


@pytest.mark.parametrize("path", ["nowhere.yaml", "."])
def test_a_file_that_is_none_is_a_problem_not_a_traceback(tmp_path: Path, path: str) -> None:
    config, problems = load(tmp_path / path)
    assert config is None
    assert "cannot be read" in str(problems[0])


def test_words_that_other_readers_take_for_something_else_stay_texts() -> None:
    found, problems = parse("{a: on, b: NO, c: 012, d: 1_000, e: 12:30, f: 'true', g: , h: ~, i: 0o7, j: 1e3}", "f")
    assert problems == []
    assert found is not None
    held = {key.text: (value.text, value.plain) for key, value in found.entries if isinstance(value, Scalar)}
    assert held == {
        "a": ("on", True), "b": ("NO", True), "c": ("012", True), "d": ("1_000", True), "e": ("12:30", True),
        "f": ("true", False), "g": ("", True), "h": ("~", True), "i": ("0o7", True), "j": ("1e3", True),
    }


def test_every_value_knows_its_place() -> None:
    found, _ = parse("a: 1\nbär: [x, {y: z}]\n", "f")
    assert found is not None
    listed = found.get("bär")
    assert isinstance(listed, Listing)
    assert listed.place == Place("f", 2, 6)
    assert isinstance(listed.items[1], Mapping)
    assert listed.items[1].entries[0][1].place == Place("f", 2, 14)


def test_a_file_that_changes_while_it_is_read_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(b"version: 1\n")
    before, rounds = os.fstat, iter(range(100))

    def writer_at_work(number: int) -> os.stat_result:
        if next(rounds) < 2:
            with path.open("ab") as file:
                file.write(b"# more\n")
        return before(number)

    monkeypatch.setattr("sync.config.reading.os.fstat", writer_at_work)
    found, problems = read(path)
    assert problems == []
    assert found is not None
    assert path.read_bytes().count(b"# more") == 2


def test_a_file_that_never_stops_changing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(b"version: 1\n")
    before = os.fstat

    def writer_at_work(number: int) -> os.stat_result:
        with path.open("ab") as file:
            file.write(b"# more\n")
        return before(number)

    monkeypatch.setattr("sync.config.reading.os.fstat", writer_at_work)
    assert "changes while it is read" in str(read(path)[1][0])


def sound_or_told(path: Path, held: bytes) -> None:
    """Either a config, or at least one problem with a place in the file."""
    path.write_bytes(held)
    config, problems = load(path)
    errors = [problem for problem in problems if not problem.message.startswith("warning:")]
    assert (config is None) is bool(errors)
    assert all(problem.place.file == str(path) and problem.place.line >= 1 for problem in problems)
    assert all("\n" not in str(problem) and "\x1b" not in str(problem) for problem in problems)


CALM = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)


@CALM
@given(held=st.binary(max_size=200))
def test_random_bytes_never_raise(tmp_path: Path, held: bytes) -> None:
    sound_or_told(tmp_path / "config.yaml", held)


@CALM
@given(text=st.text(st.sampled_from("ab:-?[]{},#&*!|>'\"%@`~<= \n\t\\01.é"), max_size=60))
def test_random_yaml_never_raises(tmp_path: Path, text: str) -> None:
    sound_or_told(tmp_path / "config.yaml", text.encode())


@CALM
@given(seed=st.integers(0, 2**32))
def test_a_mutated_example_is_sound_or_told(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    lines = EXAMPLE.splitlines(keepends=True)
    for _ in range(dice.randint(1, 4)):
        here = dice.randrange(len(lines))
        change = dice.randrange(6)
        if change == 0:
            del lines[here]
        elif change == 1:
            lines.insert(here, dice.choice(lines))
        elif change == 2:
            lines[here] = lines[here].replace(b":", dice.choice([b"", b": []", b": {}", b": null,", b": -"]), 1)
        elif change == 3:
            lines[here] = dice.choice([b"  ", b" ", b"\t"]) + lines[here]
        elif change == 4:
            words = lines[here].split(b" ")
            dice.shuffle(words)
            lines[here] = b" ".join(words)
        else:
            at = dice.randrange(len(lines[here]))
            lines[here] = lines[here][:at] + bytes([dice.randrange(256)]) + lines[here][at + 1:]
    sound_or_told(tmp_path / "config.yaml", b"".join(lines))


def test_decoding_takes_what_people_write() -> None:
    assert decode("a: Grüße 🎉\r\n".encode(), "f") == "a: Grüße 🎉\r\n"
