"""The entry: finds the command, turns what went wrong into one message and an exit code.

Commands load when they are called, so that `segmentd --help` needs nothing but click.
"""

from __future__ import annotations

import errno
import io
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module

import click

from connectors.clock import Clock, SystemClock
from sync.calm import calm_collector
from sync.cli.streams import let_go, mention
from sync.model import ExitCode, SegmentdError

COMMANDS = {                                        # name → module, what it does
    "demo": ("sync.cli.demo", "Watch the whole loop on emulated platforms, in under a minute."),
    "init": ("sync.cli.files", "Write a config to start from."),
    "check": ("sync.cli.files", "Validate the config: every mistake at once, with its place."),
    "test": ("sync.cli.testing", "Run the segments' own tests: people, a frozen clock, expected members."),
    "config": ("sync.cli.files", "Show the effective values and where each comes from."),
    "schema": ("sync.cli.files", "Print the JSON Schema of the config, for editors."),
    "plan": ("sync.cli.plan", "Pull, evaluate, and show what would change; writes nothing."),
    "apply": ("sync.cli.plan", "Send what a plan showed and is still wanted, and nothing else."),
    "sync": ("sync.cli.plan", "One shot: pull, evaluate, plan, and send to targets that were applied before."),
    "run": ("sync.cli.run", "The daemon: the same, on the config's schedule."),
    "retire": ("sync.cli.retire", "Let go of a segment that was taken out of the config."),
    "merges": ("sync.cli.merges", "Contacts that may be one person and wait for you; `--accept N` makes them one."),
    "status": ("sync.cli.look", "How old the data is, what waits, what was given up."),
    "explain": ("sync.cli.explain", "Why a contact is in a segment, or not, and until when."),
    "preview": ("sync.cli.preview", "What a segment comes to: counts per condition, a sample, the past days, overlap."),
    "diff": ("sync.cli.diff", "Who would enter and leave between two configs."),
    "verify": ("sync.cli.verify", "Hold the memberships to a full pass: a difference is a bug."),
    "events": ("sync.cli.look", "Which events there are, and what the platforms call them."),
    "seal": ("sync.cli.seal", "Seal old events into files now; `sync` and `run` do it once a day."),
    "runs": ("sync.cli.look", "What was run, when, and how it went."),
    "sandbox": ("sync.cli.sandbox", "Serve the three emulated platforms until stopped."),
}


UNREADABLE = (
    "segmentd: the store cannot be read ({}). Look at its disk; put back a copy of it, or move it away and run `segmentd plan`: everything "
    "is pulled again"
)


class Commands(click.Group):
    """Loads a command's module when the command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(COMMANDS[cmd_name][0]), cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str],
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            raise click.UsageError(f"no command {args[0]!r}{nearest(args[0])}; `segmentd --help` lists them")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def nearest(word: str) -> str:
    """", did you mean …" for a word close to a command, or ""."""
    import difflib

    found = difflib.get_close_matches(word, COMMANDS, 1)
    return f", did you mean {found[0]!r}?" if found else ""


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="segmentd", prog_name="segmentd")
def segmentd() -> None:
    """Keeps audiences true: segments in YAML, decided over Mailchimp, HubSpot and Klaviyo together, and mirrored back to them.

    Exit codes: 0 well, 1 a platform, the store or a test said no, 2 config or command line wrong, 3 something waits for a person,
    4 changes were given up, 70 a bug of ours, 75 try again later, 130 stopped by Ctrl-C.
    """


def main(argv: Sequence[str], clock: Clock | None = None) -> int:
    """Run one command on *clock* (the machine's if none is given) and return its exit code."""
    try:
        with calm_collector():
            done = segmentd.main(args=list(argv), prog_name="segmentd", standalone_mode=False, obj=clock or SystemClock())
        return int(done) if isinstance(done, int) else ExitCode.OK
    except click.exceptions.Abort:
        return _told(ExitCode.STOPPED, "stopped")
    except click.exceptions.Exit as stop:
        return int(stop.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        return _told(ExitCode.CONFIG, error.format_message())
    except click.ClickException as error:
        return _told(ExitCode.CONFIG, f"segmentd: {error.format_message()}{_help_of(error)}")
    except SegmentdError as error:
        return _told(error.code, str(error) if error.code is ExitCode.CONFIG else f"segmentd: {error}")
    except Exception as error:  # noqa: BLE001 - the outermost door: whatever is left is the platform's, the store's or a bug of ours
        return _unexpected(error)


def _told(code: int, message: str) -> int:
    """Say *message* on stderr, without what it must not hold, and give *code*."""
    mention(without_people(message))
    return code


def _help_of(error: click.ClickException) -> str:
    """Where an option or an argument that click did not take is explained."""
    context = getattr(error, "ctx", None)
    clicks_own = type(error) is not click.UsageError
    return f" (see `{context.command_path} --help`)" if context is not None and clicks_own else ""


def without_people(text: str) -> str:
    """*text* without addresses of people and without keys: what goes to stderr goes to logs."""
    import re

    from sync.config.secrets import without_secrets

    return re.sub(r"[^\s@'\"<>(),:;=]+@[^\s@'\"<>(),:;=]+\.[^\s@'\"<>(),:;=]+", "…@…", without_secrets(text))


def _unexpected(error: Exception) -> int:
    import sqlite3

    from connectors.base import PlatformError
    from sync.store.opening import NOT_UTF8, undecodable

    if isinstance(error, PlatformError):
        return _told(ExitCode.FAILED, f"segmentd: {error}")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
        what = error.filename or "what was to be told could not be written"
        return _told(ExitCode.LATER, f"segmentd: {error.strerror}: {what}; mend that and run the command again")
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF if isinstance(error, sqlite3.Error) else 0
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return _told(ExitCode.LATER, "segmentd: the store is busy just now; try again")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
        return _told(ExitCode.FAILED, UNREADABLE.format(error))
    if isinstance(error, sqlite3.Error) and undecodable(error):
        return _told(ExitCode.FAILED, UNREADABLE.format(NOT_UTF8))
    trace = "".join(traceback.format_exception(error))
    return _told(ExitCode.BUG, f"{trace}\nsegmentd: this is a bug of ours, not of your config; please report it with the lines above")


def run() -> None:
    """The console script."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")                        # a terminal that lacks a sign shows a question mark
    code = main(sys.argv[1:])
    let_go()
    sys.exit(code)


if __name__ == "__main__":
    run()
