"""Klaviyo's connector: the contract, and what is special here."""

from __future__ import annotations

from typing import ClassVar

from tests.connectors.contract import ConnectorContract


class TestKlaviyo(ConnectorContract):
    platform: ClassVar[str] = "klaviyo"
    archives: ClassVar[bool] = False
