"""Random people and random rules that meet each other: values near what rules ask, times on the edges of their windows.

Everything draws from a `random.Random`, or from hypothesis's stand-in for one, which can shrink what it drew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import Any

from sync.language.lists import OnList
from sync.language.nodes import Node
from sync.language.parse_traits import Shelf
from sync.language.parser import parse_rule
from sync.language.person import ConsentFact, Event, MembershipFact, Move, Past, Person
from sync.language.reader import RuleScope
from sync.language.values import instant_text
from sync.located import Listing, Mapping, Place, Problem, Scalar, Value
from tests.language.support import BERLIN, NOW, at

Rule = Any
SECOND, HOUR, DAY = 1000, 3_600_000, 86_400_000
SPANS = {"90s": 90 * SECOND, "2h": 2 * HOUR, "1d": DAY, "1w": 7 * DAY, "30d": 30 * DAY}
CALENDAR_EDGES = tuple(map(at, (
    "2026-06-15", "2026-06-14", "2026-06-08", "2026-06-01", "2026-05-15T14:00", "2026-04-01", "2026-01-01", "2025-06-15T14:00",
    "2026-06-16", "2026-06-22",
)))
PAST_PERIODS = ("today", "yesterday", "this_week", "last_week", "this_month", "last_month", "this_quarter", "this_year")
MOMENTS = (NOW - 14 * DAY, NOW - 3 * DAY, NOW - HOUR)                       # what `since` and `until` may name
SEGMENTS = ("first", "second", "third")
GROUND = RuleScope(
    "tested", BERLIN, SEGMENTS, ("mailchimp", "hubspot", "klaviyo"),
    fields=("country", "plan", "points", "postcode", "day", "flag", "tags", "lines", "other", "known_since", "birthday", "location"),
)


def lists(file: str, place: Place) -> tuple[OnList, list[Problem]]:
    """The lists `few` and `many`: addresses of people with low and with most numbers."""
    last = {"few": 3, "many": 7}[file]
    return OnList(file, f"{file}'s digest", frozenset(f"person{number}@example.com" for number in range(last))), []


class Quoted(str):
    """A text that stands in quotes in the file."""


# --- people --------------------------------------------------------------------------------------------------------------------


def moment(rng: Random) -> int:
    """A time on an edge, one millisecond beside it, or between edges."""
    edge = rng.choice([NOW, *(NOW - span for span in SPANS.values()), *MOMENTS, rng.choice(CALENDAR_EDGES)])
    return edge + rng.choice([-1, 0, 0, 1, -HOUR, -5 * DAY, HOUR])


def some(rng: Random, *values: Any) -> dict[str, Any]:
    """One of *values* under "x", or nothing at all."""
    return {"x": rng.choice(values)} if rng.random() < 0.85 else {}


def value_of(rng: Random, *values: Any) -> Any:
    return some(rng, *values).get("x")


def fields(rng: Random) -> dict[str, Any]:
    made = {
        "country": value_of(rng, "DE", "DE", "AT", "de", "NO", "", "Österreich", "O\u0308sterreich"),
        "plan": value_of(rng, "gold", "gold plus", "basic", ["gold", "basic"], []),
        "points": value_of(rng, 5, 7, "7", Decimal("7.5"), "7.50", "12", 12, "abc", -3, True, [1, 20], 10**13),
        "postcode": value_of(rng, "01234", "1234", 1234, "10115", 10115),
        "day": value_of(rng, "2026-06-01", "2026-06-12", instant_text(moment(rng)), instant_text(moment(rng)), "2026-07-01",
                        instant_text(NOW + rng.choice([1, DAY, 7 * DAY, 7 * DAY + 1])), "soon"),
        "flag": value_of(rng, True, True, "true", False, "false", 1),
        "tags": value_of(rng, [], ["a"], ["a", "b"], ["A", "vip"], "a", "vip", [1, "7"]),
        "lines": value_of(rng, [{"sku": "x", "qty": 2}], [{"sku": "y", "qty": 1}, {"sku": "x", "qty": 1}], [], ["x"]),
        "other": value_of(rng, "DE", "AT", 5, 7, "7", "", ["DE", "NO"]),
        "birthday": value_of(rng, "06-15", "06/15", "1990-06-22", "06/23", "1984-02-29", "05/31", "12/31", "1990-06-21T22:30:00Z",
                             ["06-14", "06/16"], instant_text(moment(rng)), "soon"),
        "location": value_of(rng, {"latitude": 52.52, "longitude": 13.40}, {"latitude": "48.14", "longitude": "11.58"},
                             {"latitude": 52.4, "longitude": 13.06}, {"latitude": 0, "longitude": 0}, {"city": "Berlin"}, "Berlin"),
        "klaviyo": {"properties": {"plan.name": value_of(rng, "gold", "basic")}},
    }
    return {name: value for name, value in made.items() if value is not None or rng.random() < 0.3}


def event(rng: Random, money: str) -> Event:
    """*money*: the currency this person pays in, if the event says one."""
    properties = {
        "value": value_of(rng, 10, 20, "20.50", Decimal("0.000001"), Decimal("99.99"), "none", -5, 3),
        "currency": rng.choice([money, money, None]),
        "category": value_of(rng, "winter boots", "winter coats", "Winter", "bags", ["bags", "winter hats"], ""),
        "machine": rng.choice([True, False, None, None]),
        "price": value_of(rng, 10, 30, "40", 40, 10**13) if rng.random() < 0.02 else value_of(rng, 10, 30, "40", 40),
    }
    kept = {name: value for name, value in properties.items() if value is not None}
    name = rng.choice(["order_placed", "order_placed", "order_refunded", "email_opened", "page_viewed"])
    return Event(name, moment(rng), kept, id=rng.choice(["", "", "", "e1"]))


def visit(rng: Random, times: list[int]) -> Event:
    """An event of a sequence or a habit: exactly a gap or a period after another one's time, at that time, or beside."""
    since = rng.choice([*times, NOW, NOW]) if times else NOW
    gap = rng.choice([0, 0, 2 * HOUR, DAY, DAY, 2 * DAY, 7 * DAY, 31 * DAY]) * rng.choice([1, -1, -1])
    when = since + gap + rng.choice([0, 0, 0, 1, -1, HOUR])
    cart = rng.choice(["a", "a", "b", ["a", "b"], None])
    name = rng.choice(["visited", "visited", "visited", "carted", "carted", "bought"])
    soon = {"day": instant_text(moment(rng))} if rng.random() < 0.3 else {}
    return Event(name, min(when, NOW + DAY), {**({} if cart is None else {"cart": cart}), **soon}, id=f"v{len(times)}")


