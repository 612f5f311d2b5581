"""Why a contact is in a segment, or not: the tree of conditions, the events that count, and when the answer changes by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from connectors.base import Millis
from sync.config.model import Config
from sync.insight.forecast import Forecast, forecast
from sync.insight.person import person_of
from sync.language.explain import ExplainTree, explain
from sync.source import Origin
from sync.store.store import Store

PAST = "fields, consent and platform tags are taken as they are now; events are those known now, each at its own time"
FUTURE = "as if nothing happens until then"
UNKNOWN_THEN = "this contact was first seen after that moment"


@dataclass(frozen=True, slots=True)
class Why:
    """One answer at the moment *at*, and what becomes of it. *approximations*: what is not known of that moment."""

    segment: str
    contact: int
    at: Millis
    tree: ExplainTree
    forecast: Forecast
    approximations: tuple[str, ...]


def why(store: Store, config: Config, sources: Mapping[str, Origin], contact: int, segment: str, at: Millis, now: Millis) -> Why:
    """The answer for *contact* at *at*, seen from *now*: by what the store holds, without asking a platform."""
    person = person_of(store, config, sources, contact)
    rule = config.segments[segment].rule
    notes = [PAST] if at < now else [FUTURE] if at > now else []
    if at < person.known_since:
        notes.append(UNKNOWN_THEN)
    return Why(segment, contact, at, explain(rule, person, at), forecast(rule, person, at), tuple(notes))
