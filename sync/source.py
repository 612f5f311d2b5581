"""An open connection as the street sees it: the connector, its number in the store, and how its events are called here."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.base import Connector
from sync.store.facts import Naming


@dataclass(frozen=True, slots=True)
class Source:
    """*number*: the store's; *account*: the one that the config expects, or ""."""

    name: str
    number: int
    connector: Connector
    naming: Naming
    account: str = ""