def person(rng: Random, number: int = 0) -> Person:
    states = ["granted", "granted", "withdrawn", "withdrawn", "unknown", "unreadable"]
    consents = [
        ConsentFact(connection, rng.choice(["email", "email", "sms"]), rng.choice(states), rng.choice(["", "", "news"]),
                    suppressed=rng.random() < 0.2, at=moment(rng) if rng.random() < 0.9 else None)
        for connection in ("mailchimp", "hubspot", "klaviyo") if rng.random() < 0.7
    ]
    memberships = [
        MembershipFact(connection, kind, rng.choice(["VIP", "Café", "Cafe\u0301"]), rng.choice(["de", "at"]), moment(rng))
        for connection, kind in (("mailchimp", "tag"), ("mailchimp", "tag"), ("klaviyo", "list")) if rng.random() < 0.6
    ]
    addresses = tuple(f"person{rng.randint(0, 9)}@example.com" for _ in range(rng.choice([0, 1, 2])))
    money = rng.choice(["EUR", "EUR", "USD"])
    mixes = rng.random() < 0.01
    events = [event(rng, "USD" if mixes and place == 1 else money) for place in range(rng.choice([0, 1, 2, 4, 6]))]
    if events and rng.random() < 0.2:
        events.append(events[0])
    times: list[int] = []
    for _ in range(rng.choice([0, 3, 5, 7, 10])):
        events.append(visit(rng, times))
        times.append(events[-1].at)
    key = f"person{number}-{rng.randint(0, 99)}@example.com"
    moves = [Move(rng.choice(SEGMENTS), moment(rng), rng.random() < 0.5) for _ in range(rng.choice([0, 2, 4, 6]))]
    return Person(
        fields(rng), tuple(events), tuple(consents), tuple(memberships), tuple(moves), {("plan",): pasts(rng)}, moment(rng), key,
        addresses=addresses,
    )


