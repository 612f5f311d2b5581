"""`preview`: what a segment comes to, whether it was ever synced or not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from connectors.base import Clock
from sync.cli.common import emit, exact, moment, options, read_config, reading, share, table, unknown

if TYPE_CHECKING:
    from sync.insight.preview import Count, Preview

WIDEST, MOST = 96, 10                               # letters of a condition, and other segments, on a terminal
KNOWN = "events at their own time; people, fields, consent and tags as they are now"
BARS = "▁▂▃▄▅▆▇█"


@click.command()
@options
@click.argument("segment")
@click.option("--sample", type=click.IntRange(0, 1000), default=5, show_default=True, help="How many members to show.")
@click.option("--show-addresses", is_flag=True, help="Show their addresses whole; they are masked otherwise.")
@click.pass_obj
def preview(clock: Clock, path: Path | None, as_json: bool, segment: str, sample: int, show_addresses: bool) -> None:
    """What SEGMENT comes to: how many meet each condition, some members, the past 30 days, what it shares with other segments.

    Works on what the store holds, also for a segment that was never synced; writes nothing.
    """
    from sync.cli.progress import steps
    from sync.evaluate.families import with_families
    from sync.insight.addresses import addresses_of
    from sync.insight.preview import preview as previewed
    from sync.source import origins

    config = read_config(path)
    if segment not in config.segments and not config.families:
        raise unknown("segment", segment, config.segments)
    with reading(config) as store, steps("past days") as tick:
        config = with_families(store, config)
        if segment not in config.segments:
            raise unknown("segment", segment, config.segments)
        found = previewed(store, config, origins(config, store), segment, clock.now(), sample, tick)
        people = addresses_of(store, found.sample, masked=not show_addresses)
    emit(_as_data(found, people), as_json, lambda: "\n".join(_lines(found, people)))


def _as_data(found: Preview, people: list[str]) -> dict[str, Any]:
    return {
        "segment": found.segment, "at": exact(found.at), "contacts": found.contacts, "members": found.members, "failure": found.failure,
        "waiting": found.waiting, "conditions": _count_data(found.counts),
        "sample": [{"contact": contact, "address": address} for contact, address in zip(found.sample, people, strict=True)],
        "trend": [{"at": exact(at), "members": members} for at, members in found.trend],
        "overlap": [{"segment": each.segment, "members": each.members, "both": each.both} for each in found.overlaps],
    }


def _count_data(count: Count) -> dict[str, Any]:
    return {"text": count.text, "contacts": count.holds, "failure": count.failure, "left": count.left,
            "children": [_count_data(child) for child in count.children]}


# --- for people -----------------------------------------------------------------------------------------------------------------


def _lines(found: Preview, people: list[str]) -> Iterator[str]:
    if found.members is None:
        yield f"{found.segment} cannot be answered: {found.failure}"
    elif not found.contacts:
        yield f"{found.segment}: the store holds no contacts yet; `segmentd plan` pulls them"
    else:
        yield f"{found.segment}: {found.members:,} of {found.contacts:,} contacts ({share(found.members, found.contacts)})"
    if found.waiting:
        yield f"Not all of its data is in: {found.waiting}"
    yield ""
    yield table([["condition", "contacts", "share", "left"], *_rows(found.counts, found.contacts, 0)], {1, 2, 3})
    yield ""
    yield from _trend(found)
    shown = [f"{other.segment} {other.both:,} (of its {other.members:,})" for other in found.overlaps[:MOST]]
    more = len(found.overlaps) - MOST
    yield "Shared with: " + (", ".join(shown) + (f" and {more:,} more" if more > 0 else "") if shown else "no other segment")
    if people:
        yield "For example: " + ", ".join(address or f"contact {contact}" for contact, address in zip(found.sample, people, strict=True))


def _rows(count: Count, contacts: int, depth: int) -> Iterator[list[str]]:
    text = "  " * depth + count.text
    numbers = ["!", ""] if count.holds is None else [f"{count.holds:,}", share(count.holds, contacts)]
    yield [text if len(text) <= WIDEST else text[:WIDEST - 1] + "…", *numbers, "" if count.left is None else f"{count.left:,}"]
    if count.failure and not count.children:
        yield ["  " * (depth + 1) + count.failure, "", "", ""]
    for child in count.children:
        yield from _rows(child, contacts, depth + 1)


def _trend(found: Preview) -> Iterator[str]:
    """The past days as bars from 0 to the greatest number."""
    known = [members for _, members in found.trend if members is not None]
    if not known:
        return
    most = max(known)
    bars = "".join(" " if members is None else BARS[0 if not most else -(-members * (len(BARS) - 1) // most)] for _, members in found.trend)
    first, last = found.trend[0], found.trend[-1]
    yield f"Past {len(found.trend) - 1} days: {bars}  least {min(known):,}, most {most:,}"
    yield f"  {moment(first[0])[:10]} {_number(first[1])} → {moment(last[0])[:10]} {_number(last[1])}; {KNOWN}"


def _number(members: int | None) -> str:
    return "cannot be told" if members is None else f"{members:,}"
