"""`test`: the segments' own tests, stories in YAML beside the config."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from connectors.base import Clock
from sync.cli.common import counted, emit, exact, find_config, moment, note, options
from sync.cli.explain import tree_data
from sync.config.errors import ConfigError
from sync.model import ExitCode

if TYPE_CHECKING:
    from sync.config.model import Config
    from sync.insight.story import Expectation
    from sync.insight.trial import Trial, Wrong
    from sync.located import Problem

PATTERNS = ("tests/*.yaml", "*.test.yaml")          # beside the config
SHOWN = 3                                           # people whose conditions are shown for one expectation


@click.command()
@options
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.pass_obj
def test(clock: Clock, path: Path | None, as_json: bool, files: tuple[Path, ...]) -> int:
    """Run stories: people, what they did, a frozen clock, and who should be in which segment when.

    FILES are the stories; else tests/*.yaml and *.test.yaml beside the config. Needs no store, no secrets, no network. Exit
    code 1 when an expectation does not come true.
    """
    del clock
    config = _sound(find_config(path))
    trials = list(_tried(config, files or _beside(config.path)))
    found = {"ok": not any(trial.wrong for trial in trials), "stories": [_as_data(trial) for trial in trials]}
    emit(found, as_json, lambda: "\n".join(_lines(trials)))
    differing = [f"{trial.story.file}: {text}" for trial in trials for text in trial.disagreements]
    if differing:
        note("\n".join([*differing, "segmentd: our two evaluators differ. This is a bug of ours, not of your config; please report it "
                                    "with the lines above and the story"]))
        return ExitCode.BUG
    return ExitCode.OK if found["ok"] else ExitCode.FAILED


def _sound(file: Path) -> Config:
    from sync.config.load import load

    config, problems = load(file)
    if config is None:
        raise ConfigError(problems)
    return config


def _beside(config: Path) -> tuple[Path, ...]:
    """The stories beside the config. UsageError where there are none."""
    found = tuple(sorted(path for pattern in PATTERNS for path in config.parent.glob(pattern)))
    if not found:
        raise click.UsageError(f"no stories beside {config}: write one to tests/NAME.yaml (docs/testing.md shows how), or name files")
    return found


def _tried(config: Config, files: tuple[Path, ...]) -> Iterator[Trial]:
    """What came of each story. ConfigError with every problem of all of them; warnings go to stderr."""
    from sync.insight.story import read_story
    from sync.insight.trial import tried

    read = [read_story(file, config) for file in files]
    problems: list[Problem] = [problem for story, told in read if story is None for problem in told]
    if problems:
        raise ConfigError(problems)
    for story, warnings in read:
        for warning in warnings:
            note(str(warning))
        if story is not None:
            yield tried(story, config)


# --- output ---------------------------------------------------------------------------------------------------------------------


def _as_data(trial: Trial) -> dict[str, Any]:
    return {
        "file": trial.story.file, "description": trial.story.description, "expectations": len(trial.story.expectations),
        "failed": [_wrong_data(wrong) for wrong in trial.wrong], "disagreements": list(trial.disagreements),
    }


def _wrong_data(wrong: Wrong) -> dict[str, Any]:
    expected = wrong.expectation
    return {
        "file": expected.place.file, "line": expected.place.line, "column": expected.place.column, "segment": expected.segment,
        "at": exact(expected.at), "got": None if isinstance(wrong.got, str) else sorted(wrong.got),
        "failure": wrong.got if isinstance(wrong.got, str) else "", "lacking": wrong.lacking, "excess": wrong.excess,
        "people": [{"person": who, "tree": tree_data(tree)} for who, tree in wrong.trees.items()],
    }


def _lines(trials: list[Trial]) -> Iterator[str]:
    for trial in trials:
        title = trial.story.file + (f": {trial.story.description}" if trial.story.description else "")
        yield f"{'✗' if trial.wrong else '✓'} {title}"
        for wrong in trial.wrong:
            yield ""
            yield from _wrong_lines(wrong, len(trial.story.people))
            yield ""
    expected, failed = sum(len(t.story.expectations) for t in trials), sum(len(t.wrong) for t in trials)
    stories = "story" if len(trials) == 1 else "stories"
    yield f"{counted(expected, 'expectation')} in {len(trials):,} {stories}, " + (f"{failed:,} failed" if failed else "all came true")


def _wrong_lines(wrong: Wrong, everybody: int) -> Iterator[str]:
    expected = wrong.expectation
    yield f"  {expected.place}: {expected.segment} at {moment(expected.at)}"
    yield f"    expected {_expected(wrong.expectation, everybody)}"
    yield f"    got      {f'a failure: {wrong.got}' if isinstance(wrong.got, str) else _people(sorted(wrong.got))}"
    for who, tree in list(wrong.trees.items())[:SHOWN]:
        yield f"    {who} should {'be in it' if who in expected.inside else 'not be in it'}:"
        yield from tree.lines(3, events=3)
        if tree.missing:
            yield f"      Missing: {tree.missing}" if who in expected.inside else f"      It would take: {tree.missing}"
    if len(wrong.trees) > SHOWN:
        yield f"    and {len(wrong.trees) - SHOWN:,} more on the wrong side"


def _expected(expected: Expectation, everybody: int) -> str:
    if expected.fails:
        return "a failure"
    inside, exactly = _people(sorted(expected.inside)), len(expected.inside) + len(expected.outside) == everybody
    return inside if exactly else f"{inside} in it, {_people(sorted(expected.outside))} not"


def _people(names: list[str]) -> str:
    return ", ".join(names) or "nobody"
