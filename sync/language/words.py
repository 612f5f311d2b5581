"""Every word of the language: what may stand where, what comes later, and what a misspelt word was meant to be."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable

BOOLEAN = ("all", "any", "none", "not")
KINDS = (
    *BOOLEAN, "contact", "event", "sequence", "stopped", "resumed", "segment", "member_of", "consent", "suppressed", "sample", "entered",
    "left", "rank", "emails",
)
WINDOWS = ("within", "ago", "older_than", "since", "until", "during")
MEASURES = ("sum", "average", "min", "max", "distinct")
REGULARLY = ("in_at_least", "of_last", "period")
PERIOD_WORDS = ("day", "week", "month")
EVENT_KEYS = ("event", "where", "human", "count", *MEASURES, "most_frequent", "first", "last", *REGULARLY, "streak", *WINDOWS)
BESIDE = {"event": EVENT_KEYS, "sequence": WINDOWS}                        # kind → the other keys that may stand with it

FIGURES = ("count", *MEASURES, "first", "last", "most_frequent", "top", "values", "decay", "days_since")   # what a trait makes of events
TRAIT_EVENT_KEYS = ("where", "human", *WINDOWS)

ORDER_OPERATORS = ("at_least", "more_than", "at_most", "less_than", "between")
NUMBER_OPERATORS = ("is", "is_not", "in", "not_in", *ORDER_OPERATORS)
TEXT_OPERATORS = ("contains", "not_contains", "starts_with", "ends_with", "matches")
DATE_OPERATORS = ("before", "after")
RELATIVE_OPERATORS = ("within_last", "within_next", "older_than", "during")
YEARLY_OPERATORS = ("anniversary", "anniversary_within")
EACH_OPERATORS = ("any", "all", "none")
OPERATORS = (*NUMBER_OPERATORS, *TEXT_OPERATORS, *DATE_OPERATORS, *RELATIVE_OPERATORS, *YEARLY_OPERATORS, *EACH_OPERATORS, "is_set",
             "size", "near")
MODIFIERS = ("missing", "ignore_case")

NEGATIVES = {"is_not": "in", "not_in": "in", "not_contains": "contains"}   # the positive one of which each is the complement

PAST_WORDS = ("has_been", "changed")                                      # of a field of the contact, with what stands beside them

LATER_KINDS: tuple[str, ...] = ()
_AT_THE_TOP = "traits stand at the top of the file: traits: {NAME: {points: […]}}"
_A_FAMILY = "it makes a family of segments: session_<value>: {for_each: {event: session_registered, property: session}}"
MISPLACED = {                                                              # word → why it is no condition
    "for_each": _A_FAMILY, "traits": _AT_THE_TOP, "points": f"points make a trait, and {_AT_THE_TOP}",
}
LATER_SEGMENT_KEYS = ("holdout", "on_enter", "on_leave")
LATER_EVENT_KEYS: tuple[str, ...] = ()

RULE_KEYS = frozenset({*KINDS, *EVENT_KEYS})                               # of a segment's own map, what its rule takes
LATER_KEYS = frozenset({*LATER_KINDS, *LATER_SEGMENT_KEYS, *LATER_EVENT_KEYS})

NEUTRAL_FIELDS = (
    "email", "first_name", "last_name", "phone", "country", "region", "city", "postcode", "location", "language", "timezone",
    "created", "known_since",
)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
CHANNELS = ("email", "sms", "push", "whatsapp")


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The word of *known* that *word* most likely stands for, if any is near."""
    found = difflib.get_close_matches(word.casefold(), sorted(known), n=1, cutoff=cutoff)
    return found[0] if found else None


def suggestion(word: str, known: Iterable[str]) -> str:
    """A hint to the right word: the nearest one, else all of them when they are few."""
    words = sorted(known)
    near = nearest(word, words)
    if near is not None:
        return meant(word, near)
    return "known are " + ", ".join(words) if 0 < len(words) <= 8 else ""


def meant(word: str, near: str) -> str:
    """That *near* was meant; with the name of the first letter of *word* that only looks like one of *near*, or like nothing."""
    odd = [letter for letter in word if not letter.isascii() and letter not in near]
    pattern = "".join(".?" if letter in odd else re.escape(letter) for letter in word)
    alike = odd and re.fullmatch(pattern, near, re.IGNORECASE)
    named = f" U+{ord(odd[0]):04X} ({unicodedata.name(odd[0], 'without a name')}) stands in what is written" if alike else ""
    return f"did you mean '{near}'?{named}"
