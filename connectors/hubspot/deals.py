"""Deals: records that contacts hold among their fields, and events once they are won.

Source: HubSpot API reference 2026-09, Deals and Associations; a deal belongs to every contact that it is associated with, and is
won when HubSpot computes `hs_is_closed_won`, at its `closedate`, which people may edit and which may lie ahead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from connectors.base import Cursor, Event, Json, Page, Part, ProfileId
from connectors.hubspot.api import Api, Record, identified
from connectors.hubspot.commerce import MOVED
from connectors.hubspot.profiles import DEALS, custom
from connectors.hubspot.times import at
from connectors.hubspot.walk import SETTLED, Window, changes, dump, finished, load, parts

KIND, FIELD, WON = "deals", DEALS, "deals.closed_won"
USUAL = (
    "dealname", "amount", "deal_currency_code", "dealstage", "pipeline", "closedate", "createdate", MOVED, "hs_is_closed",
    "hs_is_closed_won", "hs_deal_stage_probability", "dealtype", "hubspot_owner_id",
)


def pull_deals(api: Api, since: Cursor | None) -> Iterator[Page]:
    """Stream "deals": every deal the first time, however old, then those whose `hs_lastmodifieddate` moved."""
    state = load(since)
    names, now = _names(api)
    begun = Window.of(state) if "lo" in state else Window.after(state, now, 0)
    for found, window, last in changes(api, KIND, MOVED, names, begun):
        page = Page(window.end() if last else window.cursor(), parts=_linked(api, found), total=window.total)
        yield replace(page, last=True, watermark=window.hi) if last else page


def pull_all(api: Api, since: Cursor | None) -> Iterator[Page]:
    """Stream "deals_complete": every deal, then every archived one, which search never shows. One that is neither, as one that was
    merged into another, is no more.

    A deal may change hands without being modified: that associations move `hs_lastmodifieddate` is not documented.
    """
    state = load(since)
    names, now = _names(api)
    begun, after, archived = parts(state, "at", "a", "z") if "at" in state else (now - SETTLED, None, False)
    last = False
    while not last:
        found, after = api.page(KIND, names, after, archived)
        told = [_void(row) for row in found] if archived else _linked(api, found)
        last = archived and after is None
        archived = archived or after is None
        yield Page(
            finished(begun, begun) if last else dump({"at": begun, "a": after, "z": archived}), parts=told, last=last,
            complete=last, watermark=begun if last else None,
        )


def _names(api: Api) -> tuple[tuple[str, ...], int]:
    """What to ask for: the usual properties and those that the account defined; and the platform's time."""
    definitions, now = api.properties(KIND)
    return tuple(dict.fromkeys((*USUAL, *custom(definitions)))), now


def _linked(api: Api, found: Sequence[Record]) -> list[Part]:
    ids = [identified(row, KIND)[0] for row in found]
    people = api.links(KIND, "contacts", ids) if ids else {}
    return [deal(row, people.get(one, ())) for one, row in zip(ids, found, strict=True)]


def deal(row: Record, people: Sequence[str]) -> Part:
    """The deal of a record, which belongs to the contacts *people*. Values stay text, as HubSpot has them; what is empty is left
    out. It is an event while it is won and its close date is known."""
    own, said = identified(row, KIND)
    value: dict[str, Json] = {name: held for name, held in said.items() if held is not None and held != ""} | {"hs_object_id": own}
    when = at(said.get("closedate")) if won(said) else None
    fact = Event(f"deal:{own}", WON, when or 0, value, None, None, True, when is None)
    return Part(FIELD, own, tuple(map(ProfileId, people)), value, fact)


def won(said: Record) -> bool:
    """Whether a deal is closed and won: HubSpot computes it from the pipeline's stages; the stage's own name where it does not tell.
    Source: HubSpot knowledge base, default deal properties ("Is Closed Won") and the default sales pipeline."""
    told = said.get("hs_is_closed_won")
    return str(told).lower() == "true" if told not in (None, "") else said.get("dealstage") == "closedwon"


def _void(row: Record) -> Part:
    own, _ = identified(row, KIND)
    return Part(FIELD, own, (), None, Event(f"deal:{own}", WON, 0, {}, None, None, True, True))
