"""The `events:` and `fields:` parts, and the rule that a fact of commerce has one witness."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Mapping as Mapped
from typing import TypeAlias

from sync.config import keys, scalars
from sync.config.connections import capabilities
from sync.config.form import Form, Notes, Reader, either, shown, word
from sync.config.model import ConnectionSpec, EventSpec, FieldSpec
from sync.language.words import meant, nearest, suggestion
from sync.located import Listing, Mapping, Place, Scalar, Value

Connections: TypeAlias = Mapped[str, ConnectionSpec]
Properties: TypeAlias = tuple[dict[str, str], dict[str, dict[str, str]]]
COMMERCE = {
    "order_placed": "order_id", "order_refunded": "order_id", "checkout_started": "cart_id", "cart_updated": "cart_id",
    "product_viewed": "", "page_viewed": "",
}
"""Events that several platforms may tell of one fact → the property that says so, "" where there is none."""
ALIKE = 0.8                                         # how near a word is to an event's name that it misspells, of 1


def natives(spec: ConnectionSpec, name: str) -> list[str]:
    """What the platform behind *spec* calls the event *name*, built in."""
    able = capabilities(spec.kind)
    return [native for native, event in able.events.items() if event.name == name] if able else []


def event_names(connections: Connections, events: Iterable[str]) -> list[str]:
    """Every event name that a rule can expect: the built-in ones of all connections, and the config's."""
    found = set(events)
    for spec in connections.values():
        able = capabilities(spec.kind)
        found |= {event.name for event in able.events.values()} if able else set()
    return sorted(found)


def read_events(notes: Notes, value: Value, connections: Connections) -> dict[str, EventSpec]:
    held = notes.mapping(value, "'events'", "events: {order_placed: {same: order_id}}")
    found = {}
    for name, said in held.entries if held else ():
        if not scalars.is_name(name.text):
            notes.complain(name.place, f"the event {word(name)} needs a plain name", "a to z, 0 to 9 and _, a letter first")
        elif (spec := _event(notes, name, said, connections)) is not None:
            found[name.text] = spec
    return found


def _event(notes: Notes, name: Scalar, value: Value, connections: Connections) -> EventSpec | None:
    held = notes.mapping(value, f"event '{name.text}'", f"{name.text}: {{same: order_id}}")
    if held is None:
        return None
    form = Form(notes, held, keys.EVENT, f"events.{name.text}", f"event '{name.text}'")
    told = [connection for connection, spec in connections.items() if natives(spec, name.text)]
    if not told and held.get("from") is None and connections:
        near = _meant(name.text, event_names(connections, ()))
        hint = near or f"name its source: {_source_of(name.text, connections)}"
        notes.complain(name.place, f"no connection tells the event '{name.text}'", hint)

    def sources(notes: Notes, value: Value, key: str) -> dict[str, str] | None:
        return _sources(notes, value, name.text, connections)

    no_source: dict[str, str] = {}
    chosen = form.read("from", sources, no_source)
    no_property: Properties = ({}, {})
    everywhere, there = form.read("properties", _properties(chosen or told), no_property)
    same, keep = form.read("same", scalars.text, ""), form.read("keep", scalars.span(tuple(scalars.SPANS)), 0)
    return EventSpec(chosen, same, everywhere, there, keep or None)


def _sources(notes: Notes, value: Value, event: str, connections: Connections) -> dict[str, str] | None:
    """Connection → native name, of `from: klaviyo` or `from: {klaviyo: Started Trial}`."""
    if isinstance(value, Scalar):
        spec = _known(notes, value, connections)
        called = natives(spec, event) if spec else []
        if spec and len(called) != 1:
            known = f"'{value.text}' calls it " + either(called, "and") if called else f"'{value.text}' has no event of that name"
            notes.complain(value.place, known, f"say which: from: {{{value.text}: NAME}}")
        return {value.text: called[0]} if len(called) == 1 else None
    held = notes.mapping(value, "'from'", "from: {klaviyo: Started Trial}")
    found = {}
    for connection, native in held.entries if held else ():
        if _known(notes, connection, connections) is None:
            continue
        if isinstance(native, Mapping):
            name = _record(notes, native, connections[connection.text])
        else:
            name = scalars.text(notes, native, connection.text)
        if name is not None:
            found[connection.text] = name
    return found


def _record(notes: Notes, value: Mapping, spec: ConnectionSpec) -> str | None:
    """The native name of a record in some state, as `{deals: closed_won}` says it."""
    able = capabilities(spec.kind)
    known = [record.partition(".")[::2] for record in able.records] if able else []
    said = [(key.text, held.text if isinstance(held, Scalar) else "") for key, held in value.entries]
    if len(said) == 1 and said[0] in known:
        return ".".join(said[0])
    hint = "write " + either([f"{{{record}: {state}}}" for record, state in known], "or") if known else "name one of its events"
    wrong = "a record in a state is meant here" if known else f"'{spec.name}' has no records that can be events"
    notes.complain(value.place, wrong, hint)
    return None


def _known(notes: Notes, name: Scalar, connections: Connections) -> ConnectionSpec | None:
    if name.text not in connections:
        notes.complain(name.place, f"no connection is called {word(name)}", suggestion(name.text, connections))
    return connections.get(name.text)


def _properties(sources: Iterable[str]) -> Reader[Properties]:
    """Reads neutral → native names: those that hold on every connection, and connection → those that hold only there."""

    def read(notes: Notes, value: Value, key: str) -> Properties | None:
        held = notes.mapping(value, f"'{key}'", "properties: {plan: Plan Name}")
        everywhere: dict[str, str] = {}
        there: dict[str, dict[str, str]] = {}
        for neutral, native in held.entries if held else ():
            for connection, named in native.entries if isinstance(native, Mapping) else ((None, native),):
                if connection is not None and connection.text not in sources:
                    hint = suggestion(connection.text, sources)
                    notes.complain(connection.place, f"{word(connection)} is no connection that tells this event", hint)
                elif (name := scalars.text(notes, named, neutral.text)) is not None:
                    target = everywhere if connection is None else there.setdefault(connection.text, {})
                    target[neutral.text] = name
        return everywhere, there

    return read


