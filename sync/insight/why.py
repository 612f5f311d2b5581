"""Why a contact is in a segment, or not: the tree of conditions, the events that count, and when the answer changes by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from connectors.base import Millis
from sync.config.model import Config, Withdrawn
from sync.insight.forecast import Forecast, forecast
from sync.insight.person import person_of
from sync.language.explain import ExplainTree, explain
from sync.language.person import Person
from sync.model import ContactId
from sync.source import Origin
from sync.store.memberships import is_barred
from sync.store.store import Store

PAST = "fields, consent and platform tags are taken as they are now; events are those known now, each at its own time"
FUTURE = "as if nothing happens until then"
UNKNOWN_THEN = "this contact was first seen after that moment"


@dataclass(frozen=True, slots=True)
class Why:
    """One answer at the moment *at*, and what becomes of it. *approximations*: what is not known of that moment; *kept_out*: why no
    target takes this contact whatever the answer, or ""."""

    segment: str
    contact: int
    at: Millis
    tree: ExplainTree
    forecast: Forecast
    approximations: tuple[str, ...]
    kept_out: str


def why(store: Store, config: Config, sources: Mapping[str, Origin], contact: int, segment: str, at: Millis, now: Millis) -> Why:
    """The answer for *contact* at *at*, seen from *now*: by what the store holds, without asking a platform."""
    person = person_of(store, config, sources, contact)
    rule = config.segments[segment].rule
    notes = [PAST] if at < now else [FUTURE] if at > now else []
    if at < person.known_since:
        notes.append(UNKNOWN_THEN)
    kept_out = _kept_out(store, config, person, now)
    return Why(segment, contact, at, explain(rule, person, at), forecast(rule, person, at), tuple(notes), kept_out)


def _kept_out(store: Store, config: Config, person: Person, now: Millis) -> str:
    """Why no target takes *person* now, where a withdrawal anywhere bars from every one."""
    if config.consent.withdrawn is not Withdrawn.ANYWHERE or not is_barred(store, now, ContactId(person.contact)):
        return ""
    said = sorted({
        f"{'withdrawn' if fact.state == 'withdrawn' else 'suppressed'} on {fact.connection}" for fact in person.consents
        if fact.channel == "email" and not fact.scope and (fact.state == "withdrawn" or fact.suppressed)
    })
    return f"e-mail consent is {', '.join(said) or 'withdrawn by what a profile that is gone said last'}"
