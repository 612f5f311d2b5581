"""The `segments:` part: each one's rule, and the targets it is mirrored to."""

from __future__ import annotations

from collections.abc import Mapping as Mapped
from dataclasses import dataclass, replace
from dataclasses import field as having
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import TypeVar

from connectors.base import Capabilities, Millis
from sync.config import families, keys, scalars
from sync.config.connections import capabilities
from sync.config.events import event_words, known_events, one_witness
from sync.config.form import Form, Notes, either, word
from sync.config.including import where
from sync.config.keeping import looks_past
from sync.config.model import Existing, FamilySpec, Guards, Manage, Require, SegmentSpec, TargetSpec, Threshold
from sync.config.scope import Around, rule_scope
from sync.language.calendars import nominal
from sync.language.families import SLOT
from sync.language.graph import order, referenced_segments
from sync.language.kept import Kept, Nobody
from sync.language.needs import needs
from sync.language.nodes import Node, walk
from sync.language.parser import parse_rule
from sync.language.who import MemberOf
from sync.language.window import Ago, During, OlderThan, Within
from sync.language.words import LATER_KEYS, MISPLACED, RULE_KEYS, suggestion
from sync.located import Listing, Mapping, Place, Problem, Scalar, Value

T = TypeVar("T")
PLATFORM_KINDS = ("tag", "list")


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a target does unless it says otherwise. *origins*: key → where `defaults:` says it."""

    manage: Manage = Manage.OURS
    existing: Existing = Existing.ASK
    missing: str = "skip"
    require: Require = Require.NONE
    origins: Mapped[str, Place | None] = having(default_factory=dict)


def read_defaults(notes: Notes, value: Value) -> Defaults:
    held = notes.mapping(value, "'defaults'", "defaults: {manage: ours}")
    if held is None:
        return Defaults()
    form = Form(notes, held, keys.DEFAULTS, "defaults")
    return Defaults(*_behaviour(form, Defaults()), {key: notes.origins.get(f"defaults.{key}") for key in keys.DEFAULTS.keys})


def _behaviour(form: Form, base: Defaults) -> tuple[Manage, Existing, str, Require]:
    return (
        form.read("manage", scalars.member(Manage), base.manage),
        form.read("existing", scalars.member(Existing), base.existing),
        form.read("missing", scalars.choice(("skip",), later=("create",)), base.missing),
        form.read("require", scalars.member(Require), base.require),
    )


def read_guards(notes: Notes, value: Value, base: Guards, path: str, *, of_target: bool = False) -> Guards:
    """*base*, changed by what *value* says."""
    held = notes.mapping(value, "'guards'", "guards: {removes: {share: 20%}}")
    if held is None:
        return base
    elsewhere = {"stale": "it is said once, in the `guards:` of the file"} if of_target else {}
    form = Form(notes, held, keys.TARGET_GUARDS if of_target else keys.GUARDS, path, elsewhere=elsewhere)

    def threshold(name: str, base: Threshold) -> Threshold:
        said = held.get(name)
        inner = notes.mapping(said, f"'{name}'", f"{name}: {{share: 20%, from: 50, at_most: 500}}") if said is not None else None
        part = Form(notes, inner or Mapping((), held.place), keys.THRESHOLD, f"{path}.{name}", f"'{name}'")
        return Threshold(
            part.read("share", scalars.share, base.share), part.read("from", scalars.whole, base.from_),
            part.read("at_most", scalars.whole, base.at_most),
        )

    stale = base.stale if of_target else form.read("stale", scalars.span(), base.stale)
    return Guards(threshold("removes", base.removes), threshold("adds", base.adds), stale)


def read_segments(notes: Notes, value: Value, around: Around) -> tuple[dict[str, SegmentSpec], dict[str, FamilySpec]]:
    """Every segment and every family that could be read; the names of wrong segments count as known."""
    held = notes.mapping(value, "'segments'", "segments: {vip: {event: order_placed, count: {at_least: 5}}}")
    if held is None:
        return {}, {}
    names = [name.text for name, body in held.entries if not families.is_family(name, body)]
    found, made = {}, {}
    for name, body in held.entries:
        if families.is_family(name, body):
            if (family := _family(notes, name, body, names, around)) is not None:
                made[name.text] = family
        elif not scalars.is_name(name.text):
            hint = "a to z, 0 to 9 and _, a letter first; what people read goes under `description:`"
            notes.complain(name.place, f"the segment {word(name)} needs a plain name", hint)
        elif (spec := _segment(notes, name, body, names, around)) is not None:
            found[name.text] = spec
    made = {name: replace(family, asked=frozenset(around.families.asked.get(name, ()))) for name, family in made.items()}
    named = found | families.asked_segments(made)
    notes.problems += order({n: s.rule for n, s in named.items()}, {n: s.place for n, s in named.items()})[1]
    known_events(notes, event_words(held), around.connections, around.events)
    one_witness(notes, event_words(held), around.connections, around.events)
    templates = {name: family.template for name, family in made.items()}
    _lives(notes, found, named)
    _lives(notes, templates, named)
    _one_segment_each(notes, found, around)
    _no_echo(notes, found)
    return found, made


def _family(notes: Notes, name: Scalar, body: Value, names: list[str], around: Around) -> FamilySpec | None:
    read = families.as_segment(notes, name, body)
    spec = None if read is None else _segment(notes, name, read[0], names, around)
    return None if read is None or spec is None else families.family_of(notes, spec, read[1], read[2])


def _segment(notes: Notes, name: Scalar, value: Value, names: list[str], around: Around) -> SegmentSpec | None:
    where = f"segment '{name.text}'"
    held = notes.mapping(value, where, f"{name.text}: {{event: order_placed, within: 30d}}")
    if held is None:
        return None
    known = RULE_KEYS | LATER_KEYS
    rule = Mapping(tuple(entry for entry in held.entries if entry[0].text in known - keys.SEGMENT.later), name.place)
    form = Form(notes, held, keys.SEGMENT, f"segments.{name.text}", where, more=sorted(known), elsewhere=dict(MISPLACED))
    notes.origins[f"{form.path}.timezone"] = notes.origins.get("settings.timezone")
    zone = form.read("timezone", scalars.zone, around.settings.timezone)
    description = form.read("description", scalars.prose, "")
    sync = held.get("sync")
    targets = _targets(notes, sync, name.text, around) if sync is not None else ()
    node = None
    places: dict[Node, Place] = {}
    if rule.entries:
        node, problems = parse_rule(rule, rule_scope(name.text, zone, names, around, _salt(held, name.text)), places)
        notes.problems += problems
        _reach(notes, name, node, around.settings.history)
        if node is not None:
            looks_past(notes, name, node, around.events)
    elif not form.wrong:
        notes.complain(name.place, f"{where} has no rule", "for example event: order_placed")
    spec = SegmentSpec(name.text, description, zone, node, targets, name.place, places) if node is not None else None
    return None if spec is None else _life(form, spec)


def _life(form: Form, spec: SegmentSpec) -> SegmentSpec:
    """*spec* as it goes on: under another name, not followed, or retiring. The rule of a family stays: its segments' goes."""
    spec = replace(
        spec, enabled=form.read("enabled", scalars.truth, True), was=_was(form, SLOT in spec.name),
        retires=form.read("retire", scalars.choice(("remove",)), "") == "remove",
    )
    if spec.retires and not spec.enabled:
        form.notes.complain(form.place("enabled"), "'enabled: false' keeps what 'retire: remove' takes away", "take one of them out")
    if spec.was == spec.name:
        form.notes.complain(form.place("was"), "'was' takes the name that it had before, not the one it has")
    if SLOT in spec.name:
        return spec
    return replace(spec, rule=Nobody()) if spec.retires else spec if spec.enabled else replace(spec, rule=Kept(spec.name))


