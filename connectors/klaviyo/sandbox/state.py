"""The account behind the key, and what every call passes before it is answered: key, revision, scope, media type, limits."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from connectors.clock import Clock, Millis
from connectors.klaviyo.sandbox.documents import Ask, Reads, ask
from connectors.klaviyo.sandbox.errors import answer, error, fault, throttled
from connectors.klaviyo.sandbox.groups import Group, Groups
from connectors.klaviyo.sandbox.happenings import Happenings
from connectors.klaviyo.sandbox.identity import short_id
from connectors.klaviyo.sandbox.limits import Budget, Budgets
from connectors.klaviyo.sandbox.people import SUBSCRIBED, People
from connectors.sandbox.keys import role_of
from connectors.sandbox.server import Application, Request, Response, Route
from connectors.sandbox.weather import Sky

# Source: Klaviyo API docs, "API versioning and deprecation policy" and changelog: each revision lives two years.
SUPPORTED = (
    "2025-01-15", "2025-04-15", "2025-07-15", "2025-10-15", "2026-01-15", "2026-04-15", "2026-07-15", "2026-10-15",
)
OMNICHANNEL = "2026-10-15"      # from here on campaigns have another shape. Source: klaviyo-api 24.0.0 and 25.0.0 compared
OPT_OUT = "x-klaviyo-revision-fall-forward-opt-out"
SWITCHES = {
    "event_page_most": 1000,    # the description says 1000, the prose 200
    "bound_margin": 5000,       # milliseconds before now in which a bound of profiles and events is refused: seen, not documented
    "updated_on_consent": 0,    # whether `updated` moves when consent or suppression changes: not documented
}


class KlaviyoState(Application):
    """State and hooks; the calls are in the mixins."""

    name: ClassVar[str] = "klaviyo"

    def __init__(self, clock: Clock, sky: Sky) -> None:
        super().__init__(clock, sky)
        self.account = {"id": "SbX001", "name": "Sandbox Shop"}
        self.people, self.events = People(), Happenings()
        self.lists, self.segments = Groups(), Groups()
        self.tags = {"11111111-0000-4000-8000-000000000001": "newsletters"}
        self.flows: dict[str, tuple[str, str]] = {}         # flow id → its name, the id of the list that triggers it
        self.jobs: dict[str, Any] = {}
        self.budgets = Budgets()
        self.switches = dict(SWITCHES)
        self.revoked: set[str] = set()
        self.dropped: dict[str, set[str]] = {}              # role → scopes its key has lost
        self._tasks: list[tuple[Millis, int, Callable[[], None]]] = []
        self._order, self._list_numbers = itertools.count(), itertools.count()
        self._budget: Budget | None = None
        for name in ("Subscribed to e-mail",):
            self.segments.add(Group("segment", short_id(0, 4), name, clock.now(), clock.now()))
        self.add_list("Newsletter", "single_opt_in")

    # hooks

    def find(self, request: Request) -> tuple[Route | None, list[str]]:
        """Paths are known with and without a trailing slash."""
        request.path = request.path.rstrip("/") or "/"
        return super().find(request)

    def role(self, request: Request) -> str:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        return role_of(self.name, key.strip()) if scheme.lower() == "klaviyo-api-key" else ""

    def refuse(self, request: Request, role: str, found: Route | None) -> Response | None:
        self._budget = None
        self.settle()
        refused = self._key(request, role) or self._revision(request)
        if refused or found is None:
            return refused
        return self._scope(role, found) or self._media(request) or self._pace(request, found)

    def _key(self, request: Request, role: str) -> Response | None:
        if "authorization" not in request.headers:
            title = "Authentication credentials were not provided."
            return answer(error(401, "Missing or invalid authorization", code="not_authenticated", title=title))
        if not role or role in self.revoked:
            return answer(error(401, "Missing or invalid authorization"))
        return None

    def _revision(self, request: Request) -> Response | None:
        asked = request.headers.get("revision", "")
        if not asked:
            return answer(error(400, "The revision header is required.", parameter="revision"))
        if asked in SUPPORTED:
            return None
        if len(asked) != 10 or not asked.replace("-", "").isdecimal():
            return answer(error(400, "The revision header must be a date, YYYY-MM-DD.", parameter="revision"))
        if request.headers.get(OPT_OUT) != "1":
            return None                             # falls forward
        if asked < SUPPORTED[0]:
            return answer(error(410, "The requested revision is no longer supported."))
        return answer(error(400, "The requested revision does not exist.", parameter="revision"))

    def revision(self, request: Request) -> str:
        """The supported revision that answers: the one asked for, or the next later one, or the last."""
        return min((known for known in SUPPORTED if known >= request.headers["revision"]), default=SUPPORTED[-1])

    def _scope(self, role: str, found: Route) -> Response | None:
        missing = [scope for scope in found.data["scopes"] if scope in self.dropped.get(role, ())]
        detail = f"Your API key is missing required scopes: {', '.join(missing)}"
        return answer(error(403, detail)) if missing else None

    def _media(self, request: Request) -> Response | None:
        sent = request.headers.get("content-type", "").partition(";")[0].strip()
        if request.body and sent not in ("application/vnd.api+json", "application/json"):
            return answer(error(415, "Unsupported media type in request."))
        return None

    def _pace(self, request: Request, found: Route) -> Response | None:
        now = self.clock.now()
        budgets = [self.budgets.of(found.name, found.data["tier"], found.data.get("daily", 0)), *self._strict(request)]
        self._budget = budgets[-1]
        if not self.budgets.enforced:
            return None
        wait = max(budget.wait(now) for budget in budgets)
        if wait:
            return throttled(wait)
        for budget in budgets:
            budget.take(now)
        return None

    def _strict(self, request: Request) -> list[Budget]:
        """Parameters with a limit of their own, over all endpoints that take them."""
        additional = ",".join(value for name, value in request.query if name.startswith("additional-fields["))
        strict = []
        if "predictive_analytics" in additional:
            strict.append(self.budgets.of("predictive_analytics", "M"))
        if "profile_count" in additional:
            strict.append(self.budgets.of("profile_count", "XS"))
        if request.path.startswith("/api/profiles/") and {"lists", "segments"} & set(request.one("include").split(",")):
            strict.append(self.budgets.of("include groups", "XS"))
        return strict

    def ask(self, request: Request, reads: Reads) -> Ask:
        """What the call wishes, checked. Bounds in the future are refused everywhere; shortly before now where it was seen."""
        return ask(request, reads, self.clock.now() - (0 if reads.young else self.switches["bound_margin"]))

    def not_found(self, request: Request, allowed: list[str]) -> Response:
        if allowed:
            return answer(error(405, f'Method "{request.method}" not allowed.'), headers={"Allow": ", ".join(sorted(allowed))})
        return answer(error(404, "The requested resource does not exist."))

    def failed(self, kind: str, request: Request) -> Response:
        return fault(kind)

    def finish(self, request: Request, response: Response, role: str, found: Route | None) -> None:
        if self._budget and response.status and response.status != 429:
            response.headers.update(self._budget.headers(self.clock.now()))

    # what takes time

    def later(self, lag: Millis, task: Callable[[], None]) -> None:
        """Do *task* when *lag* is over, before the first call that comes after."""
        heapq.heappush(self._tasks, (self.clock.now() + lag, next(self._order), task))
        self.settle()

    def settle(self) -> None:
        """Do what is due."""
        now = self.clock.now()
        while self._tasks and self._tasks[0][0] <= now:
            heapq.heappop(self._tasks)[2]()
        for group in (*self.lists.by_id.values(), *self.segments.by_id.values()):
            group.settle(now)

    # filling

    def load(self, world: Any) -> None:
        """Fill from a World: its people, events and campaigns, a list "Newsletter" and a segment of who is subscribed."""
        now = self.clock.now()
        people, events, campaigns = world.part(self.name)
        self.people.load(people, world.people, now)
        rows_of = np.full(max(world.people.num_rows, 1), -1, np.int64)
        rows_of[self.people.columns["person"]] = np.arange(len(self.people))
        self.events = Happenings()
        self.events.load(events, campaigns, rows_of, now)
        columns, done = self.people.columns, self.events.columns
        np.maximum.at(columns["last_event"], done["profile"], done["at"])
        self._tasks.clear()
        self.jobs.clear()
        self.flows.clear()
        self._load_groups(now)

    def _load_groups(self, now: Millis) -> None:
        subscribed = np.where(self.people.columns["consent"] == SUBSCRIBED, self.people.columns["consent_at"], 0)
        for group in self.segments.rows():
            group.joined, group.shown = subscribed.copy(), subscribed.copy()
        self.lists, self._list_numbers = Groups(), itertools.count()
        newsletter = self.add_list("Newsletter", "single_opt_in")
        newsletter.joined, newsletter.shown = subscribed.copy(), subscribed.copy()

    def add_list(self, name: str, opt_in: str = "double_opt_in") -> Group:
        """A new, empty list; names need not be unique."""
        now = self.clock.now() // 1000 * 1000
        made = self.lists.add(Group("list", short_id(next(self._list_numbers), 3), name, now, now, opt_in))
        made.fit(len(self.people))
        return made

    def change_members(self, group: Group, rows: list[int], joining: bool) -> None:
        """Let *rows* in or out now; readers see each of them when its lag is over."""
        group.fit(len(self.people))
        now = self.clock.now()
        lags = [self.sky.lag("members") for _ in rows]
        group.change(rows, now // 1000 * 1000 if joining else 0, lags, now)
        group.updated = now // 1000 * 1000

    def consent_changed(self, row: int) -> None:
        """`updated` moves only by switch."""
        if self.switches["updated_on_consent"]:
            self.people.touch(row, self.clock.now())
