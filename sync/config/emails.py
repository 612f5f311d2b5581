"""E-mail lists: files beside the configuration, one address a line, or CSV with a column `email`."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import TypeAlias

from sync.language.lists import OnList
from sync.located import Place, Problem
from sync.model import canonical_email

LARGEST = 64 * 1024 * 1024                          # bytes of a file
MOST_TOLD = 10                                      # wrong lines that are told one by one
HEADERS = frozenset({"email", "e-mail", "email address"})     # as the platforms' own exports spell it, in any case
DELIMITERS = ",;\t"

Found: TypeAlias = tuple[OnList | None, list[Problem]]
Lines: TypeAlias = Iterator[tuple[int, str]]        # number from 1, and what stands there


def lists_in(folder: Path) -> Callable[[str, Place], Found]:
    """Reads lists by their names relative to *folder*, each file once: the list, or every problem with it."""
    known: dict[str, Found] = {}

    def read(file: str, place: Place) -> Found:
        if file not in known:
            known[file] = _read(folder / Path(file).expanduser(), file, place)
        return known[file]

    return read


def _read(path: Path, file: str, place: Place) -> Found:
    try:
        with path.open("rb") as opened:
            held = opened.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        return None, [Problem(place, f"the list '{file}' cannot be read: {why}", "paths are relative to this file")]
    if len(held) > LARGEST:
        return None, [Problem(place, f"the list '{file}' is larger than {LARGEST // 1024 // 1024} MiB")]
    try:
        text = held.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = held.count(b"\n", 0, error.start) + 1
        return None, [Problem(Place(str(path), line, 1), f"byte 0x{held[error.start]:02x} is not UTF-8", "save the list as UTF-8")]
    return _list(text, path, file, place)


def _list(text: str, path: Path, file: str, place: Place) -> Found:
    addresses, wrong = set(), []
    for number, written in _written(text):
        address = canonical_email(written)
        if address is None:
            wrong.append(number)
        else:
            addresses.add(str(address))
    if wrong:
        return None, _told(wrong, path)
    if not addresses:
        return None, [Problem(place, f"the list '{file}' holds no address", "one a line, or CSV with a column 'email'")]
    digest = blake2b("\n".join(sorted(addresses)).encode(), digest_size=16).hexdigest()
    return OnList(file, digest, frozenset(addresses)), []


def _told(wrong: list[int], path: Path) -> list[Problem]:
    """A problem for each line without an address, none of which is shown."""
    hint = "one address a line; a CSV file begins with the names of its columns, one of them 'email'"
    told = [Problem(Place(str(path), number, 1), "this is no e-mail address", hint) for number in wrong[:MOST_TOLD]]
    if len(wrong) > MOST_TOLD:
        place = Place(str(path), wrong[MOST_TOLD], 1)
        told.append(Problem(place, f"this is no e-mail address, nor are {len(wrong) - MOST_TOLD - 1} further lines"))
    return told


def _written(text: str) -> Lines:
    """Every line's address as it is written, with the line's number; comments and blank lines are left out."""
    lines = ((number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip() and not line.lstrip().startswith("#"))
    first = next(lines, None)
    if first is None:
        return
    column, delimiter = _header(first[1])
    if column is None:
        yield first[0], first[1].strip()
        yield from ((number, line.strip()) for number, line in lines)
        return
    for number, line in lines:
        cells = next(csv.reader([line], delimiter=delimiter), [])
        if any(cell.strip() for cell in cells):
            yield number, cells[column].strip() if column < len(cells) else ""


def _header(line: str) -> tuple[int | None, str]:
    """Which column holds the addresses, None where *line* names no columns; and what parts them."""
    for delimiter in DELIMITERS:
        names = [cell.strip().casefold() for cell in next(csv.reader([line], delimiter=delimiter), [])]
        if found := [place for place, name in enumerate(names) if name in HEADERS]:
            return found[0], delimiter
    return None, ""
