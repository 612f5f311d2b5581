"""POST of events: one by one (the first of a unique_id wins), or a thousand at once (a repeated unique_id refuses all)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.clock import DAY, Millis
from connectors.klaviyo.sandbox import shapes
from connectors.klaviyo.sandbox.documents import document
from connectors.klaviyo.sandbox.errors import invalid, refuse
from connectors.klaviyo.sandbox.filters import parse_time
from connectors.klaviyo.sandbox.happenings import Extra
from connectors.klaviyo.sandbox.people import whole
from connectors.klaviyo.sandbox.profile_writes import IDENTIFIERS, ProfileWrites
from connectors.sandbox.server import Request, Response, route

YEAR_1990: Millis = 631_152_000_000
MOST_PROPERTIES = 400           # Source: Klaviyo OpenAPI, create_event
MOST_BYTES = 5_000_000
MOST_EVENTS = 1000              # in one bulk job. Source: Klaviyo OpenAPI, bulk_create_events


class EventWrites(ProfileWrites):
    """/api/events and /api/event-bulk-create-jobs."""

    @route("POST", "/api/events", tier="XL", scopes=("events:write",))
    def create_event(self, request: Request) -> Response:
        if len(request.body) > MOST_BYTES:
            refuse(413, "The request payload exceeds the maximum size.")
        attributes = document(request, "event", shapes.CREATE_EVENT)["attributes"]
        checked = self._checked(attributes, "/data/attributes")
        profile = attributes["profile"]["data"]
        self._check_acting(profile, "/data/attributes/profile/data")
        self._record(self._acting(profile), *checked)
        return Response(202)

    @route("POST", "/api/event-bulk-create-jobs", tier="M", scopes=("events:write",))
    def create_events(self, request: Request) -> Response:
        if len(request.body) > MOST_BYTES:
            refuse(413, "The request payload exceeds the maximum size.")
        groups = document(request, "event-bulk-create-job", shapes.CREATE_EVENTS)["attributes"]["events-bulk-create"]["data"]
        at = "/data/attributes/events-bulk-create/data"
        checked = [self._checked_group(group["attributes"], f"{at}/{n}/attributes") for n, group in enumerate(groups)]
        if not 1 <= sum(len(events) for _, events in checked) <= MOST_EVENTS:
            invalid(f"1 to {MOST_EVENTS} events are expected.", at)
        self._refuse_repeats(checked)
        for profile, events in checked:
            row = self._acting(profile)
            for event in events:
                self._record(row, *event)
        return Response(202)

    def _checked_group(self, group: Mapping[str, Any], at: str) -> tuple[Any, list[tuple[Any, ...]]]:
        """One profile of a job, and its events."""
        profile = group["profile"]["data"]
        self._check_acting(profile, f"{at}/profile/data")
        events = enumerate(group["events"]["data"])
        return profile, [self._checked(event["attributes"], f"{at}/events/data/{n}/attributes") for n, event in events]

    def _refuse_repeats(self, checked: list[tuple[Any, list[tuple[Any, ...]]]]) -> None:
        """409 for the whole job when a unique_id was used before, or twice in it. The status is second-hand."""
        seen: set[tuple[int, str, str]] = set()
        for profile, events in checked:
            row = self._known(profile)
            for metric, _, unique_id, _ in events:
                metric_known = self.events.by_name.get(metric, -1)
                key = (row if row >= 0 else id(profile), metric, unique_id)
                if key in seen or (row >= 0 and metric_known >= 0 and self.events.holds(row, metric_known, unique_id)):
                    refuse(409, "An event with this unique_id already exists.", code="duplicate_event",
                           pointer="/data/attributes/events-bulk-create/data")
                seen.add(key)

    def _checked(self, attributes: Mapping[str, Any], at: str) -> tuple[str, Millis, str, dict[str, Any]]:
        """Metric name, instant, unique_id and properties of one event; 400 naming the place of what is wrong."""
        metric = attributes["metric"]["data"]["attributes"]["name"]
        if not metric.strip() or len(metric) >= 128:
            invalid("A metric name has 1 to 127 characters.", f"{at}/metric/data/attributes/name")
        properties = attributes["properties"]
        if len(properties) > MOST_PROPERTIES:
            invalid(f"An object of at most {MOST_PROPERTIES} properties is expected.", f"{at}/properties")
        when = self._time(attributes.get("time"), f"{at}/time")
        kept = {name: value for name, value in properties.items() if not _dropped(value)}
        if attributes.get("value"):
            kept["$value"] = attributes["value"]
            kept |= {"$currency_code": attributes["value_currency"]} if attributes.get("value_currency") else {}
        return metric.strip(), when, str(attributes.get("unique_id") or when // 1000), kept

    def _time(self, text: str | None, at: str) -> Millis:
        now = self.clock.now()
        if text is None:
            return whole(now)
        try:
            when = parse_time(text)
        except ValueError:
            when = -1
        if not YEAR_1990 <= when <= now + 365 * DAY:
            invalid("A time after 1990 and at most a year ahead is expected.", at)
        return whole(when)

    def _known(self, profile: Mapping[str, Any]) -> int:
        """The row of the profile that acts, or -1 when it would be a new one."""
        return min(self.resolve(profile), default=-1)

    def _check_acting(self, profile: Mapping[str, Any], at: str) -> None:
        """Refuse a profile that cannot act, before anything is changed."""
        attributes = profile["attributes"]
        self.check_attributes(attributes, at)
        if not profile.get("id") and not any(attributes.get(name) for name in (*IDENTIFIERS, "anonymous_id", "_kx")):
            invalid("A profile identifier is required.", at)
        self.resolve(profile)

    def _acting(self, profile: Mapping[str, Any]) -> int:
        """The row of the profile that acts, made or changed as its attributes say. An id alone is enough; so is an anonymous
        id, which makes a profile without an address."""
        attributes: Mapping[str, Any] = profile["attributes"]
        if profile.get("id") and not set(attributes) - {"anonymous_id", "_kx"}:
            return self.row_of(profile["id"])
        if not profile.get("id") and not any(attributes.get(name) for name in IDENTIFIERS):
            return self._anonymous(attributes.get("anonymous_id") or attributes["_kx"])
        found = self._holders(attributes)
        if len(found) == 1 and not set(attributes) - {*IDENTIFIERS, "anonymous_id"} and not profile.get("id"):
            row = min(found)
            self._complete(row, attributes)
            return row
        return self.upsert({"id": profile.get("id"), "attributes": attributes, "meta": profile.get("meta")})[0]

    def _complete(self, row: int, attributes: Mapping[str, Any]) -> None:
        """Identifiers the profile lacked are added; nothing else changes, so `updated` stays where nothing is new."""
        fresh = [name for name in IDENTIFIERS if attributes.get(name)
                 and not (self.people.text[name][row] if name in self.people.text else self.people.extra.get(row, {}).get(name))]
        if fresh:
            self.apply(row, {name: attributes[name] for name in fresh}, {})

    def _anonymous(self, device: str) -> int:
        if device not in self.people.by_device:
            self.people.by_device[device] = self.people.create(self.clock.now())
        return self.people.by_device[device]

    def _record(self, profile: int, metric: str, at: Millis, unique_id: str, properties: dict[str, Any]) -> None:
        """Keep the event unless this profile has one of the metric under this unique_id: the first wins."""
        index = self.events.metric(metric, self.clock.now())
        if not self.events.holds(profile, index, unique_id):
            self.happened(profile, index, at, Extra(properties, unique_id))

    def happened(self, profile: int, metric: int, at: Millis, extra: Extra | None = None, **more: Any) -> int:
        """One event more; readers see it when its lag is over. Its row."""
        last = self.people.columns["last_event"]
        last[profile] = max(int(last[profile]), whole(at))
        return self.events.add(profile, metric, at, self.clock.now() + self.sky.lag("events"), extra, **more)


def _dropped(value: Any) -> bool:
    """0, null and empty text are not kept. Source: Klaviyo API docs, events overview."""
    return value is None or value == "" or (value == 0 and not isinstance(value, bool))
