"""Members of a MANUAL list: reading them, looking single ones up, adding and removing.

Source: HubSpot API reference 2026-09, Lists (memberships).
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
from connectors.hubspot.api import CONTACTS, GENERAL, MEMBER_PAGE, READ_BATCH, VERSION, Api, Record, following, rows, whole_batch
from connectors.hubspot.faults import PLATFORM, unexpected
from connectors.hubspot.sdk import MANUAL, not_manual
from connectors.hubspot.times import at

LISTS = f"/crm/lists/{VERSION}"


# --- reading ------------------------------------------------------------------------------------------------------------------


def list_of(api: Api, target: RemoteTarget) -> Record:
    """The list itself. PlatformError GONE when it is deleted."""
    path = f"{LISTS}/{target.id}"
    found = api.get(path, name=f"{LISTS}/{{list}}").data.get("list")
    if not isinstance(found, dict) or "processingType" not in found:
        raise unexpected(path)
    return found


def members(api: Api, target: RemoteTarget) -> Iterator[MemberPage]:
    """Everybody on the list, in order of record ids. Complete when the pages ended by themselves, no fewer were listed than the
    pages counted, and an empty listing agrees with the list's own size.

    Source: HubSpot API reference 2026-09, Lists, memberships: limit ≤ 250, `total` beside the rows; the list's size may be
    some 60 s late.
    """
    found = list_of(api, target)
    if found["processingType"] != MANUAL:
        raise PlatformError(PLATFORM, LISTS, FaultKind.INVALID, code=not_manual(found["processingType"]))
    path, name = f"{LISTS}/{target.id}/memberships", f"{LISTS}/{{list}}/memberships"
    after: str | None = None
    seen: set[str] = set()
    totals: list[int] = []
    while True:
        params: dict[str, object] = {"limit": MEMBER_PAGE} | ({"after": after} if after else {})
        data = api.get(path, params, name).data
        told = {_record_id(row, name): at(row.get("membershipTimestamp")) for row in rows(data, "results", name)}
        page, joined = [ProfileId(one) for one in told], {ProfileId(one): since for one, since in told.items() if since is not None}
        after = following(data, name, after)
        seen.update(page)
        totals += [data["total"]] if isinstance(data.get("total"), int) else []
        if after is None:
            expected = min(totals, default=0) or (1 if not seen and found.get("size") else 0)
            yield MemberPage(page, last=True, complete=len(seen) >= expected, joined=joined)
            return
        yield MemberPage(page, joined=joined)


def _record_id(row: Record, call: str) -> str:
    if not row.get("recordId"):
        raise unexpected(call)
    return str(row["recordId"])


def look(api: Api, target: RemoteTarget, profiles: Sequence[ProfileId]) -> dict[ProfileId, bool]:
    """Which *profiles* are members; those that no longer exist are left out. A call per 100, one more where some are not members,
    since being in no list and not being there at all may look alike."""
    told: dict[ProfileId, bool] = {}
    for asked, found in _memberships(api, target, profiles):
        unsure = [one for one in asked if one not in found]
        alive = {str(row["id"]) for row in api.records("contacts", unsure, ["hs_object_id"])}
        told |= {one: one in found for one in asked if one in found or one in alive}
    return told


def joined(api: Api, target: RemoteTarget, profiles: Sequence[ProfileId]) -> dict[ProfileId, Millis]:
    """When each of *profiles* that are members was last added, by HubSpot's own clock. A call per 100."""
    return {
        one: when for _, found in _memberships(api, target, profiles) for one, row in found.items()
        if (when := at(row.get("lastAddedTimestamp"))) is not None
    }


Memberships = dict[ProfileId, Record]               # profile → its membership, with `firstAddedTimestamp`, `lastAddedTimestamp`


def _memberships(
    api: Api, target: RemoteTarget, profiles: Sequence[ProfileId],
) -> Iterator[tuple[Sequence[ProfileId], Memberships]]:
    """Some of *profiles*, and the memberships in *target* of those that are members, until all were asked for.

    Source: HubSpot API reference 2026-09, Lists, memberships of many records.
    """
    path = f"{LISTS}/records/memberships/batch/read"
    for start in range(0, len(profiles), READ_BATCH):
        asked = profiles[start : start + READ_BATCH]
        inputs = [{"objectTypeId": CONTACTS, "recordId": one} for one in asked]
        lists = {
            str(row.get("recordId")): rows(row, "recordListMemberships", path)
            for row in whole_batch(api.ask(path, {"inputs": inputs}), path)
        }
        here = ((one, row) for one in asked for row in lists.get(one, ()))
        yield asked, {one: row for one, row in here if str(row.get("listId")) == target.id}


