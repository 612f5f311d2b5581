"""What a call asks for: page, fields, times, flags, bodies. Conventions that hold for every Mailchimp collection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from connectors.clock import Millis, millis
from connectors.mailchimp.sandbox.errors import invalid_fields, problem, refuse
from connectors.sandbox.server import Refusal, Request

Tree: TypeAlias = "dict[str, Tree | None]"          # None: the whole thing below
MOST = 1000


def paging(request: Request, default: int = 10) -> slice:
    """The wanted rows. *count* is 10 unless said otherwise and at most 1000: more is answered, with 1000.

    Source: Mailchimp docs, "Methods and parameters" (default and maximum); that larger counts are answered 200 was
    observed in estuary/connectors, source-mailchimp-native; that they are clamped is our choice.
    """
    count, offset = _number(request, "count", default), _number(request, "offset", 0)
    return slice(offset, offset + min(count, MOST))


def _number(request: Request, name: str, default: int) -> int:
    text = request.one(name)
    if not text:
        return default
    if not text.isdigit():
        raise invalid_fields(**{name: "This value should be a non-negative integer."})
    return int(text)


def flag(request: Request, name: str) -> bool:
    return request.one(name).lower() in ("true", "1")


def moment(text: str) -> Millis | None:
    """Milliseconds of an ISO 8601 time with offset and whole seconds; None for anything else."""
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return millis(found) if found.tzinfo and not found.microsecond and "." not in text else None


def window(request: Request, name: str) -> tuple[Millis | None, Millis | None]:
    """Bounds of `since_NAME` (exclusive) and `before_NAME` (inclusive), at whole seconds. An unreadable time is ignored, so
    that everything comes back. Observed: estuary/connectors (bounds), github.com issue brandonseydel/MailChimp.Net#525."""
    return moment(request.one(f"since_{name}")), moment(request.one(f"before_{name}"))


def choice(request: Request, name: str, values: Iterable[str]) -> str:
    """The value of an enumerated parameter or ""; 400 for others."""
    text = request.one(name)
    if text and text not in values:
        raise invalid_fields(**{name: "The value you selected is not a valid choice."})
    return text


def body(request: Request) -> dict[str, Any]:
    """The JSON object sent; 400 when it is no JSON or no object."""
    try:
        value = request.json()
    except ValueError:
        raise refuse("JSONParseError") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        found = "array" if isinstance(value, list) else type(value).__name__
        raise Refusal(problem(400, "Invalid Resource", "The resource submitted could not be validated. For field-specific "
                              "details, see the 'errors' array.",
                              [{"field": "", "message": f"Schema describes object, {found} found instead"}]))
    return value


def checked(sent: Mapping[str, Any], types: Mapping[str, type | tuple[type, ...]], required: Iterable[str] = ()) -> None:
    """400 naming every field that is missing or of another type than documented."""
    wrong = {name: "This value should not be blank." for name in required if sent.get(name) in (None, "")}
    names = {str: "string", int: "integer", bool: "boolean", dict: "object", list: "array"}
    for name, kind in types.items():
        kinds = kind if isinstance(kind, tuple) else (kind,)
        value = sent.get(name)
        if value is not None and (not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)):
            found = names.get(type(value), "number")
            wrong.setdefault(name, f"Schema describes {names.get(kinds[0], 'number')}, {found} found instead")
    if wrong:
        raise invalid_fields(**wrong)


@dataclass(frozen=True, slots=True)
class Shape:
    """Which fields of an answer are wanted: paths with dots, rooted at the answer itself ("members.id").

    Source: Mailchimp docs, "Methods and parameters"; that the item key roots the path, not the URL: observed in
    estuary/connectors, source-mailchimp-native.
    """

    keep: Tree | None = None
    drop: Tree | None = None

    @staticmethod
    def of(request: Request) -> Shape:
        """400 when both `fields` and `exclude_fields` are given."""
        keep, drop = _paths(request, "fields"), _paths(request, "exclude_fields")
        if keep and drop:
            raise Refusal(problem(
                400, "Bad Request", "The fields and exclude_fields parameters cannot be used together."))
        return Shape(_tree(keep) if keep else None, _tree(drop) if drop else None)

    def wants(self, item: str, name: str) -> bool:
        """Whether field *name* of the items under *item* (of the answer itself when "") is wanted, at least in part."""
        keep, drop = _below(self.keep, item), _below(self.drop, item)
        if self.keep is not None and keep is not None and name not in keep:
            return False
        return drop is None or drop.get(name, {}) is not None

    def trim(self, value: dict[str, Any]) -> dict[str, Any]:
        """*value* with the wanted fields only."""
        found: dict[str, Any] = value
        if self.keep is not None:
            found = _kept(value, self.keep)
        elif self.drop is not None:
            found = _dropped(value, self.drop)
        return found


def _paths(request: Request, name: str) -> list[str]:
    return [path.strip() for text in request.all(name) for path in text.split(",") if path.strip()]


def _tree(paths: Iterable[str]) -> Tree:
    root: Tree = {}
    for path in paths:
        *above, last = path.split(".")
        node = root
        for name in above:
            below = node.setdefault(name, {})
            if below is None:
                break
            node = below
        else:
            node[last] = None
    return root


def _below(tree: Tree | None, item: str) -> Tree | None:
    """The tree under *item*: None when all of it is meant, empty when nothing."""
    if tree is None or not item:
        return tree
    return tree.get(item, {})


def _kept(value: Any, tree: Tree) -> Any:
    if isinstance(value, list):
        return [_kept(one, tree) for one in value]
    if not isinstance(value, dict):
        return value
    found = {}
    for name, below in tree.items():
        if name in value:
            found[name] = value[name] if below is None else _kept(value[name], below)
    return found


def _dropped(value: Any, tree: Tree) -> Any:
    if isinstance(value, list):
        return [_dropped(one, tree) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _dropped(one, tree[name] or {}) if name in tree else one
        for name, one in value.items() if tree.get(name, {}) is not None
    }
