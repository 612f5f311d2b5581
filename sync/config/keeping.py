"""Whether a rule looks further back than the events it asks about are kept (`keep:`)."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.base import Millis
from sync.config import scalars
from sync.config.form import Notes
from sync.config.model import EventSpec
from sync.language.calendars import nominal
from sync.language.needs import needs
from sync.language.nodes import Node
from sync.language.window import Ago, During, Ever, OlderThan, Within
from sync.located import Problem, Scalar


def looks_past(notes: Notes, name: Scalar, node: Node, events: Mapping[str, EventSpec]) -> None:
    """Warns, once per event, where the segment *name* asks for more of the past than is kept."""
    for event, spec in events.items():
        windows = [need.window for need in needs(node).events if need.names.takes(event)]
        if spec.keep is not None and windows:
            reaches = [_reach(window) for window in windows]
            kept = f"events.{event}.keep is {scalars.span_text(spec.keep)}"
            if None in reaches:
                _warn(notes, name, f"asks for every {event} there ever was, and {kept}", "say within:, or keep them for ever")
            elif (far := max(reach for reach in reaches if reach is not None)) > spec.keep:
                _warn(notes, name, f"looks back {scalars.span_text(far)} for {event}, and {kept}", "keep them longer, or look less far")


def _reach(window: object) -> Millis | None:
    """How far back a window looks, None for without end; 0 where it is tied to the calendar, and nobody can say for good."""
    match window:
        case Within(span) | Ago(span, _):
            return nominal(span)
        case During():
            return window.reach
        case Ever() | OlderThan():
            return None
        case _:
            return 0


def _warn(notes: Notes, name: Scalar, what: str, hint: str) -> None:
    notes.warnings.append(Problem(name.place, f"warning: segment '{name.text}' {what}", hint))
