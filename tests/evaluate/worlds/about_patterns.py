"""Random conditions on the shape of what somebody did."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tests.evaluate.worlds.about_events import window
from tests.evaluate.worlds.drawn import Quoted, Rule, number_test, span


def visits(rng: Random) -> Rule:
    where = rng.choice([{"cart": "a"}, {"cart": {"is_set": False}}, {"day": {"within_last": span(rng)}}])
    which = rng.choice(["visited", "carted", ["visited", "bought"], Quoted("*")])
    return {"event": which, **({"where": where} if rng.random() < 0.35 else {})}


def wide_window(rng: Random) -> Rule:
    return rng.choice([{}, {"within": "30d"}, {"within": "90d"}, {"older_than": "1d"}, {"ago": ["60d", "2h"]}, {"until": "2026-06-15"}])


def extreme(word: str) -> Callable[[Random], Rule]:
    def make(rng: Random) -> Rule:
        asked = rng.choice([True, True, {"cart": "a"}, {"cart": {"is_not": "b"}}, {"day": {"within_last": span(rng)}}])
        return {**visits(rng), word: asked, **rng.choice([window, wide_window])(rng)}

    return make


def most_frequent(rng: Random) -> Rule:
    asked = rng.choice([{"is": "a"}, {"is_not": "a"}, {"in": ["a", "b"]}, {"is_set": True}, {"starts_with": "b", "missing": "match"}])
    return {**visits(rng), "most_frequent": {"of": "cart", **asked}, **wide_window(rng)}


def period(rng: Random) -> str:
    return rng.choice(["day", "day", "week", "month", "1d", "2d", "7d", "2h"])


def regularly(rng: Random) -> Rule:
    periods = rng.choice([1, 2, 4, 8])
    count = rng.choice([{}, {}, {"count": number_test(rng, 1, 2)}, {"count": 0}])
    return {**visits(rng), "in_at_least": rng.choice([1, 1, max(1, periods // 2)]), "of_last": periods, "period": period(rng), **count}


def streak(rng: Random) -> Rule:
    count = rng.choice([{}, {}, {}, {"count": {"at_least": 2}}])
    return {**visits(rng), "streak": {**number_test(rng, 0, 1, 2, 3), "period": period(rng)}, **count}


def stopped(rng: Random) -> Rule:
    active, silent = rng.choice([("30d", "1d"), ("30d", "2h"), ("90d", "7d"), ("2d", "1d")])
    return {"stopped": {**visits(rng), "active": active, "silent": silent}}


def resumed(rng: Random) -> Rule:
    return {"resumed": {**visits(rng), "silent": rng.choice(["2h", "1d", "1d", "2d"]), **wide_window(rng)}}


def following(rng: Random) -> Rule:
    return {**rng.choice([{}, {"within": rng.choice(["2h", "1d", "2d", "7d", "31d"])}]), **rng.choice([{}, {}, {}, {"same": "cart"}])}


def sequence(rng: Random) -> Rule:
    """Of two to four steps; what a `not` step rules out is not asked for behind it."""
    steps: list[Rule] = [{**visits(rng), **rng.choice([{}, {}, {}, {"last": True}])}]
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        denied = rng.random() < 0.25
        event = "bought" if denied else rng.choice(["visited", "visited", ["visited", "carted"]])
        step = {**(visits(rng) if rng.random() < 0.3 else {}), "event": event, **following(rng)}
        steps.append({"not": step} if denied else step)
    return {"sequence": steps, **rng.choice([{}, {}, wide_window(rng)])}


LEAVES: dict[str, Callable[[Random], Rule]] = {
    "event: most_frequent": most_frequent,
    "event: most_frequent and count": lambda rng: {**most_frequent(rng), "count": {"at_least": 1}},
    "event: first": extreme("first"),
    "event: last": extreme("last"),
    "regularly": regularly,
    "streak": streak,
    "stopped": stopped,
    "resumed": resumed,
    "sequence": sequence,
}
