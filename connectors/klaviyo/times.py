"""Klaviyo's spellings of an instant."""

from __future__ import annotations

from datetime import UTC, datetime

from connectors.base import Millis, instant, millis


def read(text: object) -> Millis | None:
    """Milliseconds of a timestamp; None when there is none or it is no timestamp.

    Both `2026-06-23T00:15:23Z` and `2026-06-23 00:15:23.918411+00:00` come in live answers (observed: estuary/connectors,
    source-klaviyo-native changelog, 2026-07-30). One without an offset is taken as UTC.
    """
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return millis(found if found.tzinfo else found.replace(tzinfo=UTC))


def write(at: Millis) -> str:
    """*at* for a filter: whole seconds, cut off, and `Z`, because an unencoded `+` arrives as a space.

    Source: Klaviyo API overview, filtering: datetimes are ISO 8601 and stand without quotes.
    """
    return instant(at // 1000 * 1000).strftime("%Y-%m-%dT%H:%M:%SZ")
