"""What a rule needs to be answered: fields, event types with their properties and windows, other segments."""

from __future__ import annotations

from dataclasses import dataclass

from sync.language.figures import Figure
from sync.language.happened import CURRENCY, MACHINE, Filter, Happened, Measure, Names
from sync.language.lists import OnList
from sync.language.moves import Moved
from sync.language.nodes import InSegment, Node, walk
from sync.language.pasts import Changed, HasBeen
from sync.language.patterns import FirstOrLast, MostFrequent, Resumed
from sync.language.periods import Period, Regularly, Rolling, Streak
from sync.language.rank import Rank
from sync.language.sequence import Sequence, Step
from sync.language.traits import EventTrait, Trait, TraitTest
from sync.language.values import Path
from sync.language.who import KNOWN_SINCE, ConsentIs, Contact, MemberOf, Suppressed
from sync.language.window import LONGEST_PERIODS, UNITS, Ago, Dates, During, Ever, OlderThan, Window, Within

ADDRESS: Path = ("email",)


@dataclass(frozen=True, slots=True)
class EventNeed:
    """Events of *names* in *window*, with *properties*."""

    names: Names
    properties: frozenset[Path]
    window: Window


@dataclass(frozen=True, slots=True)
class PastNeed:
    """The history of the field *path*, as far back as *window* begins."""

    path: Path
    window: Window


@dataclass(frozen=True, slots=True)
class Needs:
    """All that a rule reads. *connections* are those whose consent or membership it asks (None among them: any); *moves*: segments,
    also in *segments*, whose record of who entered and left it asks; *pasts*: fields, also in *fields*, whose history it asks."""

    fields: frozenset[Path]
    events: frozenset[EventNeed]
    segments: frozenset[str]
    connections: frozenset[str | None]
    moves: frozenset[str] = frozenset()
    pasts: frozenset[PastNeed] = frozenset()


def needs(node: Node) -> Needs:
    """What *node* and everything below it reads."""
    fields: set[Path] = set()
    events: set[EventNeed] = set()
    segments: set[str] = set()
    connections: set[str | None] = set()
    moves: set[str] = set()
    pasts: set[PastNeed] = set()
    for each in walk(node):
        match each:
            case Contact():
                fields |= {path for path, _ in each.fields}.union(*(test.others() for _, test in each.fields)) - {KNOWN_SINCE}
            case Happened():
                events.add(EventNeed(each.filter.names, event_properties(each), each.window))
                if each.since is not None:
                    events.add(EventNeed(each.since.names, filter_properties(each.since), Ever()))
            case FirstOrLast() | MostFrequent() | Resumed() | Regularly() | Streak():
                read = filter_properties(each.filter) | pattern_properties(each)
                events.add(EventNeed(each.filter.names, read, pattern_window(each)))
            case Sequence():
                since = onward(each.window)
                events |= {EventNeed(which.names, filter_properties(which) | read, since) for which, read in sequence_reads(each)}
            case TraitTest(path, test, traits):
                named = {name for name, _ in traits}
                fields |= {other for other in {path, *test.others()} if other[0] not in named} - {KNOWN_SINCE}
                events |= {need for _, trait in traits for need in trait_events(trait)}
            case Rank(by):
                fields |= {by.path} if by.trait is None else set()
                events |= set() if by.trait is None else set(trait_events(by.trait))
            case OnList():
                fields.add(ADDRESS)
            case InSegment(name):
                segments.add(name)
            case HasBeen(path, _, window):
                fields.add(path)
                pasts.add(PastNeed(path, Within(window.span)))
            case Changed(path, _, _, changed):
                fields.add(path)
                pasts.add(PastNeed(path, changed))
            case Moved(name):
                segments.add(name)
                moves.add(name)
            case MemberOf() | ConsentIs():
                connections.add(each.connection)
            case Suppressed():
                connections.add(None)
    return Needs(frozenset(fields), frozenset(events), frozenset(segments), frozenset(connections), frozenset(moves), frozenset(pasts))


def trait_events(trait: Trait) -> tuple[EventNeed, ...]:
    """The events that a trait itself reads; those that its conditions read are theirs."""
    if not isinstance(trait, EventTrait):
        return ()
    read = event_properties(trait.events) | figure_properties(trait.figure)
    return (EventNeed(trait.events.filter.names, read, trait.events.window),)


def figure_properties(figure: Figure) -> frozenset[Path]:
    """The properties that a figure is made of."""
    measured = frozenset() if figure.measure is None else measure_properties(figure.measure)
    return measured | ({figure.of} if figure.of is not None else set())


def event_properties(node: Happened) -> frozenset[Path]:
    """The properties that an event condition reads."""
    return filter_properties(node.filter).union(*(measure_properties(measure) for measure in node.measures))


def filter_properties(which: Filter) -> frozenset[Path]:
    """The properties that decide whether an event is meant."""
    read = {path for path, _ in which.where}.union(*(test.others() for _, test in which.where))
    return frozenset(read | ({MACHINE} if which.human else set()))


def measure_properties(measure: Measure) -> frozenset[Path]:
    """The property that is measured, and the currency beside it where that matters."""
    return frozenset({measure.of} | ({CURRENCY} if measure.in_money or measure.currency else set()))


# --- patterns ---------------------------------------------------------------------------------------------------------------

def pattern_properties(node: FirstOrLast | MostFrequent | Resumed | Regularly | Streak) -> frozenset[Path]:
    """The properties that a condition on a pattern reads of the events that its filter takes."""
    match node:
        case FirstOrLast():
            return frozenset({path for path, _ in node.fields}.union(*(test.others() for _, test in node.fields)))
        case MostFrequent():
            return frozenset({node.of})
        case _:
            return frozenset()


def pattern_window(node: FirstOrLast | MostFrequent | Resumed | Regularly | Streak) -> Window:
    """The time in which the events lie that may decide a condition on a pattern, about: how much history it needs."""
    match node:
        case FirstOrLast():
            return onward(node.window) if node.which == "last" else Ever()
        case MostFrequent():
            return node.window
        case Resumed():
            return Ever()                                               # how long ago the one before was is not bounded
        case _:
            return Within(node.periods * _longest(node.period))


def _longest(period: Period) -> int:
    return period.span if isinstance(period, Rolling) else LONGEST_PERIODS[period.unit] * UNITS["d"]


def onward(window: Window) -> Window:
    """From the beginning of *window* until now."""
    match window:
        case Ago(far, _):
            return Within(far)
        case Dates(since, _):
            return Dates(since, None)
        case OlderThan():
            return Ever()
        case During():
            return Within(window.reach)
        case _:
            return window


def sequence_reads(node: Sequence) -> list[tuple[Filter, frozenset[Path]]]:
    """Every filter of a sequence, and the properties that must be the same in events that it takes."""
    stages = node.stages()
    found: list[tuple[Filter, frozenset[Path]]] = []
    for place, stage in enumerate(stages):
        beside = [stage.step, *stage.denied, *(after.step for after in stages[place + 1 : place + 2])]
        found.append((stage.step.filter, _sames(beside[place == 0:])))
        found += [(denied.filter, _sames([denied])) for denied in stage.denied]
    return found


def _sames(steps: list[Step]) -> frozenset[Path]:
    return frozenset(step.same for step in steps if step.same is not None)
