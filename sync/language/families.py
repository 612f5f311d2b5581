"""Families: a segment for each value that a property of an event takes. What the language adds for them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from hashlib import blake2b

from connectors.base import Millis
from sync.language.nodes import Leaf
from sync.language.person import Person
from sync.language.values import RuleFailure, fold

SLOT = "<value>"                                    # where a family's name and its targets' names say the value
LONGEST = 60                                        # letters of a value in a name
_OTHER = re.compile("[^a-z0-9]+")


class Families:
    """The families of a config by *names*, as rules ask their segments; it keeps which values they ask."""

    def __init__(self, names: Collection[str] = ()) -> None:
        self.names = names
        self.asked: dict[str, set[str]] = {}
        self._meant: dict[str, tuple[str, str]] = {}        # segment → the family and the value that were first asked so

    def segment(self, name: str, value: str) -> str:
        """The segment of family *name* for *value* (as `distinct` calls it), which there has to be from now on."""
        self.asked.setdefault(name, set()).add(value)
        segment = name.replace(SLOT, plain_word(value))
        self._meant.setdefault(segment, (name, value))
        return segment

    def twin(self, name: str, value: str) -> str | None:
        """What else was asked under the name of that segment, in words."""
        other, meant = self._meant[self.segment(name, value)]
        return None if (other, meant) == (name, value) else f"'{meant}' of '{other}'"

    def holding(self, segment: str) -> str | None:
        """A family one of whose segments may be called so."""
        for name in self.names:
            before, _, after = name.partition(SLOT)
            if len(segment) > len(before) + len(after) and segment.startswith(before) and segment.endswith(after):
                return name
        return None


@dataclass(frozen=True, slots=True)
class Broken(Leaf):
    """The rule of a family that cannot tell its segments, or of one of those: *why*."""

    why: str

    def matches(self, person: Person, now: Millis) -> bool:
        raise RuleFailure(self.why)


def plain_word(value: str) -> str:
    """*value* as part of a segment's name: small letters, digits and _; what is lost with it otherwise is told by a short hash."""
    bare = "".join(letter for letter in unicodedata.normalize("NFKD", value.casefold()) if not unicodedata.combining(letter))
    word = _OTHER.sub("_", bare).strip("_")
    if word and len(word) <= LONGEST and bare.isascii():
        return word
    mark = blake2b(fold(value).encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    return f"{word[:LONGEST].rstrip('_')}_{mark}".lstrip("_")
