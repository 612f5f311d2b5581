"""Pulling people and facts out of Klaviyo so that nothing is missed and nothing is read for nothing.

Klaviyo pages by an opaque cursor of unknown lifetime. Each walk is therefore sorted by something that only grows, and our
own cursor keeps the newest value met beside Klaviyo's: when that one dies, the walk starts again a little before there.

    profiles            updated since last time, then (from the second pull on) whoever was suppressed since: `updated` is
                        not documented to move for consent or suppression
    profiles_complete   everybody, by date of creation; who is missing from it is gone (deleted or merged away),
                        if the walk came to the newest profile
    events              by their own time, three hours back each time, because events arrive late and out of order and
                        Klaviyo cannot be asked for the time of arrival
    events_week         the last seven days again, and once a week the last thirty, for those that came later still
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TypeVar

from connectors.base import DAY, HOUR, MINUTE, SECOND, Cursor, Event, FaultKind, Json, Millis, Page, PlatformError, Profile
from connectors.klaviyo import events, profiles, times
from connectors.klaviyo.calls import Answered, Calls, Read, no_progress
from connectors.klaviyo.place import Place, later, place_of

SIGNPOST: Millis = 10 * SECOND
"""How far behind the platform's time every bound stays: one in the future, or within some 5 s of now, is a 400. Observed:
PostHog/posthog, Klaviyo source; airbytehq/airbyte#27498 and #70341 tell what a future event does to a watermark."""

PROFILE_OVERLAP: Millis = 2 * MINUTE                # edits of one second may straddle a page, replicas may lag a little
EVENT_OVERLAP: Millis = 3 * HOUR                    # 110 minutes late, observed: github.com issue estuary/connectors#2706
WEEK: Millis = 7 * DAY                              # 4 days late, observed: github.com issue estuary/connectors#5158
MONTH: Millis = 30 * DAY                            # 17 days late, once; same issue
RETURN: Millis = 2 * SECOND                         # how far before the last row met a broken walk starts again

PROFILE_PAGE, EVENT_PAGE = 100, 200
"""Largest page[size]. Source: Klaviyo API reference, revision 2026-07-15; for events its text says 200, its schema 1000."""

PHASES = (
    ("updated", "greater-than"),
    ("subscriptions.email.marketing.suppression.timestamp", "greater-or-equal"),
    ("subscriptions.email.marketing.list_suppressions.timestamp", "greater-or-equal"),
)
"""What changes are looked for by, each also the sort. Source: Klaviyo API reference, revision 2026-07-15, Get Profiles:
`updated` and `created` take greater-than and less-than only."""

STALE = frozenset({FaultKind.CURSOR, FaultKind.INVALID, FaultKind.GONE})   # how a cursor too old may be refused
UNBROKEN = -1                                       # no instant that a row has

Row = TypeVar("Row", Profile, Event)
Key = Callable[[Row], Millis | None]


