"""A connection of the config becomes a connector: its secret resolved, its depth counted back from now."""

from __future__ import annotations

from connectors import registry
from connectors.base import Clock, Connection, Connector
from sync.config.model import Config, ConnectionSpec
from sync.config.secrets import resolve


def open_connection(spec: ConnectionSpec, config: Config, clock: Clock) -> Connector:
    """An open connector; no call is made. Raises ConfigError when the secret is not there."""
    return registry.kind(spec.kind).open(
        Connection(
            name=spec.name, kind=spec.kind, key=resolve(spec.key), since=clock.now() - config.settings.history,
            base_url=spec.base_url or None, share=float(spec.share), audiences=spec.audiences,
            default_audience=spec.default_audience, options=spec.options,
        ),
        clock,
    )
