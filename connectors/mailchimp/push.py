"""Members of a tag: who is on it, and putting people on and off.

A tag is a static segment with the same id. Source: Mailchimp Marketing API reference, Batch add or remove members and List
members in segment; observed: github.com issue hitobito/hitobito#1819 (500 addresses a call).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from connectors.base import (
    BATCH_REFUSED,
    Accepted,
    Effect,
    FaultKind,
    Json,
    MemberPage,
    Millis,
    Op,
    PlatformError,
    ProfileId,
    Rejected,
    RemoteChange,
    RemoteTarget,
    Stopped,
    Transient,
    Verdict,
)
from connectors.http import Http
from connectors.mailchimp.api import Listings, read
from connectors.mailchimp.profiles import contact_of, profile_id
from connectors.mailchimp.times import moment

MEMBERS = "/lists/{list_id}/segments/{segment_id}/members"
TAGS = "/lists/{list_id}/members/{subscriber_hash}/tags"
SEGMENT = "/lists/{list_id}/segments/{segment_id}"
EVERYBODY = {f"include_{state}": "true" for state in ("cleaned", "transactional", "unsubscribed")}
RESTARTS = 3
NO_ADDRESS, GONE, REFUSED = "no address", "profile is gone", "refused by the platform"


def members(api: Listings, target: RemoteTarget) -> Iterator[MemberPage]:
    """Everybody on the tag whatever their consent, less the archived.

    There is no key to walk by, so each page begins with the last row of the one before; where it does not, the listing moved and
    is walked again. After `RESTARTS` of that, or when rows are fewer than counted, the listing is not complete. (It may count too
    few: with the include flags `total_items` leaves people out, observed, github.com estuary/connectors live probes.)
    """
    path = f"/lists/{target.audience}/segments/{target.id}/members"
    params = {**EVERYBODY, "fields": "members.contact_id,members.status,total_items"}
    seen: set[str] = set()
    anchor, offset, restarts = "", 0, 0
    while True:
        page = api.page(path, "members", MEMBERS, params, offset)
        ids = read(f"GET {MEMBERS}", lambda: [str(row["contact_id"]) for row in page.rows])  # noqa: B023 - called at once
        moved = bool(anchor) and ids[:1] != [anchor]
        fresh = [] if moved else _fresh(page.rows, seen, target.audience)
        if moved and restarts < RESTARTS:
            anchor, offset, restarts = "", 0, restarts + 1
            continue
        last = moved or not page.full
        yield MemberPage(fresh, last=last, complete=last and not moved and offset + len(ids) >= page.total)
        if last:
            return
        anchor, offset = ids[-1], offset + len(ids) - 1


def _fresh(rows: Sequence[Json], seen: set[str], list_id: str) -> list[ProfileId]:
    found = [str(row["contact_id"]) for row in rows if row.get("status") != "archived"]
    fresh = [profile_id(list_id, contact) for contact in dict.fromkeys(found) if contact not in seen]
    seen.update(found)
    return fresh


def look(api: Listings, target: RemoteTarget, profiles: Sequence[ProfileId]) -> dict[ProfileId, bool]:
    """Which of *profiles* wear the tag, one call each; people who no longer exist are left out.

    A member can be named by its contact id, and tells at most 50 tags. Source: Mailchimp Marketing API reference, Get member info
    and List member tags.
    """
    return {profile: any(str(tag["id"]) == target.id for tag in tags) for profile, tags in _tags(api, profiles)}


def joined(api: Listings, target: RemoteTarget, profiles: Sequence[ProfileId]) -> dict[ProfileId, Millis]:
    """Since when *profiles* wear the tag, one call each; those who do not, or no longer exist, are left out.

    Source: Mailchimp Marketing API reference, List member tags: `date_added`, when the tag was added to the member.
    """
    worn = {
        profile: read(f"GET {TAGS}", lambda: moment(tag.get("date_added")))     # noqa: B023 - called at once
        for profile, tags in _tags(api, profiles) for tag in tags if str(tag["id"]) == target.id
    }
    return {profile: at for profile, at in worn.items() if at is not None}


def _tags(api: Listings, profiles: Sequence[ProfileId]) -> Iterator[tuple[ProfileId, Sequence[Json]]]:
    """The tags of each of *profiles* that exists."""
    for profile in profiles:
        list_id, contact = contact_of(profile)
        try:
            page = api.page(f"/lists/{list_id}/members/{contact}/tags", "tags", TAGS, {})
        except PlatformError as error:
            if error.kind is not FaultKind.GONE:
                raise
            continue
        yield profile, page.rows


def push(http: Http, target: RemoteTarget, batch: Sequence[RemoteChange]) -> list[Verdict]:
    """A verdict per change, same order, of one call that adds and removes. Addresses that are not on the audience are not
    created by it: they come back as errors."""
    adds = [change.email for change in batch if change.op is Op.ADD and change.email]
    removes = [change.email for change in batch if change.op is Op.REMOVE and change.email]
    if not adds and not removes:
        return [Rejected(NO_ADDRESS) for _ in batch]
    wish = {"members_to_add": adds, "members_to_remove": removes}
    try:
        answer = http.write("POST", f"/lists/{target.audience}/segments/{target.id}", json=wish, name=SEGMENT)
        told = read(f"POST {SEGMENT}", lambda: _Told(answer.data))
    except PlatformError as error:
        verdict = failed(error, alone=len(adds) + len(removes) == 1)
        return [verdict if change.email else Rejected(NO_ADDRESS) for change in batch]
    return [told.verdict(change) for change in batch]


class _Told:
    """What the answer says of each address. Documented: an array each of members added, members removed, and errors."""

    def __init__(self, data: Json) -> None:
        self.done = {Op.ADD: _named(data["members_added"]), Op.REMOVE: _named(data["members_removed"])}
        self.errors: Mapping[str, str] = {
            address.lower(): str(error.get("error") or "") for error in data["errors"] for address in error["email_addresses"]
        }

    def verdict(self, change: RemoteChange) -> Verdict:
        """Whether somebody who was on already is listed as added is not documented, so being listed proves acceptance and not
        change; somebody neither listed nor an error was on (or off) before."""
        if not change.email:
            return Rejected(NO_ADDRESS)
        if {change.email.lower(), contact_of(change.profile)[1]} & self.done[change.op]:
            return Accepted(Effect.UNTOLD)
        error = self.errors.get(change.email.lower())
        if error is None:
            return Accepted(Effect.ALREADY)
        if "not found" not in error.lower():
            return Rejected(REFUSED)
        return Rejected(GONE) if change.op is Op.ADD else Accepted(Effect.ALREADY)     # nobody there: nothing to take off


def _named(rows: Sequence[Json]) -> set[str]:
    """Addresses and contact ids of member records."""
    return {name for row in rows for name in (row["email_address"].lower(), str(row.get("contact_id") or ""))} - {""}


def failed(error: PlatformError, *, alone: bool) -> Verdict:
    """What a call that did not work means for each of its changes; *alone*: it held only one."""
    match error.kind:
        case FaultKind.KEY | FaultKind.SCOPE | FaultKind.ACCOUNT | FaultKind.RETIRED:
            return Stopped(error.code or error.kind.value, "connection")
        case FaultKind.GONE:
            return Stopped("target is gone", "target")
        case FaultKind.INVALID | FaultKind.CURSOR:
            return Rejected(REFUSED) if alone else Transient(BATCH_REFUSED)
        case _:
            return Transient(error.code or error.kind.value, error.retry_after, maybe=error.maybe)
