"""The entry: finds the command, turns what went wrong into one message and an exit code.

Commands load when they are called, so that `segmentd --help` needs nothing but click.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from importlib import import_module

import click

from connectors.clock import Clock, SystemClock
from sync.model import ExitCode, SegmentdError

COMMANDS = {                                        # name → module, what it does
    "demo": ("sync.cli.demo", "Watch the whole loop on emulated platforms, in under a minute."),
    "init": ("sync.cli.files", "Write a config to start from."),
    "check": ("sync.cli.files", "Validate the config: every mistake at once, with its place."),
    "config": ("sync.cli.files", "Show the effective values and where each comes from."),
    "schema": ("sync.cli.files", "Print the JSON Schema of the config, for editors."),
    "plan": ("sync.cli.plan", "Pull, evaluate, and show what would change; writes nothing."),
    "apply": ("sync.cli.plan", "Send what a plan showed and is still wanted, and nothing else."),
    "sync": ("sync.cli.plan", "One shot: pull, evaluate, plan, and send to targets that were applied before."),
    "run": ("sync.cli.run", "The daemon: the same, on the config's schedule."),
    "status": ("sync.cli.look", "How old the data is, what waits, what was given up."),
    "explain": ("sync.cli.look", "Why a contact is in a segment, or not."),
    "events": ("sync.cli.look", "Which events there are, and what the platforms call them."),
    "runs": ("sync.cli.look", "What was run, when, and how it went."),
    "sandbox": ("sync.cli.sandbox", "Serve the three emulated platforms until stopped."),
}


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

    Exit codes: 0 well, 1 a platform or the store said no, 2 config or command line wrong, 3 something waits for a person,
    4 changes were given up, 70 a bug of ours, 75 try again later.
    """


def main(argv: Sequence[str], clock: Clock | None = None) -> int:
    """Run one command on *clock* (the machine's if none is given) and return its exit code."""
    try:
        done = segmentd.main(args=list(argv), prog_name="segmentd", standalone_mode=False, obj=clock or SystemClock())
        return int(done) if isinstance(done, int) else ExitCode.OK
    except click.exceptions.Abort:
        click.echo("stopped", err=True)
        return 130
    except click.exceptions.Exit as stop:
        return int(stop.exit_code)
    except click.ClickException as error:
        click.echo(f"segmentd: {error.format_message()}", err=True)
        return ExitCode.CONFIG
    except SegmentdError as error:
        click.echo(f"segmentd: {error}" if error.code is not ExitCode.CONFIG else str(error), err=True)
        return error.code
    except Exception as error:  # noqa: BLE001 - the outermost door: whatever is left is a bug of ours
        return _unexpected(error)


def _unexpected(error: Exception) -> int:
    from connectors.base import PlatformError

    if isinstance(error, PlatformError):
        click.echo(f"segmentd: {error}", err=True)
        return ExitCode.FAILED
    click.echo("".join(traceback.format_exception(error)), err=True)
    click.echo("segmentd: this is a bug of ours, not of your config; please report it with the lines above", err=True)
    return ExitCode.BUG


def run() -> None:
    """The console script."""
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    run()
