"""`diff`: who would enter and leave each segment between two configs over the same store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from connectors.base import Clock
from sync.cli.common import counted, emit, exact, read_config, reading, table, unknown

if TYPE_CHECKING:
    from sync.config.model import Config
    from sync.insight.comparison import Difference, Edit

FILE = click.Path(path_type=Path, dir_okay=False)
EVENTS = "`events:` differs: what is stored keeps the names under which it was taken in, so a pull may change more than is shown"


@click.command()
@click.argument("old", type=FILE)
@click.argument("new", type=FILE)
@click.option("--segment", "only", multiple=True, help="Only this segment; may be repeated.")
@click.option("--sample", type=click.IntRange(0, 1000), default=3, show_default=True, help="How many who enter and leave to show.")
@click.option("--show-addresses", is_flag=True, help="Show their addresses whole; they are masked otherwise.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.pass_obj
def diff(clock: Clock, old: Path, new: Path, only: tuple[str, ...], sample: int, show_addresses: bool, as_json: bool) -> None:
    """Who would enter and leave each segment if the config OLD became NEW, by what NEW's store holds now; writes nothing.

    Says for each edited segment which edit alone moves most.
    """
    from sync.insight.addresses import addresses_of
    from sync.insight.comparison import compare

    configs = read_config(old), read_config(new)
    with reading(configs[1]) as store:
        found = compare(store, *configs, clock.now(), sample, only)
        known = {**configs[0].segments, **configs[1].segments, **{each.segment: each for each in found}}
        for name in only:
            if name not in known:
                raise unknown("segment", name, known)
        people = {contact: addresses_of(store, [contact], masked=not show_addresses)[0]
                  for each in found for contact in (*each.entering, *each.leaving)}
    data = {
        "old": str(old), "new": str(new), "at": exact(clock.now()), "notes": _notes(*configs),
        "segments": [_as_data(each, people) for each in found],
    }
    emit(data, as_json, lambda: "\n".join(_lines(found, people, _notes(*configs))))


def _notes(old: Config, new: Config) -> list[str]:
    """What this cannot see."""
    return [EVENTS] if old.events != new.events else []


def _as_data(each: Difference, people: dict[int, str]) -> dict[str, Any]:
    def shown(contacts: tuple[int, ...]) -> list[dict[str, Any]]:
        return [{"contact": contact, "address": people[contact]} for contact in contacts]

    return {
        "segment": each.segment, "status": each.status, "was": each.was, "before": each.before, "after": each.after, "enter": each.enter,
        "leave": each.leave, "entering": shown(each.entering), "leaving": shown(each.leaving), "failure": each.failure,
        "edits": [{"before": edit.before, "after": edit.after, "contacts": edit.contacts} for edit in each.edits],
    }


# --- for people -----------------------------------------------------------------------------------------------------------------


def _lines(found: tuple[Difference, ...], people: dict[int, str], notes: list[str]) -> Iterator[str]:
    told = [each for each in found if each.status != "same" or each.enter or each.leave or each.failure]
    if told:
        rows = [[_title(each), each.status, _number(each.before), _number(each.after), f"{each.enter:,}", f"{each.leave:,}"]
                for each in told]
        yield table([["segment", "", "before", "after", "enter", "leave"], *rows], {2, 3, 4, 5})
    for each in told:
        yield from _details(each, people)
    same = len(found) - len(told)
    if same or not found:
        yield f"{'' if not told else chr(10)}{counted(same, 'segment')} the same"
    yield from (f"Note: {note}." for note in notes)


def _title(each: Difference) -> str:
    return f"{each.was} → {each.segment}" if each.was else each.segment


def _number(members: int | None) -> str:
    return "" if members is None else f"{members:,}"


def _details(each: Difference, people: dict[int, str]) -> Iterator[str]:
    lines = [f"  cannot be answered: {each.failure}"] if each.failure else []
    lines += [f"  {_edit(edit)}: alone it moves {counted(edit.contacts, 'contact')}" for edit in each.edits]
    for word, contacts in (("enter", each.entering), ("leave", each.leaving)):
        if contacts:
            lines.append(f"  {word}: " + ", ".join(people[contact] or f"contact {contact}" for contact in contacts))
    if each.status == "removed":
        lines.append("  no longer in the config: its targets are left as they are")
    yield from ["", f"{each.segment}:", *lines] if lines else []


def _edit(edit: Edit) -> str:
    if not edit.before:
        return f"added '{edit.after}'"
    if not edit.after:
        return f"removed '{edit.before}'"
    if edit.before == edit.after:
        return f"'{edit.after}' reads the same, but what it rests on was edited"
    return f"'{edit.before}' became '{edit.after}'"
