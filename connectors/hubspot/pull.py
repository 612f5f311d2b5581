"""Streams of contacts: the first load and the sweep by the object list, changes by search."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from connectors.base import Cursor, FaultKind, Json, Millis, Page, PlatformError, Profile
from connectors.hubspot.api import Api, Record
from connectors.hubspot.faults import PLATFORM
from connectors.hubspot.profiles import Shape, profile, read_shape, with_statuses
from connectors.hubspot.walk import SETTLED, Window, changes, dump, finished, load, parts

TORSO = 0.9                                         # of the counted contacts; the index is a little late, not a tenth


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the connection's options ask for: further properties, and statuses of subscriptions."""

    properties: tuple[str, ...] = ()
    statuses: bool = False


def pull_changes(api: Api, since: Cursor | None, wishes: Wishes) -> Iterator[Page]:
    """Stream "profiles": every contact the first time, then those whose `lastmodifieddate` moved, merges among them.

    What HubSpot archives or erases is told by nothing but the sweep. Source: HubSpot developer docs, Search the CRM.
    """
    state = load(since)
    shape, now = read_shape(api, wishes.properties)
    if "w" in state or "lo" in state:
        yield from _search(api, Window.of(state) if "lo" in state else Window.after(state, now, 0), shape, wishes)
        return
    listing = Listing.of(state) if state else Listing(now - SETTLED, total=api.count("contacts"))
    for page, there, last in _everybody(api, listing, shape, wishes):
        yield replace(page, cursor=finished(there.at, there.at), last=True, watermark=there.at) if last else page


def _search(api: Api, begun: Window, shape: Shape, wishes: Wishes) -> Iterator[Page]:
    for found, window, last in changes(api, "contacts", "lastmodifieddate", shape.properties, begun):
        page = Page(window.end() if last else window.cursor(), _profiles(api, found, shape, wishes, True), total=window.total)
        yield replace(page, last=True, watermark=window.hi) if last else page


def sweep(api: Api, since: Cursor | None, wishes: Wishes) -> Iterator[Page]:
    """Stream "profiles_complete": every contact, then every archived one. Complete when no fewer live contacts were listed than
    the search index counts; the smaller count of before and after, since contacts may go meanwhile.

    A contact may be missing from the list though it can be read (observed: HubSpot/hubspot-api-python#85), hence the count.
    """
    state = load(since)
    shape, now = read_shape(api, wishes.properties)
    under_way = state if "at" in state else None
    listing = Listing.of(under_way) if under_way else Listing(now - SETTLED, total=api.count("contacts"))
    for page, there, last in _everybody(api, listing, shape, wishes):
        end = replace(page, cursor=finished(there.at, there.at), last=True, complete=there.whole, watermark=there.at)
        yield end if last else page


def _everybody(api: Api, listing: Listing, shape: Shape, wishes: Wishes) -> Iterator[tuple[Page, Listing, bool]]:
    """Every contact, then every archived one: (page, the listing after it, whether it was the last). The archive belongs to the
    first load too: orders name archived contacts."""
    if not listing.archived:
        for found, there, last in _list(api, listing, shape):
            listing = _turn(api, there) if last else there
            yield Page(listing.cursor(), _profiles(api, found, shape, wishes, True), total=listing.total), listing, False
    for found, there, last in _list(api, listing, shape):
        yield Page(there.cursor(), _profiles(api, found, shape, wishes, False), total=there.total), there, last


def _profiles(api: Api, found: Sequence[Record], shape: Shape, wishes: Wishes, live: bool) -> list[Profile]:
    profiles = [profile(record, shape, live) for record in found]
    return with_statuses(api, profiles) if wishes.statuses and profiles else profiles


# --- the object list --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Listing:
    """A walk over the object list that began at *at* (less what is not settled). *after*: the platform's place of the next
    page; *total*: contacts counted at the start; *rows*: listed so far; *archived*: in the second part, the archive;
    *whole*: the first part ended with everybody listed."""

    at: Millis
    after: str | None = None
    rows: int = 0
    total: int | None = None
    archived: bool = False
    whole: bool = False

    @classmethod
    def of(cls, state: Mapping[str, Json]) -> Listing:
        return cls(*parts(state, "at", "a", "n", "c", "z", "ok"))

    def cursor(self) -> Cursor:
        return dump({
            "at": self.at, "a": self.after, "n": self.rows, "c": self.total, "z": self.archived, "ok": self.whole,
        })


def _turn(api: Api, listing: Listing) -> Listing:
    """From the live contacts to the archive. PlatformError EDGE when the list ended long before the counted number."""
    expected = min(listing.total or 0, api.count("contacts"))
    if listing.rows < expected * TORSO:
        raise PlatformError(PLATFORM, "contacts", FaultKind.EDGE, code=f"{listing.rows} rows where {expected} were counted")
    return replace(listing, after=None, rows=0, archived=True, whole=listing.rows >= expected)


def _list(api: Api, listing: Listing, shape: Shape) -> Iterator[tuple[list[Record], Listing, bool]]:
    """Pages of one part of the list: (records, the listing after them, whether it was the last).

    A place that the platform does not know any more leads back to the first page: rows repeat, nothing is missed.
    """
    last = False
    while not last:
        try:
            found, after = api.page("contacts", shape.properties, listing.after, listing.archived)
        except PlatformError as error:
            if listing.after is None or error.kind not in (FaultKind.INVALID, FaultKind.GONE) or error.status is None:
                raise
            found, after = api.page("contacts", shape.properties, None, listing.archived)
            listing = replace(listing, rows=0)
        last = after is None
        listing = replace(listing, after=after, rows=listing.rows + len(found))
        yield found, listing, last
