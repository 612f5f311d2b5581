"""From YAML to the conditions on the record of a segment."""

from __future__ import annotations

from collections.abc import Callable

from sync.language.moves import Moved
from sync.language.nodes import Node
from sync.language.parse_who import segment_name
from sync.language.parse_windows import window
from sync.language.reader import Reader, held
from sync.language.words import WINDOWS
from sync.located import Mapping


def _moved(word: str) -> Callable[[Reader, Mapping], Node | None]:
    def parse(reader: Reader, mapping: Mapping) -> Node | None:
        value = reader.mapping(held(mapping, word), f"'{word}'", f"{{{word}: {{segment: vip, within: 7d}}}}")
        if value is None or not reader.keys(value, ("segment", *WINDOWS), f"'{word}'"):
            return None
        name = segment_name(reader, value.get("segment"), value.place)
        when = window(reader, value)
        return None if name is None or when is None else Moved(name, word == "entered", when)

    return parse


PARSERS: dict[str, Callable[[Reader, Mapping], Node | None]] = {"entered": _moved("entered"), "left": _moved("left")}
