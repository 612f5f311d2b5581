"""A vendor's description of its API, as something to hold a request and its answer against.

Reads Swagger 2.0 (body parameters, `collectionFormat`), OpenAPI 3.0 (`nullable`) and 3.1. Schemas are rewritten into plain
JSON Schema (draft 2020-12) once, so that one validator serves all three.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import jsonschema
import pytest

FOLDER = "SEGMENTD_SPECS"
METHODS = ("get", "post", "put", "patch", "delete", "head")


def description(platform: str) -> Description:
    """The vendor's description of *platform*. Skips the module only when the variable is not set; a missing file fails."""
    folder = os.environ.get(FOLDER)
    if not folder:
        pytest.skip(f"{FOLDER} is not set", allow_module_level=True)
    return Description.read(Path(folder) / f"{platform}.json")


@dataclass(frozen=True, slots=True)
class Operation:
    """One method on one path template. *schema* of the body sent, or None; *answers*: status or "default" → schema or None."""

    method: str
    template: str
    pattern: re.Pattern[str]
    parameters: tuple[Mapping[str, Any], ...]
    schema: Mapping[str, Any] | None
    body_required: bool
    answers: Mapping[str, Mapping[str, Any] | None]

    @property
    def name(self) -> str:
        return f"{self.method} {self.template}"


