"""Stories: people, what they did, and who should be in which segment when. One YAML file is one story.

    now: 2026-11-20T12:00Z
    people:
      ann: {contact: {country: DE}, events: [{event: order_placed, at: 2d ago, properties: {value: 40}, times: 3}]}
    expect: {buyers: [ann]}
    then:
      - {after: 30d, expect: {buyers: nobody}}
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from connectors.base import Millis
from sync.config.form import Form, Notes, Reader
from sync.config.keys import Section
from sync.config.model import Config
from sync.config.reading import read
from sync.insight.story_families import with_told
from sync.insight.story_past import Told
from sync.insight.story_people import read_people
from sync.insight.story_values import later, moment, names
from sync.language.person import Person
from sync.language.words import suggestion
from sync.located import Listing, Place, Problem, Scalar, Value
from sync.located import Mapping as Located

STORY = Section("a story", {
    "description": "What the story is about",
    "now": "The frozen clock: a day or an instant",
    "people": "Name → what is known of them",
    "expect": "Segment → who is in it at `now`",
    "then": "A list of later moments, each with what is expected then",
})
STEP = Section("an entry of 'then'", {
    "after": "How long after `now`, such as 7d",
    "at": "A day or an instant",
    "expect": "Segment → who is in it then",
})
SIDES = Section("an expectation", {"in": "People who are in the segment", "not_in": "People who are not"})
EXAMPLE = "expect: {buyers: [ann, bob]}"


@dataclass(frozen=True, slots=True)
class Expectation:
    """At *at* all of *inside* are in *segment* and nobody of *outside*; or, where *fails*, it cannot be answered."""

    place: Place
    segment: str
    at: Millis
    inside: frozenset[str]
    outside: frozenset[str]
    fails: bool = False


@dataclass(frozen=True, slots=True)
class Story:
    """*people*: by name, without the segments they may be asked about."""

    file: str
    description: str
    now: Millis
    people: Mapping[str, Person]
    expectations: tuple[Expectation, ...]


def read_story(path: Path, config: Config) -> tuple[Story | None, list[Problem]]:
    """The story in the file at *path*, told in the words of *config*, or None and everything that is wrong with it. Beside a
    story the list holds only warnings, each with "warning:" in front."""
    held, problems = read(path, start="`now: 2026-11-20T12:00Z`")
    if held is None:
        return None, problems
    notes = Notes(path.absolute().parent, list(problems))
    story = _story(notes, held, path, config)
    return (None, sorted(notes.problems)) if notes.problems else (story, sorted(notes.warnings))


def _story(notes: Notes, held: Located, path: Path, config: Config) -> Story:
    form = Form(notes, held, STORY, "", "a story")
    now = form.read("now", moment(None, config.settings.timezone), None)
    if held.get("now") is None:
        notes.complain(held.place, "the story does not say its clock", "for example now: 2026-11-20T12:00Z")
    told = Told(now or 0, config)
    said = held.get("people")
    found = {} if said is None else read_people(notes, said, told)
    if said is None:
        notes.complain(held.place, "the story has no people", "for example people: {ann: {contact: {country: DE}}}")
    told = replace(told, config=with_told(config, found))
    expected = tuple(_expectations(notes, held, told, found))
    if not expected and not notes.problems:
        notes.complain(held.place, "the story expects nothing", f"for example {EXAMPLE}")
    description = held.get("description")
    return Story(str(path), description.text if isinstance(description, Scalar) else "", now or 0, found, expected)


def _expectations(notes: Notes, held: Located, told: Told, people: Mapping[str, Person]) -> Iterator[Expectation]:
    said = held.get("expect")
    if said is not None:
        yield from _expected(notes, said, told.now, told, people)
    then = held.get("then")
    if then is None:
        return
    if not isinstance(then, Listing):
        notes.complain(then.place, "'then' takes a list", "for example - {after: 7d, expect: {buyers: nobody}}")
        return
    for step in then.items:
        inner = notes.mapping(step, "an entry of 'then'", "{after: 7d, expect: {buyers: nobody}}")
        if inner is not None:
            yield from _step(notes, inner, told, people)


def _step(notes: Notes, held: Located, told: Told, people: Mapping[str, Person]) -> Iterator[Expectation]:
    form = Form(notes, held, STEP, "")
    after = form.read("after", later(told.now), None)
    at = form.read("at", moment(told.now, told.zone), None)
    if (held.get("after") is None) is (held.get("at") is None):
        notes.complain(held.place, "an entry of 'then' says its moment once", "after: 7d, or at: 2026-12-01")
    when = at if after is None else after
    said = held.get("expect")
    if said is None:
        notes.complain(held.place, "an entry of 'then' expects nothing", f"for example {EXAMPLE}")
    elif when is not None:
        yield from _expected(notes, said, when, told, people)


def _expected(notes: Notes, value: Value, at: Millis, told: Told, people: Mapping[str, Person]) -> Iterator[Expectation]:
    held = notes.mapping(value, "'expect'", EXAMPLE)
    for name, said in held.entries if held else ():
        if name.text not in told.config.segments:
            notes.complain(name.place, f"no segment is called '{name.text}'", suggestion(name.text, told.config.segments))
            continue
        found = _one(notes, name, said, at, people)
        if found is not None:
            yield found


def _one(notes: Notes, name: Scalar, said: Value, at: Millis, people: Mapping[str, Person]) -> Expectation | None:
    everybody = frozenset(people)
    if isinstance(said, Scalar) and said.plain and said.text in ("nobody", "everybody", "failure"):
        inside = everybody if said.text == "everybody" else frozenset()
        return Expectation(name.place, name.text, at, inside, everybody - inside, fails=said.text == "failure")
    if isinstance(said, Located):
        form = Form(notes, said, SIDES, "")
        nobody: frozenset[str] = frozenset()
        inside, outside = form.read("in", _known(people), nobody), form.read("not_in", _known(people), nobody)
        for both in sorted(inside & outside):
            notes.complain(said.place, f"'{both}' cannot be in the segment and not in it")
        return Expectation(name.place, name.text, at, inside, outside)
    inside_only = _known(people)(notes, said, name.text)
    return None if inside_only is None else Expectation(name.place, name.text, at, inside_only, everybody - inside_only)


def _known(people: Collection[str]) -> Reader[frozenset[str]]:
    """Reads one name or a list of names out of *people*."""
    def find(notes: Notes, value: Value, key: str) -> frozenset[str] | None:
        found = names(notes, value, key)
        unknown = [each for each in found or () if each.text not in people]
        for each in unknown:
            notes.complain(each.place, f"nobody in the story is called '{each.text}'", suggestion(each.text, people))
        return None if found is None or unknown else frozenset(each.text for each in found)

    return find
