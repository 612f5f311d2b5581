"""What HubSpot's answers mean. Decided by status, then by `category`, `subCategory`, `policyName`; never by `message`.

Source: HubSpot developer docs, "Error handling" and "API usage guidelines and limits".
"""

from __future__ import annotations

import re
from dataclasses import replace

from connectors.base import DAY, SECOND, Clock, FaultKind, Json, Millis, PlatformError
from connectors.http import Answer, Fault, usual_fault

PLATFORM = "hubspot"
_CODE = re.compile(r"[A-Za-z][A-Za-z_.]{1,60}")
_SCOPE, MOST_SCOPES = re.compile(r"[a-z][a-z0-9_.-]{1,60}"), 5
_REQUEST = re.compile(r"[A-Za-z0-9-]{1,64}")
_TEN_SECONDS, _SECOND, _LOCKED, _MOVING = 10.0, 1.0, 2.0, 3600.0


class Faults:
    """Classifies answers for one account. *day_shift*: milliseconds that the account's time zone is ahead of UTC, for the
    midnight at which its daily limit starts anew; set once the account was read."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.day_shift: Millis = 0

    def __call__(self, answer: Answer) -> Fault | None:
        fault = self._by_status(answer)
        if fault is None:
            return None
        body = answer.data if isinstance(answer.data, dict) else {}
        code, scopes = _code(body) or fault.code, _scopes(body) if fault.kind is FaultKind.SCOPE else ""
        return replace(fault, code=f"{code}: {scopes}" if scopes else code, request_id=_request_id(body))

    def _by_status(self, answer: Answer) -> Fault | None:
        """Statuses that mean more here than usual: 423 locked by volume (wait at least 2 s), 477 the account moves to another
        data centre (Retry-After, up to 24 h), 530 a key that is no key. Source: HubSpot developer docs, "Error handling";
        530 observed: airbytehq/airbyte source-hubspot BEHAVIOR.md."""
        if answer.status == 429:
            return Fault(FaultKind.THROTTLED, "rate limit", self._wait(answer))
        if answer.status == 423:
            return Fault(FaultKind.TRANSIENT, "locked", _LOCKED)
        if answer.status == 477:
            wait = None if "retry-after" in answer.headers else _MOVING
            return Fault(FaultKind.THROTTLED, "account is being moved", wait)
        if answer.status == 530:
            return Fault(FaultKind.KEY, "key is malformed")
        return usual_fault(answer)

    def _wait(self, answer: Answer) -> float | None:
        """Seconds to wait after a 429, which mostly comes without Retry-After: the policy's name says which window is full.
        A dated version may name only the category; then the longer of the two short windows is waited for."""
        if "retry-after" in answer.headers:
            return None
        policy = answer.data.get("policyName") if isinstance(answer.data, dict) else None
        if policy == "SECONDLY":
            return _SECOND
        if policy == "DAILY":
            now = self._clock.now()
            return (DAY - (now + self.day_shift) % DAY) / SECOND
        return _TEN_SECONDS


def _code(body: dict[str, Json]) -> str:
    """The most telling short code of an error body: no prose, so no personal data."""
    for key in ("subCategory", "policyName", "category"):
        value = body.get(key)
        if isinstance(value, str) and _CODE.fullmatch(value):
            return value
    return ""


def _scopes(body: dict[str, Json]) -> str:
    """The scopes that a key lacks, by the names under which they are granted; "" where the body does not tell.

    Observed, not documented: `errors[].context.requiredScopes` (HubSpot/hubspot-api-nodejs#268); newer bodies may say
    `requiredGranularScopes`.
    """
    errors = body.get("errors")
    contexts = [each.get("context") for each in errors if isinstance(each, dict)] if isinstance(errors, list) else []
    said = [context.get(key) for context in contexts if isinstance(context, dict) for key in ("requiredScopes", "requiredGranularScopes")]
    names = [name for each in said if isinstance(each, list) for name in each if isinstance(name, str) and _SCOPE.fullmatch(name)]
    return ", ".join(list(dict.fromkeys(names))[:MOST_SCOPES])


def _request_id(body: dict[str, Json]) -> str:
    found = body.get("correlationId") or body.get("requestId")
    return found if isinstance(found, str) and _REQUEST.fullmatch(found) else ""


def unexpected(call: str, status: int | None = 200) -> PlatformError:
    """A good answer that is not shaped as documented: a broken read, never an empty page."""
    return PlatformError(PLATFORM, call, FaultKind.EDGE, status=status, code="unexpected shape")


def no_progress(call: str) -> PlatformError:
    """The platform gives the place where we stand as the next one: going on would never end."""
    return PlatformError(PLATFORM, call, FaultKind.INVALID, code="no progress")
