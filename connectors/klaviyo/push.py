"""Putting profiles on a list and taking them off: never consent, never a new profile.

Adding to a list is not subscribing, and removing is not unsubscribing; both take ids only, so that nobody is created.
Source: Klaviyo API reference, revision 2026-07-15, Add Profiles to List and Remove Profiles from List: at most 1000 ids, answer
204 and empty. What an unknown id does to its batch is not documented: the batch counts as refused whole, and is halved.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from connectors.base import (
    BATCH_REFUSED,
    Accepted,
    FaultKind,
    Op,
    PlatformError,
    Rejected,
    RemoteChange,
    RemoteTarget,
    Stopped,
    Transient,
    Verdict,
)
from connectors.klaviyo import members
from connectors.klaviyo.calls import Calls
from connectors.klaviyo.faults import named

LARGEST = 1000
GONE = "profile is gone"
_CLOSED = frozenset({FaultKind.KEY, FaultKind.SCOPE, FaultKind.RETIRED, FaultKind.ACCOUNT, FaultKind.UNSAFE})
_LATER = frozenset({FaultKind.THROTTLED, FaultKind.TRANSIENT, FaultKind.EDGE})


def push(calls: Calls, target: RemoteTarget, batch: Sequence[RemoteChange]) -> list[Verdict]:
    """A verdict per change, same order, from one call. ValueError when the batch is over the limit or mixes adds and removes,
    which Klaviyo cannot take."""
    if not batch:
        return []
    ops = {change.op for change in batch}
    if len(ops) > 1 or len(batch) > LARGEST:
        raise ValueError(f"a batch for Klaviyo is at most {LARGEST} adds or {LARGEST} removes")
    method, lane = ("POST", "list add") if ops == {Op.ADD} else ("DELETE", "list remove")
    path, name = f"/api/lists/{quote(target.id, safe='')}/relationships/profiles", "/api/lists/{id}/relationships/profiles"
    body = {"data": [{"type": "profile", "id": change.profile} for change in batch]}
    try:
        calls.notice(calls.http.write(method, path, json=body, lanes=(lane,), name=name), (lane,))
    except PlatformError as error:
        return _verdicts(calls, target, len(batch), error)
    return [Accepted()] * len(batch)


def _verdicts(calls: Calls, target: RemoteTarget, count: int, error: PlatformError) -> list[Verdict]:
    if error.kind in _LATER:
        return [Transient(error.code or error.kind.value, error.retry_after, error.maybe)] * count
    if error.kind in _CLOSED:
        return [Stopped(error.code or error.kind.value, scope="connection")] * count
    if error.kind is FaultKind.GONE:
        return _not_found(calls, target, count, error)
    return _refused(count, named(error.code), "refused: " + error.code)


def _not_found(calls: Calls, target: RemoteTarget, count: int, error: PlatformError) -> list[Verdict]:
    """404 is the answer for a list and for a profile that is gone; which one, a read of the list tells."""
    try:
        if not members.exists(calls, target):
            return [Stopped("the list is gone")] * count
    except PlatformError as other:
        return [Transient(other.code or other.kind.value, other.retry_after)] * count
    return _refused(count, named(error.code), GONE)


def _refused(count: int, places: Sequence[int], reason: str) -> list[Verdict]:
    """Those that the refusal names are rejected and the rest goes again; when it names nobody, the batch goes in halves."""
    if count == 1:
        return [Rejected(reason)]
    bad = {place for place in places if place < count}
    return [Rejected(reason) if place in bad else Transient(BATCH_REFUSED) for place in range(count)]
