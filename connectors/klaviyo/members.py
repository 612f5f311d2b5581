"""Who is on a list: everybody, or some people by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from urllib.parse import quote

from connectors.base import FaultKind, Json, MemberPage, Millis, PlatformError, ProfileId, RemoteTarget
from connectors.klaviyo import times
from connectors.klaviyo.calls import Calls, Read, document, text_filter

LOOK = 100                                          # ids asked for at once: as many as fit on a page
LENGTH = 6000                                       # characters of a filter as it is sent; longer URLs are refused here and there


def listing(calls: Calls, target: RemoteTarget) -> Iterator[MemberPage]:
    """Everybody on the list, by the time they joined, so that nobody is missed while others leave. Complete when Klaviyo says
    that there is no next page and `_reached_the_end` agrees.

    Source: Klaviyo API reference, revision 2026-07-15, Get Profiles for List: `sort=joined_group_at`, at most 100 a page, as many
    as of the ids alone (Get Profile IDs for List), which do not say since when.
    """
    params = {"fields[profile]": "joined_group_at", "page[size]": "100", "sort": "joined_group_at"}
    read = Read(f"/api/lists/{quote(target.id, safe='')}/profiles", "list members", params, "/api/lists/{id}/profiles")
    seen: set[ProfileId] = set()
    for page in calls.pages(read):
        members = {_id(record, read): _joined_at(calls, record) for record in page.records}
        told = {who: at for who, at in members.items() if at is not None}
        seen.update(members)
        last = not page.cursor
        yield MemberPage(list(members), last=last, complete=last and _reached_the_end(calls, target, read, seen), joined=told)


def _reached_the_end(calls: Calls, target: RemoteTarget, read: Read, seen: AbstractSet[ProfileId]) -> bool:
    """Whether a listing that ended was read to the end of its list, since a next link may also be missing by mistake: whoever
    joined last must be among those *seen*. One call more. Of a listing of nobody: whether Klaviyo counts nobody.

    The list's `profile_count` is not asked otherwise. Whom it counts (people suppressed, merged or deleted since) and how late it
    is are not documented, so a difference could last for ever and with it keep everybody on the list; and it costs a call of the
    scarcest kind, 15 a minute for all lists together. Who joined while the list was read is not seen either: such a listing is not
    complete, the next one is. Source: Klaviyo API reference, revision 2026-07-15, Get Profiles for List, Get List.
    """
    if not seen:
        return _count(calls, target) == 0
    newest = calls.page(replace(read, params={**read.params, "sort": "-joined_group_at"})).records
    return bool(newest) and {_id(record, read) for record in newest} <= seen


def look(calls: Calls, target: RemoteTarget, profiles: Sequence[ProfileId]) -> dict[ProfileId, bool]:
    """Which of *profiles* are on the list; those that Klaviyo no longer has are left out.

    A list's profiles can be asked for by address, not by id. So the addresses are read by id first, as Klaviyo spells them
    now (and in lower case, since it is not documented whether case counts), and the answer is matched by id again. Whoever has
    no address, or one that cannot be quoted, is asked for singly.
    Source: Klaviyo API reference, revision 2026-07-15: Get Profiles (`id`: any), Get Profiles for List (`email`: any).
    """
    found: dict[ProfileId, bool] = {}
    for ids in _chunks(list(dict.fromkeys(profiles))):
        addresses = _addresses(calls, ids)
        plain = list(dict.fromkeys(s for email in addresses.values() if _plain(email) for s in (email, email.lower())))
        there = {member for some in _chunks(plain) for member in _members_among(calls, target, some)}
        for profile, email in addresses.items():
            found[profile] = profile in there if _plain(email) else _lists_hold(calls, target, profile)
    return found


def joined(calls: Calls, target: RemoteTarget, profiles: Sequence[ProfileId]) -> dict[ProfileId, Millis]:
    """Since when *profiles* are on the list; those that are not, and those without an address that can be quoted, are left out.

    Source: Klaviyo API reference, revision 2026-07-15, Get Profiles for List: `joined_group_at`, of the most recent joining.
    """
    wanted = set(profiles)
    found: dict[ProfileId, Millis] = {}
    for ids in _chunks(list(dict.fromkeys(profiles))):
        plain = [spelled for email in _addresses(calls, ids).values() if _plain(email) for spelled in (email, email.lower())]
        for some in _chunks(list(dict.fromkeys(plain))):
            for record, at in _joinings(calls, target, some):
                if record in wanted and at is not None:
                    found[record] = at
    return found


def _joinings(calls: Calls, target: RemoteTarget, addresses: Sequence[str]) -> Iterator[tuple[ProfileId, Millis | None]]:
    params = {"filter": str(text_filter("any", "email", addresses)), "fields[profile]": "email,joined_group_at", "page[size]": str(LOOK)}
    read = Read(f"/api/lists/{quote(target.id, safe='')}/profiles", "list members", params, "/api/lists/{id}/profiles")
    for page in calls.pages(read):
        for record in page.records:
            yield _id(record, read), _joined_at(calls, record)


def _joined_at(calls: Calls, record: Mapping[str, Json]) -> Millis | None:
    at = times.read((record.get("attributes") or {}).get("joined_group_at"))
    return None if at is None else calls.by_our_clock(at)


def _addresses(calls: Calls, ids: Sequence[str]) -> dict[ProfileId, str]:
    """Address ("" for none) of each profile that exists."""
    params = {"filter": str(text_filter("any", "id", ids)), "fields[profile]": "email", "page[size]": str(LOOK)}
    read = Read("/api/profiles", "profiles", params)
    return {
        _id(record, read): str((record.get("attributes") or {}).get("email") or "")
        for page in calls.pages(read) for record in page.records
    }


def _members_among(calls: Calls, target: RemoteTarget, addresses: Sequence[str]) -> set[ProfileId]:
    params = {"filter": str(text_filter("any", "email", addresses)), "fields[profile]": "email", "page[size]": str(LOOK)}
    read = Read(f"/api/lists/{quote(target.id, safe='')}/profiles", "list members", params, "/api/lists/{id}/profiles")
    return {_id(record, read) for page in calls.pages(read) for record in page.records}


def _lists_hold(calls: Calls, target: RemoteTarget, profile: ProfileId) -> bool:
    """Whether *profile*'s own lists name the target: exact, and dear (60 calls a minute)."""
    path = f"/api/profiles/{quote(profile, safe='')}/relationships/lists"
    read = Read(path, "profile lists", {}, "/api/profiles/{id}/relationships/lists")
    return any(_id(record, read) == target.id for page in calls.pages(read) for record in page.records)


