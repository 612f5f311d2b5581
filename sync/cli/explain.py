"""`explain`: why somebody is in a segment or not, from which events, what is missing, and when that changes by itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from connectors.base import Clock, Millis
from sync.cli.common import emit, exact, moment, options, read_config, reading, span, unknown
from sync.model import SegmentdError

if TYPE_CHECKING:
    from sync.insight.forecast import Forecast
    from sync.insight.why import Why
    from sync.language.explain import ExplainTree

SHOWN = 5                                           # events of one condition on a terminal; --json has them all


@click.command()
@options
@click.argument("email")
@click.argument("segment")
@click.option("--at", "at_text", metavar="TIME", help="Ask of another moment: a day (its first instant) or an instant, past or to come.")
@click.pass_obj
def explain(clock: Clock, path: Path | None, as_json: bool, email: str, segment: str, at_text: str | None) -> None:
    """Why the contact with address EMAIL is in SEGMENT, or not.

    Shows every condition with its answer, what it counted and from which events, what is missing, and when the answer changes
    if nothing happens.
    """
    from sync.evaluate.families import with_families
    from sync.insight.person import contact_of
    from sync.insight.why import why
    from sync.source import origins

    config, now = read_config(path), clock.now()
    if segment not in config.segments and not config.families:
        raise unknown("segment", segment, config.segments)
    with reading(config) as store:
        config = with_families(store, config)
        if segment not in config.segments:
            raise unknown("segment", segment, config.segments)
        at = now if at_text is None else moment_of(at_text, config.segments[segment].timezone)
        contact = contact_of(store, email)
        if contact is None:
            raise SegmentdError("no contact has this address; `segmentd status` says how old the data is")
        found = why(store, config, origins(config, store), contact, segment, at, now)
    emit(_as_data(found), as_json, lambda: _show(email, found, now))


def moment_of(text: str, zone: str) -> Millis:
    """The instant that a day or an instant names, local time of *zone* where it has no offset. UsageError for anything else."""
    from sync.language.calendars import BEYOND, askable
    from sync.language.values import read_span

    found = read_span(text, ZoneInfo(zone))
    if found is None:
        raise click.UsageError(f"{text!r} is no day and no instant; for example 2026-11-20 or 2026-11-20T08:00Z")
    if not askable(found[0]):
        raise click.UsageError(f"{text!r} {BEYOND}")
    return found[0]


# --- for programs ---------------------------------------------------------------------------------------------------------------


def _as_data(found: Why) -> dict[str, Any]:
    tree = found.tree
    return {
        "segment": found.segment, "contact": found.contact, "at": exact(found.at), "member": tree.holds, "failure": tree.failure,
        "missing": tree.missing, "changes": _forecast_data(found.forecast), "approximations": list(found.approximations),
        "kept_out": found.kept_out,
        "tree": tree_data(tree),
    }


def _forecast_data(told: Forecast) -> dict[str, Any]:
    """*member* is None where it cannot be said then."""
    then = None if told.at is None or isinstance(told.then, str) else told.then
    return {"at": exact(told.at), "member": then, "because": list(told.because), "known_until": exact(told.known_until)}


def tree_data(tree: ExplainTree) -> dict[str, Any]:
    """A tree of conditions as JSON, all events in it."""
    return {
        "text": tree.text, "holds": tree.holds, "value": tree.value, "failure": tree.failure, "missing": tree.missing,
        "events": [{"event": event.type, "at": exact(event.at), "connection": event.connection, "id": event.source or event.id}
                   for event in reversed(tree.events)],
        "children": [tree_data(child) for child in tree.children],
    }


# --- for people -----------------------------------------------------------------------------------------------------------------


def _show(email: str, found: Why, now: Millis) -> str:
    tree = found.tree
    verdict = "cannot be said to be in" if tree.failure else "is in" if tree.holds else "is not in"
    when = "" if found.at == now else f" at {moment(found.at)}"
    lines = [f"{email} {verdict} {found.segment}{when}", *tree.lines(1, SHOWN)]
    lines += [f"Missing: {tree.missing}"] if tree.missing else []
    lines += [f"Kept out of every target: {found.kept_out}."] if found.kept_out else []
    lines += [_change(found, now)]
    lines += [f"Approximate: {note}." for note in found.approximations]
    return "\n".join(lines)


def _change(found: Why, now: Millis) -> str:
    told = found.forecast
    if told.known_until is not None:
        return f"Stays so at least until {moment(told.known_until)}; further on was not looked at."
    if told.at is None:
        return "Stays so unless something happens."
    then = f"cannot be said ({told.then})" if isinstance(told.then, str) else "in" if told.then else "out"
    ahead = f", in {span(told.at - now)}" if told.at > now else ""
    because = f": {'; '.join(told.because)}" if told.because else ""
    return f"Changes by itself at {moment(told.at)}{ahead}, to {then}{because}."
