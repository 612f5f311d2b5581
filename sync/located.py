"""Values of a YAML file that remember where they stand, and problems that name the place.

`config` reads files into these; `language` parses segments out of them. A scalar keeps the text its author wrote and
whether it was quoted, so that each reader decides what it means (`01234` is a postcode, not a number).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where something stands: *line* and *column* count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Scalar:
    """One leaf as written: `null` and an empty value are the plain texts `null` and ``; *plain* is False when quoted."""

    text: str
    plain: bool
    place: Place


@dataclass(frozen=True, slots=True)
class Listing:
    items: tuple[Value, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys in the order of the file; a repeated key has been reported already and its first entry kept."""

    entries: tuple[tuple[Scalar, Value], ...]
    place: Place

    def get(self, key: str) -> Value | None:
        """The value under *key*, or None."""
        return next((value for name, value in self.entries if name.text == key), None)

    def keys(self) -> list[str]:
        return [name.text for name, _ in self.entries]


Value: TypeAlias = Scalar | Listing | Mapping


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong in a file, with its place; *hint* says what would be right, in the same line when printed."""

    place: Place
    message: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" + (f"; {self.hint}" if self.hint else "")
