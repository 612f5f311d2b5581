"""`merges`: contacts that a pull found to be one person, more at once than are made one without anybody looking."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from connectors.base import Clock
from sync.cli.common import counted, emit, iso, options, read_config, reading, typed, writer
from sync.model import ExitCode
from sync.runs import recorded
from sync.store import people
from sync.store.store import Store

SHOWN = 20


@click.command()
@options
@click.option("--accept", type=click.IntRange(1), metavar="N", help="Make one contact of each that is shown, up to number N.")
@click.pass_obj
def merges(clock: Clock, path: Path | None, as_json: bool, accept: int | None) -> None:
    """Show the merges of contacts that are held, since more than 20 came in one pull: often an import that gave many people one address.

    As long as they wait, nobody whom one of them would make one person with somebody barred is added or removed anywhere. What is
    wrong is mended on the platform: an address that only one of two still has is no reason any more. What is right is let go
    with --accept and the last number that was shown, so that none goes that nobody saw. No platform is called.
    """
    config = read_config(path)
    if accept is None:
        with reading(config) as store:
            found: dict[str, Any] = {"held": _held(store), "merged": 0}
    else:
        with writer(Path(config.settings.store)) as store, recorded(store, clock, "merges") as record:
            with store.transaction() as db:
                merged = people.release(db, accept, clock.now())
            found = {"held": _held(store), "merged": merged}
            record.end(ExitCode.OK, {"merged": merged})
    emit(found, as_json, lambda: _shown(found, accept is not None))


def _held(store: Store) -> list[dict[str, Any]]:
    """The newest last."""
    rows = store.rows(
        "select m.id, c.name, m.reason, m.address, m.survivor, m.absorbed, m.found, "
        "(select group_concat(email, ', ') from (select distinct email from profiles where contact = m.survivor and email is not null)), "
        "(select group_concat(email, ', ') from (select distinct email from profiles where contact = m.absorbed and email is not null)) "
        "from merges m join connections c on c.id = m.connection where m.held order by m.id",
    )
    return [
        {"number": number, "connection": name, "reason": reason, "address": address, "contacts": [one, other], "found": iso(at),
         "addresses": [a or "", b or ""]}
        for number, name, reason, address, one, other, at, a, b in rows
    ]


def _shown(found: dict[str, Any], accepted: bool) -> str:
    held = found["held"]
    if not accepted and not held:
        return "No merge is held."
    lines = [f"{counted(found['merged'], 'contact')} went into another. Next: {typed('segmentd plan')}"] if accepted else []
    lines += [
        f"{m['number']}  {m['connection']}: {m['reason']}{' ' + m['address'] if m['address'] else ''}: contact {m['contacts'][0]} "
        f"({m['addresses'][0] or 'no address'}) and contact {m['contacts'][1]} ({m['addresses'][1] or 'no address'})" for m in held[:SHOWN]
    ]
    if len(held) > SHOWN:
        lines.append(f"and {len(held) - SHOWN:,} more; --json shows all")
    if held:
        command = f"segmentd merges --accept {held[-1]['number']}"
        lines.append(f"If they are right: {typed(command)}")
    return "\n".join(lines)
