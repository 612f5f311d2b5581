"""Countries by whatever people call them: ISO 3166 codes, English names, and names in some 190 languages, as one code.

Source: the Debian iso-codes project, through pycountry; read only when a config has a field `as: country`.
"""

from __future__ import annotations

import gettext
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from sync.language.values import Json, canonical, decode, nfc

EVERYDAY = {                                        # what no list of ISO's or of translators has
    "uk": "GB", "great britain": "GB", "england": "GB", "scotland": "GB", "wales": "GB", "northern ireland": "GB", "turkey": "TR",
    "ivory coast": "CI", "cape verde": "CV", "swaziland": "SZ", "burma": "MM", "macedonia": "MK", "east timor": "TL", "u.s.": "US",
    "u.s.a.": "US", "the netherlands": "NL",
}


def country_code(name: str) -> str | None:
    """The two letters of the country that *name* means, None where it means none, or two in two languages."""
    said = nfc(name).strip().casefold()
    return _english().get(said) or _translated().get(said)


@cache
def country_text(text: str) -> str:
    """`as_country` of a value's JSON text."""
    value = decode(text)
    return canonical(as_country(value)) if isinstance(value, str | list) else text


def as_country(value: Json) -> Json:
    """A field's value with a country's code in its place, also in a list; what is no country's name stays as it is."""
    if isinstance(value, list):
        return [as_country(each) for each in value]
    return (country_code(value) or value) if isinstance(value, str) else value


@cache
def _english() -> Mapping[str, str]:
    import pycountry

    return {
        **{name.casefold(): each.alpha_2 for each in pycountry.countries for name in _names(each)}, **EVERYDAY,
        **{code.casefold(): each.alpha_2 for each in pycountry.countries for code in (each.alpha_2, each.alpha_3)},
    }


def _names(country: object) -> Iterator[str]:
    for kind in ("name", "official_name", "common_name"):
        if name := getattr(country, kind, None):
            yield nfc(name)


@cache
def _translated() -> Mapping[str, str]:
    """Names in all languages that translators know; those that are two countries' are left out."""
    import pycountry

    found: dict[str, str] = {}
    for folder in sorted(Path(pycountry.LOCALES_DIR).iterdir()):
        words = gettext.translation("iso3166-1", pycountry.LOCALES_DIR, [folder.name], fallback=True)
        for country in pycountry.countries:
            for name in _names(country):
                said = nfc(words.gettext(name)).casefold()
                found[said] = country.alpha_2 if found.get(said, country.alpha_2) == country.alpha_2 else ""
    return {name: code for name, code in found.items() if code}
