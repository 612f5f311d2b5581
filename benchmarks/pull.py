"""Pulling a stream into the store against a bare httpx loop that fetches the same pages and decodes them.

The pages stand ready in another process; what counts is this process's CPU, the median of the ratios of alternated rounds. Python's
collector is in the bare loop as it comes, and in the pull as calm as in every command.
Events are pulled into a store that knows their people, with orders known to be told by several platforms (`same:`), as in
the example config.

    python -m benchmarks.pull [PLATFORM ...]
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import httpx

from benchmarks.figures import figure
from benchmarks.stage import NOW, Call, Stage
from connectors.base import DAY, Stream
from connectors.clock import VirtualClock
from connectors.sandbox.world import random_world
from sync.calm import calm_collector
from sync.ingest.pull import Pulled, pull
from sync.source import Source
from sync.store.naming import Naming
from sync.store.store import Store

BAR = 4.0
ROUNDS = 9
STREAMS = {
    "mailchimp": ("profiles", "email_activity", "orders"),
    "hubspot": ("profiles", "email_events", "orders"),
    "klaviyo": ("profiles", "events"),
}
SAME = {"order_placed": "order_id"}


def source_of(stage: Stage, store: Store, name: str) -> Source:
    """An open connection of *store*, on a clock that makes nobody wait."""
    connector = stage.open(name, VirtualClock(NOW))
    naming = Naming(name, connector.capabilities.events, SAME)
    return Source(name, store.connection(name, name), connector.capabilities, naming, connector)


def stream_of(source: Source, name: str) -> Stream:
    return next(stream for stream in source.capabilities.streams if stream.name == name)


def pulled(stage: Stage, path: Path, platform: str, stream: str) -> tuple[float, Pulled]:
    """CPU seconds of one pull into the store at *path*, and what it brought."""
    with Store.writer(path) as store, calm_collector():
        source = source_of(stage, store, platform)
        began = time.process_time()
        (found,) = pull(store, source, [stream_of(source, stream)], {source.number: source.naming}, VirtualClock(NOW))
        seconds = time.process_time() - began
        source.connector.close()
    if found.error or not found.rows:
        raise SystemExit(f"{platform} {stream}: {found.error or 'no rows'}")
    return seconds, found


def fetched(stage: Stage, platform: str, calls: Sequence[Call]) -> float:
    """CPU seconds of a bare loop over the same calls."""
    with httpx.Client(base_url=stage.urls[platform], trust_env=False) as client:
        began = time.process_time()
        for call in calls:
            headers = {name: value for name, value in call.headers.items() if name not in ("host", "connection", "content-length")}
            client.request(call.method, call.url, content=call.body or None, headers=headers).json()
        return time.process_time() - began


def one_stream(stage: Stage, folder: Path, platform: str, stream: str) -> bool:
    """Record, then alternate."""
    ground = folder / "ground.db"

    def fresh() -> Path:
        place = folder / "run" / "store.db"
        shutil.rmtree(place.parent, ignore_errors=True)
        place.parent.mkdir()
        if stream != "profiles":
            shutil.copy(ground, place)
        return place

    stage.calls()
    _, found = pulled(stage, fresh(), platform, stream)
    calls = stage.calls()
    ratios = []
    for _ in range(ROUNDS):
        bare = fetched(stage, platform, calls)
        ours, _ = pulled(stage, fresh(), platform, stream)
        ratios.append(ours / bare)
        if "--verbose" in sys.argv:
            rows = found.rows / 1e6
            print(f"  {len(calls)} pages, {found.rows} rows; µs CPU a row: bare {bare / rows:.1f}, ours {ours / rows:.1f}", file=sys.stderr)
    if stream == "profiles":
        shutil.copy(folder / "run" / "store.db", ground)
    return figure(f"pull_{platform}_{stream}", statistics.median(ratios), BAR)


def main() -> int:
    """Print the figures; 1 when one is short."""
    asked = [name for name in sys.argv[1:] if name in STREAMS] or list(STREAMS)
    people, events = (4000, 40_000) if os.environ.get("BENCH_FAST") == "1" else (12_000, 120_000)
    held = []
    for platform in asked:
        with Stage((platform,), prebuilt=True) as stage, tempfile.TemporaryDirectory() as folder:
            stage.unlimited()
            stage.load(random_world(5, people, events, NOW - DAY))
            held += [one_stream(stage, Path(folder), platform, stream) for stream in STREAMS[platform]]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
