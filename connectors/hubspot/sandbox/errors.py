"""HubSpot's refusals. Source: HubSpot developer docs, "Error handling" and "API usage guidelines and limits"; wording our own."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NoReturn

import orjson

from connectors.sandbox.server import Refusal, Response, html_response, json_response

JSON = "application/json;charset=utf-8"
_serial = itertools.count(1)


def correlation() -> str:
    return f"{next(_serial):08x}-7a1b-4c2d-8e3f-000000000000"


def body(message: str, category: str = "", **more: Any) -> dict[str, Any]:
    """Every key of an error body is optional; what is not known is left out."""
    told = {"status": "error", "message": message, "correlationId": correlation()}
    return told | ({"category": category} if category else {}) | more


def error(status: int, message: str, category: str = "", **more: Any) -> Response:
    return json_response(status, body(message, category, **more), JSON)


def invalid(message: str, **more: Any) -> NoReturn:
    """400 VALIDATION_ERROR."""
    raise Refusal(error(400, message, "VALIDATION_ERROR", **more))


def no_list(identity: str) -> NoReturn:
    message = f"List does not exist with ID {identity}."
    raise Refusal(error(404, message, "OBJECT_NOT_FOUND", subCategory="ListError.LIST_NOT_FOUND"))


def not_there() -> NoReturn:
    raise Refusal(error(404, "resource not found"))


def missing_scopes(scopes: Sequence[str]) -> Response:
    why = {"message": "One or more of the following scopes are required.", "context": {"requiredScopes": list(scopes)}}
    return error(
        403, "This app hasn't been granted all required scopes to make this call.", "MISSING_SCOPES", errors=[why],
        links={"scopes": "https://developers.hubspot.com/scopes"},
    )


def bad_values(problems: Sequence[tuple[str, str, str]]) -> str:
    """The message about property values: (property, code, why) each, as JSON within the text, as HubSpot has it."""
    listed = [{"isValid": False, "message": why, "error": code, "name": name} for name, code, why in problems]
    return f"Property values were not valid: {orjson.dumps(listed).decode()}"


def throttled(policy: str) -> Response:
    """429; *policy* is TEN_SECONDLY_ROLLING, SECONDLY or DAILY. There is no Retry-After."""
    message = f"You have reached your {policy.lower()} limit."
    told = body(message, errorType="RATE_LIMIT", policyName=policy)
    return json_response(429, told | {"requestId": told["correlationId"][:8]}, JSON)


GONE = html_response(404, "<html><head><title>404 Not Found</title></head></html>")
_PLAIN = {"423": (423, "Locked"), "500": (500, "internal error"), "503": (503, "Service unavailable")}
_PAGES = {"502": "Bad Gateway", "504": "", "521": "Web server is down", "524": "A timeout occurred", "530": "error 1016"}


def fault(kind: str, policy: str) -> Response:
    """What HubSpot, or the network in front of it, answers when a call fails as *kind*; ValueError for an unknown one."""
    if kind == "429":
        return throttled(policy)
    if kind == "401":
        return error(401, "Authentication credentials not found.", "INVALID_AUTHENTICATION")
    if kind == "403":
        return error(403, "This oauth-token does not have proper permissions!")
    if kind == "html403":
        return html_response(403, "<html><head><title>Attention Required!</title></head></html>")
    if kind == "477":
        return json_response(477, body("Migration in progress"), JSON, Retry_After="3600")
    if kind in _PLAIN:
        return error(*_PLAIN[kind])
    if kind in _PAGES:
        return html_response(int(kind), f"<html><body>{_PAGES[kind]}</body></html>" if _PAGES[kind] else "")
    raise ValueError(f"HubSpot's sandbox cannot fail as {kind!r}")
