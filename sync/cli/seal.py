"""`seal`: the archive of events, now and not when the schedule says so."""

from __future__ import annotations

from pathlib import Path

import click

from connectors.base import Clock
from sync.cli.common import counted, emit, options, read_config, watching, writer
from sync.model import ExitCode
from sync.runs import recorded


@click.command()
@options
@click.pass_obj
def seal(clock: Clock, path: Path | None, as_json: bool) -> int:
    """Seal the events that are older than three days into files beside the store, as the daemon and `sync` do once a day.

    Days become months once these are over; events that `keep:` no longer covers are let go.
    """
    from sync.archiving import seal_now
    from sync.store import archive

    config = read_config(path)
    with writer(Path(config.settings.store)) as store, watching(True) as watch, recorded(store, clock, "seal") as record:
        done = seal_now(store, config, clock.now(), watch.sealed)
        numbers = {"events": done.events, "dropped": done.dropped}
        record.end(ExitCode.OK, {**numbers, "files": len(done.written)})
        files = archive.files(store.db)
    held = [{"file": file.name, "events": file.rows, "bytes": file.bytes} for file in files]
    found = {**numbers, "written": done.written, "files": held}
    emit(found, as_json, lambda: "\n".join([
        f"{counted(done.events, 'event')} sealed, {counted(len(done.written), 'file')} written, "
        f"{counted(done.dropped, 'event')} let go",
        f"{counted(len(files), 'file')} in all: {counted(sum(file.rows for file in files), 'event')}, "
        f"{sum(file.bytes for file in files) / 1e6:,.1f} MB",
    ]))
    return record.code
