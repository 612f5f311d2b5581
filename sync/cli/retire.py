"""`retire`: let go of a segment that is no longer in the config."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from connectors.base import Clock
from sync.cli.common import counted, emit, options, read_config, unknown, writer
from sync.model import ExitCode
from sync.runs import recorded
from sync.store import lives


@click.command()
@options
@click.argument("name")
@click.option("--dry-run", "-n", is_flag=True, help="Only say what would be forgotten.")
@click.pass_obj
def retire(clock: Clock, path: Path | None, as_json: bool, name: str, dry_run: bool) -> None:
    """Let go of segment NAME, whose stanza was taken out of the config: forget who is in it and what is ours on its targets.

    No platform is called, and nobody is removed anywhere. To empty a target of what is ours first, put the stanza back with
    `retire: remove`, and `segmentd plan` and `apply` it. The name of a family lets all of its segments go.
    """
    from sync.evaluate.families import departed, forget, going_on, with_families

    config = read_config(path)
    if name in config.segments or name in config.families:
        raise click.UsageError(
            f"segment {name!r} is in the config; take its stanza out first (`retire: remove` in it empties what is ours)",
        )
    with writer(Path(config.settings.store)) as store:
        whole = with_families(store, config)
        if heir := going_on(whole).get(name):
            raise click.UsageError(f"segment {name!r} goes on as {heir!r} (`was:` in its stanza), with all that it holds")
        gone = departed(store, whole)
        going = [segment for segment, by in gone.items() if name in (segment, by)]
        if not going:
            raise unknown("segment", name, sorted({*gone, *gone.values()}), "the list of those that left the config")
        found: dict[str, Any] = {
            "segment": name, "segments": going, "retired": not dry_run,
            "targets": [
                {"target": t.key, "members": t.members, "ours": t.ours, "letters": t.letters}
                for each in going for t in lives.left(store.db, each)
            ],
        }
        if not dry_run:
            with recorded(store, clock, "retire") as record:
                with store.transaction() as db:
                    for each in going:
                        lives.retire(db, each)
                    forget(store, db, going)
                record.end(ExitCode.OK, {"segment": name, "targets": len(found["targets"])})
    emit(found, as_json, lambda: _shown(found))


def _shown(found: dict[str, Any]) -> str:
    going = found["segments"]
    alone = going == [found["segment"]]
    what = f"segment {going[0]}" if alone else f"{counted(len(going), 'segment')} of {found['segment']} ({', '.join(going)})"
    would = "would be" if not found["retired"] else "is" if len(going) == 1 else "are"
    lines = [
        f"{t['target']}: {counted(t['members'], 'member')} left as they are, {t['ours']:,} of them ours until now; "
        f"{counted(t['letters'], 'change')} dropped" for t in found["targets"]
    ]
    return "\n".join([*lines, f"{what} {would} forgotten, with the record of who entered and left"])
