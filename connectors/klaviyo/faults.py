"""What Klaviyo's answers mean when they are not the wanted ones.

Source: Klaviyo developer guide "Rate limits, status codes, and errors"; error objects as in the API reference, revision
2026-07-15: `{"errors": [{id, status, code, title, detail, source: {pointer}}]}`. Details may quote an address, so nothing of
them is kept but what is matched here.
"""

from __future__ import annotations

import re
from dataclasses import replace

from connectors.base import FaultKind, Json
from connectors.http import Answer, Fault, usual_fault

POINTERS = 50                                       # places named in one code
_CODE = re.compile(r"[a-z][a-z_]{1,40}")
_POINTER = re.compile(r"/data(?:/[a-z0-9_\-]{1,30}){0,6}/?")
_SCOPE = re.compile(r"\b[a-z][a-z\-]{1,30}:(?:read|write)\b")
_ID = re.compile(r"[A-Za-z0-9\-]{8,64}")


def classify(answer: Answer) -> Fault | None:
    """The verdict on one answer; None when it is good.

    A good answer with a body is a JSON:API document with `data`: anything else is an edge page or a broken proxy, and must
    never pass for an empty page. 403 as HTML is the edge's bot challenge and passes (observed: github.com issue
    klaviyo/klaviyo-api-python#84).
    """
    fault = usual_fault(answer)
    if fault is None:
        return None if answer.status in (202, 204) or is_document(answer.data) else Fault(FaultKind.EDGE, "unexpected shape")
    errors = error_objects(answer.data)
    if not errors:
        return fault
    code, request_id = _code(errors), str(errors[0].get("id", ""))
    fault = replace(fault, code=code or fault.code, request_id=request_id if _ID.fullmatch(request_id) else "")
    if answer.status == 400 and _is_cursor(errors):
        return replace(fault, kind=FaultKind.CURSOR, code="cursor refused")
    if answer.status == 403:
        return replace(fault, code=_missing_scope(errors))
    return fault


def is_document(data: Json) -> bool:
    return isinstance(data, dict) and isinstance(data.get("data"), list | dict)


def error_objects(data: Json) -> list[dict[str, Json]]:
    """The error objects of a refusal, however few."""
    errors = data.get("errors") if isinstance(data, dict) else None
    return [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []


def named(code: str) -> list[int]:
    """Indexes of the batch's members that a fault's *code* points at, sorted: "invalid /data/3/id" names 3."""
    return sorted({int(found) for found in re.findall(r"/data/(\d{1,5})(?=/|\s|$)", code)})


def _code(errors: list[dict[str, Json]]) -> str:
    """The first error's code and every place that the errors point at."""
    first = str(errors[0].get("code", ""))
    sources = [error.get("source") for error in errors]
    pointers = [str(source.get("pointer", "")) for source in sources if isinstance(source, dict)]
    places = [pointer for pointer in pointers if _POINTER.fullmatch(pointer) and pointer.strip("/") != "data"]
    return " ".join([first if _CODE.fullmatch(first) else "refused", *dict.fromkeys(places[:POINTERS])])


def _is_cursor(errors: list[dict[str, Json]]) -> bool:
    """A stale or foreign cursor (observed: github.com issue klaviyo/klaviyo-api-python#9, "Invalid cursor provided")."""
    return any("cursor" in str(error.get("detail", "")).lower() or "cursor" in str(error.get("source", "")).lower()
               for error in errors)


def _missing_scope(errors: list[dict[str, Json]]) -> str:
    """The scopes that a 403 names, so that an operator knows which box to tick."""
    scopes = dict.fromkeys(_SCOPE.findall(" ".join(str(error.get("detail", "")) for error in errors)))
    return "missing scope " + ", ".join(scopes) if scopes else "not allowed"
