"""The account behind the keys, and what every call passes before it is answered: key, version, type, scope, limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from connectors.clock import Clock, Millis
from connectors.hubspot.sandbox.definitions import Definitions
from connectors.hubspot.sandbox.errors import GONE, error, fault, invalid, missing_scopes, throttled
from connectors.hubspot.sandbox.kinds import BY_NAME, CART, CLOSED, CONTACT, DEAL, LINE, ORDER, Kind
from connectors.hubspot.sandbox.limits import GENERAL, SEARCH, Limits
from connectors.hubspot.sandbox.mail import Mail
from connectors.hubspot.sandbox.members import Lists
from connectors.hubspot.sandbox.people import SUBSCRIPTIONS, People
from connectors.hubspot.sandbox.records import Records
from connectors.hubspot.sandbox.shop import Deals, Shop
from connectors.hubspot.sandbox.times import iso
from connectors.sandbox.keys import role_of
from connectors.sandbox.server import Application, Handler, Request, Response, Route, html_response, route
from connectors.sandbox.weather import Sky

VERSIONS = ("2026-03", "2026-09")
STRICT = "2026-09"                                  # since then the account's own rules hold for writes through the API
LONGEST_QUERY = 16_384                              # observed: 414 somewhere between 8 kB and 32 kB, airbytehq/airbyte#33976
ZONE = "Europe/Berlin"
SWITCHES: dict[str, Any] = {
    "merge_keeps_id": False,        # the beta "Primary ID Preservation"
    "merged_ids_missing": False,    # membership calls with an old id: to the survivor, or into recordIdsMissing
    "join_order_ascending": False,  # sources disagree
    "noop_moves": False,            # whether a write that changes nothing moves lastmodifieddate
    "epoch_fails": True,            # a search from time 0 answers 500
    "malformed_key_530": False,     # a key that has not even the form of one is answered by the edge
    "retry_after": False,           # on 429
    "required_property": "",        # a rule of the account: this property must be set; dated 2026-09 writes only
    "archived_unlinked": False,     # whether a link with an archived record is shown
    "no_batch_statuses": False,     # the plan lacks reading many statuses at once: 403
}
# paths of calls that strangers make and that have nothing to read here: 403, since some take a 404 for a reason to stop.
# Source: clients of this API, read (singer-io/tap-hubspot, airbytehq/airbyte source-hubspot)
WITHOUT_DATA = (
    "/companies/v2/", "/crm/v3/owners", "/crm/v3/pipelines", "/crm-pipelines/v1", "/automation/v3/workflows", "/engagements/v1",
    "/deals/v1/pipelines", "/crm/v3/associations/", "/crm/v4/objects", "/events/v3/", "/crm/v3/schemas/", "/marketing/v3/campaigns",
)


def twin(method: str, dated: str, legacy: str = "", *, consent: bool = False, **data: Any) -> Callable[[Handler], Handler]:
    """Marks a handler of a dated path (with `{version}`) and of its twin in v3 or v4."""

    def mark(handler: Handler) -> Handler:
        for template in (dated, legacy):
            if template:
                handler = route(method, template, consent=consent, **data)(handler)
        return handler

    return mark


class Ground(Application):
    """State and hooks; the calls are in the classes that build on it."""

    name: ClassVar[str] = "hubspot"

    def __init__(self, clock: Clock, sky: Sky) -> None:
        super().__init__(clock, sky)
        self.zone = ZoneInfo(ZONE)
        self.account: dict[str, Any] = {"id": 1_000_001, "name": "Sandbox Shop"}
        self.limits = Limits(self.zone)
        self.switches = dict(SWITCHES)
        self.revoked: set[str] = set()
        self.dropped: dict[str, set[str]] = {}
        self.everybody: Any = None                  # addresses of the world's people, by their index
        self.blocked: set[str] = set()              # addresses erased for good
        self.clear()

    def clear(self) -> None:
        """An account without anybody."""
        self.since: Millis = self.clock.now()
        self.people, self.shop, self.mail = People(), Shop(), Mail()
        self.deals = Deals()
        self.lists = Lists(self.since)
        self.definitions = Definitions(SUBSCRIPTIONS, iso(self.since))
        self.stores: dict[str, Records] = {
            CONTACT.plural: self.people, DEAL.plural: self.deals, ORDER.plural: self.shop.orders, CART.plural: self.shop.carts,
            LINE.plural: self.shop.lines,
        }

    # --- hooks

    def find(self, request: Request) -> tuple[Route | None, list[str]]:
        """Paths are known with and without a trailing slash."""
        request.path = request.path.rstrip("/") or "/"
        return super().find(request)

    def role(self, request: Request) -> str:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        return role_of(self.name, key.strip()) if scheme.lower() == "bearer" else ""

    def refuse(self, request: Request, role: str, found: Route | None) -> Response | None:
        if len(request.raw_query) > LONGEST_QUERY:
            return html_response(414, "<html><head><title>414 Request-URI Too Large</title></head></html>")
        return self._key(request, role) or self._place(request) or self._scope(request, role, found) or self._pace(role, found)

    def _key(self, request: Request, role: str) -> Response | None:
        if role and role not in self.revoked:
            return None
        sent = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self.switches["malformed_key_530"] and sent and not sent.startswith("pat-"):
            return fault("530", "")
        return fault("401", "")

    def _place(self, request: Request) -> Response | None:
        """Versions and types there are not."""
        if request.params.get("version", STRICT) not in VERSIONS:
            return GONE
        kind = request.params.get("type", CONTACT.plural)
        if kind in CLOSED:
            return missing_scopes([f"crm.objects.{kind}.read"])
        if kind not in BY_NAME:
            return error(400, f"Unable to infer object type from: {kind}", "VALIDATION_ERROR")
        return None

    def _scope(self, request: Request, role: str, found: Route | None) -> Response | None:
        dropped = self.dropped.get(role)
        if not dropped or found is None:
            return None
        kind = BY_NAME.get(request.params.get("type", ""), CONTACT).plural
        missing = [one for scope in found.data.get("scopes", ()) if (one := scope.replace("{type}", kind)) in dropped]
        return missing_scopes(missing) if missing else None

    def _pace(self, role: str, found: Route | None) -> Response | None:
        policy = self.limits.refused(role, self._rate(found), self.clock.now())
        return self._too_many(policy) if policy else None

    def _too_many(self, policy: str) -> Response:
        answer = throttled(policy)
        if self.switches["retry_after"]:
            answer.headers["Retry-After"] = "1" if policy == "SECONDLY" else "10"
        return answer

    @staticmethod
    def _rate(found: Route | None) -> str:
        return found.data.get("rate", GENERAL) if found else GENERAL

    def not_found(self, request: Request, allowed: list[str]) -> Response:
        if allowed:
            return error(405, "Method not allowed")
        if request.path.startswith(WITHOUT_DATA):
            return missing_scopes(["settings.read"])
        return GONE

    def failed(self, kind: str, request: Request) -> Response:
        return fault(kind, "SECONDLY" if request.path.startswith("/crm/") and self._searches(request) else "TEN_SECONDLY_ROLLING")

    @staticmethod
    def _searches(request: Request) -> bool:
        return request.path.endswith("/search") and "/objects/" in request.path

    def finish(self, request: Request, response: Response, role: str, found: Route | None) -> None:
        if role and role not in self.revoked and response.status and self._rate(found) != SEARCH:
            response.headers.update(self.limits.headers(role, self.clock.now()))

    # --- for all handlers

    def consent_touched(self, role: str) -> None:
        """A call whose body, not its path, could change somebody's permission."""
        self.tallies[role].consent += 1

    def store(self, request: Request) -> Records:
        return self.stores[BY_NAME[request.params["type"]].plural]

    def kind_of(self, name: str) -> Kind | None:
        """A type by any of its names; None for one that is there but not to be seen. 400 for one that is not."""
        if name in CLOSED:
            return None
        if name not in BY_NAME:
            invalid(f"Unable to infer object type from: {name}")
        return BY_NAME[name]

    @staticmethod
    def body(request: Request) -> dict[str, Any]:
        """The JSON object sent; 400 when it is none."""
        try:
            found = request.json()
        except ValueError:
            found = None
        if not isinstance(found, dict):
            invalid("Invalid input JSON on line 1, column 1: the body is no object")
        return found

    def searchable(self) -> Millis:
        """When a write of now reaches the search index."""
        return self.clock.now() + self.sky.lag("search")

    @staticmethod
    def limit_of(request: Request, usual: int, most: int) -> int:
        """The query's `limit`; 400 when it is too much or no number."""
        text = request.one("limit")
        if not text:
            return usual
        if not text.isdigit() or not 0 < int(text) <= most:
            invalid(f"limit must be between 1 and {most}")
        return int(text)


def batch(now: Millis, results: list[Any], errors: list[Any] | None = None, **more: Any) -> dict[str, Any]:
    """The frame of a batch's answer."""
    stamps = {"status": "COMPLETE", "requestedAt": iso(now), "startedAt": iso(now), "completedAt": iso(now), "results": results}
    return stamps | ({"numErrors": len(errors), "errors": errors} if errors else {}) | more
