"""From the bytes of a file to located values: YAML 1.2, with bounds, and without anything that makes a file mean two things.

The parser's events are scanned before anything is built, and the scan stops at the first bound that is broken: nesting,
aliases and size cannot hurt. Not read at all: tags, merge keys, several documents, keys that are no words.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sync.located import Listing, Mapping, Place, Problem, Scalar, Value

LARGEST = 1024 * 1024                               # bytes of a file
DEEPEST = 64                                        # collections inside collections
MOST_ALIASES = 1000
MOST_VALUES = 200_000                               # what aliases stand for is counted in
_UNREADABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_INDENTED_BY_TAB = re.compile(r"^ *\t", re.MULTILINE)


class Refused(Exception):
    """The file cannot be read as a whole; holds the one problem that says why."""

    def __init__(self, place: Place, message: str, hint: str = "") -> None:
        self.problem = Problem(place, message, hint)
        super().__init__(str(self.problem))


def read(path: Path, start: str = "`version: 1`") -> tuple[Mapping | None, list[Problem]]:
    """The map that the file at *path* holds, and what is wrong with it: of several reasons not to read it, the first. *start*:
    what an empty one is told to begin with."""
    first = Place(str(path), 1, 1)
    try:
        text = decode(whole(path), str(path))
    except OSError as error:
        return None, [Problem(first, f"cannot be read: {error.strerror or error}")]
    except Refused as refused:
        return None, [refused.problem]
    return parse(text, str(path), start)


def whole(path: Path) -> bytes:
    """The bytes of a file that did not change while it was read; a writer at work is waited for by reading again."""
    for _ in range(5):
        before = path.stat()
        with path.open("rb") as file:
            held = file.read(LARGEST + 1)
            after = os.fstat(file.fileno())
        if len(held) > LARGEST:
            raise Refused(Place(str(path), 1, 1), "the file is larger than 1 MiB")
        if _state(before) == _state(after) and len(held) == after.st_size:
            return held
    raise Refused(Place(str(path), 1, 1), "the file changes while it is read", "write it elsewhere and move it into place")


def _state(of: os.stat_result) -> tuple[int, int, int]:
    return of.st_ino, of.st_size, of.st_mtime_ns


def decode(held: bytes, file: str) -> str:
    """Text of *held*. Raises Refused at the first byte or character that does not belong in a YAML file."""
    if held.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise Refused(Place(file, 1, 1), "the file starts with a byte order mark", "save it as UTF-8 without one")
    try:
        text = held.decode("utf-8")
    except UnicodeDecodeError as error:
        place = _place(held[: error.start].decode("utf-8"), error.start, file)
        raise Refused(place, f"byte 0x{held[error.start]:02x} is not UTF-8", "save the file as UTF-8") from None
    if found := _UNREADABLE.search(text):
        raise Refused(_place(text, found.start(), file), f"the character U+{ord(found[0]):04X} does not belong in a text file")
    return text


def _place(text: str, offset: int, file: str) -> Place:
    """Where *offset* is in *text*."""
    line = text.count("\n", 0, offset) + 1
    return Place(file, line, offset - (text.rfind("\n", 0, offset) + 1) + 1)


def parse(text: str, file: str, start: str = "`version: 1`") -> tuple[Mapping | None, list[Problem]]:
    """The map that *text* holds, and what is wrong with it."""
    try:
        found, problems = _Builder(list(_scan(text, file)), file).build()
    except Refused as refused:
        return None, [refused.problem]
    if isinstance(found, Mapping):
        return found, problems
    return None, [*problems, Problem(Place(file, 1, 1), "the file holds no settings", f"start with {start}")]


# --- scanning --------------------------------------------------------------------------------------------------------------


def _scan(text: str, file: str) -> Iterator[Any]:
    """The parser's events, in order and within all bounds. Raises Refused."""
    from ruamel.yaml import YAML

    scan = _Bounds(file)
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            scan.see(event)
            yield event
    except Refused:
        raise
    except Exception as error:  # noqa: BLE001  the parser leaks other kinds (IndexError, ValueError) on hostile texts
        raise _syntax(error, text, file) from None


class _Bounds:
    """Refuses the first event that goes beyond a bound or means what we do not read."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._depth = self._aliases = self._values = self._documents = 0

    def see(self, event: Any) -> None:
        from ruamel.yaml import events

        place = at(event, self._file)
        if isinstance(event, events.DocumentStartEvent):
            self._document(event, place)
        elif isinstance(event, events.AliasEvent):
            self._aliases += 1
            if self._aliases > MOST_ALIASES:
                raise Refused(place, f"more than {MOST_ALIASES} aliases in one file")
        elif isinstance(event, events.CollectionEndEvent):
            self._depth -= 1
        elif isinstance(event, events.NodeEvent):
            self._node(event, place, isinstance(event, events.CollectionStartEvent))

    def _document(self, event: Any, place: Place) -> None:
        self._documents += 1
        if self._documents > 1:
            raise Refused(place, "a second document begins here", "one file is one document: take the line `---` out")
        if event.tags or (event.version and tuple(event.version) != (1, 2)):
            raise Refused(place, "the file is read as YAML 1.2", "take the line that starts with % out")

    def _node(self, event: Any, place: Place, collection: bool) -> None:
        self._values += 1
        self._depth += collection
        if event.tag is not None:
            raise Refused(place, "a tag (a word that starts with !) is not read here", "quote it if it is a text")
        if self._depth > DEEPEST:
            raise Refused(place, f"more than {DEEPEST} levels inside each other")
        if self._values > MOST_VALUES:
            raise Refused(place, f"more than {MOST_VALUES} values in one file")


def at(event: Any, file: str) -> Place:
    return Place(file, event.start_mark.line + 1, event.start_mark.column + 1)


def _syntax(error: Exception, text: str, file: str) -> Refused:
    """The parser's complaint in words of ours; never any of the file's own text but the name of an alias or character."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file, 1, 1)
    said = str(getattr(error, "problem", None) or "the file is no YAML")
    if _stands_on_tab(text, mark) or "'\\t'" in said:
        return Refused(place, "a tab cannot indent here", "use spaces")
    opened = getattr(error, "context_mark", None)
    for pattern, message, hint in _COMPLAINTS:
        if re.search(pattern, f"{getattr(error, 'context', None) or ''} {said}"):
            if not hint and opened:
                hint = f"it opens at {opened.line + 1}:{opened.column + 1}"
            return Refused(place, message, hint)
    return Refused(place, f"no valid YAML: {said[:120]}")


