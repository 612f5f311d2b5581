"""Finding and making lists through the vendor's SDK, hubspot-api-client.

It calls v3 paths only, whose support ends in September 2027; its successor on dated paths is not stable yet. Measured with
12.0.0: without a timeout it waits for ever, each access of an API object opens a new pool, and the text of its exceptions holds
whole bodies. Hence: its retries off, a timeout on each call, one kept object, exceptions read by status only.
"""

from __future__ import annotations

from typing import Any

from connectors.base import FaultKind, PlatformError, RemoteTarget
from connectors.http import Fault, Http
from connectors.hubspot.api import CONTACTS, GENERAL
from connectors.hubspot.faults import PLATFORM, Faults, sdk_fault, unexpected

TIMEOUT = (10.0, 130.0)                             # connect, silence; seconds
MANUAL = "MANUAL"


class Lists:
    """The lists of one account. Source: HubSpot API reference, Lists v3."""

    def __init__(self, http: Http, faults: Faults, key: str) -> None:
        self._http, self._faults, self._key = http, faults, key
        self._api: Any = None

    def find(self, name: str) -> RemoteTarget | None:
        """The contact list called *name*, case ignored; None when the name is free. PlatformError INVALID when its members are
        not ours to write: only a MANUAL list takes them."""
        call = "GET /crm/v3/lists/object-type-id/{type}/name/{name}"
        try:
            answer = self._call(call, lambda: self._lists().get_by_name(name, CONTACTS, _request_timeout=TIMEOUT), True)
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
        answer = self._call(call, lambda: self._lists().create(wish, _request_timeout=TIMEOUT), False)
        return _target(getattr(answer, "list", None), call)

    def close(self) -> None:
        """Give up its pooled connections."""
        if self._api is not None:
            self._api.api_client.rest_client.pool_manager.clear()

    def _call(self, name: str, call: Any, repeatable: bool) -> Any:
        def translate(error: Exception) -> Fault | None:
            return sdk_fault(error, self._faults)

        return self._http.sdk(name, call, translate, lanes=GENERAL, repeatable=repeatable)

    def _lists(self) -> Any:
        if self._api is None:
            from hubspot import HubSpot

            base = self._http.base_url
            client = HubSpot(access_token=self._key, retry=False, host=base, base_url=base)
            self._api = client.crm.lists.lists_api
        return self._api


def not_manual(processing_type: object) -> str:
    """Why a list is refused, in the words of a short code."""
    known = processing_type if processing_type in ("DYNAMIC", "SNAPSHOT") else "of another kind"
    return f"list is {known}, not {MANUAL}"


def _target(found: Any, call: str) -> RemoteTarget:
    """What the SDK made of the answer; an HTML page becomes an object without a list."""
    if not getattr(found, "list_id", None) or not isinstance(found.name, str):
        raise unexpected(call)
    return RemoteTarget("list", str(found.list_id), found.name)