class Puller:
    """The streams of one connection. *since*: how far back the first pull of events reaches."""

    def __init__(self, calls: Calls, since: Millis) -> None:
        self._calls, self._since = calls, since

    def pull(self, stream: str, cursor: Cursor | None) -> Iterator[Page]:
        """Pages after *cursor*. KeyError for a stream there is not; PlatformError."""
        streams = {
            "profiles": self._changes, "profiles_complete": self._everybody, "events": self._events,
            "events_week": self._late_events,
        }
        return streams[stream](place_of(cursor))

    # --- people

    def _changes(self, place: Place) -> Iterator[Page]:
        """Up to three walks. The first pull ever has no filter and needs no sweep of suppressions."""
        if place.ended or not place.post:
            place = _phase(Place(mark=place.mark, swept=place.swept), 0)
        while True:
            key = _updated if place.phase == 0 else _no_key
            end = place
            for end, found in self._walk(place, _change_read, _profiles_of, key):
                yield Page(end.cursor(), profiles=found)
            place = end
            if place.mark is None or place.phase == len(PHASES) - 1:
                break
            place = _phase(place, place.phase + 1)
        newest = None if place.newest is None else min(place.newest, place.post)
        end = Place(mark=later(place.mark, newest), swept=place.post, ended=True)
        yield Page(end.cursor(), last=True, watermark=place.post)

    def _everybody(self, place: Place) -> Iterator[Page]:
        """Everybody by date of creation: who comes meanwhile comes last, and nobody moves. An account without anybody is
        never called complete, since a broken answer looks the same; nor is a walk that ended before the newest profile."""
        place = Place() if place.ended else place
        end = place
        for end, found in self._walk(place, _creation_read, _profiles_of, _created):
            yield Page(end.cursor(), profiles=found)
        yield Page(Place(ended=True).cursor(), last=True, complete=end.rows > 0 and self._reached_the_end(end), watermark=end.post)

    def _reached_the_end(self, end: Place) -> bool:
        """Whether the walk came to the newest profile of those that were there when it began: a next link may also be missing by
        mistake, and Klaviyo tells no number of profiles. One call. Source: Klaviyo API reference, revision 2026-07-15, Get Profiles."""
        params = {
            "fields[profile]": "created", "filter": f"less-than(created,{times.write(end.post)})", "sort": "-created", "page[size]": "1",
        }
        newest = [_created_at(record) for record in self._calls.page(Read("/api/profiles", "profiles", params)).records]
        return any(at is not None and at <= (end.newest or 0) for at in newest)

    # --- facts

    def _events(self, place: Place) -> Iterator[Page]:
        """From three hours before the last signpost to this one; the first pull from as far back as the connection says."""
        if place.ended or not place.post:
            low = self._since if place.mark is None else max(self._since, place.mark - EVENT_OVERLAP)
            place = Place(mark=place.mark, post=self._signpost(), low=low)
        for step, found in self._window(place):
            reached = 0 if step.mixed else min(step.last or 0, step.post)
            yield Page(step.cursor(), events=found, watermark=reached if reached > (step.mark or 0) else None)
        end = Place(mark=later(place.mark, place.post), ended=True)
        yield Page(end.cursor(), last=True, watermark=end.mark)

    def _late_events(self, place: Place) -> Iterator[Page]:
        """The last week again; the last month when that was not done for a week."""
        if place.ended or not place.post:
            post = self._signpost()
            monthly = bool(place.month) and post - place.month >= WEEK - HOUR
            month = post if monthly or not place.month else place.month
            place = Place(post=post, month=month, low=max(self._since, post - (MONTH if monthly else WEEK)))
        for step, found in self._window(place):
            yield Page(step.cursor(), events=found)
        yield Page(Place(month=place.month, ended=True).cursor(), last=True, watermark=place.post)

    def _signpost(self) -> Millis:
        """In whole seconds, as filters are."""
        return (self._calls.now() - SIGNPOST) // SECOND * SECOND

    def _window(self, place: Place) -> Iterator[tuple[Place, Sequence[Event]]]:
        if place.low is None or place.low < place.post:
            yield from self._walk(place, _event_read, _events_of, _at)

    # --- one walk

    def _walk(
        self, place: Place, read: Callable[[Place], Read], rows: Callable[[Answered], Sequence[Row]], key: Key[Row],
    ) -> Iterator[tuple[Place, Sequence[Row]]]:
        """Each page's rows and the place after it, to the end of the walk. Raises PlatformError, also when Klaviyo leads in
        a circle or refuses its own cursor twice in one place."""
        known = {place.page}
        broken_at: Millis | None = UNBROKEN
        place = place if place.page else _again(place)
        while True:
            call = read(place)
            try:
                answered = self._calls.page(call, place.page)
            except PlatformError as error:
                back = _again(place)
                if not place.page or error.kind not in STALE or back.low == broken_at:
                    raise
                known, broken_at, place = set(), back.low, back
                continue
            found = _translated(rows, answered, call.name)
            place = self._after(place, answered, [key(row) for row in found])
            if place.page and place.page in known:
                raise no_progress(call.name)
            known.add(place.page)
            yield place, found
            if not place.page:
                return

    def _after(self, place: Place, answered: Answered, keys: Sequence[Millis | None]) -> Place:
        """The place after a page whose rows have these sort keys."""
        told = [key for key in keys if key is not None]
        chain = told if place.last is None else [place.last, *told]
        return replace(
            place, page=answered.cursor, rows=place.rows + len(keys), last=chain[-1] if chain else None,
            mixed=place.mixed or len(told) < len(keys) or any(b < a for a, b in pairwise(chain)),
            newest=later(place.newest, max(told, default=None)),
            post=place.post or (answered.date or self._calls.clock.now()) - SIGNPOST,
        )


def _again(place: Place) -> Place:
    """Where a walk whose cursor is lost goes on: just before its last row, or where it began when rows came out of order."""
    back = None if place.last is None or place.mixed else min(place.last - RETURN, place.post or place.last)
    return replace(place, page="", last=None, low=later(place.low, back))


def _phase(place: Place, phase: int) -> Place:
    """At the start of a walk for changes."""
    start, back = (place.mark, PROFILE_OVERLAP) if phase == 0 else (place.swept, EVENT_OVERLAP)
    return replace(place, phase=phase, page="", last=None, mixed=False, low=None if start is None else start - back)


def _change_read(place: Place) -> Read:
    field, operator = PHASES[place.phase]
    return _people(field, operator, place.low)


def _creation_read(place: Place) -> Read:
    return _people("created", "greater-than", place.low)


def _people(field: str, operator: str, low: Millis | None) -> Read:
    """Profiles with their consent, which is absent unless asked for and costs no stricter limit. Source: Klaviyo API
    reference, revision 2026-07-15, Get Profiles."""
    params = {"additional-fields[profile]": "subscriptions", "page[size]": str(PROFILE_PAGE), "sort": field}
    if low is not None:
        params["filter"] = f"{operator}({field},{times.write(low)})"
    return Read("/api/profiles", "profiles", params)


def _event_read(place: Place) -> Read:
    """Events of a half-open window, each page with the names of its metrics."""
    bounds = f"greater-or-equal(datetime,{times.write(place.low or 0)}),less-than(datetime,{times.write(place.post)})"
    params = {"filter": bounds, "include": "metric", "fields[metric]": "name", "page[size]": str(EVENT_PAGE), "sort": "datetime"}
    return Read("/api/events", "events", params)


def _translated(rows: Callable[[Answered], Sequence[Row]], answered: Answered, name: str) -> Sequence[Row]:
    try:
        return rows(answered)
    except (AttributeError, KeyError, TypeError):
        raise PlatformError("klaviyo", f"GET {name}", FaultKind.EDGE, code="unexpected record") from None


def _profiles_of(answered: Answered) -> Sequence[Profile]:
    return [profiles.profile(record) for record in answered.records]


def _events_of(answered: Answered) -> Sequence[Event]:
    metrics = events.metric_names(answered.document)
    return [found for record in answered.records if (found := events.event(record, metrics)) is not None]


def _updated(profile: Profile) -> Millis | None:
    return profile.updated


def _created_at(record: Mapping[str, Json]) -> Millis | None:
    attributes = record.get("attributes") if isinstance(record, dict) else None
    return times.read(attributes.get("created")) if isinstance(attributes, dict) else None


def _created(profile: Profile) -> Millis | None:
    return profile.created


def _no_key(profile: Profile) -> Millis | None:
    return None


def _at(event: Event) -> Millis | None:
    return event.at