# --- writing ------------------------------------------------------------------------------------------------------------------


def push(api: Api, target: RemoteTarget, batch: Sequence[RemoteChange]) -> list[Verdict]:
    """Adds and removes in one call, a verdict for each.

    The answer is a difference: ids that it added or removed; one that was so before stands nowhere, an unknown one (erased,
    archived) under `recordIdsMissing`. Both keys of the body are required, ids are text. Source: HubSpot API reference 2026-09,
    Lists, add and remove records.
    """
    if target.kind != "list":
        return [Stopped("HubSpot has lists only")] * len(batch)
    if not batch:
        return []
    body = {
        "recordIdsToAdd": [change.profile for change in batch if change.op is Op.ADD],
        "recordIdsToRemove": [change.profile for change in batch if change.op is Op.REMOVE],
    }
    try:
        answer = api.http.write(
            "PUT", f"{LISTS}/{target.id}/memberships/add-and-remove", json=body, lanes=GENERAL,
            name=f"{LISTS}/{{list}}/memberships/add-and-remove",
        )
    except PlatformError as error:
        return [_failed(api, target, error, len(batch))] * len(batch)
    return _told(answer.data, batch)


def _told(data: Json, batch: Sequence[RemoteChange]) -> list[Verdict]:
    """The verdicts that the answer's difference means. `recordsIdsAdded` is the service's own spelling; one page of the
    documentation has `recordIdsAdded`. An id that we did not send (a merged one's survivor) leaves open whose it was."""
    try:
        added = _ids(data, "recordsIdsAdded" if "recordsIdsAdded" in data else "recordIdsAdded")
        removed, missing = _ids(data, "recordIdsRemoved"), _ids(data, "recordIdsMissing")
    except (KeyError, TypeError):
        return [Transient("unexpected shape", maybe=True)] * len(batch)
    changed = {Op.ADD: added, Op.REMOVE: removed}
    foreign = {op: ids - {change.profile for change in batch} for op, ids in changed.items()}

    def verdict(change: RemoteChange) -> Verdict:
        if change.profile in missing:
            return Rejected("profile is gone")
        if change.profile in changed[change.op]:
            return Accepted(Effect.CHANGED)
        return Accepted(Effect.UNTOLD if foreign[change.op] else Effect.ALREADY)

    return [verdict(change) for change in batch]


def _ids(data: Mapping[str, Json], key: str) -> set[str]:
    if not isinstance(data[key], list):
        raise TypeError(key)
    return {str(one) for one in data[key]}


_STOPS = {
    FaultKind.KEY: "connection", FaultKind.SCOPE: "connection", FaultKind.RETIRED: "connection", FaultKind.ACCOUNT: "connection",
    FaultKind.GONE: "target",
}


def _failed(api: Api, target: RemoteTarget, error: PlatformError, size: int) -> Verdict:
    """The verdict on each change of a call that did not work."""
    reason = error.code or error.kind.value
    if error.kind in _STOPS:
        return Stopped(reason, _STOPS[error.kind])
    if error.kind is FaultKind.UNSAFE:              # an answer over the cap may stand for a write that worked
        answered = error.status is not None and error.status < 300
        return Transient(reason, maybe=True) if answered else Stopped(reason, "connection")
    if error.kind is not FaultKind.INVALID:
        return Transient(reason, error.retry_after, error.maybe)
    stopped = _unfit(api, target)
    if stopped:
        return stopped
    return Transient(BATCH_REFUSED) if size > 1 else Rejected(reason)


def _unfit(api: Api, target: RemoteTarget) -> Stopped | None:
    """Whether a refusal is the list's fault: only a MANUAL list of contacts takes members. The refusal's own words may change,
    so the list is asked."""
    try:
        found = list_of(api, target)
    except PlatformError as error:
        return Stopped(error.code, "target") if error.kind is FaultKind.GONE else None
    if found["processingType"] != MANUAL:
        return Stopped(not_manual(found["processingType"]), "target")
    return None if found.get("objectTypeId", CONTACTS) == CONTACTS else Stopped("list is not one of contacts", "target")
