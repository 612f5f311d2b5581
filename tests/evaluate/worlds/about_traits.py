"""Random conditions on computed traits, and on the order of everybody by them."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from sync.language.values import instant_text
from tests.evaluate.worlds.drawn import MOMENTS, SPANS, Quoted, Rule, asked

# what `contact:` and `rank` may ask by name: every figure, over windows on whose edges the people's events lie
TRAITS: dict[str, Rule] = {
    "orders": {"event": "order_placed", "count": True},
    "opens": {"event": "email_opened", "count": True, "within": "30d"},
    "spent": {"event": "order_placed", "sum": "value", "within": "30d"},
    "paid": {"event": Quoted("order_*"), "sum": {"of": "value", "currency": "EUR"}},
    "mean": {"event": "order_placed", "average": "value"},
    "mean_paid": {"event": Quoted("*"), "average": {"of": "value", "currency": "EUR"}, "within": "1w"},
    "least": {"event": "order_placed", "min": "value", "ago": ["90s", "30d"]},
    "most": {"event": Quoted("*"), "max": "value", "where": {"category": {"is_not": "bags"}}},
    "kinds": {"event": Quoted("*"), "distinct": "category", "older_than": "2h"},
    "first_time": {"event": "order_placed", "first": True},
    "last_time": {"event": Quoted("*"), "last": True, "within": "30d"},
    "first_kind": {"event": "order_placed", "first": "category"},
    "last_value": {"event": ["order_placed", "email_opened"], "last": "value", "within": "30d"},
    "favourite": {"event": Quoted("*"), "most_frequent": "category"},
    "favourite_price": {"event": "order_placed", "most_frequent": "price", "within": "1w"},
    "best": {"event": Quoted("*"), "top": {"of": "category", "at_most": 2}},
    "seen": {"event": "order_placed", "values": "category", "within": "30d"},
    "warmth": {"event": Quoted("*"), "decay": {"half_life": "1d"}},
    "heat": {"event": "order_placed", "decay": {"half_life": "1w", "of": "value", "currency": "EUR"}, "within": "30d"},
    "silent": {"event": Quoted("*"), "days_since": "last"},
    "known": {"event": "order_placed", "days_since": "first", "within": "30d"},
    "score": {"points": [
        {"when": {"event": "email_opened", "within": "1w"}, "add": 10},
        {"when": {"contact": {"spent": {"at_least": 20}}}, "add": 2.5},
        {"when": {"any": [{"contact": {"silent": {"at_least": 3}}}, {"contact": {"country": "DE"}}]}, "add": -5},
    ]},
    "twice": {"points": [{"when": {"contact": {"score": {"more_than": 0}}}, "add": 1}, {"when": {"suppressed": True}, "add": 1}]},
}


def trait(name: str, *tests: Any) -> Callable[[Random], Rule]:
    return asked(name, *tests)


def ranked(rng: Random) -> Rule:
    by = rng.choice(["orders", "spent", "points", "last_time", "warmth", "score", "mean_paid", "last_value", "favourite_price"])
    return {"rank": {"by": by, **rng.choice([{"top": "30%"}, {"top": "50%"}, {"top": 1}, {"top": 3}, {"top": 30}, {"tier": 1, "of": 2},
                                             {"tier": 2, "of": 3}])}}


LEAVES: dict[str, Callable[[Random], Rule]] = {
    "trait: count": trait("orders", {"at_least": 1}, {"at_most": 1}, {"is": 2}, {"is_not": 0}, [0, 2], {"between": [1, 2]},
                          {"is_set": True}),
    "trait: recent count": trait("opens", {"more_than": 0}, {"is": {"field": "orders"}}, {"less_than": {"field": "kinds"}}),
    "trait: sum": trait("spent", {"at_least": 10}, {"less_than": 20.5}, {"contains": "0"}, {"more_than": {"field": "points"}}),
    "trait: sum in a currency": trait("paid", {"more_than": 0}, {"at_most": 20}, {"is_not": 0}),
    "trait: average": trait("mean", {"at_least": 10}, {"less_than": 15}, {"is": 10}, {"is_not": 20}, {"is_set": False}),
    "trait: average in a currency": trait("mean_paid", {"at_least": 10}, {"is_not": 20}, {"is_set": True}),
    "trait: min": trait("least", {"at_least": 3}, {"at_most": 10}, {"is_not": 10}),
    "trait: max": trait("most", {"at_least": 20}, {"less_than": 20.5}, {"is_not": 20}),
    "trait: distinct": trait("kinds", {"at_least": 1}, {"is": 1}, {"size": 1, "is_not": 0}),
    "trait: time": trait("last_time", *({word: each} for each in SPANS for word in ("within_last", "older_than")), {"is_set": True},
                         {"after": instant_text(MOMENTS[1])}),
    "trait: first time": trait("first_time", {"older_than": "1d"}, {"within_last": "30d"}, {"before": instant_text(MOMENTS[2])}),
    "trait: first value": trait("first_kind", {"contains": "winter"}, "bags", {"is_not": "bags"}, {"is_set": True}),
    "trait: last value": trait("last_value", {"at_least": 10}, {"is_not": 20}, {"less_than": {"field": "spent"}}, {"is_set": True}),
    "trait: most frequent": trait("favourite", {"contains": "winter"}, {"is_not": "bags"}, {"starts_with": "w"}),
    "trait: most frequent number": trait("favourite_price", {"at_least": 30}, 40, {"is_not": 10}),
    "trait: top": trait("best", {"any": "bags"}, {"size": 2}, {"is_not": "bags"}, {"all": {"contains": "w"}}),
    "trait: values": trait("seen", {"any": {"starts_with": "winter"}}, {"size": {"at_least": 1}}, {"none": "bags"}),
    "trait: decay": trait("warmth", {"at_least": 0.5}, {"less_than": 1}, {"more_than": 0}, {"at_most": 0.001}, {"between": [0.25, 2]}),
    "trait: decaying money": trait("heat", {"at_least": 5}, {"less_than": 20}, {"is": 0}, {"is_not": 10}),
    "trait: days since last": trait("silent", {"at_least": 1}, {"at_most": 7}, {"is": 6}, {"is_not": 0}, {"less_than": {"field": "known"}}),
    "trait: days since first": trait("known", {"at_least": 7}, {"less_than": 30}, {"is_set": True}),
    "trait: points": trait("score", {"at_least": 2.5}, {"less_than": 0}, {"is": -5}, {"is_not": 10}),
    "trait: points of points": trait("twice", {"at_least": 1}, {"is": 0}),
    "rank": ranked,
}
