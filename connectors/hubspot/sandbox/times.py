"""Times, amounts and booleans as HubSpot writes and reads them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from connectors.clock import Millis, instant, millis

MILLIONTHS = 1_000_000


def iso(at: Millis) -> str:
    """`2026-03-02T09:15:27.120Z`. Source: HubSpot API reference, property types (datetime)."""
    return instant(at).strftime("%Y-%m-%dT%H:%M:%S") + f".{at % 1000:03d}Z"


def isos(at: npt.NDArray[Any]) -> list[str]:
    """`iso` of a whole column at once."""
    found: list[str] = np.char.add(np.datetime_as_string(at.astype("datetime64[ms]")), "Z").tolist()
    return found


def moment(value: object) -> Millis | None:
    """Milliseconds of a time in text or number: epoch milliseconds, ISO 8601 with or without zone, or a date; digits finer than
    a millisecond are cut off. None for what is no time."""
    text = str(value).strip()
    if text.lstrip("-").isdigit() and text.count("-") <= 1:
        return int(text)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return millis(found if found.tzinfo else found.replace(tzinfo=UTC))


def money(value: int) -> str:
    """Millionths of a dollar as a decimal number with at least two places."""
    whole, part = divmod(abs(value), MILLIONTHS)
    places = f"{part:06d}".rstrip("0").ljust(2, "0")
    return f"{'-' if value < 0 else ''}{whole}.{places}"


def yes(text: str) -> bool:
    """A boolean query parameter; clients write it in any case."""
    return text.lower() == "true"
