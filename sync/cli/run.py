"""`run`: the daemon."""

from __future__ import annotations

import threading
from pathlib import Path

import click

from connectors.base import Clock
from sync.cli.common import iso, note, opened, options, read_config, typed
from sync.cli.streams import mention
from sync.halting import set_by_signals
from sync.model import ExitCode


@click.command()
@options
@click.pass_obj
def run(clock: Clock, path: Path | None, as_json: bool) -> ExitCode:
    """Pull, evaluate and reconcile on the config's schedule until SIGTERM; sends by itself only under `apply: {data: auto}`.

    Tells what it does on stderr, or with --json as one JSON object a line on stdout.
    """
    import orjson

    from sync.daemon.service import serve

    stop = threading.Event()

    def say(text: str) -> None:
        if as_json:
            mention(orjson.dumps({"at": iso(clock.now()), "message": text}).decode(), err=False)
        else:
            note(text)

    with set_by_signals(stop), opened(read_config(path), clock, progress=False, stop=stop) as street:
        return serve(street, stop, say, typed)
