"""Reading maps: each known key once, unknown ones answered with the right word, origins and problems kept."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias, TypeVar

from sync.config.keys import CONNECTION, Section
from sync.language.literals import is_null
from sync.language.words import nearest, suggestion
from sync.located import Listing, Mapping, Place, Problem, Scalar, Value

T = TypeVar("T")
LONGEST_SHOWN = 60


@dataclass
class Notes:
    """What was found so far. *folder*: what relative paths start from. *warnings* stop nothing.
    *origins*: dotted key → place, None for a default."""

    folder: Path
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    origins: dict[str, Place | None] = field(default_factory=dict)

    def complain(self, place: Place, message: str, hint: str = "") -> None:
        self.problems.append(Problem(place, message, hint))

    def later(self, place: Place, what: str, hint: str = "") -> None:
        self.complain(place, f"'{what}' is not yet supported in this version", hint)

    def mapping(self, value: Value | None, what: str, example: str) -> Mapping | None:
        """*value* as a map; nothing at all (all its lines are comments) is an empty one."""
        if isinstance(value, Mapping):
            return value
        if isinstance(value, Scalar) and is_null(value):
            return Mapping((), value.place)
        if value is not None:
            self.complain(value.place, f"{what} takes a map, not {shown(value)}", f"for example {example}")
        return None


Reader: TypeAlias = Callable[[Notes, Value, str], T | None]
"""Gives the value, or None after complaining; its last argument is the key, for messages."""


def shown(value: Value) -> str:
    """*value* in a message: short, and with nothing in it that a terminal would obey."""
    if isinstance(value, Mapping):
        return "a map"
    if isinstance(value, Listing):
        return "a list"
    if is_null(value):
        return "nothing"
    return repr(value.text if len(value.text) <= LONGEST_SHOWN else value.text[:LONGEST_SHOWN] + "…")


def either(words: Collection[str], link: str = "or") -> str:
    """Words as a sentence lists them."""
    *rest, last = words
    return f"{', '.join(rest)} {link} {last}" if rest else last


def word(key: Scalar) -> str:
    """A key in a message."""
    return shown(Scalar(key.text, False, key.place))


class Form:
    """One map of the file. *path* is its dotted key; *where* its name in messages; *more*: further keys that are right;
    *elsewhere*: key → why it does not fit here."""

    def __init__(
        self, notes: Notes, held: Mapping, section: Section, path: str, where: str = "", *,
        more: Collection[str] = (), elsewhere: dict[str, str] | None = None,
    ) -> None:
        self.notes, self.held, self.path, self.where = notes, held, path, where or section.title
        self.allowed = [*section.keys, *more]
        before = len(notes.problems)
        _check_keys(self, section, elsewhere or {})
        self.wrong = len(notes.problems) > before       # a key was refused

    def read(self, key: str, reader: Reader[T], default: T) -> T:
        """What *reader* makes of the value under *key*; *default* where there is none, or a wrong one."""
        value = self.held.get(key)
        dotted = f"{self.path}.{key}" if self.path else key
        if value is None:
            self.notes.origins.setdefault(dotted, None)
            return default
        self.notes.origins[dotted] = value.place
        found = reader(self.notes, value, key)
        return default if found is None else found

    def place(self, key: str) -> Place:
        """Where *key* stands, or the map itself when it does not."""
        return next((name.place for name, _ in self.held.entries if name.text == key), self.held.place)


def _check_keys(form: Form, section: Section, elsewhere: dict[str, str]) -> None:
    after_comma = commas(form.held) if section is not CONNECTION else {}     # what stands in one may be a secret
    for key, _ in form.held.entries:
        if key.text in section.later:
            form.notes.later(key.place, key.text)
        elif key.text in elsewhere:
            form.notes.complain(key.place, f"{word(key)} does not fit in {form.where}", elsewhere[key.text])
        elif key.text not in form.allowed and key.place in after_comma:
            if after_comma[key.place]:
                form.notes.complain(key.place, f"unknown key {word(key)} in {form.where}", after_comma[key.place])
        elif key.text not in form.allowed:
            near = nearest(key.text, [*form.allowed, *section.later])
            hint = f"did you mean '{near}'?" if near else suggestion(key.text, form.allowed)
            form.notes.complain(key.place, f"unknown key {word(key)} in {form.where}", hint)


def commas(held: Mapping) -> dict[Place, str]:
    """In `{tag: Berlin, Summer}`, which is a map of two keys: place of each key without a value → what was meant, said once
    for all that follow one another ("" from the second on)."""
    found: dict[Place, str] = {}
    start: tuple[Scalar, Scalar] | None = None
    run: list[Scalar] = []
    for key, value in [*held.entries, (None, None)]:
        if key is not None and start and isinstance(value, Scalar) and value.plain and value.text == "":
            run.append(key)
            continue
        if start and run:
            whole = ", ".join([start[1].text, *(each.text for each in run)])
            hint = f'a comma ends the value before it: quote it, {start[0].text}: "{whole}"'
            found |= {each.place: hint if n == 0 else "" for n, each in enumerate(run)}
        run = []
        start = (key, value) if key is not None and isinstance(value, Scalar) and value.text else None
    return found
