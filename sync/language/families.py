"""Families: a segment for each value that a property of an event takes. What the language adds for them."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from hashlib import blake2b

from connectors.base import Millis
from sync.language.nodes import Leaf
from sync.language.person import Person
from sync.language.values import RuleFailure, fold

SLOT = "<value>"                                    # where a family's name and its targets' names say the value
LONGEST = 60                                        # letters of a value in a name
_OTHER = re.compile("[^a-z0-9]+")


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
