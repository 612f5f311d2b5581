"""Finding and making lists through the vendor's SDK, hubspot-api-client.

It calls v3 paths only, whose support ends in September 2027; its successor on dated paths is not stable yet. Measured with
12.0.0: without a timeout it waits for ever, each access of an API object opens a new pool, and the text of its exceptions holds
whole bodies. Hence: one kept object, and what it calls is sent and judged by `connectors.http`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from connectors.base import FaultKind, Json, PlatformError, RemoteTarget
from connectors.http import Answer, Http
from connectors.hubspot.api import CONTACTS, GENERAL
from connectors.hubspot.faults import PLATFORM, unexpected

T = TypeVar("T")
MANUAL = "MANUAL"


class Lists:
    """The lists of one account. Source: HubSpot API reference, Lists v3."""

    def __init__(self, http: Http, key: str) -> None:
        self._http, self._key = http, key
        self._api: Any = None

    def find(self, name: str) -> RemoteTarget | None:
        """The contact list called *name*, case ignored; None when the name is free. PlatformError INVALID when its members are
        not ours to write: only a MANUAL list takes them."""
        call = "GET /crm/v3/lists/object-type-id/{type}/name/{name}"
        try:
            answer = self._call(call, lambda: self._lists().get_by_name(name, CONTACTS), True)
        except PlatformError as error:
            if error.kind is FaultKind.GONE:
                return None
            raise
        found = _target(getattr(answer, "list", None), call)
        if answer.list.processing_type != MANUAL:
            raise PlatformError(PLATFORM, call, FaultKind.INVALID, code=not_manual(answer.list.processing_type))
        return found

    def create(self, name: str) -> RemoteTarget:
        """A new, empty MANUAL list of contacts. Sent once. PlatformError INVALID when the name is taken."""
        from hubspot.crm.lists import ListCreateRequest

        call = "POST /crm/v3/lists"
        wish = ListCreateRequest(name=name, object_type_id=CONTACTS, processing_type=MANUAL)
        answer = self._call(call, lambda: self._lists().create(wish), False)
        return _target(getattr(answer, "list", None), call)

    def _call(self, name: str, call: Callable[[], T], repeatable: bool) -> T:
        return self._http.sdk(name, call, lanes=GENERAL, repeatable=repeatable)

    def _lists(self) -> Any:
        if self._api is None:
            from hubspot import HubSpot

            base = self._http.base_url
            api = HubSpot(access_token=self._key, host=base, base_url=base).crm.lists.lists_api
            api.api_client.rest_client = _Rest(self._http)
            self._api = api
        return self._api


class _Rest:
    """Takes the place of the SDK's own REST client; the headers are ours already."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def GET(self, url: str, query_params: Sequence[tuple[str, Any]] | None = None, **_: object) -> _Good:
        return _Good(self._http.exchange("GET", url, query_params))

    def POST(
        self, url: str, query_params: Sequence[tuple[str, Any]] | None = None, body: Json = None, **_: object,
    ) -> _Good:
        return _Good(self._http.exchange("POST", url, query_params, body))


class _Good:
    """A good answer, in the form that the SDK reads."""

    def __init__(self, answer: Answer) -> None:
        self.status, self.data = answer.status, answer.body

    def getheader(self, name: str) -> None:
        """None: the body is JSON in UTF-8, whatever charset is told."""


def not_manual(processing_type: object) -> str:
    """Why a list is refused, in the words of a short code."""
    known = processing_type if processing_type in ("DYNAMIC", "SNAPSHOT") else "of another kind"
    return f"list is {known}, not {MANUAL}"


def _target(found: Any, call: str) -> RemoteTarget:
    """What the SDK made of the answer; an HTML page becomes an object without a list."""
    if not getattr(found, "list_id", None) or not isinstance(found.name, str):
        raise unexpected(call)
    return RemoteTarget("list", str(found.list_id), found.name)
