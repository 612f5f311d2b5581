"""`run`: the daemon."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import click

from connectors.base import Clock
from sync.cli.common import iso, note, opened, options, read_config
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
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())

    def say(text: str) -> None:
        if as_json:
            click.echo(orjson.dumps({"at": iso(clock.now()), "message": text}).decode())
        else:
            note(text)

    with opened(read_config(path), clock, progress=False, stop=stop) as street:
        return serve(street, stop, say)