def read_fields(notes: Notes, value: Value, connections: Connections) -> dict[str, FieldSpec]:
    held = notes.mapping(value, "'fields'", "fields: {country: {first_of: [hubspot.country]}}")
    found: dict[str, FieldSpec] = {}
    nowhere: tuple[str, ...] = ()
    for name, said in held.entries if held else ():
        if not scalars.is_name(name.text) or name.text in connections:
            hint = "a to z, 0 to 9 and _, a letter first; not the name of a connection"
            notes.complain(name.place, f"the field {word(name)} needs a plain name of its own", hint)
        elif (field := notes.mapping(said, f"field '{name.text}'", f"{name.text}: {{first_of: [hubspot.country]}}")) is not None:
            form = Form(notes, field, keys.FIELD, f"fields.{name.text}", f"field '{name.text}'")
            if field.get("first_of") is None and not form.wrong:
                message = f"the field '{name.text}' does not say where it comes from"
                notes.complain(name.place, message, "add first_of: [hubspot.country]")
            paths = form.read("first_of", _paths(connections), nowhere)
            found[name.text] = FieldSpec(paths, form.read("as", scalars.choice(("country",)), "") == "country")
    return found


def _paths(connections: Connections) -> Reader[tuple[str, ...]]:
    def read(notes: Notes, value: Value, key: str) -> tuple[str, ...] | None:
        if not isinstance(value, Listing) or not value.items:
            scalars.expected(notes, value, key, "a list of paths", "for example [klaviyo.location.country, hubspot.country]")
            return None
        found = []
        for item in value.items:
            said = scalars.text(notes, item, key)
            if said is None:
                continue
            connection, _, rest = said.partition(".")
            if connection not in connections:
                notes.complain(item.place, f"{shown(item)} does not start with a connection", suggestion(connection, connections))
            elif not rest or "" in rest.split("."):
                notes.complain(item.place, f"{shown(item)} names no field of '{connection}'", f"for example {connection}.country")
            else:
                found.append(said)
        return tuple(found)

    return read


# --- one witness per fact --------------------------------------------------------------------------------------------------


def one_witness(
    notes: Notes, used: Iterable[tuple[str, Place]], connections: Connections, events: Mapped[str, EventSpec],
) -> None:
    """Complains at the first place where a rule counts an event of commerce that several connections tell."""
    said: set[str] = set()
    for pattern, place in used:
        for name, key in COMMERCE.items():
            meant = name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern
            spec = events.get(name, EventSpec())
            told = list(spec.sources) or [each for each, held in connections.items() if natives(held, name)]
            if not meant or name in said or spec.same or len(told) < 2:
                continue
            said.add(name)
            one = f"events: {{{name}: {{from: {told[0]}}}}}"
            hint = f"say events: {{{name}: {{same: {key}}}}}, or pick one: {one}" if key else f"pick one: {one}"
            all_tell = f"{either(told, 'and')} {'both' if len(told) == 2 else 'all'} tell '{name}'"
            notes.complain(place, f"{all_tell}, so that one fact would count twice", hint)


def known_events(notes: Notes, words: Iterable[tuple[str, Place]], connections: Connections, events: Mapped[str, EventSpec]) -> None:
    """An event that no platform tells under that name, and that `events:` does not name, can never happen."""
    known = event_names(connections, events)
    for name, place in words:
        prefix = name.partition(".")[0]
        own = prefix in connections and "." in name
        if "*" not in name and name and name not in known and not own:
            hint = _meant(name, known) or _how_to_have(name, connections)
            notes.complain(place, f"there is no event '{name}'", hint)


def _meant(name: str, known: Iterable[str]) -> str:
    """The event that *name* is a misspelling of, as a hint. One that is merely like it is none: it would count something else."""
    near = nearest(name, known, ALIKE)
    return meant(name, near) if near else ""


def _how_to_have(name: str, connections: Connections) -> str:
    """What to write so that there is an event called *name*."""
    listed = "`segmentd events` lists the built-in names"
    if not scalars.is_name(name):
        return f"{listed}; a platform's own is CONNECTION.NAME"
    return f"say where it comes from, events: {{{name}: {{{_source_of(name, connections)}}}}}; {listed}"


def _source_of(name: str, connections: Connections) -> str:
    """The `from:` of an event called *name*: the record in a state where the name speaks of both, else whatever a platform calls it."""
    words = set(name.split("_"))
    for connection, spec in connections.items():
        able = capabilities(spec.kind)
        for record, _, state in (native.partition(".") for native in (able.records if able else ())):
            if {record, record.removesuffix("s")} & words and state.rpartition("_")[2] in words:
                return f"from: {{{connection}: {{{record}: {state}}}}}"
    return "from: {CONNECTION: the platform's name}"


def event_words(value: Value) -> Iterator[tuple[str, Place]]:
    """Every event name or pattern in a rule as written, with its place."""
    if isinstance(value, Listing):
        for item in value.items:
            yield from event_words(item)
    elif isinstance(value, Mapping):
        for key, held in value.entries:
            if key.text == "event":
                yield from ((each.text, each.place) for each in (held.items if isinstance(held, Listing) else (held,))
                            if isinstance(each, Scalar))
            elif key.text not in ("where", "contact", "sync", "on_enter", "on_leave"):
                yield from event_words(held)
