"""Mailchimp as a connector: tags in audiences, people and what came of mails and orders.

    MailchimpConnector
      ├─ control.py    account, audiences, tags (the vendor's SDK)
      ├─ pull.py       streams → people.py, campaigns.py, shop.py
      └─ push.py       members of a tag
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
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
    RemoteChange,
    RemoteTarget,
    Stream,
    StreamKind,
    Verdict,
)

if TYPE_CHECKING:
    from connectors.mailchimp.control import Control

MAIL = {"campaign": "campaign_id"}
MONEY = {"value": "order_total", "currency": "currency_code", "quantity": "quantity", "items": "lines",
         "product": "lines.product_title", "price": "lines.price", "campaign": "campaign_id"}

CAPABILITIES = Capabilities(
    platform="mailchimp",
    title="Mailchimp",
    targets=frozenset({"tag"}),
    refused={"list": "Mailchimp's lists are its audiences, and being in one is a matter of consent; write 'tag:' instead"},
    audiences=True,
    subscriptions=False,
    streams=(
        Stream("profiles", StreamKind.PROFILES),
        Stream("profiles_complete", StreamKind.PROFILES, incremental=False, sweep=True),
        Stream("email_activity", StreamKind.EVENTS),
        Stream("sent", StreamKind.EVENTS, events=frozenset({"sent"})),
        Stream("unsubscribes", StreamKind.EVENTS, incremental=False, events=frozenset({"unsubscribe"})),
        Stream("complaints", StreamKind.EVENTS, incremental=False, events=frozenset({"abuse"})),
        Stream("orders", StreamKind.EVENTS, incremental=False, events=frozenset({"order"})),
        Stream("carts", StreamKind.EVENTS, incremental=False, events=frozenset({"cart"})),
    ),
    events={
        "sent": EventName("email_sent", MAIL),
        "open": EventName("email_opened", MAIL),
        "click": EventName("email_clicked", {**MAIL, "url": "url"}),
        "bounce": EventName("email_bounced", {**MAIL, "kind": "type"}),
        "unsubscribe": EventName("email_unsubscribed", MAIL),
        "abuse": EventName("email_complained", MAIL),
        "order": EventName("order_placed", {"order_id": "id", **MONEY}),
        "cart": EventName("cart_updated", {"cart_id": "id", **MONEY}),
    },
    fields={
        "email": "email_address",
        "first_name": "merge_fields.FNAME",
        "last_name": "merge_fields.LNAME",
        "phone": "merge_fields.PHONE",
        "country": "location.country_code",
        "region": "location.region",
        "city": "merge_fields.ADDRESS.city",
        "postcode": "merge_fields.ADDRESS.zip",
        "language": "language",
        "timezone": "location.timezone",
        "created": "timestamp_opt",
    },
    batch=Batch(adds=500, removes=500, together=True),      # Marketing API reference, Batch add or remove members
    joining_told=True,
    lookup=False,
    effect_told=False,
    member_lag=10 * MINUTE,                         # observed: github.com issue brandonseydel/MailChimp.Net#86
    name_limit=50,                                  # observed: github.com smartchicago/kimball#36; more is not documented
    names_ignore_case=True,
    limits=(Limit("general", 10, 0),),              # at once, per person who made the key; API docs, Rate limits and timeouts
)


class MailchimpConnector:
    """One account. Safe for many threads."""

    capabilities: Capabilities = CAPABILITIES

    def __init__(self, connection: Connection, clock: Clock) -> None:
        from connectors.budget import Budget
        from connectors.http import Http
        from connectors.mailchimp.api import Listings
        from connectors.mailchimp.faults import classify

        self._connection = connection
        self._http = Http(
            "mailchimp", base_url(connection), clock=clock, headers=_headers(connection.key.reveal()), classify=classify,
            budget=Budget(CAPABILITIES.limits, connection.share, clock), policy=connection.retry,
        )
        self._listings = Listings(self._http)
        self._resolved: dict[str, str] = {}         # what the config calls an audience → its id, which outlives a new name

    @cached_property
    def _control(self) -> Control:
        """Made when first needed: the SDK takes a while to load."""
        from connectors.mailchimp.control import Control

        return Control(self._http, self._connection.key.reveal())

    def close(self) -> None:
        self._http.close()

    def account(self) -> Account:
        return self._control.account()

    def audience(self, ref: str) -> str:
        """The audience whose id is *ref*, else the only one of that name."""
        found = self._control.audiences()
        named = [ref] if ref in found else [key for key, name in found.items() if name == ref]
        if len(named) != 1:
            code = "several audiences of that name" if named else "no such audience"
            raise PlatformError("mailchimp", "GET /lists", FaultKind.GONE, code=code)
        return named[0]

    def find(self, kind: str, name: str, audience: str) -> RemoteTarget | None:
        _only_tags(kind)
        return self._control.tag(name, audience)

    def create(self, kind: str, name: str, audience: str) -> RemoteTarget:
        _only_tags(kind)
        return self._control.tag(name, audience) or self._control.create_tag(name, audience)

    def pull(self, stream: Stream, since: Cursor | None) -> Iterator[Page]:
        from connectors.mailchimp.pull import pull

        return pull(
            self._listings, stream, since, since=self._connection.since, audiences=self._audiences, chosen=self._chosen,
        )

    def members(self, target: RemoteTarget) -> Iterator[MemberPage]:
        from connectors.mailchimp.push import members

        return members(self._listings, target)

    def look(self, target: RemoteTarget, profiles: Sequence[ProfileId]) -> dict[ProfileId, bool]:
        from connectors.mailchimp.push import look

        return look(self._listings, target, profiles)

    def joined(self, target: RemoteTarget, profiles: Sequence[ProfileId]) -> dict[ProfileId, Millis]:
        from connectors.mailchimp.push import joined

        return joined(self._listings, target, profiles)

    def push(self, target: RemoteTarget, batch: Sequence[RemoteChange]) -> list[Verdict]:
        from connectors.mailchimp.push import push

        return push(self._http, target, batch)

    def _chosen(self) -> frozenset[str]:
        """Ids of the audiences that the config names; none of them: all are meant."""
        for ref in self._connection.audiences.values():
            if ref not in self._resolved:
                self._resolved[ref] = self.audience(ref)
        return frozenset(self._resolved.values())

    def _audiences(self, known: Mapping[str, int]) -> list[str]:
        """Audiences to pull. One that was pulled before and is not listed any more is left out only when it is really gone."""
        chosen = self._chosen()
        if chosen:
            return sorted(chosen)
        listed = self._control.audiences()
        return [*listed, *(name for name in known if name not in listed and self._control.has_audience(name))]


class MailchimpKind:
    """The entry point: capabilities without an SDK, and `open`."""

    capabilities: Capabilities = CAPABILITIES

    def open(self, connection: Connection, clock: Clock) -> MailchimpConnector:
        return MailchimpConnector(connection, clock)


KIND = MailchimpKind()


def base_url(connection: Connection) -> str:
    """`https://<dc>.api.mailchimp.com/3.0` with the data centre that ends the key, or the given address with `/3.0` at its end.
    PlatformError KEY when neither tells. Source: Mailchimp API docs, Methods and parameters and API keys pages."""
    given = (connection.base_url or "").rstrip("/")
    if given:
        return given if given.endswith("/3.0") else f"{given}/3.0"
    centre = connection.key.reveal().rpartition("-")[2]
    if "-" not in connection.key.reveal() or not re.fullmatch(r"[a-z]{2,4}\d{1,3}", centre):
        raise PlatformError("mailchimp", "open", FaultKind.KEY, code="key does not end in a data centre, such as -us6")
    return f"https://{centre}.api.mailchimp.com/3.0"


def _headers(key: str) -> dict[str, str]:
    from base64 import b64encode

    return {"Authorization": "Basic " + b64encode(f"segmentd:{key}".encode()).decode(), "User-Agent": "segmentd"}


def _only_tags(kind: str) -> None:
    if kind != "tag":
        raise PlatformError("mailchimp", "find target", FaultKind.INVALID, code="only tags")
