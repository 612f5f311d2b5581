"""JSON:API as Klaviyo has it: what a call may ask, one page of rows, links with their own host, cursors.

A cursor holds where the page ended in the order asked for (key, then row), so a record that moves meanwhile is seen twice or
not at all, as its key says, and never shifts the others. Source: Klaviyo API docs, "Relationships and pagination"; two
published cursors decode to `next::id::<last id>`; a bad one: observed, github.com issue klaviyo/klaviyo-api-python#9.
"""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
import orjson

from connectors.clock import Millis
from connectors.klaviyo.sandbox.errors import MEDIA, bad_parameter, invalid
from connectors.klaviyo.sandbox.fieldsets import NESTED
from connectors.klaviyo.sandbox.filters import Condition, Rule, conditions
from connectors.klaviyo.sandbox.shapes import Shape, check
from connectors.sandbox.server import Request, Response

Rows = npt.NDArray[np.int64]
Key = Callable[[int], Any]
Keep = Callable[[Rows], npt.NDArray[np.bool_]]      # which of these rows the conditions let by


@dataclass(frozen=True, slots=True)
class Reads:
    """What an endpoint lets its caller ask. *size*: default and most per page, None where `page[size]` is not known.

    *fields*: resource type → attribute names.
    """

    size: tuple[int, int] | None = None
    paged: bool = False
    sorts: tuple[str, ...] = ()
    rules: Mapping[str, Rule] = field(default_factory=dict)
    includes: tuple[str, ...] = ()
    fields: Mapping[str, frozenset[str]] = field(default_factory=dict)
    additional: Mapping[str, frozenset[str]] = field(default_factory=dict)
    needs_filter: bool = False
    young: bool = False             # bounds may reach up to now


@dataclass(frozen=True, slots=True)
class Ask:
    """One caller's wishes, checked. *fields*: resource type → attributes, for types whose fields were named."""

    found: list[Condition]
    sort: str
    down: bool
    size: int
    after: tuple[Any, int] | None
    include: frozenset[str]
    fields: Mapping[str, tuple[str, ...]]
    additional: frozenset[str]


def ask(request: Request, reads: Reads, latest: Millis) -> Ask:
    """The wishes of a call; refuses with 400 every parameter and value that the endpoint does not know, and bounds after
    *latest*."""
    sort, found, size, after = "", list[Condition](), (reads.size or (200, 200))[0], None
    include, additional, fields = frozenset[str](), frozenset[str](), dict[str, tuple[str, ...]]()
    if reads.needs_filter and not request.one("filter"):
        bad_parameter("filter", "A filter on messages.channel is required.")
    for name, value in request.query:
        if name == "filter" and reads.rules:
            found = conditions(value, reads.rules, latest)
        elif name == "sort" and reads.sorts:
            sort = _sort(value, reads)
        elif name == "page[size]" and reads.size:
            size = _size(value, reads.size[1])
        elif name == "page[cursor]" and (reads.size or reads.paged):
            after = None                            # below, when the order is known
        elif name == "include" and reads.includes:
            include = _names("include", value, frozenset(reads.includes))
        elif name.startswith("fields[") and name[7:-1] in reads.fields:
            fields[name[7:-1]] = tuple(sorted(_names(name, value, reads.fields[name[7:-1]])))
        elif name.startswith("additional-fields[") and name[18:-1] in reads.additional:
            additional = _names(name, value, reads.additional[name[18:-1]])
        else:
            bad_parameter(name, f"'{name}' is not an allowed query parameter for this resource.")
    if request.one("page[cursor]"):
        after = read_cursor(request.one("page[cursor]"), sort)
    return Ask(found, sort.lstrip("-"), sort.startswith("-"), size, after, include, fields, additional)


def _sort(value: str, reads: Reads) -> str:
    if value.lstrip("-") not in reads.sorts or value.startswith("--"):
        bad_parameter("sort", f"'{value}' is not a sortable field for this resource.")
    return value


def _size(value: str, most: int) -> int:
    if not value.isdecimal() or not 1 <= int(value) <= most:
        bad_parameter("page_size", f"Page size must be an integer between 1 and {most}.")
    return int(value)


def _names(parameter: str, value: str, allowed: frozenset[str]) -> frozenset[str]:
    names = frozenset(name.strip() for name in value.split(",") if name.strip())
    for name in sorted(names):
        kind = "include" if parameter == "include" else "field"
        top, dot, _ = name.partition(".")
        if name not in allowed and not (kind == "field" and (name == "id" or (dot and top in allowed & NESTED))):
            bad_parameter(parameter, f"'{name}' is not an allowed {kind} parameter for this resource.")
    return names


def make_cursor(sort: str, key: Any, row: int) -> str:
    return base64.b64encode(b"next::" + orjson.dumps([sort, key, row])).decode()


def read_cursor(text: str, sort: str) -> tuple[Any, int]:
    """Key and row where the last page ended; 400 when it is no cursor, or one of another order."""
    try:
        plain = base64.b64decode(text, validate=True)
        if not plain.startswith(b"next::"):
            raise ValueError(text)
        told = orjson.loads(plain[6:])
    except (ValueError, binascii.Error):
        told = None
    if not (isinstance(told, list) and [*map(type, told)] in ([str, str, int], [str, int, int]) and told[0] == sort):
        invalid("Invalid cursor provided.")
    return told[1], told[2]


