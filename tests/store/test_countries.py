"""Countries that profiles spell differently are one."""

from __future__ import annotations

from connectors.base import Profile
from sync.store import fields
from sync.store.fields import FieldSource
from sync.store.store import Store
from tests.store.ground import profile, write


def test_profiles_that_spell_a_country_differently_hold_one(store: Store) -> None:
    def one(number: int, country: object) -> Profile:
        return profile(f"p{number}", None, {"country": country})

    write(store, 1, *(one(number, country) for number, country in enumerate(("Germany", "de", "DEU", "", None, "Atlantis"))))
    found = fields.values(store.db, [FieldSource(1, ("country",), neutral=True, country=True)])
    assert {contact: text for contact, (text, _) in found.items()} == {0: '"DE"', 1: '"DE"', 2: '"DE"', 5: '"Atlantis"'}
