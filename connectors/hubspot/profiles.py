"""A contact record becomes a profile: which properties to ask for, what they say about permission.

Source: HubSpot API reference 2026-09, Contacts and Properties; HubSpot knowledge of default contact properties.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from connectors.base import Consent, ConsentState, FaultKind, Json, Millis, PlatformError, Profile, ProfileId
from connectors.hubspot.api import VERSION, Api, Record, identified, rows, whole_batch
from connectors.hubspot.times import at

NEUTRAL = {
    "email": "email", "first_name": "firstname", "last_name": "lastname", "phone": "phone", "country": "country",
    "region": "state", "city": "city", "postcode": "zip", "language": "hs_language", "timezone": "hs_timezone",
    "created": "createdate",
}
IDENTITY = ("hs_additional_emails", "hs_merged_object_ids")
STANDING = ("hs_email_optout", "hs_email_hard_bounce_reason_enum", "hs_email_quarantined")
USUAL = (
    "lastmodifieddate", "hs_object_id", "lifecyclestage", "hs_lead_status", "hs_marketable_status", "hubspot_owner_id", "company",
    "jobtitle", "salutation", "gender", "date_of_birth", "mobilephone", "website", "address", "industry", "annualrevenue",
    "numemployees", "hs_persona", "hubspotscore", "hs_ip_timezone", "hs_country_region_code", "hs_state_code",
    "recent_deal_amount", "recent_deal_close_date", "total_revenue", "num_associated_deals", "first_deal_created_date",
    "recent_conversion_date", "recent_conversion_event_name", "num_conversion_events", "hs_analytics_source",
    "hs_analytics_first_timestamp", "hs_analytics_last_timestamp", "hs_analytics_num_page_views", "notes_last_contacted",
    "hs_email_delivered", "hs_email_open", "hs_email_click", "hs_email_bounce", "hs_email_sends_since_last_engagement",
    "hs_email_first_send_date", "hs_email_last_send_date", "hs_email_last_open_date", "hs_email_last_click_date",
    "hs_email_last_email_name",
)
DEALS = "deals"                                     # the field of contacts that holds their deals: no property can be called so
_BY_TYPE = re.compile(r"hs_email_optout_(\d+)")
_SENSITIVE = ("sensitive", "highly_sensitive")      # such properties need scopes of their own


@dataclass(frozen=True, slots=True)
class Shape:
    """What to ask for in one pull. *optouts*: property of a subscription type's opt-out → that type's id, a consent's scope.
    *hidden*: properties that stand beside `Profile.fields`."""

    properties: tuple[str, ...]
    optouts: Mapping[str, str]
    hidden: frozenset[str] = field(default_factory=frozenset)


def read_shape(api: Api, wished: Iterable[str]) -> tuple[Shape, Millis]:
    """What this account's contacts can be asked for, and the platform's time before anything was read. Two calls.

    *wished*: further property names. Custom properties are all asked for, of HubSpot's own the usual ones; one called `deals` never:
    the deals of a contact stand there. The ids of the
    subscription types come from their definitions and from the properties' names, so that a key without the scope for the
    definitions misses no opt-out.
    """
    definitions, now = api.properties("contacts")
    try:
        types = {str(one["id"]) for one in api.subscription_types() if one.get("id")}
    except PlatformError as error:
        if error.kind is not FaultKind.SCOPE:
            raise
        types = set()
    named = {one.get("name"): one for one in definitions}
    types |= {match[1] for name in named if isinstance(name, str) and (match := _BY_TYPE.fullmatch(name))}
    optouts = {f"hs_email_optout_{one}": one for one in sorted(types)}
    asked = dict.fromkeys((*NEUTRAL.values(), *IDENTITY, *STANDING, *optouts, *USUAL, *custom(definitions), *wished))
    asked.pop(DEALS, None)
    return Shape(tuple(asked), optouts, frozenset((*IDENTITY, *STANDING, *optouts))), now


def custom(definitions: Sequence[Record]) -> list[str]:
    """Names of the properties that the account itself defined and that an ordinary key may read, sorted."""
    return sorted(
        one["name"] for one in definitions
        if isinstance(one.get("name"), str) and not one.get("hubspotDefined") and not one["name"].startswith("hs_")
        and not one.get("archived") and one.get("dataSensitivity") not in _SENSITIVE
    )


def profile(record: Record, shape: Shape, live: bool) -> Profile:
    """The profile of a contact record. It is keyed by the id that was answered: a merged one answers for those it absorbed
    (`hs_merged_object_ids`). Values stay text, as HubSpot has them; what is empty is left out."""
    own, said = identified(record, "contacts")
    return Profile(
        ProfileId(own), said.get("email") or None,
        {name: value for name, value in said.items() if value is not None and value != "" and name not in shape.hidden},
        consents(said, shape.optouts), live=live,
        aliases=_parts(said.get("hs_additional_emails")),
        absorbed=tuple(ProfileId(one) for one in _parts(said.get("hs_merged_object_ids")) if one != own),
        created=at(said.get("createdate") or record.get("createdAt")),
        updated=at(said.get("lastmodifieddate") or record.get("updatedAt")),
    )


def consents(said: Mapping[str, Json], optouts: Mapping[str, str]) -> tuple[Consent, ...]:
    """Permission as the record tells it: the global opt-out always, a type's only where it says something.

    No opt-out is not permission: it stays unknown. Hard bounced and quarantined addresses are undeliverable. A property that
    was asked for comes as null when it is empty; without the key the answer is not what we think, so that person is frozen.
    Source: HubSpot API reference 2026-09, Contacts; HubSpot developer docs, Subscription preferences.
    """
    quarantined = _flag(said.get("hs_email_quarantined"))
    state = _opted_out(said["hs_email_optout"]) if "hs_email_optout" in said else ConsentState.UNREADABLE
    if quarantined is None:
        state = ConsentState.UNREADABLE if state is ConsentState.UNKNOWN else state
    suppressed = bool(said.get("hs_email_hard_bounce_reason_enum")) or bool(quarantined)
    by_type = ((scope, _opted_out(said.get(name))) for name, scope in optouts.items())
    return (
        Consent("email", state, suppressed=suppressed),
        *(Consent("email", one, scope) for scope, one in by_type if one is not ConsentState.UNKNOWN),
    )


def _opted_out(value: Json) -> ConsentState:
    flag = _flag(value)
    if flag is None:
        return ConsentState.UNREADABLE
    return ConsentState.WITHDRAWN if flag else ConsentState.UNKNOWN


def _flag(value: Json) -> bool | None:
    """A boolean property, empty counting as false; None for what is neither."""
    text = value.strip().lower() if isinstance(value, str) else value
    if text in (None, "", "false", False):
        return False
    return True if text in ("true", True) else None


def _parts(value: Json) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(";") if part.strip()) if isinstance(value, str) else ()


# --- subscription statuses (Marketing Hub Enterprise) ------------------------------------------------------------------------


def with_statuses(api: Api, found: Sequence[Profile]) -> list[Profile]:
    """*found* with the status of each subscription type beside what the records say: the only cheap place that tells who is
    subscribed. One call per 100 addresses. PlatformError SCOPE where the plan does not offer it.

    Source: HubSpot API reference 2026-09, Subscription preferences, batch read (Marketing Hub Enterprise).
    """
    path = f"/communication-preferences/{VERSION}/statuses/batch/read"
    told: dict[str, list[Consent]] = {}
    addresses = sorted({one.email for one in found if one.email})
    for start in range(0, len(addresses), 100):
        body = {"inputs": addresses[start : start + 100]}
        for row in whole_batch(api.ask(f"{path}?channel=EMAIL", body, name=path), path):
            told[str(row.get("subscriberIdString", "")).lower()] = [
                consent for status in rows(row, "statuses", path) if (consent := _status(status))
            ]
    return [_with(one, told.get((one.email or "").lower(), [])) for one in found]


def _status(status: Record) -> Consent | None:
    states = {"SUBSCRIBED": ConsentState.GRANTED, "UNSUBSCRIBED": ConsentState.WITHDRAWN, "NOT_SPECIFIED": None}
    state = states.get(status.get("status", ""), ConsentState.UNREADABLE)
    return Consent("email", state, str(status.get("subscriptionId")), at=at(status.get("timestamp"))) if state else None


def _with(one: Profile, told: Sequence[Consent]) -> Profile:
    """An opt-out on the record wins over a status."""
    said = {consent.scope for consent in one.consent}
    extra = tuple(consent for consent in told if consent.scope not in said)
    return replace(one, consent=one.consent + extra) if extra else one
