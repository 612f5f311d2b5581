"""The connector protocol: what crosses the border between a platform and the rest.

A connector translates and classifies. It never sleeps (but through `connectors.http`), never logs, never decides, and
does not know what a segment is. People are profiles here: one platform's own record, keyed `(connection, ProfileId)`.

    PlatformError                 a call that did not work; says what kind of failure and whether it may have taken effect
      └─ (kinds: `FaultKind`)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple, NewType, Protocol, TypeAlias, runtime_checkable

from connectors.clock import DAY, HOUR, MINUTE, SECOND, Clock, Millis, SystemClock, VirtualClock, instant, millis

__all__ = [
    "BATCH_REFUSED",
    "DAY",
    "HOUR",
    "MINUTE",
    "SECOND",
    "Accepted",
    "Account",
    "Batch",
    "Capabilities",
    "Clock",
    "Connection",
    "Connector",
    "ConnectorKind",
    "Consent",
    "ConsentState",
    "Cursor",
    "Effect",
    "Event",
    "EventName",
    "FaultKind",
    "Json",
    "Limit",
    "MemberPage",
    "Millis",
    "Op",
    "Page",
    "Part",
    "PlatformError",
    "Profile",
    "ProfileId",
    "RecordEvent",
    "Rejected",
    "RemoteChange",
    "RemoteTarget",
    "RetryPolicy",
    "Secret",
    "Stopped",
    "Stream",
    "StreamKind",
    "SystemClock",
    "TellsJoining",
    "Transient",
    "Verdict",
    "VirtualClock",
    "backoff",
    "instant",
    "millis",
]

Json: TypeAlias = Any                      # str | int | float | bool | None | list[Json] | dict[str, Json]
ProfileId = NewType("ProfileId", str)      # the platform's own id of a profile, as text, unique in one connection
Cursor = NewType("Cursor", str)            # a connector's own resume token; opaque to everybody else


class Secret:
    """A key that does not show itself: only `reveal()` gives the text."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"


# --- what a platform can do ---------------------------------------------------------------------------------------------


class StreamKind(Enum):
    PROFILES = "profiles"
    EVENTS = "events"
    PARTS = "parts"                                 # records of their own that profiles hold among their fields


@dataclass(frozen=True, slots=True)
class Stream:
    """One thing to pull. *incremental*: the platform filters by time, so a later pull reads only what changed.

    *sweep*: every row is read each time and the last page says complete; profiles, or parts, not seen in a complete sweep are gone.
    A sweep, and a stream that cannot be filtered, runs on the complete cadence; the rest on that of changes.
    *part*: the field of profiles that it fills; such a stream is pulled only when the config asks for that field, or for an event
    made of its records. *events*: native names of all events that it tells; one of events that says none tells whatever no other
    stream of its platform names.
    """

    name: str
    kind: StreamKind
    incremental: bool = True
    sweep: bool = False
    part: str = ""
    events: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class EventName:
    """The neutral name of a platform's native event, and neutral property → native property (dots nest)."""

    name: str
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RecordEvent:
    """What a record in some state says as an event, where the config names it: neutral property → native property, and the
    property by which two events of one contact are *same*."""

    properties: Mapping[str, str]
    same: str


