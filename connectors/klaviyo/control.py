"""The control plane through the vendor's SDK: the account, finding and creating lists.

klaviyo-api 25 pins revision 2026-10-15, retries by itself (twice over), has no timeout and refuses whole answers for one enum
value it does not know. Here what it calls is sent and judged by `connectors.http`, with our revision, and answers are taken as
they come. Source: source of klaviyo-api 25.0.0.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from connectors.base import Account, Connection, FaultKind, Json, PlatformError, RemoteTarget
from connectors.http import Answer, Http
from connectors.klaviyo.calls import Calls, document, no_progress, text_filter


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
            own, name = record["id"], record["attributes"]["contact_information"]["organization_name"]
        except (KeyError, TypeError, ValueError):
            raise _unexpected("GET /api/accounts") from None
        if not isinstance(own, str) or not own:
            raise _unexpected("GET /api/accounts")
        return Account(own, str(name or ""))

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
        answer: Answer = self._calls.http.sdk(
            call, lambda: self._sdk().Lists.create_list_without_preload_content(body), lanes=("list create",), repeatable=False,
        )
        record = document(answer, call)["data"]
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
        if not isinstance(document(answer, "GET /api/lists")["data"], list):
            raise _unexpected("GET /api/lists")
        return answer

    def _read(self, name: str, lane: str, call: Callable[[Any], Any]) -> Answer:
        answer: Answer = self._calls.http.sdk(name, lambda: call(self._sdk()), lanes=(lane,))
        self._calls.notice(answer, (lane,))
        return answer

    def _sdk(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = _client(self._connection, self._calls)
            return self._client


def _client(connection: Connection, calls: Calls) -> Any:
    """The SDK's client, which sends through us and repeats nothing."""
    from klaviyo_api import KlaviyoAPI

    client = KlaviyoAPI(connection.key.reveal(), max_retries=1, test_host=calls.base_url)
    client.api_client.rest_client = _Rest(calls.http)
    return client


class _Rest:
    """Takes the place of the SDK's own REST client; the headers are ours already."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def request(self, method: str, url: str, body: Json = None, **_: object) -> _Held:
        return _Held(self._http.exchange(method, url, json=body))


class _Held:
    """An answer where the SDK keeps it: its calls "without preload content" return `response`."""

    def __init__(self, answer: Answer) -> None:
        self.response = answer


def _name(record: Json) -> object:
    attributes = record.get("attributes") if isinstance(record, dict) else None
    return attributes.get("name") if isinstance(attributes, dict) else None


def _unexpected(call: str) -> PlatformError:
    return PlatformError("klaviyo", call, FaultKind.EDGE, code="unexpected shape")
