"""`verify`: memberships against a full pass."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from connectors.base import Clock
from sync.cli.common import counted, emit, exact, options, read_config, reading
from sync.model import ExitCode, SegmentdError

if TYPE_CHECKING:
    from sync.config.model import Config
    from sync.insight.verifying import Difference, Verified

TRIES = 40                                          # a daemon that takes something in is some moments ahead of what it answered
BETWEEN = 0.25                                      # seconds


class Moving(SegmentdError):
    """Memberships are not of the data that is there now."""

    code = ExitCode.LATER


@click.command()
@options
@click.pass_obj
def verify(clock: Clock, path: Path | None, as_json: bool) -> ExitCode:
    """Compare the memberships in the store with a full pass over it at the same moment; a difference is a bug, and exit code 70.

    Only reads the store, also while the daemon works. It takes the time of one full pass, and asks no platform.
    """
    config = read_config(path)
    found = _compared(config)
    for _ in range(TRIES):
        if found is not None:
            break
        clock.sleep(BETWEEN)
        found = _compared(config)
    if found is None:
        raise Moving("the data has moved on since memberships were last answered; `segmentd plan` answers them, a running daemon soon will")
    emit(_as_data(found), as_json, lambda: _show(found))
    return ExitCode.BUG if found.differences else ExitCode.OK


def _compared(config: Config) -> Verified | None:
    """As `sync.insight.verifying.verify`, over what is in the store now: each look is of a moment of its own."""
    from sync.evaluate.families import with_families
    from sync.insight.verifying import verify as compare
    from sync.source import origins

    with reading(config) as store:
        return compare(store, with_families(store, config), origins(config, store))


def _as_data(found: Verified) -> dict[str, Any]:
    return {
        "at": exact(found.at), "segments": found.segments, "edited": list(found.edited),
        "differences": {name: {"missing": each.missing, "surplus": each.surplus, "failure": each.failure}
                        for name, each in found.differences.items()},
    }


def _show(found: Verified) -> str:
    lines = [f"{name}: {_said(each)}" for name, each in found.differences.items()]
    lines += [f"{name}: not compared, its rule was edited since" for name in found.edited]
    if found.differences:
        return "\n".join([*lines, "This is a bug of ours: please report it with the lines above and the rules of these segments"])
    return "\n".join([*lines, f"{counted(found.segments, 'segment')} as a full pass says, at {exact(found.at)}"])


def _said(each: Difference) -> str:
    if each.failure:
        return f"only one of the two says that it cannot be answered: {each.failure}"
    return f"{counted(each.missing, 'contact')} missing, {each.surplus:,} too many"
