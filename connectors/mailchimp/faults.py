"""What Mailchimp's refusals mean.

A problem document has `title`, `status`, `detail`; `type` changed its form over the years and may be missing, so the status
decides, then the title. Source: Mailchimp API docs, Errors page; observed: github.com issue hitobito/hitobito#1819 (details).
"""

from __future__ import annotations

from connectors.base import FaultKind, Json, PlatformError
from connectors.http import Answer, Fault, usual_fault

TITLES = frozenset({
    "api key invalid", "api key missing", "authorization failure", "bad request", "forbidden", "forgotten email not subscribed",
    "internal server error", "internalservererror", "invalid action", "invalid resource", "json parse exception",
    "member exists", "member in compliance state", "method not allowed", "resource not found", "toomanyrequests",
    "too many requests", "user disabled", "compliance related", "compliancerelated", "apikeyinvalid", "apikeymissing",
})                                                  # the error glossary; another title is not repeated, it could hold anything
CLOSED = frozenset({"user disabled", "userdisabled", "compliance related", "compliancerelated"})


def classify(answer: Answer) -> Fault | None:
    """The fault of an answer, None when it is good.

    A 403 or 429 without JSON is the edge throttling; with JSON a 403 is about the person who made the key. A 503 with the title
    ComplianceRelated closes the account. Source: Mailchimp API docs, Errors page and Rate limits and timeouts page.
    """
    fault = usual_fault(answer)
    if fault is None:
        return None
    title = _title(answer.data)
    kind, code = fault.kind, title if title in TITLES else fault.code
    if title in CLOSED:
        kind = FaultKind.KEY
    elif answer.status >= 500 and not answer.is_json:
        kind = FaultKind.EDGE
    return Fault(kind, code, fault.retry_after, answer.headers.get("x-request-id", ""))


def _title(data: Json) -> str:
    title = data.get("title") if isinstance(data, dict) else None
    return title.strip().lower() if isinstance(title, str) else ""


def unexpected(call: str, code: str = "unexpected shape") -> PlatformError:
    """An answer that says 200 and is not what it should be: never read as an empty page."""
    return PlatformError("mailchimp", call, FaultKind.EDGE, code=code, maybe=True)


def stuck(call: str) -> PlatformError:
    """A walk that would ask for the same page for ever."""
    return PlatformError("mailchimp", call, FaultKind.INVALID, code="no progress")