def pasts(rng: Random) -> tuple[Past, ...]:
    """What the plan was, each at a time of its own; the first is a first sight, and so are some others."""
    values = (None, "gold", "gold", "basic", "gold plus", ["gold", "basic"])
    times = sorted({moment(rng) for _ in range(rng.choice([0, 1, 2, 3, 5]))})
    return tuple(Past(at, rng.choice(values), place > 0 and rng.random() < 0.8) for place, at in enumerate(times))


# --- rules: each kind by its name ---------------------------------------------------------------------------------------------


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


def number_test(rng: Random, *numbers: Any) -> dict[str, Any]:
    low, high = sorted(rng.choices(numbers, k=2))
    return rng.choice([
        {"at_least": low}, {"more_than": low}, {"at_most": high}, {"less_than": high}, {"between": [low, high]},
        {"is": low}, {"is_not": high}, {"in": [low, high]}, {"not_in": [low, high]},
    ])


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


def asked(field: str, *tests: Any) -> Callable[[Random], Rule]:
    """A `contact:` condition on *field*; with `missing:` said now and then."""
    def make(rng: Random) -> Rule:
        test = rng.choice(tests)
        if isinstance(test, dict) and not test.keys() & {"is_set", "has_been"} and rng.random() < 0.3:
            test = {**test, "missing": rng.choice(["match", "fail"])}
        return {"contact": {field: test}}

    return make


def span(rng: Random) -> str:
    return rng.choice(list(SPANS))


def moment_text(rng: Random) -> str:
    return instant_text(rng.choice(MOMENTS))


def some_window(rng: Random) -> Rule:
    return rng.choice([
        {"within": rng.choice(["1w", "30d"])}, {"older_than": rng.choice(["90s", "2h"])}, {"ago": ["30d", "90s"]},
        {"until": instant_text(NOW)},
    ])


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
    "event: most_frequent": most_frequent,
    "event: most_frequent and count": lambda rng: {**most_frequent(rng), "count": {"at_least": 1}},
    "event: first": extreme("first"),
    "event: last": extreme("last"),
    "regularly": regularly,
    "streak": streak,
    "stopped": stopped,
    "resumed": resumed,
    "sequence": sequence,
    "member_of": lambda rng: {"member_of": rng.choice([{"mailchimp": {"tag": "VIP"}}, {"klaviyo": {"list": "Café"}},
                                                       {"mailchimp": {"tag": "Cafe\u0301", "audience": "de"}}])},
    "consent: granted": lambda rng: {"consent": {"channel": "email", "is": "granted"}},
    "consent: withdrawn": lambda rng: {"consent": {"channel": rng.choice(["email", "sms"]), "is": "withdrawn"}},
    "consent: unknown": lambda rng: {"consent": {"channel": "email", "is": "unknown"}},
    "consent: connection": lambda rng: {"consent": {"channel": "email", "is": rng.choice(["granted", "unknown"]),
                                                    "connection": rng.choice(["mailchimp", "hubspot"])}},
    "suppressed": lambda rng: {"suppressed": rng.choice([True, False])},
    "has_been": asked("plan", {"has_been": "gold", "for": "2h"}, {"has_been": ["gold", "basic"], "for": "1d"},
                      {"has_been": {"is_not": "basic"}, "for": "1w"}, {"has_been": {"starts_with": "gold"}, "for": "90s"}),
    "changed": lambda rng: {"contact": {"plan": {
        "changed": rng.choice([True, True, False]),
        **rng.choice([{}, {}, {"from": {"is_set": False}}, {"to": "gold"}, {"from": {"is_not": "basic"}, "to": ["gold", "basic"]}]),
        **window(rng),
    }}},
    "member_of: since when": lambda rng: {"member_of": {"mailchimp": {"tag": "Café"}, **some_window(rng)}},
    "consent: since when": lambda rng: {"consent": {"channel": "email", "is": rng.choice(["withdrawn", "withdrawn", "unknown", "granted"]),
                                                    **some_window(rng)}},
    "sample": lambda rng: {"sample": {"share": rng.choice(["20%", "50%", "80%"]), "salt": rng.choice("abc")}},
}


