"""What the commands share: the config, the store, output for people and for programs."""

from __future__ import annotations

import os
import shlex
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import click
import orjson
from click.core import ParameterSource

from connectors.base import Clock, Millis, instant
from sync.cli.streams import mention
from sync.config.errors import ConfigError
from sync.config.load import load
from sync.config.model import Config
from sync.halting import HaltingClock, soon_then_at_once
from sync.model import StoreError
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
    if path is not None and path.is_dir():
        raise click.UsageError(f"{path} is a directory, not a config; name the file in it")
    raise click.UsageError(f"no config at {', '.join(map(str, candidates))}; `segmentd init` writes one, --config names another")


def read_config(path: Path | None) -> Config:
    """The config, or ConfigError with every problem."""
    config, problems = load(find_config(path))
    if config is None:
        raise ConfigError(problems)
    return config


@contextmanager
def opened(config: Config, clock: Clock, *, progress: bool, stop: threading.Event | None = None) -> Iterator[Street]:
    """Store (for writing) and connections, closed in the end; progress bars when *progress* and on a terminal.

    *stop* ends a pull or a push between two pages or batches; Ctrl-C sets it where none is given.
    """
    asked = stop or threading.Event()
    with (
        writer(Path(config.settings.store)) as store, watching(progress) as watch,
        open_street(config, store, HaltingClock(clock, asked), watch) as street,
        nullcontext() if stop else interruptible(asked),
    ):
        street.stopping = asked.is_set
        yield street


@contextmanager
def reading(config: Config) -> Iterator[Store]:
    """The store for reading, as of one moment, also while the daemon works; StoreError when there is none, or when it is damaged."""
    with Store.reader(Path(config.settings.store)) as store, store.reading():
        yield store


def writer(path: Path) -> Store:
    """The store for writing. Raises StoreError."""
    try:
        return Store.writer(path)
    except OSError as error:
        raise StoreError(f"the store cannot be opened at {path}: {error.strerror}; settings.store says where it is") from error


@contextmanager
def interruptible(asked: threading.Event) -> Iterator[None]:
    """The first Ctrl-C sets *asked*, so that workers end soon; the second does not wait for them, which the store survives."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return

    def heard() -> None:
        asked.set()
        note("stopping at the next page or batch; Ctrl-C again stops at once. Nothing that was confirmed is lost")

    with soon_then_at_once(heard) as ask:
        def pressed(number: int, frame: FrameType | None) -> None:
            ask()
            raise KeyboardInterrupt

        signal.signal(signal.SIGINT, pressed)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def watching(wanted: bool) -> Iterator[Watch]:
    """Progress bars on stderr, where somebody can see them."""
    if not wanted or not os.isatty(2):
        yield Watch()
        return
    from sync.cli.progress import bars

    with bars() as watch:
        yield watch


# --- output ---------------------------------------------------------------------------------------------------------------


def emit(value: object, as_json: bool, text: Callable[[], str]) -> None:
    """The result, on stdout."""
    if as_json:
        click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode())
    else:
        click.echo(text())


def note(message: str) -> None:
    """Something for whoever watches, on stderr."""
    mention(message)


def typed(command: str) -> str:
    """A segmentd command such as `segmentd apply ID`, with the --config that this one was given: it works as it stands."""
    context = click.get_current_context(silent=True)
    given = context is not None and context.get_parameter_source("path") is ParameterSource.COMMANDLINE
    words = command.split(" ", 2)
    if context is None or not given or words[0] != "segmentd" or len(words) < 2:
        return command
    return " ".join([*words[:2], "-c", shlex.quote(str(context.params["path"])), *words[2:]])


def unknown(what: str, word: str, known: Iterable[str], where: str = "the config") -> click.UsageError:
    """That *where* has no *what* called *word*, with the nearest name, else all of them."""
    import difflib

    names = list(known)
    near = difflib.get_close_matches(word, names, 1)
    has = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(names)}" if names else "it has none"
    return click.UsageError(f"no {what} {word!r} in {where}; {has}")


def counted(number: int, what: str) -> str:
    """"1 call", "1,200 calls"."""
    return f"{number:,} {what}{'s' * (number != 1)}"


def share(part: int, whole: int) -> str:
    """"12.3%"; "" of nothing."""
    return "" if not whole else f"{100 * part / whole:.1f}%"


def moment(at: Millis | None) -> str:
    """*at* for people, in UTC to the second; "" for none."""
    return "" if at is None else f"{instant(at):%Y-%m-%d %H:%M:%S}"


def iso(at: Millis | None) -> str | None:
    """*at* for programs: ISO 8601 in UTC to the second."""
    return None if at is None else f"{instant(at):%Y-%m-%dT%H:%M:%SZ}"


def exact(at: Millis | None) -> str | None:
    """As `iso`, with the milliseconds where there are any: an edge is exact."""
    if at is None or at % 1000 == 0:
        return iso(at)
    return f"{instant(at):%Y-%m-%dT%H:%M:%S}.{at % 1000:03d}Z"


def span(age: Millis | None) -> str:
    """A duration as people say it."""
    if age is None:
        return "never"
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000)):
        if age >= 2 * size or unit == "s":
            return f"{max(0, age) // size} {unit}"
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
