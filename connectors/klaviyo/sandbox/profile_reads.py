"""Reading profiles, whole or sparse, alone or by the hundred."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from connectors.klaviyo.sandbox import fieldsets
from connectors.klaviyo.sandbox.documents import Ask, Found, Keep, Reads, Rows, page, picked, related, single, walk
from connectors.klaviyo.sandbox.errors import missing
from connectors.klaviyo.sandbox.filters import DATE, TEXT, Condition, bounds, rule, wanted
from connectors.klaviyo.sandbox.groups import Group
from connectors.klaviyo.sandbox.people import CONSENTS, NEVER_SUBSCRIBED, iso
from connectors.klaviyo.sandbox.state import KlaviyoState
from connectors.sandbox.server import Request, Response, route

PLACE = ("address1", "address2", "city", "country", "latitude", "longitude", "region", "zip", "timezone", "ip")
PREDICTIONS = (
    "historic_clv", "predicted_clv", "total_clv", "historic_number_of_orders", "predicted_number_of_orders",
    "average_days_between_orders", "average_order_value", "churn_probability", "expected_date_of_next_order",
    "ranked_channel_affinity",
)
ADDITIONAL = {"profile": frozenset(("subscriptions", "predictive_analytics"))}
SUPPRESSION = "subscriptions.email.marketing.suppression"
LIST_SUPPRESSION = "subscriptions.email.marketing.list_suppressions"
TIMES = {"created": "created", "updated": "updated", f"{SUPPRESSION}.timestamp": "suppressed_at",
         f"{LIST_SUPPRESSION}.timestamp": "list_suppressed_at"}

# Source: Klaviyo OpenAPI, revision 2026-07-15, get_profiles; created and updated take no "or-equal"
PROFILES = Reads(
    size=(20, 100), sorts=("created", "email", "id", "updated", f"{SUPPRESSION}.timestamp", f"{LIST_SUPPRESSION}.timestamp"),
    rules={
        "id": TEXT, "email": TEXT, "phone_number": TEXT, "external_id": TEXT, "_kx": rule("text", "equals"),
        "created": rule("date", "greater-than", "less-than"), "updated": rule("date", "greater-than", "less-than"),
        f"{SUPPRESSION}.reason": rule("text", "equals"), f"{SUPPRESSION}.timestamp": DATE,
        f"{LIST_SUPPRESSION}.reason": rule("text", "equals"), f"{LIST_SUPPRESSION}.timestamp": DATE,
        f"{LIST_SUPPRESSION}.list_id": rule("text", "equals"),
    },
    includes=("conversations", "push-tokens"),
    fields={"profile": fieldsets.PROFILE, "conversation": fieldsets.CONVERSATION, "push-token": fieldsets.PUSH_TOKEN},
    additional=ADDITIONAL,
)
ONE_PROFILE = Reads(
    includes=("conversations", "lists", "push-tokens", "segments"),
    fields={**PROFILES.fields, "list": fieldsets.LIST, "segment": fieldsets.SEGMENT}, additional=ADDITIONAL,
)


class ProfileReads(KlaviyoState):
    """GET /api/profiles and what hangs below it."""

    @route("GET", "/api/profiles", tier="L", scopes=("profiles:read",))
    def get_profiles(self, request: Request) -> Response:
        wish = self.ask(request, PROFILES)
        found = self._profiles(wish)
        included: list[Any] | None = [] if wish.include else None
        return page(request, [self.profile(request, row, wish) for row in found.rows], found.cursor, included)

    def _profiles(self, wish: Ask) -> Found:
        named = self._named(wish.found)
        keep = self._kept(wish)
        column = TIMES.get(wish.sort, "")
        if column:
            order, key = self._time_order(column, named)
            low = 1 if column.endswith("suppressed_at") else None       # who has none is not in this order
            within = bounds(wish.found, wish.sort)
            return walk(order, key, wish, keep, max(within.low, low or within.low), within.high)
        return walk(*self._text_order(wish.sort, named), wish, keep)

    def _time_order(self, column: str, named: Rows | None) -> tuple[Rows, Callable[[int], Any]]:
        values = self.people.columns[column]
        order = self.people.columns.order(column) if named is None else named[np.argsort(values[named], kind="stable")]
        return order, lambda row: int(values[row])

    def _text_order(self, sort: str, named: Rows | None) -> tuple[Rows, Callable[[int], Any]]:
        if sort not in ("id", "email"):
            return np.arange(len(self.people)) if named is None else named, int
        texts = self.people.ids if sort == "id" else self.people.text["email"]
        rows = range(len(self.people)) if named is None else named.tolist()
        return np.array(sorted(rows, key=lambda row: (texts[row], row)), np.int64), lambda row: texts[row]

    def _named(self, found: list[Condition]) -> Rows | None:
        """Rows that the conditions by identifier leave, ascending; None when there are none."""
        people = self.people
        sets = []
        for field, index in (("id", people.by_id), ("external_id", people.by_external), ("phone_number", people.by_phone)):
            values = wanted(found, field)
            sets += [] if values is None else [{index[value] for value in values if value in index}]
        emails = wanted(found, "email")
        if emails is not None:
            sets.append({people.by_email[email.lower()] for email in emails if email.lower() in people.by_email})
        if wanted(found, "_kx") is not None:
            sets.append(set())
        return np.array(sorted(set.intersection(*sets)), np.int64) if sets else None

    def _kept(self, wish: Ask) -> Keep:
        """Which rows the remaining conditions let by."""
        columns = self.people.columns
        ranges = [(columns[column], bounds(wish.found, field)) for field, column in TIMES.items()
                  if any(condition.field == field for condition in wish.found)]
        reasons = [(condition.field, condition.values[0]) for condition in wish.found
                   if condition.field.startswith("subscriptions.") and condition.operator == "equals"]

        def keep(rows: Rows) -> npt.NDArray[np.bool_]:
            kept: npt.NDArray[np.bool_] = columns["alive"][rows]
            for values, within in ranges:
                chosen = values[rows]
                kept = kept & (chosen >= within.low) & (chosen < within.high) & (chosen > 0)
            for field, value in reasons:
                kept = kept & np.fromiter((self._suppressed(row, field, value) for row in rows.tolist()), bool, len(rows))
            return kept

        return keep

    def _suppressed(self, row: int, field: str, value: str) -> bool:
        if field.startswith(SUPPRESSION):
            return value in self.people.suppressions.get(row, {})
        lists = self.people.list_suppressions.get(row, {})
        return value in lists if field.endswith("list_id") else bool(lists) and value == "UNSUBSCRIBE"

    @route("GET", "/api/profiles/{id}", tier="L", scopes=("profiles:read",))
    def get_profile(self, request: Request) -> Response:
        wish = self.ask(request, ONE_PROFILE)
        row = self.row_of(request.params["id"])
        included = [
            self.group(request, group, wish) for kind, groups in (("lists", self.lists), ("segments", self.segments))
            if kind in wish.include for group in groups.rows() if self._shown(group, row)
        ]
        return single(request, self.profile(request, row, wish), included=included)

    @route("GET", "/api/profiles/{id}/relationships/lists", tier="S", scopes=("lists:read", "profiles:read"))
    def get_profile_list_ids(self, request: Request) -> Response:
        return self._group_ids(request, "list")

    @route("GET", "/api/profiles/{id}/relationships/segments", tier="S", scopes=("profiles:read", "segments:read"))
    def get_profile_segment_ids(self, request: Request) -> Response:
        return self._group_ids(request, "segment")

    def _group_ids(self, request: Request, kind: str) -> Response:
        self.ask(request, Reads())
        row = self.row_of(request.params["id"])
        groups = self.lists if kind == "list" else self.segments
        return page(request, [{"type": kind, "id": group.id} for group in groups.rows() if self._shown(group, row)], "")

    @staticmethod
    def _shown(group: Group, row: int) -> bool:
        return row < len(group.shown) and bool(group.shown[row])

    def row_of(self, identity: str) -> int:
        """The row of a living profile; 404 for any other id, also of one that was merged away."""
        row = self.people.find(identity)
        if row < 0:
            missing("profile", identity)
        return row

    # how a profile looks

    def profile(self, request: Request, row: int, wish: Ask, joined: int = 0) -> dict[str, Any]:
        """The resource; *joined*: since when it is in the group that is being read."""
        names = wish.fields.get("profile")
        identity = self.people.ids[row]
        made: dict[str, Any] = {"type": "profile", "id": identity, "attributes": {}}
        if names == ("joined_group_at",):
            made["attributes"] = {"joined_group_at": iso(joined)}
        else:
            attributes = self.attributes(row)
            if "subscriptions" in wish.additional or any(name.startswith("subscriptions") for name in names or ()):
                attributes["subscriptions"] = self.subscriptions(row)
            if "predictive_analytics" in wish.additional or any(name.startswith("predictive") for name in names or ()):
                attributes["predictive_analytics"] = dict.fromkeys(PREDICTIONS)
            if joined:
                attributes["joined_group_at"] = iso(joined)
            extra = tuple(wish.additional)
            made["attributes"] = picked(attributes, None if names is None else (*names, *extra))
        if names is None:
            made["relationships"] = related(request.base, "profiles", identity, "lists", "segments", "push-tokens")
        made["links"] = {"self": f"{request.base}/api/profiles/{identity}/"}
        return made

    def attributes(self, row: int) -> dict[str, Any]:
        """All plain attributes, null where there is nothing."""
        people, columns = self.people, self.people.columns
        extra = people.extra.get(row, {})
        last = int(columns["last_event"][row])
        made: dict[str, Any] = dict.fromkeys(fieldsets.PLAIN)
        for name in ("email", "phone_number", "first_name", "last_name"):
            made[name] = people.text[name][row] or None
        made["created"], made["updated"] = iso(int(columns["created"][row])), iso(int(columns["updated"][row]))
        made["last_event_date"] = iso(last) if last else None
        made["location"] = {
            **dict.fromkeys(PLACE), "city": people.text["city"][row] or None, "country": people.text["country"][row] or None,
            **extra.get("location", {}),
        }
        made["properties"] = extra.get("properties", {})
        for name in ("external_id", "organization", "locale", "title", "image"):
            made[name] = extra.get(name)
        return made

    def subscriptions(self, row: int) -> dict[str, Any]:
        """Permission per channel. `can_receive_email_marketing` only says that nothing suppresses: it is true for people
        who never subscribed. One timestamp in three is spelled with a space."""
        people, columns = self.people, self.people.columns
        consent, at = int(columns["consent"][row]), int(columns["consent_at"][row])
        since = iso(at, space=row % 3 == 2) if at else None
        suppressed = people.suppressions.get(row, {})
        return {
            "email": {"marketing": {
                "can_receive_email_marketing": not suppressed, "consent": CONSENTS[consent], "consent_timestamp": since,
                "last_updated": since, "method": "API" if consent != NEVER_SUBSCRIBED else None, "method_detail": None,
                "custom_method_detail": None, "double_optin": False if consent != NEVER_SUBSCRIBED else None,
                "suppression": [{"reason": reason, "timestamp": iso(when)} for reason, when in suppressed.items()],
                "list_suppressions": [
                    {"list_id": identity, "reason": "UNSUBSCRIBE", "timestamp": iso(when)}
                    for identity, when in people.list_suppressions.get(row, {}).items()
                ],
            }},
            "sms": {"marketing": {
                "can_receive_sms_marketing": False, "consent": "NEVER_SUBSCRIBED", "consent_timestamp": None, "method": None,
                "method_detail": None, "last_updated": None,
            }},
        }

    def group(self, request: Request, group: Group, wish: Ask) -> dict[str, Any]:
        """A list or segment as a resource."""
        attributes: dict[str, Any] = {"name": group.name, "created": iso(group.created), "updated": iso(group.updated)}
        if group.kind == "list":
            attributes["opt_in_process"] = group.opt_in
        else:
            attributes |= {"definition": {"condition_groups": []}, "is_active": True, "is_processing": False, "is_starred": False}
        names = wish.fields.get(group.kind)
        attributes = picked(attributes, names)
        if "profile_count" in wish.additional:
            attributes["profile_count"] = int(np.count_nonzero(group.shown))
        made: dict[str, Any] = {"type": group.kind, "id": group.id, "attributes": attributes}
        if names is None:
            made["relationships"] = related(request.base, group.kind + "s", group.id, "profiles", "tags", "flow-triggers")
        made["links"] = {"self": f"{request.base}/api/{group.kind}s/{group.id}/"}
        return made
