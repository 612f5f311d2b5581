"""`for_each:` segments: one for each value that a property of an event takes, and the configuration with those that there are."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from collections.abc import Mapping as Mapped
from dataclasses import replace
from zoneinfo import ZoneInfo

from sync.config import keys, scalars
from sync.config.connections import capabilities
from sync.config.form import Form, Notes, word
from sync.config.model import Config, FamilySpec, SegmentSpec, TargetSpec
from sync.language.families import SLOT, Broken, plain_word
from sync.language.happened import Happened
from sync.language.kept import Kept, Nobody
from sync.language.nodes import All, Node
from sync.language.predicates import IsKey, Predicate
from sync.language.values import nfc, parse_path
from sync.language.words import RULE_KEYS
from sync.located import Listing, Mapping, Scalar, Value

EXAMPLE = "session_<value>: {for_each: {event: session_registered, property: session, at_least: 10}}"
MOST = 1000                                         # segments of one family


# --- reading ---------------------------------------------------------------------------------------------------------------


def is_family(name: Scalar, body: Value) -> bool:
    """Whether a stanza of `segments:` is meant as a family."""
    return SLOT in name.text or (isinstance(body, Mapping) and body.get("for_each") is not None)


def families_in(segments: Mapping) -> list[str]:
    """The names of all families of the file."""
    return [name.text for name, body in segments.entries if is_family(name, body)]


def as_segment(notes: Notes, name: Scalar, body: Value) -> tuple[Value, str, int] | None:
    """The stanza of a family as that of one segment, whose rule is `all: [the event, what stands beside for_each]`; the property; and
    how many contacts give a value a segment. None after a complaint."""
    said = body.get("for_each") if isinstance(body, Mapping) else None
    if name.text.count(SLOT) != 1 or not scalars.is_name(name.text.replace(SLOT, "x")) or not isinstance(body, Mapping) or said is None:
        notes.complain(name.place, f"{word(name)}: a family says `for_each`, and {SLOT} once in its name", f"for example {EXAMPLE}")
        return None
    held = notes.mapping(said, "'for_each'", EXAMPLE)
    if held is None:
        return None
    form = Form(notes, held, keys.FOR_EACH, f"segments.{name.text}.for_each", more=keys.FAMILY_EVENT)
    of, least = form.read("property", scalars.text, ""), form.read("at_least", scalars.whole, 1)
    for key in ("event", "property"):
        if held.get(key) is None:
            notes.complain(held.place, f"'for_each' does not say its '{key}'", f"for example {EXAMPLE}")
    if form.wrong or held.get("event") is None or not of:
        return None
    return _stanza(body, held), of, least


def _stanza(body: Mapping, held: Mapping) -> Mapping:
    event = Mapping(tuple(entry for entry in held.entries if entry[0].text in keys.FAMILY_EVENT), held.place)
    beside = tuple(entry for entry in body.entries if entry[0].text in RULE_KEYS)
    rest = tuple(entry for entry in body.entries if entry[0].text not in (*RULE_KEYS, "for_each"))
    conditions = (event, *([Mapping(beside, body.place)] if beside else []))
    return Mapping((*rest, (Scalar("all", True, held.place), Listing(conditions, held.place))), body.place)


def family_of(notes: Notes, spec: SegmentSpec, of: str, least: int) -> FamilySpec | None:
    """The family whose segments are made after *spec*."""
    event = spec.rule.children[0] if isinstance(spec.rule, All) else None
    if not isinstance(event, Happened) or event.measures or event.count is None or event.count.holds(0):
        notes.complain(spec.place, f"the family '{spec.name}' counts events, at least one", "for example count: {at_least: 2}")
        return None
    for target in spec.targets:
        if SLOT not in target.name:
            notes.complain(target.place, f"every segment of '{spec.name}' would write the {target.kind} '{target.name}'",
                           f"say {SLOT} in its name, for example {target.kind}: Session {SLOT}")
    return FamilySpec(spec, event, parse_path(of), max(1, least))


# --- segments ---------------------------------------------------------------------------------------------------------------


def named_after(family: str, value: str) -> str:
    """The name of the segment that the family called *family* has for *value*."""
    return family.replace(SLOT, plain_word(value))


def segment_name(family: FamilySpec, value: str) -> str:
    return named_after(family.template.name, value)


def asked_segments(families: Mapped[str, FamilySpec]) -> dict[str, SegmentSpec]:
    """The segments of families that rules name, each as its family's template, whose rule asks what theirs do."""
    return {segment_name(family, value): family.template for family in families.values() for value in sorted(family.asked)}


def expanded(config: Config, values: Mapped[str, Collection[str]], broken: Mapped[str, str]) -> Config:
    """*config* with the segments of its families, of which there are these *values* (family → values). *broken*: family → why its
    values cannot be told: all of its segments fail then, and keep who is in them. A value that a rule names has its segment in any case,
    without targets while it is none of *values*."""
    segments = {name: spec for name, spec in config.segments.items() if not spec.family}
    for name, family in config.families.items():
        made: dict[str, SegmentSpec] = {}
        standing = set(values.get(name, ()))
        for value in sorted(standing | family.asked):
            spec = _member(family, value, value in standing)
            twin = made.get(spec.name)
            why = broken.get(name, "") or _unfit(spec, config)
            if twin is not None:
                why = f"two values of '{'.'.join(family.property)}' both give the name '{spec.name}'"
            made[spec.name] = replace(spec, rule=Broken(why)) if why else spec
        taken = sorted(made.keys() & segments.keys())
        why = broken.get(name, "") or (f"a value gives the name '{taken[0]}', which is another segment's" if taken else "")
        if why:
            made[name] = replace(family.template, rule=Broken(why), targets=(), family=name)
        segments |= {each: spec for each, spec in made.items() if each not in taken}
    return replace(config, segments=segments)


def _member(family: FamilySpec, value: str, standing: bool) -> SegmentSpec:
    template, name = family.template, segment_name(family, value)
    told = (family.property, Predicate((IsKey(value),), ZoneInfo(template.timezone)))
    only = replace(family.event.filter, where=(*family.event.filter.where, told))
    others = template.rule.children[1:]
    rule: Node = All((replace(family.event, filter=only), *others)) if others else replace(family.event, filter=only)
    rule = Nobody() if template.retires else rule if template.enabled else Kept(name)
    targets = tuple(replace(target, segment=name, name=target.name.replace(SLOT, nfc(value))) for target in template.targets)
    was = template.was.replace(SLOT, plain_word(value))
    return replace(template, name=name, rule=rule, targets=targets if standing else (), family=template.name, was=was)


def _unfit(spec: SegmentSpec, config: Config) -> str:
    """Why a segment's targets cannot be called so, or ""."""
    return next((why for target in spec.targets for why in _unfit_target(target, config)), "")


def _unfit_target(target: TargetSpec, config: Config) -> Iterator[str]:
    able = capabilities(config.connections[target.connection].kind)
    if able is not None and len(target.name) > able.name_limit:
        yield f"the name of its {target.kind} is {len(target.name)} characters long, and {able.title} takes {able.name_limit}"
    if not target.name.isprintable():
        yield f"the name of its {target.kind} holds characters that cannot be shown"
