"""Klaviyo's refusals, in its error document.

    {"errors": [{id, status, code, title, detail, source: {pointer | parameter}, links, meta}]}

Source: Klaviyo API docs, "Rate limits, status codes, and errors"; shapes observed: github.com issues
klaviyo/klaviyo-api-python#9, klaviyo/klaviyo-api-node#66, klaviyo/klaviyo-api-node#75, klaviyo/klaviyo-api-python#84.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, NoReturn

from connectors.sandbox.server import Refusal, Response, html_response, json_response

MEDIA = "application/vnd.api+json"

_TITLES = {
    400: ("invalid", "Invalid input."),
    401: ("authentication_failed", "Incorrect authentication credentials."),
    403: ("permission_denied", "You do not have permission to perform this action."),
    404: ("not_found", "Not found."),
    405: ("method_not_allowed", "Method not allowed."),
    409: ("duplicate_profile", "Conflict."),
    410: ("gone", "Gone."),
    413: ("payload_too_large", "Payload too large."),
    415: ("unsupported_media_type", "Unsupported media type."),
    429: ("throttled", "Request was throttled."),
    500: ("error", "A server error occurred."),
}
_numbers = itertools.count(1)


def error(
    status: int, detail: str, *, pointer: str = "/data/", parameter: str = "", code: str = "", title: str = "",
    meta: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """One entry of an error document; *parameter* names a query parameter instead of a place in the body."""
    usual_code, usual_title = _TITLES[status]
    return {
        "id": f"00000000-0000-4000-8000-{next(_numbers):012x}", "status": status, "code": code or usual_code,
        "title": title or usual_title, "detail": detail,
        "source": {"parameter": parameter} if parameter else {"pointer": pointer}, "links": {}, "meta": dict(meta or {}),
    }


def answer(*errors: dict[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """The response that carries these entries."""
    response = json_response(errors[0]["status"], {"errors": list(errors)}, MEDIA)
    response.headers.update(headers or {})
    return response


def refuse(status: int, detail: str, **more: Any) -> NoReturn:
    """End the call with one error."""
    raise Refusal(answer(error(status, detail, **more)))


def invalid(detail: str, pointer: str = "/data/") -> NoReturn:
    """400 about a place in the body."""
    refuse(400, detail, pointer=pointer)


def bad_parameter(name: str, detail: str) -> NoReturn:
    """400 about a query parameter."""
    refuse(400, detail, parameter=name)


def missing(kind: str, identity: str) -> NoReturn:
    """404: no such record, or it was merged away or deleted."""
    refuse(404, f"A {kind} with id {identity} does not exist.")


def duplicate(identity: str) -> NoReturn:
    """409: an identifier belongs to the profile *identity*."""
    refuse(409, "A profile already exists with one of these identifiers.", pointer="/data/attributes",
           meta={"duplicate_profile_id": identity})


def throttled(seconds: int) -> Response:
    """429; instead of the RateLimit headers it carries Retry-After."""
    detail = f"Request was throttled. Expected available in {seconds} second{'s' * (seconds != 1)}."
    return answer(error(429, detail, pointer="/data"), headers={"Retry-After": str(seconds)})


def fault(kind: str) -> Response:
    """The answer of a failure that is not the caller's doing; ValueError for a kind that Klaviyo does not show."""
    if kind == "429":
        return throttled(1)
    if kind == "401":
        return answer(error(401, "Missing or invalid authorization"))
    if kind == "403":
        return answer(error(403, "Your API key is missing required scopes: profiles:read"))
    if kind == "html403":
        challenge = html_response(403, "<html><head><title>Just a moment</title></head><body>Checking</body></html>")
        challenge.headers["cf-mitigated"] = "challenge"
        return challenge
    if kind == "500":
        return answer(error(500, "An unexpected error occurred."))
    if kind in ("502", "503", "504", "524"):
        return html_response(int(kind), f"<html><body>{kind} the server cannot answer at this time</body></html>")
    raise ValueError(f"Klaviyo does not fail as {kind}; it does as 401, 403, html403, 429, 500, 502, 503, 504, 524")
