"""Streams, and what reads each."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from connectors.base import Cursor, FaultKind, Millis, Page, PlatformError, Stream
from connectors.mailchimp.api import Listings
from connectors.mailchimp.campaigns import Complaints, EmailActivity, Sent, Unsubscribes
from connectors.mailchimp.nested import Source, pull_nested
from connectors.mailchimp.people import Audiences, pull_profiles
from connectors.mailchimp.shop import Shop

Chosen = Callable[[], frozenset[str]]               # ids of the audiences that the config names; none: all


def pull(
    api: Listings, stream: Stream, cursor: Cursor | None, *, since: Millis, audiences: Audiences, chosen: Chosen,
) -> Iterator[Page]:
    """Pages of *stream* after *cursor*; PlatformError INVALID for a stream there is not."""
    if stream.name in ("profiles", "profiles_complete"):
        return pull_profiles(api, audiences, cursor, sweep=stream.name == "profiles_complete")
    return _events(api, stream.name, cursor, since, chosen)


def _events(api: Listings, name: str, cursor: Cursor | None, since: Millis, chosen: Chosen) -> Iterator[Page]:
    """Made when the first page is asked for: until then no call is made."""
    yield from pull_nested(api, _source(name, chosen()), cursor, -(-since // 1000))


def _source(name: str, audiences: frozenset[str]) -> Source:
    kinds = {kind.name: kind for kind in (EmailActivity, Sent, Unsubscribes, Complaints)}
    if name in ("orders", "carts"):
        return Shop(name, audiences)
    if name not in kinds:
        raise PlatformError("mailchimp", f"pull {name}", FaultKind.INVALID, code="no such stream")
    return kinds[name](audiences)
