"""Klaviyo: what it can do, as data, and one open connection. Importing this loads no SDK and no HTTP client."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from connectors.base import (
    DAY,
    MINUTE,
    Account,
    Batch,
    Capabilities,
    Clock,
    Connection,
    Connector,
    Cursor,
    EventName,
    FaultKind,
    Limit,
    MemberPage,
    Millis,
    Page,
    PlatformError,
    ProfileId,
    RemoteChange,
    RemoteTarget,
    Stream,
    StreamKind,
    Verdict,
)

if TYPE_CHECKING:
    from connectors.klaviyo.calls import Calls
    from connectors.klaviyo.control import Control
    from connectors.klaviyo.pull import Puller

_MAIL = {"campaign": "$message"}
_SHOP = {"value": "$value", "currency": "$currency_code", "quantity": "quantity", "items": "Items", "category": "Categories"}

EVENTS = {
    "Received Email": EventName("email_sent", _MAIL),
    "Opened Email": EventName("email_opened", {**_MAIL, "machine": "machine_open"}),
    "Clicked Email": EventName("email_clicked", {**_MAIL, "url": "URL"}),
    "Bounced Email": EventName("email_bounced", {**_MAIL, "kind": "Bounce Type"}),
    "Marked Email as Spam": EventName("email_complained", _MAIL),
    "Unsubscribed": EventName("email_unsubscribed", _MAIL),
    "Unsubscribed from Email Marketing": EventName("email_unsubscribed", _MAIL),
    "Unsubscribed from List": EventName("email_unsubscribed", _MAIL),
    "Placed Order": EventName("order_placed", {**_SHOP, "order_id": "OrderId"}),
    "Refunded Order": EventName("order_refunded", {**_SHOP, "order_id": "OrderId"}),
    "Started Checkout": EventName("checkout_started", {**_SHOP, "cart_id": "$event_id"}),
    "Added to Cart": EventName("cart_updated", {
        **_SHOP, "cart_id": "$event_id", "product": "AddedItemProductName", "price": "AddedItemPrice",
        "category": "AddedItemCategories",
    }),
    "Viewed Product": EventName("product_viewed", {
        "product": "ProductName", "category": "Categories", "price": "Price", "url": "URL", "value": "$value",
    }),
    "Active on Site": EventName("page_viewed", {"url": "$page"}),
}
"""Metrics that Klaviyo and its shop integrations make by themselves; any other metric keeps its own name.

Source: Klaviyo guides "Integrate a platform without a pre-built Klaviyo integration" (names and properties of the shop's
metrics) and "Events API overview" (`$message`, `$value`). `$currency_code`, `machine_open`, `Bounce Type` and `$page` are
UNVERIFIED, and a shop integration may call its order's number otherwise than `OrderId`: the config's `events:` can name others.
"""

FIELDS = {
    "email": "email", "first_name": "first_name", "last_name": "last_name", "phone": "phone_number",
    "country": "location.country", "region": "location.region", "city": "location.city", "postcode": "location.zip",
    "language": "locale", "timezone": "location.timezone", "created": "created",
}


def _tier(lane: str, burst: int, steady: int) -> tuple[Limit, Limit]:
    """Both windows of one endpoint."""
    return Limit(lane, burst, 1.0), Limit(lane, steady, 60.0)


LIMITS = (
    *_tier("accounts", 1, 15), *_tier("list count", 1, 15), *_tier("profile lists", 3, 60),
    *_tier("list create", 10, 150), Limit("list create", 150, DAY / 1000),
    *_tier("list add", 10, 150), *_tier("list remove", 10, 150),
    *_tier("lists", 75, 750), *_tier("list", 75, 750), *_tier("list members", 75, 750), *_tier("list member ids", 75, 750),
    *_tier("profiles", 75, 750), *_tier("events", 350, 3500),
)
"""Per account and endpoint, in a second and in a minute; lists made, in a day, too. All private keys of an account share them.