def _stands_on_tab(text: str, mark: Any) -> bool:
    """Whether the line of *mark*, or the one before it, is indented by a tab."""
    lines = text.split("\n")
    return mark is not None and any(_INDENTED_BY_TAB.match(line) for line in lines[max(0, mark.line - 1):mark.line + 1])


_COMPLAINTS = (
    (r"mapping values are not allowed", "a second `: ` in one line", 'quote the value: "a: b"'),
    (r"expected ',' or '[\]}]'", "a bracket is not closed, or a comma is missing", ""),
    (r"could not find expected ':'", "a key without its colon", "write `key: value`"),
    (r"expected <block end>", "this line is indented otherwise than the lines it belongs to", "align it with them"),
    (r"cannot start any token", "this character cannot start a value", "quote the value"),
    (r"found unexpected end of stream", "a quote is not closed", ""),
    (r"found undefined alias", "an alias (*name) without its anchor (&name) before it", "quote the value if it is a text"),
    (r"unknown escape|escape sequence", "a backslash in double quotes starts an unknown escape", "use 'single quotes'"),
    (r"sequence entries are not allowed", "a list cannot start here", "put the `-` on a line of its own"),
    (r"scanning a directive", "a line that starts with % is a directive, and none is read here", "quote the value"),
    (r"while scanning an? (alias|anchor)", "* and & at the start mean an alias or anchor",
     "quote the value"),
)


# --- building --------------------------------------------------------------------------------------------------------------


class _Builder:
    """Located values from scanned events. Depth is bounded by the scan, so recursion is safe."""

    def __init__(self, events: list[Any], file: str) -> None:
        self._events = iter(events)
        self._file = file
        self._anchors: dict[str, tuple[Value, int, bool]] = {}      # value, values in it, whether it is or holds an alias
        self._problems: list[Problem] = []
        self._values = 0
        self._aliased = 0                                           # aliases met so far

    def build(self) -> tuple[Value | None, list[Problem]]:
        from ruamel.yaml import events

        for event in self._events:
            if isinstance(event, events.NodeEvent):
                return self._value(event), self._problems
        return None, self._problems

    def _value(self, event: Any) -> Value:
        from ruamel.yaml import events

        place = at(event, self._file)
        if isinstance(event, events.AliasEvent):
            return self._alias(event.anchor, place)
        values, aliased = self._values, self._aliased
        self._count(1, place)
        found: Value
        if isinstance(event, events.ScalarEvent):
            found = Scalar(event.value, event.style in (None, ""), place)
        elif isinstance(event, events.SequenceStartEvent):
            found = Listing(tuple(self._items(events.SequenceEndEvent)), place)
        else:
            found = self._mapping(place)
        if event.anchor:
            self._anchors[event.anchor] = found, self._values - values, self._aliased > aliased
        return found

    def _count(self, more: int, place: Place) -> None:
        self._values += more
        if self._values > MOST_VALUES:
            raise Refused(place, f"with its aliases written out the file holds more than {MOST_VALUES} values")

    def _alias(self, name: str, place: Place) -> Value:
        if name not in self._anchors:
            raise Refused(place, "an alias (*name) without its anchor (&name) before it", "quote the value if it is a text")
        found, size, nested = self._anchors[name]
        if nested and not isinstance(found, Scalar):
            raise Refused(place, "an alias to something that holds aliases itself", "write it out here")
        self._aliased += 1
        self._count(size, place)
        return found

    def _items(self, end: type) -> Iterator[Value]:
        for event in self._events:
            if isinstance(event, end):
                return
            yield self._value(event)

    def _mapping(self, place: Place) -> Mapping:
        from ruamel.yaml import events

        entries: list[tuple[Scalar, Value]] = []
        first: dict[str, Place] = {}
        for event in self._events:
            if isinstance(event, events.MappingEndEvent):
                break
            key = self._key(event)
            value = self._value(next(self._events))
            if key.text in first:
                earlier = first[key.text]
                hint = f"first at {earlier.line}:{earlier.column}"
                self._problems.append(Problem(key.place, f"the key {key.text[:60]!r} is repeated", hint))
            else:
                first[key.text] = key.place
                entries.append((key, value))
        return Mapping(tuple(entries), place)

    def _key(self, event: Any) -> Scalar:
        from ruamel.yaml import events

        place = at(event, self._file)
        if not isinstance(event, events.ScalarEvent):
            raise Refused(place, "a key must be a word", "quote the value if braces or brackets belong to it")
        if event.anchor:
            raise Refused(place, "a key takes no anchor", "quote it if & belongs to it")
        if event.value == "<<" and event.implicit[0]:
            raise Refused(place, "merge keys (<<) are not read", "write the keys out, or use `defaults:`")
        self._count(1, place)
        return Scalar(event.value, event.style in (None, ""), place)
