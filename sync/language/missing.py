"""What a condition lacks for the answer that is wanted: near misses in the words of whoever reads them."""

from __future__ import annotations

from collections.abc import Sequence as Listed
from fractions import Fraction

from connectors.base import Millis
from sync.language.describe import describe, periods_text, step_text
from sync.language.happened import Happened, Measure
from sync.language.nodes import All, AnyOf, Node, NoneOf
from sync.language.periods import Regularly, Streak
from sync.language.person import Event, Person
from sync.language.predicates import Limit, NumberTest
from sync.language.sequence import Sequence
from sync.language.values import MILLION, canonical, look, number_text, path_text
from sync.language.who import Contact, contact_record

Number = int | Fraction


def lacks(node: Node, person: Person, now: Millis, wanted: bool) -> str:
    """What one condition without children lacks at *now* to answer *wanted*, for example `one more order_placed (has 2, needs
    at least 3)`. The caller knows that it answers otherwise and can be answered."""
    if isinstance(node, Happened):
        return _happened(node, person, now) if wanted else _too_much(node, person, now)
    if wanted and isinstance(node, Sequence):
        reached = node.progress(person, now)[1]
        return f"{step_text(node.steps[reached])} (step {reached + 1} of {len(node.steps)})"
    if wanted and isinstance(node, Regularly):
        reached, periods = node.reached(person, now), periods_text(node.period)
        return f"{node.least - reached} more of the last {node.periods} {periods} (has {reached}, needs at least {node.least})"
    if wanted and isinstance(node, Streak):
        reached, periods = node.reached(person, now), periods_text(node.period)
        failed = [limit for limit in node.length.limits if not limit.holds(reached * MILLION)]
        return " and ".join(_counted(f"{periods} in a row", limit, reached) for limit in failed)
    if isinstance(node, Contact) and len(node.fields) == 1:
        value = look(contact_record(person), node.fields[0][0])
        shown = "it is not set" if value is None else f"it is {_short(canonical(value))}"
        return f"{_denied(node, wanted)}: {shown}"
    return _denied(node, wanted)


def together(node: Node, parts: Listed[str], wanted: bool) -> str:
    """What conditions under *node* lack, put together: all of *parts* (one per child, "" where nothing), or any one of them."""
    every = wanted if isinstance(node, All) else not wanted if isinstance(node, AnyOf) else wanted or not isinstance(node, NoneOf)
    told = list(dict.fromkeys(part for part in parts if part))
    link = " and " if every else " or "
    return link.join(f"({part})" if len(told) > 1 and _joined(part) else part for part in told)


def _joined(part: str) -> bool:
    return " and " in part or " or " in part


def _denied(node: Node, wanted: bool) -> str:
    return describe(node) if wanted else f"not ({describe(node)})"


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"


# --- counts and aggregates --------------------------------------------------------------------------------------------------


def _happened(node: Happened, person: Person, now: Millis) -> str:
    """Every number that does not pass, with how far it is from passing."""
    events = node.events(person, now)
    found = [] if node.count is None else _count(node, node.count, len(events))
    for measure in node.measures:
        found += _measured(measure, events)
    return " and ".join(found)


def _count(node: Happened, test: NumberTest, has: int) -> list[str]:
    failed = [limit for limit in test.limits if not limit.holds(has * MILLION)]
    return [_counted(names_of(node), limit, has) for limit in failed]


def _counted(name: str, limit: Limit, has: int) -> str:
    needs = f"has {has}, needs {_asked(limit)}"
    least = _least(limit)
    if least is not None and has * MILLION < least:
        more = -((has * MILLION - least) // MILLION)
        return f"{'one' if more == 1 else f'{more:,}'} more {name} ({needs})"
    return f"fewer {name} ({needs})" if limit.operator in ("at_most", "less_than") else f"another number of {name} ({needs})"


def _least(limit: Limit) -> int | None:
    """The smallest number, in millionths, from which on *limit* may hold; None where that is not what it asks."""
    if limit.negated:
        return None
    if limit.operator == "more_than":
        return limit.numbers[0] + int(MILLION)
    least: int = min(limit.numbers)
    return least if limit.operator in ("at_least", "between", "in") else None


def _measured(measure: Measure, events: list[Event]) -> list[str]:
    value = measure.value(events)
    if measure.test.holds_millionths(value):
        return []
    if value is None:
        return [f"a {measure.kind} of {path_text(measure.of)} (no number there)"]
    return [_amount(measure, limit, value) for limit in measure.test.limits if not limit.holds(value)]


def _amount(measure: Measure, limit: Limit, value: Number) -> str:
    what = f"{measure.kind} of {path_text(measure.of)}"
    has = f"has {number(value)}, needs {_asked(limit)}"
    adds_up = measure.kind in ("sum", "distinct") and not limit.negated and limit.operator in ("at_least", "more_than", "between")
    if adds_up and value < limit.numbers[0]:
        return f"{number(limit.numbers[0] - value)} more in the {what} ({has})"
    return f"another {what} ({has})"


def _too_much(node: Happened, person: Person, now: Millis) -> str:
    count = len(node.events(person, now))
    counted = "1 counts" if count == 1 else f"{count:,} count"
    return f"not ({describe(node)}): {counted}"


def names_of(node: Happened) -> str:
    """The event names that a condition speaks of."""
    which = node.filter.names
    return " or ".join([*which.exact, *(f"{prefix}*" for prefix in which.prefixes)])


def _asked(limit: Limit) -> str:
    numbers = " and ".join(map(number_text, limit.numbers)) if limit.operator == "between" else ", ".join(map(number_text, limit.numbers))
    words = {"in": "exactly" if len(limit.numbers) == 1 else "one of", "between": "between"}
    word = words.get(limit.operator, limit.operator.replace("_", " "))
    return f"{'not ' if limit.negated else ''}{word} {numbers}"


def number(millionths: Number) -> str:
    """A number as people read it; "about" before one that was rounded."""
    rounded = round(millionths)
    return ("" if rounded == millionths else "about ") + number_text(rounded)
