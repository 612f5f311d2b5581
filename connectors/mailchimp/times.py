"""Mailchimp's times: whole seconds of ISO 8601 with an offset, and the empty text where there is none.

Source: Mailchimp API docs, Methods and parameters page; observed: github.com issue airbytehq/airbyte#37434 (fractional seconds
in a filter are answered with 500, or the filter is ignored: brandonseydel/MailChimp.Net#525).
"""

from __future__ import annotations

from datetime import UTC, datetime

from connectors.base import Json, Millis

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(text: Json) -> Millis | None:
    """Milliseconds UTC of *text*, None when it is empty or missing; ValueError or TypeError when it is no time."""
    if not text:
        return None
    at = datetime.fromisoformat(text)
    past = (at if at.tzinfo else at.replace(tzinfo=UTC)) - EPOCH
    return past.days * 86_400_000 + past.seconds * 1000 + round(past.microseconds / 1000)


def seconds(text: Json) -> int:
    """Whole seconds since 1970 UTC, -1 when *text* is empty or missing."""
    at = moment(text)
    return -1 if at is None else at // 1000


def written(second: int) -> str:
    """*second* as a filter's value."""
    return datetime.fromtimestamp(second, UTC).isoformat()