@dataclass(slots=True)
class Description:
    """All operations of one description. *base* is the part of a URL's path before the templates."""

    document: Mapping[str, Any]
    base: str = ""
    operations: list[Operation] = field(default_factory=list)
    lenient_empty: bool = False         # "" stands where a time or an enumerated value is declared (Mailchimp, observed)
    _schemas: dict[int, Any] = field(default_factory=dict)
    _named: dict[str, Any] | None = None

    @staticmethod
    def read(path: Path) -> Description:
        document = json.loads(path.read_text())
        base = document.get("basePath", "").rstrip("/")
        found = Description(document, base)
        found.operations = list(found._operations())
        return found

    # --- reading

    def _operations(self) -> Iterator[Operation]:
        for template, methods in self.document["paths"].items():
            shared = methods.get("parameters", [])
            for method in METHODS:
                if method in methods:
                    yield self._operation(method.upper(), template, methods[method], shared)

    def _operation(self, method: str, template: str, told: Mapping[str, Any], shared: Iterable[Any]) -> Operation:
        parameters = [self.resolved(one) for one in [*shared, *told.get("parameters", [])]]
        body = next((one for one in parameters if one["in"] == "body"), None)
        if body is None and "requestBody" in told:
            body = self.resolved(told["requestBody"])
        return Operation(
            method, template, _pattern(template), tuple(one for one in parameters if one["in"] != "body"),
            _schema_of(body) if body else None, bool(body and body.get("required")),
            {str(status): _schema_of(self.resolved(one)) for status, one in told["responses"].items()},
        )

    def resolved(self, part: Any) -> Any:
        """*part*, with a `$ref` at its top followed."""
        while isinstance(part, Mapping) and "$ref" in part:
            target: Any = self.document
            for step in part["$ref"].removeprefix("#/").split("/"):
                target = target[unquote(step).replace("~1", "/").replace("~0", "~")]
            part = target
        return part

    def plain(self, schema: Any) -> dict[str, Any]:
        """*schema* as draft 2020-12 with this document's definitions beside it."""
        if self._named is None:
            known = [name for name in ("definitions", "components") if name in self.document]
            self._named = {name: self._plain(self.document[name]) for name in known}
        return {**self._plain(schema), **self._named}

    def _plain(self, part: Any) -> Any:
        if isinstance(part, list):
            return [self._plain(one) for one in part]
        if not isinstance(part, Mapping):
            return part
        found = {name: self._plain(one) for name, one in part.items() if name not in ("example", "examples", "discriminator")}
        if "readOnly" in found and isinstance(found["readOnly"], bool):
            del found["readOnly"]
        if found.get("nullable") is True or found.get("x-nullable") is True:
            found = {"anyOf": [{name: one for name, one in found.items() if name != "nullable"}, {"type": "null"}]}
        if self.lenient_empty and isinstance(part.get("type"), str) and ("enum" in part or "format" in part):
            found = {"anyOf": [found, {"const": ""}]}
        return found

    # --- holding against

    def find(self, method: str, path: str) -> Operation | None:
        """The operation of a URL's path (with the base); the one with the fewest templates wins."""
        if not path.startswith(self.base):
            return None
        rest = path[len(self.base):] or "/"
        fits = [one for one in self.operations if one.method == method and one.pattern.fullmatch(rest)]
        return min(fits, key=lambda one: one.template.count("{"), default=None)

    def problems(self, schema: Any, value: Any) -> list[str]:
        """Why *value* is not what *schema* describes, at most ten; empty when it is."""
        validator = self._validator(schema)
        return [f"{one.json_path}: {one.message[:200]}" for one in islice(validator.iter_errors(value), 10)]

    def _validator(self, schema: Any) -> Any:
        if id(schema) not in self._schemas:
            checker = jsonschema.FormatChecker(formats=())
            self._schemas[id(schema)] = jsonschema.Draft202012Validator(self.plain(schema), format_checker=checker)
        return self._schemas[id(schema)]

    def request_problems(self, one: Operation, url: str, body: bytes) -> list[str]:
        """Why a call is not what the operation takes: unknown or missing query parameters, wrong values, wrong body."""
        sent = parse_qsl(urlsplit(url).query, keep_blank_values=True)
        known = {told["name"]: told for told in one.parameters if told["in"] == "query"}
        problems = [f"query {name!r} is not described" for name, _ in sent if _plain_name(name, known) is None]
        missing = [name for name, told in known.items() if told.get("required") and name not in dict(sent)]
        problems += [f"query {name!r} is missing" for name in missing]
        for name, text in sent:
            told = known.get(_plain_name(name, known) or "")
            problems += self._value_problems(told, text) if told else []
        if one.schema is None:
            return problems + (["a body is not described"] if body else [])
        if not body:
            return problems + (["the body is missing"] if one.body_required else [])
        return problems + self.problems(one.schema, json.loads(body))

    def _value_problems(self, told: Mapping[str, Any], text: str) -> list[str]:
        schema = self.resolved(told.get("schema", told))
        kind = schema.get("type")
        if kind == "array":
            item = {"name": told["name"], "schema": self.resolved(schema.get("items", {}))}
            return [why for part in text.split(",") for why in self._value_problems(item, part)]
        fits = {"integer": r"-?\d+", "number": r"-?\d+(\.\d+)?", "boolean": r"(?i:true|false)"}
        if kind in fits and not re.fullmatch(fits[kind], text):
            return [f"query {told['name']!r}: {text!r} is no {kind}"]
        enum = schema.get("enum")
        return [f"query {told['name']!r}: {text!r} is none of {enum}"] if enum and kind == "string" and text not in enum else []

    def answer_problems(self, one: Operation, status: int, body: bytes) -> list[str]:
        """Why an answer is not what the operation gives."""
        wanted = [str(status), f"{status // 100}XX", "default"]
        found = next((code for code in wanted if code in one.answers), None)
        if found is None:
            return [f"status {status} is not described"]
        schema = one.answers[found]
        if schema is None or not body:
            return [] if not body or schema is not None or status >= 400 else ["no body is described"]
        return self.problems(schema, json.loads(body))


def _pattern(template: str) -> re.Pattern[str]:
    parts = re.split(r"\{[^}]+\}", template)
    return re.compile("[^/]+".join(map(re.escape, parts)))


def _schema_of(part: Mapping[str, Any]) -> Any:
    """The JSON schema of a body or an answer, in either generation; None when there is none."""
    if "schema" in part:
        return part["schema"]
    media: Mapping[str, Any] = part.get("content", {})
    return next((told.get("schema") for kind, told in media.items() if "json" in kind), None)


def _plain_name(name: str, known: Mapping[str, Any]) -> str | None:
    """The described name of a query parameter: `fields[profile]` and `x[]` are looked up as they are, then by their stem."""
    if name in known:
        return name
    stem = name.split("[", 1)[0]
    return stem if stem in known else None
