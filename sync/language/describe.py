"""Conditions in the words of whoever reads them: for guards, `explain` and warnings."""

from __future__ import annotations

from sync.language.families import Broken
from sync.language.figures import DaysSince, Decaying, Different, Edge, Figure, Frequent, Measured
from sync.language.happened import Filter, Happened, Measure
from sync.language.kept import Kept, Nobody
from sync.language.lists import OnList
from sync.language.moves import Moved
from sync.language.nodes import All, AnyOf, InSegment, Node, NoneOf, Not
from sync.language.pasts import Changed, HasBeen
from sync.language.patterns import FirstOrLast, MostFrequent, Resumed
from sync.language.periods import Period, Regularly, Rolling, Streak
from sync.language.predicates import Compare, Each, IsKey, IsSet, Limit, NumberTest, Predicate, Size, Test, WhenRelative
from sync.language.rank import Rank
from sync.language.sequence import Sequence, Step
from sync.language.traits import EventTrait, Trait, TraitTest
from sync.language.values import Path, number_text, path_text
from sync.language.who import ConsentIs, Contact, MemberOf, Sample, Suppressed
from sync.language.window import Ever, Window, duration_text

_JOINS = {All: " and ", AnyOf: " or ", NoneOf: " or "}


def describe(node: Node) -> str:
    """*node* as a short text, for example `order_placed where price at_least 40, count at_least 3, within 14d`."""
    match node:
        case All(children) | AnyOf(children) | NoneOf(children):
            inner = _JOINS[type(node)].join(_inside(child) for child in children)
            return f"none of ({inner})" if isinstance(node, NoneOf) else inner
        case Not(child):
            return f"not ({describe(child)})"
        case Contact(fields):
            return _fields(fields)
        case Happened(trait=name):
            return f"{name}: {_happened(node)}" if name else _happened(node)
        case TraitTest(path, test, _):
            return f"{path_text(path)} {_predicate(test)}"
        case Rank(by, cut):
            return f"{cut} by {path_text(by.path)}"
        case Broken(why):
            return f"nothing that can be told: {why}"
        case OnList(file):
            return f"has an address in {file}"
        case FirstOrLast() | MostFrequent() | Resumed():
            return _pattern(node)
        case Regularly() | Streak():
            return _periods(node)
        case Sequence():
            steps = ", then ".join(step_text(step) for step in node.steps)
            latest = "latest " if node.last else ""
            return _listed(latest + steps, _window(node.window) and f"begun {node.window}")
        case InSegment(name):
            return f"in segment {name}"
        case Kept(name):
            return f"in segment {name} when it was disabled"
        case Nobody():
            return "nobody: the segment retires"
        case HasBeen(path, test, window):
            return f"{path_text(path)} {_predicate(test)} since {window}"
        case Changed(path, before, after, window):
            parts = [f" from {_predicate(before)}" if before else "", f" to {_predicate(after)}" if after else ""]
            return f"{path_text(path)} changed{''.join(parts)}" + _when(window)
        case Moved(name, entered, window):
            return f"{'entered' if entered else 'left'} segment {name}" + _when(window)
        case ConsentIs(channel, state, connection, window):
            return f"{channel} consent {state}" + (f" on {connection}" if connection else "") + _when(window)
        case Suppressed(expected):
            return "suppressed" if expected else "not suppressed"
        case MemberOf(connection, kind, name, audience, window):
            return f"has {connection} {kind} {name}" + (f" in {audience}" if audience else "") + _when(window)
        case Sample(share, salt):
            return f"in the sample of {number_text(int(share * 100_000_000))}% ({salt})"
        case _:
            return type(node).__name__


def _when(window: Window | None) -> str:
    return "" if window is None or isinstance(window, Ever) else f", {window}"


def describe_trait(trait: Trait) -> str:
    """*trait* as a short text, for example `sum of value: order_placed, within 30d`."""
    if isinstance(trait, EventTrait):
        return f"{describe_figure(trait.figure)}: {describe(trait.events)}"
    return "points: " + ", ".join(f"{number_text(adds)} if {_inside(node)}" for node, adds in trait.entries)


def describe_figure(figure: Figure) -> str:
    """A figure in words, for example `latest category`."""
    match figure:
        case Measured(measure):
            return f"{measure.kind} of {path_text(measure.of)}" + (f" in {measure.currency}" if measure.currency else "")
        case Edge(which, of):
            return f"{which} {path_text(of)}" if of else f"{which} time"
        case Frequent(of, most):
            return f"most frequent {path_text(of)}" if most is None else f"the {most} most frequent of {path_text(of)}"
        case Different(of):
            return f"values of {path_text(of)}"
        case Decaying(measured, half_life):
            what = f"{path_text(measured.of)} " if measured else ""
            money = f"in {measured.currency} " if measured and measured.currency else ""
            return f"{what}{money}decaying by half in {duration_text(half_life)}"
        case DaysSince(which):
            return f"days since the {which}"
        case _:
            return "count"


