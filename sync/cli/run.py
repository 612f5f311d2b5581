"""`run`: the daemon."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import click

from connectors.base import Clock, instant
from sync.cli.common import note, opened, options
from sync.model import ExitCode


@click.command()
@options
@click.pass_obj
def run(clock: Clock, path: Path | None, as_json: bool) -> ExitCode:
    """Pull, evaluate and reconcile on the config's schedule until SIGTERM; sends by itself only under `apply: {data: auto}`."""
    import orjson

    from sync.daemon.service import serve

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())

    def say(text: str) -> None:
        at = instant(clock.now()).isoformat(timespec="seconds")
        note(orjson.dumps({"at": at, "message": text}).decode() if as_json else text)

    with opened(path, clock, progress=False) as street:
        return serve(street, stop, say)
