"""Progress bars for whatever takes long."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn

from sync.street import Watch


@contextmanager
def steps(name: str) -> Iterator[Callable[[int, int], None]]:
    """A function to be told (done, of how many), drawn as one bar on stderr where somebody can see it."""
    if not os.isatty(2):
        yield lambda done, of: None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(bar_width=24), TextColumn("{task.fields[far]}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(name, total=None, far="")
        yield lambda done, of: progress.update(task, completed=done, total=of, far=f"{done:,} of {of:,}")


@contextmanager
def bars() -> Iterator[Watch]:
    """A Watch that draws one line per stream, target and connection while the block runs, and cleans up after itself."""
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(bar_width=24), TextColumn("{task.fields[far]}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        tasks: dict[str, TaskID] = {}

        def show(name: str, done: int, total: int | None, unit: str) -> None:
            far = f"{done:,} of {total:,} {unit}" if total else f"{done:,} {unit}"
            if name not in tasks:
                tasks[name] = progress.add_task(name, total=None, far=far)
            progress.update(tasks[name], completed=done, total=total or None, far=far)

        yield Watch(
            pulled=lambda connection, stream, rows, total: show(f"{connection} {stream}", rows, total, "rows"),
            listed=lambda target, members: show(target, members, None, "members"),
            sent=lambda connection, done, total: show(connection, done, max(done, total), "changes"),
            sealed=lambda period, done, total: show("sealing", done, total, "files"),
        )