def _was(form: Form, of_family: bool) -> str:
    """The name it had before, or ""."""
    name = form.read("was", scalars.text, "")
    if name and (name.count(SLOT) != of_family or not scalars.is_name(name.replace(SLOT, "x"))):
        what = f"a family, with {SLOT} in it" if of_family else "a segment"
        form.notes.complain(form.place("was"), f"'was' takes the name of {what}")
        return ""
    return name


def _lives(notes: Notes, found: Mapped[str, SegmentSpec], named: Mapped[str, SegmentSpec]) -> None:
    """A name that was another segment's is free, and nobody asks a segment that retires. *named*: all segments that rules may ask."""
    for spec in found.values():
        others = [other.name for other in found.values() if other.was == spec.was]
        if spec.was in found and spec.was != spec.name:
            notes.complain(spec.place, f"segment '{spec.name}' was '{spec.was}', which is in the config, too",
                           "take one of them out")
        elif spec.was and others[0] != spec.name:
            notes.complain(spec.place, f"segments '{others[0]}' and '{spec.name}' both were '{spec.was}'")
        for name in sorted(referenced_segments(spec.rule)):
            if name in named and named[name].retires:
                notes.complain(spec.place, f"segment '{spec.name}' asks '{name}', which retires: nobody is in it",
                               f"take '{name}' out of the rule first")


