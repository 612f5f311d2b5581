"""stdout and stderr when their disk is full, or their reader went away."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

import click


def mention(text: str, *, err: bool = True) -> None:
    """*text* on stderr, or on stdout; where it cannot be written, nobody is stopped by that."""
    with suppress(OSError):
        click.echo(text, err=err)


def let_go() -> None:
    """Forget what could not be written: at its end Python would try once more, and make another exit code of that."""
    for stream in filter(None, (sys.stdout, sys.stderr)):             # None where it was closed from the start
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
