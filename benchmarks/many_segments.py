"""400 segments for the benchmarks: the 40 of `benchmarks.full_pass`, and 360 more of the same kinds with other windows, thresholds and
categories, as a shop that has segmented for years comes to have. Some 140 distinct aggregates, each asked by several segments."""

from __future__ import annotations

from random import Random

from benchmarks.full_pass import (
    COUNTRIES,
    PLANS,
    Segment,
    both,
    count,
    dear,
    either,
    lapsed,
    never,
    points,
    segments,
    spent,
    who,
)

WINDOWS = (7, 14, 30, 60, 90, 180, 365)
COUNTED = (
    "email_sent", "email_opened", "page_viewed", "product_viewed", "email_clicked", "cart_updated", "session_started", "order_placed",
    "checkout_started", "review_written",
)
VIEWED = ("shoes", "winter coats", "bags", "home", "sale")


def many_segments(number: int = 400, seed: int = 11) -> dict[str, Segment]:
    """*number* segments by name, the same for the same *seed*; the first 40 are those of `segments()`."""
    rng = Random(seed)
    made = list(segments().values())
    while len(made) < number:
        made.append(_one(rng))
    return {f"s{place:03d}": segment for place, segment in enumerate(made[:number], 1)}


def _one(rng: Random) -> Segment:
    shape = rng.choice([_event, _event, lambda r: both(_event(r), _person(r)), lambda r: either(_event(r), _event(r)),
                        lambda r: both(_event(r), _event(r), _person(r))])
    return shape(rng)


def _event(rng: Random) -> Segment:
    days = rng.choice(WINDOWS)
    kind = rng.choice(["count", "count", "category", "never", "spent", "lapsed", "dear"])
    if kind == "count":
        return count(rng.choice(COUNTED), rng.choice([1, 2, 3, 5, 10]), days)
    if kind == "category":
        return count("product_viewed", rng.choice([1, 2, 3]), days, rng.choice(VIEWED))
    if kind == "never":
        return never(rng.choice(COUNTED), days)
    if kind == "spent":
        return spent(rng.choice([20, 50, 100, 300]), rng.choice([30, 90, 365]), rng.choice(["", "", "winter", "shoes"]))
    if kind == "lapsed":
        near, far = sorted(rng.sample(WINDOWS, 2))
        return lapsed(rng.choice(COUNTED), far, near)
    return dear(days, rng.choice([50, 80, 200]))


def _person(rng: Random) -> Segment:
    return rng.choice([
        lambda: who("country", *rng.sample(COUNTRIES, 2)), lambda: who("plan", rng.choice(PLANS)),
        lambda: points(rng.choice([500, 1000, 1500])),
        lambda: who("city", *(f"City {rng.randint(0, 4999)}" for _ in range(20))),
    ])()


