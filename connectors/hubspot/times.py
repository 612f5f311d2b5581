"""HubSpot's instants: ISO 8601 UTC with or without milliseconds in the dated APIs, epoch milliseconds in v1 and in filters."""

from __future__ import annotations

from datetime import UTC, datetime

from connectors.base import Json, Millis, millis

LAST: Millis = 253_402_300_799_999                  # the end of the year 9999


def at(value: Json) -> Millis | None:
    """Milliseconds of an instant as HubSpot writes it: ISO text (a bare date is midnight UTC), epoch milliseconds as number or
    digits; None for the rest, and for what no calendar holds. Source: HubSpot CRM API guides, properties: date and datetime values."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if abs(value) <= LAST else None
    if not isinstance(value, str) or not value:
        return None
    if value.isascii() and value.isdigit() and 8 < len(value) <= 15:
        return int(value)
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return millis(found if found.tzinfo else found.replace(tzinfo=UTC))
