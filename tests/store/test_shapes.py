"""The quick way from properties to the texts of a row, held to the obvious one."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import EventName
from sync.store import border
from sync.store.columns import apart, joined, split
from sync.store.naming import Naming
from sync.store.shapes import FEW, MOST, Shapes

KEYS = ("value", "currency", "campaign", "id", "total", "a", "b", "a.b", "items")
WORDS = st.sampled_from(KEYS)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-2**70, 2**70), st.floats(), st.sampled_from(["", "x", "\ud800", "a\0b", "é", '"']),
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2))
RAW = st.dictionaries(WORDS, VALUES, max_size=7)
PATHS = st.dictionaries(WORDS, WORDS | st.sampled_from(["a.b", "a.b.a", "b.a", "items.a"]), max_size=4)


def known_number(said: Any) -> Any:
    """Infinities and what is no number are absent, to whoever asks."""
    return said if border.is_number_at_all(said) else None


@settings(max_examples=300, deadline=None)
@given(paths=PATHS, raws=st.lists(RAW, min_size=1, max_size=4), known=st.booleans())
def test_the_texts_of_a_row_are_those_of_its_properties(paths: dict[str, str], raws: list[dict[str, Any]], known: bool) -> None:
    """Also those of later events with the same keys, and those that repeat."""
    naming = Naming("shop", {"Sold": EventName("sold", paths)} if known else {})
    shapes = Shapes(naming)
    natives = ["Sold"] * len(raws)
    expected = [apart(naming.properties("Sold", raw)) for raw in raws]
    assert shapes.all_apart(natives, raws) == shapes.all_apart(natives, raws) == expected
    for raw in raws:
        properties = naming.properties("Sold", raw)
        assert shapes.all_apart(["Sold"], [raw]) == [apart(properties)]
        assert split(joined([apart(properties)])[0]) == apart(properties)
        assert split(border.json_text(properties)) == apart(properties), "as records were kept once"
        for name in KEYS:
            read = naming.reader("Sold", name)
            assert repr(known_number(read(raw) if read else None)) == repr(known_number(properties.get(name)))


def test_a_page_whose_events_all_differ_keeps_few_shapes() -> None:
    shapes = Shapes(Naming("shop", {}))
    for number in range(MOST + 10):
        raw = {f"p{number}-{key}": number for key in range(FEW + 1)}
        assert orjson.loads(shapes.all_apart(["Sold"], [raw])[0][1][0]) == raw
    assert len(shapes._shapes) <= MOST + 1


@pytest.mark.parametrize("count", [1, FEW, FEW + 1, 8])
def test_a_key_that_is_no_text_is_one_in_the_store(count: int) -> None:
    raw: dict[Any, Any] = {number: number for number in range(count)}
    assert orjson.loads(Shapes(Naming("shop", {})).all_apart(["Sold"], [raw])[0][1][0]) == {str(key): key for key in raw}
