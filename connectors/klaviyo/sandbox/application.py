"""Klaviyo, emulated: the application that the sandbox's server serves."""

from __future__ import annotations

from connectors.klaviyo.sandbox.deeds import Deeds
from connectors.klaviyo.sandbox.truth import Truth


class KlaviyoSandbox(Deeds, Truth):
    """Everything together: each base adds the calls of its subject."""
