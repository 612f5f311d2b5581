"""A connection as the street sees it: what its data means, and how to reach it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from connectors import registry
from connectors.base import Capabilities, Connector, EventName, Stream
from sync.config.model import Config
from sync.language.needs import needs
from sync.language.values import Path, parse_path
from sync.store.naming import Naming
from sync.store.store import Store


@dataclass(frozen=True, slots=True)
class Origin:
    """What the store's data of one connection means. *number*: the store's; -1 for one that was never opened."""

    name: str
    number: int
    capabilities: Capabilities
    naming: Naming


@dataclass(frozen=True, slots=True)
class Source(Origin):
    """An open connection. *account*: the one that the config expects, or ""."""

    connector: Connector
    account: str = ""


def origins(config: Config, store: Store) -> dict[str, Origin]:
    """Every connection of the config by name, without opening any: for those who only read the store."""
    numbers = dict(store.rows("select name, id from connections"))
    return {
        name: Origin(name, numbers.get(name, -1), as_asked(config, name, registry.kind(spec.kind).capabilities), naming_of(config, name))
        for name, spec in config.connections.items()
    }


def as_asked(config: Config, connection: str, able: Capabilities) -> Capabilities:
    """*able* without the streams that fill a field which nothing in *config* asks for: they would cost calls for nothing."""
    if not any(stream.part for stream in able.streams):
        return able
    rules = [segment.rule for segment in (*config.segments.values(), *(family.template for family in config.families.values()))]
    paths = {path for rule in rules for path in needs(rule).fields}
    told = [spec.sources.get(connection, "") for spec in config.events.values()]
    return replace(able, streams=tuple(
        stream for stream in able.streams if not stream.part
        or any(native.startswith(f"{stream.part}.") for native in told if native in able.records)
        or any(reads_part(config, connection, stream, path) for path in paths)
    ))


def reads_part(config: Config, connection: str, stream: Stream, path: Path) -> bool:
    """Whether the field *path* of a rule is looked for in what *stream* of *connection* fills."""
    chosen = [parse_path(text) for text in config.fields[path[0]].first_of] if path[0] in config.fields else [path]
    return any(each[:2] == (connection, stream.part) for each in chosen)


def naming_of(config: Config, connection: str) -> Naming:
    """How *connection*'s events are called: the platform's built-in names, changed by the config's `events:`."""
    kind = registry.kind(config.connections[connection].kind)
    names: dict[str, EventName] = dict(kind.capabilities.events)
    same: dict[str, str] = {}
    ignored: set[str] = set()
    for neutral, spec in config.events.items():
        if spec.same:
            same[neutral] = spec.same
        if spec.sources and connection not in spec.sources:
            ignored.add(neutral)
        built_in = [native for native, event in names.items() if event.name == neutral]
        chosen = [spec.sources[connection]] if connection in spec.sources else built_in
        for native in built_in:
            if native not in chosen:                    # `from:` names the one witness
                names[native] = EventName(f"{connection}.{native}", names[native].properties)
        said = {**spec.properties, **spec.on_connection.get(connection, {})}
        for native in chosen:
            record = kind.capabilities.records.get(native)
            known = names[native].properties if native in names else record.properties if record else {}
            if record and not spec.same:
                same[neutral] = record.same
            names[native] = EventName(neutral, {**known, **said})
    return Naming(connection, names, same, frozenset(ignored))
