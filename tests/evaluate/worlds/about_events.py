"""Random conditions on events: which, when, how many and how much."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from sync.language.values import instant_text
from tests.evaluate.worlds.drawn import MOMENTS, PAST_PERIODS, SPANS, Quoted, Rule, moment_text, number_test, span


def window(rng: Random) -> Rule:
    spans = list(SPANS)
    near, far = sorted(rng.sample(range(len(spans)), 2))
    since, until = sorted(rng.sample(range(len(MOMENTS)), 2))
    return rng.choice([
        {},
        {"within": rng.choice(spans)},
        {"ago": rng.choice([[spans[near], spans[far]], [spans[far], spans[near]]])},
        {"older_than": rng.choice(spans)},
        {"within": rng.choice(["1mo", "2mo", "1y"])},
        {"during": rng.choice(PAST_PERIODS)},
        {"since": instant_text(rng.choice(MOMENTS))},
        {"until": rng.choice([instant_text(rng.choice(MOMENTS)), "2026-06-12", "2026-06-15"])},
        {"since": instant_text(MOMENTS[since]), "until": instant_text(MOMENTS[until])},
    ])


def names(rng: Random) -> Rule:
    return rng.choice(["order_placed", "page_viewed", ["order_placed", "email_opened"], Quoted("order_*"), Quoted("*")])


def where(rng: Random) -> Rule:
    return rng.choice([{}, {}, {"where": rng.choice([
        {"category": {"starts_with": "winter"}}, {"category": {"is_not": "bags"}},
        {"price": {"at_least": rng.choice([10, 30, 40])}},
        {"value": {"less_than": {"field": "price"}}}, {"price": {"is_set": True}, "category": {"contains": "w"}},
    ])}])


def measured(kind: str, *numbers: Any) -> Callable[[Random], Rule]:
    def make(rng: Random) -> Rule:
        test = number_test(rng, *numbers)
        missing = {} if kind in ("sum", "distinct") or rng.random() < 0.7 else {"missing": rng.choice(["match", "fail"])}
        money = {"currency": "EUR"} if kind != "distinct" and rng.random() < 0.3 else {}
        of = rng.choice(["category", "value"]) if kind == "distinct" else rng.choice(["value", "value", "price"])
        return {"event": names(rng), kind: {"of": of, **test, **missing, **money}, **where(rng), **window(rng)}

    return make


def counted(rng: Random) -> Rule:
    return {"event": names(rng), "count": number_test(rng, 0, 1, 2, 3), **where(rng), **window(rng)}


def happened(**beside: Any) -> Callable[[Random], Rule]:
    return lambda rng: {"event": names(rng), **where(rng), **{key: make(rng) for key, make in beside.items()}}


LEAVES: dict[str, Callable[[Random], Rule]] = {
    "event": happened(),
    "event: human": happened(human=lambda rng: rng.choice([True, True, False])),
    "event: within": lambda rng: {"event": names(rng), "within": span(rng)},
    "event: ago": lambda rng: {"event": names(rng), "ago": rng.choice([["2h", "30d"], ["30d", "1d"], ["1w", "90s"]])},
    "event: months": lambda rng: {"event": names(rng), **rng.choice([
        {"within": "1mo"}, {"within": "1y"}, {"older_than": "1mo"}, {"ago": ["1y", "1w"]}, {"ago": ["2mo", "1mo"]}])},
    "event: during": lambda rng: {"event": names(rng), "during": rng.choice(PAST_PERIODS)},
    "event: older_than": lambda rng: {"event": names(rng), "older_than": span(rng)},
    "event: since": lambda rng: {"event": names(rng), "since": moment_text(rng)},
    "event: until": lambda rng: {"event": names(rng), "until": rng.choice([moment_text(rng), "2026-06-11", "2026-06-14"])},
    "event: since last": lambda rng: {"event": names(rng),
                                      "since": {"last": rng.choice(["email_opened", "page_viewed", Quoted("order_*")])},
                                      **rng.choice([{}, {"until": moment_text(rng)}, {"count": number_test(rng, 0, 1, 2)},
                                                    {"human": rng.choice([True, False])}])},
    "event: count": counted,
    "event: sum": measured("sum", 0, 10, 20.5, 30),
    "event: average": measured("average", 5.000001, 10, 20, 20.5),
    "event: min": measured("min", -5, 3, 10, 20),
    "event: max": measured("max", 10, 20, 20.5, 99.99),
    "event: distinct": measured("distinct", 0, 1, 2),
}
