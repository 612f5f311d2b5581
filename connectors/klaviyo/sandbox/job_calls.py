"""What is done by jobs: imports by the thousand, permission, suppression, erasure. Accepted now, done when the lag is over.

Source: Klaviyo OpenAPI, revision 2026-07-15; all-or-nothing validation of imports: observed, github.com issue
rudderlabs/rudder-server#7107; channels without identifier: github.com issue klaviyo/klaviyo-api-node#95.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson

from connectors.clock import DAY, Millis
from connectors.klaviyo.sandbox import fieldsets, shapes
from connectors.klaviyo.sandbox.documents import Ask, Reads, document, everyone, inside, page, picked, related, single, walk
from connectors.klaviyo.sandbox.errors import invalid, missing, refuse
from connectors.klaviyo.sandbox.event_writes import EventWrites
from connectors.klaviyo.sandbox.filters import TEXT, parse_time, rule, wanted
from connectors.klaviyo.sandbox.groups import Group
from connectors.klaviyo.sandbox.happenings import NAMES, SUBSCRIBED_TO
from connectors.klaviyo.sandbox.people import iso
from connectors.klaviyo.sandbox.profile_writes import EMAIL
from connectors.sandbox.server import Refusal, Request, Response, route

IMPORT = "profile-bulk-import-job"
SUPPRESS, UNSUPPRESS = "profile-suppression-bulk-create-job", "profile-suppression-bulk-delete-job"
SUBSCRIBE, UNSUBSCRIBE = "profile-subscription-bulk-create-job", "profile-subscription-bulk-delete-job"
MOST_IMPORTED, MOST_IMPORT_BYTES = 10_000, 5_000_000
FIELDS = {IMPORT: fieldsets.JOB, SUPPRESS: fieldsets.JOB, UNSUPPRESS: fieldsets.JOB, "list": fieldsets.LIST}
JOBS = Reads(size=(20, 100), sorts=("created_at",), rules={"status": TEXT}, fields=FIELDS)
ONE_JOB = Reads(fields=FIELDS, includes=("lists",))
SUPPRESS_JOBS = Reads(
    paged=True, sorts=("created",), fields=FIELDS,
    rules={name: rule("text", "equals") for name in ("status", "list_id", "segment_id")},
)
IMPORT_IDS = Reads(size=(20, 100))
IMPORT_ERRORS = Reads(size=(20, 100), fields={"import-error": fieldsets.IMPORT_ERROR})


@dataclass(slots=True)
class Job:
    """One job. *rows*: profiles it made or changed; *errors*: what each failed one was answered, with its payload."""

    kind: str
    id: str
    created: Millis
    due: Millis
    total: int
    list_id: str = ""
    done: bool = False
    skipped: int = 0
    rows: list[int] = field(default_factory=list)
    errors: list[tuple[dict[str, Any], dict[str, Any]]] = field(default_factory=list)

    def status(self, now: Millis) -> str:
        if self.done:
            return "complete"
        return "processing" if now - self.created > (self.due - self.created) // 3 else "queued"


class JobCalls(EventWrites):
    """/api/profile-bulk-import-jobs, /api/profile-s…-bulk-…-jobs, /api/data-privacy-deletion-jobs."""

    def _job(self, kind: str, total: int, work: Callable[[Job], None], list_id: str = "") -> Job:
        """A new job whose *work* is done when its lag is over."""
        now = self.clock.now()
        lag = self.sky.lag("jobs")
        job = Job(kind, f"{kind[8:14]}{len(self.jobs) + 1:06d}", now, now + lag, total, list_id)
        self.jobs[job.id] = job

        def run() -> None:
            work(job)
            job.done = True

        self.later(lag, run)
        return job

    def _job_of(self, request: Request, kind: str) -> Job:
        identity = request.params.get("job_id") or request.params["id"]
        job = self.jobs.get(identity)
        if not job or job.kind != kind:
            missing(kind, identity)
        found: Job = job
        return found

    def job(self, request: Request, job: Job, wish: Ask) -> dict[str, Any]:
        now = self.clock.now()
        status = job.status(now)
        attributes: dict[str, Any] = {
            "status": status, "created_at": iso(job.created), "total_count": job.total, "completed_count": len(job.rows),
            "completed_at": iso(job.due) if job.done else None,
        }
        if job.kind == IMPORT:
            attributes |= {"failed_count": len(job.errors), "expires_at": iso(job.created + 7 * DAY),
                           "started_at": None if status == "queued" else iso(job.created)}
        else:
            attributes |= {"skipped_count": job.skipped}
        made = {"type": job.kind, "id": job.id, "attributes": picked(attributes, wish.fields.get(job.kind))}
        if job.kind == IMPORT:
            links = related(request.base, job.kind + "s", job.id, "lists", "profiles", "import-errors")
            links["lists"]["data"] = [{"type": "list", "id": job.list_id}] if job.list_id else []
            made["relationships"] = links
        return made | {"links": {"self": f"{request.base}/api/{job.kind}s/{job.id}/"}}

    def _job_page(self, request: Request, kind: str, reads: Reads) -> Response:
        wish = self.ask(request, reads)
        states = wanted(wish.found, "status")
        jobs = [job for job in self.jobs.values() if job.kind == kind and (not states or job.status(self.clock.now()) in states)]
        found = walk(np.arange(len(jobs)), int, wish, everyone)
        return page(request, [self.job(request, jobs[n], wish) for n in found.rows], found.cursor)

    # imports

    @route("POST", "/api/profile-bulk-import-jobs", creates=True, tier="M", scopes=("lists:write", "profiles:write"))
    def import_profiles(self, request: Request) -> Response:
        """One bad address refuses the whole job; identifiers of two profiles fail alone, later."""
        if len(request.body) > MOST_IMPORT_BYTES:
            refuse(413, "The request payload exceeds the maximum size.")
        data = document(request, IMPORT, shapes.IMPORT)
        profiles = data["attributes"]["profiles"]["data"]
        if not 1 <= len(profiles) <= MOST_IMPORTED:
            invalid(f"1 to {MOST_IMPORTED} profiles are expected.", "/data/attributes/profiles/data")
        for number, profile in enumerate(profiles):
            at = f"/data/attributes/profiles/data/{number}"
            if len(orjson.dumps(profile)) > 100_000:
                refuse(413, "The request payload exceeds the maximum size.", pointer=at)
            self.check_attributes(profile["attributes"], at)
        group = self._import_list(data)
        job = self._job(IMPORT, len(profiles), lambda job: self._import(job, profiles, group), group.id if group else "")
        return single(request, self.job(request, job, self.ask(request, ONE_JOB)), 202)

    def _import_list(self, data: Mapping[str, Any]) -> Group | None:
        named = inside(data, "relationships", "lists", "data", default=[])
        if not named:
            return None
        identity = named[0]["id"]
        if identity not in self.lists.by_id:
            missing("list", identity)
        return self.lists.by_id[identity]

    def _import(self, job: Job, profiles: list[dict[str, Any]], group: Group | None) -> None:
        for profile in profiles:
            try:
                job.rows.append(self.upsert(profile)[0])
            except Refusal as refusal:
                told = orjson.loads(refusal.response.body)["errors"][0]
                job.errors.append((told, profile["attributes"]))
        if group and group.id in self.lists.by_id:
            self.change_members(group, list(dict.fromkeys(job.rows)), joining=True)

    @route("GET", "/api/profile-bulk-import-jobs", tier="M", scopes=("lists:read", "profiles:read"))
    def get_imports(self, request: Request) -> Response:
        return self._job_page(request, IMPORT, JOBS)

    @route("GET", "/api/profile-bulk-import-jobs/{job_id}", tier="M", scopes=("lists:read", "profiles:read"))
    def get_import(self, request: Request) -> Response:
        wish = self.ask(request, ONE_JOB)
        job = self._job_of(request, IMPORT)
        lists = [self.lists.by_id[job.list_id]] if "lists" in wish.include and job.list_id in self.lists.by_id else []
        return single(request, self.job(request, job, wish), included=[self.group(request, group, wish) for group in lists])

    @route("GET", "/api/profile-bulk-import-jobs/{id}/relationships/profiles", tier="M", scopes=("profiles:read",))
    def get_import_ids(self, request: Request) -> Response:
        wish = self.ask(request, IMPORT_IDS)
        rows = self._job_of(request, IMPORT).rows
        found = walk(np.arange(len(rows)), int, wish, everyone)
        return page(request, [{"type": "profile", "id": self.people.ids[rows[n]]} for n in found.rows], found.cursor)

    @route("GET", "/api/profile-bulk-import-jobs/{id}/import-errors", tier="M", scopes=("profiles:read",))
    def get_import_errors(self, request: Request) -> Response:
        wish = self.ask(request, IMPORT_ERRORS)
        job = self._job_of(request, IMPORT)
        found = walk(np.arange(len(job.errors)), int, wish, everyone)
        data = []
        for number in found.rows:
            told, payload = job.errors[number]
            attributes = {**{name: told[name] for name in ("code", "title", "detail", "source")}, "original_payload": payload}
            data.append({
                "type": "import-error", "id": told["id"], "attributes": picked(attributes, wish.fields.get("import-error")),
                "links": {"self": f"{request.base}/api/{IMPORT}s/{job.id}/import-errors/{number}/"},
            })
        return page(request, data, found.cursor)

    # permission

    @route("POST", "/api/profile-subscription-bulk-create-jobs", consent=True, tier="L",
           scopes=("lists:write", "profiles:write", "subscriptions:write"))
    def subscribe_profiles(self, request: Request) -> Response:
        """Grants consent, and lifts what stands against it. With double opt-in nothing changes until the person confirms."""
        data = document(request, SUBSCRIBE, shapes.CONSENT)
        historical = bool(inside(data, "attributes", "historical_import", default=False))
        profiles = self._named_profiles(data, 1000)
        wanted_at = [self._consented_at(profile, historical, n) for n, profile in enumerate(profiles)]
        group = self._list_of(data)
        double = not historical and (group.opt_in == "double_opt_in" if group else False)

        def run() -> None:
            for profile, at in zip(profiles, wanted_at, strict=True):
                self._subscribe(profile, at, group, double)

        self.later(self.sky.lag("jobs"), run)
        return Response(202)

    def _consented_at(self, profile: Mapping[str, Any], historical: bool, number: int) -> Millis | None:
        """When consent was given, None for now; 400 unless the channels have their identifiers and the instants make sense."""
        at = f"/data/attributes/profiles/data/{number}/attributes"
        attributes = profile["attributes"]
        channels = attributes["subscriptions"]
        for channel, identifier in (("email", "email"), ("sms", "phone_number"), ("whatsapp", "phone_number")):
            if channel in channels and not attributes.get(identifier):
                invalid(f"'{identifier}' must not be empty when the {channel} channel is included in 'subscriptions'.",
                        f"{at}/{identifier}")
        place = f"{at}/subscriptions/email/marketing/consented_at"
        given = inside(channels, "email", "marketing", "consented_at")
        if historical != bool(given) and "email" in channels:
            invalid("consented_at goes with historical_import, and only with it.", place)
        if not given:
            return None
        try:
            when = parse_time(given)
        except ValueError:
            when = self.clock.now() + 1
        if when > self.clock.now():
            invalid("consented_at must be a time in the past.", place)
        return when

    def _subscribe(self, profile: Mapping[str, Any], at: Millis | None, group: Group | None, double: bool) -> None:
        attributes = {name: profile["attributes"].get(name) for name in ("email", "phone_number")}
        try:
            row, _ = self.upsert({"id": profile.get("id"), "attributes": {k: v for k, v in attributes.items() if v}})
        except Refusal:
            return
        if double or "email" not in profile["attributes"]["subscriptions"]:
            return
        self.subscribed(row, at)
        if group and group.id in self.lists.by_id:
            self.people.list_suppressions.get(row, {}).pop(group.id, None)
            self.change_members(group, [row], joining=True)

    @route("POST", "/api/profile-subscription-bulk-delete-jobs", consent=True, tier="L",
           scopes=("lists:write", "profiles:write", "subscriptions:write"))
    def unsubscribe_profiles(self, request: Request) -> Response:
        """Members of the list given leave that list; everybody else is unsubscribed from all mail."""
        data = document(request, UNSUBSCRIBE, shapes.CONSENT)
        profiles = self._named_profiles(data, 100)
        group = self._list_of(data)

        def run() -> None:
            for profile in profiles:
                for row in self._holders({"email": profile["attributes"].get("email")}):
                    self._unsubscribe(row, group)

        self.later(self.sky.lag("jobs"), run)
        return Response(202)

    def _unsubscribe(self, row: int, group: Group | None) -> None:
        if group:
            group.fit(len(self.people))
        if group and group.joined[row]:
            self.people.leave_list(row, group.id, self.clock.now())
            self.change_members(group, [row], joining=False)
        else:
            self.unsubscribed(row)

    def _named_profiles(self, data: Mapping[str, Any], most: int) -> list[dict[str, Any]]:
        """The profiles of a consent or suppression job; 400 for none, too many, or a bad address."""
        profiles: list[dict[str, Any]] = inside(data, "attributes", "profiles", "data", default=[])
        if not 1 <= len(profiles) <= most:
            invalid(f"1 to {most} profiles are expected.", "/data/attributes/profiles/data")
        for number, profile in enumerate(profiles):
            email = profile["attributes"].get("email")
            if email is not None and not EMAIL.fullmatch(email):
                invalid("Invalid email address", f"/data/attributes/profiles/data/{number}/attributes/email")
        return profiles

    def _list_of(self, data: Mapping[str, Any]) -> Group | None:
        identity = inside(data, "relationships", "list", "data", "id")
        if identity is None:
            return None
        if identity not in self.lists.by_id:
            missing("list", str(identity))
        return self.lists.by_id[identity]

    def subscribed(self, row: int, at: Millis | None = None) -> None:
        """Consent given (*at*, or now), with the event that Klaviyo writes of it."""
        now = self.clock.now()
        self.people.subscribe(row, now if at is None else at)
        self.consent_changed(row)
        self.happened(row, self.events.metric(SUBSCRIBED_TO, now), now)

    def unsubscribed(self, row: int) -> None:
        """Consent withdrawn now for all mail, with its event."""
        now = self.clock.now()
        self.people.unsubscribe(row, now)
        self.consent_changed(row)
        self.happened(row, self.events.metric(NAMES["email_unsubscribed"], now), now)

    # suppression

    @route("POST", "/api/profile-suppression-bulk-create-jobs", consent=True, tier="L",
           scopes=("profiles:write", "subscriptions:write"))
    def suppress_profiles(self, request: Request) -> Response:
        return self._suppression(request, SUPPRESS)

    @route("POST", "/api/profile-suppression-bulk-delete-jobs", consent=True, tier="L", scopes=("subscriptions:write",))
    def unsuppress_profiles(self, request: Request) -> Response:
        """Lifts suppression by hand alone."""
        return self._suppression(request, UNSUPPRESS)

    def _suppression(self, request: Request, kind: str) -> Response:
        wish = self.ask(request, Reads(fields=FIELDS))
        data = document(request, kind, shapes.SUPPRESSION)
        group = self._list_of(data)
        if group:
            emails = [self.people.text["email"][row] for row in group.members().tolist()]
        else:
            emails = [profile["attributes"]["email"] for profile in self._named_profiles(data, 100)]
        job = self._job(kind, len(emails), lambda job: self._change_suppressions(job, emails), group.id if group else "")
        return single(request, self.job(request, job, wish), 202)

    def _change_suppressions(self, job: Job, emails: list[str]) -> None:
        for email in emails:
            row = self.people.by_email.get(email.strip().lower(), -1)
            by_hand = "USER_SUPPRESSED" in self.people.suppressions.get(row, {})
            if row < 0 or by_hand == (job.kind == SUPPRESS):
                job.skipped += 1
                continue
            if job.kind == SUPPRESS:
                self.people.suppress(row, "USER_SUPPRESSED", self.clock.now())
            else:
                self.people.lift(row, ("USER_SUPPRESSED",))
            self.consent_changed(row)
            job.rows.append(row)

    @route("GET", "/api/profile-suppression-bulk-create-jobs", tier="L", scopes=("subscriptions:read",))
    def get_suppressions(self, request: Request) -> Response:
        return self._job_page(request, SUPPRESS, SUPPRESS_JOBS)

    @route("GET", "/api/profile-suppression-bulk-create-jobs/{job_id}", tier="L", scopes=("subscriptions:read",))
    def get_suppression(self, request: Request) -> Response:
        wish = self.ask(request, Reads(fields=FIELDS))
        return single(request, self.job(request, self._job_of(request, SUPPRESS), wish))

    @route("GET", "/api/profile-suppression-bulk-delete-jobs/{job_id}", tier="L", scopes=("subscriptions:read",))
    def get_unsuppression(self, request: Request) -> Response:
        wish = self.ask(request, Reads(fields=FIELDS))
        return single(request, self.job(request, self._job_of(request, UNSUPPRESS), wish))

    # erasure

    @route("POST", "/api/data-privacy-deletion-jobs", consent=True, tier="S", scopes=("data-privacy:write",))
    def delete_profile(self, request: Request) -> Response:
        """Every profile with that identifier vanishes, later."""
        data = document(request, "data-privacy-deletion-job", shapes.DELETION)
        profile = data["attributes"]["profile"]["data"]
        attributes = profile["attributes"]
        named = [value for value in (profile.get("id"), attributes.get("email"), attributes.get("phone_number")) if value]
        if len(named) != 1:
            invalid("Exactly one identifier is expected.", "/data/attributes/profile/data")

        def run() -> None:
            rows = {self.people.find(profile["id"])} if profile.get("id") else self._holders(attributes)
            for row in rows - {-1}:
                self.erase(row)

        self.later(self.sky.lag("jobs"), run)
        return Response(202)
