"""From YAML to conditions on everybody's order and on lists in files."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from sync.language.literals import is_null, share
from sync.language.nodes import Node
from sync.language.predicate_parser import Fields, field_path
from sync.language.rank import Cut, Rank, Ranked, Tier, Top, TopShare
from sync.language.reader import Reader, held
from sync.language.values import MILLION
from sync.located import Mapping, Scalar, Value

EXAMPLE = "rank: {by: lifetime_value, top: 5%}"
MOST_TIERS = 1000


def _rank(reader: Reader, mapping: Mapping) -> Node | None:
    value = reader.mapping(held(mapping, "rank"), "'rank'", EXAMPLE)
    if value is None or not reader.keys(value, ("by", "top", "tier", "of"), "'rank'"):
        return None
    by, cut = _ranked(reader, value), _cut(reader, value)
    return None if by is None or cut is None else Rank(by, cut)


def _ranked(reader: Reader, mapping: Mapping) -> Ranked | None:
    said = mapping.get("by")
    if not isinstance(said, Scalar) or is_null(said):
        reader.complain(mapping.place if said is None else said.place, "'rank' says no field or trait to go by", f"for example {EXAMPLE}")
        return None
    path = field_path(reader, said, Fields(checked=True))
    if path is None or path[0] not in reader.scope.traits:
        return None if path is None else Ranked(path)
    trait = reader.scope.traits.get(path[0])
    if trait is not None and trait.sort == "list":
        reader.complain(said.place, f"the trait '{said.text}' is a list, and a rank goes by a number or a time")
        return None
    return None if trait is None else Ranked(path, trait)


def _cut(reader: Reader, mapping: Mapping) -> Cut | None:
    top, tier, of = mapping.get("top"), mapping.get("tier"), mapping.get("of")
    if top is not None and tier is None and of is None:
        return _top(reader, top)
    if top is None and tier is not None and of is not None:
        place, tiers = _whole(tier), _whole(of)
        if place is not None and tiers is not None and place <= tiers <= MOST_TIERS:
            return Tier(place, tiers)
        message = f"'tier' takes a whole number from 1 to 'of', and 'of' one up to {MOST_TIERS}"
        reader.complain(tier.place, message, "for example tier: 1, of: 5")
        return None
    reader.complain(mapping.place, "'rank' takes either 'top' or 'tier' with 'of'", f"for example {EXAMPLE}, or tier: 1, of: 5")
    return None


def _top(reader: Reader, value: Value) -> Cut | None:
    part = share(value.text) if isinstance(value, Scalar) else None
    most = _whole(value)
    if part is None and most is None:
        reader.complain(value.place, "'top' takes a number of contacts or a percentage", "for example 1000, or 5%")
        return None
    return TopShare(Fraction(part, 100 * MILLION)) if part is not None else Top(most or 1)


def _whole(value: Value) -> int | None:
    """A whole number from 1 up to a thousand million."""
    text = value.text if isinstance(value, Scalar) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0 else None


def _emails(reader: Reader, mapping: Mapping) -> Node | None:
    value = held(mapping, "emails")
    if not isinstance(value, Scalar) or is_null(value) or not value.text:
        reader.complain(value.place, "'emails' takes the name of a file", "for example emails: lists/press.csv")
        return None
    found, problems = reader.scope.lists(value.text, value.place)
    reader.problems += problems
    return found


PARSERS: dict[str, Callable[[Reader, Mapping], Node | None]] = {"rank": _rank, "emails": _emails}
