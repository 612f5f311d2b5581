"""The keys that the sandboxes accept. "connector" is whom segmentd connects as: calls under it that could change somebody's
consent are counted and must stay at none. "tester" is for tests of the sandbox and for strangers' clients.
"""

from __future__ import annotations

from collections.abc import Mapping

KEYS: Mapping[str, Mapping[str, str]] = {
    "mailchimp": {"connector": "sandboxconnector-us1", "tester": "sandboxtester-us1"},
    "hubspot": {"connector": "pat-na1-sandbox-connector", "tester": "pat-na1-sandbox-tester"},
    "klaviyo": {"connector": "pk_sandbox_connector", "tester": "pk_sandbox_tester"},
}


def role_of(platform: str, key: str) -> str:
    """"connector", "tester", or "" for a key that is none of these."""
    return next((role for role, text in KEYS[platform].items() if text == key), "")
