"""Profiles: what changed, and everybody.

`GET /lists/{id}/members` filters `since_last_changed < t <= before_last_changed`, whole seconds, and hides the archived unless
asked for them alone. A plain offset walk skips somebody whenever a row leaves the window, so the walk goes by key: the next
page starts in the second in which the last one ended, and an offset is used only within one second.
Source: Mailchimp Marketing API reference, List members info; observed: github.com estuary/connectors live probes of 2026-06.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

from connectors.base import Cursor, Millis, Page, Profile
from connectors.mailchimp.api import Listings, Rows, Spot, read
from connectors.mailchimp.cursors import dumped, loaded
from connectors.mailchimp.faults import stuck, unexpected
from connectors.mailchimp.profiles import UNUSED, profiles
from connectors.mailchimp.times import written

OVERLAP = 600                                       # seconds read again, for changes that showed late
NAME = "/lists/{list_id}/members"
CALL = f"GET {NAME}"
EXCLUDED = ",".join(("_links", *(f"members.{name}" for name in UNUSED)))
PHASES = ("", "archived")                           # the bare listing, then the people it hides
SWEEP_PHASES = ("", "archived", "")                 # and once more who changed meanwhile: they may have moved between the two
FEW = 5                                             # people who may vanish during a sweep (or 1 in 200) without spoiling it

Audiences = Callable[[Mapping[str, int]], list[str]]    # ids of the audiences to pull; is told those that it pulled before


@dataclass(frozen=True, slots=True)
class Key:
    """A place in a listing sorted by change: after second *after* (-1: its start), and at *spot* while inside the one second
    that follows."""

    after: int = -1
    spot: Spot | None = None

    def beyond(self, other: Key) -> bool:
        return self.after > other.after or (self.after == other.after and self.spot is not None)


@dataclass(frozen=True, slots=True)
class Course:
    """How far a pull is. *marks*: audience → second up to which all is in (a sweep: people at its last end). *end*: the signpost
    of this pull, -1 between two. *counts*: people seen per audience; *due*: how many the listings said they hold."""

    marks: dict[str, int] = field(default_factory=dict)
    end: int = -1
    lists: tuple[str, ...] = ()
    index: int = 0
    phase: int = 0
    key: Key = Key()
    counts: dict[str, int] = field(default_factory=dict)
    due: int = 0

    @staticmethod
    def read(cursor: Cursor | None, stream: str) -> Course:
        held = loaded(cursor, stream)
        spot = held.get("s")
        return Course(
            held.get("w", {}), held.get("e", -1), tuple(held.get("l", ())), held.get("i", 0), held.get("p", 0),
            Key(held.get("a", -1), Spot(*spot) if spot else None), held.get("n", {}), held.get("d", 0),
        )

    def cursor(self) -> Cursor:
        spot = self.key.spot
        return dumped(
            w=self.marks, e=self.end, l=self.lists, i=self.index, p=self.phase, a=self.key.after,
            s=[spot.offset, spot.total] if spot else None, n=self.counts, d=self.due,
        )


def pull_profiles(api: Listings, audiences: Audiences, cursor: Cursor | None, *, sweep: bool) -> Iterator[Page]:
    """Pages of profiles: those changed since the last pull, or (*sweep*) everybody."""
    course = Course.read(cursor, "profiles_complete" if sweep else "profiles")
    if course.end < 0:
        course = Course(course.marks, api.signpost(), tuple(sorted(audiences(course.marks))))
    edge: dict[str, Millis | None] = {}             # who stood in the last second of the page before
    while course.index < len(course.lists):
        page, found, key = _step(api, course, sweep)
        fresh = [profile for profile in found if edge.get(profile.id) != profile.updated]
        last = found[-1].updated if found else None
        edge = {p.id: p.updated for p in found if p.updated == last} if key else {}
        course = _advanced(course, page, key, len(fresh), sweep)
        yield Page(course.cursor(), profiles=fresh, total=course.due)
    yield _closing(course, sweep)


def _step(api: Listings, course: Course, sweep: bool) -> tuple[Rows, list[Profile], Key | None]:
    """One page: the answer, its people, and where to go on (None: this listing is through)."""
    key, list_id = _from(course, sweep), course.lists[course.index]
    status = (SWEEP_PHASES if sweep else PHASES)[course.phase]
    until = key.after + 1 if key.spot else None if sweep else course.end
    params = {
        "sort_field": "last_changed", "sort_dir": "ASC", "exclude_fields": EXCLUDED,
        **({"status": status} if status else {}),
        **({"since_last_changed": written(key.after)} if key.after >= 0 else {}),
        **({"before_last_changed": written(until)} if until is not None else {}),
    }
    page = api.page(f"/lists/{list_id}/members", "members", NAME, params, key.spot.offset if key.spot else 0)
    found = read(CALL, lambda: profiles(page.rows, list_id))
    _check_window(found, key.after, until)
    onward = _onward(key, page, found)
    if onward and not onward.beyond(key) and not (key.spot and onward.spot and 0 <= page.total < key.spot.total):
        raise stuck(CALL)
    return page, found, onward


def _from(course: Course, sweep: bool) -> Key:
    """The place to read; a listing that was not begun starts at its floor."""
    if course.key.after >= 0 or course.key.spot:
        return course.key
    if sweep:
        return Key(course.end if course.phase == 2 else -1)
    mark = course.marks.get(course.lists[course.index])
    return Key(-1 if mark is None else max(0, mark - OVERLAP))


def _check_window(found: list[Profile], after: int, until: int | None) -> None:
    """A filter or an order that the platform ignored would make us skip people (a filter it cannot read is ignored: observed,
    github.com issue brandonseydel/MailChimp.Net#525)."""
    times = [(profile.updated or 0) // 1000 for profile in found]
    if any(earlier > later for earlier, later in pairwise(times)):
        raise unexpected(CALL, "order not obeyed")
    if times and (times[0] <= after or (until is not None and times[-1] > until)):
        raise unexpected(CALL, "filter not obeyed")


def _onward(key: Key, page: Rows, found: list[Profile]) -> Key | None:
    if key.spot:
        spot = key.spot.after(page, CALL)
        return Key(key.after, spot) if spot else Key(key.after + 1)
    if not page.full:
        if len(page.rows) < page.total:
            raise unexpected(CALL, "fewer rows than counted")
        return None
    first, last = (found[0].updated or 0) // 1000, (found[-1].updated or 0) // 1000
    return Key(last - 1, Spot() if first == last else None)     # more than a page in one second: offsets, within it


def _advanced(course: Course, page: Rows, key: Key | None, fresh: int, sweep: bool) -> Course:
    """The course after one page: its listing goes on, or the next phase, or the next audience."""
    list_id = course.lists[course.index]
    opening = course.key == Key() and not (sweep and course.phase == 2)
    due = course.due + (max(0, page.total) if opening else 0)
    counts = course.counts
    if sweep:                                       # with those who moved between the listings, whom only the last phase saw
        counts = {**counts, list_id: counts.get(list_id, 0) + fresh}
    if key:
        return replace(course, key=key, due=due, counts=counts)
    phases = len(SWEEP_PHASES if sweep else PHASES)
    following = (course.index, course.phase + 1) if course.phase + 1 < phases else (course.index + 1, 0)
    return replace(course, index=following[0], phase=following[1], key=Key(), due=due, counts=counts)


def _closing(course: Course, sweep: bool) -> Page:
    """The last page; a sweep is complete when it saw about as many people as the listings said they hold, and no audience that
    had people is empty all at once."""
    if not sweep:
        marks = {**course.marks, **dict.fromkeys(course.lists, course.end)}
        return Page(Course(marks).cursor(), last=True, watermark=course.end * 1000, total=course.due)
    missing = course.due - sum(course.counts.values())
    emptied = any(course.marks.get(list_id) and not course.counts.get(list_id) for list_id in course.lists)
    complete = missing <= max(FEW, course.due // 200) and not emptied
    kept = course.counts if complete else course.marks
    return Page(Course(kept).cursor(), last=True, complete=complete, watermark=course.end * 1000, total=course.due)