def _inside(node: Node) -> str:
    text = describe(node)
    return f"({text})" if isinstance(node, All | AnyOf) and len(node.children) > 1 else text


def _happened(node: Happened) -> str:
    counted = "" if node.count is None or _is_once(node.count) else f"count {_numbers(node.count)}"
    measured = [_measure(measure) for measure in node.measures]
    since = "" if node.since is None else f"since the last {_filter(node.since)}"
    return _listed(_filter(node.filter), counted, *measured, _window(node.window), since)


def _listed(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _window(window: Window) -> str:
    return "" if isinstance(window, Ever) else str(window)


def _is_once(test: NumberTest) -> bool:
    return test.limits == (Limit("at_least", (1_000_000,)),) and test.missing is None


def _filter(which: Filter) -> str:
    names = " or ".join([*which.names.exact, *(f"{prefix}*" for prefix in which.names.prefixes)])
    where = _fields(which.where)
    return names + (" by a human" if which.human else "") + (f" where {where}" if where else "")


def _pattern(node: FirstOrLast | MostFrequent | Resumed) -> str:
    events, window = _filter(node.filter), _window(node.window)
    match node:
        case FirstOrLast(which, _, _, fields):
            return _listed(f"{'first' if which == 'first' else 'latest'} {events}", _fields(fields), window)
        case MostFrequent():
            return _listed(events, f"most frequent {path_text(node.of)} {_predicate(node.test)}", window)
        case Resumed():
            return _listed(f"{events} again after {duration_text(node.silent)} without", window)


def _periods(node: Regularly | Streak) -> str:
    counted = "" if _is_once(node.count) else f"count {_numbers(node.count)} in each"
    if isinstance(node, Regularly):
        return _listed(_filter(node.filter), counted, f"in at least {node.least} of the last {node.periods} {periods_text(node.period)}")
    return _listed(_filter(node.filter), counted, f"{periods_text(node.period)} in a row {_numbers(node.length)}")


def periods_text(period: Period) -> str:
    """*period* in the plural: `weeks`, `periods of 7d`."""
    return f"periods of {period}" if isinstance(period, Rolling) else f"{period.unit}s"


def step_text(step: Step) -> str:
    """A step of a sequence, for example `no order_placed with the same cart_id within 2h`."""
    same = f" with the same {path_text(step.same)}" if step.same is not None else ""
    within = f" within {duration_text(step.within)}" if step.within is not None else ""
    return f"{'no ' if step.negated else ''}{_filter(step.filter)}{same}{within}"


def _measure(measure: Measure) -> str:
    money = f" in {measure.currency}" if measure.currency else ""
    return f"{measure.kind} of {path_text(measure.of)}{money} {_numbers(measure.test)}"


def _fields(fields: tuple[tuple[Path, Predicate], ...]) -> str:
    return " and ".join(f"{path_text(path)} {_predicate(test)}" for path, test in fields)


def _predicate(predicate: Predicate) -> str:
    missing = {None: "", True: " (or missing)", False: " (and not missing)"}[predicate.missing]
    return " and ".join(map(_test, predicate.tests)) + missing


def _test(test: Test) -> str:
    match test:
        case Compare(operator, operands, other, negated, ignore_case):
            values = f"{{field: {path_text(other)}}}" if other else ", ".join(operand.text for operand in operands)
            return f"{_word(operator, negated, len(operands))} {values}" + (" in any case" if ignore_case else "")
        case IsKey(key):
            return f"is {key}"
        case IsSet(expected):
            return "is set" if expected else "is not set"
        case Size(number):
            return f"size {_numbers(number)}"
        case Each(quantifier, inner, fields):
            asked = [_predicate(inner)] if inner else [f"{path_text(path)} {_predicate(test)}" for path, test in fields]
            return f"{quantifier} ({' and '.join(asked)})"
        case WhenRelative(window):
            return str(window)
        case _:
            return str(test)


def _numbers(test: NumberTest) -> str:
    return " and ".join(
        f"{_word(limit.operator, limit.negated, len(limit.numbers))} {', '.join(map(number_text, limit.numbers))}"
        for limit in test.limits
    )


def _word(operator: str, negated: bool, operands: int) -> str:
    if operator == "in":
        return ("is not" if negated else "is") + (" one of" if operands > 1 else "")
    return ("not " if negated else "") + operator.replace("_", " ")
