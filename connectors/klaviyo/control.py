"""The control plane through the vendor's SDK: the account, finding and creating lists.

klaviyo-api 25 pins revision 2026-10-15, retries by itself (twice over), has no timeout and refuses whole answers for one enum
value it does not know. Here its revision is ours, nothing retries, every call has a timeout, and answers are taken as they
come. Source: source of klaviyo-api 25.0.0.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from connectors.base import Account, Connection, FaultKind, Json, PlatformError, RemoteTarget
from connectors.http import Answer, Fault
from connectors.klaviyo.calls import HEADERS, Calls, no_progress, text_filter
from connectors.klaviyo.faults import classify

TIMEOUT = (10.0, 60.0)                              # seconds to connect, and of silence
CAP = 16 * 1024 * 1024                              # bytes; an account or ten lists are a few thousand


class _Refused(Exception):
    """An answer that is not the wanted one, on its way through `Http.sdk`."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.code)
        self.fault = fault


class Control:
    """Account and lists. The SDK is imported at the first call: it takes a second."""

    def __init__(self, connection: Connection, calls: Calls) -> None:
        self._connection, self._calls = connection, calls
        self._lock = threading.Lock()
        self._client: Any = None

    def account(self) -> Account:
        """Source: Klaviyo API reference, revision 2026-07-15, Get Accounts: one account per key."""
        answer = self._read("GET /api/accounts", "accounts", lambda sdk: sdk.Accounts.get_accounts_without_preload_content())
        try:
            (record,) = answer.data["data"]
            name = record["attributes"]["contact_information"]["organization_name"]
            return Account(str(record["id"]), str(name or ""))
        except (KeyError, TypeError, ValueError):
            raise _unexpected("GET /api/accounts") from None

    def find(self, name: str) -> RemoteTarget | None:
        """The list called exactly *name*. Names are not documented as unique, so two of them are an error that a person must
        settle: PlatformError INVALID."""
        found = [record for record in self._lists(name) if _name(record) == name]
        if len(found) > 1:
            raise PlatformError("klaviyo", "GET /api/lists", FaultKind.INVALID, code="several lists have this name")
        return RemoteTarget("list", str(found[0]["id"]), name) if found else None

    def create(self, name: str) -> RemoteTarget:
        """The list called *name*, made if there is none. The call that makes it is sent once: after a lost answer the next
        look finds the list. Source: Klaviyo API reference, revision 2026-07-15, Create List."""
        found = self.find(name)
        if found:
            return found
        body = {"data": {"type": "list", "attributes": {"name": name}}}
        call = "POST /api/lists"
        answer = self._calls.http.sdk(
            call, lambda: self._sent(lambda sdk: sdk.Lists.create_list_without_preload_content(body)), _fault,
            lanes=("list create",), repeatable=False,
        )
        record = answer.data["data"]
        if not isinstance(record, dict) or not record.get("id"):
            raise _unexpected(call)
        return RemoteTarget("list", str(record["id"]), name)

    def _lists(self, name: str) -> Sequence[Json]:
        """Lists that may be called *name*: asked for by name, or all of them when the name cannot be quoted; ten a page."""
        asked, cursor = text_filter("equals", "name", [name]), ""
        records: list[Json] = []
        known = set[str]()
        while cursor not in known:
            known.add(cursor)
            answer = self._list_page(asked, cursor)
            records += answer.data["data"]
            cursor = self._calls.next_cursor(answer.data, "/api/lists")
            if not cursor:
                return records
        raise no_progress("/api/lists")

    def _list_page(self, asked: str | None, cursor: str) -> Answer:
        options = {"filter": asked, "page_cursor": cursor or None, "page_size": 10, "fields_list": ["name"]}
        answer = self._read(
            "GET /api/lists", "lists", lambda sdk: sdk.Lists.get_lists_without_preload_content(**options),
        )
        if not isinstance(answer.data["data"], list):
            raise _unexpected("GET /api/lists")
        return answer

    def _read(self, name: str, lane: str, call: Callable[[Any], Any]) -> Answer:
        answer = self._calls.http.sdk(name, lambda: self._sent(call), _fault, lanes=(lane,))
        self._calls.notice(answer, (lane,))
        return answer

    def _sent(self, call: Callable[[Any], Any]) -> Answer:
        """The raw answer to one call of the SDK; _Refused when it is not a good one."""
        raw = call(self._sdk())
        body = raw.read(CAP + 1)
        raw.release_conn()
        if len(body) > CAP:
            raise _Refused(Fault(FaultKind.UNSAFE, "body over the cap"))
        headers = {name.lower(): value for name, value in raw.headers.items()}
        answer = Answer(raw.status, headers, body, _decoded(headers, body))
        fault = classify(answer)
        if fault is not None:
            raise _Refused(fault)
        return answer

    def _sdk(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = _client(self._connection, self._calls.base_url)
            return self._client


def _client(connection: Connection, base_url: str) -> Any:
    """The SDK's client with its own retries off, both kinds; the switch works only on a connection pool built after it."""
    from klaviyo_api import KlaviyoAPI
    from openapi_client.rest import RESTClientObject

    client = KlaviyoAPI(connection.key.reveal(), max_retries=1, test_host=base_url)
    client.configuration.retries = False
    client.api_client.rest_client = _Timed(RESTClientObject(client.configuration))
    client.api_client.default_headers.update({name: value for name, value in HEADERS.items() if name[0] in "rX"})
    return client


class _Timed:
    """The SDK's REST client with a timeout on every call."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def request(self, *args: Any, **options: Any) -> Any:
        return self._client.request(*args, **{**options, "_request_timeout": TIMEOUT})


def _fault(error: Exception) -> Fault | None:
    """What an exception of a call means; None for one that is not of the network."""
    from urllib3.exceptions import HTTPError

    if isinstance(error, _Refused):
        return error.fault
    return Fault(FaultKind.TRANSIENT, type(error).__name__) if isinstance(error, HTTPError) else None


def _decoded(headers: dict[str, str], body: bytes) -> Json:
    if "json" not in headers.get("content-type", ""):
        return None
    try:
        return orjson.loads(body)
    except ValueError:
        return None                                 # classified by its shape


def _name(record: Json) -> object:
    attributes = record.get("attributes") if isinstance(record, dict) else None
    return attributes.get("name") if isinstance(attributes, dict) else None


def _unexpected(call: str) -> PlatformError:
    return PlatformError("klaviyo", call, FaultKind.EDGE, code="unexpected shape")