def _reach(notes: Notes, name: Scalar, node: Node | None, history: Millis) -> None:
    """Warns where a window looks further back than the first pull reaches: what it does not find may only be unknown."""
    windows = [need.window for need in needs(node).events] if node else []
    spans = [nominal(w.far if isinstance(w, Ago) else w.span) for w in windows if isinstance(w, Ago | Within | OlderThan)]
    spans += [w.reach for w in windows if isinstance(w, During)]
    if spans and max(spans) > history:
        far, known = scalars.span_text(max(spans)), scalars.span_text(history)
        message = f"warning: segment '{name.text}' looks back {far}, and settings.history reaches {known}"
        notes.warnings.append(Problem(name.place, message, "raise history, or expect to know less"))


def _salt(held: Mapping, name: str) -> str:
    """What a `sample` without salt hashes with: the first name, so that a rename keeps the same people."""
    was = held.get("was")
    return was.text if isinstance(was, Scalar) and scalars.is_name(was.text.replace(SLOT, "x")) else name


# --- targets ---------------------------------------------------------------------------------------------------------------


def _targets(notes: Notes, value: Value, segment: str, around: Around) -> tuple[TargetSpec, ...]:
    held = notes.mapping(value, "'sync'", "sync: {klaviyo: {list: VIP}}")
    found: list[TargetSpec] = []
    for connection, said in held.entries if held else ():
        if connection.text not in around.connections:
            hint = suggestion(connection.text, around.connections)
            notes.complain(connection.place, f"no connection is called {word(connection)}", hint)
            continue
        if isinstance(said, Listing) and not said.items:
            notes.complain(said.place, f"'{connection.text}' has an empty list", "name a target, or take the line out")
        for each in said.items if isinstance(said, Listing) else (said,):
            target = _target(notes, each, segment, connection.text, around)
            if target is not None:
                _one_name_each(notes, target, found)
                found.append(target)
    return tuple(found)


def _target(notes: Notes, value: Value, segment: str, connection: str, around: Around) -> TargetSpec | None:
    able = capabilities(around.connections[connection].kind)
    if able is None:
        return None
    kinds = sorted(able.targets)
    example = f"{connection}: {{{kinds[0] if kinds else 'list'}: VIP}}"
    if not isinstance(value, Mapping):
        scalars.expected(notes, value, connection, "a target", f"for example {example}")
        return None
    section = keys.TARGET
    kind = _kind(notes, value, able, example)
    if kind is None:
        Form(notes, value, section, "", "a target", elsewhere=_unfit(able))
        return None
    audience = _audience(notes, value, around, connection) if able.audiences else ""
    path = "segments." + "/".join(part for part in (segment, connection, audience or "", kind) if part)
    form = Form(notes, value, section, path, "a target", elsewhere=_unfit(able))
    name = form.read(kind, scalars.text, "")
    if len(name) > able.name_limit:
        notes.complain(form.place(kind), f"the name is {len(name)} characters long, and {able.title} takes {able.name_limit}")
    for key in ("manage", "existing", "missing", "require"):
        notes.origins[f"{path}.{key}"] = around.defaults.origins.get(key)
    behaviour = _behaviour(form, around.defaults)
    subscription = form.read("subscription", scalars.text, "") if able.subscriptions else ""
    said = value.get("guards")
    guards = _own_guards(notes, said, around.guards, path)
    if not name or audience is None:
        return None
    return TargetSpec(segment, connection, audience, kind, name, *behaviour, subscription, guards, value.place)


def _own_guards(notes: Notes, value: Value | None, base: Guards, path: str) -> Guards:
    """The file's guards, changed by what the target says."""
    for name in ("removes", "adds"):
        for key in keys.THRESHOLD.keys:
            notes.origins[f"{path}.guards.{name}.{key}"] = notes.origins.get(f"guards.{name}.{key}")
    return base if value is None else read_guards(notes, value, base, f"{path}.guards", of_target=True)


def _kind(notes: Notes, value: Mapping, able: Capabilities, example: str) -> str | None:
    """tag or list, whichever is named and can be; what cannot be is left to the form, which knows why."""
    named = [kind for kind in PLATFORM_KINDS if value.get(kind) is not None]
    right = [kind for kind in named if kind in able.targets]
    if len(named) > 1 and len(right) > 1:
        notes.complain(value.place, "a target is a tag or a list, not both", "make a list of two targets")
    elif not named:
        notes.complain(value.place, "a target names " + either(sorted(able.targets)), f"for example {example}")
    return right[0] if len(right) == 1 else None


