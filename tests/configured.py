"""A config that loads, and a store whose connections were pulled."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from connectors.base import Cursor, Millis, Page
from sync.config.load import load
from sync.config.model import Config
from sync.source import origins
from sync.store import streams
from sync.store.store import Store


def config_in(folder: Path, text: str) -> Config:
    """The config *text*, which has to be sound, from a file in *folder*."""
    path = folder / "config.yaml"
    path.write_text(text)
    config, problems = load(path)
    assert config is not None, list(map(str, problems))
    return config


def pulled(store: Store, config: Config, at: Millis, but: Collection[str] = ()) -> None:
    """At *at* every stream of *config*'s connections reached its end, except those in *but* (`connection/stream`)."""
    with store.transaction() as db:
        for source in origins(config, store).values():
            for stream in source.capabilities.streams:
                if f"{source.name}/{stream.name}" not in but:
                    streams.begin(db, source.number, stream, at)
                    streams.advance(db, source.number, stream, Page(Cursor("end"), last=True), at)
