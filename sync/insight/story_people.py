"""The people of a story: what the YAML says of each, as the rules see it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from collections.abc import Mapping as Mapped
from typing import Any

from connectors.base import Millis
from sync.config import scalars
from sync.config.form import Form, Notes, shown
from sync.config.keys import Section
from sync.insight.story_past import Told, field_path, pulled, put, read_history, read_moves
from sync.insight.story_values import moment, names, plain
from sync.language.needs import needs
from sync.language.person import ConsentFact, Event, MembershipFact, Person
from sync.language.words import CHANNELS, suggestion
from sync.located import Listing, Mapping, Place, Problem, Scalar, Value
from sync.model import canonical_email

PERSON = Section("a person", {
    "contact": "Field → value, by the names that rules use",
    "consent": "Connection → channel → granted, withdrawn or unknown",
    "suppressed": "Connections on which they must not be contacted",
    "member_of": "Connection → {tag: NAME} or {list: NAME}, or a list of them",
    "history": "Field → a list of {is: VALUE, since: MOMENT}: what it held, and since when",
    "entered": "Segment → when they entered it: a moment, or several",
    "left": "Segment → when they left it: a moment, or several",
    "known_since": "When we first saw them; the earliest of their events if not said, else `now`",
    "events": "A list of what they did",
})
EVENT = Section("an event of a story", {
    "event": "Its name",
    "at": "When: 2d ago, in 2d, now, a day or an instant",
    "properties": "Property → value",
    "times": "How many there are, the same in all but their source; 1 if not said",
    "id": "The id of its source: two events of one name and id are one",
})
MEMBERSHIP = Section("a membership", {
    "tag": "The tag's name", "list": "The list's name", "audience": "The audience's short name",
    "since": "Since when; `known_since` if not said",
})
STATE = Section("a consent", {"is": "granted, withdrawn or unknown", "since": "Since when; `known_since` if not said"})
STATES = ("granted", "withdrawn", "unknown")


def read_people(notes: Notes, value: Value, told: Told) -> dict[str, Person]:
    """Everybody who could be read, by name."""
    held = notes.mapping(value, "'people'", "people: {ann: {contact: {country: DE}}}")
    found = {}
    for name, said in held.entries if held else ():
        inner = notes.mapping(said, f"'{name.text}'", "ann: {contact: {country: DE}}")
        if inner is not None:
            found[name.text] = _person(notes, name.text, inner, told)
    return found


def _person(notes: Notes, name: str, held: Mapping, told: Told) -> Person:
    form = Form(notes, held, PERSON, "")
    fields = _fields(notes, held.get("contact"), told)
    pasts = read_history(notes, held.get("history"), told)
    events = tuple(_events(notes, name, held.get("events"), told))
    since = form.read("known_since", moment(told.now, told.zone), min([told.now, *(event.at for event in events)]))
    for path, known in pasts.items():
        put(fields, path, [past.value for past in known if past.at <= told.now][-1:])
    return Person(
        fields=fields, events=events, consents=tuple(_consents(notes, held, told, since)),
        memberships=tuple(_memberships(notes, held.get("member_of"), told, since)), moves=tuple(read_moves(notes, held, told)),
        pasts=pasts, known_since=since, sample_key=str(fields.get("email") or name), addresses=_addresses(fields),
    )


def _addresses(fields: Mapped[str, Any]) -> tuple[str, ...]:
    """What leads to a person of a story: the address in `email`."""
    said = fields.get("email")
    email = canonical_email(said) if isinstance(said, str) else None
    return () if email is None else (email,)


def _fields(notes: Notes, value: Value | None, told: Told) -> dict[str, Any]:
    held = None if value is None else notes.mapping(value, "'contact'", "contact: {country: DE}")
    found: dict[str, Any] = {}
    for key, said in held.entries if held else ():
        path = field_path(notes, key, told)
        if path is not None:
            put(found, path, [pulled(path, plain(said), told)])
    return found


# --- what they did ------------------------------------------------------------------------------------------------------------


def _events(notes: Notes, person: str, value: Value | None, told: Told) -> Iterator[Event]:
    if value is None:
        return
    if not isinstance(value, Listing):
        notes.complain(value.place, "'events' takes a list", "for example - {event: order_placed, at: 2d ago}")
        return
    for number, item in enumerate(value.items):
        held = notes.mapping(item, "an event", "{event: order_placed, at: 2d ago}")
        if held is not None:
            yield from _event(notes, held, f"{person}-{number + 1}", told)


def _event(notes: Notes, held: Mapping, source: str, told: Told) -> Iterator[Event]:
    form = Form(notes, held, EVENT, "")
    name = form.read("event", scalars.text, "")
    at = form.read("at", moment(told.now, told.zone), None)
    for key in ("event", "at"):
        if held.get(key) is None:
            notes.complain(held.place, f"the event does not say its '{key}'", "for example {event: order_placed, at: 2d ago}")
    _heed(notes, name, form.place("event"), told)
    said = held.get("properties")
    inner = None if said is None else notes.mapping(said, "'properties'", "properties: {value: 40}")
    properties = {} if inner is None else {key.text: plain(each) for key, each in inner.entries}
    times, own = form.read("times", scalars.whole, 1), form.read("id", scalars.text, "")
    if own and times > 1:
        notes.complain(held.place, "events with one id are one event", "leave out 'id' or 'times'")
    if name and at is not None:
        yield from (Event(name, at, properties, own or f"{source}-{number + 1}") for number in range(min(times, 10_000)))


def _heed(notes: Notes, name: str, place: Place, told: Told) -> None:
    """Warns, once a name, of an event that no segment asks about: most likely it is misspelt."""
    wanted = [need.names for segment in told.config.segments.values() for need in needs(segment.rule).events]
    if name and name not in told.asked and not any(names.takes(name) for names in wanted):
        told.asked.add(name)
        known = sorted({exact for names in wanted for exact in names.exact})
        notes.warnings.append(Problem(place, f"warning: no segment asks about the event '{name}'", suggestion(name, known)))


# --- what the platforms hold ----------------------------------------------------------------------------------------------------


def _consents(notes: Notes, held: Mapping, told: Told, known: Millis) -> Iterator[ConsentFact]:
    value, barred = held.get("consent"), held.get("suppressed")
    suppressed = {each.text for each in (names(notes, barred, "suppressed") or ()) if _connection(notes, each, told)} if barred else set()
    states = {(connection, "email"): ("unknown", known) for connection in suppressed}
    said = None if value is None else notes.mapping(value, "'consent'", "consent: {klaviyo: {email: granted}}")
    for connection, inner in said.entries if said else ():
        channels = notes.mapping(inner, f"'{connection.text}'", "klaviyo: {email: granted}")
        for channel, state in channels.entries if channels and _connection(notes, connection, told) else ():
            if _one_of(notes, channel, CHANNELS, "channel"):
                states[connection.text, channel.text] = _state(notes, state, told, known)
    for (name, channel_name), (word, at) in states.items():
        yield ConsentFact(name, channel_name, word, suppressed=name in suppressed, at=at)


def _state(notes: Notes, value: Value, told: Told, known: Millis) -> tuple[str, Millis]:
    """`granted`, or {is: granted, since: 3d ago}: the state, and since when."""
    form = Form(notes, value if isinstance(value, Mapping) else Mapping((), value.place), STATE, "")
    said = value.get("is") if isinstance(value, Mapping) else value
    right = said is not None and _one_of(notes, said, STATES, "consent")
    if said is None:
        notes.complain(value.place, "the consent does not say what it is", "for example {is: granted, since: 3d ago}")
    word = said.text if right and isinstance(said, Scalar) else "unknown"
    return word, form.read("since", moment(told.now, told.zone), known)


def _memberships(notes: Notes, value: Value | None, told: Told, known: Millis) -> Iterator[MembershipFact]:
    held = None if value is None else notes.mapping(value, "'member_of'", "member_of: {mailchimp: {tag: VIP}}")
    for connection, said in held.entries if held else ():
        if not _connection(notes, connection, told):
            continue
        for each in said.items if isinstance(said, Listing) else (said,):
            inner = notes.mapping(each, f"'{connection.text}'", "mailchimp: {tag: VIP}")
            if inner is not None:
                yield from _membership(notes, connection.text, inner, told, known)


def _membership(notes: Notes, connection: str, held: Mapping, told: Told, known: Millis) -> Iterator[MembershipFact]:
    form = Form(notes, held, MEMBERSHIP, "")
    audience = form.read("audience", scalars.text, told.config.connections[connection].default_audience)
    named = [(kind, form.read(kind, scalars.text, "")) for kind in ("tag", "list") if held.get(kind) is not None]
    if not named:
        notes.complain(held.place, "a membership names a tag or a list", "for example {tag: VIP}")
    since = form.read("since", moment(told.now, told.zone), known)
    yield from (MembershipFact(connection, kind, name, audience, since) for kind, name in named if name)


def _connection(notes: Notes, name: Scalar, told: Told) -> bool:
    return _one_of(notes, name, told.config.connections, "connection")


def _one_of(notes: Notes, value: Value, words: Collection[str], what: str) -> bool:
    """Whether *value* is one of *words*; complains where it is not."""
    if isinstance(value, Scalar) and value.text in words:
        return True
    notes.complain(value.place, f"unknown {what} {shown(value)}", suggestion(value.text if isinstance(value, Scalar) else "", words))
    return False
