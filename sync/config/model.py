"""The configuration as values: what `load` makes of the YAML, every default filled in.

Durations are milliseconds, shares are exact fractions. `origins` knows where each effective value stands in the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from pathlib import Path

from connectors.base import DAY, HOUR, Json, Millis
from sync.language.happened import Happened
from sync.language.nodes import Node
from sync.language.traits import Trait
from sync.language.values import Path as PropertyPath
from sync.located import Place


class Manage(Enum):
    OBSERVE = "observe"
    ADD_ONLY = "add_only"
    OURS = "ours"
    EXCLUSIVE = "exclusive"


class Existing(Enum):
    ASK = "ask"
    KEEP = "keep"
    ADOPT = "adopt"


class Require(Enum):
    NONE = "none"
    GRANTED = "granted"


class Withdrawn(Enum):
    ANYWHERE = "anywhere"
    PLATFORM = "platform"
    AUDIENCE = "audience"


class Apply(Enum):
    BY_HAND = "by_hand"
    AUTO = "auto"


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a key is kept: *kind* is credential, file or env. *place*: where the config says so, None for a default."""

    kind: str
    name: str
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """*machine_opens*: count | ignore. *store*: the database file. *currency*: of the amounts, "" unknown; nothing reads it."""

    timezone: str = "UTC"
    currency: str = ""
    history: Millis = 730 * DAY
    week_starts: str = "monday"
    machine_opens: str = "count"
    store: Path = Path("segmentd.db")


@dataclass(frozen=True, slots=True)
class ConnectionSpec:
    """One named account. *account*: the id that must answer, or "". *audiences*: short name → the platform's name or id."""

    name: str
    kind: str
    key: SecretRef
    account: str = ""
    base_url: str = ""
    share: Fraction = Fraction(4, 5)
    audiences: Mapping[str, str] = field(default_factory=dict)
    default_audience: str = ""
    options: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EventSpec:
    """What the config says of one event name. *sources*: connection → native name (`from:`); empty: all that tell it.
    *same*: the property by which two records are one fact. *properties*: neutral → native name, on every connection;
    *on_connection*: connection → neutral → native name, where they differ. *keep*: how long they are kept; None: for ever."""

    sources: Mapping[str, str] = field(default_factory=dict)
    same: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)
    on_connection: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    keep: Millis | None = field(default=None, repr=False)       # no part of what an event means: a change of it is no edit of a rule


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """A field of the config's own: *first_of* paths the first that has a value counts; *country*: names of countries are one with
    their codes."""

    first_of: tuple[str, ...]
    country: bool = False


@dataclass(frozen=True, slots=True)
class ConsentPolicy:
    withdrawn: Withdrawn = Withdrawn.ANYWHERE


@dataclass(frozen=True, slots=True)
class Threshold:
    """*share* counts from *from_* members up, *at_most* always."""

    share: Fraction
    from_: int
    at_most: int


@dataclass(frozen=True, slots=True)
class Guards:
    removes: Threshold = Threshold(Fraction(1, 5), 50, 500)
    adds: Threshold = Threshold(Fraction(1, 2), 50, 5000)
    stale: Millis = 6 * HOUR


@dataclass(frozen=True, slots=True)
class Daily:
    """A local time of day, in `settings.timezone`."""

    hour: int
    minute: int


@dataclass(frozen=True, slots=True)
class PullSchedule:
    changes: Millis = 600_000
    complete: Daily | Millis = Daily(3, 15)


@dataclass(frozen=True, slots=True)
class ApplySchedule:
    data: Apply = Apply.BY_HAND
    edits: Apply = Apply.BY_HAND


@dataclass(frozen=True, slots=True)
class Schedule:
    pull: PullSchedule = PullSchedule()
    apply: ApplySchedule = ApplySchedule()
    seal: Daily | Millis = Daily(4, 10)


@dataclass(frozen=True, slots=True)
class TargetSpec:
    """Where a segment is mirrored. *audience*: the config's short name, "" where the platform has none."""

    segment: str
    connection: str
    audience: str
    kind: str
    name: str
    manage: Manage
    existing: Existing
    missing: str
    require: Require
    subscription: str
    guards: Guards
    place: Place


@dataclass(frozen=True, slots=True)
class SegmentSpec:
    """*places*: where each condition of the rule first stands. *was*: the name it had before, or "". One that is not *enabled*, or
    *retires*, has in place of its rule one that keeps who is in it (`Kept`), or lets everybody go (`Nobody`).
    *family*: the one it is of, or ""."""

    name: str
    description: str
    timezone: str
    rule: Node
    targets: tuple[TargetSpec, ...]
    place: Place
    places: Mapping[Node, Place] = field(default_factory=dict, compare=False, repr=False)
    enabled: bool = True
    was: str = ""
    retires: bool = False
    family: str = ""


@dataclass(frozen=True, slots=True)
class FamilySpec:
    """A segment for each value of *property* that *event* tells of at least *at_least* contacts. *template*: what each of them is,
    with `<value>` in its names (`was`, too); its rule is `all` of the event and what stands beside it, also where it is not *enabled* or
    *retires*. *asked*: values that rules name, which have a segment in any case."""

    template: SegmentSpec
    event: Happened
    property: PropertyPath
    at_least: int
    asked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class TraitSpec:
    name: str
    description: str
    trait: Trait
    place: Place


@dataclass(frozen=True)
class Config:
    """A config without a problem in it. *origins*: dotted key of each effective value → its place, None for a default.
    *include*: the patterns as written; *files*: every file that was read, the configuration itself first."""

    path: Path
    settings: Settings
    connections: Mapping[str, ConnectionSpec]
    events: Mapping[str, EventSpec]
    fields: Mapping[str, FieldSpec]
    consent: ConsentPolicy
    guards: Guards
    schedule: Schedule
    segments: Mapping[str, SegmentSpec]
    origins: Mapping[str, Place | None] = field(default_factory=dict)
    include: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    traits: Mapping[str, TraitSpec] = field(default_factory=dict)
    families: Mapping[str, FamilySpec] = field(default_factory=dict)
