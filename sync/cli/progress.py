"""Progress bars for long pulls and pushes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn

from sync.street import Watch


@contextmanager
def bars() -> Iterator[Watch]:
    """A Watch that draws one line per stream, target and connection while the block runs, and cleans up after itself."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        tasks: dict[str, TaskID] = {}

        def show(name: str, done: int, total: int | None) -> None:
            if name not in tasks:
                tasks[name] = progress.add_task(name, total=total)
            progress.update(tasks[name], completed=done, total=total)

        yield Watch(
            pulled=lambda connection, stream, rows, total: show(f"{connection} {stream}", rows, total),
            listed=lambda target, members: show(f"members of {target}", members, None),
            sent=lambda connection, done, total: show(f"{connection} changes", done, max(done, total)),
        )