def exists(calls: Calls, target: RemoteTarget) -> bool:
    """Whether the list is still there."""
    try:
        calls.http.read(
            "GET", f"/api/lists/{quote(target.id, safe='')}", params={"fields[list]": "name"}, lanes=("list",),
            name="/api/lists/{id}",
        )
    except PlatformError as error:
        if error.kind is FaultKind.GONE:
            return False
        raise
    return True


def _count(calls: Calls, target: RemoteTarget) -> int | None:
    """How many Klaviyo counts; None when it does not say. One call a second. Source: Klaviyo API reference, revision
    2026-07-15, Get List: `additional-fields[list]=profile_count`."""
    answer = calls.http.read(
        "GET", f"/api/lists/{quote(target.id, safe='')}", params={"additional-fields[list]": "profile_count"},
        lanes=("list count",), name="/api/lists/{id}",
    )
    record = document(answer, "GET /api/lists/{id}")["data"]
    count = (record.get("attributes") or {}).get("profile_count") if isinstance(record, dict) else None
    return count if isinstance(count, int) else None


def _id(record: Json, read: Read) -> ProfileId:
    if not isinstance(record, dict) or not record.get("id"):
        raise PlatformError("klaviyo", f"GET {read.name}", FaultKind.EDGE, code="unexpected record")
    return ProfileId(str(record["id"]))


def _plain(email: str) -> bool:
    return bool(email) and '"' not in email and "\\" not in email


def _chunks(texts: Sequence[str]) -> Iterator[list[str]]:
    """Runs of at most `LOOK` texts whose filter stays within `LENGTH`."""
    chunk: list[str] = []
    length = 0
    for text in texts:
        size = len(quote(text, safe="")) + len("%22%22%2C")
        if chunk and (len(chunk) == LOOK or length + size > LENGTH):
            yield chunk
            chunk, length = [], 0
        chunk.append(text)
        length += size
    if chunk:
        yield chunk
