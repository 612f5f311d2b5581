"""Every key of the file outside the rules: what it says, and which come in a later version.

The loader, the JSON Schema and the test of the reference page all read this one table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sync.language.words import WINDOWS


@dataclass(frozen=True, slots=True)
class Section:
    """One kind of map in the file. *keys*: key → what it says; *later*: keys that are answered with "not yet"."""

    title: str
    keys: Mapping[str, str]
    later: frozenset[str] = field(default_factory=frozenset)


TOP = Section("the file", {
    "version": "Version of this format: 1",
    "settings": "What holds for the whole file",
    "connections": "The accounts, each under the name by which the rest of the file calls it",
    "events": "What differs from the built-in event names",
    "fields": "Where a field of a contact comes from, when several connections tell it",
    "consent": "How far a withdrawn consent reaches",
    "defaults": "What every target does unless it says otherwise",
    "guards": "How much one plan may change before it is refused",
    "schedule": "When to pull and whether to apply without a person",
    "include": "Further files with segments and traits: a path or several, relative to this file; * stands for any name",
    "traits": "Values computed for every contact, each under the name by which `contact:` asks it",
    "segments": "The segments, each under its name",
})

INCLUDED = Section("an included file", {key: TOP.keys[key] for key in ("segments", "traits") if key in TOP.keys}, frozenset(
    key for key in ("segments", "traits") if key in TOP.later
))

SETTINGS = Section("settings", {
    "timezone": "IANA zone of days and times of day, such as Europe/Berlin",
    "currency": "ISO 4217 code of your amounts; so far it changes no count",
    "week_starts": "First day of a week, for `during: this_week`",
    "history": "How far back the first pull reaches: a whole number of s, m, h, d, w, mo (30 days) or y (365 days)",
    "machine_opens": "ignore leaves out opens and clicks that a platform marks as a machine's; count takes them in",
    "store": "Where the database lives: a directory, or a file that ends in .db; relative to this file",
})

CONNECTION = Section("a connection", {
    "kind": "The platform; the connection's own name if not said",
    "key": "Where the secret is kept: {credential: NAME}, {file: PATH} or {env: NAME}",
    "account": "The platform's id of the account; another account behind the key stops the connection",
    "share": "Our part of the platform's documented limits, such as 50%",
    "base_url": "Another address of the API: https, or http on this machine",
    "audiences": "Short name → the platform's name or id of an audience",
    "default_audience": "The short name of the audience of targets that name none",
})

KEY = Section("key", {
    "credential": "A file of that name in $CREDENTIALS_DIRECTORY or /etc/segmentd/credentials",
    "file": "A file that holds the secret, relative to this file",
    "env": "An environment variable that holds the secret",
})

EVENT = Section("an event", {
    "from": "A connection, or connection → the platform's own name of the event, or {deals: closed_won}; no other connection tells it then",
    "same": "The property by which records of several connections are one event",
    "properties": "Property → the platform's own name of it, or → {connection: its name there}",
    "keep": "How long events of this type are kept, in whole months of the calendar, such as 400d; for ever if not said",
})

FIELD = Section("a field", {"first_of": "Paths such as hubspot.country; the first that has a value counts",
    "as": "country reads names and codes of countries as one: Germany, Deutschland, DE and DEU",
})

CONSENT = Section("consent", {"withdrawn": "anywhere bars everywhere; platform and audience bar only there"})

DEFAULTS = Section("defaults", {
    "manage": "observe plans, add_only never removes, ours removes what is ours, exclusive makes the target equal the segment",
    "existing": "Members found at first contact: ask refuses until decided, keep leaves them, adopt makes them ours",
    "missing": "A contact without a profile there: skip",
    "require": "none, or granted: only contacts whose consent is known",
}, frozenset({"drift"}))

THRESHOLD = Section("a threshold", {
    "share": "Largest share of the members that one plan may change, such as 20%",
    "from": "The share counts from this many members up",
    "at_most": "Largest number of changes in one plan, always",
})

TARGET_GUARDS = Section("guards", {
    "removes": "Threshold of members that leave",
    "adds": "Threshold of members that join",
})

GUARDS = Section("guards", {
    **TARGET_GUARDS.keys,
    "stale": "Changes pulled longer ago than this plan no removes",
})

SCHEDULE = Section("schedule", {
    "pull": "When to read from the platforms",
    "apply": "What is sent without a person",
    "seal": "When to seal old events into files: `daily 04:10`, or a duration such as 12h",
})

PULL = Section("schedule.pull", {
    "changes": "How often to ask for what changed, such as 10m",
    "complete": "When to look at everything: `daily 03:15`, or a duration such as 12h",
})

APPLY = Section("schedule.apply", {
    "data": "Changes of the data: by_hand or auto",
    "edits": "Changes that follow from an edited rule: by_hand or auto",
})

SEGMENT = Section("a segment", {
    "description": "What the segment is for",
    "timezone": "IANA zone of the segment's days; settings.timezone if not said",
    "sync": "Connection → its target there, or a list of targets",
    "enabled": "false keeps who is in it as they are, and freezes its targets",
    "was": "The name it had before: what is ours on its targets, its members and its record go on under the new one",
    "retire": "remove empties its targets of what is ours, by plans like any other",
}, frozenset({"holdout", "on_enter", "on_leave"}))

FAMILY_EVENT = ("event", "where", "human", "count", *WINDOWS)
FOR_EACH = Section("for_each", {
    "property": "The property of the event; each of its values has a segment",
    "at_least": "A value has a segment from so many contacts up, until nobody is left in it; 1 if not said",
})

TARGET = Section("a target", {
    "tag": "The tag's name, exactly as on the platform",
    "list": "The list's name, exactly as on the platform",
    "audience": "The short name of the audience; the connection's default_audience if not said",
    "subscription": "A subscription type whose opt-outs bar, too",
    **DEFAULTS.keys,
    "guards": "Thresholds of this target",
}, frozenset({"drift", "retire"}))

SECTIONS = (
    TOP, INCLUDED, SETTINGS, CONNECTION, KEY, EVENT, FIELD, CONSENT, DEFAULTS, THRESHOLD, GUARDS, SCHEDULE, PULL, APPLY, SEGMENT,
    FOR_EACH, TARGET,
)
