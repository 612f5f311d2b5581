"""The whole file: `load` gives the configuration, or every problem in it. Needs neither secrets nor a network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from sync.config import keys, scalars
from sync.config.connections import read_connections
from sync.config.emails import lists_in
from sync.config.events import read_events, read_fields
from sync.config.families import expanded, families_in
from sync.config.form import Form, Notes, shown
from sync.config.including import gathered, included
from sync.config.model import (
    Apply,
    ApplySchedule,
    Config,
    ConsentPolicy,
    Guards,
    PullSchedule,
    Schedule,
    Settings,
    Withdrawn,
)
from sync.config.reading import read
from sync.config.scope import Around
from sync.config.secrets import holds_secret, without_secrets
from sync.config.segments import read_defaults, read_guards, read_segments
from sync.config.traits import EXAMPLE as TRAITS_EXAMPLE
from sync.config.traits import read_traits
from sync.language.families import Families
from sync.language.words import WEEKDAYS
from sync.located import Listing, Mapping, Problem, Scalar, Value


def load(path: Path) -> tuple[Config | None, list[Problem]]:
    """The configuration in the file at *path* and those it includes, or None and every problem in them, in the order of the files.

    Beside a configuration the list holds only warnings, each with "warning:" in front.
    """
    path = Path(path)
    held, problems = read(path)
    if held is None:
        return None, problems
    notes = Notes(path.absolute().parent, list(problems))
    patterns, others = included(notes, held, path)
    config = _config(notes, held, path, patterns, others)
    found = _keep_secrets(notes.problems, held, *others.values())
    return (None, found) if found else (config, sorted(notes.warnings))


def _config(notes: Notes, held: Mapping, path: Path, patterns: tuple[str, ...], others: dict[Path, Mapping]) -> Config:
    form = Form(notes, held, keys.TOP, "")

    def part(key: str) -> Value:
        return held.get(key) or Mapping((), held.place)

    _version(form)
    settings = _settings(notes, part("settings"))
    if held.get("connections") is None:
        notes.complain(held.place, "the file has no `connections:`", "for example connections: {klaviyo: {}}")
    connections = read_connections(notes, part("connections")) if held.get("connections") is not None else {}
    events = read_events(notes, part("events"), connections)
    fields = read_fields(notes, part("fields"), connections)
    consent = _consent(notes, part("consent"))
    defaults = read_defaults(notes, part("defaults"))
    guards = read_guards(notes, part("guards"), Guards(), "guards")
    schedule = _schedule(notes, part("schedule"))
    around = Around(settings, connections, events, fields, defaults, guards, lists_in(path.parent))
    named = gathered(notes, held, others, "segments", "segments: {vip: {event: order_placed}}")
    around = replace(around, families=Families(families_in(named)))
    shelf, traits = read_traits(notes, gathered(notes, held, others, "traits", TRAITS_EXAMPLE), named.keys(), around)
    segments, families = read_segments(notes, named, replace(around, traits=shelf))
    files = (path, *others)
    config = Config(
        path, settings, connections, events, fields, consent, guards, schedule, segments, notes.origins, include=patterns, files=files,
        traits=traits, families=families,
    )
    return expanded(config, {}, {}) if families and not notes.problems else config


def _version(form: Form) -> None:
    said = form.held.get("version")
    form.notes.origins["version"] = said.place if said else None
    if said is None:
        form.notes.complain(form.held.place, "the file does not say its version", "start with `version: 1`")
    elif not isinstance(said, Scalar) or said.text != "1":
        form.notes.complain(said.place, f"'version' takes 1, not {shown(said)}", "this program reads version 1")


def _settings(notes: Notes, value: Value) -> Settings:
    held = notes.mapping(value, "'settings'", "settings: {timezone: Europe/Berlin}")
    form = Form(notes, held or Mapping((), value.place), keys.SETTINGS, "settings")
    base = Settings(store=notes.folder / "segmentd.db")
    return Settings(
        timezone=form.read("timezone", scalars.zone, base.timezone),
        currency=form.read("currency", scalars.currency, base.currency),
        history=form.read("history", scalars.span(tuple(scalars.SPANS)), base.history),
        week_starts=form.read("week_starts", scalars.choice(WEEKDAYS), base.week_starts),
        machine_opens=form.read("machine_opens", scalars.choice(("ignore", "count")), base.machine_opens),
        store=form.read("store", scalars.store, base.store),
    )


def _consent(notes: Notes, value: Value) -> ConsentPolicy:
    held = notes.mapping(value, "'consent'", "consent: {withdrawn: anywhere}")
    form = Form(notes, held or Mapping((), value.place), keys.CONSENT, "consent")
    return ConsentPolicy(form.read("withdrawn", scalars.member(Withdrawn), Withdrawn.ANYWHERE))


def _schedule(notes: Notes, value: Value) -> Schedule:
    held = notes.mapping(value, "'schedule'", "schedule: {pull: {changes: 10m}}")
    form = Form(notes, held or Mapping((), value.place), keys.SCHEDULE, "schedule")
    base = Schedule()

    def part(key: str, section: keys.Section) -> Form:
        said = form.held.get(key)
        inner = None if said is None else notes.mapping(said, f"'{key}'", f"{key}: {{…}}")
        return Form(notes, inner or Mapping((), form.held.place), section, f"schedule.{key}")

    pull, apply = part("pull", keys.PULL), part("apply", keys.APPLY)
    return Schedule(
        PullSchedule(
            pull.read("changes", scalars.span(), base.pull.changes), pull.read("complete", scalars.cadence, base.pull.complete),
        ),
        ApplySchedule(
            apply.read("data", scalars.member(Apply), base.apply.data),
            apply.read("edits", scalars.member(Apply), base.apply.edits),
        ),
        form.read("seal", scalars.cadence, base.seal),
    )


# --- secrets ---------------------------------------------------------------------------------------------------------------


def _keep_secrets(problems: list[Problem], *held: Value) -> list[Problem]:
    """*problems* in the file's order, each once, with one more for every text that looks like a key, and no key in any."""
    leaks = [
        Problem(scalar.place, "this looks like a platform's key; a secret does not belong in this file",
                "revoke it, and write key: {credential: NAME}, {file: PATH} or {env: NAME}")
        for each in held for scalar in _scalars(each) if holds_secret(scalar.text)
    ]
    places = {leak.place for leak in leaks}
    others = [
        replace(each, message=without_secrets(each.message), hint=without_secrets(each.hint))
        for each in problems if each.place not in places
    ]
    return sorted({*leaks, *others})


def _scalars(value: Value) -> Iterator[Scalar]:
    """Every key and leaf below *value*."""
    if isinstance(value, Scalar):
        yield value
    elif isinstance(value, Listing):
        for item in value.items:
            yield from _scalars(item)
    else:
        for key, inner in value.entries:
            yield key
            yield from _scalars(inner)
