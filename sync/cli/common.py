"""What the commands share: the config, the store, output for people and for programs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
import orjson

from connectors.base import Clock, Millis
from sync.config.errors import ConfigError
from sync.config.load import load
from sync.config.model import Config
from sync.store.store import Store
from sync.street import Street, Watch, open_street

F = TypeVar("F", bound=Callable[..., Any])
PLACES = ("config.yaml", "/etc/segmentd/config.yaml")


def options(command: F) -> F:
    """`--config` and `--json`, the same on every command."""
    command = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")(command)
    return click.option(
        "--config", "-c", "path", type=click.Path(path_type=Path), envvar="SEGMENTD_CONFIG",
        help="The YAML file; else $SEGMENTD_CONFIG, ./config.yaml, /etc/segmentd/config.yaml.",
    )(command)


def find_config(path: Path | None) -> Path:
    """The file named, or the first of the usual ones. UsageError when there is none."""
    candidates = [path] if path else [Path(place) for place in PLACES]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise click.UsageError(f"no config at {', '.join(map(str, candidates))}; `segmentd init` writes one, --config names another")


def read_config(path: Path | None) -> Config:
    """The config, or ConfigError with every problem."""
    config, problems = load(find_config(path))
    if config is None:
        raise ConfigError(problems)
    return config


@contextmanager
def opened(path: Path | None, clock: Clock, *, progress: bool) -> Iterator[Street]:
    """Config, store (for writing) and connections, closed in the end; progress bars when *progress* and on a terminal."""
    config = read_config(path)
    with (
        Store.writer(Path(config.settings.store)) as store, watching(progress) as watch,
        open_street(config, store, clock, watch) as street,
    ):
        yield street


@contextmanager
def watching(wanted: bool) -> Iterator[Watch]:
    """Progress bars on stderr, where somebody can see them."""
    if not wanted or not os.isatty(2):
        yield Watch()
        return
    from sync.cli.progress import bars

    with bars() as watch:
        yield watch


def emit(value: object, as_json: bool, text: Callable[[], str]) -> None:
    """The result, on stdout."""
    if as_json:
        click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode())
    else:
        click.echo(text())


def note(message: str) -> None:
    """Something for whoever watches, on stderr."""
    click.echo(message, err=True)


def span(age: Millis | None) -> str:
    """A duration as people say it."""
    if age is None:
        return "never"
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000)):
        if age >= 2 * size or unit == "s":
            return f"{age // size} {unit}"
    return ""


def table(rows: list[list[str]], right: set[int]) -> str:
    """Columns as wide as they need, two spaces apart; those in *right* are set to the right."""
    if not rows:
        return ""
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    lines = [
        "  ".join(cell.rjust(w) if n in right else cell.ljust(w) for n, (cell, w) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)
