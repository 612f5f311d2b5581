"""Reading located values: collects every problem with its place and the nearest right word, and never gives up early."""

from __future__ import annotations

from collections.abc import Callable, Collection
from collections.abc import Mapping as Mapped
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from connectors.base import Millis
from sync.language.calendars import Calendar, Length
from sync.language.families import Families
from sync.language.lists import OnList
from sync.language.literals import boolean, duration, is_null, length, misfit, operand, too_fine
from sync.language.predicates import Operand
from sync.language.traits import Trait
from sync.language.window import PERIODS, During
from sync.language.words import CHANNELS, EVENT_KEYS, NEUTRAL_FIELDS, WEEKDAYS, suggestion
from sync.located import Listing, Mapping, Place, Problem, Scalar, Value

if TYPE_CHECKING:
    from sync.language.nodes import Node


def no_lists(file: str, place: Place) -> tuple[OnList | None, list[Problem]]:
    """Where no file may be read."""
    return None, [Problem(place, f"the list '{file}' cannot be read here")]


@dataclass(frozen=True, slots=True)
class RuleScope:
    """What a rule may refer to. *segments* and *connections* are all names in the config.

    *fields*: first parts of field names besides the connections. *targets*: connection → the kinds it can be a member of
    ("tag", "list"); *audiences*: connection → the config's names; both are unchecked for connections they leave out.
    *traits*: those that can be asked by name (`parse_traits.Shelf`). *lists* reads an e-mail list.
    *ignore_machine*: machine opens count only where a condition says `human: false`. *week_starts*: a word of `WEEKDAYS`. *salt*: of
    samples that name none, the segment's own name where it is "". *countries*: fields that hold codes of countries.
    """

    segment: str
    zone: ZoneInfo
    segments: Collection[str] = ()
    connections: Collection[str] = ()
    events: Collection[str] = ()
    fields: Collection[str] = NEUTRAL_FIELDS
    channels: Collection[str] = CHANNELS
    targets: Mapped[str, Collection[str]] = field(default_factory=dict)
    audiences: Mapped[str, Collection[str]] = field(default_factory=dict)
    ignore_machine: bool = False
    week_starts: str = WEEKDAYS[0]
    salt: str = ""
    countries: Collection[str] = ()
    families: Families = field(default_factory=Families)
    traits: Mapped[str, Trait] = field(default_factory=dict)
    lists: Callable[[str, Place], tuple[OnList | None, list[Problem]]] = no_lists


