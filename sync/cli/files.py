"""`init`, `check`, `config`, `schema`: the commands about the YAML; they need neither secrets nor network."""

from __future__ import annotations

import shlex
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from connectors.base import Clock, Millis
from sync.cli.common import counted, emit, find_config, options, read_config, reading, table, typed
from sync.model import ExitCode, StoreError

if TYPE_CHECKING:
    from sync.config.model import Config
    from sync.located import Problem


@click.command()
@click.argument("target", type=click.Path(path_type=Path), default="config.yaml")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def init(target: Path, as_json: bool) -> None:
    """Write a config to start from to TARGET (default config.yaml); never over an existing file."""
    from sync.config.scaffold import scaffold

    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(scaffold(("mailchimp", "hubspot", "klaviyo")))
    except FileExistsError:
        raise click.UsageError(f"{target} is there already; name another file, or `segmentd check -c {target}`") from None
    except OSError as error:
        raise click.UsageError(f"{target} cannot be written: {error.strerror}") from None
    following = f"segmentd check -c {shlex.quote(str(target))}"
    emit({"written": str(target), "next": following}, as_json, lambda: f"{target} written. Edit it. Next: {following}")


@click.command()
@options
@click.option("--quick", is_flag=True, help="Do not look into the store for words that it knows in another spelling.")
@click.pass_obj
def check(clock: Clock, path: Path | None, as_json: bool, quick: bool) -> int:
    """Validate the config: every mistake at once, each with file:line:column and what would be right.

    Warns of what is sound but odd: conditions that nobody can meet or that everybody meets, windows that reach further back than
    what is known, and, where there is a store, words that occur in it only in another case, and new segments that look like one
    that is gone.
    """
    from sync.config.load import load

    file = find_config(path)
    config, problems = load(file)
    if config is not None:
        problems = sorted([*problems, *_odd(config, quick, clock.now())])
    sound = config is not None and all(p.message.startswith("warning: ") for p in problems)
    found: dict[str, Any] = {
        "file": str(file), "ok": sound,
        "problems": [{"file": p.place.file, "line": p.place.line, "column": p.place.column, "message": p.message, "hint": p.hint}
                     for p in problems],
        "connections": len(config.connections) if config else 0, "segments": len(config.segments) if config else 0,
        "targets": sum(len(s.targets) for s in config.segments.values()) if config else 0,
        "next": typed("segmentd plan") if sound else "",
    }
    emit(found, as_json, lambda: "\n".join([*map(str, problems), _checked(found)]))
    return ExitCode.OK if sound else ExitCode.CONFIG


def _odd(config: Config, quick: bool, now: Millis) -> list[Problem]:
    """Warnings beyond what reading the file gives, and what in it the store cannot follow; one that is not there, or cannot be read
    just now, is left alone."""
    from sync.evaluate.families import with_families
    from sync.evaluate.lives import contested, unnamed
    from sync.evaluate.run import digests_of
    from sync.insight.lint import lints
    from sync.insight.memory import forgetful
    from sync.insight.spelling import misspelt
    from sync.source import origins

    found = lints(config)
    if not quick and config.settings.store.exists():
        with suppress(StoreError), reading(config) as store:
            sources, whole = origins(config, store), with_families(store, config)
            found += [*misspelt(store, config, sources), *forgetful(store, config, now)]
            found += [*contested(store, config), *unnamed(store, whole, digests_of(whole, sources))]
    return found


def _checked(found: dict[str, Any]) -> str:
    if not found["ok"]:
        return f"\n{counted(len(found['problems']), 'problem')}; nothing was read or written anywhere"
    return (f"{found['file']} is sound: {counted(found['connections'], 'connection')}, {counted(found['segments'], 'segment')}, "
            f"{counted(found['targets'], 'target')}. Next: {found['next']}")


@click.command(name="config")
@options
@click.pass_obj
def config(clock: Clock, path: Path | None, as_json: bool) -> None:
    """Show every effective value, and the place it comes from (or that it is a default)."""
    from sync.config.effective import effective

    del clock
    rows = effective(read_config(path))
    found = [{"key": key, "value": value, "from": str(place) if place else "default"} for key, value, place in rows]
    lines = [[f["key"], str(f["value"]), f["from"]] for f in found]
    emit(found, as_json, lambda: table([["key", "value", "from"], *lines], set()))


@click.command()
@click.option("--json", "as_json", is_flag=True, help="The same: a schema is JSON.")
def schema(as_json: bool) -> None:
    """Print the JSON Schema of the config, for editors (`# yaml-language-server: $schema=…`)."""
    import orjson

    from sync.config.schema import config_schema

    del as_json
    click.echo(orjson.dumps(config_schema(), option=orjson.OPT_INDENT_2).decode())