Source: Klaviyo API reference, revision 2026-07-15, each endpoint's rate limits; guide "Rate limits, status codes, and errors".
"""

CAPABILITIES = Capabilities(
    platform="klaviyo",
    title="Klaviyo",
    targets=frozenset({"list"}),
    refused={
        "tag": "Klaviyo's tags sit on lists, segments, campaigns and flows, not on people: write list: instead of tag:",
        "audience": "a Klaviyo account has no audiences: leave audience: out",
        "subscription": "Klaviyo has no subscription types: leave subscription: out, opt-outs bar everywhere",
    },
    audiences=False,
    subscriptions=False,
    streams=(
        Stream("profiles", StreamKind.PROFILES),
        Stream("profiles_complete", StreamKind.PROFILES, incremental=False, sweep=True),
        Stream("events", StreamKind.EVENTS),
        Stream("events_week", StreamKind.EVENTS, incremental=False),
    ),
    events=EVENTS,
    fields=FIELDS,
    batch=Batch(adds=1000, removes=1000, together=False),
    lookup=True,
    joining_told=True,
    effect_told=False,
    member_lag=15 * MINUTE,                         # 204 only acknowledges; when a read shows it is not documented
    name_limit=255,                                 # not documented; lists of more are refused by nobody we know of
    names_ignore_case=False,
    limits=LIMITS,
)


class KlaviyoConnector:
    """One open connection; makes its first call when first asked something."""

    capabilities = CAPABILITIES

    def __init__(self, calls: Calls, control: Control, puller: Puller) -> None:
        self._calls, self._control, self._puller = calls, control, puller

    def account(self) -> Account:
        return self._control.account()

    def pull(self, stream: Stream, since: Cursor | None) -> Iterator[Page]:
        return self._puller.pull(stream.name, since)

    def find(self, kind: str, name: str, audience: str) -> RemoteTarget | None:
        _only_lists(kind)
        return self._control.find(name)

    def create(self, kind: str, name: str, audience: str) -> RemoteTarget:
        _only_lists(kind)
        return self._control.create(name)

    def audience(self, ref: str) -> str:
        """There are none: "" is the only one."""
        if ref:
            raise PlatformError("klaviyo", "audience", FaultKind.GONE, code="Klaviyo has no audiences")
        return ""

    def subscription(self, ref: str) -> str:
        """There are none."""
        raise PlatformError("klaviyo", "subscription", FaultKind.GONE, code="Klaviyo has no subscription types")

    def members(self, target: RemoteTarget) -> Iterator[MemberPage]:
        from connectors.klaviyo.members import listing

        return listing(self._calls, target)

    def look(self, target: RemoteTarget, profiles: Sequence[ProfileId]) -> dict[ProfileId, bool]:
        from connectors.klaviyo.members import look

        return look(self._calls, target, profiles)

    def joined(self, target: RemoteTarget, profiles: Sequence[ProfileId]) -> dict[ProfileId, Millis]:
        from connectors.klaviyo.members import joined

        return joined(self._calls, target, profiles)

    def push(self, target: RemoteTarget, batch: Sequence[RemoteChange]) -> list[Verdict]:
        from connectors.klaviyo.push import push

        return push(self._calls, target, batch)

    def close(self) -> None:
        self._calls.close()


class KlaviyoKind:
    """What the registry loads."""

    capabilities = CAPABILITIES

    def open(self, connection: Connection, clock: Clock) -> Connector:
        """A connector for one private key; the key's form is not judged, since its length differs and a wrong one is told."""
        from connectors.klaviyo.calls import Calls
        from connectors.klaviyo.control import Control
        from connectors.klaviyo.pull import Puller

        calls = Calls(connection, clock, LIMITS)
        return KlaviyoConnector(calls, Control(connection, calls), Puller(calls, connection.since))


def _only_lists(kind: str) -> None:
    if kind != "list":
        raise PlatformError("klaviyo", "target", FaultKind.INVALID, code="people on Klaviyo have no tags, only lists")


KIND = KlaviyoKind()
