"""What the people of a story were before: what their fields held, and which segments they entered and left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.base import Millis
from sync.config.form import Form, Notes
from sync.config.keys import Section
from sync.config.model import Config
from sync.insight.story_values import moment, plain
from sync.language.countries import as_country
from sync.language.person import Move, Past
from sync.language.values import Json, Path, parse_path
from sync.language.words import NEUTRAL_FIELDS, suggestion
from sync.located import Listing, Mapping, Scalar, Value

HELD = Section("an entry of a field's history", {"is": "The value", "since": "Since when it held it"})


@dataclass(frozen=True)
class Told:
    """The clock of a story and the config it is told in."""

    now: Millis
    config: Config
    asked: set[str] = field(default_factory=set)    # event names that were warned of

    @property
    def zone(self) -> str:
        return self.config.settings.timezone


def field_path(notes: Notes, key: Scalar, told: Told) -> Path | None:
    """The field that *key* names, as rules name it; None after a complaint."""
    path = parse_path(key.text)
    known = {*NEUTRAL_FIELDS, *told.config.fields, *told.config.connections} - {"known_since"}
    if path[0] in known:
        return path
    hint = "it stands beside `contact:`" if path[0] == "known_since" else suggestion(path[0], known)
    notes.complain(key.place, f"unknown field '{key.text}'", hint)
    return None


def pulled(path: Path, value: Json, told: Told) -> Json:
    """*value* of the field *path* as rules see it after a pull: in a field `as: country`, names of countries are codes."""
    spec = told.config.fields.get(path[0])
    return as_country(value) if spec is not None and spec.country else value


def put(record: dict[str, Any], path: Path, values: Sequence[Json]) -> None:
    """Put the one of *values*, if there is one, into *record* under *path*, unless something stands there."""
    for part in path[:-1]:
        inner = record.setdefault(part, {})
        record = inner if isinstance(inner, dict) else {}
    for value in values:
        record.setdefault(path[-1], value)


def read_history(notes: Notes, value: Value | None, told: Told) -> dict[Path, tuple[Past, ...]]:
    """Field → what it held, by time; the first is a first sight, no change."""
    held = None if value is None else notes.mapping(value, "'history'", "history: {plan: [{is: gold, since: 30d ago}]}")
    found = {}
    for key, said in held.entries if held else ():
        path = field_path(notes, key, told)
        known = sorted(_held(notes, said, told), key=lambda each: each[0])
        if path is not None:
            found[path] = tuple(Past(at, pulled(path, one, told), changed=place > 0) for place, (at, one) in enumerate(known))
    return found


def _held(notes: Notes, value: Value, told: Told) -> Iterator[tuple[Millis, Json]]:
    for item in value.items if isinstance(value, Listing) else (value,):
        held = notes.mapping(item, "an entry of a field's history", "{is: gold, since: 30d ago}")
        form = Form(notes, held or Mapping((), item.place), HELD, "")
        at, said = form.read("since", moment(told.now, told.zone), None), form.held.get("is")
        if held is not None and (said is None or held.get("since") is None):
            notes.complain(item.place, "an entry of a field's history says a value and since when", "{is: gold, since: 30d ago}")
        if said is not None and at is not None:
            yield at, plain(said)


def read_moves(notes: Notes, held: Mapping, told: Told) -> Iterator[Move]:
    """When the person entered and left segments."""
    for word in ("entered", "left"):
        value = held.get(word)
        inner = None if value is None else notes.mapping(value, f"'{word}'", f"{word}: {{buyers: 3d ago}}")
        for name, said in inner.entries if inner else ():
            if name.text not in told.config.segments:
                notes.complain(name.place, f"no segment is called '{name.text}'", suggestion(name.text, told.config.segments))
                continue
            for item in said.items if isinstance(said, Listing) else (said,):
                at = moment(told.now, told.zone)(notes, item, word)
                if at is not None:
                    yield Move(name.text, at, word == "entered")
