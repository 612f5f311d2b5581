"""The emulated HubSpot: one account, contacts, deals, orders, carts and lists, over real HTTP. See docs/sandbox-hubspot.md."""

from __future__ import annotations

from connectors.hubspot.sandbox.batches import Batches
from connectors.hubspot.sandbox.consent_calls import ConsentCalls
from connectors.hubspot.sandbox.deeds import Deeds
from connectors.hubspot.sandbox.loading import Loading
from connectors.hubspot.sandbox.other_calls import OtherCalls
from connectors.hubspot.sandbox.property_calls import PropertyCalls
from connectors.hubspot.sandbox.truth import Truth


class HubSpotSandbox(Batches, Deeds, ConsentCalls, PropertyCalls, OtherCalls, Truth, Loading):
    """All handlers together; each base holds those of one subject."""
