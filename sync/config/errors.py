"""What whoever edits the YAML is told."""

from __future__ import annotations

from collections.abc import Iterable

from sync.located import Problem
from sync.model import ExitCode, SegmentdError


class ConfigError(SegmentdError):
    """Every problem at once, each with file:line:column and a hint; no traceback."""

    code = ExitCode.CONFIG

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(problems)
        super().__init__("\n".join(map(str, self.problems)))
