"""A connection as the street sees it: what its data means, and how to reach it."""

from __future__ import annotations

from dataclasses import dataclass

from connectors import registry
from connectors.base import Capabilities, Connector, EventName
from sync.config.model import Config
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
        name: Origin(name, numbers.get(name, -1), registry.kind(spec.kind).capabilities, naming_of(config, name))
        for name, spec in config.connections.items()
    }


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
            known = names[native].properties if native in names else {}
            names[native] = EventName(neutral, {**known, **said})
    return Naming(connection, names, same, frozenset(ignored))