class Reader:
    """Problems found so far, and the small readings that every part of the parser shares. Each gives None when it complained."""

    def __init__(self, scope: RuleScope, places: dict[Node, Place] | None = None) -> None:
        self.scope = scope
        self.problems: list[Problem] = []
        self.places = {} if places is None else places

    def stands(self, node: Node | None, place: Place) -> Node | None:
        """*node*, once noted where it stands; equal conditions have one place, the first."""
        if node is not None:
            self.places.setdefault(node, place)
        return node

    def complain(self, place: Place, message: str, hint: str = "") -> None:
        self.problems.append(Problem(place, message, hint))

    def later(self, key: Scalar | Place, what: str) -> None:
        self.complain(key.place if isinstance(key, Scalar) else key, f"'{what}' is not yet supported in this version")

    def mapping(self, value: Value, what: str, example: str) -> Mapping | None:
        """*value* as a map with at least one key."""
        if isinstance(value, Mapping) and value.entries:
            return value
        self.complain(value.place, f"{what} takes a map", f"for example {example}")
        return None

    def keys(self, value: Mapping, allowed: Collection[str], where: str, later: Collection[str] = ()) -> bool:
        """Whether all keys are *allowed*; complains of each that is not."""
        wrong = [entry for entry in value.entries if entry[0].text not in allowed]
        for key, held in wrong:
            if key.text in later:
                self.later(key, key.text)
            elif key.text == "same":
                self.complain(key.place, "'same' belongs to a step of a 'sequence', after the first")
            elif key.text in EVENT_KEYS and "event" not in allowed and where.startswith("a "):
                self.complain(key.place, f"'{key.text}' belongs to an 'event' condition, not to {where}")
            else:
                hint = quoting_hint(value, key, held) or suggestion(key.text, [*allowed, *later])
                self.complain(key.place, f"unknown key '{key.text}' in {where}", hint)
        return not wrong

    def name(self, value: Value | None, what: str, place: Place) -> str | None:
        """A name: any text but an empty one and null, numbers and booleans taken as written."""
        if isinstance(value, Scalar) and not is_null(value) and value.text:
            return value.text
        if value is None:
            self.complain(place, f"{what} is not said")
        else:
            self.complain(value.place, f"{what} takes a name")
        return None

    def one_of(self, value: Value | None, words: Collection[str], what: str, place: Place) -> str | None:
        """A name out of *words*."""
        name = self.name(value, f"'{what}'", place)
        if name is None or name in words:
            return name
        self.complain(value.place if value is not None else place, f"unknown {what} '{name}'", suggestion(name, words))
        return None

    def truth(self, value: Value, what: str) -> bool | None:
        """`true` or `false`."""
        truth = boolean(value) if isinstance(value, Scalar) else None
        if truth is None:
            self.complain(value.place, f"'{what}' takes true or false")
        return truth

    def literal(self, value: Value, what: str) -> Operand | None:
        """A value to compare with."""
        if not isinstance(value, Scalar):
            self.complain(value.place, f"{what} takes a single value")
        elif is_null(value):
            self.complain(value.place, "null is nothing to compare with", "to ask whether there is a value write {is_set: false}")
        elif value.text == "":
            self.complain(value.place, "an empty text counts as missing and equals nothing", "write {is_set: true} or {size: 1}")
        else:
            found = operand(value)
            if found.kind == "number" and too_fine(value.text):
                self.complain(value.place, f"{value.text} is finer than six decimal places, which is as fine as numbers compare")
                return None
            return found
        return None

    def literals(self, value: Value, what: str) -> tuple[Operand, ...] | None:
        """One value or a list of them, none of which may be wrong."""
        if not isinstance(value, Listing):
            single = self.literal(value, what)
            return None if single is None else (single,)
        if not value.items:
            self.complain(value.place, f"{what} has an empty list, which nothing can be in")
            return None
        found = [self.literal(item, what) for item in value.items]
        return tuple(each for each in found if each is not None) if None not in found else None

    def length(self, value: Value, what: str) -> Length | None:
        """A text like `30d` or `3mo`: months and years are steps in the segment's calendar."""
        found = length(value.text, self.scope.zone) if isinstance(value, Scalar) else None
        if found is None:
            self._no_length(value, what, "s, m, h, d, w, mo or y", "for example 30d or 3mo")
        return found

    def duration(self, value: Value, what: str) -> Millis | None:
        """Milliseconds of a text like `30d`, where a calendar makes no sense."""
        found = duration(value.text) if isinstance(value, Scalar) else None
        if found is None:
            self._no_length(value, what, "s, m, h, d or w", "for example 30d")
        return found

    def _no_length(self, value: Value, what: str, units: str, hint: str) -> None:
        said = misfit(value.text) if isinstance(value, Scalar) else ""
        self.complain(value.place, f"{what} takes {said or f'a whole number of {units}'}", hint)

    def period(self, value: Value, what: str, *, past: bool) -> During | None:
        """A word like `this_week`; *past*: for events, of which none lies ahead."""
        words = [word for word, (_, shift) in PERIODS.items() if shift <= 0 or not past]
        text = value.text if isinstance(value, Scalar) else ""
        if text in PERIODS and text not in words:
            self.complain(value.place, f"'{text}' lies ahead, where no event is yet", "for example today, this_week or last_month")
        elif text not in words:
            hint = suggestion(text, words) or "for example today, this_week or last_month"
            self.complain(value.place, f"{what} takes a calendar word", hint)
        else:
            unit, shift = PERIODS[text]
            return During(Calendar(unit, self.scope.zone, WEEKDAYS.index(self.scope.week_starts)), shift, past)
        return None


def quoting_hint(value: Mapping, key: Scalar, held: Value) -> str:
    """For `{tag: Berlin, Summer}`, which is a map of two keys: what was meant; "" where *key* has a value of its own."""
    before = [entry for entry in value.entries if entry[0].place < key.place]
    if not (isinstance(held, Scalar) and held.plain and held.text == "" and before):
        return ""
    previous, said = before[-1]
    return f"quote it: {{{previous.text}: \"{said.text}, {key.text}\"}}" if isinstance(said, Scalar) else ""


def held(mapping: Mapping, key: str) -> Value:
    """The value of a *key* that is there."""
    value = mapping.get(key)
    if value is None:
        raise KeyError(key)                                            # the caller found it
    return value
