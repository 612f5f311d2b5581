"""HubSpot as a connector: contacts with their consent, mail events, orders, carts and deals; MANUAL lists as targets.

    HubSpotConnector
      ├─ pull.py       contacts: first load, changes, complete sweep → profiles.py, walk.py
      ├─ legacy.py     e-mail events, on the one legacy path
      ├─ commerce.py   orders and carts
      ├─ deals.py      deals, which contacts hold among their fields
      ├─ sdk.py        lists found and made (the vendor's SDK)
      └─ push.py       members of a list
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from connectors.base import (
    MINUTE,
    Account,
    Batch,
    Capabilities,
    Clock,
    Connection,
    Cursor,
    EventName,
    FaultKind,
    Limit,
    MemberPage,
    Millis,
    Page,
    PlatformError,
    ProfileId,
    RecordEvent,
    RemoteChange,
    RemoteTarget,
    Stream,
    StreamKind,
    Verdict,
)

if TYPE_CHECKING:
    from connectors.hubspot.pull import Wishes
    from connectors.hubspot.sdk import Lists

MAIL = {"campaign": "emailCampaignId"}
SEEN = {**MAIL, "machine": "filteredEvent"}
MONEY = {"value": "hs_total_price", "currency": "hs_currency_code", "quantity": "quantity", "items": "items"}
BURST = 100                                         # of the Free and Starter plans; Professional and Enterprise have 190

CAPABILITIES = Capabilities(
    platform="hubspot",
    title="HubSpot",
    targets=frozenset({"list"}),
    refused={"tag": "HubSpot's contacts have no tags; write 'list:' instead, which is a MANUAL list there"},
    audiences=False,
    subscriptions=True,
    streams=(
        Stream("profiles", StreamKind.PROFILES),
        Stream("profiles_complete", StreamKind.PROFILES, incremental=False, sweep=True),
        Stream("email_events", StreamKind.EVENTS),
        Stream("orders", StreamKind.EVENTS, events=frozenset({"order"})),
        Stream("carts", StreamKind.EVENTS, events=frozenset({"cart"})),
        Stream("archived_orders", StreamKind.EVENTS, incremental=False, events=frozenset({"order"})),
        Stream("archived_carts", StreamKind.EVENTS, incremental=False, events=frozenset({"cart"})),
        Stream("deals", StreamKind.PARTS, part="deals"),
        Stream("deals_complete", StreamKind.PARTS, incremental=False, sweep=True, part="deals"),
    ),
    events={
        "SENT": EventName("email_sent", MAIL),
        "OPEN": EventName("email_opened", SEEN),
        "CLICK": EventName("email_clicked", {**SEEN, "url": "url"}),
        "BOUNCE": EventName("email_bounced", {**MAIL, "kind": "category"}),
        "STATUSCHANGE": EventName("email_unsubscribed", {**MAIL, "kind": "source"}),
        "SPAMREPORT": EventName("email_complained", MAIL),
        "order": EventName("order_placed", {"order_id": "order_id", **MONEY}),
        "cart": EventName("cart_updated", {"cart_id": "cart_id", **MONEY}),
    },
    fields={
        "email": "email", "first_name": "firstname", "last_name": "lastname", "phone": "phone", "country": "country",
        "region": "state", "city": "city", "postcode": "zip", "language": "hs_language", "timezone": "hs_timezone",
        "created": "createdate",
    },
    batch=Batch(adds=10_000, removes=10_000, together=True),    # no maximum is documented; a refused batch goes in halves
    lookup=True,
    joining_told=True,
    effect_told=True,
    member_lag=5 * MINUTE,                          # not documented; a size follows within 60 s, a search in seconds to minutes
    name_limit=200,                                 # not documented
    names_ignore_case=True,
    limits=(                                        # HubSpot developer docs, API usage guidelines and limits
        Limit("general", BURST, 10.0), Limit("search", 5, 1.0), Limit("day", 250_000, 86_400.0),
    ),
    records={"deals.closed_won": RecordEvent({"value": "amount", "currency": "deal_currency_code"}, "hs_object_id")},
    options=frozenset({"order_id_property", "properties", "line_items", "subscription_statuses", "burst"}),
)


class HubSpotConnector:
    """One account. Safe for many threads.

    Options: *order_id_property*, the property of an order with the shop's own number (`hs_external_order_id`); *properties*,
    further contact properties to read; *line_items*, read orders' lines for `quantity` and `items`; *subscription_statuses*,
    ask who is subscribed (Marketing Hub Enterprise); *burst*, calls per 10 s that the account's plan allows (100).
    """

    def __init__(self, connection: Connection, clock: Clock) -> None:
        from connectors.budget import Budget
        from connectors.http import Http
        from connectors.hubspot.api import HOST, Api
        from connectors.hubspot.faults import PLATFORM, Faults

        self.capabilities = _as_wished(connection.options)
        self._connection = connection
        self._faults = Faults(clock)
        http = Http(
            PLATFORM, connection.base_url or HOST, clock=clock, classify=self._faults, policy=connection.retry,
            headers={"Authorization": f"Bearer {connection.key.reveal()}", "Accept": "application/json"},
            budget=Budget(self.capabilities.limits, connection.share, clock),
        )
        self._api = Api(http, self._faults)

    @cached_property
    def _lists(self) -> Lists:
        """Made when first needed: the SDK takes a while to load."""
        from connectors.hubspot.sdk import Lists

        return Lists(self._api.http, self._connection.key.reveal())

    def close(self) -> None:
        self._api.http.close()

    # --- the account

    def account(self) -> Account:
        """HubSpot's account id; accounts have no name, the host of their pages stands for it."""
        details, _ = self._api.account()
        return Account(str(details["portalId"]), str(details.get("uiDomain") or "HubSpot"))

    def audience(self, ref: str) -> str:
        """HubSpot has no audiences."""
        if ref:
            raise self._gone("audience")
        return ""

    def subscription(self, ref: str) -> str:
        """The id of the subscription type with this id or name; PlatformError GONE when there is none, or several of one name."""
        types = self._api.subscription_types()
        found = [str(one.get("id")) for one in types if str(one.get("id")) == ref]
        found = found or [str(one.get("id")) for one in types if str(one.get("name", "")).casefold() == ref.casefold()]
        if len(found) != 1:
            raise self._gone("subscription type")
        return found[0]

    # --- reading

    def pull(self, stream: Stream, since: Cursor | None) -> Iterator[Page]:
        from connectors.hubspot import commerce, deals, legacy, pull

        orders = replace(
            commerce.ORDERS, number=self._order_number(), lines=bool(self._connection.options.get("line_items")),
        )
        api, history = self._api, self._connection.since
        match stream.name:
            case "profiles":
                return pull.pull_changes(api, since, self._wishes())
            case "profiles_complete":
                return pull.sweep(api, since, self._wishes())
            case "email_events":
                return legacy.pull_email_events(api, since, history)
            case "orders" | "carts":
                return commerce.pull_commerce(api, orders if stream.name == "orders" else commerce.CARTS, since, history)
            case "archived_orders" | "archived_carts":
                return commerce.pull_archived(api, orders if stream.name == "archived_orders" else commerce.CARTS, since)
            case "deals":
                return deals.pull_deals(api, since)
            case "deals_complete":
                return deals.pull_all(api, since)
        raise self._gone(f"stream {stream.name}")

    def members(self, target: RemoteTarget) -> Iterator[MemberPage]:
        from connectors.hubspot.push import members

        return members(self._api, target)

    def look(self, target: RemoteTarget, profiles: Sequence[ProfileId]) -> dict[ProfileId, bool]:
        from connectors.hubspot.push import look

        return look(self._api, target, profiles)

    def joined(self, target: RemoteTarget, profiles: Sequence[ProfileId]) -> dict[ProfileId, Millis]:
        """When each of *profiles* that are members was last added."""
        from connectors.hubspot.push import joined

        return joined(self._api, target, profiles)

    # --- targets

    def find(self, kind: str, name: str, audience: str) -> RemoteTarget | None:
        """The MANUAL list called *name*, case ignored. PlatformError INVALID when a list of that name is of another kind."""
        self._refuse_other(kind)
        return self._lists.find(name)

    def create(self, kind: str, name: str, audience: str) -> RemoteTarget:
        """A new MANUAL list. When the answer is lost or says that the name is taken, the list is looked for again."""
        self._refuse_other(kind)
        found = self._lists.find(name)
        if found:
            return found
        try:
            return self._lists.create(name)
        except PlatformError as error:
            if error.kind is not FaultKind.INVALID and not error.maybe:
                raise
            made = self._lists.find(name)
            if made is None:
                raise
            return made

    def push(self, target: RemoteTarget, batch: Sequence[RemoteChange]) -> list[Verdict]:
        from connectors.hubspot.push import push

        return push(self._api, target, batch)

    # --- help

    def _wishes(self) -> Wishes:
        from connectors.hubspot.pull import Wishes

        options = self._connection.options
        return Wishes(tuple(map(str, options.get("properties") or ())), bool(options.get("subscription_statuses")))

    def _order_number(self) -> str:
        return str(self._connection.options.get("order_id_property") or "hs_external_order_id")

    def _refuse_other(self, kind: str) -> None:
        if kind not in self.capabilities.targets:
            raise PlatformError("hubspot", kind, FaultKind.INVALID, code="HubSpot has lists only")

    def _gone(self, what: str) -> PlatformError:
        return PlatformError("hubspot", what, FaultKind.GONE, code="there is none of this name")


def _as_wished(options: Mapping[str, object]) -> Capabilities:
    """The capabilities under a connection's options."""
    burst = options.get("burst")
    if not isinstance(burst, int) or burst <= 0:
        return CAPABILITIES
    return replace(CAPABILITIES, limits=(Limit("general", burst, 10.0), *CAPABILITIES.limits[1:]))


class HubSpotKind:
    """What the entry point loads."""

    capabilities: Capabilities = CAPABILITIES

    def open(self, connection: Connection, clock: Clock) -> HubSpotConnector:
        return HubSpotConnector(connection, clock)


KIND = HubSpotKind()
