"""Paths, lanes and the few ways of reading that HubSpot's object APIs share.

Everything is on the dated version `VERSION`; a version is current for 6 months and supported to month 18. Source: HubSpot
developer docs, "Developer platform and API versioning". What has no dated successor is in `legacy.py`, what goes through the
vendor's SDK in `sdk.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.base import FaultKind, Json, Millis, PlatformError
from connectors.http import Answer, Http
from connectors.hubspot.faults import PLATFORM, Faults, no_progress, unexpected

VERSION = "2026-09"
HOST = "https://api.hubapi.com"                     # of every region. Source: HubSpot developer docs, API overview
CONTACTS = "0-1"                                    # objectTypeId
GENERAL, SEARCH = ("general", "day"), ("search", "day")
LIST_PAGE, SEARCH_PAGE, MEMBER_PAGE = 100, 200, 250
READ_BATCH, LINK_BATCH = 100, 1000
LONGEST_NAMES = 4000                                # characters in a URL; observed: 414 for more, airbytehq/airbyte#33976

Record = dict[str, Any]


class Api:
    """Reads of one account through one `Http`."""

    def __init__(self, http: Http, faults: Faults) -> None:
        self.http, self.faults = http, faults

    def get(self, path: str, params: Mapping[str, object] | None = None, name: str = "") -> Answer:
        """A read by GET, its body a JSON object."""
        return _whole(self.http.read("GET", path, params=params, lanes=GENERAL, name=name), name or path)

    def ask(self, path: str, body: Json, lanes: Sequence[str] = GENERAL, name: str = "") -> Record:
        """A read by POST; the body of its answer, a JSON object."""
        found: Record = _whole(self.http.read("POST", path, json=body, lanes=lanes, name=name), name or path).data
        return found

    def account(self) -> tuple[Record, Millis]:
        """Details of the account, and the platform's time. Source: HubSpot API reference 2026-09, Account information."""
        path = f"/account-info/{VERSION}/details"
        answer = self.get(path)
        own = answer.data.get("portalId")
        if type(own) is not int or not own:
            raise unexpected(path)
        shift = answer.data.get("utcOffsetMilliseconds")
        self.faults.day_shift = shift if isinstance(shift, int) else 0
        return answer.data, signpost(answer, path)

    def properties(self, kind: str) -> tuple[list[Record], Millis]:
        """Definitions of the properties of an object type, and the platform's time; not paged.
        Source: HubSpot API reference 2026-09, Properties, read all properties."""
        path = f"/crm/properties/{VERSION}/{kind}"
        answer = self.get(path)
        return rows(answer.data, "results", path), signpost(answer, path)

    def subscription_types(self) -> list[Record]:
        """The account's subscription types: id, name, …. Source: HubSpot API reference 2026-09, Subscription preferences."""
        path = f"/communication-preferences/{VERSION}/definitions"
        return rows(self.get(path).data, "results", path)

    def page(self, kind: str, properties: Sequence[str], after: str | None, archived: bool) -> tuple[list[Record], str | None]:
        """Up to 100 records in ascending order of id, and where the next page starts (None: this was the last).

        Names too long for a URL are sent in the body of a second call. Source: HubSpot API reference 2026-09, Contacts, list:
        limit ≤ 100, no `paging` on the last page.
        """
        path = f"/crm/objects/{VERSION}/{kind}"
        long = len(",".join(properties)) > LONGEST_NAMES
        params: dict[str, object] = {"limit": LIST_PAGE, "archived": "true" if archived else "false"}
        params["properties"] = "hs_object_id" if long else ",".join(properties)
        if after is not None:
            params["after"] = after
        data = self.get(path, params).data
        found = rows(data, "results", path)
        if long and found:
            found = self.records(kind, [identified(row, path)[0] for row in found], properties, archived)
        return found, following(data, path, after)

    def records(self, kind: str, ids: Sequence[str], properties: Sequence[str], archived: bool = False) -> list[Record]:
        """The records with these ids, in the order of the ids; those not found are left out.

        Source: HubSpot API reference 2026-09, batch read: ≤ 100 inputs, 207 names the missing ones, order not promised.
        """
        path = f"/crm/objects/{VERSION}/{kind}/batch/read"
        query = "?archived=true" if archived else ""
        found: dict[str, Record] = {}
        for start in range(0, len(ids), READ_BATCH):
            inputs = [{"id": one} for one in ids[start : start + READ_BATCH]]
            body = {"inputs": inputs, "properties": list(properties)}
            for row in whole_batch(self.ask(path + query, body, name=path), path):
                found[identified(row, path)[0]] = row
        return [found[one] for one in ids if one in found]

    def search(self, kind: str, filters: list[Record], properties: Sequence[str], limit: int = SEARCH_PAGE) -> Record:
        """One page of a search, ascending by record id; `results`, `total`, and `paging` when there is more.

        Source: HubSpot API reference 2026-09, Search: ≤ 200 rows, ≤ 6 filters a group, values are text.
        """
        path = f"/crm/objects/{VERSION}/{kind}/search"
        body: Record = {"limit": limit, "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}]}
        body |= {"properties": list(properties)}
        if filters:
            body["filterGroups"] = [{"filters": filters}]
        data = self.ask(path, body, SEARCH)
        rows(data, "results", path)
        if not isinstance(data.get("total"), int):
            raise unexpected(path)
        return data

    def count(self, kind: str) -> int:
        """How many records the search index holds (some seconds late, at times more)."""
        return int(self.search(kind, [], ["hs_object_id"], limit=1)["total"])

    def links(self, kind: str, other: str, ids: Sequence[str]) -> dict[str, list[str]]:
        """Record id → ids of the *other* records linked with it, ascending; records without links are absent.

        Source: HubSpot API reference 2026-09, Associations, batch read: ≤ 1,000 inputs; ids are text here, integers in v4.
        """
        path = f"/crm/associations/{VERSION}/{kind}/{other}/batch/read"
        linked: dict[str, list[str]] = {}
        for start in range(0, len(ids), LINK_BATCH):
            inputs = [{"id": one} for one in ids[start : start + LINK_BATCH]]
            while inputs:
                found = whole_batch(self.ask(path, {"inputs": inputs}), path)
                for row in found:
                    linked.setdefault(str(row["from"]["id"]), []).extend([str(to["toObjectId"]) for to in row["to"]])
                inputs = _more(found, inputs)
        return {one: to if len(to) == 1 else sorted(set(to), key=numeric) for one, to in linked.items() if to}


def numeric(one: str) -> tuple[int, str]:
    """Sorts ids, which are numbers written as text, by size."""
    return (int(one), one) if one.isascii() and one.isdigit() else (0, one)


def rows(data: Json, key: str, call: str) -> list[Record]:
    """The list of objects under *key*; PlatformError EDGE when the answer has none: that is no empty page."""
    found = data.get(key) if isinstance(data, dict) else None
    if not isinstance(found, list) or not set(map(type, found)) <= {dict}:
        raise unexpected(call)
    return found


def whole_batch(data: Record, call: str) -> list[Record]:
    """The results of a batch read whose errors, if any, only say that something is not there. PlatformError TRANSIENT for
    others: what was not answered must not pass for what does not exist.

    Source: HubSpot API reference 2026-09, batch read: 207 with `errors[].category`.
    """
    errors = data.get("errors") or ()
    for error in errors:
        category = error.get("category") if isinstance(error, dict) else None
        if category not in (None, "OBJECT_NOT_FOUND", "VALIDATION_ERROR"):
            raise PlatformError(PLATFORM, call, FaultKind.TRANSIENT, status=207, code="part of a batch failed")
    return rows(data, "results", call)


def identified(record: Record, call: str) -> tuple[str, Record]:
    """Id and properties of a record; PlatformError EDGE when it has neither."""
    own, said = record.get("id"), record.get("properties")
    if not own or not isinstance(said, dict):
        raise unexpected(call)
    return str(own), said


def following(data: Record, call: str, before: str | None) -> str | None:
    """`paging.next.after`, None when there is no more. The `link` beside it names a host and is never followed.

    Raises PlatformError: the same place twice (INVALID), `paging` of another shape (EDGE).
    """
    paging = data.get("paging")
    if paging is None:
        return None
    step = paging.get("next") if isinstance(paging, dict) else 0
    if step is None:
        return None
    after = step.get("after") if isinstance(step, dict) else None
    if not isinstance(after, str | int) or after == "":
        raise unexpected(call)
    if str(after) == before:
        raise no_progress(call)
    return str(after)


def signpost(answer: Answer, call: str) -> Millis:
    """The platform's own time; PlatformError EDGE without a Date header, since our own clock may be off."""
    if answer.date is None:
        raise PlatformError(PLATFORM, call, FaultKind.EDGE, status=answer.status, code="no Date header")
    return answer.date


def _whole(answer: Answer, call: str) -> Answer:
    if not isinstance(answer.data, dict):
        raise unexpected(call, answer.status)
    return answer


def _more(found: list[Record], asked: list[Record]) -> list[Record]:
    """Inputs for the links that did not fit: each record pages on its own."""
    before = {one["id"]: one.get("after") for one in asked}
    again = []
    for row in (row for row in found if "paging" in row):
        after = following(row, "associations", before.get(str(row["from"]["id"])))
        if after is not None:
            again.append({"id": str(row["from"]["id"]), "after": after})
    return again
