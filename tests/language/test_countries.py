"""Countries by whatever people call them are one code, in what profiles hold and in what rules say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sync.language.countries import country_code, country_text
from sync.language.pasts import HasBeen
from sync.language.who import Contact
from tests.language.support import SCOPE, problems, rule

SCOPE_OF_COUNTRIES = replace(SCOPE, countries=("country",))


@pytest.mark.parametrize(("name", "code"), [
    ("DE", "DE"), ("de", "DE"), ("DEU", "DE"), ("Germany", "DE"), (" germany ", "DE"), ("Deutschland", "DE"), ("Allemagne", "DE"),
    ("UK", "GB"), ("United Kingdom", "GB"), ("South Korea", "KR"), ("Turkey", "TR"), ("NO", "NO"), ("\u00d6sterreich", "AT"),
    ("O\u0308sterreich", "AT"), ("Mexico", "MX"), ("nowhere", None), ("", None), ("Berlin", None),
])
def test_a_country_is_its_code_whatever_it_is_called(name: str, code: str | None) -> None:
    assert country_code(name) == code


def test_what_is_no_country_stays_as_it_is() -> None:
    assert [country_text(text) for text in ('"Germany"', '["fr", "Atlantis"]', "5", '{"a": "DE"}', '"Atlantis"')] == [
        '"DE"', '["FR","Atlantis"]', "5", '{"a": "DE"}', '"Atlantis"',
    ]


def test_a_rule_may_say_any_of_a_countrys_names() -> None:
    said = rule("contact: {country: [Germany, austria]}", SCOPE_OF_COUNTRIES)
    assert said == rule("contact: {country: [DE, AT]}", SCOPE_OF_COUNTRIES)
    assert isinstance(said, Contact)
    stood = rule("contact: {country: {has_been: Deutschland, for: 30d}}", SCOPE_OF_COUNTRIES)
    assert stood == rule("contact: {country: {has_been: DE, for: 30d}}", SCOPE_OF_COUNTRIES)
    assert isinstance(stood, HasBeen)
    assert rule("contact: {city: Germany}", SCOPE_OF_COUNTRIES) == rule("contact: {city: Germany}")
    assert problems("contact: {country: Germny}", SCOPE_OF_COUNTRIES) == [
        "1:20: 'Germny' is no country; for example DE, or Germany",
    ]
