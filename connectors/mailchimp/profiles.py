"""One audience member → Profile."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.base import Consent, ConsentState, Json, Millis, Profile, ProfileId
from connectors.mailchimp.times import moment

STATES = {
    "subscribed": (ConsentState.GRANTED, False),
    "unsubscribed": (ConsentState.WITHDRAWN, False),
    "cleaned": (ConsentState.UNKNOWN, True),        # bounced out: must not be mailed, whatever was permitted
    "pending": (ConsentState.UNKNOWN, False),       # asked to confirm, has not yet
    "transactional": (ConsentState.UNKNOWN, False),  # known, never opted in
    "archived": (ConsentState.UNKNOWN, False),      # the state before is not told
}
SMS_STATES = {
    "subscribed": ConsentState.GRANTED,
    "unsubscribed": ConsentState.WITHDRAWN,
    "nonsubscribed": ConsentState.UNKNOWN,
    "pending": ConsentState.UNKNOWN,
}
UNUSED = (                                          # not even asked for
    "_links", "unique_email_id", "full_name", "ip_signup", "ip_opt", "consents_to_one_to_one_messaging", "unsubscribe_reason",
    "marketing_permissions", "sms_subscription_last_updated", "last_note",
)
BESIDE = frozenset(                                 # stands in other fields of Profile
    {*UNUSED, "id", "contact_id", "list_id", "status", "last_changed", "sms_subscription_status", "tags_count"}
)


def profile_id(list_id: str, contact_id: str) -> ProfileId:
    """`<list_id>:<contact_id>`: the contact id survives a changed address, the hash of the address does not.

    Source: Mailchimp API docs, Contacts page; observed: github.com grouparoo/grouparoo recorded exchanges.
    """
    return ProfileId(f"{list_id}:{contact_id}")


def contact_of(profile: ProfileId) -> tuple[str, str]:
    """Audience id and contact id."""
    list_id, _, contact_id = profile.partition(":")
    return list_id, contact_id


def profiles(rows: Sequence[Json], list_id: str) -> list[Profile]:
    """Each member as a Profile; KeyError, TypeError or ValueError when a row is not of the documented shape."""
    return [_profile(row, list_id) for row in rows]


def _profile(row: Json, list_id: str) -> Profile:
    opted = moment(row.get("timestamp_opt"))
    changed = moment(row["last_changed"])
    if changed is None or not row["contact_id"]:
        raise ValueError("a member has a time of change and a contact id")
    return Profile(
        id=profile_id(list_id, row["contact_id"]),
        email=row["email_address"] or None,
        fields={name: value for name, value in row.items() if name not in BESIDE},
        consent=_consent(row, opted),
        audience=list_id,
        live=row["status"] != "archived",
        created=moment(row.get("timestamp_signup")) or opted,
        updated=changed,
    )


def _consent(row: Json, opted: Millis | None) -> tuple[Consent, ...]:
    """A status we do not know is unreadable. Source: Mailchimp Marketing API schema, list member `status`."""
    state, suppressed = STATES.get(row["status"], (ConsentState.UNREADABLE, False))
    mail = Consent("email", state, suppressed=suppressed, at=opted if state is ConsentState.GRANTED else None)
    sms = row.get("sms_subscription_status")
    return (mail, Consent("sms", SMS_STATES.get(sms, ConsentState.UNREADABLE))) if sms else (mail,)
