"""Tests of the connectors. The contract's modules are no test files themselves, so their asserts are rewritten by name."""

import pytest

pytest.register_assert_rewrite(*(f"tests.connectors.{name}" for name in ("ground", "reading", "writing", "refusals")))