@dataclass(frozen=True, slots=True)
class Found:
    """The rows of a page and, when there are more, the cursor that leads on."""

    rows: list[int]
    cursor: str = ""


def walk(order: Rows, key: Key, wish: Ask, keep: Keep, low: Any = None, high: Any = None) -> Found:
    """One page along *order* (rows ascending by *key*, then by row), from *low* to below *high*, of rows that *keep* lets by."""
    first = bisect_left(order, low, key=key) if low is not None else 0
    last = bisect_left(order, high, key=key) if high is not None else len(order)
    if wish.after and len(order):
        at = wish.after
        if isinstance(at[0], str) != isinstance(key(int(order[0])), str):
            invalid("Invalid cursor provided.")

        def both(row: int) -> tuple[Any, int]:
            return key(row), row

        if wish.down:
            last = min(last, bisect_left(order, at, key=both))
        else:
            first = max(first, bisect_right(order, at, key=both))
    rows = _collected(order, first, last, wish, keep)
    sort = "-" * wish.down + wish.sort
    if len(rows) <= wish.size:
        return Found(rows)
    end = rows[wish.size - 1]
    told = key(end)
    return Found(rows[: wish.size], make_cursor(sort, told if isinstance(told, str) else int(told), end))


def _collected(order: Rows, first: int, last: int, wish: Ask, keep: Keep) -> list[int]:
    rows: list[int] = []
    step = 2 * wish.size
    while first < last and len(rows) <= wish.size:
        if wish.down:
            chunk, last = order[max(first, last - step) : last][::-1], max(first, last - step)
        else:
            chunk, first = order[first : min(last, first + step)], min(last, first + step)
        rows += chunk[keep(chunk)].tolist()
        step = min(step * 2, 1 << 17)
    return rows[: wish.size + 1]


def everyone(rows: Rows) -> npt.NDArray[np.bool_]:
    return np.ones(len(rows), bool)


def picked(attributes: dict[str, Any], names: Sequence[str] | None) -> dict[str, Any]:
    """The attributes named, or all; a dotted name gives its branch alone."""
    if names is None:
        return attributes
    made: dict[str, Any] = {}
    for name in names:
        here, there = attributes, made
        *path, leaf = name.split(".")
        for step in path:
            here = here.get(step) or {}
            there = there.setdefault(step, {})
        if isinstance(here, dict) and leaf in here:
            there[leaf] = here[leaf]
    return made


def self_url(request: Request, cursor: str | None = None) -> str:
    """The call's own address, percent-encoded; with *cursor*: that of the page it leads to."""
    query = [(name, value) for name, value in request.query if cursor is None or name != "page[cursor]"]
    if cursor is not None:
        query.append(("page[cursor]", cursor))
    text = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in query)
    return f"{request.base}{request.path}" + (f"?{text}" if text else "")


def page(request: Request, data: list[Any], cursor: str, included: Sequence[Any] | None = None) -> Response:
    """A page of resources. On the last one `next` is null for an even number of rows and absent for an odd one: live answers
    do either. Observed: github.com issue klaviyo/klaviyo-api-python#64."""
    links: dict[str, Any] = {"self": self_url(request)}
    if cursor:
        links |= {"next": self_url(request, cursor), "prev": None}
    elif len(data) % 2 == 0:
        links |= {"next": None, "prev": None}
    body: dict[str, Any] = {"data": data, "links": links}
    if included is not None:
        body["included"] = included
    return reply(200, body)


def single(request: Request, data: Any, status: int = 200, included: Sequence[Any] | None = None) -> Response:
    """One resource."""
    body: dict[str, Any] = {"data": data, "links": {"self": self_url(request)}}
    if included:
        body["included"] = included
    return reply(status, body)


def reply(status: int, body: Any) -> Response:
    return Response(status, orjson.dumps(body), {"Content-Type": MEDIA})


def related(base: str, kind: str, identity: str, *names: str) -> dict[str, Any]:
    """Relationships with links and no data."""
    root = f"{base}/api/{kind}/{identity}"
    return {name: {"links": {"self": f"{root}/relationships/{name}/", "related": f"{root}/{name}/"}} for name in names}


def document(request: Request, kind: str, shape: Mapping[str, Shape]) -> dict[str, Any]:
    """The `data` object of a body, of type *kind* and of *shape*; 400 naming the place when it is anything else."""
    try:
        body = request.json()
    except ValueError:
        invalid("JSON parse error.", "")
    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, dict) or data.get("type") != kind:
        invalid(f"The body must hold a resource of type '{kind}'.", "/data/type")
    check(data, shape, "/data")
    return data


def inside(value: Any, *path: str, default: Any = None) -> Any:
    """What stands at *path* below *value*, or *default* where that ends."""
    for step in path:
        if not isinstance(value, dict) or value.get(step) is None:
            return default
        value = value[step]
    return value
