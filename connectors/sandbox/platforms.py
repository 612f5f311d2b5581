"""Which platforms are emulated, and where."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from connectors.clock import Clock
from connectors.sandbox.server import Application
from connectors.sandbox.weather import Sky

APPLICATIONS = {
    "mailchimp": ("connectors.mailchimp.sandbox.application", "MailchimpSandbox"),
    "hubspot": ("connectors.hubspot.sandbox.application", "HubSpotSandbox"),
    "klaviyo": ("connectors.klaviyo.sandbox.application", "KlaviyoSandbox"),
}


def applications(clock: Clock, sky: Sky, names: Sequence[str] = ()) -> list[Application]:
    """One of each (or those of *names*), empty."""
    made = []
    for module, kind in (APPLICATIONS[name] for name in names or APPLICATIONS):
        made.append(getattr(import_module(module), kind)(clock, sky))
    return made
