"""Klaviyo's profile record → Profile."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.base import Consent, ConsentState, Json, Millis, Profile, ProfileId
from connectors.klaviyo import times

STATES = {
    "SUBSCRIBED": ConsentState.GRANTED,
    "UNSUBSCRIBED": ConsentState.WITHDRAWN,
    "NEVER_SUBSCRIBED": ConsentState.UNKNOWN,
}
_INSTANTS = ("created", "updated", "last_event_date")


def profile(record: Mapping[str, Json]) -> Profile:
    """One resource object of type "profile", read with `additional-fields[profile]=subscriptions`.

    Source: Klaviyo API reference, revision 2026-07-15, Get Profiles.
    """
    attributes = record.get("attributes") or {}
    return Profile(
        id=ProfileId(record["id"]), email=attributes.get("email") or None, fields=fields(attributes),
        consent=consents(attributes), created=times.read(attributes.get("created")),
        updated=times.read(attributes.get("updated")),
    )


def fields(attributes: Mapping[str, Json]) -> dict[str, Json]:
    """The record without what stands beside it: consent (also the legacy `$consent…` properties). Timestamps that came with a
    space in the middle get their T."""
    found = {name: value for name, value in attributes.items() if name != "subscriptions"}
    properties = found.get("properties")
    if isinstance(properties, dict) and any(name.startswith("$consent") for name in properties):
        found["properties"] = {name: value for name, value in properties.items() if not name.startswith("$consent")}
    for name in _INSTANTS:
        text = found.get(name)
        if isinstance(text, str) and text[10:11] == " ":
            found[name] = text.replace(" ", "T", 1)
    return found


def consents(attributes: Mapping[str, Json]) -> tuple[Consent, ...]:
    """E-mail first, then what bars from single lists (*scope* is the list's id), then SMS where there is a number.

    Klaviyo keeps permission (`consent`) apart from suppression, and `can_receive_email_marketing` is also true for people who
    never subscribed: it only says that nothing suppresses them. A profile that has an address but comes without
    `subscriptions` is unreadable, not unsubscribed. Source: Klaviyo API reference, revision 2026-07-15, Get Profiles; guide
    "Collect email and SMS consent via API"; observed: github.com issue airbytehq/airbyte#55208.
    """
    subscriptions = attributes.get("subscriptions")
    channels = subscriptions if isinstance(subscriptions, dict) else {}
    found = [] if not attributes.get("email") and not channels.get("email") else _email(_marketing(channels, "email"))
    if attributes.get("phone_number") and channels.get("sms"):
        found.append(_sms(_marketing(channels, "sms")))
    return tuple(found)


def _marketing(channels: Mapping[str, Json], channel: str) -> Mapping[str, Json]:
    marketing = (channels.get(channel) or {}).get("marketing")
    return marketing if isinstance(marketing, dict) else {}


def _email(marketing: Mapping[str, Json]) -> list[Consent]:
    """Withdrawn by an UNSUBSCRIBE suppression or consent UNSUBSCRIBED; suppressed by any other reason, known to us or not, and
    when Klaviyo would not send for a reason that it does not give."""
    suppressions = _entries(marketing, "suppression")
    state = STATES.get(str(marketing.get("consent")), ConsentState.UNREADABLE)
    if any(entry.get("reason") == "UNSUBSCRIBE" for entry in suppressions) and state is not ConsentState.UNREADABLE:
        state = ConsentState.WITHDRAWN
    suppressed = any(entry.get("reason") != "UNSUBSCRIBE" for entry in suppressions)
    if state not in (ConsentState.WITHDRAWN, ConsentState.UNREADABLE):
        suppressed |= marketing.get("can_receive_email_marketing") is False
    at = _latest(suppressions) or times.read(marketing.get("consent_timestamp"))
    return [Consent("email", state, suppressed=suppressed, at=at), *_lists(_entries(marketing, "list_suppressions"))]


def _lists(entries: list[Mapping[str, Json]]) -> list[Consent]:
    """One for each list that the person left or is kept from."""
    times_of = {str(entry["list_id"]): times.read(entry.get("timestamp")) for entry in entries if entry.get("list_id")}
    return [Consent("email", ConsentState.WITHDRAWN, scope=id_, suppressed=True, at=at) for id_, at in times_of.items()]


def _sms(marketing: Mapping[str, Json]) -> Consent:
    state = STATES.get(str(marketing.get("consent")), ConsentState.UNREADABLE)
    suppressed = marketing.get("can_receive_sms_marketing") is False and state is ConsentState.GRANTED
    return Consent("sms", state, suppressed=suppressed, at=times.read(marketing.get("consent_timestamp")))


def _entries(marketing: Mapping[str, Json], name: str) -> list[Mapping[str, Json]]:
    entries = marketing.get(name)
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _latest(entries: list[Mapping[str, Json]]) -> Millis | None:
    return max((at for entry in entries if (at := times.read(entry.get("timestamp"))) is not None), default=None)
