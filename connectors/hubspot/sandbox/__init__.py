"""The emulated HubSpot: one account over real HTTP. See docs/sandbox-hubspot.md."""
