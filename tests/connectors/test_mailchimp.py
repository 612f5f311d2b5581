"""Mailchimp's connector against its sandbox: the contract of all connectors, and what is special here."""

from __future__ import annotations

from typing import ClassVar

import pytest

from connectors.base import Connector, Op, Transient
from connectors.sandbox.control import Controls
from tests.connectors.contract import ConnectorContract


class TestMailchimp(ConnectorContract):
    platform: ClassVar[str] = "mailchimp"
    target_kind: ClassVar[str] = "tag"
    merges: ClassVar[bool] = False
    names_wait: ClassVar[bool] = False
