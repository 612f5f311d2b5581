"""For the whole suite: nobody's consent is touched under a connector's key, races get a chance to show, and the collector is calm."""

from __future__ import annotations

import gc
import os
import sys
from collections import Counter
from typing import Any

import pytest

from connectors.sandbox.server import Sandbox
from sync.calm import MADE

_touched: Counter[str] = Counter()


def _count(sandbox: Sandbox) -> None:
    for name, application in sandbox.applications.items():
        tally = application.tallies.get("connector")
        _touched[name] += tally.consent + tally.creating if tally else 0


Sandbox.when_stopped.append(_count)


def pytest_configure(config: pytest.Config) -> None:
    sys.setswitchinterval(1e-4)
    gc.set_threshold(MADE, *gc.get_threshold()[1:])         # as in every command
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)         # over a hundred processes are started: they shall not compile all of us each


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Calls that could change consent or make a person, made as segmentd: 0 over everything that ran here."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:                          # a worker of xdist: whoever started it adds up and judges
        output["consent"] = dict(_touched)
    elif any(_touched.values()):
        print(f"\nCONSENT WAS TOUCHED under a connector's key: {dict(_touched)}", file=sys.stderr)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """What a worker saw, when it ends."""
    _touched.update(getattr(node, "workeroutput", {}).get("consent", {}))
