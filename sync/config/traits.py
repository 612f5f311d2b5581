"""The `traits:` part: values computed for every contact, asked like fields."""

from __future__ import annotations

from sync.config import scalars
from sync.config.events import event_words, known_events, one_witness
from sync.config.form import Notes, word
from sync.config.model import TraitSpec
from sync.config.scope import Around, rule_scope
from sync.language.parse_traits import Shelf
from sync.language.words import NEUTRAL_FIELDS
from sync.located import Mapping, Scalar, Value

EXAMPLE = "traits: {lifetime_value: {event: order_placed, sum: value}}"


def read_traits(notes: Notes, value: Value, segments: list[str], around: Around) -> tuple[Shelf, dict[str, TraitSpec]]:
    """Every trait with a right name as rules find it (a wrong one counts as known), and what could be read of all of them.
    *segments* are the names that their conditions may ask."""
    held = notes.mapping(value, "'traits'", EXAMPLE) or Mapping((), value.place)
    right = [(name, body) for name, body in held.entries if _named(notes, name, around)]
    shelf = Shelf({name.text: body for name, body in right}, rule_scope("", around.settings.timezone, segments, around))
    found = shelf.read_all()
    notes.problems += shelf.problems
    known_events(notes, event_words(held), around.connections, around.events)
    one_witness(notes, event_words(held), around.connections, around.events)
    specs = {}
    for name, body in right:
        described = _description(notes, body)
        if name.text in found:
            specs[name.text] = TraitSpec(name.text, described, found[name.text], name.place)
    return shelf, specs


def _description(notes: Notes, body: Value) -> str:
    said = body.get("description") if isinstance(body, Mapping) else None
    return "" if said is None else scalars.prose(notes, said, "description") or ""


def _named(notes: Notes, name: Scalar, around: Around) -> bool:
    """Whether a trait may be called so: fields, connections and traits are told apart by name alone."""
    if not scalars.is_name(name.text):
        notes.complain(name.place, f"the trait {word(name)} needs a plain name", "a to z, 0 to 9 and _, a letter first")
        return False
    what = "field" if name.text in (*NEUTRAL_FIELDS, *around.fields) else "connection" if name.text in around.connections else ""
    if what:
        notes.complain(name.place, f"{word(name)} is a {what} already, so no trait can be called so", f"for example {name.text}_score")
    return not what