@dataclass(frozen=True, slots=True)
class Limit:
    """A documented limit: *calls* per *seconds* on *lane* (sliding), or at once when *seconds* is 0."""

    lane: str
    calls: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Batch:
    """The largest membership write: *adds* and *removes* per call; *together*: both in one call, each up to its number
    (or, when *shared*, both within *adds*)."""

    adds: int
    removes: int
    together: bool
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a platform can do, as data: asked at `check`, never guessed. Loading it imports no SDK."""

    platform: str                                   # the kind named in the config
    title: str                                      # "Mailchimp"
    targets: frozenset[str]                         # subset of {"tag", "list"}
    refused: Mapping[str, str]                      # what a config may ask for in vain → the reason, and what to write instead
    audiences: bool                                 # a target lives in an audience
    subscriptions: bool                             # a target may name a subscription type whose opt-outs bar, too
    streams: tuple[Stream, ...]
    events: Mapping[str, EventName]                 # native event name → neutral
    fields: Mapping[str, str]                       # neutral field → native path in Profile.fields (dots nest)
    batch: Batch
    lookup: bool                                    # `look` asks for single profiles; else the target is listed
    effect_told: bool                               # an accepted add says whether it changed anything
    member_lag: Millis                              # how long a listing may still miss a confirmed change
    name_limit: int                                 # longest tag or list name
    names_ignore_case: bool
    limits: tuple[Limit, ...]
    options: frozenset[str] = frozenset()           # further keys that `connections: {NAME: {…}}` may hold for this kind
    joining_told: bool = False                      # the connector is a `TellsJoining`: it knows since when somebody is a member
    records: Mapping[str, RecordEvent] = field(default_factory=dict)    # "field.state" of a stream's part, as an event's native name


# --- records that cross the border ----------------------------------------------------------------------------------------


class ConsentState(Enum):
    GRANTED = "granted"
    WITHDRAWN = "withdrawn"
    UNKNOWN = "unknown"
    UNREADABLE = "unreadable"                       # a value we do not know: the contact is frozen


@dataclass(frozen=True, slots=True)
class Consent:
    """Permission on one channel. *scope* is "" for the whole platform (or the profile's audience), else a subscription
    type's id. *suppressed*: must not be contacted whatever the permission (bounced out, spam complaint, by hand).
    *at*: the platform's own time of it, if it tells."""

    channel: str
    state: ConsentState
    scope: str = ""
    suppressed: bool = False
    at: Millis | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile as just read, whole. *fields* is the platform's own nested record (plain JSON), less what stands beside it.

    *live*: can be put on a target (not archived); of one that is not, UNKNOWN lifts no withdrawal. *email* as the platform
    spells it. *aliases*: further addresses that belong to it. *absorbed*: ids of profiles merged into this one. *updated*: the
    platform's last-change time.
    """

    id: ProfileId
    email: str | None
    fields: Mapping[str, Json]
    consent: tuple[Consent, ...]
    audience: str = ""                              # the platform's id of the audience, "" where there are none
    live: bool = True
    aliases: tuple[str, ...] = ()
    absorbed: tuple[ProfileId, ...] = ()
    created: Millis | None = None
    updated: Millis | None = None


class Event(NamedTuple):
    """A dated fact as the platform names it (`Capabilities.events` gives the neutral name).

    *id* is unique in its connection; the same fact always has the same id. At least one of *profile* and *email* is
    set, unless it is *removed*. *mutable*: the record can change at the source, so a later one with this id replaces it
    (*removed*: it is void). A tuple, since there are far more of these than of anything else: it is made in a third of the time.
    """

    id: str
    native: str
    at: Millis
    properties: Mapping[str, Json]
    profile: ProfileId | None = None
    email: str | None = None
    mutable: bool = False
    removed: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """A record of its own, as just read, that stands in the array *field* of each of *profiles*; None as its *value*: it is no
    more. *fact*: the event that it is (void, when it is none now) for each of them, whose ids are made of the record's."""

    field: str
    id: str
    profiles: tuple[ProfileId, ...]
    value: Mapping[str, Json] | None
    fact: Event | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Rows and the cursor that follows them; both are committed in one transaction.

    *last* ends the pull; *complete* (only on the last page of a sweep) says that every profile was seen. *watermark*:
    changes before it are in (None: nothing new to say). *calls* made for this page; *total* rows expected, if known.
    """

    cursor: Cursor
    profiles: Sequence[Profile] = ()
    events: Sequence[Event] = ()
    parts: Sequence[Part] = ()
    gone: Sequence[ProfileId] = ()
    last: bool = False
    complete: bool = False
    watermark: Millis | None = None
    total: int | None = None

    @property
    def rows(self) -> int:
        return len(self.profiles) + len(self.events) + len(self.parts)


@dataclass(frozen=True, slots=True)
class Account:
    """*id*: the platform's own, never empty; it is remembered, and every later answer held to it. So what is no id must be an error."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class RemoteTarget:
    """A tag or list as the platform knows it. *audience* is the platform's id, or ""."""

    kind: str                                       # "tag" | "list"
    id: str
    name: str
    audience: str = ""


@dataclass(frozen=True, slots=True)
class MemberPage:
    """Some members; the *last* page says whether the listing is *complete* (else: Partial, nothing may be removed). *joined*: since
    when they are on it, of those of whom the platform tells it."""

    members: Sequence[ProfileId]
    last: bool = False
    complete: bool = False
    joined: Mapping[ProfileId, Millis] = field(default_factory=dict)


class Op(Enum):
    ADD = "add"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class RemoteChange:
    """One add or remove; *email* is the profile's address as the platform spells it (some platforms take only that)."""

    op: Op
    profile: ProfileId
    email: str | None = None


# --- what came of a call --------------------------------------------------------------------------------------------------


class Effect(Enum):
    CHANGED = "changed"                             # the platform says that this call did it
    ALREADY = "already"                             # the platform says that it was so before
    UNTOLD = "untold"                               # accepted, and no more is said


@dataclass(frozen=True, slots=True)
class Accepted:
    effect: Effect = Effect.UNTOLD


@dataclass(frozen=True, slots=True)
class Transient:
    """Try later. *maybe*: it may have taken effect. *retry_after*: seconds the platform asked for."""

    reason: str
    retry_after: float | None = None
    maybe: bool = False


@dataclass(frozen=True, slots=True)
class Rejected:
    """Never for this contact. *reason* is a short code without personal data."""

    reason: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """Nothing further now: *scope* is "target" (gone, wrong kind), "connection" (key refused, account closed)."""

    reason: str
    scope: str = "target"


BATCH_REFUSED = "batch refused"                     # as Transient.reason: refused as a whole, nobody named; send it in halves

Verdict: TypeAlias = Accepted | Transient | Rejected | Stopped


class FaultKind(Enum):
    THROTTLED = "throttled"                         # 429 and its kin: wait, then again
    TRANSIENT = "transient"                         # server or network; repeat a read, look before repeating a write
    EDGE = "edge"                                   # an HTML or block page: slow retry, never read as data
    KEY = "key"                                     # key refused: this connection stops
    SCOPE = "scope"                                 # a permission is missing: this capability stops
    GONE = "gone"                                   # 404: record, list or cursor is not there
    CURSOR = "cursor"                               # the cursor was refused: restart from the watermark
    INVALID = "invalid"                             # the platform refuses the request as such
    RETIRED = "retired"                             # API version is over
    ACCOUNT = "account"                             # another account answers behind the same key
    UNSAFE = "unsafe"                               # redirect, foreign link, body over the cap: not followed


class PlatformError(Exception):
    """A call that did not work. Holds no body, no query, no address: safe to log.

    *call* is method and path template; *maybe*: a write may have taken effect; *retry_after* in seconds.
    """

    def __init__(
        self, platform: str, call: str, kind: FaultKind, *, status: int | None = None, code: str = "",
        request_id: str = "", retry_after: float | None = None, maybe: bool = False,
    ) -> None:
        self.platform, self.call, self.kind, self.status = platform, call, kind, status
        self.code, self.request_id, self.retry_after, self.maybe = code, request_id, retry_after, maybe
        answer = f"{status} {code}".strip() if status else code or kind.value
        super().__init__(f"{platform}: {call}: {answer}" + (f" (request {request_id})" if request_id else ""))


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When to try again: *attempts* in all, exponential from *base* to *cap* seconds; a longer wait that a platform asks
    for is obeyed up to *patience* seconds, beyond that the connection pauses."""

    attempts: int = 6
    base: float = 1.0
    cap: float = 60.0
    patience: float = 3600.0


LONGEST_WAIT = 86_400.0
"""Seconds that a platform is believed to ask for. HubSpot's daily limit ends at midnight and its moves of an account take up to
24 h; nobody documents a longer wait. Source: HubSpot developer docs, "API usage guidelines and limits" and "Error handling"."""


def backoff(policy: RetryPolicy, attempt: int, jitter: float) -> float:
    """Seconds before the try after *attempt* (from 1): exponential up to the cap, *jitter* in [0, 1) takes up to half off."""
    return float(min(policy.cap, policy.base * 2 ** (attempt - 1)) * (0.5 + jitter / 2))


# --- the protocol ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Connection:
    """One named account of the config, its secret resolved. *share*: our part of the documented limits, 0 to 1.

    *audiences*: the config's short name → the platform's audience name or id. *since*: how far back the first pull reaches.
    *options*: what the kind's own keys (`Capabilities.options`) hold.
    """

    name: str
    kind: str
    key: Secret
    since: Millis
    base_url: str | None = None
    share: float = 0.8
    audiences: Mapping[str, str] = field(default_factory=dict)
    default_audience: str = ""
    options: Mapping[str, Json] = field(default_factory=dict)
    retry: RetryPolicy = RetryPolicy()


@runtime_checkable
class Connector(Protocol):
    """One open connection. Plain blocking Python; each method may be called from a worker thread of its own."""

    capabilities: Capabilities

    def account(self) -> Account:
        """The account behind the key. Raises PlatformError."""

    def pull(self, stream: Stream, since: Cursor | None) -> Iterator[Page]:
        """Pages of *stream* after *since* (None: from `Connection.since`), each with the cursor that follows it.

        A cursor taken from any page resumes there, in another process too. Ends with exactly one page that says `last`;
        a generator that raises PlatformError or stops without it was cut off. The cursor of the last page starts the next
        incremental pull, with the overlap the platform needs; rows may repeat.
        """

    def find(self, kind: str, name: str, audience: str) -> RemoteTarget | None:
        """The tag or list called *name*, or None; *audience* is the platform's id or ""."""

    def create(self, kind: str, name: str, audience: str) -> RemoteTarget:
        """A new, empty one; looks first, so calling twice makes one."""

    def audience(self, ref: str) -> str:
        """The platform's audience id for a name or id of the config; PlatformError GONE when there is none or several."""

    def subscription(self, ref: str) -> str:
        """The id (a `Consent.scope`) of the subscription type with this name or id; PlatformError GONE when there is none.
        Only where `capabilities.subscriptions`."""

    def members(self, target: RemoteTarget) -> Iterator[MemberPage]:
        """Everybody on the target, whoever put them there and whatever their consent."""

    def look(self, target: RemoteTarget, profiles: Sequence[ProfileId]) -> dict[ProfileId, bool]:
        """Which of *profiles* are members right now; profiles that no longer exist are left out.
        Only where `capabilities.lookup`."""

    def push(self, target: RemoteTarget, batch: Sequence[RemoteChange]) -> list[Verdict]:
        """Send one batch (within `capabilities.batch`) in one call: a verdict per change, same order. Never raises
        PlatformError: a failed call is the same verdict for each."""

    def close(self) -> None:
        """Give up pooled connections."""


@runtime_checkable
class TellsJoining(Protocol):
    """What a connector also offers where `capabilities.joining_told`: evidence of whose a membership is, after an answer was lost."""

    def joined(self, target: RemoteTarget, profiles: Sequence[ProfileId]) -> dict[ProfileId, Millis]:
        """When each of *profiles* that are members right now joined for the last time, by the platform's clock (by ours, where the
        connector knows how far they are apart); those that are no members, or of whom it is not told, are left out. Raises
        PlatformError."""


@runtime_checkable
class ConnectorKind(Protocol):
    """What an entry point of the group `segmentd.connectors` loads: light, without SDKs."""

    capabilities: Capabilities

    def open(self, connection: Connection, clock: Clock) -> Connector:
        """A connector; makes no call yet."""
