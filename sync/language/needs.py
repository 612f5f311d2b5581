"""What a rule needs to be answered: fields, event types with their properties and windows, other segments."""

from __future__ import annotations

from dataclasses import dataclass

from sync.language.happened import CURRENCY, MACHINE, Filter, Happened, Measure, Names
from sync.language.moves import Moved
from sync.language.nodes import InSegment, Node, walk
from sync.language.pasts import Changed, HasBeen
from sync.language.values import Path
from sync.language.who import KNOWN_SINCE, ConsentIs, Contact, MemberOf, Suppressed
from sync.language.window import Window, Within


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