def leaf(rng: Random) -> Rule:
    return LEAVES[rng.choice(list(LEAVES))](rng)


def tree(rng: Random, depth: int = 2, segments: tuple[str, ...] = ()) -> Rule:
    """A rule of up to *depth* levels that may ask *segments*."""
    if depth == 0 or rng.random() < 0.3:
        return about_segment(rng, segments) if segments and rng.random() < 0.4 else leaf(rng)
    word = rng.choice(["all", "any", "none", "not"])
    if word == "not":
        return {"not": tree(rng, depth - 1, segments)}
    return {word: [tree(rng, depth - 1, segments) for _ in range(rng.choice([1, 2, 3]))]}


def about_segment(rng: Random, segments: tuple[str, ...]) -> Rule:
    name = rng.choice(segments)
    return rng.choice([{"segment": name}, {"entered": {"segment": name, **window(rng)}}, {"left": {"segment": name, **window(rng)}}])


KINDS: dict[str, Callable[[Random], Rule]] = {
    **LEAVES,
    "all of": lambda rng: {"all": [rng.choice([LEAVES["is_not"], LEAVES["at_least"], LEAVES["event"]])(rng) for _ in range(2)]},
    "any of": lambda rng: {"any": [leaf(rng), leaf(rng)]},
    "none of": lambda rng: {"none": [leaf(rng), leaf(rng)]},
    "not": lambda rng: {"not": leaf(rng)},
    "segment": lambda rng: {"segment": "first"},
    "entered": lambda rng: {"entered": {"segment": "first", **window(rng)}},
    "left": lambda rng: {"left": {"segment": "first", **window(rng)}},
}


# --- from Python values to rules ------------------------------------------------------------------------------------------------


def located(value: Any) -> Value:
    """*value* as if it stood in a file: texts plain unless `Quoted`."""
    place = Place("rule.yaml", 1, 1)
    if isinstance(value, dict):
        return Mapping(tuple((Scalar(key, True, place), located(held)) for key, held in value.items()), place)
    if isinstance(value, list):
        return Listing(tuple(map(located, value)), place)
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return Scalar(text, not isinstance(value, Quoted), place)


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
SHELF = Shelf({name: located(body) for name, body in TRAITS.items()}, replace(GROUND, lists=lists))
SCOPE = replace(GROUND, lists=lists, traits=SHELF)


def trait(name: str, *tests: Any) -> Callable[[Random], Rule]:
    return asked(name, *tests)


def ranked(rng: Random) -> Rule:
    by = rng.choice(["orders", "spent", "points", "last_time", "warmth", "score", "mean_paid", "last_value", "favourite_price"])
    return {"rank": {"by": by, **rng.choice([{"top": "30%"}, {"top": "50%"}, {"top": 1}, {"top": 3}, {"top": 30}, {"tier": 1, "of": 2},
                                             {"tier": 2, "of": 3}])}}


LEAVES |= {
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
    "emails": lambda rng: {"emails": rng.choice(["few", "many"])},
}
KINDS |= LEAVES


def node_of(rule: Rule) -> Node:
    node, problems = parse_rule(located(rule), SCOPE)
    assert node is not None, (rule, problems)
    return node
