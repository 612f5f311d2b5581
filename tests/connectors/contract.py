"""What every connector keeps, whatever the platform: subclass `ConnectorContract`, name the platform, done.

Each test runs against the platform's sandbox over a real socket on loopback, on a virtual clock, and every one of them ends
with no call under the connector's key that could have changed somebody's permission.
"""

from __future__ import annotations

from tests.connectors.reading import ReadingContract
from tests.connectors.refusals import RefusalContract
from tests.connectors.writing import WritingContract


class ConnectorContract(ReadingContract, WritingContract, RefusalContract):
    """Subclass it and set *platform*; `tests.connectors.ground.Ground` lists what else a platform may need to say."""
