"""E-mail lists that stand in files beside the configuration."""

from __future__ import annotations

from dataclasses import dataclass, field

from connectors.base import Millis
from sync.language.nodes import Leaf
from sync.language.person import Person


@dataclass(frozen=True, slots=True)
class OnList(Leaf):
    """One of the addresses that lead to the contact is among *addresses* (canonical), read from *file* when the rule was. *digest*
    stands for all of them: another content is another condition."""

    file: str
    digest: str
    addresses: frozenset[str] = field(repr=False, compare=False)

    def matches(self, person: Person, now: Millis) -> bool:
        return not self.addresses.isdisjoint(person.addresses)
