"""Orders and carts become events. They are records that change at their source, so each comes whole, again and again.

Source: HubSpot API reference 2026-09, Orders and Carts; their property names vary by account, so custom ones are asked for too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation

from connectors.base import Cursor, Event, FaultKind, Json, Millis, Page, PlatformError, ProfileId
from connectors.hubspot.api import Api, Record, identified
from connectors.hubspot.faults import PLATFORM
from connectors.hubspot.profiles import custom
from connectors.hubspot.times import at
from connectors.hubspot.walk import SETTLED, Window, changes, dump, finished, load, parts

MOVED = "hs_lastmodifieddate"                       # contacts alone call it otherwise
_VOID = frozenset({"cancelled", "canceled"})
_STATES = ("hs_external_order_status", "hs_fulfillment_status", "hs_external_status")
_SHARED = ("hs_total_price", "hs_currency_code", "hs_external_created_date", "hs_source_store", "hs_tags", "createdate", *_STATES)


@dataclass(frozen=True, slots=True)
class Commerce:
    """One kind of record: *objects* as the path names them, *native* as its events are called, *number*: the property with the
    shop's own id, *names*: properties to ask for beside the shared and the custom ones. *lines*: line items are read, too."""

    objects: str
    native: str
    number: str
    names: tuple[str, ...] = ()
    lines: bool = False


ORDERS = Commerce("orders", "order", "hs_external_order_id", ("hs_order_name", "hs_refund_amount"))
CARTS = Commerce("carts", "cart", "hs_external_cart_id", ("hs_cart_name", "hs_cart_url"))


def pull_commerce(api: Api, what: Commerce, since: Cursor | None, history: Millis) -> Iterator[Page]:
    """Records modified since *since*, the first time since *history*, each as one event. Who is meant says the association with
    a contact; a record without one is nobody's and left out until it has one, which its overlap finds."""
    state = load(since)
    definitions, now = api.properties(what.objects)
    properties = tuple(dict.fromkeys((what.number, *what.names, *_SHARED, *custom(definitions))))
    begun = Window.of(state) if "lo" in state else Window.after(state, now, history)
    for found, window, last in changes(api, what.objects, MOVED, properties, begun):
        page = Page(window.end() if last else window.cursor(), events=_events(api, what, found), total=window.total)
        yield replace(page, last=True, watermark=window.hi) if last else page


def pull_archived(api: Api, what: Commerce, since: Cursor | None) -> Iterator[Page]:
    """Records in the archive, each as an event that is void: search never shows them. Whose they were need not be known."""
    state = load(since)
    properties = (what.number, *_SHARED)
    if "at" in state:
        begun, after = parts(state, "at", "a")
    else:
        begun, after = api.account()[1] - SETTLED, None
    last = False
    while not last:
        found, after = api.page(what.objects, properties, after, True)
        last = after is None
        events = [event(what, row, None)._replace(removed=True) for row in found]
        yield Page(
            finished(begun, begun) if last else dump({"at": begun, "a": after}), events=events, last=last,
            watermark=begun if last else None,
        )


def _events(api: Api, what: Commerce, found: Sequence[Record]) -> list[Event]:
    ids = [identified(row, what.objects)[0] for row in found]
    people = api.links(what.objects, "contacts", ids) if ids else {}
    lines = _lines(api, what, ids) if what.lines and ids else {}
    told = (
        event(what, row, ProfileId(people[one][0]) if one in people else None, lines.get(one, ()))
        for one, row in zip(ids, found, strict=True)
    )
    return [one for one in told if one.profile or one.removed]


def event(what: Commerce, row: Record, who: ProfileId | None, lines: Sequence[Record] = ()) -> Event:
    """The event of a record: its time is when the shop made it, else when HubSpot did; void once cancelled or archived.

    Amounts stay the text that HubSpot gives. `order_id` or `cart_id` is the shop's own number, where there is one.
    """
    own, said = identified(row, what.objects)
    when = at(said.get("hs_external_created_date")) or at(row.get("createdAt")) or at(said.get("createdate"))
    if when is None:
        raise PlatformError(PLATFORM, what.objects, FaultKind.EDGE, code="a record without time")
    kept: dict[str, Json] = {name: value for name, value in said.items() if value is not None and value != ""}
    kept["hs_object_id"] = own
    if said.get(what.number):
        kept[f"{what.native}_id"] = said[what.number]
    if lines:
        kept |= summed(lines)
    states = [str(state).lower() for name in _STATES if (state := said.get(name))]
    void = bool(row.get("archived")) or not _VOID.isdisjoint(states)
    return Event(f"{what.native}:{own}", what.native, when, kept, who, None, True, void)


def summed(lines: Sequence[Record]) -> Mapping[str, Json]:
    """`quantity` as the exact sum over the lines, and the lines themselves as `items`."""
    items = [{name: value for name, value in line["properties"].items() if value not in (None, "")} for line in lines]
    try:
        total = sum((Decimal(item.get("quantity", "0")) for item in items), Decimal(0))
    except InvalidOperation:
        return {"items": items}
    return {"quantity": int(total) if total == total.to_integral_value() else str(total), "items": items}


def _lines(api: Api, what: Commerce, ids: Sequence[str]) -> dict[str, list[Record]]:
    """Record id → its line items, by two kinds of batch calls a page."""
    links = api.links(what.objects, "line_items", ids)
    wanted = sorted({line for to in links.values() for line in to})
    names = ("quantity", "name", "price", "amount", "hs_sku", "hs_product_id")
    read = {str(line["id"]): line for line in api.records("line_items", wanted, names)}
    return {one: [read[line] for line in to if line in read] for one, to in links.items()}
