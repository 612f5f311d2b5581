"""Audiences, tags and the account, through the vendor's SDK.

`mailchimp-marketing` 3.0.80 hands an answer without a body back as if it were good, puts the data centre for every "server" in
the whole address, follows redirects, takes a connection per call and knows no deadline. So its host is set and its data centre
emptied after it is made, and what it calls is sent and judged by `connectors.http`.
Source: the package's own code, `mailchimp_marketing/api_client.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mailchimp_marketing import Client

from connectors.base import Account, FaultKind, Json, PlatformError, RemoteTarget
from connectors.http import Answer, Http
from connectors.mailchimp.api import PAGE
from connectors.mailchimp.faults import stuck, unexpected

ROOT, LISTS, LIST, SEGMENTS = "/", "/lists", "/lists/{list_id}", "/lists/{list_id}/segments"


class _Good:
    """A good answer, in the form that the SDK reads."""

    ok = True

    def __init__(self, answer: Answer) -> None:
        self.headers = {"content-type": "application/json"}
        self._data = answer.data

    def json(self) -> Json:
        return self._data


class Control:
    """The few calls that set up and find things."""

    def __init__(self, http: Http, key: str) -> None:
        self._http = http
        self._sdk = Client({"api_key": key})
        self._sdk.api_client.host, self._sdk.api_client.server = http.base_url, ""
        self._sdk.api_client.request = self._sent

    def _sent(
        self, method: str, url: str, query: Sequence[tuple[str, Any]] | None = None,
        headers: Mapping[str, str] | None = None, body: Json = None,
    ) -> _Good:
        """Takes the place of the SDK's own `request`; *headers* are ours already."""
        return _Good(self._http.exchange(method, url, query, body))

    def account(self) -> Account:
        data = self._called("GET", ROOT, lambda: self._sdk.root.get_root(fields=["account_id", "account_name"]))
        own = data.get("account_id")
        if not isinstance(own, str) or not own:
            raise unexpected(f"GET {ROOT}")
        return Account(own, str(data.get("account_name") or ""))

    def audiences(self) -> dict[str, str]:
        """Id → name of every audience of the account."""
        fields = ["lists.id", "lists.name", "total_items"]
        pages = self._pages(LISTS, "lists", lambda offset: self._sdk.lists.get_all_lists(
            count=PAGE, offset=offset, fields=fields,
        ))
        return {str(row["id"]): str(row.get("name") or "") for row in pages}

    def has_audience(self, list_id: str) -> bool:
        """Whether there is such an audience; only a plain 404 says no."""
        try:
            self._called("GET", LIST, lambda: self._sdk.lists.get_list(list_id, fields=["id"]))
        except PlatformError as error:
            if error.kind is not FaultKind.GONE:
                raise
            return False
        return True

    def tag(self, name: str, list_id: str) -> RemoteTarget | None:
        """The tag of that name, whatever its case, the same case first; PlatformError INVALID when several differ by case only.

        Tags are found among the static segments: `tag-search` matches prefixes, and how many it shows is not documented.
        """
        fields = ["segments.id", "segments.name", "segments.type", "total_items"]
        pages = self._pages(SEGMENTS, "segments", lambda offset: self._sdk.lists.list_segments(
            list_id, type="static", count=PAGE, offset=offset, fields=fields,
        ))
        alike = {str(row["id"]): str(row["name"]) for row in pages if str(row.get("name")).casefold() == name.casefold()}
        same = [key for key, spelt in alike.items() if spelt == name] or list(alike)
        if len(same) > 1:
            raise PlatformError("mailchimp", f"GET {SEGMENTS}", FaultKind.INVALID, code="several tags of that name")
        return RemoteTarget("tag", same[0], alike[same[0]], list_id) if same else None

    def create_tag(self, name: str, list_id: str) -> RemoteTarget:
        """A new tag with nobody on it; the one that somebody made in this very moment, when the platform refuses a second."""
        wish = {"name": name, "static_segment": []}
        try:
            made = self._called("POST", SEGMENTS, lambda: self._sdk.lists.create_segment(list_id, wish), repeatable=False)
        except PlatformError as error:
            found = self.tag(name, list_id) if error.kind is FaultKind.INVALID else None
            if found is None:
                raise
            return found
        if not made.get("id"):
            raise unexpected(f"POST {SEGMENTS}")
        return RemoteTarget("tag", str(made["id"]), str(made.get("name") or name), list_id)

    def _pages(self, path: str, key: str, ask: Callable[[int], Json]) -> Iterator[Json]:
        seen: set[str] = set()
        offset = 0
        while True:
            data = self._called("GET", path, lambda: ask(offset))  # noqa: B023 - called at once
            rows = data.get(key)
            if not isinstance(rows, list) or not all(isinstance(row, dict) and row.get("id") for row in rows):
                raise unexpected(f"GET {path}")
            if rows and {str(row["id"]) for row in rows} <= seen:
                raise stuck(f"GET {path}")
            seen.update(str(row["id"]) for row in rows)
            yield from rows
            offset += len(rows)
            if len(rows) < PAGE:
                return

    def _called(self, method: str, path: str, call: Callable[[], Json], *, repeatable: bool = True) -> dict[str, Any]:
        data = self._http.sdk(f"{method} {path}", call, repeatable=repeatable)
        if not isinstance(data, dict):
            raise unexpected(f"{method} {path}")
        return data
