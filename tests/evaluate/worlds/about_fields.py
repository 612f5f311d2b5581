"""Random conditions on what a contact holds."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tests.evaluate.worlds.drawn import Quoted, Rule, asked, moment_text, span

LEAVES: dict[str, Callable[[Random], Rule]] = {
    "contact: value": lambda rng: {"contact": rng.choice([{"country": "DE"}, {"points": 7}, {"flag": True}, {"postcode": 1234},
                                                          {"postcode": "01234"}, {"day": "2026-06-12"}])},
    "contact: list": asked("country", ["DE", "AT"], ["NO", "DE", Quoted("de")]),
    "contact: several fields": lambda rng: {"contact": {"country": {"is_set": True}, "plan": {"is_not": "basic"}}},
    "contact: escaped dot": asked(r"klaviyo.properties.plan\.name", "gold", {"is_not": "gold"}),
    "is": asked("points", {"is": 7}, {"is": Quoted("7")}, {"is": 12}, {"is": 7.5}),
    "is_not": asked("country", {"is_not": "DE"}, {"is_not": "AT"}, {"is_not": "DE", "ignore_case": True}),
    "in": asked("plan", {"in": ["gold", "basic"]}, {"in": ["GOLD", "BASIC"], "ignore_case": True}),
    "not_in": asked("plan", {"not_in": ["gold", "free"]}, {"not_in": ["basic"]}),
    "at_least": asked("points", {"at_least": 7}, {"at_least": 7.5}, {"at_least": 5}),
    "more_than": asked("points", {"more_than": 5}, {"more_than": 7}),
    "at_most": asked("points", {"at_most": 7}, {"at_most": 12}),
    "less_than": asked("points", {"less_than": 7.5}, {"less_than": 12}),
    "between": asked("points", {"between": [5, 7]}, {"between": [7, 12]}),
    "contains": asked("plan", {"contains": "gold"}, {"contains": "basic"}, {"contains": "GOLD", "ignore_case": True}),
    "not_contains": asked("plan", {"not_contains": "gold"}, {"not_contains": ["plus", "basic"]}),
    "starts_with": asked("plan", {"starts_with": "gold"}, {"starts_with": ["b", "x"]}),
    "ends_with": asked("plan", {"ends_with": "basic"}, {"ends_with": "d"}),
    "matches": asked("postcode", {"matches": "^0?12"}, {"matches": "4$"}, {"matches": "^1"}),
    "is_set": asked("country", {"is_set": False}, {"is_set": True, "is_not": "DE"}),
    "before": lambda rng: {"contact": {"day": {"before": rng.choice(["2026-06-12", moment_text(rng)])}}},
    "after": lambda rng: {"contact": {"day": {"after": rng.choice(["2026-06-01", "2026-06-12", moment_text(rng)])}}},
    "within_last": lambda rng: {"contact": {rng.choice(["day", "known_since"]): {"within_last": span(rng)}}},
    "within_next": lambda rng: {"contact": {"day": {"within_next": rng.choice(["1d", "1w", "30d"])}}},
    "older_than": lambda rng: {"contact": {rng.choice(["day", "known_since"]): {"older_than": span(rng)}}},
    "within_last: months": lambda rng: {"contact": {rng.choice(["day", "known_since"]): {"within_last": rng.choice(["1mo", "1y"])}}},
    "within_next: months": lambda rng: {"contact": {"day": {"within_next": rng.choice(["1mo", "1y"])}}},
    "during": lambda rng: {"contact": {rng.choice(["day", "known_since"]): {"during": rng.choice([
        "this_week", "last_week", "this_month", "last_month", "this_quarter", "this_year"])}}},
    "anniversary_within": asked("birthday", *({"anniversary_within": days} for days in ("1d", "7d", "1w", "8d", "300d"))),
    "anniversary: during": asked("birthday", *({"anniversary": {"during": word}} for word in (
        "this_week", "next_week", "this_month", "this_quarter", "last_month"))),
    "near": asked("location", *({"near": {"of": [52.52, 13.40], "km": km}} for km in (0.1, 26, 27, 505))),
    "any": asked("tags", {"any": "a"}, {"any": {"starts_with": "v"}}, {"any": ["a", "vip"]}),
    "all": asked("tags", {"all": ["a", "b"]}, {"all": {"size": 1, "is_not": "b"}}),
    "none": asked("tags", {"none": "a"}, {"none": {"is": "A", "ignore_case": True}}),
    "any: fields": asked("lines", {"any": {"sku": "x"}}, {"any": {"sku": "x", "qty": {"at_least": 2}}}),
    "size": asked("tags", {"size": 1}, {"size": {"at_least": 2}}, {"size": {"less_than": 2}}),
    "another field": asked("country", {"is": {"field": "other"}}, {"is_not": {"field": "other"}}, {"in": {"field": "other"}}),
}
