"""What all handlers of the emulated Mailchimp stand on: the state, whose key it is, refusals, and small helpers."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import orjson

from connectors.clock import MINUTE, Clock, Millis
from connectors.mailchimp.sandbox import errors
from connectors.mailchimp.sandbox.asking import Shape
from connectors.mailchimp.sandbox.audiences import Audience, sandbox_audiences
from connectors.mailchimp.sandbox.mail import Mail
from connectors.mailchimp.sandbox.people import People, Rows, token, whole
from connectors.mailchimp.sandbox.segments import Segment, Segments
from connectors.mailchimp.sandbox.shop import Shop
from connectors.sandbox.keys import role_of
from connectors.sandbox.server import Application, Request, Response, Route, json_response
from connectors.sandbox.weather import Sky

if TYPE_CHECKING:
    import pyarrow as pa

CONNECTIONS = 10                                    # at once. Source: Mailchimp docs, "Rate limits and timeouts"
JSON = "application/json; charset=utf-8"
LATEST_ACTS: Millis = 9 * MINUTE                    # reports lag less than other platforms' (observed: under four minutes)


def stamps(times: Sequence[Millis] | Rows) -> list[str]:
    """ISO 8601 with offset and whole seconds; "" for 0, as Mailchimp writes what has not happened."""
    seconds = np.asarray(times, np.int64) // 1000
    texts = np.datetime_as_string(seconds.astype("datetime64[s]")).tolist()
    return [f"{text}+00:00" if second else "" for text, second in zip(texts, seconds.tolist(), strict=True)]


def stamp(at: Millis) -> str:
    return stamps([at])[0]


class Ground(Application):
    """State and the hooks of a call; the handlers are in the subclasses, by subject."""

    name: ClassVar[str] = "mailchimp"

    def __init__(self, clock: Clock, sky: Sky) -> None:
        super().__init__(clock, sky)
        self.calls = 0
        self.clear()

    def clear(self) -> None:
        """An account with two empty audiences and an empty store."""
        now = whole(self.clock.now())
        self.account = {"id": token("account"), "name": "Sandbox Inc"}
        self.audiences: list[Audience] = sandbox_audiences(now)
        self.people, self.segments, self.mail, self.shop = People(), Segments(), Mail(), Shop(opened=now)
        self.everybody: pa.ChunkedArray | None = None           # addresses of the world, by person
        self.persons: dict[str, int] | None = None
        self.revoked: set[str] = set()
        self.dropped: set[str] = set()
        self.switches: dict[str, bool] = {"bare_429": False, "double_optin": False}
        self.unlimited = False

    # --- hooks of a call

    def role(self, request: Request) -> str:
        """Basic (any name, the key as password) and Bearer are both taken. Source: Mailchimp docs, "Authentication"."""
        kind, _, rest = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return role_of(self.name, rest.strip())
        if kind.lower() != "basic":
            return ""
        try:
            return role_of(self.name, base64.b64decode(rest, validate=True).decode().partition(":")[2])
        except (binascii.Error, UnicodeDecodeError):
            return ""

    def find(self, request: Request) -> tuple[Route | None, list[str]]:
        """POST stands for the method that X-HTTP-Method-Override names; with other methods the header is refused."""
        override = request.headers.get("x-http-method-override", "")
        if override and request.method != "POST":
            request.params["refused"] = override
            return None, []
        request.method = override.upper() or request.method
        return super().find(request)

    def refuse(self, request: Request, role: str, found: Route | None) -> Response | None:
        if self.busy > CONNECTIONS and not self.unlimited:
            return self.failed("429", request)
        if not request.headers.get("authorization"):
            return errors.named("APIKeyMissing")
        if not role or role in self.revoked:
            return errors.named("APIKeyInvalid")
        if any(request.path.removeprefix("/3.0/").startswith(scope) for scope in self.dropped):
            return errors.named("Forbidden")
        drill = request.headers.get("x-trigger-error")
        if drill is not None:
            return errors.named(drill) if drill in errors.GLOSSARY else errors.named("BadRequest")
        return None

    def not_found(self, request: Request, allowed: list[str]) -> Response:
        if not allowed:
            return errors.named("InvalidMethodOverride" if "refused" in request.params else "ResourceNotFound")
        response = errors.named("MethodNotAllowed")
        response.headers["Allow"] = ", ".join(sorted(set(allowed)))
        return response

    def failed(self, kind: str, request: Request) -> Response:
        """Beside the usual kinds: "bare429" and "bare403" (no body), "compliance503", "userdisabled403"."""
        if kind == "429" and self.switches["bare_429"]:
            return errors.bare(429)
        documents = {
            "401": "APIKeyInvalid", "403": "Forbidden", "429": "TooManyRequests", "500": "InternalServerError",
            "compliance503": "ComplianceRelated", "userdisabled403": "UserDisabled",
        }
        if kind in documents:
            return errors.named(documents[kind])
        status = int(kind[-3:])
        return errors.bare(status) if kind.startswith("bare") else errors.blocked(status)

    def finish(self, request: Request, response: Response, role: str, found: Route | None) -> None:
        """X-Request-Id on every answer, and the same as `instance` in problem documents."""
        self.calls += 1
        text = token("request", self.calls, length=32)
        identity = f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
        response.headers["X-Request-Id"] = identity
        if response.headers.get("Content-Type") == errors.PROBLEM:
            response.body = orjson.dumps(orjson.loads(response.body) | {"instance": identity})

    # --- helpers of the handlers

    def told(self, request: Request, value: dict[str, Any]) -> Response:
        """200 with the wanted fields of *value*. Creation answers 200 too (observed: grouparoo/grouparoo fixtures)."""
        return json_response(200, Shape.of(request).trim(value), JSON)

    def audience_of(self, request: Request) -> tuple[int, Audience]:
        """Index and audience of `{list}`; 404 when there is none."""
        found = next((n for n, one in enumerate(self.audiences) if one.id == request.params["list"]), None)
        if found is None:
            raise errors.missing()
        return found, self.audiences[found]

    def member_of(self, request: Request) -> int:
        """Row of `{list}` and `{hash}`; 404 when there is none."""
        row = self.people.find(self.audience_of(request)[0], request.params["hash"])
        if row is None:
            raise errors.missing()
        return row

    def segment_of(self, request: Request) -> Segment:
        found = self.segments.get(self.audience_of(request)[0], request.params["segment"])
        if found is None:
            raise errors.missing()
        return found

    def consent_touched(self, request: Request) -> None:
        """Count a call whose body may change somebody's permission."""
        self.tallies[self.role(request)].consent += 1

    def lag(self, what: str) -> Millis:
        """Of "members" as the weather says; reports ("events") lag a sixth of the weather's, unless set by hand."""
        found = self.sky.lag(what)
        return found if what != "events" or what in self.sky.lags else min(found // 6, LATEST_ACTS)

    def person_of(self, address: str) -> int:
        """The world's person with that address, or -1."""
        if self.persons is None:
            known = self.everybody.to_pylist() if self.everybody is not None else []
            self.persons = {email.lower(): n for n, email in enumerate(known)}
        return self.persons.get(address.strip().lower(), -1)

    def link(self, rel: str, path: str, request: Request) -> dict[str, str]:
        return {"rel": rel, "href": f"{request.base}/3.0{path}", "method": "GET"}
