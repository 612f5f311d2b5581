"""How the emulated Mailchimp says no: problem documents (RFC 7807) and the pages of its edge.

Titles and details follow the vendor's error glossary and recorded answers. *instance* is filled in when the answer leaves,
with the same id as the header X-Request-Id. Source: Mailchimp Marketing API docs, "Errors".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connectors.sandbox.server import Refusal, Response, html_response, json_response

PROBLEM = "application/problem+json; charset=utf-8"
GLOSSARY_PAGE = "https://mailchimp.com/developer/marketing/docs/errors/"
DESCRIBED_BY = '<https://us1.api.mailchimp.com/schema/3.0/Definitions/ProblemDetailDocument.json>; rel="describedBy"'

# name in the glossary → status, title, detail; the header X-Trigger-Error takes these names
GLOSSARY: Mapping[str, tuple[int, str, str]] = {
    "BadRequest": (400, "Bad Request", "Your request could not be processed."),
    "InvalidAction": (400, "Invalid Action", "The action requested was not valid for this resource."),
    "InvalidResource": (
        400, "Invalid Resource",
        "The resource submitted could not be validated. For field-specific details, see the 'errors' array."),
    "JSONParseError": (400, "JSON Parse Exception", "We encountered an unspecified JSON parsing error."),
    "APIKeyMissing": (401, "API Key Missing", "Your request did not include an API key."),
    "APIKeyInvalid": (
        401, "API Key Invalid", "Your API key may be invalid, or you've attempted to access the wrong datacenter."),
    "Forbidden": (403, "Forbidden", "You don't have permission to access the requested resource."),
    "UserDisabled": (403, "User Disabled", "This account has been deactivated."),
    "WrongDatacenter": (403, "Wrong Datacenter", "The API key provided is linked to a different datacenter."),
    "ResourceNotFound": (404, "Resource Not Found", "The requested resource could not be found."),
    "MethodNotAllowed": (
        405, "Method Not Allowed",
        "The requested method and resource are not compatible. See the Allow header for this resource's available methods."),
    "ResourceNestingTooDeep": (414, "Resource Nesting Too Deep", "The sub-resource requested is nested too deeply."),
    "InvalidMethodOverride": (
        422, "InvalidMethodOverride", "You can only use the X-HTTP-Method-Override header with the POST method."),
    "RequestedFieldsInvalid": (
        422, "RequestedFieldsInvalid", "The fields requested from this resource are invalid."),
    "TooManyRequests": (429, "Too Many Requests", "You have exceeded the limit of 10 simultaneous connections."),
    "InternalServerError": (
        500, "InternalServerError",
        "A deep, internal error has occurred during the processing of your request. Please contact support."),
    "ComplianceRelated": (503, "ComplianceRelated", "This method has been disabled."),
}


def problem(status: int, title: str, detail: str, errors: Sequence[Mapping[str, object]] = ()) -> Response:
    """A problem document; *errors* name the fields that were refused."""
    body: dict[str, object] = {"type": GLOSSARY_PAGE, "title": title, "status": status, "detail": detail, "instance": ""}
    if errors:
        body["errors"] = list(errors)
    return json_response(status, body, PROBLEM, Link=DESCRIBED_BY)


def named(name: str) -> Response:
    """The glossary's answer of that name. KeyError when the glossary has none."""
    return problem(*GLOSSARY[name])


def refuse(name: str) -> Refusal:
    return Refusal(named(name))


def missing() -> Refusal:
    """404 for a record that is not there."""
    return refuse("ResourceNotFound")


def invalid(detail: str) -> Refusal:
    """400 "Invalid Resource" with a detail and no field."""
    return Refusal(problem(400, "Invalid Resource", detail))


def bad_request(detail: str) -> Refusal:
    return Refusal(problem(400, "Bad Request", detail))


def invalid_fields(**fields: str) -> Refusal:
    """400 "Invalid Resource" naming the fields (a double underscore stands for a dot)."""
    status, title, detail = GLOSSARY["InvalidResource"]
    errors = [{"field": name.replace("__", "."), "message": message} for name, message in fields.items()]
    return Refusal(problem(status, title, detail, errors))


def invalid_merge(errors: Sequence[Mapping[str, object]]) -> Refusal:
    """400 for values that do not fit their merge fields; nothing of the call is applied."""
    return Refusal(problem(400, "Invalid Resource", "Your merge fields were invalid.", errors))


def bare(status: int) -> Response:
    """An answer of the edge without a body: what throttling sometimes looks like. Source: Mailchimp docs, "Errors"
    (429 and 403 "may not have a JSON body")."""
    return Response(status)


def blocked(status: int) -> Response:
    """A page of the content network in front of the API."""
    return html_response(status, f"<html><head><title>Request Blocked</title></head><body><h1>{status}</h1>"
                                 "<p>Request Blocked. Reference Number: 18.0</p></body></html>")
