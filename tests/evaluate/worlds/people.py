"""Random people: values near what rules ask, times on the edges of windows."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

from sync.language.person import ConsentFact, Event, MembershipFact, Move, Past, Person
from sync.language.values import instant_text
from tests.evaluate.worlds.drawn import DAY, HOUR, SEGMENTS, moment, value_of
from tests.language.support import NOW


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