def _unfit(able: Capabilities) -> dict[str, str]:
    """Keys of other platforms' targets → why they do not fit, in the connector's own words where it has some."""
    instead = " or ".join(f"`{kind}:`" for kind in sorted(able.targets))
    unfit = {kind: able.refused.get(kind, f"{able.title} has no {kind}s; write {instead}")
             for kind in PLATFORM_KINDS if kind not in able.targets}
    if not able.audiences:
        unfit["audience"] = able.refused.get("audience", f"{able.title} has no audiences")
    if not able.subscriptions:
        unfit["subscription"] = able.refused.get("subscription", f"{able.title} has no subscription types")
    return unfit


def _audience(notes: Notes, value: Mapping, around: Around, connection: str) -> str | None:
    """The short name of the target's audience; None after a complaint."""
    spec = around.connections[connection]
    said = value.get("audience")
    if not spec.audiences:
        hint = f"add audiences: {{shop: NAME OR ID}} to connection '{connection}'"
        notes.complain(said.place if said else value.place, f"connection '{connection}' names no audiences", hint)
        return None
    if said is None:
        if not spec.default_audience:
            hint = "add audience: " + either(spec.audiences) + f", or default_audience: to connection '{connection}'"
            notes.complain(value.place, "the target does not say its audience", hint)
        return spec.default_audience or None
    return scalars.choice(tuple(spec.audiences))(notes, said, "audience")


def key_of(target: TargetSpec) -> str:
    """The target's id, as in the outbox and in messages: `segment/connection[/audience]/tag|list`."""
    return "/".join(part for part in (target.segment, target.connection, target.audience, target.kind) if part)


def _one_name_each(notes: Notes, target: TargetSpec, others: list[TargetSpec]) -> None:
    """A segment has one tag and one list per connection and audience: a second would have the id of the first."""
    twin = next((each for each in others if key_of(each) == key_of(target)), None)
    if twin is None:
        return
    first = f"first at {twin.place.line}:{twin.place.column}"
    if twin.name == target.name:
        notes.complain(target.place, f"the target {key_of(target)} is repeated", first)
    else:
        message = f"'{twin.name}' and '{target.name}' are both the target {key_of(target)}"
        notes.complain(target.place, message, f"{first}; use another audience, or another segment (segment: {target.segment})")


def _one_segment_each(notes: Notes, segments: Mapped[str, SegmentSpec], around: Around) -> None:
    """Two segments that write the same tag or list would undo each other."""
    seen: dict[tuple[str, str, str, str], TargetSpec] = {}
    for target in (target for segment in segments.values() for target in segment.targets):
        able = capabilities(around.connections[target.connection].kind)
        name = target.name.casefold() if able and able.names_ignore_case else target.name
        remote = (target.connection, target.audience, target.kind, name)
        twin = seen.setdefault(remote, target)
        if twin.segment != target.segment:
            both = f"'{twin.segment}' and '{target.segment}'"
            message = f"segments {both} both write the {target.kind} '{target.name}' on {target.connection}"
            hint = f"first at {where(twin.place, target.place)}; put both rules into one segment under `any`"
            notes.complain(target.place, message, hint)


def _no_echo(notes: Notes, segments: Mapped[str, SegmentSpec]) -> None:
    """A segment that asks about a tag or list which it fills itself, or which a segment that asks it fills, feeds on itself."""
    fills = {(t.connection, t.audience, t.kind, t.name.casefold()): s.name for s in segments.values() for t in s.targets}
    echoes: dict[str, set[str]] = {}
    for name, segment in segments.items():
        asked = [node for node in walk(segment.rule) if isinstance(node, MemberOf)]
        echoes[name] = {
            filler for (connection, audience, kind, called), filler in fills.items() for node in asked
            if (connection, kind, called) == (node.connection, node.kind, node.name.casefold()) and node.audience in (None, audience)
        }
    graph = {name: echoes[name] | (referenced_segments(segment.rule) & set(segments)) for name, segment in segments.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        ring = list(reversed(error.args[1]))
        if any(after in echoes[before] for before, after in pairwise(ring)):
            message = f"segment '{ring[0]}' feeds on itself through a tag or list that it asks about: {' → '.join(ring)}"
            notes.complain(segments[ring[0]].place, message, "mirror it under another name than the one it asks about")
