"""Opaque places in a listing."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import orjson


def sealed(place: list[Any], tied: object = None) -> str:
    """A place as a token that holds only for the same question *tied*."""
    return base64.urlsafe_b64encode(orjson.dumps([place, tied])).decode()


def unsealed(token: object, tied: object = None) -> list[Any] | None:
    """The place of a token; None when it is none of ours, or of another question."""
    try:
        place, asked = orjson.loads(base64.urlsafe_b64decode(str(token)))
    except (ValueError, TypeError, binascii.Error):
        return None
    return place if isinstance(place, list) and asked == orjson.loads(orjson.dumps(tied)) else None
